/** /api/v1/anomalies: when devices were not as they had been learnt to be; to mark, and how often detectors are right. */

import type { FastifyInstance } from 'fastify';
import { CollectorError } from '../../errors.ts';
import type { AnomalyEntry } from '../../processor/outputs/anomaly.ts';
import type { MarkEntry } from '../../processor/outputs/mark.ts';
import type { AnomalyMark } from '../../types.ts';
import { ANOMALY_MARKS } from '../../types.ts';
import { deciderOf, requireOf, visibleSites } from '../access.ts';
import { ANOMALY, ANOMALY_STATES, anomalyItem, ID } from '../alert_items.ts';
import type { Row } from '../alert_rows.ts';
import { toAnomaly, toMark } from '../alert_rows.ts';
import { recordDeed } from '../audited.ts';
import type { ApiContext } from '../context.ts';
import { checkListQuery, keyedPage, keyedWhere, newestRow } from '../keyed_lists.ts';
import type { ListQuery } from '../lists.ts';
import { LIST_PARAMETERS } from '../lists.ts';
import type { Queries } from '../queries.ts';
import { abortedWith } from '../queries.ts';
import { BY, COUNT, NAME, NOTE, object, page, query } from '../schemas.ts';

const DETECTOR = NAME;

const MARK = {
  type: 'object',
  additionalProperties: false,
  required: ['mark'],
  properties: {
    mark: {
      type: 'string',
      enum: ANOMALY_MARKS,
      description: 'true: it was real; false: a false alarm; maintenance: work on the machine.',
    },
    by: BY,
    note: NOTE,
  },
};

const SUMMARY = object({
  detector: { type: 'string' },
  anomalies: COUNT,
  marked_true: COUNT,
  marked_false: COUNT,
  marked_maintenance: COUNT,
  unmarked: COUNT,
});

const { site, from, to } = LIST_PARAMETERS;

interface Query extends ListQuery {
  state?: AnomalyEntry['state'];
  mark?: AnomalyMark | 'none';
  detector?: string;
}

export function anomalyRoutes(app: FastifyInstance, context: ApiContext): void {
  const { queries } = context;
  app.get<{ Querystring: Query }>(
    '/api/v1/anomalies',
    {
      config: { access: { role: 'viewer' }, tagged: true },
      schema: {
        summary: 'Anomalies: when devices were not as they had been learnt to be',
        description:
          'Those that began last first. from and to are times of their onset. A change is here within a second or two; /api/v1/stream sends each at once.',
        querystring: query({
          ...LIST_PARAMETERS,
          state: { enum: ANOMALY_STATES },
          mark: {
            enum: [...ANOMALY_MARKS, 'none'],
            description: 'What a person said that it was; none: nobody has said it.',
          },
          detector: DETECTOR,
        }),
        response: { 200: page(ANOMALY) },
      },
    },
    async (request, reply) => {
      const asked = { ...request.query, sites: visibleSites(request) };
      const signal = abortedWith(reply);
      const { items, next } = await keyedPage(queries, sourceOf(asked), asked, signal);
      const entries = items.map(toAnomaly);
      const marks = await marksOf(queries, entries, signal);
      return { items: entries.map((entry) => anomalyItem(entry, marks.get(entry.id))), next };
    },
  );
  app.get<{ Querystring: Pick<ListQuery, 'site' | 'from' | 'to'> }>(
    '/api/v1/anomalies/summary',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'How many anomalies each detector found, and what people said of them',
        description: 'By detector: the one that said it loudest. from and to are times of onset.',
        querystring: query({ site, from, to }),
        response: { 200: page(SUMMARY) },
      },
    },
    async (request, reply) => {
      const asked = { ...request.query, sites: visibleSites(request) };
      return { items: await summary(queries, asked, abortedWith(reply)), next: null };
    },
  );
  app.post<{ Params: { id: string }; Body: { mark: AnomalyMark; by: string; note: string } }>(
    '/api/v1/anomalies/:id/mark',
    {
      config: { access: { role: 'operator' } },
      schema: {
        summary: 'Says what an anomaly was',
        description:
          'Answered when the decision is durable; it is shown a moment later. A later mark replaces an earlier one. Marks are kept and counted; they change no score.',
        params: object({ id: ID }),
        querystring: query({}),
        body: MARK,
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
      const { mark, note } = request.body;
      const by = deciderOf(request, request.body.by);
      const { site, gateway, device } = await findAnomaly(context, id, abortedWith(reply));
      requireOf(request, 'operator', site, 'anomaly');
      const detail = { gateway, device, mark, by, note };
      await recordDeed(request, context, { action: 'anomaly.mark', site, target: id, detail });
      const value = { anomaly: id, device, mark, by, note };
      const place = await context.decisions.mark({ site, gateway }, value);
      return reply.code(202).send({
        accepted: true,
        log_partition: place.partition,
        log_offset: place.offset,
      });
    },
  );
}

