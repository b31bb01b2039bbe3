/** What becomes of a run's readings after its rules have spoken, and the last good value. */

import { findingKinds, maskOf, Treatment } from '../../findings.ts';
import { PolicyRank } from './policies.ts';
import type { Run } from './run.ts';
import { Mark, NOT_GOOD, TIME_FAULT } from './run.ts';
import { Field } from './states.ts';

/** In Sheet.treatments: for quarantine. No Treatment has this number. */
export const QUARANTINED = 255;

const OUT_OF_RANGE = 1 << findingKinds.out_of_range.bit;
/** A value came, but none that means anything: with a profile it is stored as missing. */
const NO_MEANING = maskOf('sentinel', 'not_finite');

export function settle(run: Run): void {
  const { fields } = run.states;
  const { numbers, timesMs } = run.columns;
  const { at } = run;
  if (!run.any) {
    if (run.isText) return;
    fields[at + Field.GOOD] = numbers[run.to - 1]!;
    fields[at + Field.GOOD_MS] = timesMs[run.to - 1]!;
    return;
  }
  run.sheet.any = true;
  const { findings, policies, marks, treatments } = run.sheet;
  for (let i = run.from; i < run.to; i++) {
    const policy = policies[i]!;
    if (policy === PolicyRank.quarantine) {
      treatments[i] = QUARANTINED;
      continue;
    }
    if (findings[i] !== 0) treatments[i] = treat(run, i, policy);
    const teaches = (marks[i]! & (Mark.ASIDE | TIME_FAULT)) === 0 && !run.isText;
    if (teaches && (findings[i]! & NOT_GOOD) === 0) {
      fields[at + Field.GOOD] = numbers[i]!;
      fields[at + Field.GOOD_MS] = timesMs[i]!;
    }
  }
}

function treat(run: Run, i: number, policy: number): Treatment {
  const { channel, sheet } = run;
  const { findings, cleaned } = sheet;
  if (policy === PolicyRank.fill) {
    const value = fillOf(run, run.columns.timesMs[i]!);
    if (value !== undefined) {
      cleaned[i] = value;
      return Treatment.FILLED;
    }
  }
  if (channel.type !== undefined && (findings[i]! & NO_MEANING) !== 0) return Treatment.MISSING;
  if (policy === PolicyRank.clip && (findings[i]! & OUT_OF_RANGE) !== 0) {
    cleaned[i] = run.columns.numbers[i]! < channel.min ? channel.min : channel.max;
    return Treatment.CLIPPED;
  }
  return policy === PolicyRank.keep ? Treatment.KEPT : Treatment.FLAGGED;
}

/** Undefined: there is nothing to fill with. A value from after the reading is not the last one. */
function fillOf(run: Run, timeMs: number): number | undefined {
  const { channel, states, at } = run;
  if (channel.type === 'text') return undefined;
  if (channel.fill !== undefined) return channel.fill;
  const good = states.fields[at + Field.GOOD]!;
  return states.fields[at + Field.GOOD_MS]! <= timeMs ? good : undefined;
}
