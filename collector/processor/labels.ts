/** Why seqs of an epoch are missing: ranges by reason, and counts of those that were closed for want of room. */

import { GAP_REASONS_MAX } from './limits.ts';
import { CollectorGapReason } from './outputs/ledger.ts';
import type { Interval } from './ranges.ts';
import { SeqRanges } from './ranges.ts';
import { sumOfRanges } from './sums.ts';

/** Reasons that the collector found for itself: a gateway's own word replaces them. */
const GUESSES: readonly string[] = [
  CollectorGapReason.LOST_ON_GATEWAY,
  CollectorGapReason.LOST_WITH_LOG,
];

export interface EncodedLabels {
  labels?: Record<string, readonly number[]>;
  closed?: Record<string, number>;
}

export class GapLabels {
  readonly #ranges = new Map<string, SeqRanges>();
  readonly #closed = new Map<string, number>();

  constructor(encoded: EncodedLabels = {}) {
    for (const [reason, ends] of Object.entries(encoded.labels ?? {}))
      this.#ranges.set(reason, new SeqRanges(ends));
    for (const [reason, count] of Object.entries(encoded.closed ?? {}))
      this.#closed.set(reason, count);
  }

  /** How many intervals, over all reasons. */
  get pieces(): number {
    let pieces = 0;
    for (const ranges of this.#ranges.values()) pieces += ranges.pieces;
    return pieces;
  }

  /** Sum of the labelled seqs, the closed ones left out. */
  get sum(): bigint {
    let sum = 0n;
    for (const ranges of this.#ranges.values()) sum += sumOfRanges(ranges);
    return sum;
  }

  /** Closed readings: they have no range any more. */
  get closed(): number {
    let count = 0;
    for (const readings of this.#closed.values()) count += readings;
    return count;
  }

  /** Readings by reason, closed ones included, in the order of the reasons. */
  counts(): Record<string, number> {
    const counts = new Map(this.#closed);
    for (const [reason, ranges] of this.#ranges) {
      if (ranges.size > 0) counts.set(reason, (counts.get(reason) ?? 0) + ranges.size);
    }
    return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /**
   * Labels `fresh`, which no reason has yet. What of [from, to] bears a guess of the collector takes a
   * gateway's reason in its place. True when anything changed.
   */
  add(fresh: readonly Interval[], from: number, to: number, reason: string): boolean {
    const parts = [...fresh];
    if (!GUESSES.includes(reason)) {
      for (const guess of GUESSES) {
        const ranges = this.#ranges.get(guess);
        const relabelled = ranges?.covered(from, to) ?? [];
        for (const part of relabelled) ranges?.remove(part.from, part.to);
        parts.push(...relabelled);
      }
    }
    if (parts.length === 0) return false;
    const label = this.#labelOf(reason);
    for (const part of parts) label.add(part.from, part.to);
    return true;
  }

  remove(from: number, to: number): void {
    for (const ranges of this.#ranges.values()) ranges.remove(from, to);
  }

  /** What of the parts has no label. */
  missing(parts: Interval[]): Interval[] {
    let rest = parts;
    for (const ranges of this.#ranges.values()) {
      if (ranges.size === 0) continue;
      rest = rest.flatMap((part) => ranges.missing(part.from, part.to));
    }
    return rest;
  }

  smallest(): Interval | undefined {
    let best: Interval | undefined;
    for (const ranges of this.#ranges.values()) {
      const smallest = ranges.smallest();
      if (smallest === undefined) continue;
      if (best === undefined || smallest.to - smallest.from < best.to - best.from) best = smallest;
    }
    return best;
  }

  /** Turns `count` seqs of [from, to] into mere counts: under their labels, the rest as too many gaps. */
  close(from: number, to: number, count: number): void {
    let rest = count;
    for (const [reason, ranges] of this.#ranges) {
      const labelled = ranges.remove(from, to);
      this.#count(reason, labelled);
      rest -= labelled;
    }
    this.#count(CollectorGapReason.TOO_MANY_GAPS, rest);
  }

  /** Empty parts are left out. */
  encode(): EncodedLabels {
    const encoded: EncodedLabels = {};
    if (this.#ranges.size > 0) {
      encoded.labels = Object.fromEntries(
        [...this.#ranges].map(([reason, ranges]) => [reason, ranges.ends]),
      );
    }
    if (this.#closed.size > 0) encoded.closed = Object.fromEntries(this.#closed);
    return encoded;
  }

  #count(reason: string, count: number): void {
    if (count > 0) this.#closed.set(reason, (this.#closed.get(reason) ?? 0) + count);
  }

  /** The ranges of a reason; reasons come from gateways, so their number is bounded. */
  #labelOf(reason: string): SeqRanges {
    const known = this.#ranges.get(reason);
    if (known !== undefined) return known;
    const full = this.#ranges.size >= GAP_REASONS_MAX && !GUESSES.includes(reason);
    const name = full ? CollectorGapReason.OTHER : reason;
    const label = this.#ranges.get(name) ?? new SeqRanges();
    this.#ranges.set(name, label);
    return label;
  }
}
