/**
 * Reads the alerts of one partition of topic events into its book (book.ts), under a session of the log that
 * fences a former one. The book's changes go into topic `control` first, then the position moves behind them.
 *
 * A kill in between, or between a message and the word in `control` that it was sent, repeats that
 * message, under the same key. What is in `control` is not fenced itself: the position is committed, which
 * is, right before each time; a process that loses the partition between the two repeats messages at worst.
 */

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ControlView } from '../control.ts';
import { jsonOf } from '../control.ts';
import { CollectorError } from '../errors.ts';
import type { ConsumerSession, Log, LogRecord } from '../log/log.ts';
import type { AlertEntry } from '../processor/outputs/alert.ts';
import { decodeAlert } from '../processor/outputs/alert.ts';
import type { Clock, Logger } from '../types.ts';
import { OutputKind } from '../types.ts';
import { AlertBook } from './book.ts';
import type { Outbox } from './outbox.ts';

export const CONTROL_PREFIX = 'notify/';
const CONSUMER = 'notify';
const TOPIC = 'events';
const READ_LIMITS = { maxRecords: 2_000, maxBytes: 4 * 1024 * 1024 };
/** At most so often the book is written when somebody was told of something: a kill before would repeat it. */
const KEEP_TOLD_EVERY_MS = 100;
/** At most so often for what is in the log, too. */
const KEEP_EVERY_MS = 500;
/** Many open alerts are written less often: about so much a second, a thousand times this. */
const KEEP_BYTES_PER_MS = 2_000;
/** So often a position moves on without alerts, so that the log may trim. */
const COMMIT_EVERY_MS = 5_000;
const RETRY_MS = 3_000;
/** A message under way may take so long when a partition is let go. */
const FINISH_WAIT_MS = 5_000;
/** A process that died says nothing. */
const RELEASE_WAIT_MS = FINISH_WAIT_MS + 1_000;
/** What an upgrade finds in the log is told of as far as it is no older than this. */
const FIRST_LOOK_MS = 3_600_000;

export interface ConsumerOptions {
  log: Log;
  control: Pick<ControlView, 'get' | 'put' | 'until'>;
  /** What `control` holds below `prefix`, by the rest of the key. */
  kept: (prefix: string) => Iterable<[string, Uint8Array]>;
  outboxes: ReadonlyMap<string, Outbox>;
  route: (alert: AlertEntry, nowMs: number) => string[];
  /** No other process has the partitions: one that had them is dead. */
  exclusive: boolean;
  /** All that was in the log at the start of the session has been read. */
  onCaughtUp: (partition: number) => void;
  clock: Clock;
  logger: Logger;
}

/** Who reads a partition, in `control`. */
interface Owner {
  log: string;
  owner: string;
  /** It has let go, and everything that it told is in `control`. */
  released: boolean;
}

export class NotifyConsumer {
  readonly #options: ConsumerOptions;
  readonly #partition: number;
  /** Of this object: another one may have had the partition in between. */
  readonly #owner = randomUUID();
  #book: AlertBook | undefined;
  #position = 0;
  #committed = 0;
  #isDirty = false;
  /** Dirty by what was told. */
  #hasTold = false;
  #keptAtMs = Number.NEGATIVE_INFINITY;
  #keptBytes = 0;
  #wake: () => void = () => undefined;

  constructor(partition: number, options: ConsumerOptions) {
    this.#partition = partition;
    this.#options = options;
  }

  /** Undefined while the partition is not this process'. */
  get book(): AlertBook | undefined {
    return this.#book;
  }

