/** Readings on their way to the file: numbered, encoded, waiting in a bounded memory. */

import { ChunkBuilder } from '../../proto/chunk.ts';
import { chunkCrc } from '../../proto/crc32c.ts';
import { randomEpoch } from '../../proto/epoch.ts';
import type { Epoch, Gap, Reading, Reject } from '../../proto/model.ts';
import { GapReason } from '../../proto/model.ts';
import type { Clock, ClockState } from '../types.ts';

/** A sealed chunk. It keeps its numbers and bytes however often its commit is tried. */
export interface SealedChunk {
  epoch: Epoch;
  boot: string;
  firstSeq: number;
  count: number;
  firstMs: number;
  lastMs: number;
  crc32c: number;
  bytes: Uint8Array;
  sealedWallMs: number;
  sealedMonoMs: number;
  unsynced: boolean;
  /** Resolves the appends that end in this chunk. */
  settle: () => void;
}

export interface QueueOptions {
  clock: Clock;
  clockState: () => ClockState;
  /** A chunk is sealed when it is about this long. */
  chunkBytes: number;
}

/** A difference of wall and monotonic time that no slewing makes between two appends. */
const STEP_MS = 500;

export class PendingQueue {
  /** Of this start of the agent. */
  readonly epoch: Epoch = randomEpoch();
  readonly #options: QueueOptions;
  readonly #builder = new ChunkBuilder();
  #sealed: SealedChunk[] = [];
  #sealedBytes = 0;
  #nextSeq = 1;
  /** The clock at the latest append: a chunk is dated by the clock that its readings saw. */
  #wallMs = 0;
  #monoMs = 0;
  #unsynced = false;
  #boot = '';
  /** Shared by all appends whose last reading is in the builder. */
  #gate: PromiseWithResolvers<void> | undefined;
  #gaps: Gap[] = [];

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  get boot(): string {
    return this.#boot;
  }

  get empty(): boolean {
    return this.#builder.count === 0 && this.#sealed.length === 0 && this.#gaps.length === 0;
  }

  get sealed(): readonly SealedChunk[] {
    return this.#sealed;
  }

  /** Ranges numbered but never written, to be declared with the next commit. */
  get gaps(): readonly Gap[] {
    return this.#gaps;
  }

  get bytes(): number {
    return this.#sealedBytes + (this.#builder.count === 0 ? 0 : this.#builder.bytesEstimate);
  }

  get sealedBytes(): number {
    return this.#sealedBytes;
  }

  /** Numbers and encodes in the order given. The promise is that of the chunk which the last one is in. */
  add(readings: readonly Reading[], rejects: readonly Reject[]): Promise<void> {
    if (readings.length === 0 && rejects.length === 0) return Promise.resolve();
    this.#observeClock();
    const { chunkBytes } = this.#options;
    const builder = this.#builder;
    for (const reading of readings) {
      if (builder.bytesEstimate >= chunkBytes) this.seal();
      if (builder.addReading(reading)) continue;
      this.seal();
      if (!builder.addReading(reading)) throw new Error('an empty chunk refused a reading');
    }
    for (const reject of rejects) {
      if (builder.bytesEstimate >= chunkBytes) this.seal();
      if (builder.addReject(reject)) continue;
      this.seal();
      if (!builder.addReject(reject)) throw new Error('an empty chunk refused a reject');
    }
    this.#gate ??= Promise.withResolvers<void>();
    return this.#gate.promise;
  }

  /** No chunk spans a step of the clock or a change of its judgement. */
  #observeClock(): void {
    const { clock, clockState } = this.#options;
    const wallMs = clock.wallMs();
    const monoMs = clock.monoMs();
    const { unsynced, boot } = clockState();
    const stepMs = wallMs - monoMs - (this.#wallMs - this.#monoMs);
    if (unsynced !== this.#unsynced || boot !== this.#boot || Math.abs(stepMs) > STEP_MS) {
      this.seal();
    }
    this.#wallMs = wallMs;
    this.#monoMs = monoMs;
    this.#unsynced = unsynced;
    this.#boot = boot;
  }

  /** Encodes what the builder holds, if anything. */
  seal(): void {
    if (this.#builder.count === 0) return;
    const monoMs = Math.round(this.#options.clock.monoMs());
    const wallMs = Math.round(this.#wallMs + (monoMs - this.#monoMs));
    const { bytes, count, firstMs, lastMs } = this.#builder.seal({
      boot: this.#boot,
      wallMs,
      monoMs,
      unsynced: this.#unsynced,
    });
    const firstSeq = this.#nextSeq;
    this.#nextSeq += count;
    const gate = this.#gate;
    this.#gate = undefined;
    this.#sealed.push({
      epoch: this.epoch,
      boot: this.#boot,
      firstSeq,
      count,
      firstMs,
      lastMs,
      crc32c: chunkCrc(this.epoch, { firstSeq, count, firstMs, lastMs }, bytes),
      bytes,
      sealedWallMs: wallMs,
      sealedMonoMs: monoMs,
      unsynced: this.#unsynced,
      settle: () => gate?.resolve(),
    });
    this.#sealedBytes += bytes.length;
  }

  /** The oldest sealed chunks, at most `maxBytes` of them but at least one. */
  head(maxBytes: number): readonly SealedChunk[] {
    let bytes = 0;
    let n = 0;
    for (const chunk of this.#sealed) {
      bytes += chunk.bytes.length;
      if (n > 0 && bytes > maxBytes) break;
      n++;
    }
    return this.#sealed.slice(0, n);
  }

  /** The first `chunks` sealed chunks and the first `gaps` gaps are in the file. */
  committed(chunks: number, gaps: number): void {
    for (const chunk of this.#sealed.splice(0, chunks)) {
      this.#sealedBytes -= chunk.bytes.length;
      chunk.settle();
    }
    this.#gaps.splice(0, gaps);
  }

  /** Gives up the oldest chunks until the rest fits; answers how many readings that were. */
  dropOver(maxBytes: number): number {
    let dropped = 0;
    let n = 0;
    let left = this.bytes;
    for (const chunk of this.#sealed) {
      if (left <= maxBytes) break;
      left -= chunk.bytes.length;
      dropped += chunk.count;
      this.#declare(chunk);
      n++;
    }
    this.committed(n, 0);
    return dropped;
  }

  #declare(chunk: SealedChunk): void {
    const lastSeq = chunk.firstSeq + chunk.count - 1;
    const before = this.#gaps.at(-1);
    if (before !== undefined && before.lastSeq + 1 === chunk.firstSeq) {
      before.lastSeq = lastSeq;
      before.firstMs = Math.min(before.firstMs, chunk.firstMs);
      before.lastMs = Math.max(before.lastMs, chunk.lastMs);
      return;
    }
    this.#gaps.push({
      epoch: chunk.epoch,
      firstSeq: chunk.firstSeq,
      lastSeq,
      firstMs: chunk.firstMs,
      lastMs: chunk.lastMs,
      reason: GapReason.NOT_WRITTEN,
    });
  }
}
