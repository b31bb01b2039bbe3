import { QualityReason, reasonOf } from '../../../../proto/model.ts';
import type { Rule } from '../rule.ts';
import { TIME_FAULT } from '../run.ts';

/** late: above the limit from reading to receipt. future: ahead of the receipt. clock_doubt: as the gateway says. */
export const timeliness: Rule = {
  applies: () => true,
  judge(run) {
    const lateBeforeMs = run.receivedMs - run.channel.timelyWithinMs;
    const futureAfterMs = run.receivedMs + run.channel.futureToleranceMs;
    const inTime = run.firstMs >= lateBeforeMs && run.lastMs <= futureAfterMs;
    if (inTime && run.qualities === 0) return;
    const { timesMs, qualities } = run.columns;
    const { marks } = run.sheet;
    for (let i = run.from; i < run.to; i++) {
      if ((marks[i]! & TIME_FAULT) !== 0) continue;
      if (timesMs[i]! < lateBeforeMs) run.note(i, 'late');
      else if (timesMs[i]! > futureAfterMs) run.note(i, 'future');
      if (reasonOf(qualities[i]!) === QualityReason.CLOCK_UNSYNCED) run.note(i, 'clock_doubt');
    }
  },
};
