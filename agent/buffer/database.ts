/** The SQLite file of the buffer: schema, pragmas, prepared statements, and what its errors mean. */

import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { giveToOwnerOfFolder } from './owner.ts';
import type { ChunkRow, EpochRow, GapRow, MetaRow, SizedHeadRow } from './rows.ts';
import { PAGE_BYTES } from './rows.ts';

/**
 * Stored as meta `format`; a higher one was written by a newer agent. The tables are those of format 1, or
 * an agent that knows no other would take the file for a damaged one instead of leaving it alone.
 */
export const BUFFER_FORMAT = 2;
/** A file in which nothing is encrypted: agents of before encryption read and write it. */
export const BUFFER_FORMAT_PLAIN = 1;

export const tables: Readonly<Record<string, string>> = {
  chunks: `CREATE TABLE chunks (
  id INTEGER PRIMARY KEY,
  epoch BLOB NOT NULL,
  first_seq INTEGER NOT NULL,
  count INTEGER NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  crc32c INTEGER NOT NULL,
  sealed_wall_ms INTEGER NOT NULL,
  sealed_mono_ms INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  readings_before INTEGER NOT NULL,
  row_crc INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT`,
  epochs: `CREATE TABLE epochs (
  id INTEGER PRIMARY KEY,
  epoch BLOB NOT NULL,
  boot BLOB NOT NULL,
  predecessor_epoch BLOB NOT NULL,
  predecessor_last_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  opened_ms INTEGER NOT NULL,
  row_crc INTEGER NOT NULL
) STRICT`,
  gaps: `CREATE TABLE gaps (
  id INTEGER PRIMARY KEY,
  epoch BLOB NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  reason TEXT NOT NULL,
  row_crc INTEGER NOT NULL
) STRICT`,
  meta: `CREATE TABLE meta (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  row_crc INTEGER NOT NULL
) STRICT`,
};

const HEAD = `id, epoch, first_seq, count, first_ms, last_ms, crc32c, sealed_wall_ms,
  sealed_mono_ms, flags, readings_before, row_crc`;
/** length() of a blob needs the record's header only. */
const HEAD_SIZE = `${HEAD}, length(bytes) AS size`;

/** The file is not what was written: to be salvaged. */
export class DamagedError extends Error {
  constructor(detail: string, options?: { cause?: unknown }) {
    super(detail, options);
    this.name = 'DamagedError';
  }
}

export function sqliteCode(error: unknown): string {
  return error instanceof Database.SqliteError ? error.code : '';
}

/**
 * True when the error says that the file's content is damaged or unreadable, so that trying again is
 * useless. Full disks, failing writes and locks are not damage: they are tried again.
 */
export function isDamage(error: unknown): boolean {
  if (error instanceof DamagedError) return true;
  const code = sqliteCode(error);
  if (code === '') return false;
  const retried =
    /^SQLITE_(FULL|BUSY|LOCKED|NOMEM|READONLY|CANTOPEN|PERM|AUTH|PROTOCOL|INTERRUPT)/.test(code) ||
    (code.startsWith('SQLITE_IOERR') && !/_(SHORT_READ|READ|CORRUPTFS|DATA)$/.test(code));
  return !retried;
}

export interface Statements {
  insertChunk: Database.Statement<[ChunkRow]>;
  nextChunks: Database.Statement<[number], ChunkRow>;
  headsFrom: Database.Statement<[number, number], SizedHeadRow>;
  headsIn: Database.Statement<[number, number], SizedHeadRow>;
  headBefore: Database.Statement<[number], SizedHeadRow>;
  firstHead: Database.Statement<[], SizedHeadRow>;
  lastHead: Database.Statement<[], SizedHeadRow>;
  /** Newest first. */
  chunksDown: Database.Statement<[number], ChunkRow>;
  /** Everything but which readings they are. */
  replaceRow: Database.Statement<[ChunkRow]>;
  chunk: Database.Statement<[number], ChunkRow>;
  /** Walks the whole table: only after damage. */
  totals: Database.Statement<[], { chunks: number; readings: number }>;
  deleteRange: Database.Statement<[number, number]>;
  putEpoch: Database.Statement<[EpochRow]>;
  epochs: Database.Statement<[], EpochRow>;
  deleteEpochsBelow: Database.Statement<[number]>;
  putGap: Database.Statement<[GapRow]>;
  gaps: Database.Statement<[], GapRow>;
  deleteGap: Database.Statement<[number]>;
  putMeta: Database.Statement<[MetaRow]>;
  meta: Database.Statement<[], MetaRow>;
  pageCount: Database.Statement<[], number>;
  freelistCount: Database.Statement<[], number>;
}

