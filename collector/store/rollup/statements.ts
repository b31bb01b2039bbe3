/**
 * The statements that recompute roll-ups: minutes from `readings`, hours from minutes, days from hours (and
 * from minutes where a day does not begin at a full hour). Each may be repeated; the row with the highest
 * version (updated_ms) holds.
 */

import { dimensionMask, FINDING_CODES, findingKinds, Treatment } from '../../findings.ts';
import type { Slice } from './touched.ts';

export interface Statement {
  sql: string;
  params: Record<string, unknown>;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Times far off must not make the sums overflow: what took longer than a year counts as a year. */
const LATENCY_MAX_MS = 31_536_000_000;
/** A power of two: the sum of values near the largest double stays finite, and no digit is lost. */
const SCALE = '1.152921504606847e18';

/** A value that statistics may use. */
const GOOD = `ifNull(isFinite(value), 0) AND bitAnd(quality, 3) < 2 AND treatment <= ${Treatment.CLIPPED}`;
const TEXT = `isNotNull(text) AND isNull(value) AND bitAnd(quality, 3) < 2 AND treatment <= ${Treatment.CLIPPED}`;

/** Columns of both tables by minute → how they come from readings (in the words of `words`). */
const STATISTICS: Readonly<Record<string, string>> = {
  good: 'countIf(is_good)',
  filled: `countIf(treatment = ${Treatment.FILLED})`,
  bad: `count() - countIf(is_good) - countIf(is_text) - countIf(treatment = ${Treatment.FILLED})`,
  texts: 'countIf(is_text)',
  min: 'minIf(value, is_good)',
  max: 'maxIf(value, is_good)',
  mean: `if(isFinite(assumeNotNull(avgIf(value, is_good))), avgIf(value, is_good), avgIf(value / ${SCALE}, is_good) * ${SCALE})`,
  m2: finite('ifNull(varPopStableIf(value, is_good), 0) * countIf(is_good)'),
  first: 'argMinIf(value, (time_ms, epoch, seq), is_good)',
  last: 'argMaxIf(value, (time_ms, epoch, seq), is_good)',
  first_ms: 'if(countIf(is_good) > 0, minIf(time_ms, is_good), min(time_ms))',
  last_ms: 'if(countIf(is_good) > 0, maxIf(time_ms, is_good), max(time_ms))',
};
const LATENCY = `least(greatest(received_ms - time_ms, 0), ${LATENCY_MAX_MS})`;
const QUALITY: Readonly<Record<string, string>> = {
  received: 'count()',
  ...Object.fromEntries(
    FINDING_CODES.map((code) => [code, `countIf(bitTest(findings, ${findingKinds[code].bit}))`]),
  ),
  missing: `countIf(bitAnd(findings, ${dimensionMask('completeness')}) != 0)`,
  inaccurate: `countIf(bitAnd(findings, ${dimensionMask('accuracy')}) != 0)`,
  inconsistent: `countIf(bitAnd(findings, ${dimensionMask('consistency')}) != 0)`,
  untimely: `countIf(bitAnd(findings, ${dimensionMask('timeliness')}) != 0)`,
  filled: `countIf(treatment = ${Treatment.FILLED})`,
  latency_sum_ms: `sum(${LATENCY})`,
  latency_max_ms: `max(${LATENCY})`,
};

/** Counters of readings: what is in them adds, latency_max_ms aside. */
const SUMS = Object.keys(QUALITY).filter((name) => name !== 'latency_max_ms');

/** Fills readings_1m and quality_1m through rollup_1m, in one pass over `readings`. */
export function minuteStatement(slice: Slice, version: number): Statement {
  const columns = { ...STATISTICS, ...QUALITY };
  return statement(
    slice,
    `INSERT INTO rollup_1m (site, device, channel, bucket_ms, ${Object.keys(columns).join(', ')}, updated_ms)
WITH ${GOOD} AS is_good, ${TEXT} AS is_text
SELECT site, device, channel, time_ms - positiveModulo(time_ms, ${MINUTE_MS}) AS at,
  ${Object.values(columns).join(',\n  ')},
  ${version}
FROM readings
WHERE ${scope(slice, 'time_ms')}
GROUP BY site, device, channel, at
SETTINGS optimize_aggregation_in_order = 1, ${SETTINGS}`,
  );
}

/** readings_1h and quality_1h from the minutes. The slice's ranges are whole hours. */
export function hourStatements(slice: Slice, version: number): Statement[] {
  const at = `bucket_ms - positiveModulo(bucket_ms, ${HOUR_MS})`;
  const source = (table: string): string => `${table} FINAL WHERE ${scope(slice, 'bucket_ms')}`;
  return [
    statement(slice, mergeStatistics('readings_1h', source('readings_1m'), at, version)),
    statement(slice, mergeQuality('quality_1h', source('quality_1m'), at, version)),
  ];
}

/**
 * readings_1d from the hours. `days`: where the days of the slice's ranges begin, and after each range where
 * its last day ends; ascending.
 */
export function dayStatements(slice: Slice, days: readonly number[], version: number): Statement[] {
  const cut = [...new Set(days.filter((day) => day % HOUR_MS !== 0).map(hourOf))];
  const all = scope(slice, 'bucket_ms');
  // Where a day begins within an hour, that hour is taken minute by minute.
  const source =
    cut.length === 0
      ? `readings_1h FINAL WHERE ${all}`
      : `(
  SELECT * FROM readings_1h FINAL WHERE ${scope(slice, 'bucket_ms')} AND bucket_ms NOT IN (${cut.join(', ')})
  UNION ALL
  SELECT * FROM readings_1m FINAL WHERE ${all} AND (${cut.map((hour) => between('bucket_ms', hour, hour + HOUR_MS)).join(' OR ')})
)`;
  const sql = mergeStatistics(
    'readings_1d',
    source,
    'roundDown(bucket_ms, {days:Array(Int64)})',
    version,
  );
  return [statement(slice, sql, { days })];
}

/** The parallel form of Welford's sums: exact counts and bounds, stable deviations. */
function mergeStatistics(table: string, source: string, at: string, version: number): string {
  const end = table === 'readings_1d';
  return `INSERT INTO ${table} (site, device, channel, bucket_ms, ${end ? 'end_ms, ' : ''}${Object.keys(STATISTICS).join(', ')}, updated_ms)
WITH greatest(least(arraySum(p -> p.1 / n * p.2, parts), hi), lo) AS centre,
  arraySum(p -> p.3 + p.1 * pow(p.2 - assumeNotNull(centre), 2), parts) AS squares
SELECT site, device, channel, at, ${end ? '{days:Array(Int64)}[indexOf({days:Array(Int64)}, at) + 1], ' : ''}n, f, b, t, lo, hi,
  if(n = 0, NULL, centre), if(n = 0, 0, ${finite('squares')}), head, tail, head_ms, tail_ms, ${version}
FROM (
  SELECT site, device, channel, ${at} AS at, sum(good) AS n, sum(filled) AS f, sum(bad) AS b, sum(texts) AS t,
    min(min) AS lo, max(max) AS hi, groupArrayIf((good, assumeNotNull(mean), m2), good > 0) AS parts,
    argMinIf(first, bucket_ms, good > 0) AS head, argMaxIf(last, bucket_ms, good > 0) AS tail,
    if(n > 0, minIf(first_ms, good > 0), min(first_ms)) AS head_ms,
    if(n > 0, maxIf(last_ms, good > 0), max(last_ms)) AS tail_ms
  FROM ${source}
  GROUP BY site, device, channel, at
)
SETTINGS ${SETTINGS}`;
}

function mergeQuality(table: string, source: string, at: string, version: number): string {
  return `INSERT INTO ${table} (site, device, channel, bucket_ms, ${SUMS.join(', ')}, latency_max_ms, updated_ms)
SELECT site, device, channel, ${at} AS at, ${SUMS.map((name) => `sum(${name})`).join(', ')}, max(latency_max_ms), ${version}
FROM ${source}
GROUP BY site, device, channel, at
SETTINGS ${SETTINGS}`;
}

/** What is not of the times asked for is left out before rows are merged (FINAL): ten times faster. */
const SETTINGS =
  'max_threads = 1, max_insert_threads = 1, async_insert = 0, optimize_move_to_prewhere_if_final = 1';

function statement(slice: Slice, sql: string, more: Record<string, unknown> = {}): Statement {
  const site = slice.devices[0]?.site ?? '';
  return { sql, params: { site, devices: slice.devices.map(({ device }) => device), ...more } };
}

/** The devices of a slice are of one site. */
function scope({ ranges }: Slice, column: string): string {
  const times = ranges.map(({ from, to }) => between(column, from * MINUTE_MS, to * MINUTE_MS));
  return `site = {site:String} AND device IN {devices:Array(String)} AND (${times.join(' OR ')})`;
}

function between(column: string, fromMs: number, toMs: number): string {
  return `(${column} >= ${fromMs} AND ${column} < ${toMs})`;
}

function hourOf(atMs: number): number {
  return Math.floor(atMs / HOUR_MS) * HOUR_MS;
}

/** Beyond the largest double lies infinity; infinity minus itself must not become "no number". */
function finite(sql: string): string {
  return `if(isNaN(${sql}), inf, ${sql})`;
}
