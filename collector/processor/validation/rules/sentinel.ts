import type { Rule } from '../rule.ts';
import { TIME_FAULT } from '../run.ts';

/** Numbers that the profile says stand for "no value". */
export const sentinel: Rule = {
  applies: (channel) => channel.sentinels.length > 0,
  judge(run) {
    if (run.isText) return;
    const { numbers } = run.columns;
    const { marks } = run.sheet;
    for (const value of run.channel.sentinels) {
      if (!(value >= run.low && value <= run.high)) continue;
      for (let i = run.from; i < run.to; i++) {
        if (numbers[i] === value && (marks[i]! & TIME_FAULT) === 0) run.note(i, 'sentinel');
      }
    }
  },
};
