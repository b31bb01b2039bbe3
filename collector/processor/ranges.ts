/** Sets of seqs as sorted, disjoint, never adjacent intervals. Both ends of an interval belong to it. */

export interface Interval {
  from: number;
  to: number;
}

export class SeqRanges {
  /** from, to, from, to, … */
  readonly #ends: number[];
  #size = 0;

  /** Takes what `ends` answered. */
  constructor(ends: readonly number[] = []) {
    this.#ends = [...ends];
    for (let i = 0; i < ends.length; i += 2) this.#size += ends[i + 1]! - ends[i]! + 1;
  }

  /** How many seqs. */
  get size(): number {
    return this.#size;
  }

  /** How many intervals. */
  get pieces(): number {
    return this.#ends.length / 2;
  }

  /** Highest seq, 0 if empty. */
  get last(): number {
    return this.#ends.at(-1) ?? 0;
  }

  /** from, to, from, to, …: for encoding. */
  get ends(): readonly number[] {
    return this.#ends;
  }

  /** Adds [from, to]; answers how many of it were not there. */
  add(from: number, to: number): number {
    const ends = this.#ends;
    // What it touches or overlaps becomes one with it.
    const first = this.#firstEndingAtOrAfter(from - 1);
    let next = first;
    let low = from;
    let high = to;
    let had = 0;
    while (next < ends.length && ends[next]! <= to + 1) {
      had += ends[next + 1]! - ends[next]! + 1;
      low = Math.min(low, ends[next]!);
      high = Math.max(high, ends[next + 1]!);
      next += 2;
    }
    ends.splice(first, next - first, low, high);
    const added = high - low + 1 - had;
    this.#size += added;
    return added;
  }

  /** Takes [from, to] out; answers how many of it were there. */
  remove(from: number, to: number): number {
    const ends = this.#ends;
    const first = this.#firstEndingAtOrAfter(from);
    let next = first;
    let removed = 0;
    const rest: number[] = [];
    while (next < ends.length && ends[next]! <= to) {
      const low = ends[next]!;
      const high = ends[next + 1]!;
      if (low < from) rest.push(low, from - 1);
      if (high > to) rest.push(to + 1, high);
      removed += Math.min(high, to) - Math.max(low, from) + 1;
      next += 2;
    }
    if (next > first) ends.splice(first, next - first, ...rest);
    this.#size -= removed;
    return removed;
  }

  /** The parts of [from, to] that are not in the set, ascending. */
  missing(from: number, to: number): Interval[] {
    const ends = this.#ends;
    const found: Interval[] = [];
    let at = from;
    for (let i = this.#firstEndingAtOrAfter(from); i < ends.length && ends[i]! <= to; i += 2) {
      if (ends[i]! > at) found.push({ from: at, to: ends[i]! - 1 });
      at = ends[i + 1]! + 1;
    }
    if (at <= to) found.push({ from: at, to });
    return found;
  }

  /** The parts of [from, to] that are in the set, ascending. */
  covered(from: number, to: number): Interval[] {
    const ends = this.#ends;
    const found: Interval[] = [];
    for (let i = this.#firstEndingAtOrAfter(from); i < ends.length && ends[i]! <= to; i += 2) {
      found.push({ from: Math.max(from, ends[i]!), to: Math.min(to, ends[i + 1]!) });
    }
    return found;
  }

  /** The shortest interval; of equals the first. Undefined if empty. */
  smallest(): Interval | undefined {
    const ends = this.#ends;
    let best: Interval | undefined;
    for (let i = 0; i < ends.length; i += 2) {
      const from = ends[i]!;
      const to = ends[i + 1]!;
      if (best === undefined || to - from < best.to - best.from) best = { from, to };
    }
    return best;
  }

  /** The shortest interval below `last` that is not in the set; of equals the first. */
  smallestHole(): Interval | undefined {
    const ends = this.#ends;
    let best: Interval | undefined;
    let from = 1;
    for (let i = 0; i < ends.length; i += 2) {
      const to = ends[i]! - 1;
      if (to >= from && (best === undefined || to - from < best.to - best.from)) {
        best = { from, to };
      }
      from = ends[i + 1]! + 1;
    }
    return best;
  }

  /** Index in #ends of the first interval whose end is at or after `seq`. */
  #firstEndingAtOrAfter(seq: number): number {
    const ends = this.#ends;
    let low = 0;
    let high = ends.length / 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ends[2 * middle + 1]! < seq) low = middle + 1;
      else high = middle;
    }
    return 2 * low;
  }
}
