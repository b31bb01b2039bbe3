/** Single fields of protobuf messages, read and written with the limits and ranges of FMS. */

import { isUtf8 } from 'node:buffer';
import type { Reader, Writer } from 'protobufjs/minimal.js';
import protobuf from 'protobufjs/minimal.js';
import type { Decoded } from './errors.ts';
import { WireError } from './errors.ts';
import { TIME_MS_MAX, TIME_MS_MIN } from './limits.ts';

/** Runs a decoder; whatever it throws becomes a coded refusal. */
export function decoded<T>(decode: () => T): Decoded<T> {
  try {
    return { ok: true, value: decode() };
  } catch (error) {
    if (error instanceof WireError) return { ok: false, error };
    const detail = error instanceof Error ? error.message : String(error);
    return { ok: false, error: new WireError('WIRE_MALFORMED', detail) };
  }
}

export function readerOf(bytes: Uint8Array): Reader {
  // Buffers have the faster reader; the view shares the memory.
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return protobuf.Reader.create(buffer);
}

export function newWriter(): Writer {
  return protobuf.Writer.create();
}

export const WireType = { VARINT: 0, FIXED64: 1, BYTES: 2, FIXED32: 5 } as const;

/** The key that precedes a field. */
export function key(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

export function expectType(tag: number, wireType: number, name: string): void {
  if ((tag & 7) !== wireType)
    throw new WireError('WIRE_MALFORMED', `${name}: wire type ${tag & 7}`);
}

/** The field's bytes: a view into what the reader reads. */
export function readBytes(reader: Reader, tag: number, name: string, maxBytes: number): Buffer {
  expectType(tag, WireType.BYTES, name);
  const bytes = reader.bytes() as Buffer;
  if (bytes.length > maxBytes) {
    throw new WireError('WIRE_TOO_LARGE', `${name}: ${bytes.length} bytes, limit ${maxBytes}`);
  }
  return bytes;
}

export function readText(reader: Reader, tag: number, name: string, maxBytes: number): string {
  const bytes = readBytes(reader, tag, name, maxBytes);
  if (!isUtf8(bytes)) throw new WireError('WIRE_MALFORMED', `${name}: not UTF-8`);
  return bytes.toString('utf8');
}

export function readBool(reader: Reader, tag: number, name: string): boolean {
  expectType(tag, WireType.VARINT, name);
  return reader.bool();
}

export function readUint32(reader: Reader, tag: number, name: string): number {
  const value = readUint64(reader, tag, name);
  if (value > 0xffff_ffff) throw new WireError('WIRE_INCONSISTENT', `${name}: beyond 32 bits`);
  return value;
}

/** A uint64 that is exact in a double. */
export function readUint64(reader: Reader, tag: number, name: string): number {
  expectType(tag, WireType.VARINT, name);
  return varint64(reader, 0, name);
}

/** An int64 that is exact in a double. */
export function readInt64(reader: Reader, tag: number, name: string): number {
  expectType(tag, WireType.VARINT, name);
  return varint64(reader, 128, name);
}

/**
 * A varint of 64 bits as a number, without protobufjs' Long objects: 28 + 28 + 8 bits. `signAt`: the
 * value of the highest 8 bits from which on the number is negative; 0: never.
 */
function varint64(reader: Reader, signAt: 0 | 128, name: string): number {
  const { buf, len } = reader;
  let low = 0;
  let middle = 0;
  let high = 0;
  for (let i = 0; ; i++) {
    if (i === 10 || reader.pos >= len) throw new WireError('WIRE_MALFORMED', `${name}: a number`);
    const byte = buf[reader.pos++]!;
    const bits = byte & 127;
    if (i < 4) low |= bits << (i * 7);
    else if (i < 8) middle |= bits << (i * 7 - 28);
    else high |= (bits << (i * 7 - 56)) & 0xff;
    if (byte < 128) break;
  }
  if (signAt > 0 && high >= signAt) high -= 256;
  const value = high * 2 ** 56 + middle * 2 ** 28 + low;
  if (!Number.isSafeInteger(value)) {
    throw new WireError('WIRE_INCONSISTENT', `${name}: beyond 2^53`);
  }
  return value;
}

export function readTimeMs(reader: Reader, tag: number, name: string): number {
  const timeMs = readInt64(reader, tag, name);
  if (timeMs < TIME_MS_MIN || timeMs > TIME_MS_MAX) {
    throw new WireError('WIRE_INCONSISTENT', `${name}: time out of range`);
  }
  return timeMs;
}

/** A fixed64 as 16 hex digits. */
export function readHex64(reader: Reader, tag: number, name: string): string {
  expectType(tag, WireType.FIXED64, name);
  const low = reader.fixed32();
  const high = reader.fixed32();
  return hex32(high) + hex32(low);
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** Writes 16 hex digits as a fixed64; nothing for the default 0. */
export function writeHex64(writer: Writer, field: number, hex: string): void {
  const low = Number.parseInt(hex.slice(8), 16);
  const high = Number.parseInt(hex.slice(0, 8), 16);
  if (low === 0 && high === 0) return;
  writer.uint32(key(field, WireType.FIXED64));
  // A fixed64 is its low half, then its high half, both little-endian.
  writer.fixed32(low).fixed32(high);
}

export function writeInt64(writer: Writer, field: number, value: number): void {
  if (value !== 0) writer.uint32(key(field, WireType.VARINT)).int64(value);
}

export function writeUint32(writer: Writer, field: number, value: number): void {
  if (value !== 0) writer.uint32(key(field, WireType.VARINT)).uint32(value);
}

export function writeBool(writer: Writer, field: number, value: boolean): void {
  if (value) writer.uint32(key(field, WireType.VARINT)).bool(true);
}

export function writeText(writer: Writer, field: number, value: string): void {
  if (value !== '') writer.uint32(key(field, WireType.BYTES)).string(value);
}

export function writeBytes(writer: Writer, field: number, value: Uint8Array): void {
  if (value.length > 0) writer.uint32(key(field, WireType.BYTES)).bytes(value);
}

export function writeDouble(writer: Writer, field: number, value: number): void {
  if (value !== 0 || Object.is(value, -0)) {
    writer.uint32(key(field, WireType.FIXED64)).double(value);
  }
}

/** A wall or monotonic time as the wire takes it: whole milliseconds within the range; NaN becomes 0. */
export function wireTimeMs(timeMs: number): number {
  if (timeMs >= TIME_MS_MIN && timeMs <= TIME_MS_MAX) {
    // `+ 0` turns -0 into 0.
    return Math.round(timeMs) + 0;
  }
  if (timeMs > TIME_MS_MAX) return TIME_MS_MAX;
  return timeMs < TIME_MS_MIN ? TIME_MS_MIN : 0;
}
