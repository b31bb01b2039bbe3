/**
 * The store on a ClickHouse server, over HTTP or HTTPS; docs/decisions/0019.
 *
 * - Settings go with each request: nothing sticks to a connection.
 * - The server answers when a statement has ended (wait_end_of_query), so that an error never looks like
 *   success.
 * - A statement begins with a comment by which it is found in system.processes, from any process: what was
 *   given up is ended there.
 * - Nothing is retried here: writer, roll-ups and jobs know what may be repeated.
 */

import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import type { ClickHouseConfig } from '../config.ts';
import { CollectorError } from '../errors.ts';
import type { Logger } from '../types.ts';
import { ASKED_AT_ONCE, ServerAsking } from './clickhouse_asking.ts';
import { clientOf } from './clickhouse_client.ts';
import { isDoubtful, queryFailure, writeFailure } from './clickhouse_errors.ts';
import type { InsertTimes } from './clickhouse_inserts.ts';
import { Inserts } from './clickhouse_inserts.ts';
import { insertMark, RunningStatements } from './clickhouse_statements.ts';
import { endWhile } from './ending.ts';
import { admitStatement, currentPass } from './passes.ts';
import { FILE_SETTINGS } from './query_file.ts';
import type { Backend, BackendClients, EncodedBlock, FileStatement } from './sql_store.ts';
import { SqlStore } from './sql_store.ts';
import { querySettings } from './statements.ts';
import type { PartsSetAside, Pass, Store } from './store.ts';

const QUERIES_AT_ONCE = 4;
const JOBS_AT_ONCE = 2;
const FILES_AT_ONCE = 1;
/** Of the writer: what it reads back and migrations. */
const WRITER_CONNECTIONS = 4;
const CONTROL_CONNECTIONS = 4;
/** Of the writer: what it reads back has 120 s on the server. Others have limits of their own. */
const WRITER_SILENCE_MS = 150_000;
const CONTROL_SILENCE_MS = 15_000;
const SILENCE_MAX_MS = 900_000;
const OPEN_TIMEOUT_MS = 10_000;
const ADMIT_TIMEOUT_MS = 30_000;
/** After the server's own limit has passed, or after a statement was given up, its answer may take so long. */
const ANSWER_GRACE_MS = 5_000;
const FOLDER_PREFIX = 'fms-files-';
const FOLDER_KEPT_MS = 3_600_000;

/** Reads only; limits may be set. */
const READ_SETTINGS: ClickHouseSettings = {
  readonly: '2',
  cancel_http_readonly_queries_on_client_close: 1,
};
/** As JOB_SETTINGS of the embedded engine. */
const EXECUTE_SETTINGS: ClickHouseSettings = {
  async_insert: 0,
  max_partitions_per_insert_block: '0',
  mutations_sync: '1',
  max_insert_threads: '1',
};
const TIMES: InsertTimes = { insertMs: 60_000, settleMs: 30_000 };

export interface ClickHouseStoreOptions {
  clickhouse: ClickHouseConfig;
  /** Readings, quarantine and events are dropped this long after they were received. 0: never. */
  retentionDays: number;
  log?: Logger;
  /** For tests. */
  times?: Partial<InsertTimes>;
}

/**
 * Connects, and creates the database if it is not there. Rejects with STORE_UNAVAILABLE when the server does
 * not answer, with STORE_REFUSED when it does not let this user in, or the database is missing and may not
 * be created.
 */
