/** /api/v1/query: SQL that only reads, for people; what runs can be watched and cancelled. */

import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { mayEverywhere } from '../../access/principal.ts';
import { SQL_CHARS_MAX } from '../../query/gate.ts';
import { PERSON_THREADS } from '../../query/people.ts';
import { RESULT_FORMAT, RESULT_SETTINGS, resultOf } from '../../query/result.ts';
import { OPEN_TABLES } from '../../query/tables.ts';
import type { Language } from '../../query/words.ts';
import { columnWords, tableWords } from '../../query/words.ts';
import type { RouteAccess } from '../access.ts';
import type { ApiContext } from '../context.ts';
import { abortedWith } from '../queries.ts';
import { COUNT, nullable, object, query } from '../schemas.ts';

/** Raw SQL cannot be limited to sites. Each query is recorded with its text, by PeopleQueries. */
const EVERYWHERE: RouteAccess = { role: 'viewer', everywhere: true };

const ID = { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' } as const;
export const RESULT_ROWS_MAX = 50_000;
const ROWS_DEFAULT = 10_000;
const TIMEOUT_MAX_MS = 120_000;
const TIMEOUT_DEFAULT_MS = 60_000;
/** JSON escapes make the text of a statement longer. */
const BODY_BYTES_MAX = 6 * SQL_CHARS_MAX + 65_536;
const MAX_MEMORY_BYTES = 384 * 2 ** 20;
const MAX_RESULT_BYTES = 32 * 2 ** 20;

const BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['sql'],
  properties: {
    sql: {
      type: 'string',
      minLength: 1,
      maxLength: SQL_CHARS_MAX,
      examples: ['SELECT site, count() FROM readings GROUP BY site'],
    },
    id: { ...ID, description: 'By which it can be watched and cancelled; made up when left out.' },
    max_rows: { type: 'integer', minimum: 1, maximum: RESULT_ROWS_MAX, default: ROWS_DEFAULT },
    timeout_ms: {
      type: 'integer',
      minimum: 100,
      maximum: TIMEOUT_MAX_MS,
      default: TIMEOUT_DEFAULT_MS,
      description: 'The wait for other queries counts too.',
    },
    params: {
      type: 'object',
      maxProperties: 64,
      additionalProperties: { type: 'string', maxLength: 16_384 },
      default: {},
      description: 'Of {name:Type} in the statement, as texts.',
    },
  },
} as const;

interface Body {
  sql: string;
  id?: string;
  max_rows: number;
  timeout_ms: number;
  params: Record<string, string>;
}

const COLUMN = { name: { type: 'string' }, type: { type: 'string' } } as const;

const RESULT = object({
  columns: { type: 'array', items: object(COLUMN) },
  rows: {
    type: 'array',
    items: { type: 'array' },
    description:
      'In the order of columns. What JSON numbers cannot say is a text: integers beyond 2^53, decimals, nan, inf, -inf.',
  },
  rows_before_limit: nullable({ ...COUNT, description: 'Without LIMIT, where it was counted.' }),
  truncated: { type: 'boolean', description: 'There are more rows than max_rows.' },
  elapsed_ms: COUNT,
  read_rows: COUNT,
  read_bytes: COUNT,
});

const STATUS = object({
  state: {
    enum: ['waiting', 'running', 'done', 'failed', 'cancelled'],
    description: 'waiting: for others to end.',
  },
  elapsed_ms: COUNT,
  read_rows: COUNT,
});

const TABLE = object({
  table: { type: 'string' },
  comment: { type: 'string' },
  rows: nullable(COUNT),
  columns: {
    type: 'array',
    items: object({ ...COLUMN, comment: { type: 'string', description: "'': its name says it." } }),
  },
});

