/**
 * Data quality of a time range, from the counters that the roll-ups keep (quality_1m, quality_1h), from
 * quarantine, and from what was expected of each device (device_states).
 */

import type { SiteCalendar } from '../site_time.ts';
import { periodsBetween, UTC_CALENDAR } from '../site_time.ts';
import type { DeviceSpan } from './expected.ts';
import { Expectation } from './expected.ts';
import type { Quality, QualityCounts } from './score.ts';
import { addCounts, expect, noCounts, score } from './score.ts';
import type { CountRow, Edges, QualityQueries, Scope } from './sql.ts';
import { checkBuckets, countRows, evenEdges, quarantineRows, spanRows } from './sql.ts';

/** all: the whole range as one bucket. Hours are those of UTC, days the site's. */
export type QualityStep = 'minute' | 'hour' | 'day' | 'all';

export interface QualityRequest {
  /** A site that is not in it has UTC days. */
  sites: ReadonlyMap<string, SiteCalendar>;
  site: string;
  /** Undefined: all devices of the site. */
  device?: string | undefined;
  /** device: one bucket a step for each device. site: one for all of them together. */
  by?: 'device' | 'site';
  /** The buckets that overlap [fromMs, toMs) are read whole; `all` is cut at whole minutes. */
  fromMs: number;
  toMs: number;
  step: QualityStep;
  /** What is newer than this, less half a minute, is not expected yet. */
  nowMs: number;
}

export interface QualityBucket {
  site: string;
  /** '' when by site. */
  device: string;
  fromMs: number;
  toMs: number;
  counts: QualityCounts;
  quality: Quality;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Readings that are on their way are not missing yet. */
const SETTLING_MS = 30_000;

/**
 * Ascending by device and time. A bucket in which nothing was expected and nothing came is left out.
 * Rejects with STORE_QUERY_REFUSED when there would be too many buckets, else as the queries do.
 */
export async function readQuality(
  queries: QualityQueries,
  request: QualityRequest,
  signal?: AbortSignal,
): Promise<QualityBucket[]> {
  const edges = edgesOfStep(request);
  if (edges.length < 2) return [];
  const { site, device, step, nowMs } = request;
  const bySite = request.by === 'site';
  const scope: Scope = { site, device, edges, step, bySite, nowMs };
  const [counted, quarantined, spans] = await Promise.all([
    countRows(queries, scope, signal),
    quarantineRows(queries, scope, signal),
    spanRows(queries, scope, signal),
  ]);
  const devices = new Map<string, Map<number, QualityCounts>>();
  for (const row of counted) addCounts(countsAt(devices, row), row.counts);
  for (const row of quarantined) addCounts(countsAt(devices, row), row.counts);
  const expectations = expectationsOf(spans);
  const untilMs = request.nowMs - SETTLING_MS;
  if (bySite) {
    const all = [...expectations.values()];
    return bucketsOf(request, '', edges, devices.get('') ?? new Map(), all, untilMs);
  }
  const names = [...new Set([...devices.keys(), ...expectations.keys()])].sort();
  checkBuckets(names.length * (edges.length - 1));
  return names.flatMap((device) => {
    const expected = expectations.get(device);
    const own = expected === undefined ? [] : [expected];
    return bucketsOf(request, device, edges, devices.get(device) ?? new Map(), own, untilMs);
  });
}

function countsAt(devices: Map<string, Map<number, QualityCounts>>, row: CountRow): QualityCounts {
  const buckets = devices.get(row.device) ?? new Map<number, QualityCounts>();
  devices.set(row.device, buckets);
  const counts = buckets.get(row.bucketMs) ?? noCounts();
  buckets.set(row.bucketMs, counts);
  return counts;
}

function expectationsOf(
  spans: readonly (DeviceSpan & { device: string })[],
): Map<string, Expectation> {
  const byDevice = new Map<string, DeviceSpan[]>();
  for (const span of spans) {
    const of = byDevice.get(span.device);
    if (of === undefined) byDevice.set(span.device, [span]);
    else of.push(span);
  }
  return new Map([...byDevice].map(([device, of]) => [device, new Expectation(of)]));
}

/** What is put together before the scores: a neighbour may lend a poll. */
interface Draft {
  fromMs: number;
  toMs: number;
  counts: QualityCounts;
  arrived: number;
  wanted: number;
}

function bucketsOf(
  { site }: QualityRequest,
  device: string,
  edges: Edges,
  counted: ReadonlyMap<number, QualityCounts>,
  expectations: readonly Expectation[],
  untilMs: number,
): QualityBucket[] {
  const drafts: Draft[] = [];
  for (let i = 0; i + 1 < edges.length; i++) {
    const [fromMs, toMs] = [edges[i]!, edges[i + 1]!];
    const counts = counted.get(fromMs) ?? noCounts();
    const arrived = counts.received + counts.quarantined;
    const endMs = Math.min(toMs, untilMs);
    let wanted = 0;
    for (const expectation of expectations) {
      wanted += expectation.within(fromMs, endMs);
      if (arrived > 0 && expectations.length === 1) wanted += expectation.before(fromMs, endMs);
    }
    if (arrived > 0 || wanted > 0) drafts.push({ fromMs, toMs, counts, arrived, wanted });
  }
  lendPolls(drafts, expectations);
  return drafts.map(({ fromMs, toMs, counts, wanted }) => {
    expect(counts, wanted);
    return { site, device, fromMs, toMs, counts, quality: score(counts) };
  });
}

/**
 * A poll that falls a little early or late lies in the neighbouring bucket, which then has one too many:
 * nothing is missing.
 */
function lendPolls(drafts: Draft[], expectations: readonly Expectation[]): void {
  for (const [i, draft] of drafts.entries()) {
    const short = draft.wanted - draft.arrived;
    const poll = expectations.reduce((sum, one) => sum + one.onePollAt(draft.fromMs), 0);
    if (short <= 0 || short > poll) continue;
    const lender = [drafts[i - 1], drafts[i + 1]].find(
      (other) =>
        other !== undefined &&
        (other.toMs === draft.fromMs || other.fromMs === draft.toMs) &&
        other.arrived - other.wanted >= short,
    );
    if (lender === undefined) continue;
    draft.wanted -= short;
    lender.wanted += short;
  }
}

/** Where the buckets of the request begin, and where the last one ends. */
function edgesOfStep({ sites, site, fromMs, toMs, step }: QualityRequest): Edges {
  if (fromMs >= toMs) return [];
  if (step === 'all') {
    return [Math.floor(fromMs / MINUTE_MS) * MINUTE_MS, Math.ceil(toMs / MINUTE_MS) * MINUTE_MS];
  }
  if (step === 'day') {
    checkBuckets((toMs - fromMs) / DAY_MS);
    const days = [...periodsBetween('day', sites.get(site) ?? UTC_CALENDAR, fromMs, toMs)];
    return [...days.slice(0, 1).map((day) => day.startMs), ...days.map((day) => day.endMs)];
  }
  return evenEdges(step === 'hour' ? HOUR_MS : MINUTE_MS, fromMs, toMs);
}
