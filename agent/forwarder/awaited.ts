/**
 * Batches that wait for the collector's own word, behind a broker whose PUBACK proves nothing: what they
 * are known by, and when they go again. Does no I/O.
 *
 * A batch that nobody acknowledged goes again, unchanged, so that the word for any of its copies counts
 * for all. While the collector says nothing at all only the oldest one goes again, with growing pauses:
 * it finds out whether the collector is back without filling the broker's queue with copies.
 */

import { decodeCommand, payloadDigest } from '../../proto/command.ts';
import type { Scheduler } from '../scheduler.ts';
import { systemScheduler } from '../scheduler.ts';
import type { OutgoingBatch } from './outbox.ts';

export interface AwaitedOptions {
  /** The first pause before a batch goes again. */
  resendAfterMs: number;
  /** In [0, 1); jitter. */
  random: () => number;
  /** Between start() and stop(): these go again now. */
  onDue: (batches: readonly OutgoingBatch[]) => void;
  /** Milliseconds that never jump. */
  nowMs?: () => number;
  scheduler?: Scheduler;
}

interface Awaited {
  batch: OutgoingBatch;
  firstMs: number;
  /** The last time. */
  sentMs: number;
  dueMs: number;
  /** Times that it was sent since the connection began, or the collector said something. */
  tries: number;
}

/** The longest pause, unless resendAfterMs itself is longer. */
const PAUSE_MAX_MS = 300_000;

export class AwaitedBatches {
  readonly #options: AwaitedOptions;
  readonly #nowMs: () => number;
  /** In the order in which they were first sent. */
  readonly #byDigest = new Map<string, Awaited>();
  /** When the collector last said anything, and when it last acknowledged something. */
  #heardMs = Number.NEGATIVE_INFINITY;
  #ackedMs = Number.NEGATIVE_INFINITY;
  #isRunning = false;
  #cancel: (() => void) | undefined;

  constructor(options: AwaitedOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** It is being sent now, for the first time. */
  add(batch: OutgoingBatch): void {
    const entry: Awaited = { batch, firstMs: this.#nowMs(), sentMs: 0, dueMs: 0, tries: 0 };
    this.#byDigest.set(payloadDigest(batch.payload), entry);
    this.#sent(entry);
    this.#arrange();
  }

  /** There is a connection: answers all that wait, oldest first, for it to carry them again. */
  start(): OutgoingBatch[] {
    this.#isRunning = true;
    for (const entry of this.#byDigest.values()) {
      entry.tries = 0;
      this.#sent(entry);
    }
    this.#arrange();
    return [...this.#byDigest.values()].map(({ batch }) => batch);
  }

  stop(): void {
    this.#isRunning = false;
    this.#arrange();
  }

  /**
   * What a command of the collector acknowledges; possibly nothing, and still it shows that the collector
   * is at work. One that cannot be read shows nothing.
   */
  hear(command: Uint8Array): OutgoingBatch[] {
    const decoded = decodeCommand(command);
    if (!decoded.ok) return [];
    const batches: OutgoingBatch[] = [];
    for (const digest of decoded.value.acked) {
      const batch = this.#byDigest.get(digest)?.batch;
      if (batch !== undefined) batches.push(batch);
      this.#byDigest.delete(digest);
    }
    if (batches.length > 0) this.#ackedMs = this.#nowMs();
    this.#expectMore();
    this.#arrange();
    return batches;
  }

  /** The collector is at work: what it does not name within the first pause from now is not on its way. */
  #expectMore(): void {
    const heardBeforeMs = this.#heardMs;
    this.#heardMs = this.#nowMs();
    const soonMs = this.#heardMs + this.#jittered(this.#options.resendAfterMs);
    for (const entry of this.#byDigest.values()) {
      const wasHeldBack = entry.dueMs <= this.#heardMs && heardBeforeMs < entry.sentMs;
      if (wasHeldBack) entry.dueMs = soonMs;
      else if (entry.tries > 1) entry.dueMs = Math.min(entry.dueMs, soonMs);
      entry.tries = 1;
    }
  }

  /** Those that go again now. */
  #takeDue(): OutgoingBatch[] {
    const now = this.#nowMs();
    const due: OutgoingBatch[] = [];
    let isOldest = true;
    for (const entry of this.#byDigest.values()) {
      const isAnswered = this.#heardMs >= entry.sentMs;
      if (entry.dueMs <= now && (isOldest || isAnswered)) {
        this.#sent(entry);
        due.push(entry.batch);
      }
      isOldest = false;
    }
    return due;
  }

  /** Until #takeDue() may have something; undefined: nothing waits. */
  #nextDueInMs(): number | undefined {
    let nextMs: number | undefined;
    for (const { dueMs, sentMs } of this.#byDigest.values()) {
      if (nextMs === undefined) nextMs = dueMs;
      else if (this.#heardMs >= sentMs) nextMs = Math.min(nextMs, dueMs);
    }
    return nextMs === undefined ? undefined : Math.max(0, nextMs - this.#nowMs());
  }

  /** The oldest one went again, and the collector has acknowledged nothing since its first time. */
  get isUnanswered(): boolean {
    for (const { tries, firstMs } of this.#byDigest.values()) {
      return tries > 1 && this.#ackedMs < firstMs;
    }
    return false;
  }

  clear(): void {
    this.#byDigest.clear();
    this.#arrange();
  }

  #arrange(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const delayMs = this.#isRunning ? this.#nextDueInMs() : undefined;
    if (delayMs === undefined) return;
    const scheduler = this.#options.scheduler ?? systemScheduler;
    this.#cancel = scheduler.after(Math.ceil(delayMs), () => {
      const due = this.#takeDue();
      this.#arrange();
      if (due.length > 0) this.#options.onDue(due);
    });
  }

  #sent(entry: Awaited): void {
    const { resendAfterMs } = this.#options;
    const longest = Math.max(resendAfterMs, PAUSE_MAX_MS);
    const pauseMs = Math.min(longest, resendAfterMs * 2 ** Math.min(entry.tries, 30));
    entry.tries++;
    entry.sentMs = this.#nowMs();
    entry.dueMs = entry.sentMs + this.#jittered(pauseMs);
  }

  /** 0.75 to 1.25 of it: gateways that fell silent together must not come back together. */
  #jittered(pauseMs: number): number {
    return pauseMs * (0.75 + this.#options.random() / 2);
  }
}
