/**
 * The rows of the buffer's tables. SQLite does not checksum its pages, so every row carries a CRC of
 * its own: a chunk over epoch, header and bytes (the one that travels) and over its bookkeeping, the
 * small rows over all they hold.
 */

import { chunkCrc, crc32c } from '../../proto/crc32c.ts';
import type { Epoch, Gap, GapReason } from '../../proto/model.ts';

/** Page size of the file, fixed so that a damaged header cannot hide the pages. */
export const PAGE_BYTES = 4096;

/** A row of `chunks` without its bytes. Blobs of 8 bytes stand for 16 hex digits. */
export interface ChunkHeadRow {
  id: number;
  epoch: Uint8Array;
  first_seq: number;
  count: number;
  first_ms: number;
  last_ms: number;
  crc32c: number;
  sealed_wall_ms: number;
  sealed_mono_ms: number;
  flags: number;
  /** Readings and rejects in all rows before this one, ever: the depth of the queue is a difference. */
  readings_before: number;
  row_crc: number;
}

/** As read from the table, with the length of the bytes. */
export interface SizedHeadRow extends ChunkHeadRow {
  size: number;
}

export interface ChunkRow extends ChunkHeadRow {
  bytes: Uint8Array;
}

export const CHUNK_FLAG_UNSYNCED = 1;
/** The bytes are encrypted (cipher.ts), and `crc32c` is over them as they are stored. */
export const CHUNK_FLAG_SEALED = 2;

export interface EpochRow {
  id: number;
  epoch: Uint8Array;
  boot: Uint8Array;
  predecessor_epoch: Uint8Array;
  predecessor_last_seq: number;
  /** Current only when no chunk of the epoch says more: see store.ts. */
  last_seq: number;
  opened_ms: number;
  row_crc: number;
}

export interface GapRow {
  id: number;
  epoch: Uint8Array;
  first_seq: number;
  last_seq: number;
  first_ms: number;
  last_ms: number;
  reason: string;
  row_crc: number;
}

export interface MetaRow {
  id: number;
  key: string;
  value: string;
  row_crc: number;
}

const scratch = new Float64Array(11);
const scratchBytes = new Uint8Array(scratch.buffer);

function numbersCrc(seed: number, numbers: readonly number[]): number {
  for (let i = 0; i < numbers.length; i++) scratch[i] = numbers[i]!;
  return crc32c(scratchBytes.subarray(0, numbers.length * 8), seed);
}

export function chunkHeadCrc(row: Omit<ChunkHeadRow, 'row_crc'>): number {
  return numbersCrc(crc32c(row.epoch, 1), [
    row.id,
    row.first_seq,
    row.count,
    row.first_ms,
    row.last_ms,
    row.crc32c,
    row.sealed_wall_ms,
    row.sealed_mono_ms,
    row.flags,
    row.readings_before,
  ]);
}

export function epochRowCrc(row: Omit<EpochRow, 'row_crc'>): number {
  const names = crc32c(row.predecessor_epoch, crc32c(row.boot, crc32c(row.epoch, 2)));
  return numbersCrc(names, [row.id, row.predecessor_last_seq, row.last_seq, row.opened_ms]);
}

export function gapRowCrc(row: Omit<GapRow, 'row_crc'>): number {
  const names = crc32c(Buffer.from(row.reason), crc32c(row.epoch, 3));
  return numbersCrc(names, [row.id, row.first_seq, row.last_seq, row.first_ms, row.last_ms]);
}

export function metaRowCrc(row: Omit<MetaRow, 'row_crc'>): number {
  return crc32c(Buffer.from(`${row.id}\n${row.key}\n${row.value}`), 4);
}

/** The chunk's own CRC: it proves that these are the readings that were sealed under these numbers. */
export function chunkBytesOk(row: ChunkRow): boolean {
  if (!isName(row.epoch) || !(row.bytes instanceof Uint8Array)) return false;
  if (!isSeq(row.first_seq) || !isSeq(row.count)) return false;
  if (!Number.isSafeInteger(row.first_ms) || !Number.isSafeInteger(row.last_ms)) return false;
  const header = {
    firstSeq: row.first_seq,
    count: row.count,
    firstMs: row.first_ms,
    lastMs: row.last_ms,
  };
  return chunkCrc(toHex(row.epoch), header, row.bytes) === row.crc32c >>> 0;
}

export function chunkHeadOk(row: ChunkHeadRow): boolean {
  return isName(row.epoch) && chunkHeadCrc(row) === row.row_crc;
}

export function isSealed({ flags }: ChunkHeadRow): boolean {
  return (flags & CHUNK_FLAG_SEALED) !== 0;
}

export function isName(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 8;
}

function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

export function toHex(name: Uint8Array): Epoch {
  return Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString('hex');
}

export function fromHex(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex');
}

export function gapOfRow(row: GapRow): Gap & { id: number } {
  return {
    id: row.id,
    epoch: toHex(row.epoch),
    firstSeq: row.first_seq,
    lastSeq: row.last_seq,
    firstMs: row.first_ms,
    lastMs: row.last_ms,
    reason: row.reason as GapReason,
  };
}
