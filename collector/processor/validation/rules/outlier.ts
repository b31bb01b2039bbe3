import { WINDOW_VALUES, WINDOW_VALUES_MIN } from '../limits.ts';
import type { Rule } from '../rule.ts';
import { IMPLAUSIBLE, Mark, TIME_FAULT } from '../run.ts';
import { Field } from '../states.ts';
import { remember } from '../window.ts';

/**
 * Far outside the quartiles of the plausible values before it (within range, not bad). Outliers count
 * among them, too: a quarter of a window cannot move its quartiles, and a new level that stays is no
 * outlier for ever. Where the quartiles are equal there is no measure of far, and nothing is said.
 */
export const outlier: Rule = {
  applies: ({ type, outlierRanges }) =>
    type === 'number' && outlierRanges < Number.POSITIVE_INFINITY,
  judge(run) {
    if (run.isText) return;
    const { states } = run;
    const start = states.windowOf(run.slot) * WINDOW_VALUES;
    const { fields, sorted } = states;
    const { outlierRanges } = run.channel;
    const { numbers } = run.columns;
    const { findings, marks } = run.sheet;
    let count = fields[run.at + Field.WINDOW_COUNT]!;
    for (let i = run.from; i < run.to; i++) {
      if ((findings[i]! & IMPLAUSIBLE) !== 0 || (marks[i]! & (TIME_FAULT | Mark.ASIDE)) !== 0) {
        continue;
      }
      // Not -0: the ring and its sorted copy must agree on what is equal.
      const value = numbers[i]! + 0;
      if (count >= WINDOW_VALUES_MIN) {
        // Values of the window, nothing between them: differences may be too large for a double.
        const quarter = Math.floor((count - 1) / 4);
        const low = sorted[start + quarter]!;
        const high = sorted[start + count - 1 - quarter]!;
        const far = outlierRanges * (high - low);
        if (high > low && (value < low - far || value > high + far)) run.note(i, 'outlier');
      }
      remember(states, run.at, start, value);
      count = fields[run.at + Field.WINDOW_COUNT]!;
    }
  },
};
