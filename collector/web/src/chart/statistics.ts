/** Smallest, mean and largest of a range, and how much of it was good. Pure. */

import type { BucketItem, ReadingItem } from './points.ts';

export interface Statistics {
  min: number | null;
  max: number | null;
  mean: number | null;
  /** Readings in those: finite, not bad, not made up. */
  good: number;
  filled: number;
  bad: number;
}

const BAD = 2;

export function ofBuckets(items: readonly BucketItem[]): Map<string, Statistics> {
  const all = new Map<string, Statistics>();
  for (const { channel, min, max, avg, count, filled, bad } of items) {
    const known = all.get(channel) ?? none();
    known.min = least(known.min, min);
    known.max = most(known.max, max);
    // Weighted, without a sum that could overflow.
    const good = known.good + count;
    if (avg !== null && count > 0)
      known.mean = (known.mean ?? 0) * (known.good / good) + avg * (count / good);
    known.good = good;
    known.filled += filled;
    known.bad += bad;
    all.set(channel, known);
  }
  return all;
}

export function ofReadings(items: readonly ReadingItem[]): Map<string, Statistics> {
  return ofBuckets(
    items
      .filter(({ value }) => typeof value !== 'string')
      .map(({ channel, time_ms, value, quality, treatment }) => {
        const isFilled = treatment === 'filled';
        const isGood =
          typeof value === 'number' && (quality & 3) < BAD && !isFilled && treatment !== 'missing';
        const number = isGood ? value : null;
        return {
          channel,
          time_ms,
          end_ms: time_ms,
          min: number,
          max: number,
          avg: number,
          count: isGood ? 1 : 0,
          filled: isFilled ? 1 : 0,
          bad: isGood || isFilled ? 0 : 1,
          texts: 0,
        };
      }),
  );
}

/** Share of good ones in [0, 1]; null: nothing came. */
export function goodShare({ good, filled, bad }: Statistics): number | null {
  const all = good + filled + bad;
  return all === 0 ? null : good / all;
}

function none(): Statistics {
  return { min: null, max: null, mean: null, good: 0, filled: 0, bad: 0 };
}

function least(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}

function most(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}
