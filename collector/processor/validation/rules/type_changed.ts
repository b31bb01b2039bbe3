import { hasValue } from '../../../../proto/model.ts';
import type { ChannelType } from '../../../profile.ts';
import { TYPE_CHANGE_QUIET_MS } from '../limits.ts';
import type { Rule } from '../rule.ts';
import type { Run } from '../run.ts';
import { Mark, TIME_FAULT } from '../run.ts';
import { Field } from '../states.ts';

const NAMES: readonly ChannelType[] = ['number', 'boolean', 'text'];

/** Noted of the first reading of the other type; told as an event not more often than a bound. */
export const typeChanged: Rule = {
  applies: () => true,
  judge(run) {
    const { fields } = run.states;
    const known = fields[run.at + Field.TYPE]!;
    if (known === run.type) return;
    const first = firstValue(run);
    if (first < 0) return;
    fields[run.at + Field.TYPE] = run.type;
    if (known === 0) return;
    run.note(first, 'type_changed');
    const toldMs = fields[run.at + Field.TYPE_TOLD_MS]!;
    if (run.receivedMs - toldMs < TYPE_CHANGE_QUIET_MS) return;
    fields[run.at + Field.TYPE_TOLD_MS] = run.receivedMs;
    run.typeChanges.push({
      device: run.device,
      channel: run.channelName,
      from: NAMES[known - 1]!,
      to: NAMES[run.type - 1]!,
    });
  },
};

/** Index of the first reading with a value that is not set aside, -1 if there is none. */
function firstValue(run: Run): number {
  const { qualities } = run.columns;
  const { marks } = run.sheet;
  for (let i = run.from; i < run.to; i++) {
    if ((marks[i]! & (TIME_FAULT | Mark.ASIDE)) === 0 && hasValue(qualities[i]!)) return i;
  }
  return -1;
}
