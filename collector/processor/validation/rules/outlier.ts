import { WINDOW_VALUES, WINDOW_VALUES_MIN } from '../limits.ts';
import type { Rule } from '../rule.ts';
import { IMPLAUSIBLE, Mark, TIME_FAULT } from '../run.ts';
import { Field } from '../states.ts';

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
    const { fields, windows, sorted } = states;
    const { outlierRanges } = run.channel;
    const { numbers } = run.columns;
    const { findings, marks } = run.sheet;
    let count = fields[run.at + Field.WINDOW_COUNT]!;
    let next = fields[run.at + Field.WINDOW_NEXT]!;
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
      if (count < WINDOW_VALUES) {
        insert(sorted, start, count++, value);
      } else {
        replace(sorted, start, windows[start + next]!, value);
      }
      windows[start + next] = value;
      next = next + 1 === WINDOW_VALUES ? 0 : next + 1;
    }
    fields[run.at + Field.WINDOW_COUNT] = count;
    fields[run.at + Field.WINDOW_NEXT] = next;
  },
};

function insert(sorted: Float64Array, start: number, count: number, value: number): void {
  let at = start + count;
  while (at > start && sorted[at - 1]! > value) {
    sorted[at] = sorted[at - 1]!;
    at--;
  }
  sorted[at] = value;
}

/** Takes `old` out of a full window and puts `value` in; only what lies between them moves. */
function replace(sorted: Float64Array, start: number, old: number, value: number): void {
  let at = indexOf(sorted, start, old);
  if (value > old) {
    const last = start + WINDOW_VALUES - 1;
    while (at < last && sorted[at + 1]! < value) {
      sorted[at] = sorted[at + 1]!;
      at++;
    }
  } else {
    while (at > start && sorted[at - 1]! > value) {
      sorted[at] = sorted[at - 1]!;
      at--;
    }
  }
  sorted[at] = value;
}

function indexOf(sorted: Float64Array, start: number, value: number): number {
  let low = start;
  let high = start + WINDOW_VALUES - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
