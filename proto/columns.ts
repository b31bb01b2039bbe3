/**
 * Packed columns, hot: straight between wire bytes and typed arrays. Writers return the position after
 * what they wrote; they need 5 bytes a varint of room.
 */

import { WireError } from './errors.ts';

export function putUint32(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  let pos = at;
  while (rest > 127) {
    out[pos++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  out[pos++] = rest;
  return pos;
}

/** Zigzag; `value` must be an int32. */
export function putSint32(out: Uint8Array, at: number, value: number): number {
  return putUint32(out, at, ((value << 1) ^ (value >> 31)) >>> 0);
}

/** The parts of a packed field: a sender may spread it over several. */
export function joinParts(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only === undefined) return EMPTY;
  return parts.length === 1 ? only : Buffer.concat(parts);
}
const EMPTY = new Uint8Array(0);

/** Reads a packed column front to back; all that it refuses becomes a WireError. */
export class ColumnReader {
  readonly bytes: Uint8Array;
  readonly name: string;
  pos = 0;

  constructor(parts: readonly Uint8Array[], name: string) {
    this.bytes = joinParts(parts);
    this.name = name;
  }

  get done(): boolean {
    return this.pos === this.bytes.length;
  }

  /** All of it as uint32; more than `max` entries are refused before they are stored. */
  uint32s(max: number): number[] {
    const values: number[] = [];
    while (!this.done) {
      if (values.length === max) throw this.error('WIRE_TOO_LARGE', `more than ${max} entries`);
      values.push(this.#uint32());
    }
    return values;
  }

  /**
   * Reads zigzag deltas into out[from..to) as running sums that start at `base`. Sums stay exact: at
   * most READINGS_PER_CHUNK_MAX int32 upon a safe integer.
   */
  sums(out: Float64Array, from: number, to: number, base: number): void {
    const bytes = this.bytes;
    const end = bytes.length;
    let pos = this.pos;
    let sum = base;
    for (let i = from; i < to; i++) {
      if (pos >= end) throw this.error('WIRE_INCONSISTENT', 'too short');
      const first = bytes[pos]!;
      if (first < 128) {
        pos++;
        sum += (first >>> 1) ^ -(first & 1);
      } else {
        this.pos = pos;
        const raw = this.#uint32();
        pos = this.pos;
        sum += (raw >>> 1) ^ -(raw & 1);
      }
      out[i] = sum;
    }
    this.pos = pos;
  }

  /** Reads little-endian doubles into out[from..to). */
  doubles(out: Float64Array, from: number, to: number): void {
    const { bytes } = this;
    if (bytes.length - this.pos < (to - from) * 8) {
      throw this.error('WIRE_INCONSISTENT', 'too short');
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let pos = this.pos;
    for (let i = from; i < to; i++, pos += 8) out[i] = view.getFloat64(pos, true);
    this.pos = pos;
  }

  /** Everything must have been read. */
  finish(): void {
    if (!this.done) throw this.error('WIRE_INCONSISTENT', 'longer than the series say');
  }

  #uint32(): number {
    const { bytes } = this;
    let pos = this.pos;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[pos++];
      if (byte === undefined) throw this.error('WIRE_MALFORMED', 'ends within a number');
      if (shift === 28 && byte > 15) throw this.error('WIRE_MALFORMED', 'a number beyond 32 bits');
      value |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    this.pos = pos;
    return value >>> 0;
  }

  private error(code: 'WIRE_MALFORMED' | 'WIRE_INCONSISTENT' | 'WIRE_TOO_LARGE', what: string) {
    return new WireError(code, `${this.name}: ${what}`);
  }
}
