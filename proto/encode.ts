/** Columns → the bytes of a Chunk (fms.proto). */

import type { Writer } from 'protobufjs/minimal.js';
import { putSint32, putUint32 } from './columns.ts';
import {
  key,
  newWriter,
  WireType,
  wireTimeMs,
  writeBool,
  writeBytes,
  writeHex64,
  writeInt64,
  writeText,
} from './fields.ts';
import { CHUNK_BYTES_MAX } from './limits.ts';
import type { ChunkColumns, Reject, Series } from './model.ts';
import { hasValue, SeriesKind } from './model.ts';

/** A chunk's bytes and what its frame says of them. */
export interface EncodedChunk {
  bytes: Uint8Array;
  /** Readings plus rejects. */
  count: number;
  readings: number;
  firstMs: number;
  lastMs: number;
}

export const DECIMALS_MAX = 9;
/** Powers of ten, exact in a double. */
export const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
const INT32_MAX = 2_147_483_647;
const INT32_MIN = -2_147_483_648;

/**
 * Encodes readings and rejects [from, to) of columns, where rejects count on after the readings as
 * their seqs do. Answers the chunks in seq order: one, or, where a slice of foreign columns exceeds
 * CHUNK_BYTES_MAX when encoded again, several that share the range.
 */
export function encodeColumns(columns: ChunkColumns, from: number, to: number): EncodedChunk[] {
  const whole = encodeRange(columns, from, to);
  if (whole.bytes.length <= CHUNK_BYTES_MAX || whole.count === 1) return [whole];
  const middle = (from + to) >>> 1;
  return [...encodeColumns(columns, from, middle), ...encodeColumns(columns, middle, to)];
}

/** What of a series lies in the encoded range. */
interface Part {
  series: Series;
  from: number;
  to: number;
  kind: number;
  sameTimes: number;
}

function encodeRange(columns: ChunkColumns, from: number, to: number): EncodedChunk {
  const n = columns.timesMs.length;
  const end = Math.min(to, n);
  const start = Math.min(from, end);
  const readings = end - start;
  const rejects = columns.rejects.slice(Math.max(from - n, 0), Math.max(to - n, 0));
  const count = readings + rejects.length;
  if (count === 0) throw new RangeError('encodeColumns: an empty range');

  const baseMs = readings > 0 ? columns.timesMs[start]! : 0;
  const parts = partsOf(columns, start, end);
  const times = Buffer.allocUnsafe(readings * 5);
  const timesEnd = putTimes(columns.timesMs, parts, baseMs, times);
  const values = Buffer.allocUnsafe(readings * 5);
  const doubles = new DoubleColumn(readings);
  const valuesEnd = putValues(columns, parts, values, doubles);

  const { clock } = columns;
  const writer = newWriter();
  writeHex64(writer, 1, clock.boot);
  writeInt64(writer, 2, wireTimeMs(clock.wallMs));
  writeInt64(writer, 3, wireTimeMs(clock.monoMs));
  writeBool(writer, 4, clock.unsynced);
  writeInt64(writer, 5, baseMs);
  writeSeries(writer, parts);
  writeBytes(writer, 12, times.subarray(0, timesEnd));
  writeBytes(writer, 13, values.subarray(0, valuesEnd));
  writeBytes(writer, 14, doubles.written());
  writeTexts(writer, columns, parts);
  writeBytes(writer, 16, qualityRuns(columns.qualities, start, end));
  for (const reject of rejects) writeReject(writer, reject);

  const [firstMs, lastMs] =
    readings > 0
      ? rangeOf(columns.timesMs.subarray(start, end))
      : rangeOf(rejects.map((reject) => reject.timeMs));
  return { bytes: writer.finish(), count, readings, firstMs, lastMs };
}

function partsOf(columns: ChunkColumns, start: number, end: number): Part[] {
  const parts: Part[] = [];
  for (const series of columns.series) {
    const from = Math.max(series.start, start);
    const to = Math.min(series.start + series.count, end);
    if (from < to) parts.push({ series, from, to, kind: series.kind, sameTimes: 0 });
  }
  return parts;
}

/** Writes the own times of each part and marks the parts that share the times of the part before. */
function putTimes(timesMs: Float64Array, parts: Part[], baseMs: number, out: Uint8Array): number {
  let pos = 0;
  let before: Part | undefined;
  for (const part of parts) {
    if (before !== undefined && sameTimes(timesMs, before, part)) {
      part.sameTimes = 1;
    } else {
      let previousMs = baseMs;
      for (let i = part.from; i < part.to; i++) {
        const timeMs = timesMs[i]!;
        pos = putSint32(out, pos, timeMs - previousMs);
        previousMs = timeMs;
      }
    }
    before = part;
  }
  return pos;
}

function sameTimes(timesMs: Float64Array, a: Part, b: Part): boolean {
  const n = a.to - a.from;
  if (b.to - b.from !== n) return false;
  for (let i = 0; i < n; i++) if (timesMs[a.from + i] !== timesMs[b.from + i]) return false;
  return true;
}

/** Writes numbers and booleans and settles each part's kind. */
function putValues(
  columns: ChunkColumns,
  parts: Part[],
  out: Uint8Array,
  doubles: DoubleColumn,
): number {
  let pos = 0;
  for (const part of parts) {
    if (part.kind === SeriesKind.TEXT) continue;
    let end = NEVER_FITS;
    let decimals = 0;
    for (; decimals <= DECIMALS_MAX; decimals++) {
      end = putScaled(columns, part, decimals, out, pos);
      if (end !== MORE_DECIMALS) break;
    }
    if (end >= 0) {
      pos = end;
      if (part.kind !== SeriesKind.BOOLEAN) part.kind = decimals;
    } else {
      doubles.put(columns.numbers, part.from, part.to);
      part.kind = SeriesKind.DOUBLE;
    }
  }
  return pos;
}

