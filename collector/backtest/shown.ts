/**
 * What a row of the output says. `alarm` is 1 while an anomaly is open. `score` says how abnormal the row
 * is; it reaches THRESHOLD only where an anomaly begins, so that whoever counts rows from a threshold on
 * counts each anomaly once.
 */

import type { Outcome } from './device_run.ts';

/** Of a score: an anomaly. */
export const THRESHOLD = 0.5;
/** The most that a row shows at which none begins. */
export const BELOW = 0.499;
export const HEADER = 'timestamp,score,alarm,reason\n';

export type Language = 'en' | 'ko';

export function scoreShown({
  score,
  isOnset,
}: Pick<Outcome<unknown>, 'score' | 'isOnset'>): number {
  if (isOnset) return Math.min(1, Math.max(THRESHOLD, score));
  return Math.min(BELOW, Math.max(0, score));
}

/** A line of CSV; `time` as it stood in the recording. */
export function lineOf(time: string, outcome: Outcome<unknown>, language: Language): string {
  const score = Number(scoreShown(outcome).toFixed(6));
  const alarm = outcome.isOpen ? 1 : 0;
  return `${quoted(time)},${score},${alarm},${quoted(outcome.reason?.[language] ?? '')}\n`;
}

function quoted(text: string): string {
  return /[",\r\n;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
