/**
 * Verifies the audit log in the store: walks the chain in bounded steps, then compares its end with the
 * newest entry that the log is known to have made.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { AuditHead, AuditRecord } from '../../processor/outputs/audit.ts';
import { NO_AUDIT } from '../../processor/outputs/audit.ts';
import type { KnownHead } from '../live/audit.ts';
import type { Queries } from '../queries.ts';
import type { Row } from './rows.ts';
import { toAudit } from './rows.ts';
import type { Break, Fault } from './walk.ts';
import { AuditWalk } from './walk.ts';

/** Entries of one query; with details of the greatest length some 20 MB. */
const STEP_ROWS = 5_000;
/** An answer comes after so long, complete or not. */
const WALK_MS = 20_000;
/** What is on its way into the store, or into this process, is waited for so long. */
const SETTLE_MS = 10_000;
const POLL_MS = 200;
const UINT64_MAX = '18446744073709551615';

/** How far an answer came; the next one goes on from there. */
export interface VerifyPlace extends AuditHead {
  entries: number;
  first: number;
}

export interface VerifyOptions {
  queries: Pick<Queries, 'run'>;
  /** Undefined: this process does not know what the log made. */
  known: () => KnownHead | undefined;
  /** Offset in `events` up to which the store has everything; undefined: nobody knows. */
  written: () => number | undefined;
  /** Whether the log has this row's entry, where the row says. */
  isInLog: (row: Row) => Promise<boolean>;
  /** Entries that were logged before may have left the store. */
  keptMs: number;
  from: VerifyPlace | undefined;
  signal: AbortSignal;
  walkMs?: number;
  settleMs?: number;
}

export interface Verdict {
  /** Null: it is not complete yet. */
  ok: boolean | null;
  complete: boolean;
  entries: number;
  /** Number of the oldest entry that is there; 0: there is none. */
  first: number;
  /** The last entry that was found right. */
  head: AuditHead;
  brokenAt: number | null;
  reason: Fault | null;
  /** The end was compared with what the log made. */
  isCompared: boolean;
  /** Entries that the log made and the writer has not stored yet. */
  notYetStored: number;
  next: VerifyPlace | undefined;
}

/** Rejects as Queries.run does. */
export function verifyAudit(options: VerifyOptions): Promise<Verdict> {
  return new Verification(options).run();
}

class Verification {
  readonly #options: VerifyOptions;
  readonly #start: VerifyPlace;
  readonly #walk: AuditWalk;
  /** What the log is known to have made as this begins. */
  readonly #known: KnownHead | undefined;
  /** Since the end of what is stored was reached. */
  #settledMs: number | undefined;

  constructor(options: VerifyOptions) {
    this.#options = options;
    this.#start = options.from ?? { ...NO_AUDIT, entries: 0, first: 0 };
    this.#walk = new AuditWalk(this.#start, options.keptMs);
    this.#known = options.known();
  }

