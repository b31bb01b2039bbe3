/**
 * ClickHouse's Native format, one block: columns as the engine keeps them. Text formats would round
 * doubles and cannot carry NaN or control characters alike in both engines; this one is exact.
 *
 * block  = varint columns, varint rows, column*
 * column = string name, string type, data
 * string = varint byte length, bytes
 */

export type ColumnType =
  | 'LowCardinality(String)'
  | 'String'
  | 'Nullable(String)'
  | 'Float64'
  | 'Nullable(Float64)'
  | 'Int64'
  | 'UInt64'
  | 'UInt32'
  | 'UInt16'
  | 'UInt8';

type Cell = string | number | boolean | null | Uint8Array;

export interface Column<Row> {
  name: string;
  type: ColumnType;
  get(row: Row): Cell;
}

export type TypedColumn = Float64Array | Uint32Array | Uint16Array | Uint8Array;

const TWO_32 = 4_294_967_296;
/** LowCardinality in Native: keys version 1; index type in the low byte, 0x200: keys follow. */
const LOW_CARDINALITY_VERSION = 1;
const HAS_ADDITIONAL_KEYS = 0x200;

/** A byte buffer that grows by doubling. */
export class Bytes {
  #buffer: Buffer;
  #length = 0;
  constructor(capacity: number) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  reserve(bytes: number): number {
    const at = this.#length;
    const needed = at + bytes;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    this.#length = needed;
    return at;
  }

  varint(value: number): void {
    let rest = value;
    while (rest > 127) {
      const at = this.reserve(1);
      this.#buffer[at] = (rest & 127) | 128;
      rest = Math.floor(rest / 128);
    }
    const at = this.reserve(1);
    this.#buffer[at] = rest;
  }

  string(text: string): void {
    // Short ASCII names dominate; anything else takes the general way.
    const length = Buffer.byteLength(text);
    this.varint(length);
    const at = this.reserve(length);
    this.#buffer.write(text, at, length, 'utf8');
  }

