import type { Rule } from '../rule.ts';
import { Mark, TIME_FAULT, UNUSABLE } from '../run.ts';
import { Field } from '../states.ts';

/** The same number or boolean all the time. A pause in the readings ends a run: it proves nothing. */
export const stuck: Rule = {
  applies: ({ type, stuckAfterMs }) => type !== 'text' && stuckAfterMs < Number.POSITIVE_INFINITY,
  judge(run) {
    if (run.isText) return;
    const { fields } = run.states;
    const { stuckAfterMs, runGapMs } = run.channel;
    const { numbers, timesMs } = run.columns;
    const { findings, marks } = run.sheet;
    let held = fields[run.at + Field.RUN]!;
    let sinceMs = fields[run.at + Field.RUN_SINCE_MS]!;
    let lastMs = fields[run.at + Field.RUN_LAST_MS]!;
    for (let i = run.from; i < run.to; i++) {
      if ((findings[i]! & UNUSABLE) !== 0 || (marks[i]! & (TIME_FAULT | Mark.ASIDE)) !== 0)
        continue;
      const timeMs = timesMs[i]!;
      // Behind it: the clock was set back.
      const goesOn = timeMs > lastMs && timeMs - lastMs <= runGapMs;
      if (goesOn && numbers[i] === held) {
        if (timeMs - sinceMs > stuckAfterMs) run.note(i, 'stuck');
      } else {
        held = numbers[i]!;
        sinceMs = timeMs;
      }
      lastMs = timeMs;
    }
    fields[run.at + Field.RUN] = held;
    fields[run.at + Field.RUN_SINCE_MS] = sinceMs;
    fields[run.at + Field.RUN_LAST_MS] = lastMs;
  },
};
