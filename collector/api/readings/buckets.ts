/**
 * Readings in buckets. Whole minutes come of roll-ups, and of the readings themselves where roll-ups may
 * not have followed yet; other lengths of the readings; days of the site's roll-ups.
 */

import { Treatment } from '../../findings.ts';
import { decodeCursor, toPage } from '../cursor.ts';
import type { Queries } from '../queries.ts';
import { COUNT, NAME, nullable, object, TIME_MS } from '../schemas.ts';
import type { ReadingsRequest } from './request.ts';
import { HOUR_MS, MINUTE_MS } from './request.ts';
import type { Select } from './sql.ts';
import { COUNTS, IS_TEXT, meanSql, numberOrNull, ofSeries, within } from './sql.ts';

const NUMBER = nullable({ type: 'number' });

export const BUCKET_ITEM = object({
  channel: NAME,
  time_ms: { ...TIME_MS, description: 'Start of the bucket.' },
  end_ms: { ...TIME_MS, description: 'Its end, exclusive.' },
  min: NUMBER,
  max: NUMBER,
  avg: NUMBER,
  first: NUMBER,
  last: NUMBER,
  count: { ...COUNT, description: 'Readings that min, max, avg, first and last are of.' },
  filled: { ...COUNT, description: 'Values that were made up: in none of those.' },
  bad: { ...COUNT, description: 'Readings without a number, or of bad quality.' },
  texts: { ...COUNT, description: 'Readings with a text.' },
});

export interface BucketRow {
  channel: string;
  start_ms: number;
  stop_ms: number;
  low: number | null;
  high: number | null;
  mean: number | null;
  opening: number | null;
  closing: number | null;
  counted: number;
  filled: number;
  bad: number;
  texts: number;
}

/** Roll-ups follow within this time, unless a backlog is being worked off. */
const ROLLUP_LAG_MS = 10 * MINUTE_MS;

/** One row a channel and bucket, columns as in BucketRow, in no order. */
export async function bucketSelect(
  queries: Queries,
  request: ReadingsRequest,
  nowMs: number,
  signal: AbortSignal,
): Promise<Select> {
  const { step } = request;
  if (step === 'day') return daySelect(request);
  if (step === undefined) throw new RangeError('no step');
  if (step % MINUTE_MS !== 0) return ofReadings(request, step);
  const unitMs = step % HOUR_MS === 0 ? HOUR_MS : MINUTE_MS;
  const wide = {
    ...request,
    fromMs: Math.floor(request.fromMs / unitMs) * unitMs,
    toMs: Math.ceil(request.toMs / unitMs) * unitMs,
  };
  const edgeMs = await rollupEdge(queries, wide, unitMs, step, nowMs, signal);
  if (edgeMs <= wide.fromMs) return ofReadings(wide, step);
  const table = unitMs === HOUR_MS ? 'readings_1h' : 'readings_1m';
  const old = ofRollups({ ...wide, toMs: Math.min(edgeMs, wide.toMs) }, table, step);
  if (edgeMs >= wide.toMs) return old;
  const fresh = ofReadings({ ...wide, fromMs: edgeMs }, step, 'fresh_');
  return {
    sql: `${old.sql}\nUNION ALL\n${fresh.sql}`,
    params: { ...old.params, ...fresh.params },
  };
}

/** Start of the first bucket (of `stepMs`) that is read from the readings themselves. */
async function rollupEdge(
  queries: Queries,
  request: ReadingsRequest,
  unitMs: number,
  stepMs: number,
  nowMs: number,
  signal: AbortSignal,
): Promise<number> {
  const where = within(request, 'bucket_ms');
  const table = unitMs === HOUR_MS ? 'readings_1h' : 'readings_1m';
  const [row] = await queries.run<{ newest: number | null }>(
    `SELECT maxOrNull(bucket_ms) AS newest FROM ${table} WHERE ${where.sql}`,
    where.params,
    signal,
  );
  if (row === undefined || row.newest === null) return Number.NEGATIVE_INFINITY;
  const edgeMs = Math.min(Number(row.newest), nowMs - ROLLUP_LAG_MS);
  return Math.floor(edgeMs / stepMs) * stepMs;
}

/** Floor division, so that buckets before 1970 are aligned as well. */
function startOf(column: string): string {
  return `toInt64(floor(${column} / {step:Int64})) * {step:Int64}`;
}

