/**
 * Data quality: counters → scores of four dimensions, 0 to 100, and what cost the points. Pure. Counters
 * of buckets and devices add; scores do not: add the counters first.
 */

import type { Dimension } from '../findings.ts';
import { DIMENSIONS } from '../findings.ts';
import type { ReasonCode } from './reasons.ts';
import { REASON_CODES, reasonKinds } from './reasons.ts';

/** What came of the readings of a time. Whole readings, except latencies. */
export interface QualityCounts {
  /** What should have come, by the interval; at least what arrived. Without an interval: what arrived. */
  expected: number;
  /** In `readings`, and sent to quarantine under this device's name. */
  received: number;
  quarantined: number;
  /** Readings that cost points in a dimension; one reading counts once in each. */
  defects: Record<Dimension, number>;
  /** Readings by what is wrong with them; one reading may count under several. */
  reasons: Partial<Record<ReasonCode, number>>;
  /** Values that were made up by the fill policy. */
  filled: number;
  /** Receipt minus reading time, of what was received; never negative. */
  latencySumMs: number;
  latencyMaxMs: number;
}

/** What cost points. */
export interface QualityReason {
  code: ReasonCode;
  dimension: Dimension;
  count: number;
  /** Points of its dimension; those of a dimension sum up to what it lacks of 100. */
  points: number;
  en: string;
  ko: string;
}

/** 0 to 100; null: nothing came that could be judged. */
export interface Quality extends Record<Dimension, number | null> {
  /** The mean of the dimensions that were judged. */
  all: number | null;
  /** Dearest first. */
  reasons: QualityReason[];
}

/** Below these a score is worth a look. */
export const QUALITY_TARGETS = { completeness: 99, accuracy: 95, consistency: 98 } as const;
/** Readings should arrive within this. */
export const TIMELY_WITHIN_MS = 30_000;

export function noCounts(): QualityCounts {
  return {
    expected: 0,
    received: 0,
    quarantined: 0,
    defects: { completeness: 0, accuracy: 0, consistency: 0, timeliness: 0 },
    reasons: {},
    filled: 0,
    latencySumMs: 0,
    latencyMaxMs: 0,
  };
}

/** Adds `more` to `into`. */
export function addCounts(into: QualityCounts, more: QualityCounts): void {
  into.expected += more.expected;
  into.received += more.received;
  into.quarantined += more.quarantined;
  into.filled += more.filled;
  into.latencySumMs += more.latencySumMs;
  into.latencyMaxMs = Math.max(into.latencyMaxMs, more.latencyMaxMs);
  for (const dimension of DIMENSIONS) into.defects[dimension] += more.defects[dimension];
  for (const code of REASON_CODES) {
    const count = more.reasons[code];
    if (count !== undefined) into.reasons[code] = (into.reasons[code] ?? 0) + count;
  }
}

/** `count` readings with one and the same defect. */
export function addDefects(into: QualityCounts, code: ReasonCode, count: number): void {
  if (count === 0) return;
  into.defects[reasonKinds[code].dimension] += count;
  into.reasons[code] = (into.reasons[code] ?? 0) + count;
}

/** Sets what should have come; what of it did not is a defect. */
export function expect(counts: QualityCounts, expected: number): void {
  const arrived = counts.received + counts.quarantined;
  counts.expected = Math.max(expected, arrived);
  addDefects(counts, 'not_received', counts.expected - arrived);
}

export function score(counts: QualityCounts): Quality {
  const arrived = counts.received + counts.quarantined;
  const quality: Quality = {
    completeness: scoreOf(counts.defects.completeness, counts.expected),
    accuracy: scoreOf(counts.defects.accuracy, arrived),
    consistency: scoreOf(counts.defects.consistency, arrived),
    timeliness: scoreOf(counts.defects.timeliness, arrived),
    all: null,
    reasons: [],
  };
  const judged = DIMENSIONS.map((dimension) => quality[dimension]).filter((one) => one !== null);
  if (judged.length > 0) quality.all = judged.reduce((sum, one) => sum + one, 0) / judged.length;
  for (const dimension of DIMENSIONS) {
    quality.reasons.push(...reasonsOf(counts, dimension, 100 - (quality[dimension] ?? 100)));
  }
  quality.reasons.sort((a, b) => b.points - a.points || b.count - a.count);
  return quality;
}

function scoreOf(defects: number, of: number): number | null {
  if (of <= 0) return null;
  return 100 * (1 - Math.min(defects, of) / of);
}

/** A reading may have several defects of a dimension: what they cost is shared out by their counts. */
function reasonsOf(counts: QualityCounts, dimension: Dimension, lost: number): QualityReason[] {
  const codes = REASON_CODES.filter(
    (code) => reasonKinds[code].dimension === dimension && (counts.reasons[code] ?? 0) > 0,
  );
  const sum = codes.reduce((total, code) => total + (counts.reasons[code] ?? 0), 0);
  return codes.map((code) => {
    const count = counts.reasons[code] ?? 0;
    const { en, ko } = reasonKinds[code];
    return { code, dimension, count, points: (lost * count) / sum, en, ko };
  });
}
