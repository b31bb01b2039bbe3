/**
 * The SQLite file under the embedded log: tables, statements, durability settings, space. All calls are
 * synchronous; writes belong between begin() and commit(). What the tables mean is sqlite_log.ts' part.
 */

import { randomBytes } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Statement } from 'better-sqlite3';
import Database from 'better-sqlite3';
import { CollectorError } from '../errors.ts';
import type { LogTopic, NewRecord, ReadLimits } from './log.ts';
import { codeOf, messageOf, openingError } from './sqlite_errors.ts';

export const LOG_TOPICS: readonly LogTopic[] = ['raw', 'readings', 'quarantine', 'events'];

/** Batches are a few KB up to a few hundred: with large pages few of them need overflow chains. */
const PAGE_BYTES = 16_384;
export const LOG_SCHEMA_VERSION = 1;
const WAL_BYTES_KEPT = 16 * 1024 * 1024;
/** Only if the checkpoints of sqlite_log.ts failed to keep up. */
const WAL_AUTOCHECKPOINT_PAGES = 4_096;
/** A collector that is started while its predecessor still ends waits this long for the file. */
const OPEN_TIMEOUT_MS = 3_000;
export const PAGES_MIN = 64;
export const PARTITIONS_MAX = 256;

export interface SqliteFileOptions {
  path: string;
  partitions: number;
  maxBytes: number;
  wallMs: number;
}

export interface StoredRecord {
  offset: number;
  at: number;
  key: string;
  kind: string;
  value: Uint8Array;
}

export interface StreamBounds {
  first: number;
  next: number;
  /** Of the newest record, also when it was trimmed. */
  lastAtMs: number;
}

/** Who reads what: processors (topic raw) and consumers (the others). */
export interface SessionRow {
  name: string;
  topic: LogTopic;
  partition: number;
  generation: number;
  position: number;
  intentFrom: number | null;
  intentTo: number | null;
  intentAttempt: number | null;
}

interface StreamStatements {
  insert: Statement<[number, number, string, string, Uint8Array]>;
  read: Statement<[number], StoredRecord>;
  sizes: Statement<[number, number], { offset: number; at: number; bytes: number }>;
  remove: Statement<[number]>;
  newest: Statement<[], { offset: number; at: number }>;
}

const TABLES = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE streams (
    stream INTEGER PRIMARY KEY, first_offset INTEGER NOT NULL, trimmed_at_ms INTEGER NOT NULL
  );
  CREATE TABLE sessions (
    name TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    generation INTEGER NOT NULL, position INTEGER NOT NULL,
    intent_from INTEGER, intent_to INTEGER, intent_attempt INTEGER,
    PRIMARY KEY (name, topic, partition)
  ) WITHOUT ROWID;
  CREATE TABLE state (
    partition INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (partition, key)
  ) WITHOUT ROWID;
