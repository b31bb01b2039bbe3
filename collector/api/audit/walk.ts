/**
 * Walks the chain of the audit log, entry by entry, and says where it breaks first. Pure: whoever walks
 * brings the entries, in the order of their numbers.
 */

import type { AuditHead, AuditRecord } from '../../processor/outputs/audit.ts';
import { hashOf } from '../../processor/outputs/audit.ts';

/**
 * changed: the entry is not what was hashed, or not what the next one was chained to. missing: it is not
 * there. inserted: the number is there twice, or the log never made it. cut: it and all after it are not
 * there. rewritten: the chain is whole, and is another one than the log made.
 */
export const FAULTS = ['changed', 'missing', 'inserted', 'cut', 'rewritten'] as const;
export type Fault = (typeof FAULTS)[number];

export interface Break {
  /** Of the first entry that is wrong, or not there. */
  number: number;
  reason: Fault;
}

export class AuditWalk {
  #head: AuditHead;
  readonly #keptMs: number;
  #first: number | undefined;
  #entries = 0;

  /**
   * `head`: what the first entry must be chained to; NO_AUDIT: from the beginning. `keptMs`: entries that
   * were logged before may have left the store, and are not missed.
   */
  constructor(head: AuditHead, keptMs: number) {
    this.#head = head;
    this.#keptMs = keptMs;
  }

  /** The last entry that was found right. */
  get head(): AuditHead {
    return this.#head;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Number of the first entry that was there; undefined: none was. */
  get first(): number | undefined {
    return this.#first;
  }

  /** Undefined: the entry is right. After a break nothing more may be taken. */
  take(entry: AuditRecord): Break | undefined {
    const { number, hash, loggedMs } = this.#head;
    if (entry.number <= number) return { number: entry.number, reason: 'inserted' };
    const isNext = entry.number === number + 1;
    // previousMs is in the hash: it cannot be moved back to hide what was taken away.
    if (!isNext && entry.previousMs >= this.#keptMs)
      return { number: number + 1, reason: 'missing' };
    if (hashOf(entry) !== entry.hash) return { number: entry.number, reason: 'changed' };
    // The entry agrees with its own hash: then it is the one before that was made anew.
    if (isNext && (entry.previousHash !== hash || entry.previousMs !== loggedMs))
      return { number: Math.max(1, number), reason: 'changed' };
    this.#first ??= entry.number;
    this.#entries++;
    this.#head = { number: entry.number, hash: entry.hash, loggedMs: entry.loggedMs };
    return undefined;
  }
}
