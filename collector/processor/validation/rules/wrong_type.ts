import { hasValue, QualityReason, reasonOf } from '../../../../proto/model.ts';
import type { ChannelType } from '../../../profile.ts';
import type { Rule } from '../rule.ts';
import type { Run } from '../run.ts';
import { TIME_FAULT } from '../run.ts';
import { ValueType } from '../states.ts';

/** Another type than the profile's, or than the reader expected. A boolean may come as the number 0 or 1. */
export const wrongType: Rule = {
  applies: () => true,
  judge(run) {
    const fits = fitsAll(run, run.channel.type);
    if (fits && run.qualities === 0) return;
    const { qualities, numbers } = run.columns;
    const { marks } = run.sheet;
    const numeric = run.channel.type === 'boolean' && run.type === ValueType.NUMBER;
    for (let i = run.from; i < run.to; i++) {
      if ((marks[i]! & TIME_FAULT) !== 0) continue;
      const quality = qualities[i]!;
      const wrong = hasValue(quality)
        ? !fits && !(numeric && (numbers[i] === 0 || numbers[i] === 1))
        : reasonOf(quality) === QualityReason.WRONG_TYPE;
      if (wrong) run.note(i, 'wrong_type');
    }
  },
};

function fitsAll(run: Run, type: ChannelType | undefined): boolean {
  switch (type) {
    case undefined:
      return true;
    case 'number':
      return run.type === ValueType.NUMBER;
    case 'text':
      return run.type === ValueType.TEXT;
    case 'boolean':
      return run.type === ValueType.BOOLEAN;
  }
}
