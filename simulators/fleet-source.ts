/** What a simulated gateway sends: rows of FMS-like devices as batches, with the real codec. */

import { fileURLToPath } from 'node:url';
import { encodeBatch } from '../proto/batch.ts';
import { ChunkBuilder } from '../proto/chunk.ts';
import { chunkCrc } from '../proto/crc32c.ts';
import type { EncodedChunk } from '../proto/encode.ts';
import { randomEpoch } from '../proto/epoch.ts';
import type { BatchHeader, ChunkClock, ChunkFrame, Epoch } from '../proto/model.ts';
import { NO_EPOCH, Quality } from '../proto/model.ts';
import type { GatewayId } from '../proto/topics.ts';
import { loadDevicesConfig } from './config.ts';
import { Random } from './random.ts';
import type { Signal } from './signal.ts';
import { SignalSource } from './signal.ts';
import type { TruthEntry } from './truth.ts';

/**
 * `live`: every reading is drawn and every batch encoded, as an agent does.
 * `chunks`: the readings are drawn and encoded once, then sent again and again with seqs and CRCs of
 * their own (their times stay).
 * `payload`: one payload, the same bytes each time; for load on broker and log alone, which a processor
 * takes for duplicates.
 */
export type FleetMode = 'live' | 'chunks' | 'payload';

export interface SourceOptions {
  mode: FleetMode;
  seed: number | string;
  /** Of each gateway. */
  devices: number;
  /** Of each device. The first seven are those of simulators/devices.yaml. */
  channels: number;
  /** Rows of each device in one batch, and the time between them. */
  rowsPerBatch: number;
  rowIntervalMs: number;
  /** Hears of all rows before the batch is answered; only in mode `live`. */
  onRows: ((rows: TruthEntry[]) => void) | undefined;
}

export interface OutgoingBatch {
  payload: Uint8Array;
  readings: number;
}

const CONFIG = fileURLToPath(new URL('devices.yaml', import.meta.url));
const BOOT = 'f1ee70f1ee70f1ee';

/** One gateway's stream of batches. Device names begin with the gateway's: they are unique in the site. */
export class BatchSource {
  readonly gateway: GatewayId;
  readonly epoch: Epoch = randomEpoch();
  readonly #options: SourceOptions;
  readonly #shared: SharedSource;
  readonly #devices: { name: string; channels: [string, SignalSource][] }[] = [];
  #lastSeq = 0;