export async function openClickHouseStore(options: ClickHouseStoreOptions): Promise<Store> {
  const { clickhouse, retentionDays, log } = options;
  const opened: ClickHouseClient[] = [];
  const open = async (
    connections: number,
    silenceMs: number,
    settings: ClickHouseSettings = {},
    database: string | undefined = clickhouse.database,
  ): Promise<ClickHouseClient> => {
    const client = await clientOf(clickhouse, { database, connections, silenceMs, settings });
    opened.push(client);
    return client;
  };
  try {
    const control = await open(CONTROL_CONNECTIONS, CONTROL_SILENCE_MS, {}, 'default');
    const version = await ensureDatabase(control, clickhouse);
    log?.info({ url: clickhouse.url, version }, 'the store is a ClickHouse server');
    const writes = await open(WRITER_CONNECTIONS, WRITER_SILENCE_MS, EXECUTE_SETTINGS);
    const inserting = await open(Inserts.connections, SILENCE_MAX_MS);
    const asking = await open(QUERIES_AT_ONCE + JOBS_AT_ONCE + FILES_AT_ONCE, SILENCE_MAX_MS);
    // Each is parsed before it runs.
    const people = await open(2 * ASKED_AT_ONCE, SILENCE_MAX_MS);
    const times = { ...TIMES, ...options.times };
    const running = new RunningStatements(control);
    const backend = new ServerBackend({
      control,
      writes,
      asking,
      inserting,
      people,
      asked: new ServerAsking(clickhouse.database, people, control),
      running,
      times,
      folder: await makeFolder(),
    });
    return new SqlStore(backend, retentionDays);
  } catch (error) {
    await Promise.allSettled(opened.map((client) => client.close()));
    throw writeFailure(`open ${clickhouse.url}`, error);
  }
}

async function ensureDatabase(
  client: ClickHouseClient,
  { database, username }: ClickHouseConfig,
): Promise<string> {
  const abort_signal = AbortSignal.timeout(OPEN_TIMEOUT_MS);
  const result = await client.query({
    query: `SELECT version() AS version, currentUser() AS user,
  toUInt8((SELECT count() FROM system.databases WHERE name = {database:String})) AS known`,
    query_params: { database },
    format: 'JSONEachRow',
    abort_signal,
  });
  const [row] = (await result.json()) as { version: string; known: number }[];
  if (row === undefined) throw new CollectorError('STORE_UNAVAILABLE', 'no answer');
  if (row.known > 0) return row.version;
  try {
    const name = database.replaceAll('\\', '\\\\').replaceAll('`', '\\`');
    await client.command({ query: `CREATE DATABASE IF NOT EXISTS \`${name}\``, abort_signal });
  } catch (error) {
    const failure = writeFailure('create', error);
    if (failure.code !== 'STORE_REFUSED') throw failure;
    throw new CollectorError(
      'STORE_REFUSED',
      `database ${database} is not there, and user ${username} may not create it: create it, or grant CREATE DATABASE`,
      { cause: error },
    );
  }
  return row.version;
}

/** For exported files. What processes left that were killed is removed. */
async function makeFolder(): Promise<string> {
  const parent = tmpdir();
  for (const name of await readdir(parent)) {
    const pid = Number(new RegExp(`^${FOLDER_PREFIX}(\\d+)-`).exec(name)?.[1]);
    if (!Number.isInteger(pid) || isAlive(pid)) continue;
    const folder = join(parent, name);
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Date.now() }));
    // A process of another container that shares the folder has a number of its own.
    if (Date.now() - mtimeMs > FOLDER_KEPT_MS)
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
  return mkdtemp(join(parent, `${FOLDER_PREFIX}${process.pid}-`));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

interface ServerParts {
  control: ClickHouseClient;
  writes: ClickHouseClient;
  asking: ClickHouseClient;
  inserting: ClickHouseClient;
  people: ClickHouseClient;
  asked: ServerAsking;
  running: RunningStatements;
  times: InsertTimes;
  folder: string;
}

/** Disks are the server's own matter: what its administrator restores or loses is not looked for here. */
const NOTHING_SET_ASIDE: PartsSetAside = {
  unknownTo: async () => [],
  madeUpFor: async () => undefined,
};

