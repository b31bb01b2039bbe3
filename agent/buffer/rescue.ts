/**
 * What SQLite would drop without a word: it reads the WAL up to the first frame whose checksum is wrong.
 * A flipped byte there costs every later commit, so those frames are looked through for chunks first.
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { FoundRow, PageReader } from './pages.ts';
import { rowsOfPage } from './pages.ts';
import { PAGE_BYTES } from './rows.ts';
import { FRAME_BYTES, WAL_HEADER_BYTES, WAL_MAGIC } from './wal.ts';

/** More of a WAL is not looked through; the buffer keeps it at about a megabyte. */
const WAL_READ_MAX = 32 * 1024 * 1024;

export interface WalFrames {
  /** Newest image last. */
  byPage: Map<number, Buffer[]>;
  /** Frames behind the first one that SQLite will not take. */
  beyond: number;
}

/** The frames of the WAL's present generation, whether SQLite would read them or not. */
export function readWal(walPath: string): WalFrames {
  const frames: WalFrames = { byPage: new Map(), beyond: 0 };
  const bytes = readHead(walPath);
  if (bytes.length < WAL_HEADER_BYTES + FRAME_BYTES) return frames;
  const sum = new WalChecksum(bytes.readUInt32BE(0) === WAL_MAGIC + 1);
  sum.add(bytes, 0, 24);
  const headerOk =
    (bytes.readUInt32BE(0) & ~1) === WAL_MAGIC &&
    sum.equals(bytes, 24) &&
    bytes.readUInt32BE(8) === PAGE_BYTES;
  // Frames of older generations follow those of the present one; they differ in the salt.
  const salt = Buffer.from(headerOk ? bytes.subarray(16, 24) : bytes.subarray(40, 48));
  let valid = headerOk;
  for (let at = WAL_HEADER_BYTES; at + FRAME_BYTES <= bytes.length; at += FRAME_BYTES) {
    const page = bytes.subarray(at + 24, at + FRAME_BYTES);
    const ofGeneration = bytes.compare(salt, 0, 8, at + 8, at + 16) === 0;
    if (valid) {
      sum.add(bytes, at, at + 8);
      sum.add(page, 0, PAGE_BYTES);
      valid = ofGeneration && sum.equals(bytes, at + 16);
    }
    if (!ofGeneration) continue;
    if (!valid) frames.beyond++;
    const pageNumber = bytes.readUInt32BE(at);
    const images = frames.byPage.get(pageNumber);
    if (images === undefined) frames.byPage.set(pageNumber, [page]);
    else images.push(page);
  }
  return frames;
}

/**
 * The rows in the WAL that SQLite will not see (a damaged chunk last, for it is to be declared): because of a damaged frame or header, or because the
 * database file is gone or empty (then SQLite deletes the WAL). Empty after an ordinary crash.
 */
export function rescueFromWal(path: string): FoundRow[] {
  const frames = readWal(`${path}-wal`);
  const file = openReadable(path);
  try {
    const fileBytes = file === undefined ? 0 : fstatSync(file).size;
    if (frames.beyond === 0 && fileBytes > 0) return [];
    return rowsInFrames(frames, pageReader(file, frames));
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function rowsInFrames(frames: WalFrames, read: PageReader): FoundRow[] {
  const rows: FoundRow[] = [];
  const lost: FoundRow[] = [];
  const seen = new Set<string>();
  for (const [pageNumber, images] of frames.byPage) {
    for (const image of images.toReversed()) {
      const found = rowsOfPage(image, pageNumber, read);
      for (const item of found.rows) {
        const key = `${item.table} ${item.row.id} ${item.row.row_crc}`;
        if (!seen.has(key)) rows.push(item);
        seen.add(key);
      }
      for (const row of found.lost) lost.push({ table: 'chunks', row });
      // An older image only where the newest one is damaged.
      if (found.broken === 0 && found.rows.length > 0) break;
    }
  }
  return [...rows, ...lost];
}

/** Pages as the WAL has them last, else as the file has them. */
export function pageReader(file: number | undefined, frames: WalFrames): PageReader {
  return (pageNumber) => {
    const image = frames.byPage.get(pageNumber)?.at(-1);
    if (image !== undefined) return image;
    return file === undefined ? undefined : readPage(file, pageNumber);
  };
}

/** A page of the file itself; shorter at its torn end; undefined when the disk does not give it. */
export function readPage(file: number, pageNumber: number): Buffer | undefined {
  const page = Buffer.alloc(PAGE_BYTES);
  try {
    const bytes = readSync(file, page, 0, PAGE_BYTES, (pageNumber - 1) * PAGE_BYTES);
    return bytes === 0 ? undefined : page;
  } catch {
    return undefined;
  }
}

export function openReadable(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

function readHead(path: string): Buffer {
  const file = openReadable(path);
  if (file === undefined) return Buffer.alloc(0);
  try {
    const bytes = Buffer.alloc(Math.min(fstatSync(file).size, WAL_READ_MAX));
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0));
  } catch {
    return Buffer.alloc(0);
  } finally {
    closeSync(file);
  }
}

/** The running checksum of the WAL format (section 4.2). */
class WalChecksum {
  readonly #bigEndian: boolean;
  #s0 = 0;
  #s1 = 0;

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian;
  }

  add(bytes: Buffer, from: number, to: number): void {
    let s0 = this.#s0;
    let s1 = this.#s1;
    for (let i = from; i < to; i += 8) {
      const x0 = this.#bigEndian ? bytes.readUInt32BE(i) : bytes.readUInt32LE(i);
      const x1 = this.#bigEndian ? bytes.readUInt32BE(i + 4) : bytes.readUInt32LE(i + 4);
      s0 = (s0 + x0 + s1) >>> 0;
      s1 = (s1 + x1 + s0) >>> 0;
    }
    this.#s0 = s0;
    this.#s1 = s1;
  }

  equals(bytes: Buffer, at: number): boolean {
    return bytes.readUInt32BE(at) === this.#s0 && bytes.readUInt32BE(at + 4) === this.#s1;
  }
}
