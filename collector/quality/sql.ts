/** What the data quality asks the store. */

import { CollectorError } from '../errors.ts';
import type { FindingCode } from '../findings.ts';
import type { DeviceSpan } from './expected.ts';
import { reasonOfQuarantine } from './reasons.ts';
import type { QualityCounts } from './score.ts';
import { addDefects, noCounts } from './score.ts';

/** collector/api/queries.ts has this shape: each query bounded in time, rows and memory. */
export interface QualityQueries {
  run<Row>(sql: string, params: Record<string, unknown>, signal?: AbortSignal): Promise<Row[]>;
}

/** Where buckets begin, ascending, and at the end where the last one ends; empty: no bucket. UTC ms. */
export type Edges = readonly number[];

export interface Scope {
  site: string;
  device: string | undefined;
  edges: Edges;
  step: 'minute' | 'hour' | 'day' | 'all';
  /** Then rows name no device. */
  bySite: boolean;
  nowMs: number;
}

export interface CountRow {
  /** '' when by site. */
  device: string;
  /** Start of the bucket. */
  bucketMs: number;
  counts: QualityCounts;
}

const HOUR_MS = 3_600_000;
/** Of one answer. */
export const BUCKETS_MAX = 50_000;

/** The findings that quality_1m and quality_1h have a column for. */
const COLUMNS: readonly FindingCode[] = [
  'null_value',
  'sentinel',
  'wrong_type',
  'not_finite',
  'device_bad',
  'out_of_range',
  'rate_of_change',
  'stuck',
  'outlier',
  'same_time',
  'time_backwards',
  'cross_rule',
  'type_changed',
  'late',
  'future',
  'clock_doubt',
  'z_score',
];
const SUMS = [
  'received',
  'filled',
  'missing',
  'inaccurate',
  'inconsistent',
  'untimely',
  'latency_sum_ms',
  ...COLUMNS,
] as const;

/** Buckets of `stepMs` that overlap [fromMs, toMs). Throws STORE_QUERY_REFUSED when they are too many. */
export function evenEdges(stepMs: number, fromMs: number, toMs: number): Edges {
  checkBuckets((toMs - fromMs) / stepMs);
  const edges: number[] = [];
  if (fromMs >= toMs) return edges;
  let edge = Math.floor(fromMs / stepMs) * stepMs;
  for (; edge < toMs; edge += stepMs) edges.push(edge);
  edges.push(edge);
  return edges;
}

export function checkBuckets(count: number): void {
  if (count <= BUCKETS_MAX) return;
  const detail = `${Math.ceil(count)} buckets are more than ${BUCKETS_MAX}`;
  throw new CollectorError('STORE_QUERY_REFUSED', detail);
}

/** Counters of what is in `readings`. */
export async function countRows(
  queries: QualityQueries,
  scope: Scope,
  signal: AbortSignal | undefined,
): Promise<CountRow[]> {
  const device = scope.bySite ? "''" : 'device';
  const rows = await queries.run<{
    name: string;
    bucket: number;
    sums: number[];
    latency_max: number;
  }>(
    `SELECT ${device} AS name, ${bucketOf(scope, 'bucket_ms')} AS bucket,
  [${SUMS.map((column) => `sum(${column})`).join(', ')}] AS sums, max(latency_max_ms) AS latency_max
FROM (${sources(scope)})
GROUP BY name, bucket
SETTINGS optimize_move_to_prewhere_if_final = 1`,
    params(scope),
    signal,
  );
  return rows.map((row) => ({
    device: row.name,
    bucketMs: Number(row.bucket),
    counts: countsOf(row.sums.map(Number), Number(row.latency_max)),
  }));
}

function countsOf(sums: readonly number[], latencyMaxMs: number): QualityCounts {
  const [received, filled, missing, inaccurate, inconsistent, untimely, latencySumMs, ...findings] =
    sums as [number, number, number, number, number, number, number, ...number[]];
  const counts: QualityCounts = { ...noCounts(), received, filled, latencySumMs, latencyMaxMs };
  counts.defects = {
    completeness: missing,
    accuracy: inaccurate,
    consistency: inconsistent,
    timeliness: untimely,
  };
  for (const [i, code] of COLUMNS.entries()) {
    if (findings[i]! > 0) counts.reasons[code] = findings[i]!;
  }
  return counts;
}

/**
 * Whole hours from the roll-up by hour; from that by minute the hours that an edge cuts, and the current
 * one, which the hours follow more slowly.
 */
