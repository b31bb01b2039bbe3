/** What is known in memory of each topic and partition, and who waits for more of it. */

import type { LogTopic } from './log.ts';
import type { StreamBounds } from './sqlite_file.ts';
import { LOG_TOPICS } from './sqlite_file.ts';

interface Waiter {
  offset: number;
  resolve: () => void;
}

/** Committed bounds of one stream, and beside them what the transaction under way would make of them. */
export class Stream {
  readonly index: number;
  readonly topic: LogTopic;
  readonly partition: number;
  first: number;
  next: number;
  lastAtMs: number;
  pendingNext: number;
  pendingAtMs: number;
  readonly #waiters = new Set<Waiter>();

  constructor(index: number, topic: LogTopic, partition: number, bounds: StreamBounds) {
    this.index = index;
    this.topic = topic;
    this.partition = partition;
    this.first = bounds.first;
    this.next = this.pendingNext = bounds.next;
    this.lastAtMs = this.pendingAtMs = bounds.lastAtMs;
  }

  /** Takes the next offset for the transaction under way. */
  take(wallMs: number): { offset: number; atMs: number } {
    // Never back within a partition, whatever the wall clock does.
    this.pendingAtMs = Math.max(this.pendingAtMs, wallMs);
    const offset = this.pendingNext;
    this.pendingNext += 1;
    return { offset, atMs: this.pendingAtMs };
  }

  keep(): void {
    if (this.next === this.pendingNext) return;
    this.next = this.pendingNext;
    this.lastAtMs = this.pendingAtMs;
    for (const waiter of this.#waiters) {
      if (waiter.offset < this.next) waiter.resolve();
    }
  }

  drop(): void {
    this.pendingNext = this.next;
    this.pendingAtMs = this.lastAtMs;
  }

  /** Resolves when `offset` exists, when the signal aborts, or when the log closes. */
  waitFor(offset: number, signal: AbortSignal): Promise<void> {
    if (offset < this.next || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const waiter: Waiter = { offset, resolve: done };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  releaseWaiters(): void {
    for (const waiter of this.#waiters) waiter.resolve();
  }
}

export class Streams {
  readonly all: readonly Stream[];
  readonly #partitions: number;

  constructor(partitions: number, bounds: (index: number) => StreamBounds) {
    this.#partitions = partitions;
    this.all = LOG_TOPICS.flatMap((topic, topicIndex) =>
      Array.from({ length: partitions }, (_, partition) => {
        const index = topicIndex * partitions + partition;
        return new Stream(index, topic, partition, bounds(index));
      }),
    );
  }

  /** Throws a RangeError for a topic or partition that there is not. */
  get(topic: LogTopic, partition: number): Stream {
    const inRange = Number.isInteger(partition) && partition >= 0 && partition < this.#partitions;
    const stream = this.all[LOG_TOPICS.indexOf(topic) * this.#partitions + partition];
    if (!inRange || stream === undefined || stream.topic !== topic)
      throw new RangeError(`no partition ${partition} of topic ${topic}`);
    return stream;
  }

  keep(): void {
    for (const stream of this.all) stream.keep();
  }

  drop(): void {
    for (const stream of this.all) stream.drop();
  }

  releaseWaiters(): void {
    for (const stream of this.all) stream.releaseWaiters();
  }
}
