/** The bytes of a Chunk (fms.proto) → columns. Takes any bytes; bounded in time and memory. */

import { isUtf8 } from 'node:buffer';
import type { Reader } from 'protobufjs/minimal.js';
import { ColumnReader } from './columns.ts';
import { DECIMALS_MAX, POWERS } from './encode.ts';
import type { Decoded } from './errors.ts';
import { WireError } from './errors.ts';
import {
  decoded,
  readBool,
  readBytes,
  readerOf,
  readHex64,
  readInt64,
  readText,
  readTimeMs,
} from './fields.ts';
import {
  CHUNK_BYTES_MAX,
  CHUNK_SPAN_MS_MAX,
  NAME_BYTES_MAX,
  READINGS_PER_CHUNK_MAX,
  REJECT_DETAIL_BYTES,
  REJECT_HEAD_BYTES,
  REJECTS_PER_CHUNK_MAX,
  SERIES_PER_CHUNK_MAX,
  TEXT_BYTES_MAX,
  TIME_MS_MAX,
  TIME_MS_MIN,
  WORD_BYTES_MAX,
} from './limits.ts';
import type {
  ChunkClock,
  ChunkColumns,
  ChunkFrame,
  Reject,
  RejectReason,
  Series,
} from './model.ts';
import { hasValue, NO_EPOCH, SeriesKind } from './model.ts';

/**
 * Opens a frame's chunk and checks it against itself, the limits and the frame (count and times; not
 * the CRC: that is frameCrcOk of batch.ts). Never throws.
 */
export function decodeChunk(frame: ChunkFrame): Decoded<ChunkColumns> {
  return decoded(() => {
    if (frame.bytes.length > CHUNK_BYTES_MAX) {
      throw new WireError('WIRE_TOO_LARGE', `chunk: ${frame.bytes.length} bytes`);
    }
    return columnsOf(readFields(readerOf(frame.bytes)), frame);
  });
}

/** A chunk's fields as they stand in the bytes; packed columns still packed. */
interface ChunkFields {
  clock: ChunkClock;
  baseMs: number;
  names: string[];
  /** Parts of the packed fields 7..14 and 16, by field number. */
  packed: Buffer[][];
  texts: Buffer[];
  rejects: Reject[];
}

const PACKED_FIELDS: Record<number, string> = {
  7: 'series_device',
  8: 'series_channel',
  9: 'series_kind',
  10: 'series_count',
  11: 'series_same_times',
  12: 'time_deltas',
  13: 'value_deltas',
  14: 'doubles',
  16: 'quality_runs',
};

function readFields(reader: Reader): ChunkFields {
  const clock: ChunkClock = { boot: NO_EPOCH, wallMs: 0, monoMs: 0, unsynced: false };
  const packed: Buffer[][] = Array.from({ length: 17 }, () => []);
  const fields: ChunkFields = { clock, baseMs: 0, names: [], packed, texts: [], rejects: [] };
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    const field = tag >>> 3;
    const packedName = PACKED_FIELDS[field];
    if (packedName !== undefined) {
      packed[field]!.push(readBytes(reader, tag, packedName, CHUNK_BYTES_MAX));
      continue;
    }
    switch (field) {
      case 1:
        clock.boot = readHex64(reader, tag, 'boot');
        break;
      case 2:
        clock.wallMs = readTimeMs(reader, tag, 'wall_ms');
        break;
      case 3:
        clock.monoMs = readInt64(reader, tag, 'mono_ms');
        break;
      case 4:
        clock.unsynced = readBool(reader, tag, 'clock_unsynced');
        break;
      case 5:
        fields.baseMs = readTimeMs(reader, tag, 'base_time_ms');
        break;
      case 6:
        limit('names', fields.names, SERIES_PER_CHUNK_MAX * 2);
        fields.names.push(readText(reader, tag, 'names', NAME_BYTES_MAX));
        break;
      case 15:
        limit('texts', fields.texts, READINGS_PER_CHUNK_MAX);
        fields.texts.push(readBytes(reader, tag, 'texts', TEXT_BYTES_MAX));
        break;
      case 17:
        limit('rejects', fields.rejects, REJECTS_PER_CHUNK_MAX);
        fields.rejects.push(readReject(readerOf(readBytes(reader, tag, 'rejects', 8192))));
        break;
      default:
        reader.skipType(tag & 7, 0, field);
    }
  }
  return fields;
}

