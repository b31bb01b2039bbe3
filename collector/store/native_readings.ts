/**
 * Readings in ClickHouse's Native format, one block, from columns. Whole numbers go as doubles (they are
 * below 2^53, and the engine converts a column faster than this program would split one into words);
 * columns in which no reading says anything are left out, and the table's defaults stand for them.
 */

import { NO_VALUE_BIT } from '../../proto/model.ts';
import type { ReadingColumns, ReadingPlace } from './columns.ts';
import type { ColumnType } from './native.ts';
import {
  asBuffer,
  Bytes,
  blockHead,
  columnHead,
  indexArray,
  lowCardinalityHead,
} from './native.ts';
import { textOf } from './reading_rows.ts';

/** Shorter stretches are copied one by one: a view of an array costs more. */
const COPY_MIN = 24;

export interface EncodedReadings {
  count: number;
  names: string[];
  types: ColumnType[];
  /** To be written one after the other, made as they are asked for. */
  pieces: Generator<Buffer>;
}

/** What is encoded must not change until the pieces are made. */
export function encodeReadings(columns: ReadingColumns): EncodedReadings {
  const { count, said, cleaned, texts } = columns;
  const parts = [...ALWAYS];
  if (texts.size > 0) parts.push({ name: 'text', type: 'Nullable(String)', encode: encodeTexts });
  if (said !== undefined) {
    const { findings, treatments } = said;
    parts.push({ name: 'findings', type: 'UInt32', encode: encodeFindings(findings) });
    parts.push({ name: 'treatment', type: 'UInt8', encode: encodeBytes(() => treatments) });
  }
  if (cleaned !== undefined)
    parts.push({ name: 'raw_value', type: 'Nullable(Float64)', encode: encodeRawValues });
  const names = parts.map(({ name }) => name);
  const types = parts.map(({ type }) => type);
  return { count, names, types, pieces: pieces(parts, columns) };
}

/** Answers what stands behind the column's head. */
type Encode = (columns: ReadingColumns, order: Uint32Array) => Buffer[];

interface Part {
  name: string;
  type: ColumnType;
  encode: Encode;
}

const NAME = 'LowCardinality(String)';
const ALWAYS: readonly Part[] = [
  { name: 'site', type: NAME, encode: encodeNames((c, r) => c.series[c.runs.series[r]!]!.site) },
  {
    name: 'gateway',
    type: NAME,
    encode: encodeNames((c, r) => c.places[c.runs.places[r]!]!.gateway),
  },
  {
    name: 'device',
    type: NAME,
    encode: encodeNames((c, r) => c.series[c.runs.series[r]!]!.device),
  },
  {
    name: 'channel',
    type: NAME,
    encode: encodeNames((c, r) => c.series[c.runs.series[r]!]!.channel),
  },
  { name: 'time_ms', type: 'Float64', encode: encodeTimes },
  { name: 'value', type: 'Nullable(Float64)', encode: encodeValues },
  { name: 'quality', type: 'UInt8', encode: encodeBytes((c) => c.qualities) },
  { name: 'received_ms', type: 'Float64', encode: encodeOfPlace((place) => place.receivedMs) },
  { name: 'epoch', type: NAME, encode: encodeNames((c, r) => c.places[c.runs.places[r]!]!.epoch) },
  { name: 'seq', type: 'Float64', encode: encodeSeqs },
  { name: 'log_partition', type: 'Float64', encode: encodeOfPlace((place) => place.logPartition) },
  { name: 'log_offset', type: 'Float64', encode: encodeOfPlace((place) => place.logOffset) },
];

function* pieces(parts: readonly Part[], columns: ReadingColumns): Generator<Buffer> {
  yield blockHead(parts.length, columns.count);
  const order = columns.order();
  for (const { name, type, encode } of parts) {
    const data = encode(columns, order);
    yield columnHead(name, type);
    yield* data;
  }
}

function encodeNames(nameOf: (columns: ReadingColumns, run: number) => string): Encode {
  return (columns, order) => {
    const { count, runs } = columns;
    const keys = new Map<string, number>();
    const indexOfRun = new Uint32Array(order.length);
    let last: string | undefined;
    let lastIndex = 0;
    for (let k = 0; k < order.length; k++) {
      const text = nameOf(columns, order[k]!);
      if (text !== last) {
        last = text;
        lastIndex = keys.get(text) ?? keys.size;
        if (lastIndex === keys.size) keys.set(text, lastIndex);
      }
      indexOfRun[k] = lastIndex;
    }
    const indexes = indexArray(keys.size, count);
    let at = 0;
    for (let k = 0; k < order.length; k++) {
      const end = at + runs.counts[order[k]!]!;
      const index = indexOfRun[k]!;
      while (at < end) indexes[at++] = index;
    }
    const head = lowCardinalityHead(keys.keys(), keys.size, count);
    return [head, asBuffer(indexes)];
  };
}

