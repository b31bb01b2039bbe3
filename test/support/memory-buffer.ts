/** A ReadingBuffer in memory, for tests that bend time, epochs and gaps at will. */

import type {
  BufferStats,
  DeclaredGap,
  EpochInfo,
  PendingChunk,
  ReadingBuffer,
} from '../../agent/types.ts';
import { ChunkBuilder } from '../../proto/chunk.ts';
import { chunkCrc } from '../../proto/crc32c.ts';
import type { Epoch, Gap, Reading, Reject } from '../../proto/model.ts';
import { NO_EPOCH, Quality } from '../../proto/model.ts';

export class MemoryBuffer implements ReadingBuffer {
  chunks: PendingChunk[] = [];
  declared: DeclaredGap[] = [];
  acknowledgedChunks: number[] = [];
  acknowledgedGaps: number[] = [];
  boot = 'b007b007b007b007';
  unsynced = false;
  monoMs = 0;
  epoch: Epoch = '00000000000000e1';
  readonly infos = new Map<Epoch, EpochInfo>();
  #nextId = 1;
  #waiters = new Set<() => void>();

  /** Starts a new epoch: what follows is numbered from 1 again. */
  openEpoch(epoch: Epoch): void {
    const before = this.infos.get(this.epoch);
    this.infos.set(epoch, {
      epoch,
      predecessorEpoch: before?.epoch ?? NO_EPOCH,
      predecessorLastSeq: before?.lastSeq ?? 0,
      lastSeq: 0,
    });
    this.epoch = epoch;
  }

  async append(readings: readonly Reading[], rejects: readonly Reject[]): Promise<void> {
    const builder = new ChunkBuilder();
    for (const reading of readings) builder.addReading(reading);
    for (const reject of rejects) builder.addReject(reject);
    if (!this.infos.has(this.epoch)) this.openEpoch(this.epoch);
    const info = this.infos.get(this.epoch)!;
    const clock = { boot: this.boot, wallMs: 0, monoMs: this.monoMs, unsynced: this.unsynced };
    const { bytes, count, firstMs, lastMs } = builder.seal(clock);
    const header = { firstSeq: info.lastSeq + 1, count, firstMs, lastMs };
    info.lastSeq += count;
    this.chunks.push({
      id: this.#nextId++,
      epoch: this.epoch,
      frame: { ...header, crc32c: chunkCrc(this.epoch, header, bytes), bytes },
      boot: this.boot,
      clockUnsynced: this.unsynced,
      sealedMonoMs: this.monoMs,
    });
    this.#wake();
  }

  /** `count` readings of one channel, as one chunk. */
  async add(count: number, value = 20): Promise<void> {
    const readings = Array.from({ length: count }, (_, i) => ({
      device: 'D01',
      channel: 'sensor1',
      timeMs: 1_767_225_600_000 + i * 1000,
      value: value + (i % 10) / 10,
      quality: Quality.GOOD,
    }));
    await this.append(readings, []);
  }

  declare(gap: Gap): void {
    this.declared.push({ ...gap, id: this.#nextId++ });
    this.#wake();
  }

  async flush(): Promise<void> {}

  next(
    afterId: number,
    limits: { maxBytes: number; maxReadings: number; maxChunks: number },
  ): PendingChunk[] {
    const taken: PendingChunk[] = [];
    let bytes = 0;
    let readings = 0;
    for (const chunk of this.chunks) {
      if (chunk.id <= afterId) continue;
      bytes += chunk.frame.bytes.length;
      readings += chunk.frame.count;
      const isOver =
        bytes > limits.maxBytes ||
        readings > limits.maxReadings ||
        taken.length >= limits.maxChunks ||
        chunk.epoch !== (taken[0]?.epoch ?? chunk.epoch);
      if (taken.length > 0 && isOver) break;
      taken.push(chunk);
    }
    return taken;
  }

  acknowledge(ids: readonly number[]): void {
    this.acknowledgedChunks.push(...ids);
    this.chunks = this.chunks.filter((chunk) => !ids.includes(chunk.id));
  }

  gaps(max: number): DeclaredGap[] {
    return this.declared.slice(0, max);
  }

  acknowledgeGaps(ids: readonly number[]): void {
    this.acknowledgedGaps.push(...ids);
    this.declared = this.declared.filter((gap) => !ids.includes(gap.id));
  }

  currentEpoch(): EpochInfo | undefined {
    return this.infos.get(this.epoch);
  }

  epochInfo(epoch: Epoch): EpochInfo | undefined {
    return this.infos.get(epoch);
  }

  waitForMore(_afterId: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiters.delete(wake);
        resolve();
      };
      this.#waiters.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  stats(): BufferStats {
    return {
      chunks: this.chunks.length,
      readings: this.chunks.reduce((sum, chunk) => sum + chunk.frame.count, 0),
      bytes: 0,
      maxBytes: 1,
      oldestMs: this.chunks[0]?.frame.firstMs,
      secondsUntilEviction: -1,
      appendedReadingsTotal: 0,
      evictedReadingsTotal: 0,
      corruptChunksTotal: 0,
      bytesWrittenTotal: 0,
      commitsTotal: 0,
      writeErrorsTotal: 0,
      lastError: '',
    };
  }

  async close(): Promise<void> {}

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }
}
