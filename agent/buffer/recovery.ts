/** Opening the buffer's file whatever state it is in: as it is, with its WAL rescued, or salvaged. */

import { rmSync } from 'node:fs';
import type { Log } from '../log.ts';
import type { Contents } from './contents.ts';
import { loadContents, requireFormat, writeHoles } from './contents.ts';
import type { BufferFile } from './database.ts';
import { isDamage, openFile } from './database.ts';
import type { FoundRow } from './pages.ts';
import { rescueFromWal } from './rescue.ts';
import { chunkHeadOk, PAGE_BYTES } from './rows.ts';
import type { SalvageOptions } from './salvage.ts';
import { prepareFolder, replaceWithSalvage } from './salvage.ts';
import type { BufferSeal } from './seal.ts';
import type { Keying, Settled } from './settle.ts';
import { refuseForeign, settleFile, settlePages } from './settle.ts';

export interface RecoveryOptions {
  path: string;
  maxBytes: number;
  walBytes: number;
  keying: Keying;
  log: Log;
}

export interface Opened {
  file: BufferFile;
  contents: Contents;
  settled: Settled;
  salvaged: boolean;
}

/** Pages beyond max_bytes that SQLite may still use, so that an eviction never fails for want of pages. */
const NET_PAGES = 256;

/**
 * At the start. Throws what is no damage: permissions, a failing or full disk, a newer format, a key that
 * is missing or wrong. Then nothing was changed (but the WAL may have moved into the file).
 */
export function openStoreFile(options: RecoveryOptions): Opened {
  prepareFolder(options.path);
  const rescued = rescueFromWal(options.path);
  refuseForeign(rescued, options.keying);
  let file: BufferFile | undefined;
  try {
    file = open(options);
    requireFormat(file.statements);
    if (rescued.length > 0) {
      insertRescued(file, rescued);
      options.log.warn('buffer: the write-ahead log was damaged', { rescued_rows: rescued.length });
    }
    const settled = settleFile(file, options.keying);
    const contents = loadContents(file.statements, settled.seal);
    return { file, contents, settled, salvaged: false };
  } catch (error) {
    file?.db.close();
    if (!isDamage(error)) throw error;
    return openSalvaged(options, error, rescued, undefined);
  }
}

/** While running: the file is closed, and `known` is what memory holds of it. */
export function openSalvaged(
  options: RecoveryOptions,
  cause: unknown,
  rescued: readonly FoundRow[],
  known: (SalvageOptions['known'] & { seal: BufferSeal }) | undefined,
): Opened {
  const { path, log, keying } = options;
  const found = known === undefined ? settlePages(rescued, keying) : undefined;
  const damage = cause instanceof Error ? cause.message : String(cause);
  log.error('buffer: the file is damaged; what can be read moves to a new one', { path, damage });
  const report = replaceWithSalvage({
    path,
    walBytes: options.walBytes,
    maxPages: maxPagesOf(options),
    keepBytes: options.maxBytes / 4,
    rescued,
    known,
    seal: known?.seal ?? found!.seal,
    valuesMayBePlain: found?.begins ?? false,
  });
  log.warn('buffer: salvaged', { ...report });
  const file = open(options);
  try {
    const settled = settleFile(file, keying);
    const notes = found?.notes ?? [];
    const contents = loadContents(file.statements, settled.seal);
    return { file, contents, settled: { ...settled, notes }, salvaged: true };
  } catch (error) {
    file.db.close();
    // The disk returns other bytes than were just written: nothing of this file can be kept.
    if (isDamage(error)) rmSync(path, { force: true });
    throw error;
  }
}

function maxPagesOf({ maxBytes }: RecoveryOptions): number {
  return Math.floor(maxBytes / PAGE_BYTES) + NET_PAGES;
}

function open(options: RecoveryOptions): BufferFile {
  const { path, walBytes } = options;
  return openFile({ path, walBytes, maxPages: maxPagesOf(options) });
}

/** Rows of the WAL that SQLite did not read; those that are not there go in. */
function insertRescued({ db, statements }: BufferFile, rescued: readonly FoundRow[]): void {
  db.transaction(() => {
    const epochIds = new Set(statements.epochs.all().map((row) => row.id));
    for (const { table, row } of rescued) {
      if (table === 'epochs' && !epochIds.has(row.id)) statements.putEpoch.run(row);
      if (table !== 'chunks' || !chunkHeadOk(row)) continue;
      if (statements.headsIn.get(row.id, row.id) === undefined) statements.insertChunk.run(row);
    }
    writeHoles(statements);
  })();
}
