/**
 * What a row of the output says. `alarm` is 1 exactly where `score` is THRESHOLD or more. Which rows these
 * are: all at which an anomaly is open, or only the one at which it begins. The first is what counts rows,
 * the second what counts each anomaly once; see defaultMark.
 */

import type { Outcome } from './device_run.ts';

/** Of a score: an anomaly. */
export const THRESHOLD = 0.5;
/** The most that a row shows that has no alarm. */
export const BELOW = 0.499;
export const HEADER = 'timestamp,score,alarm,reason\n';

export const MARKS = ['onset', 'open'] as const;
export type Mark = (typeof MARKS)[number];
export type Language = 'en' | 'ko';

export interface Look {
  mark: Mark;
  language: Language;
}

/**
 * Series of one channel are judged by how often somebody is called (each further row is one call too many),
 * machines with several by how long they were wrong.
 */
export function defaultMark(channels: number): Mark {
  return channels === 1 ? 'onset' : 'open';
}

type Marked = Pick<Outcome<unknown>, 'score' | 'isOnset' | 'isOpen'>;

export function alarmShown({ isOnset, isOpen }: Marked, mark: Mark): boolean {
  return isOnset || (mark === 'open' && isOpen);
}

export function scoreShown(outcome: Marked, mark: Mark): number {
  const { score } = outcome;
  if (alarmShown(outcome, mark)) return Math.min(1, Math.max(THRESHOLD, score));
  return Math.min(BELOW, Math.max(0, score));
}

/** A line of CSV; `time` as it stood in the recording. */
export function lineOf(time: string, outcome: Outcome<unknown>, { mark, language }: Look): string {
  const score = Number(scoreShown(outcome, mark).toFixed(6));
  const alarm = alarmShown(outcome, mark) ? 1 : 0;
  return `${quoted(time)},${score},${alarm},${quoted(outcome.reason?.[language] ?? '')}\n`;
}

function quoted(text: string): string {
  return /[",\r\n;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
