import { BEHIND_MAX } from '../limits.ts';
import type { Rule } from '../rule.ts';
import type { Run } from '../run.ts';
import { Mark, TIME_FAULT } from '../run.ts';
import { Field } from '../states.ts';

/**
 * same_time, time_backwards: against the reading before it, in the order in which the gateway took them.
 * A reading that arrives behind newer ones (a gap that is filled later) says nothing of the device's
 * time. Whatever is not newer than all before it is set aside: windows and last values stay those of
 * the newer ones. After BEHIND_MAX such readings in a row the clock was set back, and counts anew.
 */
export const timeOrder: Rule = {
  applies: () => true,
  judge(run) {
    const { fields } = run.states;
    const { at } = run;
    const order = fields[at + Field.ORDER]!;
    if (run.order < order || (run.order === order && run.firstSeq < fields[at + Field.SEQ]!)) {
      for (let i = run.from; i < run.to; i++) run.mark(i, Mark.ASIDE);
      return;
    }
    fields[at + Field.ORDER] = run.order;
    fields[at + Field.SEQ] = run.firstSeq + run.to - run.from - 1;

    // Comparisons with NaN (there was none yet) are false. The previous time is never above the newest.
    const isBehind = run.firstMs <= fields[at + Field.NEWEST_MS]!;
    if (run.ascending && !isBehind && !run.any) {
      fields[at + Field.PREVIOUS_MS] = run.lastMs;
      fields[at + Field.NEWEST_MS] = run.lastMs;
      fields[at + Field.BEHIND] = 0;
      return;
    }
    compareEach(run, run.previousMs ?? fields[at + Field.PREVIOUS_MS]!);
  },
};

function compareEach(run: Run, previousMs: number): void {
  const { fields } = run.states;
  const { at } = run;
  const { timesMs } = run.columns;
  const { marks } = run.sheet;
  for (let i = run.from; i < run.to; i++) {
    if ((marks[i]! & TIME_FAULT) !== 0) continue;
    const timeMs = timesMs[i]!;
    const newestMs = fields[at + Field.NEWEST_MS]!;
    if (timeMs === previousMs || timeMs === newestMs) run.note(i, 'same_time');
    else if (timeMs < previousMs) run.note(i, 'time_backwards');
    const isNewer = !(timeMs <= newestMs);
    if (isNewer || (timeMs < newestMs && isSetBack(run, timeMs > previousMs))) {
      fields[at + Field.NEWEST_MS] = timeMs;
      fields[at + Field.BEHIND] = 0;
    } else {
      run.mark(i, Mark.ASIDE);
    }
    previousMs = timeMs;
  }
  // Of several series of the channel the latest reading is the one before the next chunk's.
  const isBefore = run.previousMs !== undefined && previousMs < fields[at + Field.PREVIOUS_MS]!;
  if (!isBefore && !Number.isNaN(previousMs)) fields[at + Field.PREVIOUS_MS] = previousMs;
}

/** Counts a reading behind the newest; true when that is one too many. */
function isSetBack(run: Run, goesOn: boolean): boolean {
  if (run.previousMs !== undefined) return false;
  const { fields } = run.states;
  const at = run.at + Field.BEHIND;
  fields[at] = fields[at]! + 1;
  return fields[at] > BEHIND_MAX && goesOn;
}
