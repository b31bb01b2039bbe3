/**
 * Sums of seqs modulo 2^64, beside the counts of the ledger: two sets of equal size and equal sum are
 * hardly ever different sets. Made once a chunk, never once a reading.
 */

import type { Interval, SeqRanges } from './ranges.ts';

/** from + (from + 1) + … + to; 0 for an empty range. */
export function sumOf(from: number, to: number): bigint {
  if (to < from) return 0n;
  const count = to - from + 1;
  const twice = (from + to) * count;
  // Exact as a double in all but the longest-lived epochs.
  if (twice <= Number.MAX_SAFE_INTEGER) return BigInt(twice / 2);
  return wrapped(((BigInt(from) + BigInt(to)) * BigInt(count)) / 2n);
}

export function sumOfParts(parts: readonly Interval[]): bigint {
  let sum = 0n;
  for (const { from, to } of parts) sum += sumOf(from, to);
  return wrapped(sum);
}

export function sumOfRanges(ranges: SeqRanges): bigint {
  const { ends } = ranges;
  let sum = 0n;
  for (let i = 0; i < ends.length; i += 2) sum += sumOf(ends[i]!, ends[i + 1]!);
  return wrapped(sum);
}

export function wrapped(sum: bigint): bigint {
  return BigInt.asUintN(64, sum);
}
