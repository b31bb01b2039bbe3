/** /api/v1/audit: who did what; as a list, as a file, and whether anybody changed it. */

import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { CollectorError } from '../../errors.ts';
import { decodeAudit, NO_AUDIT } from '../../processor/outputs/audit.ts';
import { OutputKind } from '../../types.ts';
import type { RouteAccess } from '../access.ts';
import type { AuditFormat } from '../audit/files.ts';
import { AUDIT_FORMATS, fileText } from '../audit/files.ts';
import type { AuditFilter, Row } from '../audit/rows.ts';
import {
  AUDIT_ENTRY,
  auditItem,
  auditWhere,
  FILTER_PARAMETERS,
  HASH,
  toAudit,
} from '../audit/rows.ts';
import type { Verdict, VerifyPlace } from '../audit/verify.ts';
import { verifyAudit } from '../audit/verify.ts';
import { FAULTS } from '../audit/walk.ts';
import type { ApiContext } from '../context.ts';
import { decodeCursor, encodeCursor, toPage } from '../cursor.ts';
import { abortedWith } from '../queries.ts';
import {
  COUNT,
  CURSOR,
  LIST_LIMIT_MAX,
  limitSchema,
  nullable,
  object,
  page,
  query,
  TIME_MS,
} from '../schemas.ts';

const ADMIN: RouteAccess = { role: 'admin', everywhere: true };
/** Under way; beyond it API_BUSY. */
const FILES_MAX = 2;
/** Rows this close to their end may have left the store already. */
const RETENTION_MARGIN_MS = 86_400_000;
const TYPES: Record<AuditFormat, string> = {
  csv: 'text/csv; charset=utf-8',
  jsonl: 'application/x-ndjson; charset=utf-8',
};

const VERDICT = object({
  ok: {
    type: ['boolean', 'null'],
    description: 'Null while it is not complete: ask again with the cursor `next`.',
  },
  complete: { type: 'boolean' },
  next: nullable({ type: 'string' }),
  entries: { ...COUNT, description: 'Found right so far.' },
  first_number: { ...COUNT, description: 'The oldest that is there; 0: there is none.' },
  head_number: { ...COUNT, description: 'The last one that was found right.' },
  head_hash: HASH,
  broken_at: { ...nullable(COUNT), description: 'Number of the first entry that is wrong.' },
  reason: {
    enum: [...FAULTS, null],
    description:
      'changed: it is not what was hashed. missing. inserted: its number is there twice, or the log never made it. cut: it and all after it are not there. rewritten: the chain is whole, and is not the one that the log made.',
  },
  compared: {
    type: 'boolean',
    description:
      'The end was compared with the newest entry that the log made; else that is not known.',
  },
  not_yet_stored: { ...COUNT, description: 'Entries on their way into the store.' },
});

const HEAD = object({
  number: { ...COUNT, description: '0: no entry is known.' },
  hash: HASH,
  logged_ms: TIME_MS,
});

interface ListAsked extends AuditFilter {
  limit: number;
  cursor?: string;
}

interface FileAsked extends AuditFilter {
  format: AuditFormat;
}

interface VerifyAsked {
  after?: number;
  cursor?: string;
}

export function auditRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: ListAsked }>(
    '/api/v1/audit',
    {
      config: { access: ADMIN },
      schema: {
        summary: 'Who did what: the audit log',
        description:
          'Newest first, from the store: an entry is there a moment after it is durable. For administrators of every site.',
        querystring: query({
          ...FILTER_PARAMETERS,
          limit: limitSchema(100, LIST_LIMIT_MAX),
          cursor: CURSOR,
        }),
        response: { 200: page(AUDIT_ENTRY) },
      },
    },
    ({ query: asked }, reply) => listed(context, asked, abortedWith(reply)),
  );
  let files = 0;
  app.get<{ Querystring: FileAsked }>(
    '/api/v1/audit/export',
    {
      config: { access: { ...ADMIN, audit: 'audit.export' } },
      schema: {
        summary: 'The audit log as a file',
        description:
          'Oldest first. CSV is for people: texts that a spreadsheet would take for a formula begin with an apostrophe. JSON lines have every entry as it was hashed. A file that ends in an error is cut off, and the connection with it.',
        querystring: query({ ...FILTER_PARAMETERS, format: { enum: [...AUDIT_FORMATS] } }, [
          'format',
        ]),
        response: { 200: { type: 'string' } },
      },
    },
    async ({ query: { format, ...filter } }, reply) => {
      const { where, params } = auditWhere(filter);
      if (files >= FILES_MAX) throw new CollectorError('API_BUSY', `${files} files are being made`);
      files++;
      const { queries } = context;
      const source = { queries, where, params, format, signal: abortedWith(reply) };
      const stream = Readable.from(fileText(source), { highWaterMark: 1 });
      stream.once('close', () => files--);
      return reply
        .type(TYPES[format])
        .header('content-disposition', `attachment; filename="audit.${format}"`)
        .send(stream);
    },
  );
  app.get(
    '/api/v1/audit/head',
    {
      config: { access: ADMIN },
      schema: {
        summary: 'The newest entry of the audit log, to be kept elsewhere',
        description:
          'As the log made it, which may be before it is in the store. With number and hash kept out of reach, nobody can make the chain anew up to there without being found.',
        querystring: query({}),
        response: { 200: HEAD },
      },
    },
    async () => {
      const { number, hash, loggedMs } = context.auditHead() ?? NO_AUDIT;
      return { number, hash, logged_ms: loggedMs };
    },
  );
  let isVerifying = false;
  app.get<{ Querystring: VerifyAsked }>(
    '/api/v1/audit/verify',
    {
      config: { access: ADMIN },
      schema: {
        summary: 'Whether the audit log in the store is the one that was made',
        description:
          'Walks the chain of hashes from the oldest entry that is kept, and says the first one that is wrong. Answers within some 30 seconds; of a very long log only a part, and `next` goes on. One at a time.',
        querystring: query({
          after: { ...COUNT, minimum: 1, description: 'Trusts this entry, and begins behind it.' },
          cursor: CURSOR,
        }),
        response: { 200: VERDICT },
      },
    },
    async ({ query: asked }, reply) => {
      if (isVerifying) throw new CollectorError('API_BUSY', 'the audit log is being verified');
      isVerifying = true;
      try {
        return verdictItem(await verified(context, asked, reply));
      } finally {
        isVerifying = false;
      }
    },
  );
}