const MORE_DECIMALS = -1;
const NEVER_FITS = -2;

/**
 * Writes the part as integers / 10^decimals and answers the position after it, or why it does not
 * reproduce every value exactly: MORE_DECIMALS may, or none will.
 */
function putScaled(
  columns: ChunkColumns,
  part: Part,
  decimals: number,
  out: Uint8Array,
  at: number,
): number {
  const { numbers, qualities } = columns;
  const { to } = part;
  const power = POWERS[decimals]!;
  let pos = at;
  let previous = 0;
  for (let i = part.from; i < to; i++) {
    const value = numbers[i]!;
    let delta = 0;
    // biome-ignore lint/suspicious/noSelfCompare: the cheapest test for NaN, in the hottest loop
    if (value !== value) {
      if (hasValue(qualities[i]!)) return NEVER_FITS;
    } else {
      const scaled = Math.round(value * power);
      delta = scaled - previous;
      if (!(delta <= INT32_MAX && delta >= INT32_MIN)) return NEVER_FITS;
      if (scaled / power !== value) return MORE_DECIMALS;
      if (value === 0 && 1 / value < 0) return NEVER_FITS;
      previous = scaled;
    }
    let zigzag = ((delta << 1) ^ (delta >> 31)) >>> 0;
    while (zigzag > 127) {
      out[pos++] = (zigzag & 127) | 128;
      zigzag >>>= 7;
    }
    out[pos++] = zigzag;
  }
  return pos;
}

/** Doubles, little-endian; memory only once one is put. */
class DoubleColumn {
  readonly #room: number;
  #bytes: Buffer | undefined;
  #pos = 0;

  constructor(room: number) {
    this.#room = room;
  }

  put(numbers: Float64Array, from: number, to: number): void {
    this.#bytes ??= Buffer.allocUnsafe(this.#room * 8);
    for (let i = from; i < to; i++) this.#pos = this.#bytes.writeDoubleLE(numbers[i]!, this.#pos);
  }

  written(): Uint8Array {
    return this.#bytes === undefined ? new Uint8Array(0) : this.#bytes.subarray(0, this.#pos);
  }
}

/** Fields 6 to 11: the names, then the columns of the series. */
function writeSeries(writer: Writer, parts: readonly Part[]): void {
  const indexes = new Map<string, number>();
  const indexOf = (name: string): number => {
    let index = indexes.get(name);
    if (index === undefined) {
      index = indexes.size;
      indexes.set(name, index);
      // Not writeText: an empty name is an entry, too.
      writer.uint32(key(6, WireType.BYTES)).string(name);
    }
    return index;
  };
  const devices = parts.map((part) => indexOf(part.series.device));
  const channels = parts.map((part) => indexOf(part.series.channel));
  writePacked(writer, 7, devices);
  writePacked(writer, 8, channels);
  writePacked(
    writer,
    9,
    parts.map((part) => part.kind),
  );
  writePacked(
    writer,
    10,
    parts.map((part) => part.to - part.from),
  );
  writePacked(
    writer,
    11,
    parts.map((part) => part.sameTimes),
  );
}

function writePacked(writer: Writer, field: number, values: readonly number[]): void {
  const out = Buffer.allocUnsafe(values.length * 5);
  let pos = 0;
  for (const value of values) pos = putUint32(out, pos, value);
  writeBytes(writer, field, out.subarray(0, pos));
}

function writeTexts(writer: Writer, columns: ChunkColumns, parts: readonly Part[]): void {
  for (const part of parts) {
    if (part.kind !== SeriesKind.TEXT) continue;
    for (let i = part.from; i < part.to; i++) {
      writer.uint32(key(15, WireType.BYTES)).string(columns.texts.get(i) ?? '');
    }
  }
}

/** Empty when all are good. */
function qualityRuns(qualities: Uint8Array, start: number, end: number): Uint8Array {
  const runs: number[] = [];
  let i = start;
  while (i < end) {
    const code = qualities[i]!;
    let next = i + 1;
    while (next < end && qualities[next] === code) next++;
    runs.push(next - i, code);
    i = next;
  }
  if (runs.length === 0 || (runs.length === 2 && runs[1] === 0)) return new Uint8Array(0);
  const out = Buffer.allocUnsafe(runs.length * 5);
  let pos = 0;
  for (const value of runs) pos = putUint32(out, pos, value);
  return out.subarray(0, pos);
}

function writeReject(writer: Writer, reject: Reject): void {
  writer.uint32(key(17, WireType.BYTES)).fork();
  writeInt64(writer, 1, reject.timeMs);
  writeText(writer, 2, reject.device);
  writeText(writer, 3, reject.reason);
  writeText(writer, 4, reject.detail);
  writeBytes(writer, 5, reject.head);
  writer.ldelim();
}

function rangeOf(timesMs: ArrayLike<number>): [number, number] {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < timesMs.length; i++) {
    const timeMs = timesMs[i]!;
    if (timeMs < first) first = timeMs;
    if (timeMs > last) last = timeMs;
  }
  return [first, last];
}
