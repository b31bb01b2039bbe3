/**
 * The store contract in ClickHouse's SQL: what is the same whichever engine answers. An engine is a Backend:
 * chdb.ts (in this process) or clickhouse.ts (a server).
 */

import { randomUUID } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import { CollectorError } from '../errors.ts';
import type { Asking } from './asking.ts';
import type { ReadingColumns } from './columns.ts';
import type { Column } from './native.ts';
import { encodeNative } from './native.ts';
import { encodeReadings } from './native_readings.ts';
import { finished, newFile } from './query_file.ts';
import { QuerySlots } from './query_slots.ts';
import { catchUpSql, PRESENT_READINGS_SQL, presentSql, versionsSql } from './read_back.ts';
import { ReadingBlock } from './reading_block.ts';
import { retentionOf, upgradeSchema } from './schema.ts';
import { querySettings, statementSettings } from './statements.ts';
import type {
  ExecuteLimits,
  ExportFormat,
  PartsSetAside,
  Pass,
  PlacedTable,
  QueryFile,
  QueryLimits,
  ReadingRow,
  Store,
  TableName,
  TableRows,
  VersionedTable,
} from './store.ts';
import type { RowTable } from './tables.ts';
import { tableColumns } from './tables.ts';

const QUERIES_WAITING_MAX = 64;
const IDS_ASKED_MAX = 1_000;
const CATCH_UP_LIMITS: ExecuteLimits = { timeoutMs: 600_000, maxMemoryBytes: 2 ** 30 };

/** Rows of one table in Native format. */
export interface EncodedBlock {
  count: number;
  names: readonly string[];
  /** Of the block's columns; the table's may be others, into which the engine converts them. */
  types: readonly string[];
  /** To be written one after the other, once. */
  pieces: Iterable<Buffer>;
}

/** A statement whose answer becomes a file. */
export interface FileStatement {
  /** Starts with the mark. */
  mark: string;
  sql: string;
  params: Record<string, unknown>;
  format: ExportFormat;
  limits: QueryLimits;
  leftMs: number;
  /** Absolute; does not exist. */
  file: string;
  abort: AbortSignal | undefined;
}

/** Each of these clients runs one statement at a time. */
export interface BackendClients {
  queries: readonly ClickHouseClient[];
  jobs: readonly ClickHouseClient[];
  files: readonly ClickHouseClient[];
}

/** What an engine does in its own way. */
export interface Backend {
  readonly clients: BackendClients;
  /** For migrations, and for what the writer reads back. */
  readonly writes: ClickHouseClient;
  /** What queries and statements of jobs are sent with, beside their limits. */
  readonly settings: Readonly<Record<'query' | 'execute', ClickHouseSettings>>;
  /** Of this process; exported files lie there. */
  readonly folder: string;
  readonly setAside: PartsSetAside;
  readonly asking: Asking;
  /** The engine's files are this program's own matter. */
  readonly ownFiles: boolean;

  /** One statement, one block. As Store.insert; rejects with the engine's error or a CollectorError. */
  insert(table: string, block: EncodedBlock, token: string, pass: Pass | undefined): Promise<void>;
  admit(pass: Pass): Promise<void>;
  settle(tokenPrefix: string): Promise<void>;
  /** Before something is read back or changed by `execute`. */
  prepare(what: 'readBack' | 'execute'): Promise<void>;

  /**
   * Runs a statement that starts with `mark` and ends it when `signal` aborts; `statement` is told to give
   * up waiting for the answer by its own signal.
   */
  run<Result>(
    statement: (abort: AbortSignal | undefined) => Promise<Result>,
    mark: string,
    leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Result>;

  writeFile(client: ClickHouseClient, statement: FileStatement): Promise<void>;

  /** What an error of an insert or a migration means. */
  failure(what: string, error: unknown): CollectorError;
  /** What it means when a table cannot be read back. */
  readBackFailure(table: string, error: unknown): Promise<CollectorError>;
  /** What the error of a query means that nobody gave up. */
  queryFailure(error: unknown): CollectorError;

  /** Waits for the statements under way. */
  close(): Promise<void>;
}

export class SqlStore implements Store {
  readonly retentionMs: Store['retentionMs'];
  readonly setAside: Store['setAside'];
  readonly asking: Asking;
  readonly #backend: Backend;
  readonly #retentionDays: number;
  readonly #queries: QuerySlots<ClickHouseClient>;
  readonly #jobs: QuerySlots<ClickHouseClient>;
  readonly #files: QuerySlots<ClickHouseClient>;
  #ready = false;
  #closing: Promise<void> | undefined;
  #insertedRowsTotal = 0;
  #insertErrorsTotal = 0;
  #lastError = '';