function readReject(reader: Reader): Reject {
  const reject = { timeMs: 0, device: '', reason: '', detail: '', head: new Uint8Array(0) };
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        reject.timeMs = readTimeMs(reader, tag, 'reject.time_ms');
        break;
      case 2:
        reject.device = readText(reader, tag, 'reject.device', NAME_BYTES_MAX);
        break;
      case 3:
        reject.reason = readText(reader, tag, 'reject.reason', WORD_BYTES_MAX);
        break;
      case 4:
        reject.detail = readText(reader, tag, 'reject.detail', REJECT_DETAIL_BYTES);
        break;
      case 5:
        // A copy: it outlives the payload, and must not keep it alive.
        reject.head = new Uint8Array(readBytes(reader, tag, 'reject.head', REJECT_HEAD_BYTES));
        break;
      default:
        reader.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  // A later sender may know reasons that this program does not; they are shown as they are.
  return { ...reject, reason: reject.reason as RejectReason };
}

function columnsOf(fields: ChunkFields, frame: ChunkFrame): ChunkColumns {
  const { series, sameTimes, readings } = seriesOf(fields);
  const count = readings + fields.rejects.length;
  if (count !== frame.count) {
    throw new WireError('WIRE_INCONSISTENT', `count: frame says ${frame.count}, chunk ${count}`);
  }
  const timesMs = new Float64Array(readings);
  readTimes(columnOf(fields, 12), series, sameTimes, fields.baseMs, timesMs);
  checkTimes(timesMs, fields.rejects, frame);
  const qualities = new Uint8Array(readings);
  const allGood = readQualities(columnOf(fields, 16), qualities);
  const numbers = new Float64Array(readings);
  const texts = new Map<number, string>();
  readValues(fields, series, numbers, qualities, texts);
  if (!allGood) {
    for (let i = 0; i < readings; i++) if (!hasValue(qualities[i]!)) numbers[i] = Number.NaN;
  }
  return {
    clock: fields.clock,
    series,
    timesMs,
    numbers,
    texts,
    qualities,
    rejects: fields.rejects,
  };
}

function columnOf(fields: ChunkFields, field: number): ColumnReader {
  return new ColumnReader(fields.packed[field]!, PACKED_FIELDS[field]!);
}

function seriesOf(fields: ChunkFields): {
  series: Series[];
  sameTimes: number[];
  readings: number;
} {
  const [devices, channels, kinds, counts, sameTimes] = [7, 8, 9, 10, 11].map((field) =>
    columnOf(fields, field).uint32s(SERIES_PER_CHUNK_MAX),
  ) as [number[], number[], number[], number[], number[]];
  const n = devices.length;
  for (const column of [channels, kinds, counts, sameTimes]) {
    if (column.length !== n) throw inconsistent('series columns differ in length');
  }
  const series: Series[] = [];
  let start = 0;
  for (let i = 0; i < n; i++) {
    const device = fields.names[devices[i]!];
    const channel = fields.names[channels[i]!];
    if (device === undefined || channel === undefined) throw inconsistent('a name index');
    const kind = kinds[i]!;
    if (kind > DECIMALS_MAX && (kind < SeriesKind.DOUBLE || kind > SeriesKind.BOOLEAN)) {
      throw inconsistent(`series_kind ${kind}`);
    }
    const count = counts[i]!;
    if (count === 0) throw inconsistent('a series without readings');
    if (sameTimes[i]! > 1) throw inconsistent('series_same_times');
    if (sameTimes[i] === 1 && counts[i - 1] !== count) throw inconsistent('series_same_times');
    series.push({ device, channel, kind, start, count });
    start += count;
    if (start > READINGS_PER_CHUNK_MAX) {
      throw new WireError('WIRE_TOO_LARGE', `more than ${READINGS_PER_CHUNK_MAX} readings`);
    }
  }
  return { series, sameTimes, readings: start };
}

