/** Sets of seqs as ranges. Pure. */

export class SeqRanges {
  /** Sorted, disjoint, not touching. */
  #ranges: [number, number][] = [];

  get last(): number {
    return this.#ranges.at(-1)?.[1] ?? 0;
  }

  /** False when a part of it was there already; then nothing changes. */
  add(first: number, last: number): boolean {
    let at = this.#ranges.length;
    while (at > 0 && this.#ranges[at - 1]![0] > first) at--;
    const before = this.#ranges[at - 1];
    const behind = this.#ranges[at];
    if (before !== undefined && before[1] >= first) return false;
    if (behind !== undefined && behind[0] <= last) return false;
    const joinsBefore = before !== undefined && before[1] + 1 === first;
    const joinsBehind = behind !== undefined && last + 1 === behind[0];
    if (joinsBefore && joinsBehind) {
      before[1] = behind[1];
      this.#ranges.splice(at, 1);
    } else if (joinsBefore) before[1] = last;
    else if (joinsBehind) behind[0] = first;
    else this.#ranges.splice(at, 0, [first, last]);
    return true;
  }

  /** What of first..last is not in the set, joined over what lies between until at most `max` are left. */
  missing(first: number, last: number, max: number): [number, number][] {
    let holes: [number, number][] = [];
    let next = first;
    for (const [from, to] of this.#ranges) {
      if (from > next) holes.push([next, Math.min(from - 1, last)]);
      next = Math.max(next, to + 1);
    }
    if (next <= last) holes.push([next, last]);
    while (holes.length > max) {
      const joined: [number, number][] = [];
      for (let i = 0; i < holes.length; i += 2) {
        joined.push([holes[i]![0], (holes[i + 1] ?? holes[i]!)[1]]);
      }
      holes = joined;
    }
    return holes;
  }
}
