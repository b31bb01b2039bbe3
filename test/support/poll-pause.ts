/** How long to wait before one asks again whether something is so. */

const FIRST_MS = 20;
const LONGEST_MS = 250;

/**
 * A tenth of what was waited for so far: what comes soon is seen soon, and what takes long is not made slower by the
 * questions, each of which costs a collector some hundredths of a second of CPU. `beganMs`: of performance.now().
 */
export function pollPauseMs(beganMs: number): number {
  return Math.min(LONGEST_MS, FIRST_MS + (performance.now() - beganMs) / 10);
}
