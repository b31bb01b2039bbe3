/** /api/v1/quarantine/summary: how much is in quarantine, by reason, device or day of the site. */

import type { FastifyInstance } from 'fastify';
import { CollectorError } from '../../errors.ts';
import type { SiteCalendar } from '../../site_time.ts';
import { periodAt, UTC_CALENDAR } from '../../site_time.ts';
import { visibleSites } from '../access.ts';
import type { ApiContext } from '../context.ts';
import { RELEASABLE_SQL } from '../quarantine.ts';
import { abortedWith } from '../queries.ts';
import { COUNT, NAME, nullable, object, page, query, TIME_MS } from '../schemas.ts';

/** Groups in one answer: those with the most entries; of days the newest. */
const GROUPS_MAX = 200;
/** Days of sites begin at quarters of an hour of UTC, wherever they are. */
const QUARTER_MS = 900_000;
/** Quarters of an hour with entries that are looked at, newest first. */
const QUARTERS_MAX = 50_000;

const GROUP_COLUMNS = {
  reason: ['reason'],
  device: ['site', 'device'],
  day: ['site', 'quarter'],
} as const;

const SUMMARY = object({
  site: { type: 'string', description: 'Empty by reason.' },
  device: {
    type: 'string',
    description: 'Empty unless by device; also of entries that are of no single device.',
  },
  reason: { type: 'string', description: 'Empty unless by reason.' },
  day: { type: 'string', description: 'Date of the day of the site, empty unless by day.' },
  from_ms: nullable({ ...TIME_MS, description: 'Begin of the day. Null unless by day.' }),
  to_ms: nullable({ ...TIME_MS, description: 'Its end, exclusive.' }),
  entries: COUNT,
  readings: { ...COUNT, description: 'That the entries stand for.' },
  releasable: { ...COUNT, description: 'Entries that can be released.' },
});

interface Query {
  by: keyof typeof GROUP_COLUMNS;
  site?: string;
  gateway?: string;
  device?: string;
  reason?: string;
  from?: number;
  to?: number;
}

interface Group {
  site: string;
  device: string;
  reason: string;
  day: string;
  from_ms: number | null;
  to_ms: number | null;
  entries: number;
  readings: number;
  releasable: number;
}

type Row = Record<string, unknown>;

export function quarantineSummaryRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/quarantine/summary',
    {
      schema: {
        summary: 'How much is in quarantine, by reason, device or day',
        description: `Those with the most entries first, at most ${GROUPS_MAX}; days, which are those of the site, newest first. from and to are times of receipt.`,
        querystring: query({
          by: { enum: Object.keys(GROUP_COLUMNS), default: 'reason' },
          site: NAME,
          gateway: NAME,
          device: NAME,
          reason: { type: 'string', minLength: 1, maxLength: 64 },
          from: TIME_MS,
          to: TIME_MS,
        }),
        response: { 200: page(SUMMARY) },
      },
    },
    async (request, reply) => {
      const { by } = request.query;
      const { where, params } = whereOf(request.query, visibleSites(request));
      const columns = GROUP_COLUMNS[by].join(', ');
      const isDay = by === 'day';
      const rows = await context.queries.run<Row>(
        `SELECT ${columns}, count() AS entries, sum(count) AS readings, countIf(${RELEASABLE_SQL}) AS releasable
FROM (SELECT *, intDiv(received_ms, ${QUARTER_MS}) AS quarter FROM quarantine WHERE ${where.join(' AND ')})
GROUP BY ${columns}
ORDER BY ${isDay ? 'quarter' : 'entries'} DESC, ${columns}
LIMIT ${isDay ? QUARTERS_MAX : GROUPS_MAX}`,
        params,
        abortedWith(reply),
      );
      const items = isDay ? daysOf(rows, context.sites) : rows.map(groupOf);
      return { items, next: null };
    },
  );
}

function groupOf(row: Row): Group {
  return {
    site: String(row.site ?? ''),
    device: String(row.device ?? ''),
    reason: String(row.reason ?? ''),
    day: '',
    from_ms: null,
    to_ms: null,
    entries: Number(row.entries),
    readings: Number(row.readings),
    releasable: Number(row.releasable),
  };
}

/** Quarters of an hour, newest first, into days of their sites. */
function daysOf(rows: readonly Row[], sites: ReadonlyMap<string, SiteCalendar>): Group[] {
  const days = new Map<string, Group>();
  for (const row of rows) {
    const quarter = groupOf(row);
    const calendar = sites.get(quarter.site) ?? UTC_CALENDAR;
    const { label, startMs, endMs } = periodAt('day', calendar, Number(row.quarter) * QUARTER_MS);
    const key = `${quarter.site}/${label}`;
    const day = days.get(key);
    if (day === undefined)
      days.set(key, { ...quarter, day: label, from_ms: startMs, to_ms: endMs });
    else {
      day.entries += quarter.entries;
      day.readings += quarter.readings;
      day.releasable += quarter.releasable;
    }
  }
  return [...days.values()].slice(0, GROUPS_MAX);
}

/** Throws API_PARAMETER_INVALID. */
function whereOf(
  { from, to, ...names }: Query,
  visible: ReadonlySet<string> | undefined,
): { where: string[]; params: Record<string, unknown> } {
  if (from !== undefined && to !== undefined && from >= to)
    throw new CollectorError('API_PARAMETER_INVALID', 'from must be before to');
  const where = ['1'];
  const params: Record<string, unknown> = {};
  const add = (condition: string, name: string, value: unknown): void => {
    if (value === undefined) return;
    where.push(condition);
    params[name] = value;
  };
  for (const name of ['site', 'gateway', 'device', 'reason'] as const)
    add(`${name} = {${name}:String}`, name, names[name]);
  add('received_ms >= {from:Int64}', 'from', from);
  add('received_ms < {to:Int64}', 'to', to);
  add('site IN {visible:Array(String)}', 'visible', visible && [...visible]);
  return { where, params };
}
