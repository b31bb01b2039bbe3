/**
 * Reading the pages of a SQLite file without SQLite (https://www.sqlite.org/fileformat2.html): for a
 * file that it refuses. Nothing here believes what it reads: rows count only if their CRC is right.
 */

import type { ChunkRow, EpochRow, GapRow, MetaRow } from './rows.ts';
import {
  chunkBytesOk,
  chunkHeadOk,
  epochRowCrc,
  gapRowCrc,
  isName,
  metaRowCrc,
  PAGE_BYTES,
} from './rows.ts';

/** Page images by number, from 1; undefined when there is none or it cannot be read. */
export type PageReader = (pageNumber: number) => Buffer | undefined;

export type FoundRow =
  | { table: 'chunks'; row: ChunkRow }
  | { table: 'epochs'; row: EpochRow }
  | { table: 'gaps'; row: GapRow }
  | { table: 'meta'; row: MetaRow };

type Field = number | string | Uint8Array | null;

const TABLE_LEAF = 0x0d;
const FILE_HEADER_BYTES = 100;
const LOCAL_MAX = PAGE_BYTES - 35;
const LOCAL_MIN = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23;
const OVERFLOW_BYTES = PAGE_BYTES - 4;
/** Longer than any row that the buffer writes. */
const PAYLOAD_MAX = 1024 * 1024;

export interface PageRows {
  rows: FoundRow[];
  /** Chunks whose bytes are damaged, but not what says which they were. */
  lost: ChunkRow[];
  /** Cells that are no such row: damaged ones, or those of SQLite's own schema table. */
  broken: number;
}

/** The buffer's rows in a page, if it is a leaf of a table. */
export function rowsOfPage(page: Buffer, pageNumber: number, read: PageReader): PageRows {
  const rows: FoundRow[] = [];
  const lost: ChunkRow[] = [];
  let broken = 0;
  const header = pageNumber === 1 ? FILE_HEADER_BYTES : 0;
  if (page.length < PAGE_BYTES || page[header] !== TABLE_LEAF) return { rows, lost, broken };
  const cells = Math.min(page.readUInt16BE(header + 3), Math.floor(PAGE_BYTES / 6));
  for (let i = 0; i < cells; i++) {
    const at = header + 8 + 2 * i;
    if (at + 2 > PAGE_BYTES) break;
    const found = rowOfCell(page, page.readUInt16BE(at), read);
    const isLost = found?.table === 'chunks' && !chunkBytesOk(found.row);
    if (found === undefined || isLost) broken++;
    if (isLost) lost.push(found.row);
    else if (found !== undefined) rows.push(found);
  }
  return { rows, lost, broken };
}

/** The pages that the file's free list names: what they hold was deleted. */
export function freePages(read: PageReader, pageCount: number): Set<number> {
  const free = new Set<number>();
  const first = read(1);
  let trunk = first === undefined ? 0 : first.readUInt32BE(32);
  while (trunk > 1 && trunk <= pageCount && !free.has(trunk)) {
    free.add(trunk);
    const page = read(trunk);
    if (page === undefined) break;
    const leaves = Math.min(page.readUInt32BE(4), PAGE_BYTES / 4 - 2);
    for (let i = 0; i < leaves; i++) free.add(page.readUInt32BE(8 + 4 * i));
    trunk = page.readUInt32BE(0);
  }
  return free;
}

function rowOfCell(page: Buffer, start: number, read: PageReader): FoundRow | undefined {
  const length = varint(page, start);
  const rowid = length === undefined ? undefined : varint(page, length.end);
  if (length === undefined || rowid === undefined) return undefined;
  if (length.value > PAYLOAD_MAX || !Number.isSafeInteger(rowid.value)) return undefined;
  const payload = payloadOf(page, rowid.end, length.value, read);
  const fields = payload === undefined ? undefined : fieldsOf(payload);
  return fields === undefined ? undefined : recognise(rowid.value, fields);
}

function payloadOf(
  page: Buffer,
  start: number,
  length: number,
  read: PageReader,
): Buffer | undefined {
  if (length <= LOCAL_MAX) {
    return start + length <= PAGE_BYTES ? page.subarray(start, start + length) : undefined;
  }
  const fitting = LOCAL_MIN + ((length - LOCAL_MIN) % OVERFLOW_BYTES);
  const local = fitting <= LOCAL_MAX ? fitting : LOCAL_MIN;
  if (start + local + 4 > PAGE_BYTES) return undefined;
  const parts = [page.subarray(start, start + local)];
  let left = length - local;
  let next = page.readUInt32BE(start + local);
  while (left > 0) {
    const overflow = next < 2 ? undefined : read(next);
    if (overflow === undefined || overflow.length < PAGE_BYTES) return undefined;
    // A copy: readers may use one buffer for all pages.
    parts.push(Buffer.from(overflow.subarray(4, 4 + Math.min(left, OVERFLOW_BYTES))));
    left -= OVERFLOW_BYTES;
    next = overflow.readUInt32BE(0);
  }
  return Buffer.concat(parts, length);
}

