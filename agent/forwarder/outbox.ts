/**
 * What goes to the collector next. The outbox takes chunks from the buffer in order, joins them to
 * batches without decoding them, knows what is in flight, and tells the buffer what has arrived. It
 * does no I/O of its own: the forwarder carries the batches.
 */

import { encodeBatch } from '../../proto/batch.ts';
import { CHUNKS_PER_BATCH_MAX, GAPS_PER_BATCH_MAX } from '../../proto/limits.ts';
import type { Gap } from '../../proto/model.ts';
import { NO_EPOCH } from '../../proto/model.ts';
import type { Clock, ClockState, EpochInfo, PendingChunk, ReadingBuffer } from '../types.ts';

/** One batch on its way. */
export interface OutgoingBatch {
  payload: Uint8Array;
  chunkIds: readonly number[];
  gapIds: readonly number[];
  /** Readings plus rejects. */
  readings: number;
  /** The outbox's position before this batch was taken. */
  afterId: number;
}

export interface OutboxOptions {
  buffer: ReadingBuffer;
  identity: { site: string; gateway: string; installId: string };
  windowBatches: number;
  batchReadings: number;
  /** Of the chunks before compression. */
  batchBytes: number;
  /** How long chunks with an unsynced clock wait for a correction. */
  holdMs: number;
  clock: Clock;
  clockState: () => ClockState;
}

