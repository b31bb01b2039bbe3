/** Record batches as Kafka stores them (format 2), without compression: payloads are compressed already. */

import { crc32c, Writer } from '@platformatic/kafka';

export interface OutRecord {
  key: Buffer;
  /** Undefined: no header. */
  kind: string | undefined;
  /** null: a tombstone. */
  value: Uint8Array | null;
}

export interface InRecord {
  offset: number;
  timestampMs: number;
  key: string;
  /** '' without the header. */
  kind: string;
  /** A part of what was fetched; undefined: a tombstone. */
  value: Buffer | undefined;
}

export interface Batch {
  /** Of its last record, also of one that compaction took away. */
  lastOffset: number;
  producerId: bigint;
  transactional: boolean;
  /** The end of a transaction. */
  marker: 'commit' | 'abort' | undefined;
  records: InRecord[];
}

/** Who wrote a batch; -1 throughout: nobody in particular. */
export interface ProducerState {
  producerId: bigint;
  epoch: number;
  firstSequence: number;
}

const HEADER_BYTES = 61;
const LENGTH_AT = 8;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
/** The length says how much comes after itself. */
const BEFORE_LENGTH_BYTES = 12;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const COMPRESSION = 0x07;
const KIND_KEY = Buffer.from('kind');
/** Lengths, deltas and the header's key, at most. */
const RECORD_OVERHEAD_BYTES = 48;
const NOBODY: ProducerState = { producerId: -1n, epoch: -1, firstSequence: -1 };

/** About what the record takes in a batch; never less. */
export function sizeOf(record: OutRecord): number {
  return (
    RECORD_OVERHEAD_BYTES +
    record.key.length +
    (record.kind?.length ?? 0) * 3 +
    (record.value?.length ?? 0)
  );
}

export function encodeBatch(
  records: readonly OutRecord[],
  wallMs: number,
  producer: ProducerState | undefined,
): Buffer {
  let size = HEADER_BYTES;
  for (const record of records) size += sizeOf(record);
  const buffer = Buffer.allocUnsafe(size);
  let at = HEADER_BYTES;
  for (let index = 0; index < records.length; index++)
    at = writeRecord(buffer, at, records[index]!, index);
  const { producerId, epoch, firstSequence } = producer ?? NOBODY;
  buffer.writeBigInt64BE(0n, 0);
  buffer.writeInt32BE(at - BEFORE_LENGTH_BYTES, LENGTH_AT);
  buffer.writeInt32BE(-1, 12);
  buffer.writeInt8(2, MAGIC_AT);
  buffer.writeInt16BE(producer === undefined ? 0 : TRANSACTIONAL, ATTRIBUTES_AT);
  buffer.writeInt32BE(records.length - 1, 23);
  buffer.writeBigInt64BE(BigInt(wallMs), 27);
  buffer.writeBigInt64BE(BigInt(wallMs), 35);
  buffer.writeBigInt64BE(producerId, 43);
  buffer.writeInt16BE(epoch, 51);
  buffer.writeInt32BE(firstSequence, 53);
  buffer.writeInt32BE(records.length, 57);
  const batch = buffer.subarray(0, at);
  batch.writeUInt32BE(checksum(batch.subarray(ATTRIBUTES_AT)), CRC_AT);
  return batch;
}

/** Through a Writer: the client's function copies a plain buffer before it looks at it. */
function checksum(bytes: Buffer): number {
  return crc32c(Writer.create().append(bytes).dynamicBuffer) >>> 0;
}

function writeRecord(buffer: Buffer, start: number, record: OutRecord, index: number): number {
  const { key, kind, value } = record;
  const kindBytes = kind === undefined ? 0 : Buffer.byteLength(kind);
  const body =
    2 + // attributes, and a time that is the batch's
    varintBytes(index) +
    varintBytes(key.length) +
    key.length +
    (value === null ? 1 : varintBytes(value.length) + value.length) +
    1 +
    (kind === undefined
      ? 0
      : varintBytes(KIND_KEY.length) + KIND_KEY.length + varintBytes(kindBytes) + kindBytes);
  let at = writeVarint(buffer, start, body);
  buffer[at++] = 0;
  buffer[at++] = 0;
  at = writeVarint(buffer, at, index);
  at = writeVarint(buffer, at, key.length);
  buffer.set(key, at);
  at += key.length;
  if (value === null) {
    at = writeVarint(buffer, at, -1);
  } else {
    at = writeVarint(buffer, at, value.length);
    buffer.set(value, at);
    at += value.length;
  }
  at = writeVarint(buffer, at, kind === undefined ? 0 : 1);
  if (kind === undefined) return at;
  at = writeVarint(buffer, at, KIND_KEY.length);
  buffer.set(KIND_KEY, at);
  at = writeVarint(buffer, at + KIND_KEY.length, kindBytes);
  return at + buffer.write(kind, at);
}

