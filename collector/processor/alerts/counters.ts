/**
 * What came of a device in the last minutes of reading time: rolling counts for the facts `quality` and
 * `error_percent`. A reading counts in its own minute, whenever it arrives; one from before the window
 * does not count any more.
 */

import { dimensionMask } from '../../findings.ts';
import { expect, noCounts, score } from '../../quality/score.ts';
import { UNUSABLE } from '../validation/run.ts';
import { ERROR_READINGS_MIN, WINDOW_MINUTES } from './limits.ts';

const MINUTE_MS = 60_000;

/** Places in the counts of a minute. */
const MINUTE = 0;
const ARRIVED = 1;
const COMPLETENESS = 2;
const ACCURACY = 3;
const CONSISTENCY = 4;
const TIMELINESS = 5;
const ERRORS = 6;
const FIELDS = 7;

const MASKS: readonly (readonly [number, number])[] = [
  [COMPLETENESS, dimensionMask('completeness')],
  [ACCURACY, dimensionMask('accuracy')],
  [CONSISTENCY, dimensionMask('consistency')],
  [TIMELINESS, dimensionMask('timeliness')],
];

/** What should come: `channels` readings every `intervalMs`; an interval of 0: whatever comes. */
export interface Pace {
  intervalMs: number;
  channels: number;
}

export class RollingCounts {
  /** Minute by minute, each at its number modulo WINDOW_MINUTES. */
  readonly #counts = new Float64Array(WINDOW_MINUTES * FIELDS).fill(Number.NaN);
  /** Newest minute that there was a reading of. */
  #newest = Number.NEGATIVE_INFINITY;
  /** Readings are expected from then on. */
  #sinceMs = Number.NaN;
  /** Something that costs points came since looked(). */
  #isBlemished = false;

  get isBlemished(): boolean {
    return this.#isBlemished;
  }

  looked(): void {
    this.#isBlemished = false;
  }

  get minute(): number {
    return this.#newest;
  }

  /** A reading with these findings; `isError`: without a usable value for another reason. */
  add(timeMs: number, findings: number, isError: boolean): void {
    const at = this.#at(timeMs);
    if (at < 0) return;
    const counts = this.#counts;
    counts[at + ARRIVED] = counts[at + ARRIVED]! + 1;
    if (findings === 0 && !isError) return;
    this.#isBlemished = true;
    for (const [field, mask] of MASKS)
      if ((findings & mask) !== 0) counts[at + field] = counts[at + field]! + 1;
    if (isError || (findings & UNUSABLE) !== 0) counts[at + ERRORS] = counts[at + ERRORS]! + 1;
  }

  /** A reading that arrives behind newer ones: it never opens a minute beyond the newest. */
  addLate(timeMs: number, findings: number, isError: boolean): void {
    if (Math.floor(timeMs / MINUTE_MS) <= this.#newest) this.add(timeMs, findings, isError);
  }

  /** `count` clean readings of one time. */
  addClean(timeMs: number, count: number): void {
    const at = this.#at(timeMs);
    if (at >= 0) this.#counts[at + ARRIVED] = this.#counts[at + ARRIVED]! + count;
  }

  /** Rejects have no place in the order of the readings: they count with the newest. */
  addRejects(count: number): void {
    if (this.#newest === Number.NEGATIVE_INFINITY) return;
    const at = modulo(this.#newest) * FIELDS;
    this.#isBlemished = true;
    for (const field of [ARRIVED, ACCURACY, ERRORS])
      this.#counts[at + field] = this.#counts[at + field]! + count;
  }

  /** Null: nothing to judge. `nowMs`: reading time. */
  quality(nowMs: number, pace: Pace): number | null {
    const counts = noCounts();
    this.#each((at) => {
      counts.received += this.#counts[at + ARRIVED]!;
      counts.defects.completeness += this.#counts[at + COMPLETENESS]!;
      counts.defects.accuracy += this.#counts[at + ACCURACY]!;
      counts.defects.consistency += this.#counts[at + CONSISTENCY]!;
      counts.defects.timeliness += this.#counts[at + TIMELINESS]!;
    });
    expect(counts, this.#expected(nowMs, pace));
    return score(counts).all;
  }

  /** Null: too few readings. */
  errorPercent(): number | null {
    let arrived = 0;
    let errors = 0;
    this.#each((at) => {
      arrived += this.#counts[at + ARRIVED]!;
      errors += this.#counts[at + ERRORS]!;
    });
    return arrived < ERROR_READINGS_MIN ? null : (100 * errors) / arrived;
  }

  /** Null: nothing is in it. */
  encode(): (number | null)[] | null {
    if (this.#newest === Number.NEGATIVE_INFINITY) return null;
    const minutes: (number | null)[] = [];
    this.#each((at) => {
      minutes.push(...this.#counts.subarray(at, at + FIELDS));
    });
    return [this.#sinceMs, this.#isBlemished ? 1 : 0, this.#newest, ...minutes];
  }

  static decode(encoded: readonly (number | null)[] | null | undefined): RollingCounts {
    const decoded = new RollingCounts();
    if (encoded === null || encoded === undefined) return decoded;
    const [sinceMs, isBlemished, newest, ...minutes] = encoded;
    decoded.#sinceMs = sinceMs ?? Number.NaN;
    decoded.#isBlemished = isBlemished === 1;
    decoded.#newest = newest ?? Number.NEGATIVE_INFINITY;
    for (let i = 0; i + FIELDS <= minutes.length; i += FIELDS) {
      const minute = minutes[i] ?? Number.NaN;
      const at = modulo(minute) * FIELDS;
      for (let f = 0; f < FIELDS; f++) decoded.#counts[at + f] = minutes[i + f] ?? 0;
    }
    return decoded;
  }

  #expected(nowMs: number, { intervalMs, channels }: Pace): number {
    if (intervalMs <= 0) return 0;
    const windowMs = (this.#newest - WINDOW_MINUTES + 1) * MINUTE_MS;
    const spanMs = nowMs - Math.max(this.#sinceMs, windowMs);
    return !(spanMs > 0) ? 0 : Math.floor(spanMs / intervalMs) * channels;
  }

  /** Where the minute of this time is counted; -1: it is before the window. */
  #at(timeMs: number): number {
    const minute = Math.floor(timeMs / MINUTE_MS);
    if (minute > this.#newest) this.#advance(minute, timeMs);
    else if (!(minute > this.#newest - WINDOW_MINUTES)) return -1;
    const at = modulo(minute) * FIELDS;
    if (this.#counts[at + MINUTE] !== minute) {
      this.#counts.fill(0, at, at + FIELDS);
      this.#counts[at + MINUTE] = minute;
    }
    return at;
  }

  #advance(minute: number, timeMs: number): void {
    // After a gap as long as the window nothing was missing in it: the device was away, or off.
    if (!(minute < this.#newest + WINDOW_MINUTES)) this.#sinceMs = timeMs;
    this.#newest = minute;
  }

  /** Calls back with the place of each minute in the window that has readings, the oldest first. */
  #each(call: (at: number) => void): void {
    if (this.#newest === Number.NEGATIVE_INFINITY) return;
    for (let minute = this.#newest - WINDOW_MINUTES + 1; minute <= this.#newest; minute++) {
      const at = modulo(minute) * FIELDS;
      if (this.#counts[at + MINUTE] === minute) call(at);
    }
  }
}

function modulo(minute: number): number {
  const rest = minute % WINDOW_MINUTES;
  return rest < 0 ? rest + WINDOW_MINUTES : rest;
}