async function listed(
  { queries }: ApiContext,
  asked: ListAsked,
  signal: AbortSignal,
): Promise<object> {
  const { where, params } = auditWhere(asked);
  if (asked.cursor !== undefined) {
    const [number, hash] = decodeCursor(asked.cursor, [0, ''] as const);
    where.push('number <= {number:UInt64} AND (number, hash) < ({number:UInt64}, {hash:String})');
    Object.assign(params, { number, hash });
  }
  const rows = await queries.run<Row>(
    `SELECT * FROM audit WHERE ${where.join(' AND ')}
ORDER BY number DESC, hash DESC LIMIT {limit:UInt32}`,
    { ...params, limit: asked.limit + 1 },
    signal,
  );
  const { items, next } = toPage(rows.map(toAudit), asked.limit, ({ number, hash }) => [
    number,
    hash,
  ]);
  return { items: items.map(auditItem), next };
}

async function verified(
  context: ApiContext,
  { after, cursor }: VerifyAsked,
  reply: FastifyReply,
): Promise<Verdict> {
  const { queries, clock, auditHead } = context;
  const signal = abortedWith(reply);
  const stored = context.audit();
  if (stored === undefined) throw new CollectorError('API_NOT_READY', 'the store is not open yet');
  return verifyAudit({
    queries,
    known: auditHead,
    written: () =>
      stored.writers().find(({ topic, partition }) => topic === 'events' && partition === 0)
        ?.position,
    isInLog: (row) => isInLog(context, row),
    keptMs: clock.wallMs() - stored.store.retentionMs.audit + RETENTION_MARGIN_MS,
    from: cursor === undefined ? await placeAfter(context, after, signal) : placeOf(cursor),
    signal,
  });
}

/** Rejects as Log.read does, but for what was trimmed. */
async function isInLog({ live }: ApiContext, row: Row): Promise<boolean> {
  const log = live()?.log;
  if (log === undefined || row.log_id !== log.identity || row.log_partition !== 0) return false;
  const offset = Number(row.log_offset);
  try {
    const [record] = await log.read('events', 0, offset, { maxRecords: 1, maxBytes: 1 });
    if (record?.offset !== offset || record.kind !== OutputKind.AUDIT) return false;
    return decodeAudit(record.value).hash === row.hash;
  } catch (error) {
    if (error instanceof CollectorError && error.code === 'LOG_POSITION_OUTSIDE') return false;
    throw error;
  }
}

/** Rejects with API_NOT_FOUND. */
async function placeAfter(
  { queries }: ApiContext,
  number: number | undefined,
  signal: AbortSignal,
): Promise<VerifyPlace | undefined> {
  if (number === undefined) return undefined;
  const [row] = await queries.run<Row>(
    'SELECT * FROM audit WHERE number = {number:UInt64} LIMIT 1',
    { number },
    signal,
  );
  if (row === undefined) throw new CollectorError('API_NOT_FOUND', `no audit entry ${number}`);
  const { hash, loggedMs } = toAudit(row);
  return { number, hash, loggedMs, entries: 0, first: number };
}

/** Throws API_PARAMETER_INVALID. */
function placeOf(cursor: string): VerifyPlace {
  const [number, hash, loggedMs, entries, first] = decodeCursor(cursor, [0, '', 0, 0, 0] as const);
  return { number, hash, loggedMs, entries, first };
}

function verdictItem(verdict: Verdict): object {
  const { head, next } = verdict;
  return {
    ok: verdict.ok,
    complete: verdict.complete,
    next:
      next === undefined
        ? null
        : encodeCursor([next.number, next.hash, next.loggedMs, next.entries, next.first]),
    entries: verdict.entries,
    first_number: verdict.first,
    head_number: head.number,
    head_hash: head.hash,
    broken_at: verdict.brokenAt,
    reason: verdict.reason,
    compared: verdict.isCompared,
    not_yet_stored: verdict.notYetStored,
  };
}
