/**
 * The life of one alert: from when its levels hold to when it is open at which level. Pure: no clock but
 * the times that it is told, which are reading times or log times, as the rule has it.
 */

/** What of a rule the life depends on. */
export interface Timing {
  /** How many levels, mildest first. */
  levels: { readonly length: number };
  /** A level holds for so long before it counts. */
  forMs: number;
  /** It does not hold for so long before it counts no more. */
  resolveAfterMs: number;
}

/**
 * pending: it began to hold, and must go on; dropped: it did not go on; fired; changed: open at another
 * level; resolved.
 */
export type LifeChange = 'none' | 'pending' | 'dropped' | 'fired' | 'changed' | 'resolved';

/** [bits of `#above`, time of the last look, edge of each level]. */
export type EncodedLife = readonly (number | null)[];

export class Life {
  /** Index of the level at which it is open; -1: it is not. */
  level = -1;
  /** By level: it held when last looked at. Always the levels from 0 to some one. */
  #above = 0;
  /** By level: since when that has been so. */
  readonly #edgesMs: number[] = [];
  #lastMs = Number.NaN;

  /** Neither open nor pending: a look at which nothing holds changes nothing. */
  get isQuiet(): boolean {
    return this.level < 0 && this.#above === 0;
  }

  get isPending(): boolean {
    return this.level < 0 && this.#above !== 0;
  }

  /** Index of the severest level that held at the last look; -1: none did. */
  get top(): number {
    return 31 - Math.clz32(this.#above);
  }

  /** Time of the last look; NaN before the first. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** Since when the mildest level holds; NaN: it does not. */
  get sinceMs(): number {
    return (this.#above & 1) === 0 ? Number.NaN : this.#edgesMs[0]!;
  }

  /** When a change is due if all stays as it is; +Infinity: never. */
  dueMs({ levels, forMs, resolveAfterMs }: Timing): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < levels.length; i++) {
      const isAbove = (this.#above & (1 << i)) !== 0;
      if (isAbove === i <= this.level) continue;
      dueMs = Math.min(dueMs, this.#edgesMs[i]! + (isAbove ? forMs : resolveAfterMs));
    }
    return dueMs;
  }

  /**
   * `rank`: index of the severest level that holds, -1: none does. `isGap`: what was between the last
   * look and this one is not known, so that what was about to count begins anew.
   */
  look(rank: number, atMs: number, timing: Timing, isGap: boolean): LifeChange {
    const wasPending = this.isPending;
    const isBroken = isGap || !(atMs >= this.#lastMs);
    this.#lastMs = atMs;
    for (let i = 0; i < timing.levels.length; i++) {
      const bit = 1 << i;
      const isAbove = rank >= i;
      if (isAbove !== ((this.#above & bit) !== 0)) {
        this.#above ^= bit;
        this.#edgesMs[i] = atMs;
      } else if (isBroken && isAbove !== i <= this.level) {
        this.#edgesMs[i] = atMs;
      }
    }
    const before = this.level;
    this.level = this.#settled(atMs, timing);
    if (this.level === before) {
      if (before >= 0 || wasPending === this.isPending) return 'none';
      return wasPending ? 'dropped' : 'pending';
    }
    if (before < 0) return 'fired';
    return this.level < 0 ? 'resolved' : 'changed';
  }

  #settled(atMs: number, { levels, forMs, resolveAfterMs }: Timing): number {
    for (let i = levels.length - 1; i > this.level; i--) {
      if ((this.#above & (1 << i)) !== 0 && atMs - this.#edgesMs[i]! >= forMs) return i;
    }
    let level = this.level;
    while (level >= 0) {
      const isAbove = (this.#above & (1 << level)) !== 0;
      if (isAbove || atMs - this.#edgesMs[level]! < resolveAfterMs) break;
      level--;
    }
    return level;
  }

  /** Undefined: nothing to remember. The level is not in it: that is what alerts are open. */
  encode(): EncodedLife | undefined {
    if (Number.isNaN(this.#lastMs) || this.isQuiet) return undefined;
    return [this.#above, this.#lastMs, ...this.#edgesMs];
  }

  /** It cannot be opened: as if nothing had held. */
  giveUp(): void {
    this.level = -1;
    this.#above = 0;
  }

  /** `open`: index of the level at which an alert is open, -1: none is; `isPending`: one is put out as pending. */
  static decode(
    encoded: EncodedLife | undefined,
    open: number,
    levels: number,
    isPending = false,
  ): Life {
    const life = new Life();
    life.level = open;
    // Without a memory of it, what was put out holds until a look says otherwise.
    const held = isPending ? 1 : (1 << (open + 1)) - 1;
    const [above, lastMs, ...edgesMs] = encoded ?? [held];
    life.#above = (above ?? 0) & ((1 << levels) - 1);
    life.#lastMs = lastMs ?? Number.NaN;
    for (let i = 0; i < levels; i++) life.#edgesMs[i] = edgesMs[i] ?? Number.NaN;
    return life;
  }
}
