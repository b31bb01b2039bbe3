/** Which alerts are news, and in what words they are told. Pure but for what it remembers. */

import type { Alert } from '../api/types.ts';

/** Told by name at once; beyond that they are counted. */
const NAMED_MAX = 3;
/** Between two polite announcements: a reader is not to talk without end. */
export const PAUSE_MS = 5_000;

export interface News {
  /** A CRITICAL one is among them: it is told at once, whatever is being said. */
  isUrgent: boolean;
  named: readonly Alert[];
  /** How many more. */
  others: number;
}

export class Announcer {
  /** Ids that were told, or were there at the start; undefined: nothing was seen yet. */
  #told: Set<string> | undefined;
  #waiting: Alert[] = [];
  #toldMs = Number.NEGATIVE_INFINITY;

  /** Those that fire and nobody cares for, severest first, as they are now. What was there at first is no news. */
  take(loud: readonly Alert[]): void {
    const told = this.#told;
    this.#told = new Set(loud.map(({ id }) => id));
    if (told === undefined) return;
    const known = new Set(this.#waiting.map(({ id }) => id));
    this.#waiting = [
      // What is over before it was told is no news any more.
      ...this.#waiting.filter(({ id }) => this.#told?.has(id)),
      ...loud.filter(({ id }) => !told.has(id) && !known.has(id)),
    ];
  }

  /** How long to wait before next() has something to tell; undefined: nothing waits. */
  waitMs(nowMs: number): number | undefined {
    if (this.#waiting.length === 0) return undefined;
    if (this.#waiting.some(({ severity }) => severity === 'CRITICAL')) return 0;
    return Math.max(0, this.#toldMs + PAUSE_MS - nowMs);
  }

  /** All that waits. */
  next(nowMs: number): News {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#toldMs = nowMs;
    return {
      isUrgent: waiting.some(({ severity }) => severity === 'CRITICAL'),
      named: waiting.slice(0, NAMED_MAX),
      others: Math.max(0, waiting.length - NAMED_MAX),
    };
  }
}