function encodeTimes(columns: ReadingColumns, order: Uint32Array): ReturnType<Encode> {
  const into = new Float64Array(columns.count);
  copy(into, columns.timesMs, columns, order);
  return [asBuffer(into)];
}

/** Runs one after the other. */
function copy<T extends Float64Array | Uint32Array | Uint8Array>(
  into: T,
  from: T,
  { runs }: ReadingColumns,
  order: Uint32Array,
): void {
  const { starts, counts } = runs;
  let at = 0;
  for (let k = 0; k < order.length; k++) {
    const r = order[k]!;
    const start = starts[r]!;
    const end = start + counts[r]!;
    if (end - start >= COPY_MIN) {
      into.set(from.subarray(start, end), at);
      at += end - start;
    } else {
      for (let i = start; i < end; i++) into[at++] = from[i]!;
    }
  }
}

function encodeOfPlace(numberOf: (place: ReadingPlace) => number): Encode {
  return ({ count, runs, places }, order) => {
    const numbers = Float64Array.from(places, numberOf);
    const into = new Float64Array(count);
    let at = 0;
    for (let k = 0; k < order.length; k++) {
      const r = order[k]!;
      const end = at + runs.counts[r]!;
      const number = numbers[runs.places[r]!]!;
      while (at < end) into[at++] = number;
    }
    return [asBuffer(into)];
  };
}

function encodeSeqs({ count, runs }: ReadingColumns, order: Uint32Array): ReturnType<Encode> {
  const into = new Float64Array(count);
  let at = 0;
  for (let k = 0; k < order.length; k++) {
    const r = order[k]!;
    const end = at + runs.counts[r]!;
    for (let seq = runs.firstSeqs[r]!; at < end; seq++) into[at++] = seq;
  }
  return [asBuffer(into)];
}

function encodeBytes(columnOf: (columns: ReadingColumns) => Uint8Array): Encode {
  return (columns, order) => {
    const into = new Uint8Array(columns.count);
    copy(into, columnOf(columns), columns, order);
    return [asBuffer(into)];
  };
}

function encodeFindings(findings: Uint32Array): Encode {
  return (columns, order) => {
    const into = new Uint32Array(columns.count);
    copy(into, findings, columns, order);
    return [asBuffer(into)];
  };
}

function encodeValues(columns: ReadingColumns, order: Uint32Array): ReturnType<Encode> {
  const { count, runs, qualities, cleaned } = columns;
  const isNull = new Uint8Array(count);
  const into = new Float64Array(count);
  copy(into, columns.numbers, columns, order);
  let at = 0;
  for (let k = 0; k < order.length; k++) {
    const r = order[k]!;
    const start = runs.starts[r]!;
    const end = start + runs.counts[r]!;
    const isText = runs.texts[r] === 1;
    for (let i = start; i < end; i++, at++) {
      if (cleaned?.isChanged[i] === 1) {
        isNull[at] = cleaned.isNull[i]!;
        into[at] = cleaned.values[i]!;
      } else if (isText || (qualities[i]! & NO_VALUE_BIT) !== 0) {
        isNull[at] = 1;
        into[at] = 0;
      }
    }
  }
  return [asBuffer(isNull), asBuffer(into)];
}

function encodeRawValues(columns: ReadingColumns, order: Uint32Array): ReturnType<Encode> {
  const { count, runs, numbers, cleaned } = columns;
  const isNull = new Uint8Array(count).fill(1);
  const into = new Float64Array(count);
  let at = 0;
  for (let k = 0; k < order.length; k++) {
    const r = order[k]!;
    const start = runs.starts[r]!;
    const end = start + runs.counts[r]!;
    for (let i = start; i < end; i++, at++) {
      if (cleaned?.isChanged[i] !== 1 || cleaned.rawIsNull[i] === 1) continue;
      isNull[at] = 0;
      into[at] = numbers[i]!;
    }
  }
  return [asBuffer(isNull), asBuffer(into)];
}

function encodeTexts(columns: ReadingColumns, order: Uint32Array): ReturnType<Encode> {
  const { count, runs } = columns;
  const isNull = new Uint8Array(count).fill(1);
  const strings = new Bytes(count + 1_024);
  let at = 0;
  for (let k = 0; k < order.length; k++) {
    const r = order[k]!;
    const start = runs.starts[r]!;
    const end = start + runs.counts[r]!;
    const isText = runs.texts[r] === 1;
    for (let i = start; i < end; i++, at++) {
      const text = textOf(columns, i, isText);
      if (text !== null) isNull[at] = 0;
      if (text === null || text === '') strings.uint8(0);
      else strings.string(text);
    }
  }
  return [asBuffer(isNull), strings.done()];
}
