/** Bytes a reading on the wire, against JSON, and the speed of the codec. No network, no disk. */

import { zstdCompressSync } from 'node:zlib';
import { decodeBatch, encodeBatch, frameCrcOk } from '../../proto/batch.ts';
import { ChunkBuilder } from '../../proto/chunk.ts';
import { chunkCrc } from '../../proto/crc32c.ts';
import { decodeChunk } from '../../proto/decode.ts';
import type { BatchHeader, ChunkClock, ChunkFrame, Reading } from '../../proto/model.ts';
import { NO_EPOCH } from '../../proto/model.ts';
import type { BenchOptions, Figures } from './main.ts';
import type { Row } from './readings.ts';
import { readingsOf, simulatedCycles } from './readings.ts';

const START_MS = Date.UTC(2026, 0, 1);
const INTERVAL_MS = 10_000;
const BATCH_READINGS = 1_000;
const BATCHES = 200;
/** Of simulators/devices.yaml. */
const DEVICES = 5;
const EPOCH = '5c1f3a9e7b2d4860';
const CLOCK: ChunkClock = {
  boot: '9d2e4f6a8b1c3d57',
  wallMs: START_MS,
  monoMs: 86_400_000,
  unsynced: false,
};

/** `targets`: bytes_per_reading ≤ 2.5, times_smaller_than_json ≥ 30. */
export async function run({ log, seconds = 4 }: BenchOptions): Promise<Figures> {
  log('counted: whole Envelope bytes of batches (zstd level 3), header, names and CRCs included');
  log('left out: MQTT, TCP and IP headers (about 90 bytes a batch of one publish)');
  log(
    `input: the devices of simulators/devices.yaml, every ${INTERVAL_MS / 1000} s, ${BATCHES} batches`,
  );
  const rows = rowsFor(BATCH_READINGS * BATCHES);
  const readings = rows.flatMap(readingsOf).slice(0, BATCH_READINGS * BATCHES);
  const full = slices(readings, BATCH_READINGS).map((part) => batchOf([part]));
  // Live: one chunk a commit of the buffer, i.e. one a cycle of all devices; sent at once, or joined
  // into batches of about 1,000 readings after a pause of the connection.
  const cycles = slices(rows, DEVICES).map((part) => part.flatMap(readingsOf));
  const live = cycles.map((cycle) => batchOf([cycle]));
  const joined = slices(cycles, 28).map((part) => batchOf(part));
  const json = readings.map(jsonOf);
  const jsonBytes = json.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
  const wide = rows.map(wideJsonOf);
  const wideBytes = wide.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
  const zipped = slices(json, BATCH_READINGS).map((part) => zstdCompressSync(part.join('\n')));

  const n = readings.length;
  const bytesPerReading = bytesOf(full) / n;
  const jsonPerReading = jsonBytes / n;
  const widePerReading = wideBytes / rows.reduce((sum, row) => sum + row.values.size, 0);
  const zippedPerReading = zipped.reduce((sum, bytes) => sum + bytes.length, 0) / n;
  const speed = codecSpeed(readings, seconds);
  log('targets: bytes_per_reading ≤ 2.5, times_smaller_than_json ≥ 30');
  return {
    bytes_per_reading: round(bytesPerReading),
    times_smaller_than_json: round(jsonPerReading / bytesPerReading),
    times_smaller_than_wide_json: round(widePerReading / bytesPerReading),
    times_smaller_than_json_zstd: round(zippedPerReading / bytesPerReading),
    bytes_per_reading_live_joined: round(bytesOf(joined) / cycles.flat().length),
    bytes_per_reading_live_single: round(bytesOf(live) / cycles.flat().length),
    bytes_per_reading_uncompressed: round(
      bytesOf(slices(readings, BATCH_READINGS).map((part) => batchOf([part], 'none'))) / n,
    ),
    json_bytes_per_reading: round(jsonPerReading),
    wide_json_bytes_per_reading: round(widePerReading),
    ...speed,
  };
}

function rowsFor(readings: number): Row[] {
  const rows: Row[] = [];
  let count = 0;
  for (const cycle of simulatedCycles({ startMs: START_MS, intervalMs: INTERVAL_MS, seed: 1 })) {
    for (const row of cycle) {
      rows.push(row);
      count += row.values.size;
    }
    if (count >= readings) return rows;
  }
  return rows;
}