function prepare(db: Database.Database): Statements {
  const p = <Params extends unknown[], Row = unknown>(sql: string) => db.prepare<Params, Row>(sql);
  return {
    insertChunk: p(`INSERT INTO chunks (${HEAD}, bytes) VALUES (@id, @epoch, @first_seq, @count,
      @first_ms, @last_ms, @crc32c, @sealed_wall_ms, @sealed_mono_ms, @flags, @readings_before,
      @row_crc, @bytes)`),
    nextChunks: p(`SELECT ${HEAD}, bytes FROM chunks WHERE id > ? ORDER BY id`),
    headsFrom: p(`SELECT ${HEAD_SIZE} FROM chunks WHERE id >= ? ORDER BY id LIMIT ?`),
    headsIn: p(`SELECT ${HEAD_SIZE} FROM chunks WHERE id BETWEEN ? AND ? ORDER BY id`),
    headBefore: p(`SELECT ${HEAD_SIZE} FROM chunks WHERE id < ? ORDER BY id DESC LIMIT 1`),
    firstHead: p(`SELECT ${HEAD_SIZE} FROM chunks ORDER BY id LIMIT 1`),
    lastHead: p(`SELECT ${HEAD_SIZE} FROM chunks ORDER BY id DESC LIMIT 1`),
    chunksDown: p(`SELECT ${HEAD}, bytes FROM chunks WHERE id <= ? ORDER BY id DESC`),
    replaceRow: p(`UPDATE chunks SET crc32c = @crc32c, sealed_wall_ms = @sealed_wall_ms,
      sealed_mono_ms = @sealed_mono_ms, flags = @flags, readings_before = @readings_before,
      row_crc = @row_crc, bytes = @bytes WHERE id = @id`),
    chunk: p(`SELECT ${HEAD}, bytes FROM chunks WHERE id = ?`),
    totals: p('SELECT count(*) AS chunks, total(count) AS readings FROM chunks'),
    deleteRange: p('DELETE FROM chunks WHERE id BETWEEN ? AND ?'),
    putEpoch: p(`INSERT OR REPLACE INTO epochs VALUES (@id, @epoch, @boot, @predecessor_epoch,
      @predecessor_last_seq, @last_seq, @opened_ms, @row_crc)`),
    epochs: p('SELECT * FROM epochs ORDER BY id'),
    deleteEpochsBelow: p('DELETE FROM epochs WHERE id < ?'),
    putGap: p(`INSERT OR REPLACE INTO gaps VALUES (@id, @epoch, @first_seq, @last_seq, @first_ms,
      @last_ms, @reason, @row_crc)`),
    gaps: p('SELECT * FROM gaps ORDER BY id'),
    deleteGap: p('DELETE FROM gaps WHERE id = ?'),
    putMeta: p('INSERT OR REPLACE INTO meta VALUES (@id, @key, @value, @row_crc)'),
    meta: p('SELECT * FROM meta ORDER BY id'),
    pageCount: p<[], number>('PRAGMA page_count').pluck() as Database.Statement<[], number>,
    freelistCount: p<[], number>('PRAGMA freelist_count').pluck() as Database.Statement<[], number>,
  };
}

export interface BufferFile {
  db: Database.Database;
  statements: Statements;
  /** The file was made by this call. */
  created: boolean;
}

export interface FileOptions {
  path: string;
  walBytes: number;
  maxPages: number;
}

/**
 * Opens or creates the file. Throws a SqliteError or a DamagedError; `isDamage` tells which of them
 * means that the content is broken. The caller holds the lock of lock.ts.
 */
export function openFile(options: FileOptions): BufferFile {
  const sizeBefore = statSync(options.path, { throwIfNoEntry: false })?.size ?? 0;
  const db = new Database(options.path, { timeout: 2000 });
  try {
    if (sizeBefore === 0) {
      // SQLite makes the WAL of the same owner.
      giveToOwnerOfFolder(options.path);
      // Before the first table, or it has no effect; on an old file it would cost a write.
      db.pragma(`page_size = ${PAGE_BYTES}`);
      db.pragma('auto_vacuum = INCREMENTAL');
    }
    // No -shm file, whose pages the kernel would write to the flash again and again.
    db.pragma('locking_mode = EXCLUSIVE');
    if (db.pragma('journal_mode = WAL', { simple: true }) !== 'wal') {
      throw new DamagedError('the file does not take a write-ahead log');
    }
    // Per connection: after reopening it is NORMAL.
    db.pragma('synchronous = FULL');
    db.pragma('wal_autocheckpoint = 0');
    db.pragma(`journal_size_limit = ${options.walBytes}`);
    db.pragma('cache_size = -2048');
    db.pragma('cell_size_check = ON');
    db.pragma('temp_store = MEMORY');
    db.pragma('trusted_schema = OFF');
    const created = ensureSchema(db, sizeBefore);
    if (db.pragma('page_size', { simple: true }) !== PAGE_BYTES) {
      throw new DamagedError('another page size');
    }
    // Only a net: eviction keeps the file below max_bytes, this keeps it there if eviction errs.
    db.pragma(`max_page_count = ${options.maxPages}`);
    return { db, statements: prepare(db), created };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Creates the tables in a new file, or compares those of an old one with what this program made. */
function ensureSchema(db: Database.Database, sizeBefore: number): boolean {
  const found = db
    .prepare<[], { name: string; sql: string | null }>('SELECT name, sql FROM sqlite_schema')
    .all();
  const created = found.length === 0;
  if (created) {
    // One page alone may be left of an interrupted creation; more than that held something.
    if (sizeBefore > PAGE_BYTES) throw new DamagedError('the schema is empty');
    db.transaction(() => {
      for (const sql of Object.values(tables)) db.exec(sql);
    })();
  } else if (found.length !== Object.keys(tables).length) {
    throw new DamagedError('another schema');
  }
  for (const { name, sql } of found) {
    if (tables[name] !== sql) throw new DamagedError(`another schema of table ${name}`);
  }
  if (db.pragma('auto_vacuum', { simple: true }) !== 2) {
    throw new DamagedError('not incrementally vacuumed');
  }
  return created;
}
