/** /api/v1/alerts: what is wrong now, and what was; to acknowledge. */

import type { FastifyInstance } from 'fastify';
import { CollectorError } from '../../errors.ts';
import type { AlertEntry } from '../../processor/outputs/alert.ts';
import { deciderOf, isAmong, maySee, requireOf, visibleSites } from '../access.ts';
import { ALERT, ALERT_STATES, alertItem, ID, SEVERITY } from '../alert_items.ts';
import { toAlert } from '../alert_rows.ts';
import { recordDeed } from '../audited.ts';
import type { ApiContext } from '../context.ts';
import type { PageKey } from '../keyed_lists.ts';
import { checkListQuery, cutPage, keyedPage, newestRow } from '../keyed_lists.ts';
import type { ListQuery } from '../lists.ts';
import { LIST_PARAMETERS } from '../lists.ts';
import { newestFirst } from '../live/alerts.ts';
import { abortedWith } from '../queries.ts';
import { BY, COUNT, NAME, NOTE, object, page, query } from '../schemas.ts';

const ACKNOWLEDGE = {
  type: 'object',
  additionalProperties: false,
  properties: { by: BY, note: NOTE },
};

const DECIDED = object({
  accepted: { const: true },
  log_partition: COUNT,
  log_offset: { ...COUNT, description: 'Where the decision stands in the log.' },
});

const FILTERS = ['state', 'severity', 'rule', 'line'] as const;

interface Query extends ListQuery {
  active?: boolean;
  state?: AlertEntry['state'];
  severity?: AlertEntry['severity'];
  rule?: string;
  line?: string;
}

export function alertRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/alerts',
    {
      config: { access: { role: 'viewer' }, tagged: true },
      schema: {
        summary: 'Alerts, with their history',
        description:
          'Those that began last first. from and to are times at which they began. A change is here within a second or two; with active=true at once. /api/v1/stream sends each change.',
        querystring: query({
          ...LIST_PARAMETERS,
          active: {
            type: 'boolean',
            description: 'Only those that are not resolved, or that are.',
          },
          state: { enum: ALERT_STATES },
          severity: SEVERITY,
          rule: NAME,
          line: NAME,
        }),
        response: { 200: page(ALERT) },
      },
    },
    async (request, reply) => {
      const asked = { ...request.query, sites: visibleSites(request) };
      const { alerts, queries } = context;
      const isLive = asked.active === true && alerts.filled && alerts.complete;
      if (isLive) return openPage(alerts.open(), asked);
      const source = sourceOf(asked, context.live()?.log.identity ?? '');
      const { items, next } = await keyedPage(queries, source, asked, abortedWith(reply));
      return { items: items.map((row) => alertItem(toAlert(row))), next };
    },
  );
  app.get<{ Params: { id: string } }>(
    '/api/v1/alerts/:id',
    {
      schema: {
        summary: 'One alert, as it is now',
        params: object({ id: ID }),
        querystring: query({}),
        response: { 200: ALERT },
      },
    },
    async (request, reply) => {
      const alert = await findAlert(context, request.params.id, abortedWith(reply));
      if (!maySee(request, alert.site)) throw new CollectorError('API_NOT_FOUND', 'no such alert');
      return alertItem(alert);
    },
  );
  app.post<{ Params: { id: string }; Body: { by: string; note: string } }>(
    '/api/v1/alerts/:id/acknowledge',
    {
      config: { access: { role: 'operator' } },
      schema: {
        summary: 'Says that a person has seen an alert and cares for it',
        description:
          'Answered when the decision is durable; it takes effect a moment later: state of the alert and an event tell (alert_acknowledged, or decision_refused when the alert was over by then).',
        params: object({ id: ID }),
        querystring: query({}),
        body: ACKNOWLEDGE,
        response: { 202: DECIDED },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { note } = request.body;
      const by = deciderOf(request, request.body.by);
      const { site, gateway, state, rule, device } = await findAlert(
        context,
        id,
        abortedWith(reply),
      );
      requireOf(request, 'operator', site, 'alert');
      if (state === 'resolved' || state === 'pending')
        throw new CollectorError('API_ACKNOWLEDGE_REFUSED', `the alert is ${state}`);
      const detail = { gateway, device, rule, by, note };
      await recordDeed(request, context, { action: 'alert.acknowledge', site, target: id, detail });
      const place = await context.decisions.acknowledge({ site, gateway }, { alert: id, by, note });
      return reply.code(202).send({
        accepted: true,
        log_partition: place.partition,
        log_offset: place.offset,
      });
    },
  );
}

function sourceOf(asked: Query, logId: string): Parameters<typeof keyedPage>[1] {
  const where: string[] = [];
  const params: Record<string, unknown> = {};
  if (asked.active !== undefined) {
    // As in memory: what is open of a log that was replaced is over.
    const isOpen = "(state != 'resolved' AND ({log_id:String} = '' OR log_id = {log_id:String}))";
    where.push(asked.active ? isOpen : `NOT ${isOpen}`);
    params.log_id = logId;
  }
  for (const name of FILTERS) {
    if (asked[name] === undefined) continue;
    where.push(`${name} = {${name}:String}`);
    params[name] = asked[name];
  }
  return { table: 'alerts', timeColumn: 'started_ms', where, params };
}

/** From memory, as the store would answer. */
function openPage(
  open: readonly AlertEntry[],
  asked: Query,
): { items: object[]; next: string | null } {
  const key = checkListQuery(asked);
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = asked;
  const matching = open.filter(
    (entry) =>
      entry.startedMs >= from &&
      entry.startedMs < to &&
      (key === undefined || isAfter(entry, key)) &&
      isAmong(asked.sites, entry.site) &&
      [...FILTERS, 'site' as const, 'gateway' as const, 'device' as const].every(
        (name) => asked[name] === undefined || entry[name] === asked[name],
      ),
  );
  const { items, next } = cutPage(matching, asked.limit, ({ startedMs, site, id }) => [
    startedMs,
    site,
    id,
  ]);
  return { items: items.map(alertItem), next };
}

function isAfter(entry: AlertEntry, [startedMs, site, id]: PageKey): boolean {
  return newestFirst(entry, { startedMs, site, id }) > 0;
}

/** Rejects with API_NOT_FOUND: never there, or gone with the retention. */
async function findAlert(
  { alerts, queries }: ApiContext,
  id: string,
  signal: AbortSignal,
): Promise<AlertEntry> {
  const live = alerts.alert(id);
  if (live !== undefined) return live;
  const row = await newestRow(queries, 'alerts', id, signal);
  if (row === undefined) throw new CollectorError('API_NOT_FOUND', 'no such alert');
  return toAlert(row);
}
