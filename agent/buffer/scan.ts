/** Every row that the pages of a file and of its WAL still show, whether SQLite reads them or not. */

import { closeSync, fstatSync, statSync } from 'node:fs';
import type { FoundRow, PageReader } from './pages.ts';
import { freePages, rowsOfPage } from './pages.ts';
import { openReadable, pageReader, readPage, readWal } from './rescue.ts';
import { PAGE_BYTES } from './rows.ts';

/** The schema, a pointer map and the roots of four tables, and some more. */
const FRONT_PAGES = 12;

/** Rows may share memory with the next ones: copy what is kept. */
export function* rowsInFile(path: string): Generator<FoundRow> {
  const source = openReadable(path);
  const frames = readWal(`${path}-wal`);
  try {
    const filePages = source === undefined ? 0 : Math.ceil(fstatSync(source).size / PAGE_BYTES);
    const newest = pageReader(source, frames);
    const onlyFile: PageReader = (n) => (source === undefined ? undefined : readPage(source, n));
    const free = freePages(newest, Math.max(filePages, ...frames.byPage.keys()));
    const numbers = new Set([...frames.byPage.keys()].filter((n) => n > filePages));
    const rowsOf = function* (n: number): Generator<FoundRow> {
      const page = free.has(n) ? undefined : newest(n);
      if (page === undefined) return;
      const { rows, broken } = rowsOfPage(page, n, newest);
      yield* rows;
      const older = broken > 0 && frames.byPage.has(n) ? onlyFile(n) : undefined;
      if (older !== undefined) yield* rowsOfPage(older, n, onlyFile).rows;
    };
    for (let n = 1; n <= filePages; n++) yield* rowsOf(n);
    for (const n of numbers) yield* rowsOf(n);
  } finally {
    if (source !== undefined) closeSync(source);
  }
}

/** Rows of the first pages, where the small tables are; the time does not depend on the backlog. */
export function* rowsInFront(path: string): Generator<FoundRow> {
  const source = openReadable(path);
  const newest = pageReader(source, readWal(`${path}-wal`));
  try {
    for (let n = 1; n <= FRONT_PAGES; n++) {
      const page = newest(n);
      if (page !== undefined) yield* rowsOfPage(page, n, newest).rows;
    }
  } finally {
    if (source !== undefined) closeSync(source);
  }
}

/** Whole or torn pages of the file itself. */
export function pagesOf(path: string): number {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return Math.ceil(bytes / PAGE_BYTES);
}
