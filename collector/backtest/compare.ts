/** The anomalies that there would have been beside those that there were. */

import type { AnomalyChange } from '../processor/anomaly/detection.ts';
import type { PastAnomaly } from './history.ts';

/** Kept of those that there would have been; further ones are only counted. */
const WOULD_BE_MAX = 10_000;

export interface WouldBe {
  onsetMs: number;
  /** Infinity: open at the end of the range. */
  endMs: number;
  score: number;
  detector: string;
  channel: string;
  reason: { en: string; ko: string };
}

export interface Marked {
  /** There were so many. */
  past: number;
  /** Of these, met by one that there would have been. */
  met: number;
}

export interface Comparison {
  wouldBe: number;
  /** Undefined: the collector did not tell what there was. */
  against:
    | {
        past: number;
        /** Of those that there would have been, without one at that time. */
        new: number;
        byMark: Record<'true' | 'false' | 'maintenance' | 'none', Marked>;
      }
    | undefined;
}

/** Collects the changes of one device. Those that began before `fromMs` are left out. */
export class WouldBeList {
  readonly #fromMs: number;
  readonly list: WouldBe[] = [];
  count = 0;
  #open: WouldBe | undefined;

  constructor(fromMs: number) {
    this.#fromMs = fromMs;
  }

  add({ phase, onsetMs, endMs, score, detector, channel, reason }: AnomalyChange): void {
    if (phase === 'onset') {
      this.#open = { onsetMs, endMs: Infinity, score, detector, channel, reason };
      if (onsetMs < this.#fromMs) return;
      this.count++;
      if (this.list.length < WOULD_BE_MAX) this.list.push(this.#open);
      return;
    }
    if (this.#open === undefined) return;
    Object.assign(this.#open, { score, detector, channel, reason });
    if (phase === 'end') this.#open.endMs = endMs;
  }
}

/** Two are the same when they overlap, or lie no farther apart than this. */
const APART_MS_MAX = 60_000;

export function metBy(anomaly: WouldBe, past: readonly PastAnomaly[]): PastAnomaly | undefined {
  return past.find((one) => overlap(anomaly, one));
}

export function compare(
  wouldBe: WouldBeList,
  past: readonly PastAnomaly[] | undefined,
): Comparison {
  if (past === undefined) return { wouldBe: wouldBe.count, against: undefined };
  const byMark = { true: none(), false: none(), maintenance: none(), none: none() };
  for (const one of past) {
    const marked = byMark[one.mark ?? 'none'];
    marked.past++;
    if (wouldBe.list.some((anomaly) => overlap(anomaly, one))) marked.met++;
  }
  const fresh = wouldBe.list.filter((anomaly) => metBy(anomaly, past) === undefined).length;
  return { wouldBe: wouldBe.count, against: { past: past.length, new: fresh, byMark } };
}

function overlap(a: { onsetMs: number; endMs: number }, b: PastAnomaly): boolean {
  return a.onsetMs <= b.endMs + APART_MS_MAX && b.onsetMs <= a.endMs + APART_MS_MAX;
}

function none(): Marked {
  return { past: 0, met: 0 };
}
