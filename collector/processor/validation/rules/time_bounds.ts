import type { Rule } from '../rule.ts';
import { Mark } from '../run.ts';

/** Readings from before the retention, or too far ahead: for quarantine, and no other rule sees them. */
export const timeBounds: Rule = {
  applies: () => true,
  judge(run) {
    const earliestMs = run.receivedMs - run.channel.ageMaxMs;
    const latestMs = run.receivedMs + run.channel.aheadMaxMs;
    if (run.firstMs >= earliestMs && run.lastMs <= latestMs) return;
    const { timesMs } = run.columns;
    for (let i = run.from; i < run.to; i++) {
      if (timesMs[i]! < earliestMs) run.mark(i, Mark.TOO_OLD);
      else if (timesMs[i]! > latestMs) run.mark(i, Mark.TOO_NEW);
    }
  },
};
