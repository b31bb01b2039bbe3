/** /api/v1/statistics: what the statistics jobs made, of channels and of devices. */

import type { FastifyInstance } from 'fastify';
import { siteCondition, visibleSites } from '../access.ts';
import type { ApiContext } from '../context.ts';
import { decodeCursor, toPage } from '../cursor.ts';
import { abortedWith } from '../queries.ts';
import {
  COUNT,
  CURSOR,
  LIST_LIMIT_MAX,
  limitSchema,
  NAME,
  nullable,
  object,
  page,
  query,
  TIME_MS,
} from '../schemas.ts';

const PERIOD = { enum: ['day', 'week', 'month'], default: 'day' } as const;
const NUMBER = nullable({ type: 'number' });
const MS = { ...COUNT, description: 'Milliseconds.' } as const;

const OF_PERIOD = {
  site: NAME,
  device: NAME,
  period: { enum: PERIOD.enum },
  label: { type: 'string', description: '2026-11-22, 2026-W47 or 2026-11: dates of the site.' },
  start_ms: TIME_MS,
  end_ms: TIME_MS,
  revised: { type: 'boolean', description: 'Late data changed it after it was first made.' },
};

const CHANNEL_LINE = object({
  ...OF_PERIOD,
  channel: NAME,
  count: { ...COUNT, description: 'Values in the statistics; filled and bad ones are not.' },
  filled: COUNT,
  bad: COUNT,
  mean: NUMBER,
  min: NUMBER,
  max: NUMBER,
  deviation: { ...NUMBER, description: 'Standard deviation of the sample.' },
});

const DEVICE_LINE = object({
  ...OF_PERIOD,
  observed_ms: { ...MS, description: 'The period, from the first reading of the device on.' },
  delivered_ms: { ...MS, description: 'Time in which readings came.' },
  failing_ms: { ...MS, description: 'Time in which the device reported a failure.' },
  failures: { ...COUNT, description: 'Failures that began in the period.' },
  availability: { ...NUMBER, description: '(delivered - failing) / observed, 0 to 1.' },
  time_between_failures_ms: {
    ...NUMBER,
    description: '(delivered - failing) / failures; null without a failure.',
  },
});

interface Query {
  site?: string;
  device?: string;
  channel?: string;
  period: 'day' | 'week' | 'month';
  from?: number;
  to?: number;
  limit: number;
  cursor?: string;
}

const FILTERS = {
  site: NAME,
  device: NAME,
  period: PERIOD,
  from: { ...TIME_MS, description: 'Only periods that end after this.' },
  to: { ...TIME_MS, description: 'Only periods that begin before this.' },
  limit: limitSchema(100, LIST_LIMIT_MAX),
  cursor: CURSOR,
};

interface Row extends Record<string, unknown> {
  site: string;
  device: string;
  channel: string;
  start_ms: number;
}

/** The time of the first making tells nothing: a revision is in `job_outputs`. */
const REVISED = `(site, start_ms, end_ms) IN (SELECT site, start_ms, end_ms FROM job_outputs FINAL WHERE job = {job:String} AND revision > 0) AS revised`;
const JOBS = { day: 'statistics-daily', week: 'statistics-weekly', month: 'statistics-monthly' };

export function statisticsRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/statistics/channels',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'Count, mean, extremes and deviation of channels by site day, week or month',
        querystring: query({ ...FILTERS, channel: NAME }),
        response: { 200: page(CHANNEL_LINE) },
      },
    },
    (request, reply) =>
      list(context, request.query, visibleSites(request), abortedWith(reply), {
        table: 'statistics',
        key: 'channel',
        columns: 'count, filled, bad, mean, min, max, deviation',
      }),
  );

  app.get<{ Querystring: Query }>(
    '/api/v1/statistics/devices',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'Availability, failures and the time between them by site day, week or month',
        querystring: query(FILTERS),
        response: { 200: page(DEVICE_LINE) },
      },
    },
    async (request, reply) => {
      const what = {
        table: 'device_statistics',
        key: "''",
        columns: 'observed_ms, delivered_ms, failing_ms, failures',
      };
      const visible = visibleSites(request);
      const { items, next } = await list(context, request.query, visible, abortedWith(reply), what);
      return { items: items.map(withShares), next };
    },
  );
}

async function list(
  context: ApiContext,
  { limit, cursor, period, ...filters }: Query,
  visible: ReadonlySet<string> | undefined,
  signal: AbortSignal,
  what: { table: string; key: string; columns: string },
): Promise<{ items: Record<string, unknown>[]; next: string | null }> {
  const where = ['period = {period:String}'];
  const params: Record<string, unknown> = { period, job: JOBS[period], limit: limit + 1 };
  for (const name of ['site', 'device', 'channel'] as const) {
    if (filters[name] === undefined) continue;
    where.push(`${name} = {${name}:String}`);
    params[name] = filters[name];
  }
  const may = siteCondition(visible);
  if (may !== undefined) where.push(may.where);
  Object.assign(params, may?.params);
  if (filters.from !== undefined) where.push('end_ms > {from:Int64}');
  if (filters.to !== undefined) where.push('start_ms < {to:Int64}');
  Object.assign(params, { from: filters.from ?? 0, to: filters.to ?? 0 });
  if (cursor !== undefined) {
    const [startMs, site, device, channel] = decodeCursor(cursor, [0, '', '', ''] as const);
    where.push(
      `(start_ms, site, device, ${what.key}) > ({c_start:Int64}, {c_site:String}, {c_device:String}, {c_channel:String})`,
    );
    Object.assign(params, { c_start: startMs, c_site: site, c_device: device, c_channel: channel });
  }
  const rows = await context.queries.run<Row>(
    `SELECT site, device, ${what.key} AS channel, period, label, start_ms, end_ms, ${what.columns}, ${REVISED}
FROM ${what.table} FINAL WHERE ${where.join(' AND ')}
ORDER BY start_ms, site, device, channel LIMIT {limit:UInt32}`,
    params,
    signal,
  );
  const { items, next } = toPage(rows, limit, (row) => [
    Number(row.start_ms),
    row.site,
    row.device,
    row.channel,
  ]);
  return { items: items.map((row) => plain(row, what.key === 'channel')), next };
}

function plain({ channel, ...row }: Row, withChannel: boolean): Record<string, unknown> {
  const line: Record<string, unknown> = { ...row, revised: Number(row.revised) === 1 };
  // What is not finite (a mean that overflowed) comes as text.
  for (const name of ['mean', 'min', 'max', 'deviation']) {
    if (typeof line[name] === 'string') line[name] = null;
  }
  return withChannel ? { ...line, channel } : line;
}

function withShares(row: Record<string, unknown>): Record<string, unknown> {
  const observed = Number(row.observed_ms);
  const well = Number(row.delivered_ms) - Number(row.failing_ms);
  const failures = Number(row.failures);
  return {
    ...row,
    availability: observed > 0 ? well / observed : null,
    time_between_failures_ms: failures > 0 ? well / failures : null,
  };
}