  blob(bytes: Uint8Array): void {
    this.varint(bytes.length);
    const at = this.reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  uint8(value: number): void {
    const at = this.reserve(1);
    this.#buffer[at] = value;
  }

  uint64(value: number): void {
    const at = this.reserve(8);
    this.#buffer.writeUInt32LE(value % TWO_32, at);
    this.#buffer.writeUInt32LE(Math.floor(value / TWO_32), at + 4);
  }

  done(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}

/**
 * The pieces of one block, to be written one after the other, made as they are asked for: a large block
 * holds the event loop for a column at a time. `rows` must not be empty.
 */
export function* encodeNative<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Generator<Buffer> {
  yield blockHead(columns.length, rows.length);
  for (const column of columns) {
    yield columnHead(column.name, column.type);
    yield* encodeColumn(column, rows);
  }
}

export function blockHead(columns: number, rows: number): Buffer {
  const head = new Bytes(16);
  head.varint(columns);
  head.varint(rows);
  return head.done();
}

export function columnHead(name: string, type: ColumnType): Buffer {
  const head = new Bytes(64);
  head.string(name);
  head.string(type);
  return head.done();
}

function encodeColumn<Row>(column: Column<Row>, rows: readonly Row[]): Buffer[] {
  switch (column.type) {
    case 'LowCardinality(String)':
      return lowCardinality(column, rows);
    case 'String':
      return [strings(column, rows)];
    case 'Nullable(String)':
      return [nulls(column, rows), strings(column, rows)];
    case 'Float64':
      return [doubles(column, rows)];
    case 'Nullable(Float64)':
      return [nulls(column, rows), doubles(column, rows)];
    case 'Int64':
    case 'UInt64':
      return [integers64(column, rows)];
    case 'UInt32':
      return [integers(column, rows, new Uint32Array(rows.length))];
    case 'UInt16':
      return [integers(column, rows, new Uint16Array(rows.length))];
    case 'UInt8':
      return [integers(column, rows, new Uint8Array(rows.length))];
  }
}

export function asBuffer(array: TypedColumn): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

function nulls<Row>(column: Column<Row>, rows: readonly Row[]): Buffer {
  const mask = Buffer.alloc(rows.length);
  for (let i = 0; i < rows.length; i++) if (column.get(rows[i]!) === null) mask[i] = 1;
  return mask;
}

function doubles<Row>(column: Column<Row>, rows: readonly Row[]): Buffer {
  const values = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const cell = column.get(rows[i]!);
    values[i] = cell === null ? 0 : Number(cell);
  }
  return asBuffer(values);
}

function integers<Row>(
  column: Column<Row>,
  rows: readonly Row[],
  into: Uint32Array | Uint16Array | Uint8Array,
): Buffer {
  for (let i = 0; i < rows.length; i++) into[i] = Number(column.get(rows[i]!));
  return asBuffer(into);
}

/** Whole numbers within ±2^53, two's complement; as decimal text up to 2^64. */
function integers64<Row>(column: Column<Row>, rows: readonly Row[]): Buffer {
  const words = new Uint32Array(rows.length * 2);
  for (let i = 0; i < rows.length; i++) {
    const cell = column.get(rows[i]!);
    if (typeof cell === 'string') {
      const whole = BigInt(cell);
      words[2 * i] = Number(whole & 0xffff_ffffn);
      words[2 * i + 1] = Number((whole >> 32n) & 0xffff_ffffn);
      continue;
    }
    const value = Number(cell);
    // The conversion to uint32 is modulo 2^32, also for negative and large numbers.
    words[2 * i] = value;
    words[2 * i + 1] = Math.floor(value / TWO_32);
  }
  return asBuffer(words);
}

function strings<Row>(column: Column<Row>, rows: readonly Row[]): Buffer {
  const bytes = new Bytes(rows.length * 2 + 16);
  for (let i = 0; i < rows.length; i++) {
    const cell = column.get(rows[i]!);
    if (cell === null || cell === '') bytes.uint8(0);
    else if (cell instanceof Uint8Array) bytes.blob(cell);
    else bytes.string(String(cell));
  }
  return bytes.done();
}

function lowCardinality<Row>(column: Column<Row>, rows: readonly Row[]): Buffer[] {
  const indexes = new Uint32Array(rows.length);
  const keys = new Map<string, number>();
  let last: string | undefined;
  let lastIndex = 0;
  for (let i = 0; i < rows.length; i++) {
    const text = column.get(rows[i]!) as string;
    if (text !== last) {
      last = text;
      const known = keys.get(text);
      lastIndex = known ?? keys.size;
      if (known === undefined) keys.set(text, lastIndex);
    }
    indexes[i] = lastIndex;
  }
  const narrowed = indexArray(keys.size, rows.length);
  narrowed.set(indexes);
  return [lowCardinalityHead(keys.keys(), keys.size, rows.length), asBuffer(narrowed)];
}

/** For the indexes of so many keys. */
export function indexArray(keys: number, rows: number): Uint8Array | Uint16Array | Uint32Array {
  if (keys <= 256) return new Uint8Array(rows);
  return keys <= 65_536 ? new Uint16Array(rows) : new Uint32Array(rows);
}

/** What stands before the indexes: an indexArray of so many keys. */
export function lowCardinalityHead(keys: Iterable<string>, keyCount: number, rows: number): Buffer {
  const width = keyCount <= 256 ? 0 : keyCount <= 65_536 ? 1 : 2;
  const head = new Bytes(1_024);
  head.uint64(LOW_CARDINALITY_VERSION);
  head.uint64(width | HAS_ADDITIONAL_KEYS);
  head.uint64(keyCount);
  for (const key of keys) head.string(key);
  head.uint64(rows);
  return head.done();
}