  constructor(gateway: GatewayId, shared: SharedSource) {
    this.gateway = gateway;
    this.#shared = shared;
    this.#options = shared.options;
    if (this.#options.mode === 'live') this.#devices = shared.devicesOf(gateway.gateway);
  }

  /** Seq of the last reading that a batch was made of. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** The next batch; its last row has the time `dueMs`. */
  next(dueMs: number): OutgoingBatch {
    const { mode } = this.#options;
    if (mode === 'payload') return this.#shared.payloadOf(this);
    const chunks = mode === 'live' ? this.#draw(dueMs) : this.#shared.chunksAt(dueMs);
    const frames = chunks.map((chunk) => this.#number(chunk));
    const payload = encodeBatch(this.#header(dueMs), frames);
    return { payload, readings: frames.reduce((sum, frame) => sum + frame.count, 0) };
  }

  #draw(dueMs: number): EncodedChunk[] {
    const rows: TruthEntry[] = [];
    const wanted = this.#options.onRows !== undefined;
    const chunks = this.#shared.encode(this.#devices, dueMs, wanted ? rows : undefined);
    if (wanted) this.#options.onRows?.(rows);
    return chunks;
  }

  #number(chunk: EncodedChunk): ChunkFrame {
    const { count, firstMs, lastMs, bytes } = chunk;
    const header = { firstSeq: this.#lastSeq + 1, count, firstMs, lastMs };
    this.#lastSeq += count;
    return { ...header, crc32c: chunkCrc(this.epoch, header, bytes), bytes };
  }

  #header(sentMs: number): BatchHeader {
    return {
      ...this.gateway,
      epoch: this.epoch,
      predecessorEpoch: NO_EPOCH,
      predecessorLastSeq: 0,
      lastSeq: this.#lastSeq,
      sentMs,
      installId: installIdOf(this.gateway),
      corrections: [],
      gaps: [],
    };
  }

  /** For SharedSource: a batch of chunks that come from outside. */
  encodeOnce(chunks: readonly EncodedChunk[], dueMs: number): OutgoingBatch {
    const frames = chunks.map((chunk) => this.#number(chunk));
    return { payload: encodeBatch(this.#header(dueMs), frames), readings: this.#lastSeq };
  }
}

/** The same for every start of the fleet, so that a second run takes the first one's connections over. */
export function installIdOf({ gateway }: GatewayId): string {
  return `fleet-${gateway}`;
}

const VARIANTS = 16;

/** What all gateways of a fleet share. */
export class SharedSource {
  readonly options: SourceOptions;
  readonly #builder = new ChunkBuilder();
  readonly #signals: [string, Signal][];
  #variants: EncodedChunk[][] = [];
  #nextVariant = 0;
  readonly #payloads = new Map<string, OutgoingBatch>();

  constructor(options: SourceOptions) {
    this.options = options;
    const first = loadDevicesConfig(CONFIG).devices[0];
    const known = [...(first?.channels ?? [])];
    this.#signals = Array.from({ length: options.channels }, (_, i) => {
      const [channel, signal] = known[i % known.length]!;
      return [
        i < known.length ? channel : `${channel}_${Math.floor(i / known.length) + 1}`,
        signal,
      ];
    });
  }

  devicesOf(gateway: string): { name: string; channels: [string, SignalSource][] }[] {
    return Array.from({ length: this.options.devices }, (_, i) => {
      const name = `${gateway}-D${String(i + 1).padStart(2, '0')}`;
      const channels = this.#signals.map(([channel, signal]): [string, SignalSource] => [
        channel,
        new SignalSource(signal, new Random(this.options.seed, `${name}/${channel}`)),
      ]);
      return { name, channels };
    });
  }

  /** Draws a batch's rows; the last have the time `dueMs`. Answers usually one chunk. */
  encode(
    devices: ReturnType<SharedSource['devicesOf']>,
    dueMs: number,
    rows: TruthEntry[] | undefined,
  ): EncodedChunk[] {
    const { rowsPerBatch, rowIntervalMs } = this.options;
    const clock: ChunkClock = {
      boot: BOOT,
      wallMs: dueMs,
      monoMs: performance.now(),
      unsynced: false,
    };
    const chunks: EncodedChunk[] = [];
    for (let r = 0; r < rowsPerBatch; r++) {
      const timeMs = Math.floor(dueMs - (rowsPerBatch - 1 - r) * rowIntervalMs);
      for (const { name, channels } of devices) {
        const values: Record<string, unknown> = {};
        for (const [channel, source] of channels) {
          const { value } = source.draw();
          const reading = { device: name, channel, timeMs, value, quality: Quality.GOOD };
          if (!this.#builder.addReading(reading)) {
            chunks.push(this.#builder.seal(clock));
            this.#builder.addReading(reading);
          }
          if (rows !== undefined) values[channel] = value;
        }
        const at = { at_ms: Date.now(), device: name, time_ms: timeMs };
        rows?.push({ type: 'row', ...at, values, faults: [], status: 200 });
      }
    }
    chunks.push(this.#builder.seal(clock));
    return chunks;
  }

  chunksAt(dueMs: number): EncodedChunk[] {
    if (this.#variants.length < VARIANTS) {
      const devices = this.devicesOf('chunks');
      this.#variants.push(this.encode(devices, dueMs, undefined));
    }
    return this.#variants[this.#nextVariant++ % this.#variants.length]!;
  }

  payloadOf(source: BatchSource): OutgoingBatch {
    const { gateway } = source.gateway;
    let batch = this.#payloads.get(gateway);
    if (batch === undefined) {
      const nowMs = Date.now();
      batch = source.encodeOnce(this.chunksAt(nowMs), nowMs);
      this.#payloads.set(gateway, batch);
    }
    return batch;
  }
}