  /** `retentionDays`: 0 keeps readings for ever. */
  constructor(backend: Backend, retentionDays: number) {
    this.#backend = backend;
    this.#retentionDays = retentionDays;
    this.setAside = backend.setAside;
    this.asking = backend.asking;
    this.retentionMs = retentionOf(retentionDays);
    const { queries, jobs, files } = backend.clients;
    this.#queries = new QuerySlots(queries, QUERIES_WAITING_MAX);
    this.#jobs = new QuerySlots(jobs, QUERIES_WAITING_MAX);
    this.#files = new QuerySlots(files, QUERIES_WAITING_MAX);
  }

  async migrate(): Promise<void> {
    try {
      const { writes, ownFiles } = this.#backend;
      const retentionDays = this.#retentionDays;
      await upgradeSchema(writes, { retentionDays, nowMs: Date.now(), ownFiles });
      this.#ready = true;
    } catch (error) {
      throw this.#note(this.#backend.failure('migrate', error));
    }
  }

  insert<T extends TableName>(
    table: T,
    rows: readonly TableRows[T][],
    token: string,
    pass?: Pass,
  ): Promise<void> {
    if (table === 'readings') {
      const block = ReadingBlock.ofRows(rows as readonly ReadingRow[]);
      return this.insertReadings(block, token, pass);
    }
    if (rows.length === 0) return Promise.resolve();
    const columns = tableColumns[table as RowTable] as readonly Column<TableRows[T]>[];
    const names = columns.map(({ name }) => name);
    const types = columns.map(({ type }) => type);
    const block = { count: rows.length, names, types, pieces: encodeNative(columns, rows) };
    return this.#insertBlock(table, block, token, pass);
  }

  insertReadings(readings: ReadingColumns, token: string, pass?: Pass): Promise<void> {
    if (readings.count === 0) return Promise.resolve();
    return this.#insertBlock('readings', encodeReadings(readings), token, pass);
  }

  async #insertBlock(
    table: string,
    block: EncodedBlock,
    token: string,
    pass: Pass | undefined,
  ): Promise<void> {
    try {
      this.#assertOpen();
      await this.#backend.insert(table, block, token, pass);
      this.#insertedRowsTotal += block.count;
    } catch (error) {
      this.#insertErrorsTotal++;
      throw this.#note(this.#backend.failure(`insert into ${table}`, error));
    }
  }

  async admit(pass: Pass): Promise<void> {
    try {
      this.#assertOpen();
      await this.#backend.admit(pass);
    } catch (error) {
      throw this.#note(this.#backend.failure('take over inserts', error));
    }
  }

  async settle(tokenPrefix: string): Promise<void> {
    try {
      this.#assertOpen();
      await this.#backend.settle(tokenPrefix);
    } catch (error) {
      throw this.#note(this.#backend.failure('inserts of other processes', error));
    }
  }

  async presentIn(
    table: PlacedTable,
    logId: string,
    logPartition: number,
    fromOffset: number,
    toOffset: number,
  ): Promise<Set<string>> {
    const params = { partition: logPartition, log_id: logId, from: fromOffset, to: toOffset };
    const rows = await this.#readBack<[string]>(table, presentSql(table), params);
    return new Set(rows.map(([text]) => text));
  }

