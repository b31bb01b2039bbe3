/** The disk under the buffer's file while that is open: what was written to it, its pages and its WAL. */

import type { Log } from '../log.ts';
import type { BufferFile } from './database.ts';
import { sqliteCode } from './database.ts';
import { PAGE_BYTES } from './rows.ts';
import { FileSpace } from './space.ts';
import { FRAME_BYTES, WalMeter } from './wal.ts';

export interface DiskOptions {
  path: string;
  /** Size to which the WAL is kept allocated; it is checkpointed at half of it. */
  walBytes: number;
  log: Log;
}

export class BufferDisk {
  readonly #file: BufferFile;
  readonly #options: DiskOptions;
  readonly #meter: WalMeter;
  readonly #space: FileSpace;
  /** As of the last transaction: asking the file may fail. */
  #pages: { all: number; free: number };

  constructor(file: BufferFile, options: DiskOptions) {
    this.#file = file;
    this.#options = options;
    this.#meter = new WalMeter(`${options.path}-wal`);
    this.#space = new FileSpace(options.path);
    this.#pages = this.#countPages();
  }

  get pages(): { all: number; free: number } {
    return this.#pages;
  }

  get bytesWritten(): number {
    return this.#meter.bytesWritten + this.#space.bytesWritten;
  }

  get syncs(): number {
    return this.#meter.syncs;
  }

  get walFileBytes(): number {
    return this.#meter.fileBytes;
  }

  /** Pages, used or free, and WAL. */
  get bytes(): number {
    return this.#pages.all * PAGE_BYTES + this.#meter.fileBytes;
  }

  /** Pages that hold rows. */
  get liveBytes(): number {
    return (this.#pages.all - this.#pages.free) * PAGE_BYTES;
  }

  /** Takes the space of so many pages. Throws ENOSPC. */
  allocate(pages: number): void {
    this.#space.allocate(pages);
  }

  /** Allocates the WAL; after the first commit, which makes it. */
  reserve(): void {
    this.#meter.allocate(this.#options.walBytes);
  }

  /** After each transaction. */
  written(): void {
    this.#pages = this.#countPages();
    this.#meter.commit();
    if (this.#meter.frames * FRAME_BYTES > this.#options.walBytes / 2) this.checkpoint();
  }

  /** Gives free pages back to the file system. */
  vacuumStep(pages: number): void {
    this.#file.db.exec(`PRAGMA incremental_vacuum(${pages})`);
    this.written();
  }

  /** Makes the file anew from its rows, and the WAL; what is live must fit into the WAL's space. */
  remake(): void {
    this.#file.db.exec('VACUUM');
    this.#pages = this.#countPages();
    this.#meter.commit();
    this.#file.db.pragma('wal_checkpoint(TRUNCATE)');
    this.#meter.checkpoint();
    this.reserve();
  }

  checkpoint(): void {
    try {
      const [row] = this.#file.db.pragma('wal_checkpoint(PASSIVE)') as {
        busy: number;
        log: number;
        checkpointed: number;
      }[];
      if (row !== undefined && row.busy === 0 && row.log === row.checkpointed) {
        this.#meter.checkpoint();
      }
    } catch (error) {
      // A full disk: the frames stay in the WAL, and the next commit tries again. Damage shows there too.
      this.#options.log.debug('buffer: checkpoint failed', { code: sqliteCode(error) });
    }
  }

  /** Closes the database, too, and before the other descriptors of its file: space.ts says why. */
  close(): void {
    this.#meter.close();
    this.#file.db.close();
    this.#space.close();
  }

  #countPages(): { all: number; free: number } {
    const { pageCount, freelistCount } = this.#file.statements;
    return { all: pageCount.get()!, free: freelistCount.get()! };
  }
}