class ServerBackend implements Backend {
  readonly clients: BackendClients;
  readonly writes: ClickHouseClient;
  readonly settings = { query: READ_SETTINGS, execute: EXECUTE_SETTINGS };
  readonly folder: string;
  readonly ownFiles = false;
  readonly setAside = NOTHING_SET_ASIDE;
  readonly asking: ServerAsking;
  readonly #parts: ServerParts;
  readonly #inserts: Inserts;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(parts: ServerParts) {
    const { asking, inserting, running, times } = parts;
    this.#parts = parts;
    this.folder = parts.folder;
    this.asking = parts.asked;
    this.writes = parts.writes;
    const clients = (count: number) => Array.from({ length: count }, () => asking);
    this.clients = {
      queries: clients(QUERIES_AT_ONCE),
      jobs: clients(JOBS_AT_ONCE),
      files: clients(FILES_AT_ONCE),
    };
    this.#inserts = new Inserts(inserting, running, times);
  }

  insert(table: string, block: EncodedBlock, token: string, pass: Pass | undefined): Promise<void> {
    return this.#track(this.#inserts.insert(table, block, token, pass));
  }

  admit(pass: Pass): Promise<void> {
    return this.#track(this.#admit(pass));
  }

  async #admit(pass: Pass): Promise<void> {
    const { writes } = this.#parts;
    const abort_signal = AbortSignal.timeout(ADMIT_TIMEOUT_MS);
    const current = async (): Promise<{ pass: string; number: number } | undefined> => {
      const query = currentPass(pass.scope);
      const result = await writes.query({ query, format: 'JSONEachRow', abort_signal });
      return ((await result.json()) as { pass: string; number: number }[])[0];
    };
    const before = await current();
    await writes.command({ query: admitStatement(pass, before?.number ?? 0), abort_signal });
    const after = await current();
    if (after?.pass !== pass.id)
      throw new CollectorError('STORE_PASS_REPLACED', 'another process has taken over');
    await this.settle(pass.scope);
  }

  settle(tokenPrefix: string): Promise<void> {
    const { running, times } = this.#parts;
    return this.#track(running.end(insertMark(tokenPrefix), times.settleMs));
  }

  async prepare(what: 'readBack' | 'execute'): Promise<void> {
    if (what === 'readBack') await this.#inserts.settleDoubtful();
  }

  run<Result>(
    statement: (abort: AbortSignal | undefined) => Promise<Result>,
    mark: string,
    leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Result> {
    return this.#track(this.#run(statement, mark, leftMs, signal));
  }

  async #run<Result>(
    statement: (abort: AbortSignal | undefined) => Promise<Result>,
    mark: string,
    leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Result> {
    const { control, running, times } = this.#parts;
    const controller = new AbortController();
    const giveUp = (): void => controller.abort();
    let isRunning = true;
    let timer = setTimeout(giveUp, leftMs + ANSWER_GRACE_MS);
    const onAbort = (): void => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, ANSWER_GRACE_MS);
      void endWhile(control, mark, () => isRunning);
    };
    signal?.addEventListener('abort', onAbort);
    try {
      return await statement(controller.signal);
    } catch (error) {
      // What cannot be ended ends by its own limit of time.
      if (isDoubtful(error)) await running.end(mark, times.settleMs).catch(() => undefined);
      throw error;
    } finally {
      isRunning = false;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async writeFile(client: ClickHouseClient, statement: FileStatement): Promise<void> {
    const { mark, sql, params, format, limits, leftMs, file, abort } = statement;
    const { stream } = await client.exec({
      query: `${mark} ${sql}\nFORMAT ${format}`,
      query_params: params,
      clickhouse_settings: {
        ...querySettings(limits, leftMs),
        ...FILE_SETTINGS,
        ...READ_SETTINGS,
      },
      ...(abort && { abort_signal: abort }),
    });
    await pipeline(
      stream,
      createWriteStream(file, { flags: 'wx' }),
      ...(abort ? [{ signal: abort }] : []),
    );
  }

  failure(what: string, error: unknown): CollectorError {
    return writeFailure(what, error);
  }

  async readBackFailure(table: string, error: unknown): Promise<CollectorError> {
    return writeFailure(`read back ${table}`, error);
  }

  queryFailure(error: unknown): CollectorError {
    return queryFailure(error);
  }

  async close(): Promise<void> {
    const { control, writes, asking, inserting, people } = this.#parts;
    this.#inserts.close();
    await this.asking.close();
    await Promise.allSettled([...this.#underWay]);
    await Promise.allSettled(
      [control, writes, asking, inserting, people].map((client) => client.close()),
    );
    await rm(this.folder, { recursive: true, force: true });
  }

  #track<Result>(promise: Promise<Result>): Promise<Result> {
    this.#underWay.add(promise);
    const forget = (): void => void this.#underWay.delete(promise);
    promise.then(forget, forget);
    return promise;
  }
}