function ofReadings(request: ReadingsRequest, stepMs: number, prefix = ''): Select {
  const where = within(request, 'time_ms', prefix);
  return {
    sql: `SELECT channel, ${startOf('time_ms')} AS start_ms, start_ms + {step:Int64} AS stop_ms,
  minIf(value, counts) AS low, maxIf(value, counts) AS high,
  ${meanSql('value', (value) => `avgIf(${value}, counts)`)} AS mean,
  argMinIf(value, time_ms, counts) AS opening,
  argMaxIf(value, time_ms, counts) AS closing,
  countIf(counts) AS counted, countIf(treatment = ${Treatment.FILLED}) AS filled,
  toUInt64(count() - counted - filled - texts) AS bad, countIf(is_text) AS texts
FROM (SELECT channel, time_ms, epoch, seq, value, text, treatment, ${COUNTS} AS counts, ${IS_TEXT} AS is_text FROM readings WHERE ${where.sql})
GROUP BY channel, start_ms`,
    params: { ...where.params, step: stepMs },
  };
}

function ofRollups(request: ReadingsRequest, table: string, stepMs: number): Select {
  const where = within(request, 'bucket_ms');
  return {
    sql: `SELECT channel, ${startOf('bucket_ms')} AS start_ms, start_ms + {step:Int64} AS stop_ms,
  min(u.min) AS low, max(u.max) AS high,
  ${meanSql('u.mean', (mean) => `sum(${mean} * u.good) / sum(u.good)`)} AS mean,
  argMinIf(u.first, u.first_ms, u.good > 0) AS opening, argMaxIf(u.last, u.last_ms, u.good > 0) AS closing,
  sum(u.good) AS counted, sum(u.filled) AS filled, sum(u.bad) AS bad, sum(u.texts) AS texts
FROM (SELECT * FROM ${table} FINAL WHERE ${where.sql}) AS u
GROUP BY channel, start_ms`,
    params: { ...where.params, step: stepMs },
  };
}

/** Days that the range touches. */
function daySelect(request: ReadingsRequest): Select {
  const { sql, params } = ofSeries(request);
  return {
    sql: `SELECT channel, u.bucket_ms AS start_ms, u.end_ms AS stop_ms, u.min AS low, u.max AS high,
  if(isFinite(u.mean), u.mean, NULL) AS mean, u.first AS opening, u.last AS closing,
  u.good AS counted, u.filled AS filled, u.bad AS bad, u.texts AS texts
FROM (SELECT * FROM readings_1d FINAL WHERE ${sql} AND end_ms > {from:Int64} AND bucket_ms < {to:Int64}) AS u`,
    params: { ...params, from: request.fromMs, to: request.toMs },
  };
}

export async function bucketPage(
  queries: Queries,
  request: ReadingsRequest,
  nowMs: number,
  signal: AbortSignal,
): Promise<{ items: object[]; next: string | null }> {
  const { limit, order, cursor } = request;
  const { sql, params } = await bucketSelect(queries, request, nowMs, signal);
  let where = '';
  if (cursor !== undefined) {
    const [startMs, channel] = decodeCursor(cursor, [0, ''] as const);
    const sign = order === 'asc' ? '>' : '<';
    where = `WHERE (start_ms, channel) ${sign} ({c_start:Int64}, {c_channel:String}) `;
    Object.assign(params, { c_start: startMs, c_channel: channel });
  }
  const rows = await queries.run<BucketRow>(
    `SELECT * FROM (${sql})
${where}ORDER BY start_ms ${order}, channel ${order}
LIMIT {limit:UInt32}`,
    { ...params, limit: limit + 1 },
    signal,
  );
  const { items, next } = toPage(rows, limit, (r) => [Number(r.start_ms), r.channel]);
  return { items: items.map(toItem), next };
}

function toItem(row: BucketRow): object {
  return {
    channel: row.channel,
    time_ms: Number(row.start_ms),
    end_ms: Number(row.stop_ms),
    min: numberOrNull(row.low),
    max: numberOrNull(row.high),
    avg: numberOrNull(row.mean),
    first: numberOrNull(row.opening),
    last: numberOrNull(row.closing),
    count: Number(row.counted),
    filled: Number(row.filled),
    bad: Number(row.bad),
    texts: Number(row.texts),
  };
}
