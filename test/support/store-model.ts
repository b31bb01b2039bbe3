/**
 * A server as a model in memory, as far as writers of several processes depend on it: parts a table
 * partition, tokens with a window, passes, statements that run for a while and can be ended, requests that a
 * network delivers late, answers that get lost. For the writers' tests; queries are refused.
 */

import { setImmediate as turn } from 'node:timers/promises';
import { CollectorError } from '../../collector/errors.ts';
import type { ReadingColumns } from '../../collector/store/columns.ts';
import { rowsOf } from '../../collector/store/reading_rows.ts';
import type { Pass, Store, TableName, TableRows } from '../../collector/store/store.ts';
import { MemoryStore } from './memory-store.ts';

/**
 * What befalls a request. lost: executed, the answer is lost. partly: an error after some of the parts.
 * refused: an error before. late: given up by the client, delivered at any later time. gone: never delivered.
 */
export type Fate = 'ok' | 'lost' | 'partly' | 'refused' | 'late' | 'gone';

const TOKENS_MAX = 100;
const PART_MS = 7 * 86_400_000;

interface Running {
  token: string;
  isKilled: boolean;
  ended: Promise<void>;
}

export class ServerModel {
  readonly rows: { [T in TableName]: TableRows[T][] } = new MemoryStore().rows;
  readonly #passes = new Map<string, { id: string; number: number }>();
  readonly #tokens: string[] = [];
  readonly #running = new Set<Running>();
  /** Requests on their way that nobody waits for. */
  late: (() => Promise<void>)[] = [];
  refusals = 0;

  pass(scope: string): { id: string; number: number } {
    return this.#passes.get(scope) ?? { id: '', number: 0 };
  }

  admit({ scope, id }: Pass, number: number): void {
    const now = this.pass(scope);
    if (number > now.number || (number === now.number && id > now.id))
      this.#passes.set(scope, { id, number });
  }

  /** As the engine: the pass is asked for at the beginning, then part after part is committed. */
  async insert<T extends TableName>(
    table: T,
    rows: readonly TableRows[T][],
    token: string,
    pass: Pass | undefined,
    partsMax = Number.POSITIVE_INFINITY,
  ): Promise<void> {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const running: Running = { token, isKilled: false, ended };
    this.#running.add(running);
    try {
      if (pass !== undefined && this.pass(pass.scope).id !== pass.id) {
        this.refusals++;
        throw new CollectorError('STORE_PASS_REPLACED', token);
      }
      let parts = 0;
      for (const [name, part] of partsOf(rows)) {
        await turn();
        if (running.isKilled || parts++ >= partsMax)
          throw new CollectorError('STORE_UNAVAILABLE', `ended: ${token}`);
        const block = `${table} ${name} ${token}`;
        if (this.#tokens.includes(block)) continue;
        this.#tokens.push(block);
        if (this.#tokens.length > TOKENS_MAX) this.#tokens.shift();
        const into: TableRows[T][] = this.rows[table];
        into.push(...part);
      }
    } finally {
      this.#running.delete(running);
      resolve();
    }
  }

  /** Ends what runs, or lets it come to its end. */
  async settle(prefix: string, isKilling: boolean): Promise<void> {
    const found = [...this.#running].filter(({ token }) => token.startsWith(prefix));
    for (const running of found) running.isKilled ||= isKilling;
    await Promise.all(found.map(({ ended }) => ended));
  }

  /** Delivers one of the requests that are late. */
  async deliver(index: number): Promise<void> {
    if (this.late.length === 0) return;
    const [request] = this.late.splice(index % this.late.length, 1);
    await request?.();
  }
}

/** By the time that partitions go by; rows without one have one part. */
function partsOf<Row extends object>(rows: readonly Row[]): Map<number, Row[]> {
  const parts = new Map<number, Row[]>();
  for (const row of rows) {
    const ms = 'receivedMs' in row ? row.receivedMs : 'timeMs' in row ? row.timeMs : 0;
    const name = Math.floor(Number(ms) / PART_MS);
    const part = parts.get(name) ?? [];
    parts.set(name, part);
    part.push(row);
  }
  return parts;
}

/** What a process has of the server. */
export class ModelClient extends MemoryStore implements Store {
  readonly server: ServerModel;
  readonly #fate: () => Fate;
  /** Awaited before and after each request: a frozen process neither sends nor hears. */
  readonly #awake: () => Promise<void>;

  constructor(server: ServerModel, fate: () => Fate, awake: () => Promise<void>) {
    super();
    this.server = server;
    Object.assign(this.rows, server.rows);
    this.#fate = fate;
    this.#awake = awake;
  }

  override async insert<T extends TableName>(
    table: T,
    rows: readonly TableRows[T][],
    token: string,
    pass?: Pass,
  ): Promise<void> {
    if (rows.length === 0) return;
    const { server } = this;
    await this.#request(
      () => server.insert(table, rows, token, pass),
      () => server.insert(table, rows, token, pass, 1),
    );
  }

  override insertReadings(readings: ReadingColumns, token: string, pass?: Pass): Promise<void> {
    return this.insert('readings', [...rowsOf(readings)], token, pass);
  }

  override async admit(pass?: Pass): Promise<void> {
    if (pass === undefined) return;
    const { server } = this;
    await this.#awake();
    const { number } = server.pass(pass.scope);
    await this.#request(async () => server.admit(pass, number + 1));
    if (server.pass(pass.scope).id !== pass.id)
      throw new CollectorError('STORE_PASS_REPLACED', 'another one was admitted');
    await this.#request(() => server.settle(pass.scope, number % 2 === 0));
  }

  async #request(send: () => Promise<void>, sendPart = send): Promise<void> {
    const { server } = this;
    await this.#awake();
    const fate = this.#fate();
    await turn();
    if (fate === 'late') server.late.push(() => send().catch(() => undefined));
    else if (fate === 'ok' || fate === 'lost') await send();
    else if (fate === 'partly') await sendPart();
    await this.#awake();
    if (fate !== 'ok') throw new CollectorError('STORE_UNAVAILABLE', `made to fail: ${fate}`);
  }

  override async presentIn(...args: Parameters<Store['presentIn']>): Promise<Set<string>> {
    await this.#awake();
    return super.presentIn(...args);
  }

  override async versionsOf(
    ...args: Parameters<Store['versionsOf']>
  ): Promise<Map<string, number>> {
    await this.#awake();
    return super.versionsOf(...args);
  }

  override async presentReadings(
    ...args: Parameters<Store['presentReadings']>
  ): Promise<Map<string, Set<number>>> {
    await this.#awake();
    return super.presentReadings(...args);
  }
}
