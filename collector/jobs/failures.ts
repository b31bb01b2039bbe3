/** From what the failure channel said to the failures of a day. Pure. */

export interface Transition {
  timeMs: number;
  failing: boolean;
}

export interface Failure {
  fromMs: number;
  /** The first reading that is well again; undefined: none yet. */
  toMs: number | undefined;
}

/**
 * Failures that touch [startMs, endMs). `changes`: ascending, from some time before startMs on; the first
 * one only tells what held then. `openFromMs`: the start of a failure that earlier days left open.
 */
export function failuresOf(
  changes: readonly Transition[],
  { startMs, endMs }: { startMs: number; endMs: number },
  openFromMs: number | undefined,
): Failure[] {
  const failures: Failure[] = [];
  let fromMs: number | undefined;
  for (const [i, { timeMs, failing }] of changes.entries()) {
    if (timeMs >= endMs) break;
    if (failing) {
      fromMs = i === 0 && openFromMs !== undefined && openFromMs < timeMs ? openFromMs : timeMs;
    } else if (fromMs !== undefined) {
      failures.push({ fromMs, toMs: timeMs });
      fromMs = undefined;
    } else if (i === 0 && openFromMs !== undefined && openFromMs < timeMs && timeMs >= startMs) {
      failures.push({ fromMs: openFromMs, toMs: timeMs });
    }
  }
  if (fromMs !== undefined) failures.push({ fromMs, toMs: undefined });
  return failures.filter(({ toMs }) => toMs === undefined || toMs > startMs);
}

/** How much of [startMs, endMs) lies in failures. */
export function failingMs(failures: readonly Failure[], startMs: number, endMs: number): number {
  let sum = 0;
  for (const { fromMs, toMs } of failures) {
    sum += Math.max(Math.min(toMs ?? endMs, endMs) - Math.max(fromMs, startMs), 0);
  }
  return sum;
}
