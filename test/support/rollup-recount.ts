/** Roll-ups counted anew from `readings` in plain code, and compared with the tables. */

import { FINDING_CODES, findingKinds } from '../../collector/findings.ts';
import type { SiteCalendar } from '../../collector/site_time.ts';
import { periodAt, UTC_CALENDAR } from '../../collector/site_time.ts';
import type { Store } from '../../collector/store/store.ts';

const LIMITS = { timeoutMs: 60_000, maxRows: 2_000_000, maxMemoryBytes: 2 ** 31 };
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

interface Row {
  site: string;
  device: string;
  channel: string;
  time_ms: number;
  value: number | string | null;
  text: string | null;
  quality: number;
  epoch: string;
  seq: number;
  received_ms: number;
  findings: number;
  treatment: number;
}

type Buckets = Map<string, Row[]>;

/** What is wrong, in words; empty: all equal. At most 20 lines. */
export async function differences(
  store: Pick<Store, 'query'>,
  sites: ReadonlyMap<string, SiteCalendar> = new Map(),
): Promise<string[]> {
  const rows = await store.query<Row>(
    'SELECT site, device, channel, time_ms, value, text, quality, epoch, seq, received_ms, findings, treatment FROM readings',
    {},
    LIMITS,
  );
  const wrong: string[] = [];
  const compare = async (
    table: string,
    startOf: (row: Row) => number,
    expect: (rows: Row[]) => Record<string, unknown>,
  ): Promise<void> => {
    const buckets: Buckets = new Map();
    for (const row of rows) {
      const key = [row.site, row.device, row.channel, startOf(row)].join('\u0001');
      const bucket = buckets.get(key);
      if (bucket === undefined) buckets.set(key, [row]);
      else bucket.push(row);
    }
    const found = await store.query<Record<string, unknown>>(
      `SELECT * FROM ${table} FINAL`,
      {},
      LIMITS,
    );
    for (const row of found) {
      const key = [row.site, row.device, row.channel, row.bucket_ms].join('\u0001');
      const bucket = buckets.get(key);
      if (bucket === undefined) {
        wrong.push(`${table}: no reading of ${key}`);
        continue;
      }
      buckets.delete(key);
      const expected = expect(bucket);
      const rounding = roundingOf(expected);
      for (const [name, value] of Object.entries(expected)) {
        if (!same(row[name], value, name, rounding))
          wrong.push(`${table} ${key} ${name}: ${row[name]}, should be ${value}`);
      }
    }
    for (const key of buckets.keys()) wrong.push(`${table}: lacks ${key}`);
  };
  await compare('readings_1m', (row) => floor(row.time_ms, MINUTE_MS), statistics);
  await compare('readings_1h', (row) => floor(row.time_ms, HOUR_MS), statistics);
  const dayOf = (row: Row) =>
    periodAt('day', sites.get(row.site) ?? UTC_CALENDAR, Number(row.time_ms));
  await compare(
    'readings_1d',
    (row) => dayOf(row).startMs,
    (of) => ({ ...statistics(of), end_ms: dayOf(of[0]!).endMs }),
  );
  await compare('quality_1m', (row) => floor(row.time_ms, MINUTE_MS), counters);
  await compare('quality_1h', (row) => floor(row.time_ms, HOUR_MS), counters);
  return wrong.slice(0, 20);
}

function floor(timeMs: number, stepMs: number): number {
  return Math.floor(timeMs / stepMs) * stepMs;
}

function isGood({ value, quality, treatment }: Row): boolean {
  return typeof value === 'number' && (quality & 3) < 2 && treatment <= 2;
}

function isText({ value, text, quality, treatment }: Row): boolean {
  return text !== null && value === null && (quality & 3) < 2 && treatment <= 2;
}

function statistics(rows: Row[]): Record<string, unknown> {
  const inOrder = [...rows].sort(
    (a, b) =>
      a.time_ms - b.time_ms || (a.epoch < b.epoch ? -1 : a.epoch > b.epoch ? 1 : a.seq - b.seq),
  );
  const good = inOrder.filter(isGood);
  const values = good.map(({ value }) => value as number);
  const filled = rows.filter(({ treatment }) => treatment === 3).length;
  const texts = rows.filter(isText).length;
  const mean = values.reduce((sum, value) => sum + value / values.length, 0);
  const timed = good.length > 0 ? good : inOrder;
  return {
    good: good.length,
    filled,
    texts,
    bad: rows.length - good.length - filled - texts,
    min: values.length > 0 ? Math.min(...values) : null,
    max: values.length > 0 ? Math.max(...values) : null,
    mean: values.length > 0 ? mean : null,
    m2: values.reduce((sum, value) => sum + (value - mean) ** 2, 0),
    first: values[0] ?? null,
    last: values.at(-1) ?? null,
    first_ms: timed[0]!.time_ms,
    last_ms: timed.at(-1)!.time_ms,
  };
}

function counters(rows: Row[]): Record<string, unknown> {
  const counts: Record<string, number> = {
    received: rows.length,
    missing: 0,
    inaccurate: 0,
    inconsistent: 0,
    untimely: 0,
    filled: rows.filter(({ treatment }) => treatment === 3).length,
    latency_sum_ms: 0,
    latency_max_ms: 0,
  };
  const columns = {
    completeness: 'missing',
    accuracy: 'inaccurate',
    consistency: 'inconsistent',
    timeliness: 'untimely',
  };
  for (const code of FINDING_CODES) counts[code] = 0;
  for (const row of rows) {
    const codes = FINDING_CODES.filter((code) => (row.findings >>> findingKinds[code].bit) & 1);
    for (const code of codes) counts[code]!++;
    for (const name of new Set(codes.map((code) => columns[findingKinds[code].dimension])))
      counts[name]!++;
    const latencyMs = Math.min(Math.max(row.received_ms - row.time_ms, 0), 365 * 24 * HOUR_MS);
    counts.latency_sum_ms! += latencyMs;
    counts.latency_max_ms = Math.max(counts.latency_max_ms!, latencyMs);
  }
  return counts;
}

/**
 * What a mean may be off by: sums of doubles depend on their order, and of 1e308, -1e308 and 25 the last may
 * be lost, or not.
 */
function roundingOf({ good, min, max }: Record<string, unknown>): number {
  const largest = Math.max(Math.abs(Number(min ?? 0)), Math.abs(Number(max ?? 0)));
  return Number.EPSILON * Number(good ?? 0) * largest;
}

function same(found: unknown, expected: unknown, name: string, rounding: number): boolean {
  if (found === expected) return true;
  if (found === null || expected === null) return false;
  const [a, b] = [Number(found === 'inf' ? Infinity : found), Number(expected)];
  if (a === b) return true;
  if (name === 'm2') return !Number.isFinite(b) ? a === Infinity || a > 1e300 : near(a, b, 1e-6);
  return name === 'mean' && (near(a, b, 1e-9) || Math.abs(a - b) <= rounding);
}

function near(a: number, b: number, tolerance: number): boolean {
  return Math.abs(a - b) <= tolerance * Math.max(1e-6, Math.abs(a), Math.abs(b));
}