`;

/** Beside the tables above since they were released: files of before get it when they are opened. */
const CONTROL = `
  CREATE TABLE IF NOT EXISTS control (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID
`;

export class SqliteFile {
  readonly identity: string;
  readonly pageBytes: number;
  readonly maxPages: number;
  /** Absolute. */
  readonly path: string;
  readonly #db: Database.Database;
  readonly #streams: StreamStatements[];
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;
  readonly #pageCount: Statement<[], number>;
  readonly #freelistCount: Statement<[], number>;
  readonly #setFirst: Statement<[number, number, number]>;
  readonly #putSession: Statement;
  readonly #generation: Statement<[string, LogTopic, number], number>;
  readonly #stateFrom: Statement<[number, string], { key: string; value: Uint8Array }>;
  readonly #putState: Statement<[number, string, Uint8Array]>;
  readonly #deleteState: Statement<[number, string]>;

  /** Throws LOG_IN_USE, LOG_DAMAGED, LOG_PARTITIONS_CHANGED or LOG_UNAVAILABLE. */
  static open(options: SqliteFileOptions): SqliteFile {
    let db: Database.Database | undefined;
    try {
      mkdirSync(dirname(options.path), { recursive: true });
      db = new Database(options.path, { timeout: OPEN_TIMEOUT_MS });
      return new SqliteFile(db, options);
    } catch (error) {
      db?.close();
      throw openingError(error, options.path);
    }
  }

  private constructor(db: Database.Database, options: SqliteFileOptions) {
    this.path = resolve(options.path);
    this.#db = db;
    // The lock is held as long as the file is open: a second process is refused, no reader from outside
    // can hold up a checkpoint, and the operating system drops it when the process is killed.
    db.pragma('locking_mode = EXCLUSIVE');
    db.pragma(`page_size = ${PAGE_BYTES}`);
    db.pragma('auto_vacuum = INCREMENTAL');
    db.pragma('journal_mode = WAL');
    // Not kept in the file: without this line a reopened one is NORMAL and forgets commits in a power cut.
    db.pragma('synchronous = FULL');
    db.pragma(`wal_autocheckpoint = ${WAL_AUTOCHECKPOINT_PAGES}`);
    // What is kept of the WAL lets positions and trims be written on a full disk.
    db.pragma(`journal_size_limit = ${WAL_BYTES_KEPT}`);
    db.pragma('cache_size = -16384');
    this.identity = this.#createOrCheck(options);
    db.pragma('busy_timeout = 0');
    this.pageBytes = Number(db.pragma('page_size', { simple: true }));
    const pages = Math.floor(options.maxBytes / this.pageBytes);
    if (!(pages >= PAGES_MIN))
      throw new RangeError(`log.max_bytes must be at least ${PAGES_MIN * this.pageBytes}`);
    this.maxPages = pages;
    db.pragma(`max_page_count = ${pages}`);
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#rollback = db.prepare('ROLLBACK');
    this.#pageCount = db.prepare<[], number>('PRAGMA page_count').pluck();
    this.#freelistCount = db.prepare<[], number>('PRAGMA freelist_count').pluck();
    this.#setFirst = db.prepare(
      'UPDATE streams SET first_offset = ?, trimmed_at_ms = ? WHERE stream = ?',
    );
    this.#putSession = db.prepare(
      `INSERT OR REPLACE INTO sessions VALUES
         (@name, @topic, @partition, @generation, @position, @intentFrom, @intentTo, @intentAttempt)`,
    );
    this.#generation = db
      .prepare<[string, LogTopic, number], number>(
        'SELECT generation FROM sessions WHERE name = ? AND topic = ? AND partition = ?',
      )
      .pluck();
    this.#stateFrom = db.prepare(
      'SELECT key, value FROM state WHERE partition = ? AND key >= ? ORDER BY key',
    );
    this.#putState = db.prepare('INSERT OR REPLACE INTO state VALUES (?, ?, ?)');
    this.#deleteState = db.prepare('DELETE FROM state WHERE partition = ? AND key = ?');
    this.#streams = LOG_TOPICS.flatMap((topic) =>
      Array.from({ length: options.partitions }, (_, partition) =>
        this.#streamStatements(`${topic}_${partition}`),
      ),
    );
  }

  #createOrCheck(options: SqliteFileOptions): string {
    const db = this.#db;
    const known = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'").pluck();
    if (known.get() === 0) {
      db.transaction(() => this.#create(options)).immediate();
    }
    const meta = db.prepare<[string], string>('SELECT value FROM meta WHERE name = ?').pluck();
    const version = Number(meta.get('schema_version'));
    if (version !== LOG_SCHEMA_VERSION)
      throw new CollectorError('LOG_DAMAGED', `${this.path}: unknown schema version ${version}`);
    const partitions = Number(meta.get('partitions'));
    if (partitions !== options.partitions)
      throw new CollectorError(
        'LOG_PARTITIONS_CHANGED',
        `${this.path} has ${partitions}, configured are ${options.partitions}`,
      );
    const identity = meta.get('identity');
    if (identity === undefined)
      throw new CollectorError('LOG_DAMAGED', `${this.path}: no identity`);
    db.exec(CONTROL);
    return identity;
  }

  #create(options: SqliteFileOptions): void {
    const { partitions, wallMs } = options;
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX)
      throw new RangeError(`log.partitions must be 1..${PARTITIONS_MAX}`);
    const db = this.#db;
    db.exec(TABLES);
    const meta = db.prepare('INSERT INTO meta VALUES (?, ?)');
    meta.run('schema_version', String(LOG_SCHEMA_VERSION));
    meta.run('identity', randomBytes(16).toString('hex'));
    meta.run('partitions', String(partitions));
    meta.run('created_ms', String(wallMs));
    const stream = db.prepare('INSERT INTO streams VALUES (?, 0, 0)');
    LOG_TOPICS.forEach((topic, index) => {
      for (let partition = 0; partition < partitions; partition++) {
        db.exec(
          `CREATE TABLE ${topic}_${partition} (
             record_offset INTEGER PRIMARY KEY, appended_at_ms INTEGER NOT NULL,
             key TEXT NOT NULL, kind TEXT NOT NULL, value BLOB NOT NULL
           )`,
        );
        stream.run(index * partitions + partition);
      }
    });
  }

  #streamStatements(table: string): StreamStatements {
    const db = this.#db;
    return {
      insert: db.prepare(`INSERT INTO ${table} VALUES (?, ?, ?, ?, ?)`),
      read: db.prepare(
        `SELECT record_offset AS offset, appended_at_ms AS at, key, kind, value
         FROM ${table} WHERE record_offset >= ? ORDER BY record_offset`,
      ),
      sizes: db.prepare(
        `SELECT record_offset AS offset, appended_at_ms AS at, length(value) AS bytes
         FROM ${table} WHERE record_offset < ? ORDER BY record_offset LIMIT ?`,
      ),
      remove: db.prepare(`DELETE FROM ${table} WHERE record_offset < ?`),
      newest: db.prepare(
        `SELECT record_offset AS offset, appended_at_ms AS at
         FROM ${table} ORDER BY record_offset DESC LIMIT 1`,
      ),
    };
  }

  #stream(stream: number): StreamStatements {
    const statements = this.#streams[stream];
    if (statements === undefined) throw new RangeError(`no such topic or partition (${stream})`);
    return statements;
  }

  begin(): void {
    // Left over when a rollback failed too (the disk was gone): nothing of it was promised to anybody.
    this.rollback();
    this.#begin.run();
  }

  /** Durable once it returns. */
  commit(): void {
    this.#commit.run();
  }

  /** Does nothing outside a transaction. */
  rollback(): void {
    if (this.#db.inTransaction) this.#rollback.run();
  }

  insert(stream: number, offset: number, atMs: number, record: NewRecord): void {
    this.#stream(stream).insert.run(offset, atMs, record.key, record.kind, record.value);
  }

  /** At least one record if there is one at or after `from`. */
  read(stream: number, from: number, limits: ReadLimits): StoredRecord[] {
    const records: StoredRecord[] = [];
    let bytes = 0;
    for (const record of this.#stream(stream).read.iterate(from)) {
      bytes += record.value.length;
      if (records.length > 0 && bytes > limits.maxBytes) break;
      records.push(record);
      if (records.length >= limits.maxRecords) break;
    }
    return records;
  }

  bounds(stream: number): StreamBounds {
    const row = this.#db
      .prepare<[number], { first: number; at: number }>(
        'SELECT first_offset AS first, trimmed_at_ms AS at FROM streams WHERE stream = ?',
      )
      .get(stream);
    if (row === undefined)
      throw new CollectorError('LOG_DAMAGED', `${this.path}: stream ${stream}`);
    const newest = this.#stream(stream).newest.get();
    if (newest === undefined) return { first: row.first, next: row.first, lastAtMs: row.at };
    return { first: row.first, next: newest.offset + 1, lastAtMs: newest.at };
  }

  /** The oldest records below an offset, with the bytes of their values. */
  sizes(
    stream: number,
    below: number,
    max: number,
  ): { offset: number; at: number; bytes: number }[] {
    return this.#stream(stream).sizes.all(below, max);
  }

  /** Removes the records below `below`, which becomes the first offset of the stream. */
  remove(stream: number, below: number, trimmedAtMs: number): void {
    this.#stream(stream).remove.run(below);
    this.#setFirst.run(below, trimmedAtMs, stream);
  }

  sessions(): SessionRow[] {
    return this.#db
      .prepare<[], SessionRow>(
        `SELECT name, topic, partition, generation, position, intent_from AS intentFrom,
           intent_to AS intentTo, intent_attempt AS intentAttempt FROM sessions`,
      )
      .all();
  }

  generation(name: string, topic: LogTopic, partition: number): number | undefined {
    return this.#generation.get(name, topic, partition);
  }

  putSession(row: SessionRow): void {
    this.#putSession.run(row);
  }

  hasState(partition: number): boolean {
    const first = this.#db.prepare('SELECT 1 FROM state WHERE partition = ? LIMIT 1');
    return first.get(partition) !== undefined;
  }

  /**
   * Adds what a partition's state holds from key `from` on to `into`, until that is `maxBytes` or a little
   * more. The key at which the rest begins; undefined: that was all.
   */
  stateFrom(
    partition: number,
    from: string,
    maxBytes: number,
    into: Map<string, Uint8Array>,
  ): string | undefined {
    let bytes = 0;
    for (const { key, value } of this.#stateFrom.iterate(partition, from)) {
      if (bytes >= maxBytes) return key;
      into.set(key, value);
      bytes += value.length;
    }
    return undefined;
  }

  putState(partition: number, key: string, value: Uint8Array | null): void {
    if (value === null) this.#deleteState.run(partition, key);
    else this.#putState.run(partition, key, value);
  }

  control(): Map<string, Uint8Array> {
    const rows = this.#db
      .prepare<[], { key: string; value: Uint8Array }>('SELECT key, value FROM control')
      .all();
    return new Map(rows.map((row) => [row.key, row.value]));
  }

  putControl(key: string, value: Uint8Array | null): void {
    if (value === null) this.#db.prepare('DELETE FROM control WHERE key = ?').run(key);
    else this.#db.prepare('INSERT OR REPLACE INTO control VALUES (?, ?)').run(key, value);
  }

  /** As SQLite has them now: what durability rests on. */
  settings(): { journalMode: unknown; synchronous: unknown; lockingMode: unknown } {
    const ask = (name: string): unknown => this.#db.pragma(name, { simple: true });
    return {
      journalMode: ask('journal_mode'),
      synchronous: ask('synchronous'),
      lockingMode: ask('locking_mode'),
    };
  }

  pages(): { total: number; free: number } {
    return { total: this.#pageCount.get() ?? 0, free: this.#freelistCount.get() ?? 0 };
  }

  /** Gives at most `pages` free pages at the end of the file back to the disk. */
  vacuum(pages: number): void {
    this.#db.pragma(`incremental_vacuum(${pages})`);
  }

  /**
   * Moves the WAL's content into the file, and nothing more until release(). Outside a transaction.
   * Throws LOG_UNAVAILABLE.
   */
  hold(): void {
    try {
      this.#db.pragma('wal_autocheckpoint = 0');
      const [result] = this.#db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
      if (result?.busy !== 0) throw new Error('the write-ahead log is in use');
    } catch (error) {
      this.release();
      throw this.asLogError(error);
    }
  }

  release(): void {
    this.#db.pragma(`wal_autocheckpoint = ${WAL_AUTOCHECKPOINT_PAGES}`);
  }

  /** Size of the write-ahead log. */
  walBytes(): number {
    return statSync(`${this.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Moves the WAL's content into the file. TRUNCATE also empties the WAL file. */
  checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    this.#db.pragma(`wal_checkpoint(${mode})`);
  }

  close(): void {
    this.#db.close();
  }

  /** LOG_FULL when the cap was reached, LOG_UNAVAILABLE for all else (disk full, I/O error, lock). */
  asLogError(error: unknown): CollectorError {
    if (error instanceof CollectorError) return error;
    const code = codeOf(error);
    if (code === 'SQLITE_FULL' && this.#atCap())
      return new CollectorError('LOG_FULL', `${this.path} reached log.max_bytes`, {
        cause: error,
      });
    const detail = code === 'SQLITE_FULL' ? 'the disk is full' : `${messageOf(error)} (${code})`;
    return new CollectorError('LOG_UNAVAILABLE', `${this.path}: ${detail}`, { cause: error });
  }

  #atCap(): boolean {
    try {
      // A group that failed was rolled back, so the count is that before it: near the cap is at the cap.
      const { total, free } = this.pages();
      return total - free >= this.maxPages * 0.75;
    } catch {
      return false;
    }
  }
}
