/** Statements of people on a ClickHouse server: settings and parameters go with the request. */

import { randomUUID } from 'node:crypto';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
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
import { queryFailure } from './clickhouse_errors.ts';
import { endWhile } from './ending.ts';
import { KnownTables, TABLES_SQL } from './known_tables.ts';
import { QuerySlots } from './query_slots.ts';

/** Statements of people at a time, of this process. */
export const ASKED_AT_ONCE = 4;
const WAITING_MAX = 64;
const ANSWER_GRACE_MS = 5_000;
/** The text of an answer is larger than what the engine holds of it, but not by more. */
const TEXT_FACTOR = 8;

interface Request {
  sql: string;
  params: ReadonlyMap<string, string>;
  settings: ReadonlyMap<string, string>;
  format: string;
  maxBytes: number;
}

export class ServerAsking implements Asking {
  readonly database: string;
  readonly #client: ClickHouseClient;
  readonly #control: ClickHouseClient;
  readonly #slots = new QuerySlots(
    Array.from({ length: ASKED_AT_ONCE }, (_, i) => i),
    WAITING_MAX,
  );
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #tables = new KnownTables(() => this.#parse(TABLES_SQL, new Map()));

  /** `control`: with connections of its own, to end statements and look at them. */
  constructor(database: string, client: ClickHouseClient, control: ClickHouseClient) {
    this.database = database;
    this.#client = client;
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
    const settings = PARSE_SETTINGS;
    const request = { sql, params, settings, format: 'TabSeparatedRaw', maxBytes: 64 * 2 ** 20 };
    const signal = AbortSignal.timeout(PARSE_TIMEOUT_MS);
    const { body } = await this.#track(this.#run(request, signal));
    return body.toString('utf8');
  }

  ask(ask: Ask, signal?: AbortSignal): Asked {
    const mark = `/* ${randomUUID()} */`;
    const answer = this.#track(this.#ask(ask, mark, signal));
    return { answer, progress: () => this.#progress(mark) };
  }

  async #ask(ask: Ask, mark: string, signal: AbortSignal | undefined): Promise<Answer> {
    const { timeoutMs, maxResultBytes } = ask.limits;
    const deadline = performance.now() + timeoutMs;
    const lease = await this.#slots.acquire(timeoutMs, signal);
    const controller = new AbortController();
    const giveUp = (): void => controller.abort();
    const timer = setTimeout(giveUp, deadline - performance.now() + ANSWER_GRACE_MS);
    let isRunning = true;
    const onAbort = (): void => {
      void endWhile(this.#control, mark, () => isRunning);
      setTimeout(giveUp, ANSWER_GRACE_MS).unref();
    };
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
    try {
      const settings = askSettings(ask, this.database, deadline - performance.now());
      const maxBytes = maxResultBytes * TEXT_FACTOR;
      const request = { ...ask, sql: `${mark} ${ask.sql}`, settings, maxBytes };
      return await this.#run(request, controller.signal);
    } catch (error) {
      throw signal?.aborted ? abortedRefusal(error) : error;
    } finally {
      isRunning = false;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      lease.release();
    }
  }

  async #run(
    { sql, params, settings, format, maxBytes }: Request,
    abort_signal: AbortSignal,
  ): Promise<Answer> {
    const startedMs = performance.now();
    // Parameters go as they came: the client's own way would write them anew.
    const given = [...params].map(([name, value]) => [`param_${name}`, value]);
    try {
      const { stream, response_headers } = await this.#client.exec({
        query: sql,
        clickhouse_settings: {
          ...Object.fromEntries([...given, ...settings]),
          default_format: format,
        } as ClickHouseSettings,
        abort_signal,
      });
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > maxBytes)
          throw new Error(
            `Code: 396. DB::Exception: Limit for result exceeded, ${maxBytes} bytes of text. (TOO_MANY_ROWS_OR_BYTES)`,
          );
      }
      const summary = summaryOf(response_headers['x-clickhouse-summary']);
      return {
        body: Buffer.concat(chunks),
        readRows: Number(summary.read_rows ?? 0),
        readBytes: Number(summary.read_bytes ?? 0),
        elapsedMs: performance.now() - startedMs,
      };
    } catch (error) {
      throw refusalOf(error);
    }
  }

  async #progress(mark: string): Promise<AskProgress | undefined> {
    try {
      return await progressOf(this.#control, mark);
    } catch (error) {
      throw queryFailure(error);
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
    await Promise.allSettled([...this.#underWay]);
  }
}

function summaryOf(header: string | string[] | undefined): Record<string, string> {
  try {
    return JSON.parse(String(header ?? '{}')) as Record<string, string>;
  } catch {
    return {};
  }
}
