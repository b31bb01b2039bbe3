/** Who was refused goes into the audit log, but nobody can fill it by asking again and again. */

import type { Clock } from '../types.ts';

const WINDOW_MS = 60_000;
const OF_CALLER_MAX = 10;
const OF_ALL_MAX = 120;

export class Refusals {
  readonly #clock: Clock;
  readonly #byCaller = new Map<string, number>();
  #sinceMs = Number.NEGATIVE_INFINITY;
  #written = 0;
  #leftOut = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined: not to be written. Otherwise how many before it were not. */
  admit(caller: string): number | undefined {
    const nowMs = this.#clock.wallMs();
    if (Math.abs(nowMs - this.#sinceMs) >= WINDOW_MS) {
      this.#sinceMs = nowMs;
      this.#written = 0;
      this.#byCaller.clear();
    }
    const ofCaller = this.#byCaller.get(caller) ?? 0;
    if (ofCaller >= OF_CALLER_MAX || this.#written >= OF_ALL_MAX) {
      this.#leftOut++;
      return undefined;
    }
    this.#byCaller.set(caller, ofCaller + 1);
    this.#written++;
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    return leftOut;
  }
}