/** On a line too slow for whole batches the shares shrink to this before they stop shrinking. */
const SHARE_MIN = 1 / 64;
const SHARE_STEP = 1 / 16;
/** What is still to be waited at least while the collector is asked for its time; who asks gives up in time. */
const ANSWER_MS = 1_000;
const BATCH_BYTES_MIN = 4_096;
const BATCH_READINGS_MIN = 100;

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #inFlight = new Set<OutgoingBatch>();
  readonly #gapsInFlight = new Set<number>();
  /** Everything up to this chunk id was taken. */
  #position = 0;
  #share = 1;
  #heldMs = 0;
  #inFlightReadings = 0;
  #inFlightBytes = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Chunks up to this id were taken; what `ReadingBuffer.waitForMore` wants to know. */
  get position(): number {
    return this.#position;
  }

  get inFlightBatches(): number {
    return this.#inFlight.size;
  }

  get inFlightReadings(): number {
    return this.#inFlightReadings;
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** How long the oldest chunk still waits for the clock's correction; 0: nothing is held back. */
  get heldMs(): number {
    return this.#heldMs;
  }

  /** Part of the window and of the batch size in use: 1, less on a line that did not keep up. */
  get share(): number {
    return this.#share;
  }

  get windowFull(): boolean {
    return (
      this.#inFlight.size >= Math.max(1, Math.floor(this.#options.windowBatches * this.#share))
    );
  }

  /** The next batch, now in flight; undefined: the window is full or nothing may go now. */
  take(): OutgoingBatch | undefined {
    if (this.windowFull) return undefined;
    const afterId = this.#position;
    const chunks = this.#releasedChunks();
    const declared = this.#options.buffer
      .gaps(this.#gapsInFlight.size + GAPS_PER_BATCH_MAX)
      .filter((gap) => !this.#gapsInFlight.has(gap.id))
      .slice(0, GAPS_PER_BATCH_MAX);
    if (chunks.length === 0 && declared.length === 0) return undefined;
    const batch: OutgoingBatch = {
      payload: this.#encode(chunks, declared),
      chunkIds: chunks.map((chunk) => chunk.id),
      gapIds: declared.map((gap) => gap.id),
      readings: chunks.reduce((sum, chunk) => sum + chunk.frame.count, 0),
      afterId,
    };
    this.#position = chunks.at(-1)?.id ?? afterId;
    this.#inFlight.add(batch);
    for (const id of batch.gapIds) this.#gapsInFlight.add(id);
    this.#inFlightReadings += batch.readings;
    this.#inFlightBytes += batch.payload.length;
    return batch;
  }

  /** The collector has the batch: its chunks and gaps leave the buffer. */
  acknowledge(batch: OutgoingBatch): void {
    if (!this.#inFlight.delete(batch)) return;
    this.#inFlightReadings -= batch.readings;
    this.#inFlightBytes -= batch.payload.length;
    this.#share = Math.min(1, this.#share + SHARE_STEP);
    if (batch.chunkIds.length > 0) this.#options.buffer.acknowledge(batch.chunkIds);
    if (batch.gapIds.length > 0) this.#options.buffer.acknowledgeGaps(batch.gapIds);
    for (const id of batch.gapIds) this.#gapsInFlight.delete(id);
  }

  /** The connection is gone: everything in flight goes again. */
  rewind(): void {
    for (const batch of this.#inFlight) this.#position = Math.min(this.#position, batch.afterId);
    this.#inFlight.clear();
    this.#gapsInFlight.clear();
    this.#inFlightReadings = 0;
    this.#inFlightBytes = 0;
  }

  /** The line did not carry the window within the publish timeout: smaller batches, fewer of them. */
  shrink(): void {
    this.#share = Math.max(SHARE_MIN, this.#share / 2);
  }

  #releasedChunks(): PendingChunk[] {
    const { buffer, batchBytes, batchReadings } = this.#options;
    const chunks = buffer.next(this.#position, {
      maxBytes: Math.max(BATCH_BYTES_MIN, batchBytes * this.#share),
      maxReadings: Math.max(BATCH_READINGS_MIN, batchReadings * this.#share),
      maxChunks: CHUNKS_PER_BATCH_MAX,
    });
    const held = chunks.findIndex((chunk) => this.#holdLeftMs(chunk) > 0);
    this.#heldMs = held < 0 ? 0 : this.#holdLeftMs(chunks[held]!);
    return held < 0 ? chunks : chunks.slice(0, held);
  }

  /**
   * A chunk timed by a clock that is still wrong waits: the correction has to be with the collector
   * before it, or at latest together with it. Order is kept, what is behind it was read later on the
   * same wrong clock. Chunks of an earlier boot cannot be corrected any more and go at once.
   */
  #holdLeftMs(chunk: PendingChunk): number {
    if (!chunk.clockUnsynced) return 0;
    const state = this.#options.clockState();
    if (chunk.boot !== state.boot || !state.unsynced) return 0;
    if (state.corrections.some((correction) => correction.boot === chunk.boot)) return 0;
    const waitedMs = this.#options.clock.monoMs() - chunk.sealedMonoMs;
    const leftMs = Math.max(0, this.#options.holdMs - waitedMs);
    // However long it waited for a connection: now that there is one, the answer is near.
    return state.isAwaited === true ? Math.max(ANSWER_MS, leftMs) : leftMs;
  }

  #encode(chunks: readonly PendingChunk[], gaps: readonly Gap[]): Uint8Array {
    const { buffer, identity, clock, clockState } = this.#options;
    const epoch = chunks[0]?.epoch ?? gaps[0]?.epoch ?? NO_EPOCH;
    const info: EpochInfo = buffer.epochInfo(epoch) ?? {
      epoch,
      predecessorEpoch: NO_EPOCH,
      predecessorLastSeq: 0,
      lastSeq: lastSeqOf(epoch, chunks, gaps),
    };
    return encodeBatch(
      {
        ...identity,
        epoch,
        predecessorEpoch: info.predecessorEpoch,
        predecessorLastSeq: info.predecessorLastSeq,
        lastSeq: info.lastSeq,
        sentMs: clock.wallMs(),
        corrections: clockState().corrections,
        gaps: gaps.map(({ epoch, firstSeq, lastSeq, firstMs, lastMs, reason }) => ({
          epoch,
          firstSeq,
          lastSeq,
          firstMs,
          lastMs,
          reason,
        })),
      },
      chunks.map((chunk) => chunk.frame),
    );
  }
}

/** For a buffer that has forgotten the epoch: at least what this batch names exists. */
function lastSeqOf(epoch: string, chunks: readonly PendingChunk[], gaps: readonly Gap[]): number {
  const last = chunks.at(-1)?.frame;
  if (last !== undefined) return last.firstSeq + last.count - 1;
  return Math.max(0, ...gaps.map((gap) => (gap.epoch === epoch ? gap.lastSeq : 0)));
}