function readTimes(
  column: ColumnReader,
  series: readonly Series[],
  sameTimes: readonly number[],
  baseMs: number,
  out: Float64Array,
): void {
  for (let i = 0; i < series.length; i++) {
    const { start, count } = series[i]!;
    if (sameTimes[i] === 1) out.copyWithin(start, start - count, start);
    else column.sums(out, start, start + count, baseMs);
  }
  column.finish();
}

/** The frame's times bound the readings' (the rejects', if there are none), and these lie close together. */
function checkTimes(timesMs: Float64Array, rejects: readonly Reject[], frame: ChunkFrame): void {
  let firstMs = Number.POSITIVE_INFINITY;
  let lastMs = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < timesMs.length; i++) {
    const timeMs = timesMs[i]!;
    if (timeMs < firstMs) firstMs = timeMs;
    if (timeMs > lastMs) lastMs = timeMs;
  }
  if (lastMs - firstMs > CHUNK_SPAN_MS_MAX) throw inconsistent('times too far apart');
  if (timesMs.length === 0) {
    for (const { timeMs } of rejects) {
      firstMs = Math.min(firstMs, timeMs);
      lastMs = Math.max(lastMs, timeMs);
    }
  }
  if (firstMs < frame.firstMs || lastMs > frame.lastMs)
    throw inconsistent('a time outside the frame');
  if (firstMs < TIME_MS_MIN || lastMs > TIME_MS_MAX) throw inconsistent('a time out of range');
}

/** True when every reading is good without further reading. */
function readQualities(column: ColumnReader, out: Uint8Array): boolean {
  if (column.done) return true;
  const runs = column.uint32s(READINGS_PER_CHUNK_MAX * 2);
  let at = 0;
  for (let r = 0; r < runs.length; r += 2) {
    const count = runs[r]!;
    const code = runs[r + 1];
    if (code === undefined || code > 255) throw inconsistent('quality_runs: a code');
    if (count === 0 || count > out.length - at) throw inconsistent('quality_runs: a count');
    out.fill(code, at, at + count);
    at += count;
  }
  if (at !== out.length) throw inconsistent('quality_runs: their sum');
  return false;
}

function readValues(
  fields: ChunkFields,
  series: readonly Series[],
  numbers: Float64Array,
  qualities: Uint8Array,
  texts: Map<number, string>,
): void {
  const scaled = columnOf(fields, 13);
  const doubles = columnOf(fields, 14);
  let nextText = 0;
  for (const { kind, start, count } of series) {
    const end = start + count;
    if (kind === SeriesKind.DOUBLE) {
      doubles.doubles(numbers, start, end);
    } else if (kind === SeriesKind.TEXT) {
      numbers.fill(Number.NaN, start, end);
      for (let i = start; i < end; i++) {
        const bytes = fields.texts[nextText++];
        if (bytes === undefined) throw inconsistent('texts: too few');
        if (!isUtf8(bytes)) throw new WireError('WIRE_MALFORMED', 'texts: not UTF-8');
        if (hasValue(qualities[i]!)) texts.set(i, bytes.toString('utf8'));
      }
    } else {
      scaled.sums(numbers, start, end, 0);
      if (kind === SeriesKind.BOOLEAN) checkBooleans(numbers, start, end);
      else if (kind > 0) divide(numbers, start, end, POWERS[kind]!);
    }
  }
  scaled.finish();
  doubles.finish();
  if (nextText !== fields.texts.length) throw inconsistent('texts: too many');
}

function checkBooleans(numbers: Float64Array, start: number, end: number): void {
  for (let i = start; i < end; i++) {
    if (numbers[i] !== 0 && numbers[i] !== 1) throw inconsistent('a boolean beyond 0 and 1');
  }
}

function divide(numbers: Float64Array, start: number, end: number, power: number): void {
  for (let i = start; i < end; i++) numbers[i] = numbers[i]! / power;
}

function limit(name: string, list: readonly unknown[], max: number): void {
  if (list.length >= max) throw new WireError('WIRE_TOO_LARGE', `${name}: more than ${max}`);
}

function inconsistent(what: string): WireError {
  return new WireError('WIRE_INCONSISTENT', what);
}