  async run(): Promise<Verdict> {
    const walked = await this.#walkAll();
    if (walked !== undefined || this.#known === undefined) return walked ?? this.#verdict({});
    const { number, hash } = this.#walk.head;
    if (number === this.#known.number && hash !== this.#known.hash)
      return this.#broken({ number, reason: 'rewritten' });
    return (await this.#walkBeyond()) ?? this.#verdict({});
  }

  /** Undefined: right up to what the log is known to have made, or to the end. */
  async #walkAll(): Promise<Verdict | undefined> {
    const { written, walkMs = WALK_MS } = this.#options;
    const deadlineMs = performance.now() + walkMs;
    for (;;) {
      // Before the rows are read: what was written by then must be among them.
      const isWritten = isStored(this.#known, written());
      const { isEnd, fault } = await this.#step();
      if (fault !== undefined) return this.#broken(fault);
      if (!isEnd && performance.now() < deadlineMs) continue;
      if (!isEnd) return this.#incomplete();
      const missing = (this.#known?.number ?? 0) - this.#walk.head.number;
      if (missing <= 0) return undefined;
      const isTooLate = await this.#waited();
      if (isWritten === true || (isWritten === undefined && isTooLate))
        return this.#broken({ number: this.#walk.head.number + 1, reason: 'cut' });
      if (isTooLate) return this.#verdict({ notYetStored: missing });
    }
  }

  /** `fault`: where it breaks; `isEnd`: the store has nothing more up to what the log is known to have made. */
  async #step(): Promise<{ isEnd: boolean; fault?: Break }> {
    const { number, hash } = this.#walk.head;
    // The last one once more: whoever has its number, too, is one too many.
    const rows = await this.#options.queries.run<Row>(
      `SELECT * FROM audit WHERE number >= {number:UInt64} AND number <= {upTo:UInt64}
ORDER BY number, log_offset LIMIT ${STEP_ROWS}`,
      { number, upTo: this.#known?.number ?? UINT64_MAX },
      this.#options.signal,
    );
    const entries = rows.map(toAudit);
    const last = entries.findIndex((entry) => entry.number === number && entry.hash === hash);
    if (last >= 0) entries.splice(last, 1);
    for (const entry of entries) {
      const fault = this.#walk.take(entry);
      if (fault !== undefined) return { isEnd: false, fault };
    }
    return { isEnd: rows.length < STEP_ROWS };
  }

  /**
   * What lies beyond the known head: this process may hear of it in a moment, or was killed before the head was
   * kept, and then the log has it. What it has not was put in.
   */
  async #walkBeyond(): Promise<Verdict | undefined> {
    const { queries, signal } = this.#options;
    for (;;) {
      const rows = await queries.run<Row>(
        `SELECT * FROM audit WHERE number > {number:UInt64} ORDER BY number, log_offset LIMIT ${STEP_ROWS}`,
        { number: this.#walk.head.number },
        signal,
      );
      for (const row of rows) {
        const entry = toAudit(row);
        while (!(await this.#isMade(row, entry)))
          if (await this.#waited()) return this.#broken({ ...entry, reason: 'inserted' });
        const fault = this.#walk.take(entry);
        if (fault !== undefined) return this.#broken(fault);
      }
      if (rows.length < STEP_ROWS) return undefined;
    }
  }

  async #isMade(row: Row, { number, hash }: AuditRecord): Promise<boolean> {
    const known = this.#options.known();
    if (known !== undefined && known.number > number) return true;
    if (known?.number === number && known.hash === hash) return true;
    return await this.#options.isInLog(row);
  }

  /** Lets a moment pass; true: there were enough of them. */
  async #waited(): Promise<boolean> {
    const { settleMs = SETTLE_MS, signal } = this.#options;
    this.#settledMs ??= performance.now() + settleMs;
    if (performance.now() >= this.#settledMs) return true;
    await delay(POLL_MS, undefined, { signal });
    return false;
  }

  #broken({ number, reason }: Break): Verdict {
    return this.#verdict({ ok: false, brokenAt: number, reason });
  }

  #incomplete(): Verdict {
    const { entries, first } = this.#verdict({});
    const next = { ...this.#walk.head, entries, first };
    return this.#verdict({ ok: null, complete: false, isCompared: false, next });
  }

  #verdict(more: Partial<Verdict>): Verdict {
    const walk = this.#walk;
    return {
      ok: true,
      complete: true,
      entries: this.#start.entries + walk.entries,
      first: this.#start.first || (walk.first ?? 0),
      head: walk.head,
      brokenAt: null,
      reason: null,
      isCompared: this.#known !== undefined,
      notYetStored: 0,
      next: undefined,
      ...more,
    };
  }
}

/** The store must have the entry; undefined: nobody knows. */
function isStored(known: KnownHead | undefined, written: number | undefined): boolean | undefined {
  if (known?.offset === undefined) return true;
  return written === undefined ? undefined : written > known.offset;
}
