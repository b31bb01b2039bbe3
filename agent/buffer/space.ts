/** Disk space taken in advance, so that what was committed can always be checkpointed. */

import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { PAGE_BYTES } from './rows.ts';

const STEP_BYTES = 64 * 1024;

/** True when the disk (or a quota) has no room, whoever says so. */
export function isNoSpace(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
}

/**
 * The database file's own blocks. A commit goes to the WAL and is only later written to the file; if the
 * disk were full by then, the WAL could never be emptied. So the file is made long enough before COMMIT.
 * SQLite ignores bytes behind the last page, and cuts them off at a checkpoint.
 */
export class FileSpace {
  /** Closing any descriptor of the file drops SQLite's locks on it: close() comes after the database's. */
  readonly #fd: number;
  #bytesWritten = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'r+');
  }

  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /** Makes the file at least so many pages long. Throws ENOSPC. */
  allocate(pages: number): void {
    const end = pages * PAGE_BYTES;
    let size = fstatSync(this.#fd).size;
    if (size >= end) return;
    const zeros = Buffer.alloc(Math.min(STEP_BYTES, end - size));
    while (size < end) {
      const written = writeSync(this.#fd, zeros, 0, Math.min(zeros.length, end - size), size);
      size += written;
      this.#bytesWritten += written;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