  async presentReadings(
    logPartition: number,
    fromOffset: number,
    toOffset: number,
    receivedMs: number,
  ): Promise<Map<string, Set<number>>> {
    const rows = await this.#readBack<[string, number[]]>('readings', PRESENT_READINGS_SQL, {
      partition: logPartition,
      from: fromOffset,
      to: toOffset,
      received_ms: Math.floor(receivedMs),
    });
    return new Map(rows.map(([epoch, seqs]) => [epoch, new Set(seqs)]));
  }

  async versionsOf(table: VersionedTable, ids: readonly string[]): Promise<Map<string, number>> {
    const versions = new Map<string, number>();
    // Parameters travel in the address of a request, which is bounded.
    for (let at = 0; at < ids.length; at += IDS_ASKED_MAX) {
      const params = { ids: ids.slice(at, at + IDS_ASKED_MAX) };
      const rows = await this.#readBack<[string, number]>(table, versionsSql(table), params);
      for (const [id, version] of rows) versions.set(id, version);
    }
    return versions;
  }

  async #readBack<Row>(
    table: string,
    query: string,
    params: Record<string, unknown>,
  ): Promise<Row[]> {
    try {
      this.#assertOpen();
      await this.#backend.prepare('readBack');
      const format = 'JSONCompactEachRow';
      const result = await this.#backend.writes.query({ query, query_params: params, format });
      return (await result.json()) as Row[];
    } catch (error) {
      throw this.#note(await this.#backend.readBackFailure(table, error));
    }
  }

  async catchUpDevices(logPartition: number, whole = false): Promise<void> {
    await this.execute(catchUpSql(whole), { partition: logPartition }, CATCH_UP_LIMITS);
  }

  query<Row>(
    sql: string,
    params: Record<string, unknown>,
    limits: QueryLimits,
    signal?: AbortSignal,
  ): Promise<Row[]> {
    const { timeoutMs } = limits;
    return this.#run(this.#queries, timeoutMs, signal, async (client, mark, leftMs, abort) => {
      const result = await client.query({
        query: `${mark} ${sql}`,
        query_params: params,
        format: 'JSONEachRow',
        clickhouse_settings: {
          ...querySettings(limits, leftMs),
          ...this.#backend.settings.query,
        },
        ...(abort && { abort_signal: abort }),
      });
      // The client forgets its signal once the answer begins.
      const close = (): void => result.close();
      abort?.addEventListener('abort', close);
      try {
        return (await result.json()) as Row[];
      } finally {
        abort?.removeEventListener('abort', close);
      }
    });
  }

  execute(
    sql: string,
    params: Record<string, unknown>,
    limits: ExecuteLimits,
    signal?: AbortSignal,
  ): Promise<void> {
    const { timeoutMs } = limits;
    return this.#run(this.#jobs, timeoutMs, signal, async (client, mark, leftMs, abort) => {
      await this.#backend.prepare('execute');
      await client.command({
        query: `${mark} ${sql}`,
        query_params: params,
        clickhouse_settings: {
          ...statementSettings(limits, leftMs),
          ...this.#backend.settings.execute,
        },
        ...(abort && { abort_signal: abort }),
      });
    });
  }

  async exportTo(
    format: ExportFormat,
    sql: string,
    params: Record<string, unknown>,
    limits: QueryLimits,
    signal?: AbortSignal,
  ): Promise<QueryFile> {
    const file = newFile(this.#backend.folder, format);
    const { timeoutMs } = limits;
    try {
      await this.#run(this.#files, timeoutMs, signal, (client, mark, leftMs, abort) => {
        const statement = { mark, sql, params, format, limits, leftMs, file, abort };
        return this.#backend.writeFile(client, statement);
      });
      return await finished(file);
    } catch (error) {
      await unlink(file).catch(() => undefined);
      throw this.#queryFailure(error, signal);
    }
  }

  /** Runs a statement on a connection of `slots`; `mark` must stand at its start, so that it can be ended. */
  async #run<Result>(
    slots: QuerySlots<ClickHouseClient>,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    statement: (
      client: ClickHouseClient,
      mark: string,
      leftMs: number,
      abort: AbortSignal | undefined,
    ) => Promise<Result>,
  ): Promise<Result> {
    // The wait for a connection counts against the time limit too.
    const deadline = performance.now() + timeoutMs;
    const lease = await slots.acquire(timeoutMs, signal);
    // Recognised in the engine's list of processes.
    const mark = `/* ${randomUUID()} */`;
    const leftMs = deadline - performance.now();
    try {
      signal?.throwIfAborted();
      return await this.#backend.run(
        (abort) => statement(lease.client, mark, leftMs, abort),
        mark,
        leftMs,
        signal,
      );
    } catch (error) {
      throw this.#queryFailure(error, signal);
    } finally {
      lease.release();
    }
  }

  stats(): ReturnType<Store['stats']> {
    return {
      ready: this.#ready && this.#closing === undefined,
      insertedRowsTotal: this.#insertedRowsTotal,
      insertErrorsTotal: this.#insertErrorsTotal,
      lastError: this.#lastError,
    };
  }

  /** Waits for the statements under way. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#queries.close();
    this.#jobs.close();
    this.#files.close();
    await this.#backend.close();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined)
      throw new CollectorError('STORE_UNAVAILABLE', 'the store is closing');
  }

  #note(failure: CollectorError): CollectorError {
    this.#lastError = failure.message;
    return failure;
  }

  #queryFailure(error: unknown, signal: AbortSignal | undefined): CollectorError {
    if (error instanceof CollectorError) return error;
    if (signal?.aborted)
      return new CollectorError('STORE_QUERY_REFUSED', 'the query was given up', { cause: error });
    const failure = this.#backend.queryFailure(error);
    return failure.code === 'STORE_QUERY_REFUSED' ? failure : this.#note(failure);
  }
}
