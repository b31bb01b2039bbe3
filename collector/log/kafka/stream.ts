/**
 * One partition as its readers see it: committed records at explicit offsets, what was fetched and not
 * read yet, and who waits for more.
 */

import { CollectorError } from '../../errors.ts';
import type { LogRecord, LogTopic, ReadLimits } from '../log.ts';
import type { InRecord } from './batches.ts';
import type { Cluster } from './cluster.ts';
import type { Lane } from './connections.ts';
import { LONG_POLL_MS } from './connections.ts';
import { apiIdsOf, asLogError, kindOf } from './failures.ts';
import type { Place } from './reading.ts';
import { boundsOf, fetchAt } from './reading.ts';
import type { Fetched } from './requests.ts';

/** All records with an offset in [from, to). */
interface Chunk {
  from: number;
  to: number;
  records: LogRecord[];
}

interface Waiter {
  offset: number;
  resolve: () => void;
  reject: (error: CollectorError) => void;
}

/** Two readers at different places do not take each other's records away. */
const CHUNKS_MAX = 2;
const FETCH_BYTES_MIN = 64 * 1024;
const FETCH_BYTES_MAX = 4 * 1024 * 1024;
const POLL_BYTES_MAX = 1024 * 1024;
/** A new leader may for a moment not know how far the one before it had got; markers come after the commit. */
const VISIBLE_WITHIN_MS = 5_000;
const VISIBLE_RETRY_MS = 3;
const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 1_000;

export class Stream implements Place {
  /** The topic's name at the brokers. */
  readonly topic: string;
  readonly partition: number;
  /** As far as this process knows; it may be higher. */
  first = 0;
  /** As far as this process knows: the end may have moved on. */
  end = 0;
  readonly #cluster: Cluster;
  readonly #logTopic: LogTopic;
  readonly #lane: Lane;
  #chunks: Chunk[] = [];
  /** What this process committed is read by it, too: below this all is visible, or will be in a moment. */
  #visibleBelow = 0;
  #lastRecord = -1;
  /** No record lies in [from, to). */
  #empty = { from: 0, to: 0 };
  readonly #waiters = new Set<Waiter>();
  #polling = false;
  #closed = false;

  constructor(cluster: Cluster, topic: string, logTopic: LogTopic, partition: number) {
    this.#cluster = cluster;
    this.topic = topic;
    this.#logTopic = logTopic;
    this.partition = partition;
    this.#lane = `wait:${logTopic}/${partition}`;
  }

  /** This process appended or committed up to there. */
  noteWritten(next: number): void {
    this.#lastRecord = Math.max(this.#lastRecord, next - 1);
    this.end = Math.max(this.end, next);
    this.#visibleBelow = Math.max(this.#visibleBelow, next);
  }

  noteEnd(next: number): void {
    this.end = Math.max(this.end, next);
  }

  /** Everything below was removed. */
  noteFirst(first: number): void {
    this.first = Math.max(this.first, first);
    this.#chunks = this.#chunks.filter(({ from }) => from >= this.first);
  }

  /** Records (and holes, unless all are known to be) from `position` on. */
  recordsAfter(position: number): number {
    const { from, to } = this.#empty;
    if (from <= position && to >= this.end) return 0;
    return Math.max(0, this.end - Math.max(position, this.first));
  }

  async bounds(): Promise<{ first: number; next: number }> {
    const deadlineMs = performance.now() + VISIBLE_WITHIN_MS;
    for (;;) {
      const bounds = await boundsOf(this.#cluster, this).catch((error: unknown) => {
        throw asLogError(error, this.#name);
      });
      this.noteFirst(bounds.first);
      this.noteEnd(bounds.next);
      if (bounds.next >= this.#visibleBelow || performance.now() > deadlineMs) return bounds;
      await this.#cluster.pause(VISIBLE_RETRY_MS);
    }
  }

  async read(from: number, limits: ReadLimits): Promise<LogRecord[]> {
    this.#cluster.assertUsable();
    if (!(Number.isInteger(from) && from >= this.first)) throw this.#outside(from);
    const taken: LogRecord[] = [];
    let at = from;
    let bytes = 0;
    const deadlineMs = performance.now() + VISIBLE_WITHIN_MS;
    for (;;) {
      const chunk = this.#chunkAt(at) ?? (await this.#fetch(at, limits.maxBytes - bytes));
      for (const record of chunk.records) {
        if (record.offset < at) continue;
        const isFull =
          taken.length >= limits.maxRecords || bytes + record.value.length > limits.maxBytes;
        if (isFull && taken.length > 0) return taken;
        taken.push(record);
        bytes += record.value.length;
      }
      const isStill = chunk.to === at;
      at = chunk.to;
      if (at >= this.end || taken.length >= limits.maxRecords || bytes >= limits.maxBytes)
        return taken;
      if (!isStill) continue;
      if (performance.now() > deadlineMs) return taken;
      await this.#cluster.pause(VISIBLE_RETRY_MS);
    }
  }

  /** See Log.waitFor. Rejects only when the topics of the log must not be used. */
  async waitFor(offset: number, signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted || offset <= this.#lastRecord) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { offset, resolve, reject };
    this.#waiters.add(waiter);
    const end = (): void => resolve();
    signal.addEventListener('abort', end, { once: true });
    if (!this.#polling) void this.#poll();
    try {
      await promise;
    } finally {
      this.#waiters.delete(waiter);
      signal.removeEventListener('abort', end);
    }
  }

  close(): void {
    this.#closed = true;
    this.#chunks = [];
    for (const waiter of this.#waiters) waiter.resolve();
  }

  get #name(): string {
    return `${this.#logTopic}/${this.partition}`;
  }

  #outside(from: number): CollectorError {
    const detail = `${this.#name}: ${from} is outside ${this.first}..${this.end}`;
    return new CollectorError('LOG_POSITION_OUTSIDE', detail);
  }

  #chunkAt(offset: number): Chunk | undefined {
    return this.#chunks.find(({ from, to }) => from <= offset && offset < to);
  }

