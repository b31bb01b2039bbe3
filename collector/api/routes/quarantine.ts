/** /api/v1/quarantine: what must not enter the readings; to look at, and to release. */

import type { FastifyInstance } from 'fastify';
import { CollectorError } from '../../errors.ts';
import { deciderOf, requireOf, visibleSites } from '../access.ts';
import { recordDeed } from '../audited.ts';
import type { ApiContext } from '../context.ts';
import { DECODED, decodedHead } from '../decoded_head.ts';
import type { ListQuery } from '../lists.ts';
import { LIST_PARAMETERS, listPage } from '../lists.ts';
import {
  findEntry,
  QUARANTINE_COLUMNS,
  RELEASABLE_SQL,
  RELEASED_SQL,
  readingOf,
  toItems,
} from '../quarantine.ts';
import { abortedWith } from '../queries.ts';
import type { JsonSchema } from '../schemas.ts';
import {
  BY,
  COUNT,
  NOTE,
  nullable,
  object,
  page,
  QUALITY,
  query,
  TIME_MS,
  VALUE,
} from '../schemas.ts';

const ID = { type: 'string', minLength: 1, maxLength: 200 } as const;

const READING = nullable(
  object(
    {
      device: { type: 'string' },
      channel: { type: 'string' },
      time_ms: TIME_MS,
      value: { ...VALUE, description: 'As it came; nan, inf and -inf where it was not finite.' },
      kind: { enum: ['number', 'boolean', 'text'] },
      quality: QUALITY,
    },
    'The whole reading, when a rule sent it here. Null: what was received is no reading.',
  ),
);

const FIELDS: Record<string, JsonSchema> = {
  id: { ...ID, description: 'Of this entry.' },
  site: { type: 'string' },
  gateway: { type: 'string' },
  device: { type: 'string', description: 'Empty when it is a whole payload or chunk.' },
  reason: { type: 'string' },
  detail: {
    type: 'string',
    description: 'For people; of the reason rule it begins with the code of the finding.',
  },
  time_ms: TIME_MS,
  received_ms: TIME_MS,
  epoch: { type: 'string' },
  seq: { ...COUNT, description: '0: the whole payload could not be read.' },
  count: { ...COUNT, description: 'Readings that this entry stands for.' },
  head_base64: { type: 'string', description: 'The first bytes of what was received.' },
  reading: READING,
  releasable: { type: 'boolean', description: 'It holds a reading, and was not released yet.' },
  released_ms: nullable({ ...TIME_MS, description: 'When it moved to the readings.' }),
  released_by: nullable({ type: 'string' }),
  log_partition: { ...COUNT, description: 'Where the record stands in the log that made it.' },
  log_offset: COUNT,
};

const INSPECTED = object({
  ...FIELDS,
  head_text: {
    type: 'string',
    description: 'The head as UTF-8; what cannot be printed is shown as �.',
  },
  decoded: nullable(DECODED),
});

const RELEASE = {
  type: 'object',
  additionalProperties: false,
  properties: {
    by: BY,
    note: { ...NOTE, description: 'Kept in the audit log.' },
  },
};

interface Query extends ListQuery {
  reason?: string;
  releasable?: boolean;
  released?: boolean;
}

export function quarantineRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/quarantine',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'What must not enter the readings',
        description: 'Newest first. from and to are times of receipt.',
        querystring: query({
          ...LIST_PARAMETERS,
          reason: { type: 'string', minLength: 1, maxLength: 64 },
          releasable: {
            type: 'boolean',
            description: 'Only entries that can be released, or not.',
          },
          released: { type: 'boolean', description: 'Only entries that were released, or not.' },
        }),
        response: { 200: page(object(FIELDS)) },
      },
    },
    async (request, reply) => {
      const asked = { ...request.query, sites: visibleSites(request) };
      const { queries } = context;
      const signal = abortedWith(reply);
      const where: string[] = [];
      const params: Record<string, unknown> = {};
      if (asked.reason !== undefined) {
        where.push('reason = {reason:String}');
        params.reason = asked.reason;
      }
      if (asked.releasable !== undefined)
        where.push(asked.releasable ? RELEASABLE_SQL : `NOT ${RELEASABLE_SQL}`);
      if (asked.released !== undefined)
        where.push(asked.released ? RELEASED_SQL : `NOT ${RELEASED_SQL}`);
      const source = {
        table: 'quarantine',
        columns: QUARANTINE_COLUMNS,
        timeColumn: 'received_ms',
        where,
        params,
      } as const;
      const { items, next } = await listPage(queries, source, asked, signal);
      return { items: await toItems(queries, items, signal), next };
    },
  );
  app.get<{ Params: { id: string } }>(
    '/api/v1/quarantine/:id',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'One entry of the quarantine',
        params: object({ id: ID }),
        querystring: query({}),
        response: { 200: INSPECTED },
      },
    },
    async (request, reply) => {
      const signal = abortedWith(reply);
      const row = await findEntry(context.queries, request.params.id, signal);
      requireOf(request, 'viewer', String(row.site), 'entry');
      const [item] = await toItems(context.queries, [row], signal);
      const head = Buffer.from(String(row.head_base64), 'base64');
      return { ...item, head_text: printable(head), decoded: decodedHead(head) ?? null };
    },
  );
  app.post<{ Params: { id: string }; Body: { by: string; note: string } }>(
    '/api/v1/quarantine/:id/release',
    {
      config: { access: { role: 'operator' } },
      schema: {
        summary: 'Moves a reading from quarantine to the readings, as it came',
        description:
          'Answered when the decision is durable; it takes effect a moment later: released_ms of the entry and an event tell (released, or release_refused when it was released before).',
        params: object({ id: ID }),
        querystring: query({}),
        body: RELEASE,
        response: {
          202: object({
            accepted: { const: true },
            log_partition: COUNT,
            log_offset: { ...COUNT, description: 'Where the decision stands in the log.' },
          }),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const by = deciderOf(request, request.body.by);
      const signal = abortedWith(reply);
      const row = await findEntry(context.queries, id, signal);
      requireOf(request, 'operator', String(row.site), 'entry');
      const reading = readingOf(row.reading);
      const [item] = await toItems(context.queries, [row], signal);
      if (reading === undefined || item === undefined)
        throw new CollectorError('API_RELEASE_REFUSED', 'the entry holds no whole reading');
      if (!item.releasable)
        throw new CollectorError('API_RELEASE_REFUSED', 'the entry was released before');
      const { site, gateway, epoch, seq } = item;
      const detail = { gateway, device: item.device, epoch, seq, by, note: request.body.note };
      await recordDeed(request, context, {
        action: 'quarantine.release',
        site,
        target: id,
        detail,
      });
      const place = await context.decisions.release({ site, gateway }, { epoch, seq, reading, by });
      return reply.code(202).send({
        accepted: true,
        log_partition: place.partition,
        log_offset: place.offset,
      });
    },
  );
}

function printable(head: Buffer): string {
  return head.toString('utf8').replaceAll(/[^\P{C}\n\t]/gu, '�');
}
