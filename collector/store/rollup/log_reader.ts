/**
 * Follows the records of topic readings up to where the writer has written them, over all partitions. The
 * position in the log is committed as records are read, so that the log is never held back; the position
 * in the store (positions.ts) says how far the roll-ups are complete.
 */

import { setImmediate as turn } from 'node:timers/promises';
import type { ConsumerSession, Log } from '../../log/log.ts';
import type { Position } from './positions.ts';
import type { Touch } from './records.ts';
import { touchesOf } from './records.ts';

const CONSUMER = 'rollup';
const READ_LIMITS = { maxRecords: 500, maxBytes: 2 * 1024 * 1024 };
/** How long the event loop may be held before others get their turn. */
const SLICE_MS = 8;

/** What the writer of a partition's readings says of itself; store/writer.ts WriterStatus has this shape. */
export interface Written {
  /** Rows of the records below are in the store, unless it is healing. */
  position: number;
  healing: boolean;
  healedRowsTotal: number;
}

export class LogReader {
  readonly partition: number;
  readonly #log: Log;
  readonly #session: ConsumerSession;
  readonly #written: () => Written | undefined;
  #next: number;
  #receivedMs: number;
  #committed: number;
  #healedRowsTotal = 0;

  /** `from`: what the store says; undefined: nothing. `first`: of the log. */
  constructor(
    options: { log: Log; partition: number; written: () => Written | undefined },
    session: ConsumerSession,
    first: number,
    from: Position | undefined,
  ) {
    this.partition = options.partition;
    this.#log = options.log;
    this.#written = options.written;
    this.#session = session;
    // A log that was restored is behind the store, a store that was restored is behind the log.
    this.#next = Math.max(first, Math.min(session.position, from?.position ?? 0));
    this.#receivedMs = from?.receivedMs ?? 0;
    this.#committed = session.position;
  }

  static async open(
    options: { log: Log; partition: number; written: () => Written | undefined },
    from: Position | undefined,
  ): Promise<LogReader> {
    const { log, partition } = options;
    const session = await log.openConsumer(CONSUMER, 'readings', partition);
    const { first } = await log.bounds('readings', partition);
    return new LogReader(options, session, first, from);
  }

  /** Where it reads next, and what the newest record before that was received. */
  get position(): Position {
    return { position: this.#next, receivedMs: this.#receivedMs };
  }

  /** Everything that the writer has written was read. */
  get isLevel(): boolean {
    const written = this.#written();
    if (written === undefined || written.healing) return false;
    return this.#next >= written.position && written.healedRowsTotal === this.#healedRowsTotal;
  }

  /**
   * Rows that the store had lost are there again, of any record that the log holds: answers true, and
   * begins anew, once.
   */
  async beganAnew(): Promise<boolean> {
    const written = this.#written();
    if (written === undefined || written.healing) return false;
    if (written.healedRowsTotal === this.#healedRowsTotal) return false;
    const { first } = await this.#log.bounds('readings', this.partition);
    this.#next = first;
    this.#healedRowsTotal = written.healedRowsTotal;
    return true;
  }

  /** Tells what the records touch that were written since. */
  async read(tell: (touch: Touch, receivedMs: number) => void, signal: AbortSignal): Promise<void> {
    const written = this.#written();
    if (written === undefined || written.healing) return;
    let sliceStartMs = performance.now();
    while (this.#next < written.position && !signal.aborted) {
      const records = await this.#log.read('readings', this.partition, this.#next, READ_LIMITS);
      if (records.length === 0) break;
      for (const record of records) {
        if (record.offset >= written.position) break;
        const { receivedMs, touches } = touchesOf(record);
        for (const touch of touches) tell(touch, receivedMs);
        this.#next = record.offset + 1;
        this.#receivedMs = Math.max(this.#receivedMs, receivedMs);
        if (performance.now() - sliceStartMs < SLICE_MS) continue;
        await turn();
        sliceStartMs = performance.now();
      }
    }
    if (this.#next <= this.#committed) return;
    await this.#session.commitPosition(this.#next);
    this.#committed = this.#next;
  }

  close(): Promise<void> {
    return this.#session.close().catch(() => undefined);
  }
}
