import { WINDOW_VALUES, WINDOW_VALUES_MIN } from '../limits.ts';
import type { Rule } from '../rule.ts';
import { IMPLAUSIBLE, Mark, TIME_FAULT } from '../run.ts';
import { Field } from '../states.ts';
import { remember } from '../window.ts';

/** The window as it is before each reading of the run at hand. */
const ring = new Float64Array(WINDOW_VALUES);

/**
 * Many standard deviations from the mean of the plausible values before it: the window of the outlier rule,
 * which it therefore fills only where that rule does not judge. Where all of them are equal there is no
 * measure of far, and nothing is said.
 */
export const zScore: Rule = {
  applies: ({ type, zScoreMax }) => type === 'number' && zScoreMax < Number.POSITIVE_INFINITY,
  judge(run) {
    if (run.isText) return;
    const { states } = run;
    const { zScoreMax, outlierRanges } = run.channel;
    const start = states.windowOf(run.slot) * WINDOW_VALUES;
    ring.set(states.windows.subarray(start, start + WINDOW_VALUES));
    let count = states.fields[run.at + Field.WINDOW_COUNT]!;
    let next = states.fields[run.at + Field.WINDOW_NEXT]!;
    const fills = outlierRanges === Number.POSITIVE_INFINITY;
    const { numbers } = run.columns;
    const { findings, marks } = run.sheet;
    for (let i = run.from; i < run.to; i++) {
      if ((findings[i]! & IMPLAUSIBLE) !== 0 || (marks[i]! & (TIME_FAULT | Mark.ASIDE)) !== 0) {
        continue;
      }
      const value = numbers[i]! + 0;
      if (count >= WINDOW_VALUES_MIN && isFar(value, count, zScoreMax)) run.note(i, 'z_score');
      ring[next] = value;
      next = next + 1 === WINDOW_VALUES ? 0 : next + 1;
      if (count < WINDOW_VALUES) count++;
      if (fills) remember(states, run.at, start, value);
    }
  },
};

/** Sums anew for each reading: sums that are carried on would depend on how readings came in chunks. */
function isFar(value: number, count: number, zScoreMax: number): boolean {
  // Relative to one of them: differences of large values stay exact.
  const origin = ring[0]!;
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < count; i++) {
    const off = ring[i]! - origin;
    sum += off;
    squares += off * off;
  }
  const mean = sum / count;
  const variance = squares / count - mean * mean;
  const distance = value - origin - mean;
  // Rounding of equal values is no deviation. Sums that are not finite say nothing.
  if (!(variance > 1e-12 * (squares / count))) return false;
  return distance * distance > zScoreMax * zScoreMax * variance;
}
