/**
 * The embedded store: the ClickHouse engine in this process, over a folder that one process opens once.
 *
 * - Separate connections, because the engine serialises the statements of one: one writes, some query
 *   (read-only), one runs the statements of roll-ups and jobs, one makes files, one ends what was given
 *   up. Statements of people: chdb_asking.ts.
 * - Rows go in as one Native block through `file()`: binary, because text formats round doubles.
 * - What an insert needs is stated in the statement; settings of the connection would stick (a
 *   deduplication token that stuck would make later inserts vanish).
 * - The promise of an insert settles when the engine has ended the statement: nothing appears later.
 */

import { rm, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ClickHouseClient } from '@clickhouse/client';
import { CollectorError } from '../errors.ts';
import { ChdbAsking } from './chdb_asking.ts';
import { AWAY_CODE, Damage } from './damage.ts';
import { endWhile } from './ending.ts';
import {
  BROKEN_ENGINE_CODES,
  engineCode,
  firstLine,
  isDamage,
  unavailable,
} from './engine_errors.ts';
import { FILE_SETTINGS, fileStatement } from './query_file.ts';
import { SetAside } from './set_aside.ts';
import type { Backend, BackendClients, EncodedBlock, FileStatement } from './sql_store.ts';
import { SqlStore } from './sql_store.ts';
import { makeStagingDir, writePieces } from './staging.ts';
import { INSERT_SETTINGS, JOB_SETTINGS, quoted, statementSettings } from './statements.ts';
import type { Store } from './store.ts';

const DATABASE = 'fms';
const QUERY_CONNECTIONS = 2;

export interface ChdbStoreOptions {
  /** Folder of the store; created if absent. */
  path: string;
  /** Readings, quarantine and events are dropped this long after they were received. 0: never. */
  retentionDays?: number;
}

/** Opens the folder. Rejects with STORE_UNAVAILABLE, for example when another process has it open. */
export async function openChdbStore(options: ChdbStoreOptions): Promise<Store> {
  const path = resolve(options.path);
  const opened: ClickHouseClient[] = [];
  try {
    const stagingDir = await makeStagingDir(path);
    // Loaded here and not at import: the engine takes 250 MB, and `check` does not need it.
    const { createClient } = await import('@clickhouse/client');
    const { createChdbConnection } = await import('chdb/connection');
    const open = (): ClickHouseClient => {
      const client = createClient({ connection: createChdbConnection({ path }) as never });
      opened.push(client);
      return client;
    };
    const writes = open();
    const control = open();
    const jobs = open();
    const files = open();
    const queries = Array.from({ length: QUERY_CONNECTIONS }, open);
    await writes.command({ query: `CREATE DATABASE IF NOT EXISTS ${DATABASE}` });
    for (const client of opened) await client.command({ query: `USE ${DATABASE}` });
    // 2: reads only, and settings (the limits of a query) may be changed.
    for (const client of queries) await client.command({ query: 'SET readonly = 2' });
    await jobs.command({ query: JOB_SETTINGS });
    const clients = { queries, jobs: [jobs], files: [files] };
    const setAside = new SetAside(writes, path);
    const { Session } = await import('chdb');
    const asking = new ChdbAsking(DATABASE, () => new Session(path), control);
    const backend = new ChdbBackend(clients, { writes, control, asking }, stagingDir, setAside);
    return new SqlStore(backend, options.retentionDays ?? 0);
  } catch (error) {
    await Promise.allSettled(opened.map((client) => client.close()));
    throw unavailable(`open ${path}`, error);
  }
}

interface OwnConnections {
  writes: ClickHouseClient;
  control: ClickHouseClient;
  asking: ChdbAsking;
}

class ChdbBackend implements Backend {
  readonly clients: BackendClients;
  readonly writes: ClickHouseClient;
  // Settings of a statement would stick to its connection: what always holds was set when it was opened.
  readonly settings = { query: {}, execute: {} };
  readonly folder: string;
  readonly ownFiles = true;
  readonly setAside: SetAside;
  readonly asking: ChdbAsking;
  readonly #control: ClickHouseClient;
  readonly #damage: Damage;
  #staged = 0;

  constructor(
    clients: BackendClients,
    { writes, control, asking }: OwnConnections,
    folder: string,
    setAside: SetAside,
  ) {
    this.clients = clients;
    this.writes = writes;
    this.#control = control;
    this.asking = asking;
    this.folder = folder;
    this.setAside = setAside;
    this.#damage = new Damage(writes, [...clients.queries, ...clients.jobs, control]);
  }

  /** One statement, one block, one part a partition. */
  async insert(table: string, { names, pieces }: EncodedBlock, token: string): Promise<void> {
    const file = join(this.folder, `${this.#staged++}.native`);
    try {
      await this.#damage.setAside(table);
      await writePieces(file, pieces);
      const columns = names.join(', ');
      await this.writes.command({
        query: `INSERT INTO ${table} (${columns})
SETTINGS ${INSERT_SETTINGS}, insert_deduplication_token = ${quoted(token)}
SELECT ${columns} FROM file(${quoted(file)}, 'Native')`,
      });
    } finally {
      await unlink(file).catch(() => undefined);
    }
  }

  async admit(): Promise<void> {
    // Nobody else inserts, and what this process inserts has ended when its promise settles.
  }

  /** Statements end with the process that opened the folder, and the promise of an insert with them. */
  async settle(): Promise<void> {
    // Nobody else inserts.
  }

  async prepare(what: 'readBack' | 'execute'): Promise<void> {
    if (what === 'execute') await this.#damage.setComputedAside();
  }

  async run<Result>(
    statement: (abort: AbortSignal | undefined) => Promise<Result>,
    mark: string,
    _leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Result> {
    let isRunning = true;
    const onAbort = (): void => void endWhile(this.#control, mark, () => isRunning);
    signal?.addEventListener('abort', onAbort);
    try {
      return await statement(undefined);
    } finally {
      isRunning = false;
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async writeFile(client: ClickHouseClient, statement: FileStatement): Promise<void> {
    const { mark, sql, params, format, limits, leftMs, file } = statement;
    await client.command({
      query: `${mark} ${fileStatement(file, format, sql, limits)}`,
      query_params: params,
      clickhouse_settings: { ...statementSettings(limits, leftMs), ...FILE_SETTINGS },
    });
  }

  failure(what: string, error: unknown): CollectorError {
    return unavailable(what, error);
  }

  async readBackFailure(table: string, error: unknown): Promise<CollectorError> {
    const what = `read back ${table}`;
    const failure = unavailable(what, error);
    if (!isDamage(error) && engineCode(error) !== AWAY_CODE) return failure;
    this.#damage.suspect(table);
    return await this.#damage.setAside(table).then(
      () => failure,
      (told: unknown) => unavailable(what, told),
    );
  }

  queryFailure(error: unknown): CollectorError {
    const code = engineCode(error);
    if (isDamage(error)) this.#damage.suspect();
    if (code === undefined || BROKEN_ENGINE_CODES.has(code)) return unavailable('query', error);
    return new CollectorError('STORE_QUERY_REFUSED', firstLine(error), { cause: error });
  }

  /** Waits for the statements under way: the engine must not lose its connection within one. */
  async close(): Promise<void> {
    await this.asking.close();
    const { queries, jobs, files } = this.clients;
    const all = [this.writes, this.#control, ...jobs, ...files, ...queries];
    await Promise.allSettled(all.map((client) => client.close()));
    const { drainPending } = await import('chdb');
    await drainPending();
    await rm(this.folder, { recursive: true, force: true });
  }
}
