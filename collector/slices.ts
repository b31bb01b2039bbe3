/** Long work of the main thread in slices, so that gateways, pages and the log have their turns in between. */

import { setImmediate as turn } from 'node:timers/promises';

/** How long the event loop may be held before others get their turn: see sliceAfter. */
const SLICE_MIN_MS = 8;
const SLICE_MAX_MS = 50;

export class Slices {
  #startMs = performance.now();
  #lengthMs = SLICE_MIN_MS;

  /** Time for next(). */
  get isOver(): boolean {
    return performance.now() - this.#startMs > this.#lengthMs;
  }

  /** Resolves when others have had the event loop. */
  async next(): Promise<void> {
    const endMs = performance.now();
    await turn();
    this.#startMs = performance.now();
    this.#lengthMs = sliceAfter(this.#startMs - endMs);
  }
}

/**
 * The next slice, after others had the event loop for `waitedMs`: half of that, so that the work has a
 * third of the time however busy the loop is, and processing cannot fall behind intake for ever.
 */
export function sliceAfter(waitedMs: number): number {
  return Math.min(Math.max(waitedMs / 2, SLICE_MIN_MS), SLICE_MAX_MS);
}
