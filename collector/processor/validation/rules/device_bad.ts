import { QualityReason, reasonOf, Severity, severityOf } from '../../../../proto/model.ts';
import type { Rule } from '../rule.ts';
import { TIME_FAULT } from '../run.ts';

/** The device itself said so. What the agent found (type, clock, length) has other reasons. */
export const deviceBad: Rule = {
  applies: () => true,
  judge(run) {
    if (run.qualities === 0) return;
    const { qualities } = run.columns;
    const { marks } = run.sheet;
    for (let i = run.from; i < run.to; i++) {
      if ((marks[i]! & TIME_FAULT) === 0 && isDevices(qualities[i]!)) run.note(i, 'device_bad');
    }
  },
};

function isDevices(quality: number): boolean {
  if (severityOf(quality) === Severity.GOOD) return false;
  const reason = reasonOf(quality);
  return (
    reason === QualityReason.NONE ||
    reason === QualityReason.DEVICE_ERROR ||
    reason === QualityReason.DEVICE_FLAGGED
  );
}
