import type { Rule } from '../rule.ts';
import { TIME_FAULT, UNUSABLE } from '../run.ts';

/** Numbers below min or above max. */
export const range: Rule = {
  applies: ({ type, min, max }) =>
    type === 'number' && (min > Number.NEGATIVE_INFINITY || max < Number.POSITIVE_INFINITY),
  judge(run) {
    const { min, max } = run.channel;
    if (run.isText || (run.low >= min && run.high <= max)) return;
    const { numbers } = run.columns;
    const { findings, marks } = run.sheet;
    for (let i = run.from; i < run.to; i++) {
      const value = numbers[i]!;
      if (!(value < min || value > max)) continue;
      if ((findings[i]! & UNUSABLE) === 0 && (marks[i]! & TIME_FAULT) === 0) {
        run.note(i, 'out_of_range');
      }
    }
  },
};
