/**
 * The buffer: readings are numbered and encoded in memory (queue.ts), committed in groups to SQLite
 * (store.ts), read back by the forwarder and deleted once delivered. One group-commit loop; a disk that
 * refuses is tried again with backoff while readings wait in a bounded memory.
 */

import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Epoch, Reading, Reject } from '../../proto/model.ts';
import type { Log } from '../log.ts';
import type {
  BufferStats,
  Clock,
  ClockState,
  DeclaredGap,
  EpochInfo,
  PendingChunk,
  ReadingBuffer,
} from '../types.ts';
import type { Cap } from './bounds.ts';
import { capOf, FillRate, MAX_BYTES_MIN } from './bounds.ts';
import { SEAL_BYTES } from './cipher.ts';
import { sqliteCode } from './database.ts';
import type { BufferKeys } from './keys.ts';
import { NO_KEYS } from './keys.ts';
import type { BufferLock } from './lock.ts';
import { takeLock } from './lock.ts';
import { PendingQueue } from './queue.ts';
import type { ReadLimits } from './reader.ts';
import type { SizedHeadRow } from './rows.ts';
import { CHUNK_FLAG_UNSYNCED, chunkHeadOk, toHex } from './rows.ts';
import { isNoSpace } from './space.ts';
import { ChunkStore } from './store.ts';

export interface BufferOptions {
  /** The database file; its folder exists. Beside it: `-wal`, `.lock`, and `.damaged-N` after damage. */
  path: string;
  /** How long readings are gathered before they are committed: 0 (at once) to 10 s. */
  commitIntervalMs: number;
  maxBytes: number;
  maxAgeMs: number;
  minFreeBytes: number;
  /** With one that encrypts, chunks are encrypted in the file. Left out: no key. */
  keys?: BufferKeys;
  /** Whether readings of before encryption are taken over, and encrypted; default true. */
  acceptPlain?: boolean;
  clock: Clock;
  clockState: () => ClockState;
  log: Log;
  /** Free bytes of the file system; injected by tests. */
  freeBytes?: () => number;
  /** Encoded readings that wait in memory while the disk refuses them. */
  memoryBytes?: number;
}

/** What the buffer knows beyond the contract; for metrics and for agent.ts. */
export interface SqliteBufferStats extends BufferStats {
  /** Calls of fsync, with those of checkpoints. */
  syncsTotal: number;
  /** Damaged files that were replaced by what could be read of them. */
  salvagesTotal: number;
  /** Numbered readings that were never written and are declared so. */
  notWrittenReadingsTotal: number;
  /** Readings that wait in memory. */
  pendingBytes: number;
  gaps: number;
}

export interface SqliteBuffer extends ReadingBuffer {
  stats(): SqliteBufferStats;
  /** Small values that live with the buffer: identity, clock corrections. */
  meta(key: string): string | undefined;
  /** Durable with the next commit, which is at once unless the disk refuses. */
  setMeta(key: string, value: string): void;
  /** The work of the one-second timer: retries, bounds, deletions, space. For tests with a bent clock. */
  maintain(): void;
}

const MAINTENANCE_MS = 1000;
const RETRY_MS = 250;
const RETRY_MAX_MS = 5000;
const MEMORY_BYTES = 8 * 1024 * 1024;
const CHUNK_BYTES = 128 * 1024;
/** Chunks of one transaction, so that its WAL stays within what is allocated. */
const COMMIT_BYTES = 256 * 1024;
/** Removed chunks that wait for a commit; beyond, one is made at once. */
const REMOVED_MAX = 4096;
/** Given up at once when the disk is full, so that the next commits have room. */
const EXTRA_PAGES = 32;
/** A refusal that lasts is logged again so often. */
const SAY_AGAIN_MS = 600_000;

/**
 * Opens or creates the buffer. Throws AgentError: AGENT_BUFFER_IN_USE, AGENT_BUFFER_UNUSABLE,
 * AGENT_BUFFER_VERSION, AGENT_BUFFER_KEY_MISSING, AGENT_BUFFER_KEY_WRONG, AGENT_BUFFER_NOT_ENCRYPTED.
 * Damage is no reason to throw: it is salvaged.
 */