function sources(scope: Scope): string {
  const { edges, step, nowMs } = scope;
  const [first, last] = [edges[0] ?? 0, edges.at(-1) ?? 0];
  const inScope = `site = {site:String}${scope.device === undefined ? '' : ' AND device = {device:String}'}`;
  const columns = ['device', 'bucket_ms', 'latency_max_ms', ...SUMS].join(', ');
  const from = (table: string, where: string): string =>
    `SELECT ${columns} FROM ${table} FINAL WHERE ${inScope} AND bucket_ms >= ${first} AND bucket_ms < ${last} AND (${where})`;
  if (step === 'minute') return from('quality_1m', '1');
  const cut = new Set(edges.filter((edge) => edge % HOUR_MS !== 0).map(hourOf));
  if (hourOf(nowMs) >= hourOf(first) && nowMs < last) cut.add(hourOf(nowMs));
  if (cut.size === 0) return from('quality_1h', '1');
  const cutHours = [...cut].sort((a, b) => a - b);
  const minutes = cutHours.map((at) => `bucket_ms >= ${at} AND bucket_ms < ${at + HOUR_MS}`);
  return `${from('quality_1h', `bucket_ms NOT IN (${cutHours.join(', ')})`)}
UNION ALL ${from('quality_1m', minutes.join(' OR '))}`;
}

function hourOf(atMs: number): number {
  return Math.floor(atMs / HOUR_MS) * HOUR_MS;
}

function bucketOf({ step, edges }: Scope, column: string): string {
  if (step === 'all') return `toInt64(${edges[0] ?? 0})`;
  if (step === 'day') return `roundDown(${column}, {edges:Array(Int64)})`;
  const stepMs = step === 'hour' ? HOUR_MS : 60_000;
  return `${column} - positiveModulo(${column}, ${stepMs})`;
}

function params({ site, device, edges }: Scope): Record<string, unknown> {
  return { site, device: device ?? '', edges };
}

/**
 * What went to quarantine under the devices' names and was not released: by its own time, or by its
 * receipt where the time is what was wrong.
 */
export async function quarantineRows(
  queries: QualityQueries,
  scope: Scope,
  signal: AbortSignal | undefined,
): Promise<CountRow[]> {
  const rows = await queries.run<{
    name: string;
    bucket: number;
    reason: string;
    code: string;
    readings: number;
  }>(
    `SELECT ${scope.bySite ? "''" : 'device'} AS name, ${bucketOf(scope, 'at_ms')} AS bucket, reason, code, sum(count) AS readings
FROM (
  SELECT device, if(reason IN ('too_old', 'too_new'), received_ms, time_ms) AS at_ms, reason,
    if(reason = 'rule', extract(detail, '^[a-z_]+'), '') AS code, count
  FROM quarantine
  WHERE site = {site:String} AND device != '' AND count > 0${scope.device === undefined ? '' : ' AND device = {device:String}'}
    AND at_ms >= ${scope.edges[0] ?? 0} AND at_ms < ${scope.edges.at(-1) ?? 0}
    AND (gateway, epoch, seq) NOT IN (SELECT gateway, epoch, seq FROM releases WHERE site = {site:String})
)
GROUP BY name, bucket, reason, code`,
    params(scope),
    signal,
  );
  return rows.map(({ name, bucket, reason, code, readings }) => {
    const counts = { ...noCounts(), quarantined: Number(readings) };
    addDefects(counts, reasonOfQuarantine(reason, code), Number(readings));
    return { device: name, bucketMs: Number(bucket), counts };
  });
}

/** What was known of the devices up to the end of the scope; of what holds before it only the last. */
export async function spanRows(
  queries: QualityQueries,
  { site, device, edges }: Scope,
  signal: AbortSignal | undefined,
): Promise<(DeviceSpan & { device: string })[]> {
  const rows = await queries.run<{
    device: string;
    gateway: string;
    updated_ms: number;
    interval_ms: number;
    channels: string;
    is_silent: number;
    first_received_ms: number;
    last_received_ms: number;
  }>(
    `SELECT device, gateway, updated_ms, interval_ms, channels, is_silent, first_received_ms, last_received_ms
FROM (
  SELECT *, leadInFrame(updated_ms, 1, {last:Int64}) OVER (PARTITION BY device, gateway ORDER BY updated_ms
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS until_ms
  FROM (
    SELECT *, state = 'silent' AS is_silent, row_number() OVER w AS place,
      lagInFrame(interval_ms) OVER w AS interval_before, lagInFrame(channels) OVER w AS channels_before,
      lagInFrame(state) OVER w = 'silent' AS silent_before
    FROM device_states
    WHERE site = {site:String} AND updated_ms < {last:Int64}${device === undefined ? '' : ' AND device = {device:String}'}
    WINDOW w AS (PARTITION BY device, gateway ORDER BY updated_ms ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  )
  WHERE place = 1 OR interval_ms != interval_before OR channels != channels_before OR is_silent != silent_before
)
WHERE until_ms >= {first:Int64} OR place = 1`,
    { site, device: device ?? '', first: edges[0] ?? 0, last: edges.at(-1) ?? 0 },
    signal,
  );
  return rows.map((row) => ({
    device: row.device,
    gateway: row.gateway,
    sinceMs: Number(row.updated_ms),
    intervalMs: Number(row.interval_ms),
    channels: JSON.parse(row.channels) as string[],
    silent: Number(row.is_silent) === 1,
    firstReceivedMs: Number(row.first_received_ms),
    lastReceivedMs: Number(row.last_received_ms),
  }));
}
