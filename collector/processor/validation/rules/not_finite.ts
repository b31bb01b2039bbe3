import { hasValue } from '../../../../proto/model.ts';
import type { Rule } from '../rule.ts';
import { TIME_FAULT } from '../run.ts';

/** NaN and infinities. */
export const notFinite: Rule = {
  applies: () => true,
  judge(run) {
    if (run.finite || run.isText) return;
    const { numbers, qualities } = run.columns;
    const { marks } = run.sheet;
    for (let i = run.from; i < run.to; i++) {
      const missing = !hasValue(qualities[i]!) || (marks[i]! & TIME_FAULT) !== 0;
      if (!missing && !Number.isFinite(numbers[i])) run.note(i, 'not_finite');
    }
  },
};