  async #fetch(from: number, bytes: number): Promise<Chunk> {
    const partitionMaxBytes = Math.min(Math.max(bytes, FETCH_BYTES_MIN), FETCH_BYTES_MAX);
    const limits = {
      maxWaitMs: 0,
      partitionMaxBytes,
      maxBytes: partitionMaxBytes,
      committed: true,
    };
    const deadlineMs = performance.now() + VISIBLE_WITHIN_MS;
    for (;;) {
      try {
        const fetched = await fetchAt(this.#cluster, 'read', this.#place(from), limits);
        if (from <= fetched.lastStableOffset) return this.#take(from, fetched);
      } catch (error) {
        if (kindOf(error) !== 'outside') throw asLogError(error, this.#name);
        const { first, next } = await this.bounds();
        if (from < first || from > next) throw this.#outside(from);
      }
      if (performance.now() > deadlineMs) throw this.#outside(from);
      await this.#cluster.pause(VISIBLE_RETRY_MS);
      this.#cluster.assertUsable();
    }
  }

  #place(offset: number): Place & { offset: number } {
    return { topic: this.topic, partition: this.partition, offset };
  }

  #take(from: number, fetched: Fetched): Chunk {
    this.noteFirst(fetched.firstOffset);
    this.noteEnd(fetched.lastStableOffset);
    const records = committedOf(fetched)
      .filter(({ offset }) => offset >= from)
      .map((record) => this.#record(record));
    const last = fetched.batches.at(-1);
    const chunk = { from, to: last === undefined ? from : last.lastOffset + 1, records };
    const lastRecord = records.at(-1)?.offset;
    if (lastRecord !== undefined) {
      this.#lastRecord = Math.max(this.#lastRecord, lastRecord);
      this.#chunks = [chunk, ...this.#chunks].slice(0, CHUNKS_MAX);
    }
    const emptyFrom = lastRecord === undefined ? from : lastRecord + 1;
    if (emptyFrom > this.#empty.to || emptyFrom < this.#empty.from)
      this.#empty = { from: emptyFrom, to: chunk.to };
    else this.#empty.to = Math.max(this.#empty.to, chunk.to);
    if (lastRecord !== undefined && this.#empty.from <= lastRecord)
      this.#empty = { from: lastRecord + 1, to: Math.max(lastRecord + 1, chunk.to) };
    return chunk;
  }

  #record({ offset, timestampMs, key, kind, value }: InRecord): LogRecord {
    return {
      topic: this.#logTopic,
      partition: this.partition,
      offset,
      appendedAtMs: timestampMs,
      key,
      kind,
      value: value ?? Buffer.of(),
    };
  }

  /** Runs while somebody waits. Never rejects. */
  async #poll(): Promise<void> {
    this.#polling = true;
    let backoffMs = BACKOFF_MIN_MS;
    while (this.#waiters.size > 0 && !this.#closed) {
      try {
        this.#cluster.assertUsable();
        await this.#pollOnce();
        backoffMs = BACKOFF_MIN_MS;
      } catch (error) {
        const failure = asLogError(error, this.#name);
        if (failure.code !== 'LOG_UNAVAILABLE') {
          for (const waiter of this.#waiters) waiter.reject(failure);
          this.#waiters.clear();
        } else {
          await this.#cluster.pause(backoffMs);
          backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
        }
      }
    }
    this.#polling = false;
  }

  async #pollOnce(): Promise<void> {
    const limits = { partitionMaxBytes: POLL_BYTES_MAX, maxBytes: POLL_BYTES_MAX, committed: true };
    const from = this.#pollFrom();
    try {
      const wait = { ...limits, maxWaitMs: LONG_POLL_MS };
      this.#take(from, await fetchAt(this.#cluster, this.#lane, this.#place(from), wait));
    } catch (error) {
      if (!apiIdsOf(error).includes('OFFSET_OUT_OF_RANGE')) throw error;
      const before = this.end;
      const { next } = await this.bounds();
      // Lower than what was seen: the log was replaced, or is not whole. Reading says what is wrong.
      if (next < Math.min(from, before)) this.#resolve(Number.POSITIVE_INFINITY);
    }
    this.#resolve(this.#lastRecord);
  }

  /** The lowest offset that is waited for, or the end of what is known to be empty after it. */
  #pollFrom(): number {
    let from = Number.POSITIVE_INFINITY;
    for (const { offset } of this.#waiters) from = Math.min(from, offset);
    from = Math.max(this.first, Math.min(from, this.end));
    return this.#empty.from <= from && from < this.#empty.to ? this.#empty.to : from;
  }

  #resolve(lastRecord: number): void {
    for (const waiter of this.#waiters) {
      if (waiter.offset > lastRecord) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }
}

/** Without those of transactions that were undone. */
function committedOf({ batches, aborted }: Fetched): InRecord[] {
  const records: InRecord[] = [];
  const begins = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const undone = new Set<bigint>();
  for (const batch of batches) {
    while (begins[0] !== undefined && begins[0].firstOffset <= batch.lastOffset)
      undone.add(begins.shift()!.producerId);
    if (batch.marker === 'abort') undone.delete(batch.producerId);
    if (batch.transactional && undone.has(batch.producerId)) continue;
    for (const record of batch.records) records.push(record);
  }
  return records;
}