function varint(bytes: Buffer, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 9; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) return undefined;
    if (i === 8) return { value: value * 256 + byte, end: start + 9 };
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: start + i + 1 };
  }
  return undefined;
}

function fieldsOf(payload: Buffer): Field[] | undefined {
  const header = varint(payload, 0);
  if (header === undefined || header.value > payload.length) return undefined;
  const fields: Field[] = [];
  let at = header.value;
  for (let position = header.end; position < header.value; ) {
    const type = varint(payload, position);
    if (type === undefined) return undefined;
    position = type.end;
    const bytes = bytesOfType(type.value);
    if (bytes === undefined || at + bytes > payload.length) return undefined;
    fields.push(fieldOf(payload.subarray(at, at + bytes), type.value));
    at += bytes;
  }
  return fields;
}

function bytesOfType(type: number): number | undefined {
  if (type >= 12) return type % 2 === 0 ? (type - 12) / 2 : (type - 13) / 2;
  return [0, 1, 2, 3, 4, 6, 8, 8, 0, 0][type];
}

function fieldOf(bytes: Buffer, type: number): Field {
  if (type >= 12) return type % 2 === 0 ? bytes : bytes.toString('utf8');
  if (type === 0) return null;
  if (type === 8 || type === 9) return type - 8;
  if (type === 6) return Number(bytes.readBigInt64BE(0));
  if (type === 7) return bytes.readDoubleBE(0);
  return bytes.readIntBE(0, bytes.length);
}

/** Which table's row this is: the one whose CRC is right. */
function recognise(id: number, f: readonly Field[]): FoundRow | undefined {
  if (f.length === 13) return chunkOf(id, f);
  if (f.length === 8) return epochOf(id, f) ?? gapOf(id, f);
  if (f.length !== 4) return undefined;
  const row = { id, key: f[1] as string, value: f[2] as string, row_crc: f[3] as number };
  return metaRowCrc(row) === row.row_crc ? { table: 'meta', row } : undefined;
}

function numbersAt(fields: readonly Field[], from: number, to: number): number[] | undefined {
  const numbers = fields.slice(from, to);
  return numbers.every((field) => typeof field === 'number') ? (numbers as number[]) : undefined;
}

function chunkOf(id: number, f: readonly Field[]): FoundRow | undefined {
  const n = numbersAt(f, 2, 12);
  const epoch = f[1];
  const bytes = f[12];
  if (n === undefined || !isName(epoch) || !(bytes instanceof Uint8Array)) return undefined;
  const row: ChunkRow = {
    id,
    epoch,
    first_seq: n[0]!,
    count: n[1]!,
    first_ms: n[2]!,
    last_ms: n[3]!,
    crc32c: n[4]!,
    sealed_wall_ms: n[5]!,
    sealed_mono_ms: n[6]!,
    flags: n[7]!,
    readings_before: n[8]!,
    row_crc: n[9]!,
    bytes,
  };
  return chunkBytesOk(row) || chunkHeadOk(row) ? { table: 'chunks', row } : undefined;
}

function epochOf(id: number, f: readonly Field[]): FoundRow | undefined {
  const [, epoch, boot, predecessor] = f;
  const n = numbersAt(f, 4, 8);
  if (n === undefined || !isName(epoch) || !isName(boot) || !isName(predecessor)) return undefined;
  const row: EpochRow = {
    id,
    epoch,
    boot,
    predecessor_epoch: predecessor,
    predecessor_last_seq: n[0]!,
    last_seq: n[1]!,
    opened_ms: n[2]!,
    row_crc: n[3]!,
  };
  return epochRowCrc(row) === row.row_crc ? { table: 'epochs', row } : undefined;
}

function gapOf(id: number, f: readonly Field[]): FoundRow | undefined {
  const n = numbersAt(f, 2, 6);
  const [epoch, reason, crc] = [f[1], f[6], f[7]];
  if (n === undefined || !isName(epoch)) return undefined;
  if (typeof reason !== 'string' || typeof crc !== 'number') return undefined;
  const row: GapRow = {
    id,
    epoch,
    first_seq: n[0]!,
    last_seq: n[1]!,
    first_ms: n[2]!,
    last_ms: n[3]!,
    reason,
    row_crc: crc,
  };
  return gapRowCrc(row) === row.row_crc ? { table: 'gaps', row } : undefined;
}