export function openBuffer(options: BufferOptions): SqliteBuffer {
  return new Buffered(options);
}

class Buffered implements SqliteBuffer {
  readonly #options: BufferOptions;
  readonly #maxBytes: number;
  readonly #memoryBytes: number;
  readonly #lock: BufferLock;
  readonly #store: ChunkStore;
  readonly #queue: PendingQueue;
  readonly #fill = new FillRate();
  readonly #maintenance: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #waiters = new Set<() => void>();
  #closed = false;
  #reserved = false;
  /** Until then commits are not tried: the disk refused. */
  #retryAtMonoMs = 0;
  #retryMs = 0;
  #freeBytes = Number.POSITIVE_INFINITY;
  #appended = 0;
  #evicted = 0;
  #notWritten = 0;
  #commits = 0;
  #writeErrors = 0;
  #lastError = '';
  #saidAtMonoMs = Number.NEGATIVE_INFINITY;

  constructor(options: BufferOptions) {
    this.#options = options;
    this.#maxBytes = Math.max(MAX_BYTES_MIN, options.maxBytes);
    this.#memoryBytes = options.memoryBytes ?? MEMORY_BYTES;
    this.#lock = takeLock(options.path);
    try {
      const { path, log, keys = NO_KEYS, acceptPlain = true } = options;
      for (const warning of keys.warnings) log.warn(warning);
      this.#store = new ChunkStore({ path, maxBytes: this.#maxBytes, keys, acceptPlain, log });
    } catch (error) {
      this.#lock.release();
      throw error;
    }
    this.#queue = new PendingQueue({ ...options, chunkBytes: CHUNK_BYTES });
    this.#observeDisk();
    this.#maintenance = setInterval(() => this.maintain(), MAINTENANCE_MS);
    this.#maintenance.unref();
  }

