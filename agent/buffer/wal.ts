/**
 * The write-ahead log as a file (https://www.sqlite.org/fileformat2.html, section 4): what was written
 * to it, for the flash-wear counter; space kept allocated, for a full disk; and what SQLite would not
 * read of it after damage.
 */

import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { PAGE_BYTES } from './rows.ts';

export const WAL_HEADER_BYTES = 32;
/** Its last bit says how checksums are computed. */
export const WAL_MAGIC = 0x377f0682;
const FRAME_HEADER_BYTES = 24;
export const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;

/** Counts what SQLite writes, from the WAL's own frame headers. */
export class WalMeter {
  readonly #path: string;
  #fd: number | undefined;
  /** Frames of the present generation that were counted. */
  #frames = 0;
  #pages = new Set<number>();
  #bytesWritten = 0;
  #syncs = 0;
  readonly #header = Buffer.alloc(WAL_HEADER_BYTES);
  readonly #frame = Buffer.alloc(FRAME_HEADER_BYTES);

  constructor(path: string) {
    this.#path = path;
  }

  /** Bytes of pages, frames and headers handed to the file system. Its own journal is not in it. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  get syncs(): number {
    return this.#syncs;
  }

  get frames(): number {
    return this.#frames;
  }

  get fileBytes(): number {
    const fd = this.#open();
    return fd === undefined ? 0 : fstatSync(fd).size;
  }

  /** After a commit: counts the frames that it added. */
  commit(): void {
    const fd = this.#open();
    if (fd === undefined || readSync(fd, this.#header, 0, WAL_HEADER_BYTES, 0) < WAL_HEADER_BYTES) {
      return;
    }
    if ((this.#header.readUInt32BE(0) & ~1) !== WAL_MAGIC) return;
    const framesBefore = this.#frames;
    for (;;) {
      const at = WAL_HEADER_BYTES + this.#frames * FRAME_BYTES;
      if (readSync(fd, this.#frame, 0, FRAME_HEADER_BYTES, at) < FRAME_HEADER_BYTES) break;
      if (this.#frame.compare(this.#header, 16, 24, 8, 16) !== 0) break;
      this.#pages.add(this.#frame.readUInt32BE(0));
      this.#bytesWritten += FRAME_BYTES;
      this.#frames++;
    }
    if (this.#frames === framesBefore) return;
    this.#syncs++;
    if (framesBefore > 0) return;
    // A new generation: its header is written and synced by itself.
    this.#bytesWritten += WAL_HEADER_BYTES;
    this.#syncs++;
  }

  /** After a complete checkpoint: each page went to the database file once, and two files were synced. */
  checkpoint(): void {
    this.#bytesWritten += this.#pages.size * PAGE_BYTES;
    this.#syncs += 2;
    this.#pages.clear();
    this.#frames = 0;
  }

  /**
   * Allocates the file up to `bytes`, so that commits and checkpoints still work when the disk is full.
   * SQLite ignores what follows its own frames. Does what it can: on a full disk there is nothing to keep.
   */
  allocate(bytes: number): void {
    const fd = this.#open();
    if (fd === undefined) return;
    const zeros = Buffer.alloc(64 * 1024);
    try {
      for (let size = fstatSync(fd).size; size < bytes; ) {
        const written = writeSync(fd, zeros, 0, Math.min(zeros.length, bytes - size), size);
        size += written;
        this.#bytesWritten += written;
      }
      fsyncSync(fd);
      this.#syncs++;
    } catch {
      // Full disk: the free-disk floor and the backoff of the commits take over.
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): number | undefined {
    try {
      this.#fd ??= openSync(this.#path, 'r+');
    } catch {
      return undefined;
    }
    return this.#fd;
  }
}
