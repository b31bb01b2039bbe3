/**
 * Statements of people in the embedded engine. Each has a session of its own (a millisecond): settings and
 * parameters end with it, and it cannot change the settings that were made before `readonly`. Not through the
 * client's connection: that takes parameters of all connections one after the other, and answers in text only.
 */

import { randomUUID } from 'node:crypto';
import type { ClickHouseClient } from '@clickhouse/client';
import type { Answer, Ask, Asked, Asking, AskProgress } from './asking.ts';
import {
  abortedRefusal,
  askSettings,
  PARSE_SETTINGS,
  PARSE_TIMEOUT_MS,
  progressOf,
  refusalOf,
  spellingSql,
  treeSql,
} from './asking_engine.ts';
import { endWhile } from './ending.ts';
import { unavailable } from './engine_errors.ts';
import { KnownTables, TABLES_SQL } from './known_tables.ts';
import type { Lease } from './query_slots.ts';
import { QuerySlots } from './query_slots.ts';
import { quoted } from './statements.ts';

/** The engine's own session: chdb's Session. */
export interface EngineSession {
  queryAsync(sql: string, options: { format: string }): Promise<EngineResult>;
  close(): void;
}

interface EngineResult {
  bytes(): Uint8Array;
  rowsRead: number;
  bytesRead: number;
}

/** Statements of people at a time. Each takes one of the threads that also read and write files. */
const AT_ONCE = 2;
const PARSED_AT_ONCE = 1;
const WAITING_MAX = 64;

export class ChdbAsking implements Asking {
  readonly database: string;
  readonly #open: () => EngineSession;
  readonly #control: ClickHouseClient;
  readonly #slots = new QuerySlots(numbers(AT_ONCE), WAITING_MAX);
  readonly #parsing = new QuerySlots(numbers(PARSED_AT_ONCE), WAITING_MAX);
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #tables = new KnownTables(() => this.#parse(TABLES_SQL, new Map()));

  /** `control` ends statements and looks at them. */
  constructor(database: string, open: () => EngineSession, control: ClickHouseClient) {
    this.database = database;
    this.#open = open;
    this.#control = control;
  }

  tables(): Promise<ReadonlySet<string>> {
    return this.#tables.get();
  }

  async format(sql: string): Promise<string> {
    return (await this.#parse(spellingSql(sql), new Map())).replace(/\n$/, '');
  }

  async ast(sql: string, params: ReadonlyMap<string, string>): Promise<string[]> {
    return (await this.#parse(treeSql(sql), params)).split('\n');
  }

  async #parse(sql: string, params: ReadonlyMap<string, string>): Promise<string> {
    const lease = await this.#parsing.acquire(PARSE_TIMEOUT_MS, undefined);
    const settings = PARSE_SETTINGS;
    const { body } = await this.#track(
      this.#run({ sql, params, settings, format: 'TabSeparatedRaw' }, lease),
    );
    return body.toString('utf8');
  }

  ask(ask: Ask, signal?: AbortSignal): Asked {
    const mark = `/* ${randomUUID()} */`;
    const answer = this.#track(this.#ask(ask, mark, signal));
    return { answer, progress: () => this.#progress(mark) };
  }

  async #ask(ask: Ask, mark: string, signal: AbortSignal | undefined): Promise<Answer> {
    const { timeoutMs } = ask.limits;
    const deadline = performance.now() + timeoutMs;
    const lease = await this.#slots.acquire(timeoutMs, signal);
    let isRunning = true;
    const onAbort = (): void => void endWhile(this.#control, mark, () => isRunning);
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
    try {
      const settings = askSettings(ask, this.database, deadline - performance.now());
      return await this.#run({ ...ask, sql: `${mark} ${ask.sql}`, settings }, lease);
    } catch (error) {
      throw signal?.aborted ? abortedRefusal(error) : error;
    } finally {
      isRunning = false;
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async #run(
    { sql, params, settings, format }: Omit<Ask, 'limits' | 'tables'>,
    lease: Lease<number>,
  ): Promise<Answer> {
    let session: EngineSession | undefined;
    try {
      session = this.#open();
      await session.queryAsync(prelude(this.database, params, settings), { format: 'Null' });
      const startedMs = performance.now();
      const result = await session.queryAsync(sql, { format });
      const bytes = result.bytes();
      return {
        body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
        readRows: result.rowsRead,
        readBytes: result.bytesRead,
        elapsedMs: performance.now() - startedMs,
      };
    } catch (error) {
      throw refusalOf(error);
    } finally {
      // The list of processes keeps a statement that failed until its session is closed.
      session?.close();
      lease.release();
    }
  }

  async #progress(mark: string): Promise<AskProgress | undefined> {
    try {
      return await progressOf(this.#control, mark);
    } catch (error) {
      throw unavailable('progress of a query', error);
    }
  }

  #track<Result>(promise: Promise<Result>): Promise<Result> {
    this.#underWay.add(promise);
    const forget = (): void => void this.#underWay.delete(promise);
    promise.then(forget, forget);
    return promise;
  }

  /** Nothing more is taken; resolves when what runs has ended. */
  async close(): Promise<void> {
    this.#slots.close();
    this.#parsing.close();
    await Promise.allSettled([...this.#underWay]);
  }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function prelude(
  database: string,
  params: ReadonlyMap<string, string>,
  settings: ReadonlyMap<string, string>,
): string {
  const statements = [`USE \`${database.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``];
  for (const [name, value] of params) statements.push(`SET param_${name} = ${quoted(value)}`);
  for (const [name, value] of settings) statements.push(`SET ${name} = ${quoted(value)}`);
  return statements.join('; ');
}