  append(readings: readonly Reading[], rejects: readonly Reject[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the buffer is closed'));
    const done = this.#queue.add(readings, rejects);
    this.#appended += readings.length + rejects.length;
    if (this.#queue.sealedBytes >= COMMIT_BYTES && this.#mayTry()) this.#commit();
    else if (this.#queue.sealed.length > 0) this.#commitSoon();
    else this.#commitLater();
    this.#boundMemory();
    return done;
  }

  flush(): Promise<void> {
    if (!this.#closed) this.#commit();
    return Promise.resolve();
  }

  next(afterId: number, limits: ReadLimits): PendingChunk[] {
    const corrupt = this.#store.corruptChunks;
    try {
      const chunks = this.#store.next(afterId, limits);
      if (this.#store.corruptChunks !== corrupt && this.#mayTry()) this.#commit();
      return chunks;
    } catch (error) {
      this.#failed(error, 'the disk does not give what is in the buffer');
      return [];
    }
  }

  acknowledge(ids: readonly number[]): void {
    if (this.#closed) return;
    try {
      this.#fill.add(-this.#store.acknowledge(ids));
    } catch (error) {
      // Not deleted: they are sent again after the next start, and recognised.
      this.#failed(error, 'the disk does not give what is in the buffer');
    }
    if (this.#store.removedCount > REMOVED_MAX && this.#mayTry()) this.#commit();
  }

  gaps(max: number): DeclaredGap[] {
    return this.#store.gaps(max);
  }

  acknowledgeGaps(ids: readonly number[]): void {
    this.#store.acknowledgeGaps(ids);
  }

  currentEpoch(): EpochInfo | undefined {
    return this.#store.epochInfo(this.#queue.epoch);
  }

  epochInfo(epoch: Epoch): EpochInfo | undefined {
    return this.#store.epochInfo(epoch);
  }

  waitForMore(afterId: number, signal: AbortSignal): Promise<void> {
    const { last } = this.#store.contents;
    if (signal.aborted || (last !== undefined && last.id > afterId)) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiters.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiters.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  meta(key: string): string | undefined {
    return this.#store.meta(key);
  }

  setMeta(key: string, value: string): void {
    this.#store.setMeta(key, value);
    this.#commitSoon();
  }

  stats(): SqliteBufferStats {
    const store = this.#store;
    const { first } = store.contents;
    return {
      chunks: store.chunks,
      readings: store.readings,
      bytes: store.bytes,
      maxBytes: this.#maxBytes,
      oldestMs: store.chunks > 0 ? first?.first_ms : undefined,
      secondsUntilEviction: this.#secondsUntilEviction(),
      appendedReadingsTotal: this.#appended,
      evictedReadingsTotal: this.#evicted,
      corruptChunksTotal: store.corruptChunks,
      bytesWrittenTotal: store.bytesWritten,
      commitsTotal: this.#commits,
      writeErrorsTotal: this.#writeErrors,
      lastError: this.#lastError,
      syncsTotal: store.syncs,
      salvagesTotal: store.salvages,
      notWrittenReadingsTotal: this.#notWritten,
      pendingBytes: this.#queue.bytes,
      gaps: store.contents.gaps.length,
      encryption: {
        on: store.mark?.on === true,
        key: store.mark?.key ?? '',
        olderKeys: store.mark?.older ?? [],
        oldChunks: store.oldChunks,
      },
    };
  }

  maintain(): void {
    if (this.#closed) return;
    this.#fill.tick(this.#options.clock.monoMs());
    this.#observeDisk();
    if (!this.#mayTry()) return;
    if (!this.#reserved && this.#commits > 0) {
      this.#reserved = true;
      this.#store.reserve();
    }
    const { first } = this.#store.contents;
    const cap = this.#cap();
    const over =
      this.#store.liveBytes > this.#store.pageBytesOf(cap) ||
      (first !== undefined && this.#expired(first));
    if (over || this.#store.dirty || this.#retryMs > 0) this.#commit();
    try {
      this.#store.vacuumStep(Math.floor(this.#store.pageBytesOf(cap) / 4096));
      if (this.#mayTry() && this.#retryMs === 0) this.#store.sealStep();
    } catch (error) {
      this.#failed(error);
    }
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    clearInterval(this.#maintenance);
    this.#commit({ final: true });
    this.#closed = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    // What the disk refused to the last is lost with the process; its appends must not hang.
    this.#queue.seal();
    this.#queue.committed(this.#queue.sealed.length, this.#queue.gaps.length);
    try {
      this.#store.close();
    } finally {
      this.#lock.release();
      for (const waiter of [...this.#waiters]) waiter();
    }
    return Promise.resolve();
  }

  #commitSoon(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined;
      if (this.#mayTry()) this.#commit();
    });
  }

  #commitLater(): void {
    if (this.#options.commitIntervalMs === 0) {
      this.#commitSoon();
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#mayTry()) this.#commit();
    }, this.#options.commitIntervalMs);
  }

  #mayTry(): boolean {
    return !this.#closed && this.#options.clock.monoMs() >= this.#retryAtMonoMs;
  }

  /** Seals and commits all that is pending, in transactions of bounded size. */
  #commit({ final = false }: { final?: boolean } = {}): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#queue.seal();
    try {
      do {
        this.#commitStep(final, this.#retryMs > 0 ? 1 : COMMIT_BYTES, 0);
      } while (this.#queue.sealed.length > 0);
      if (this.#retryMs > 0) this.#options.log.info('buffer: the disk takes commits again');
      this.#retryMs = 0;
      this.#retryAtMonoMs = 0;
    } catch (error) {
      this.#failed(error);
      if (isNoSpace(error) && this.#makeRoom()) return;
      this.#retryMs = Math.min(RETRY_MAX_MS, Math.max(RETRY_MS, this.#retryMs * 2));
      this.#retryAtMonoMs = this.#options.clock.monoMs() + this.#retryMs;
      this.#boundMemory();
    }
  }

  #commitStep(final: boolean, maxBytes: number, extraPages: number): void {
    const chunks = extraPages > 0 ? [] : this.#queue.head(maxBytes);
    const gaps = [...this.#queue.gaps];
    if (chunks.length === 0 && gaps.length === 0 && extraPages === 0) {
      if (!this.#store.dirty && !final && !this.#overBounds()) return;
    }
    const { clock } = this.#options;
    const before = this.#store.contents;
    const result = this.#store.commit({
      chunks,
      gaps,
      epoch: { epoch: this.#queue.epoch, boot: this.#queue.boot, wallMs: clock.wallMs() },
      cap: this.#cap(),
      expired: (head) => this.#expired(head),
      extraPages,
      final,
    });
    this.#commits++;
    this.#evicted += result.evictedReadings;
    const more = this.#store.mark?.on === true ? SEAL_BYTES : 0;
    for (const chunk of chunks) this.#fill.add(chunk.bytes.length + more);
    this.#queue.committed(chunks.length, gaps.length);
    if (chunks.length > 0 || result.contents.nextGapId !== before.nextGapId) {
      for (const waiter of [...this.#waiters]) waiter();
    }
  }

  /** The disk is full: what is oldest goes, then what waits is tried again. True if that worked. */
  #makeRoom(): boolean {
    try {
      this.#observeDisk();
      this.#commitStep(false, 1, EXTRA_PAGES);
      while (this.#queue.sealed.length > 0) this.#commitStep(false, 1, 0);
      this.#retryMs = 0;
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  /** Counts every refusal; says it when it is another one, and now and then while it lasts. */
  #failed(error: unknown, what = 'the disk refused a commit'): void {
    this.#writeErrors++;
    const code = isNoSpace(error) ? 'SQLITE_FULL' : sqliteCode(error);
    const message = error instanceof Error ? error.message : String(error);
    const text = code === '' ? message : `${code}: ${message}`;
    const nowMs = this.#options.clock.monoMs();
    if (text !== this.#lastError || nowMs >= this.#saidAtMonoMs + SAY_AGAIN_MS) {
      this.#saidAtMonoMs = nowMs;
      this.#options.log.error(`buffer: ${what}`, { error: text });
    }
    this.#lastError = text;
  }

  #boundMemory(): void {
    if (this.#queue.bytes <= this.#memoryBytes) return;
    this.#notWritten += this.#queue.dropOver(this.#memoryBytes);
  }

  #observeDisk(): void {
    const { path, freeBytes } = this.#options;
    try {
      this.#freeBytes = freeBytes === undefined ? freeBytesAt(path) : freeBytes();
    } catch (error) {
      // Unknown is not full: a full disk shows when it refuses.
      this.#freeBytes = Number.POSITIVE_INFINITY;
      this.#options.log.debug('buffer: free disk space is unknown', { error: String(error) });
    }
  }

  #cap(): Cap {
    const { minFreeBytes } = this.#options;
    return capOf(this.#maxBytes, this.#store.bytes, this.#freeBytes, minFreeBytes);
  }

  #overBounds(): boolean {
    const { first } = this.#store.contents;
    if (first === undefined) return false;
    return this.#expired(first) || this.#store.liveBytes > this.#store.pageBytesOf(this.#cap());
  }

  #expired(head: SizedHeadRow): boolean {
    return this.#ageMs(head) > this.#options.maxAgeMs;
  }

  /**
   * How long the chunk has been in the buffer: by the monotonic clock if it is of this boot, else by
   * the wall clock if that was and is right, else unknown (0): a clock that is wrong must not evict.
   */
  #ageMs(head: SizedHeadRow): number {
    const { clock, clockState } = this.#options;
    if (!chunkHeadOk(head)) return 0;
    const state = clockState();
    const boot = this.#store.bootOf(toHex(head.epoch));
    if (boot === state.boot) return clock.monoMs() - head.sealed_mono_ms;
    if (state.unsynced || (head.flags & CHUNK_FLAG_UNSYNCED) !== 0) return 0;
    return clock.wallMs() - head.sealed_wall_ms;
  }

  #secondsUntilEviction(): number {
    const { first } = this.#store.contents;
    const roomBytes = this.#store.pageBytesOf(this.#cap()) - this.#store.liveBytes;
    const ageMs = first === undefined ? 0 : this.#ageMs(first);
    return this.#fill.secondsUntilEviction(roomBytes, this.#options.maxAgeMs - ageMs);
  }
}

function freeBytesAt(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize;
}
