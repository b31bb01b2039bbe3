import { hasValue, NO_VALUE_BIT } from '../../../../proto/model.ts';
import type { Rule } from '../rule.ts';
import { TIME_FAULT } from '../run.ts';

/** A reading without a value, whatever the reason. */
export const nullValue: Rule = {
  applies: () => true,
  judge(run) {
    if ((run.qualities & NO_VALUE_BIT) === 0) return;
    const { qualities } = run.columns;
    const { marks } = run.sheet;
    for (let i = run.from; i < run.to; i++) {
      if (!hasValue(qualities[i]!) && (marks[i]! & TIME_FAULT) === 0) run.note(i, 'null_value');
    }
  },
};