function slices<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let i = 0; i + size <= items.length; i += size) parts.push(items.slice(i, i + size));
  if (items.length % size > 0) parts.push(items.slice(items.length - (items.length % size)));
  return parts;
}

function batchOf(
  chunks: readonly (readonly Reading[])[],
  codec: 'zstd' | 'none' = 'zstd',
): Uint8Array {
  const builder = new ChunkBuilder();
  let seq = 1;
  const frames = chunks.map((readings) => {
    const frame = frameOf(builder, readings, seq);
    seq += frame.count;
    return frame;
  });
  return encodeBatch(headerOf(seq - 1), frames, codec);
}

function frameOf(
  builder: ChunkBuilder,
  readings: readonly Reading[],
  firstSeq: number,
): ChunkFrame {
  for (const reading of readings) {
    if (!builder.addReading(reading)) throw new Error('a chunk of the bench is too large');
  }
  const { bytes, count, firstMs, lastMs } = builder.seal(CLOCK);
  const header = { firstSeq, count, firstMs, lastMs };
  return { ...header, crc32c: chunkCrc(EPOCH, header, bytes), bytes };
}

function headerOf(lastSeq: number): BatchHeader {
  return {
    site: 'demo',
    gateway: 'gw1',
    epoch: EPOCH,
    predecessorEpoch: NO_EPOCH,
    predecessorLastSeq: 0,
    lastSeq,
    sentMs: START_MS,
    installId: '0123456789abcdef',
    corrections: [],
    gaps: [],
  };
}

/** One object a reading, as gateways that speak JSON send it. */
function jsonOf(reading: Reading): string {
  return JSON.stringify({
    site: 'demo',
    gateway: 'gw1',
    device: reading.device,
    channel: reading.channel,
    time: new Date(reading.timeMs).toISOString(),
    value: reading.value,
    quality: 'good',
  });
}

/** As the FMS API answers: one object a row. */
function wideJsonOf(row: Row): string {
  return JSON.stringify({
    time: new Date(row.timeMs).toISOString(),
    DeviceId: row.device,
    ...Object.fromEntries(row.values),
  });
}

function bytesOf(batches: readonly Uint8Array[]): number {
  return batches.reduce((sum, batch) => sum + batch.length, 0);
}

/** Millions of readings a second of CPU: builder → chunk, CRC, batch, zstd; and all the way back. */
function codecSpeed(readings: readonly Reading[], seconds: number): Figures {
  const parts = slices(readings, BATCH_READINGS);
  const builder = new ChunkBuilder();
  const build = measured(seconds / 4, () => {
    for (const part of parts) {
      for (const reading of part) builder.addReading(reading);
      builder.seal(CLOCK);
    }
  });
  const batches = parts.map((part) => batchOf([part]));
  const encode = measured(seconds / 4, () => {
    for (const part of parts) batchOf([part]);
  });
  const open = measured(seconds / 4, () => {
    for (const batch of batches) openBatch(batch, false);
  });
  const decode = measured(seconds / 4, () => {
    for (const batch of batches) openBatch(batch, true);
  });
  const perS = (runS: number): number => round(readings.length / runS / 1e6);
  return {
    build_m_readings_per_s: perS(build),
    encode_m_readings_per_s: perS(encode),
    decode_batch_m_readings_per_s: perS(open),
    decode_m_readings_per_s: perS(decode),
  };
}

function openBatch(batch: Uint8Array, columns: boolean): void {
  const opened = decodeBatch(batch);
  if (!opened.ok) throw opened.error;
  for (const frame of opened.value.chunks) {
    if (!frameCrcOk(opened.value.epoch, frame)) throw new Error('CRC');
    if (!columns) continue;
    const chunk = decodeChunk(frame);
    if (!chunk.ok) throw chunk.error;
  }
}

/** Seconds of CPU that one call takes, after a first one that is not counted. */
function measured(seconds: number, work: () => void): number {
  work();
  const startedMs = performance.now();
  const before = process.cpuUsage();
  let calls = 0;
  while (performance.now() - startedMs < seconds * 1000) {
    work();
    calls++;
  }
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1e6 / calls;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
