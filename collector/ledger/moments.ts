/**
 * A set of seqs, summed up: how many, and the sums of their first three powers modulo 2^64. Two sets of
 * equal moments are the same set, short of a chance that does not happen; and the moments of a range of
 * any length cost nothing. So a table of billions of rows is compared with the ledger in one pass.
 */

export interface Moments {
  count: number;
  s1: bigint;
  s2: bigint;
  s3: bigint;
}

export function noSeqs(): Moments {
  return { count: 0, s1: 0n, s2: 0n, s3: 0n };
}

/** Of from, from + 1, … to; of nothing when to < from. */
export function momentsOf(from: number, to: number): Moments {
  if (to < from) return noSeqs();
  const high = upTo(BigInt(to));
  const low = upTo(BigInt(from) - 1n);
  return {
    count: to - from + 1,
    s1: wrapped(high.s1 - low.s1),
    s2: wrapped(high.s2 - low.s2),
    s3: wrapped(high.s3 - low.s3),
  };
}

/** Of disjoint ranges from, to, from, to, …, as far as they lie in [first, last]. */
export function momentsWithin(ends: readonly number[], first: number, last: number): Moments {
  let sum = noSeqs();
  for (let i = 0; i < ends.length; i += 2) {
    const from = Math.max(first, ends[i]!);
    const to = Math.min(last, ends[i + 1]!);
    if (from <= to) sum = added(sum, momentsOf(from, to));
  }
  return sum;
}

export function added(a: Moments, b: Moments): Moments {
  return {
    count: a.count + b.count,
    s1: wrapped(a.s1 + b.s1),
    s2: wrapped(a.s2 + b.s2),
    s3: wrapped(a.s3 + b.s3),
  };
}

export function same(a: Moments, b: Moments): boolean {
  return a.count === b.count && a.s1 === b.s1 && a.s2 === b.s2 && a.s3 === b.s3;
}

/** What MOMENTS_SQL answers. */
export interface MomentsRow {
  n: number;
  s1: string;
  s2: string;
  s3: string;
}

/** Sums of UInt64 wrap in ClickHouse; as texts, because JSON has no such integers. */
export const MOMENTS_SQL =
  'count() AS n, toString(sum(seq)) AS s1, toString(sum(seq * seq)) AS s2, toString(sum(seq * seq * seq)) AS s3';

export function momentsFrom(row: MomentsRow): Moments {
  return { count: Number(row.n), s1: BigInt(row.s1), s2: BigInt(row.s2), s3: BigInt(row.s3) };
}

function upTo(n: bigint): { s1: bigint; s2: bigint; s3: bigint } {
  const s1 = (n * (n + 1n)) / 2n;
  return { s1, s2: (s1 * (2n * n + 1n)) / 3n, s3: s1 * s1 };
}

function wrapped(sum: bigint): bigint {
  return BigInt.asUintN(64, sum);
}