export function queryRoutes(app: FastifyInstance, context: ApiContext): void {
  const { people } = context;
  app.post<{ Body: Body }>(
    '/api/v1/query',
    {
      bodyLimit: BODY_BYTES_MAX,
      config: { access: { ...EVERYWHERE, limit: 'queries' } },
      schema: {
        summary: 'Runs one statement that only reads',
        description:
          'SELECT, WITH, EXPLAIN, SHOW TABLES and DESCRIBE of our tables. Ends when its caller goes away. 422 in the words of the engine when it is wrong, over a limit, or does more than read.',
        querystring: query({}),
        body: BODY,
        response: { 200: RESULT },
      },
    },
    async (request, reply) => {
      const { sql, id = randomUUID(), max_rows, timeout_ms, params } = request.body;
      const answer = await people.run({
        id,
        who: request.principal,
        from: request.ip,
        via: 'api',
        sql,
        params: new Map(Object.entries(params).map(([name, text]) => [name, escaped(text)])),
        settings: new Map(),
        limits: {
          timeoutMs: timeout_ms,
          maxMemoryBytes: MAX_MEMORY_BYTES,
          maxResultBytes: MAX_RESULT_BYTES,
          maxThreads: PERSON_THREADS,
        },
        // FORMAT is for files and programs: pages have one of their own.
        formatOf: () => RESULT_FORMAT,
        fixed: (settings) =>
          new Map([...settings, ...RESULT_SETTINGS, oneMore(settings, max_rows)]),
        signal: abortedWith(reply),
      });
      return resultOf(answer, max_rows);
    },
  );
  app.get<{ Params: { id: string } }>(
    '/api/v1/query/running/:id',
    {
      config: { access: EVERYWHERE },
      schema: {
        summary: 'How far a query is',
        description:
          'Of the own ones; administrators see all. Known to the process that runs it, and for a while after its end.',
        params: object({ id: ID }),
        querystring: query({}),
        response: { 200: STATUS },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { name } = request.principal;
      const { state, elapsedMs, readRows } = await people.running.status(
        id,
        name,
        seesAll(request),
      );
      return { state, elapsed_ms: Math.round(elapsedMs), read_rows: readRows };
    },
  );
  app.delete<{ Params: { id: string } }>(
    '/api/v1/query/running/:id',
    {
      config: { access: EVERYWHERE },
      schema: {
        summary: 'Cancels a query',
        description: 'Its caller gets 422. It ends within a moment, in the engine too.',
        params: object({ id: ID }),
        querystring: query({}),
        response: { 202: object({ accepted: { const: true } }) },
      },
    },
    async (request, reply) => {
      people.running.cancel(request.params.id, request.principal.name, seesAll(request));
      return reply.code(202).send({ accepted: true });
    },
  );
  app.get<{ Querystring: { language: Language } }>(
    '/api/v1/query/tables',
    {
      config: { access: EVERYWHERE },
      schema: {
        summary: 'Tables and columns that a query may read',
        querystring: query({
          language: { enum: ['en', 'ko'], default: 'en', description: 'Of the comments.' },
        }),
        response: { 200: object({ items: { type: 'array', items: TABLE } }) },
      },
    },
    async ({ query: { language } }, reply) => ({
      items: await openTables(context, language, abortedWith(reply)),
    }),
  );
}

/** The engine reads parameters as its tab-separated format has them. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('\t', '\\t')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
}

/** One row more than is shown tells whether there are more. A statement may limit itself further. */
function oneMore(settings: ReadonlyMap<string, string>, maxRows: number): [string, string] {
  const own = Number(settings.get('limit') ?? 0);
  return ['limit', String(own > 0 ? Math.min(own, maxRows + 1) : maxRows + 1)];
}

function seesAll({ principal }: FastifyRequest): boolean {
  return mayEverywhere(principal, 'admin');
}

const TABLES_SQL = `SELECT table, total_rows AS rows, groupArray((name, type)) AS columns
FROM (
  SELECT table, name, type FROM system.columns
  WHERE database = currentDatabase() AND table IN {tables:Array(String)} ORDER BY table, position
) AS c
LEFT JOIN (
  SELECT name AS table, total_rows FROM system.tables WHERE database = currentDatabase()
) AS t USING table
GROUP BY table, rows ORDER BY table`;

async function openTables(
  { queries }: ApiContext,
  language: Language,
  signal: AbortSignal,
): Promise<unknown[]> {
  const rows = await queries.run<{
    table: string;
    rows: number | null;
    columns: [name: string, type: string][];
  }>(TABLES_SQL, { tables: [...OPEN_TABLES] }, signal);
  return rows.map(({ table, rows: count, columns }) => ({
    table,
    comment: tableWords(table, language),
    rows: count,
    columns: columns.map(([name, type]) => ({ name, type, comment: columnWords(name, language) })),
  }));
}