  /** Answers LOG_FENCED and LOG_POSITION_OUTSIDE; all else is tried again. */
  async run(signal: AbortSignal): Promise<CollectorError | undefined> {
    const { logger } = this.#options;
    try {
      while (!signal.aborted) {
        try {
          await this.#session(signal);
        } catch (error) {
          if (signal.aborted) return undefined;
          if (isFinal(error)) return error;
          const fields = { partition: this.#partition, error: String(error), retry_ms: RETRY_MS };
          logger.warn(fields, 'alerts cannot be read for the moment');
          await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
        }
      }
      return undefined;
    } finally {
      this.#dropBook();
    }
  }

  async #session(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    await this.#untilReleased(signal);
    if (signal.aborted) return;
    const session = await log.openConsumer(CONSUMER, TOPIC, this.#partition);
    try {
      await this.#takeOver(session, signal);
      if (signal.aborted) return;
      await this.#follow(session, signal);
      await this.#finish(session);
    } finally {
      await session.close().catch(() => undefined);
    }
  }

  /** One that is being let go is not fenced before it has said what it told last, unless that takes long. */
  async #untilReleased(signal: AbortSignal): Promise<void> {
    const { control, exclusive } = this.#options;
    if (exclusive) return;
    const isFree = (): boolean => {
      const owner = jsonOf<Owner>(control.get(this.#ownerKey));
      return owner === undefined || owner.released === true || owner.owner === this.#owner;
    };
    await control.until(isFree, AbortSignal.any([signal, AbortSignal.timeout(RELEASE_WAIT_MS)]));
  }

  get #ownerKey(): string {
    return `${CONTROL_PREFIX}owner/${this.#partition}`;
  }

  async #sayOwner(released: boolean): Promise<void> {
    const { log, control } = this.#options;
    const owner: Owner = { log: log.identity, owner: this.#owner, released };
    await control.put(this.#ownerKey, Buffer.from(JSON.stringify(owner)));
  }

  /** The partition is let go: what was told up to the end is known to the one who has it next. */
  async #finish(session: ConsumerSession): Promise<void> {
    const outboxes = [...this.#options.outboxes.values()];
    const book = this.#book;
    if (book !== undefined) {
      book.close();
      for (const outbox of outboxes) outbox.drop(book);
    }
    const late = delay(FINISH_WAIT_MS, undefined, { ref: false });
    await Promise.race([Promise.all(outboxes.map((outbox) => outbox.idle())), late]);
    await this.#keep(session);
    await this.#sayOwner(true);
  }

  /** When it resolves, the book is as the owner before left it, whatever it wrote last. */
  async #takeOver(session: ConsumerSession, signal: AbortSignal): Promise<void> {
    const { log, control, kept } = this.#options;
    const partition = String(this.#partition);
    this.#position = session.position;
    this.#committed = session.position;
    // What was written before this is visible once this is.
    const barrier = `${CONTROL_PREFIX}barrier/${this.#owner}`;
    await control.put(barrier, Buffer.from('{}'));
    await control.until(() => control.get(barrier) !== undefined, signal);
    if (signal.aborted) return;
    await control.put(barrier, null);
    const before = jsonOf<Owner>(control.get(this.#ownerKey));
    if (before?.log !== log.identity) {
      this.#position = Math.max(this.#position, await this.#firstPosition());
      await session.commitPosition(this.#position);
      this.#committed = this.#position;
    }
    if (this.#book === undefined || before?.owner !== this.#owner) {
      this.#dropBook();
      this.#book = this.#newBook();
      for (const [gateway, value] of kept(`${CONTROL_PREFIX}alerts/${partition}/`))
        this.#book.restore(gateway, value);
    }
    await this.#sayOwner(false);
  }

  /** By halving: append times never decrease. */
  async #firstPosition(): Promise<number> {
    const { log, clock } = this.#options;
    const notBeforeMs = clock.wallMs() - FIRST_LOOK_MS;
    const bounds = await log.bounds(TOPIC, this.#partition);
    let from = bounds.first;
    let to = bounds.next;
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      const limits = { maxRecords: 1, maxBytes: 1 };
      const [record] = await log.read(TOPIC, this.#partition, middle, limits);
      if (record === undefined || record.appendedAtMs >= notBeforeMs) to = middle;
      else from = record.offset + 1;
    }
    return from;
  }

  async #follow(session: ConsumerSession, signal: AbortSignal): Promise<void> {
    const { log, onCaughtUp } = this.#options;
    const { next } = await log.bounds(TOPIC, this.#partition);
    let isCaughtUp = false;
    while (!signal.aborted) {
      const records = await log.read(TOPIC, this.#partition, this.#position, READ_LIMITS);
      for (const record of records) this.#take(record);
      if (!isCaughtUp && (records.length === 0 || this.#position >= next)) {
        isCaughtUp = true;
        onCaughtUp(this.#partition);
      }
      if (performance.now() >= this.#keepDueMs()) await this.#keep(session);
      if (records.length === 0) await this.#wait(signal);
    }
  }

  #take(record: LogRecord): void {
    this.#position = record.offset + 1;
    if (record.kind !== OutputKind.ALERT) return;
    try {
      this.#book?.take(decodeAlert(record.value));
    } catch (error) {
      const fields = { partition: this.#partition, offset: record.offset, error: String(error) };
      this.#options.logger.error(fields, 'an alert in the log cannot be read and is left out');
    }
  }

  #keepDueMs(): number {
    const largeMs = this.#keptBytes / KEEP_BYTES_PER_MS;
    if (this.#hasTold) return this.#keptAtMs + KEEP_TOLD_EVERY_MS + largeMs;
    if (this.#isDirty) return this.#keptAtMs + KEEP_EVERY_MS + largeMs;
    if (this.#position > this.#committed) return this.#keptAtMs + COMMIT_EVERY_MS;
    return Number.POSITIVE_INFINITY;
  }

  /** Until there is a record, something to be kept, or the end. */
  async #wait(signal: AbortSignal): Promise<void> {
    const due = new AbortController();
    this.#wake = () => due.abort();
    const waitMs = this.#keepDueMs() - performance.now();
    const timer = Number.isFinite(waitMs)
      ? setTimeout(() => due.abort(), Math.max(1, waitMs))
      : undefined;
    const either = AbortSignal.any([signal, due.signal]);
    await this.#options.log.waitFor(TOPIC, this.#partition, this.#position, either);
    clearTimeout(timer);
    this.#wake = () => undefined;
  }

  async #keep(session: ConsumerSession): Promise<void> {
    const { control } = this.#options;
    const position = this.#position;
    const changes = this.#book?.takeChanges() ?? new Map<string, Uint8Array | null>();
    this.#isDirty = false;
    this.#hasTold = false;
    try {
      if (changes.size > 0) {
        await session.commitPosition(this.#committed);
        const prefix = `${CONTROL_PREFIX}alerts/${this.#partition}/`;
        await Promise.all(
          [...changes].map(([gateway, value]) => control.put(prefix + gateway, value)),
        );
      }
      if (position > this.#committed) await session.commitPosition(position);
    } catch (error) {
      this.#book?.putBack(changes.keys());
      this.#isDirty = true;
      throw error;
    }
    this.#committed = position;
    this.#keptAtMs = performance.now();
    this.#keptBytes = 0;
    for (const value of changes.values()) this.#keptBytes += value?.length ?? 0;
  }

  #newBook(): AlertBook {
    const { outboxes, route, clock } = this.#options;
    return new AlertBook({
      receivers: outboxes,
      route,
      wallMs: () => clock.wallMs(),
      onChange: (told) => {
        this.#isDirty = true;
        this.#hasTold ||= told;
        this.#wake();
      },
    });
  }

  #dropBook(): void {
    const book = this.#book;
    this.#book = undefined;
    if (book === undefined) return;
    book.close();
    for (const outbox of this.#options.outboxes.values()) outbox.drop(book);
  }
}

function isFinal(error: unknown): error is CollectorError {
  return (
    error instanceof CollectorError &&
    (error.code === 'LOG_FENCED' || error.code === 'LOG_POSITION_OUTSIDE')
  );
}
