import type { Rule } from '../rule.ts';
import { IMPLAUSIBLE, Mark, TIME_FAULT } from '../run.ts';
import { Field } from '../states.ts';

/** For decimals that no double stands for exactly: 20.3 - 20.2 is more than 0.1. */
const ROUNDING = 1e-12;

/**
 * The change since the last value that was within its rate: one jump is one finding, not two, and what
 * is reachable in the time that has passed since is fine again.
 */
export const rate: Rule = {
  applies: ({ type, ratePerMsMax }) => type === 'number' && ratePerMsMax < Number.POSITIVE_INFINITY,
  judge(run) {
    if (run.isText) return;
    const { fields } = run.states;
    const { ratePerMsMax } = run.channel;
    const { numbers, timesMs } = run.columns;
    const { findings, marks } = run.sheet;
    let base = fields[run.at + Field.RATE]!;
    let baseMs = fields[run.at + Field.RATE_MS]!;
    for (let i = run.from; i < run.to; i++) {
      if ((findings[i]! & IMPLAUSIBLE) !== 0 || (marks[i]! & (TIME_FAULT | Mark.ASIDE)) !== 0) {
        continue;
      }
      const value = numbers[i]!;
      const timeMs = timesMs[i]!;
      // Behind it: the clock was set back; not a number: there was none.
      const isAfter = timeMs > baseMs;
      const rounding = ROUNDING * Math.abs(value) + ROUNDING * Math.abs(base);
      if (isAfter && Math.abs(value - base) > ratePerMsMax * (timeMs - baseMs) + rounding) {
        run.note(i, 'rate_of_change');
      } else {
        base = value;
        baseMs = timeMs;
      }
    }
    fields[run.at + Field.RATE] = base;
    fields[run.at + Field.RATE_MS] = baseMs;
  },
};