function varintBytes(value: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let bytes = 1;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}

function writeVarint(buffer: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[at++] = (rest & 0x7f) | 0x80;
  buffer[at++] = rest;
  return at;
}

/** Reads on through a buffer. Throws a RangeError at its end. */
class Cursor {
  readonly buffer: Buffer;
  at: number;

  constructor(buffer: Buffer, at: number) {
    this.buffer = buffer;
    this.at = at;
  }

  /** Zigzag, up to 2^53. */
  varint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.buffer[this.at++];
      if (byte === undefined) throw new RangeError('a record ends early');
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
      factor *= 0x80;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bytes(): Buffer | undefined {
    const length = this.varint();
    if (length < 0) return undefined;
    const end = this.at + length;
    if (end > this.buffer.length) throw new RangeError('a record ends early');
    const bytes = this.buffer.subarray(this.at, end);
    this.at = end;
    return bytes;
  }
}

export function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4);
}

/** The whole batches in what was fetched; the broker may cut the last one off. Throws what it cannot read. */
export function decodeBatches(buffer: Buffer): Batch[] {
  const batches: Batch[] = [];
  let at = 0;
  while (buffer.length - at > HEADER_BYTES) {
    const end = at + BEFORE_LENGTH_BYTES + buffer.readInt32BE(at + LENGTH_AT);
    if (end > buffer.length) break;
    batches.push(decodeBatch(buffer.subarray(at, end)));
    at = end;
  }
  return batches;
}

function decodeBatch(buffer: Buffer): Batch {
  const magic = buffer.readInt8(MAGIC_AT);
  if (magic !== 2) throw new Error(`records of format ${magic}`);
  if (checksum(buffer.subarray(ATTRIBUTES_AT)) !== buffer.readUInt32BE(CRC_AT))
    throw new Error('the checksum of a batch is wrong');
  const attributes = buffer.readInt16BE(ATTRIBUTES_AT);
  if ((attributes & COMPRESSION) !== 0)
    throw new Error('records are compressed: another program writes to this topic');
  const firstOffset = readInt64(buffer, 0);
  const batch: Batch = {
    lastOffset: firstOffset + buffer.readInt32BE(23),
    producerId: buffer.readBigInt64BE(43),
    transactional: (attributes & TRANSACTIONAL) !== 0,
    marker: undefined,
    records: [],
  };
  const count = buffer.readInt32BE(57);
  const isControl = (attributes & CONTROL) !== 0;
  if (isControl) {
    if (count > 0) batch.marker = readMarker(buffer);
    return batch;
  }
  // With LogAppendTime the broker writes its time into the batch; that of the records does not count.
  const timestampMs = readInt64(buffer, 35);
  const cursor = new Cursor(buffer, HEADER_BYTES);
  for (let index = 0; index < count; index++)
    batch.records.push(readRecord(cursor, firstOffset, timestampMs));
  return batch;
}

function readRecord(cursor: Cursor, firstOffset: number, timestampMs: number): InRecord {
  const length = cursor.varint();
  const end = cursor.at + length;
  cursor.at += 1;
  cursor.varint();
  const offset = firstOffset + cursor.varint();
  const key = cursor.bytes()?.toString() ?? '';
  const value = cursor.bytes();
  let kind = '';
  for (let headers = cursor.varint(); headers > 0; headers--) {
    const name = cursor.bytes();
    const content = cursor.bytes();
    if (name?.equals(KIND_KEY)) kind = content?.toString() ?? '';
  }
  cursor.at = end;
  return { offset, timestampMs, key, kind, value };
}

/** A control record's key: its version, then 0 for an abort or 1 for a commit. */
function readMarker(buffer: Buffer): 'commit' | 'abort' | undefined {
  const cursor = new Cursor(buffer, HEADER_BYTES);
  cursor.varint();
  cursor.at += 1;
  cursor.varint();
  cursor.varint();
  const key = cursor.bytes();
  if (key === undefined || key.length < 4) return undefined;
  const type = key.readInt16BE(2);
  return type === 0 ? 'abort' : type === 1 ? 'commit' : undefined;
}