function sourceOf({ state, mark, detector }: Query): Parameters<typeof keyedPage>[1] {
  const where: string[] = [];
  const params: Record<string, unknown> = {};
  for (const [name, value] of Object.entries({ state, detector })) {
    if (value === undefined) continue;
    where.push(`${name} = {${name}:String}`);
    params[name] = value;
  }
  if (mark === 'none') where.push('id NOT IN (SELECT anomaly FROM anomaly_marks)');
  else if (mark !== undefined) {
    where.push('id IN (SELECT anomaly FROM anomaly_marks FINAL WHERE mark = {mark:String})');
    params.mark = mark;
  }
  return { table: 'anomalies', timeColumn: 'onset_ms', where, params };
}

async function marksOf(
  queries: Queries,
  entries: readonly AnomalyEntry[],
  signal: AbortSignal,
): Promise<Map<string, MarkEntry>> {
  if (entries.length === 0) return new Map();
  const rows = await queries.run<Row>(
    'SELECT * FROM anomaly_marks FINAL WHERE anomaly IN {ids:Array(String)}',
    { ids: entries.map(({ id }) => id) },
    signal,
  );
  return new Map(rows.map(toMark).map((mark) => [mark.anomaly, mark]));
}

async function summary(
  queries: Queries,
  asked: Pick<ListQuery, 'site' | 'sites' | 'from' | 'to'>,
  signal: AbortSignal,
): Promise<object[]> {
  checkListQuery({ ...asked, limit: 0 });
  const { where, params } = keyedWhere('onset_ms', asked);
  const rows = await queries.run<Row>(
    `SELECT detector, count() AS anomalies, countIf(mark = 'true') AS marked_true,
  countIf(mark = 'false') AS marked_false, countIf(mark = 'maintenance') AS marked_maintenance
FROM (SELECT id, detector FROM anomalies FINAL WHERE ${where.join(' AND ')}) AS found
LEFT JOIN (SELECT anomaly, mark FROM anomaly_marks FINAL) AS marks ON found.id = marks.anomaly
GROUP BY detector ORDER BY detector`,
    params,
    signal,
  );
  return rows.map((row) => {
    const anomalies = Number(row.anomalies);
    const marked_true = Number(row.marked_true);
    const marked_false = Number(row.marked_false);
    const marked_maintenance = Number(row.marked_maintenance);
    const unmarked = anomalies - marked_true - marked_false - marked_maintenance;
    const detector = String(row.detector);
    return { detector, anomalies, marked_true, marked_false, marked_maintenance, unmarked };
  });
}

/** Rejects with API_NOT_FOUND: never there, or gone with the retention. */
async function findAnomaly(
  { alerts, queries }: ApiContext,
  id: string,
  signal: AbortSignal,
): Promise<AnomalyEntry> {
  const live = alerts.anomaly(id);
  if (live !== undefined) return live;
  const row = await newestRow(queries, 'anomalies', id, signal);
  if (row === undefined) throw new CollectorError('API_NOT_FOUND', 'no such anomaly');
  return toAnomaly(row);
}
