/**
 * Inserts into a ClickHouse server: one statement, one block in Native format, streamed a column at a time.
 * When the answer does not come (time, connection), the statement is ended on the server before the promise
 * settles; where even that cannot be learnt, nothing is read back or inserted until it is.
 */

import { Readable } from 'node:stream';
import type { ClickHouseClient } from '@clickhouse/client';
import { CollectorError } from '../errors.ts';
import { isDoubtful } from './clickhouse_errors.ts';
import type { RunningStatements } from './clickhouse_statements.ts';
import { insertMark } from './clickhouse_statements.ts';
import { holds } from './passes.ts';
import { QuerySlots } from './query_slots.ts';
import type { EncodedBlock } from './sql_store.ts';
import { INSERT_SETTINGS, quoted } from './statements.ts';
import type { Pass } from './store.ts';

/** What lies in memory is a column or two of each of these. */
const AT_ONCE_MAX = 4;
/** More than there are writers. */
const WAITING_MAX = 1_024;
const TURN_TIMEOUT_MS = 600_000;
/** Smaller pieces are put together: each one is a write of its own. */
const PIECE_BYTES_MIN = 32 * 1024;

export interface InsertTimes {
  /** An insert that was not answered by then is ended. */
  insertMs: number;
  /** So long the end of a statement is waited for. */
  settleMs: number;
}

export class Inserts {
  readonly #slots: QuerySlots<ClickHouseClient>;
  readonly #running: RunningStatements;
  readonly #times: InsertTimes;
  /** Marks of statements of which it is not known whether they run. */
  readonly #doubtful = new Set<string>();

  constructor(client: ClickHouseClient, running: RunningStatements, times: InsertTimes) {
    this.#slots = new QuerySlots(
      Array.from({ length: AT_ONCE_MAX }, () => client),
      WAITING_MAX,
    );
    this.#running = running;
    this.#times = times;
  }

  static readonly connections = AT_ONCE_MAX;

  /** Rejects with the server's error, or one of the connection, once the statement has ended. */
  async insert(
    table: string,
    block: EncodedBlock,
    token: string,
    pass: Pass | undefined,
  ): Promise<void> {
    const lease = await this.#turn();
    const mark = insertMark(token);
    try {
      await this.settleDoubtful();
      await this.#send(lease.client, `${mark} */ ${statementOf(table, block, token, pass)}`, block);
    } catch (error) {
      if (isDoubtful(error)) await this.#settle(mark, this.#times.settleMs);
      throw error;
    } finally {
      lease.release();
    }
  }

  /** Rejects with STORE_UNAVAILABLE while it is not known how an insert of this process ended. */
  async settleDoubtful(): Promise<void> {
    for (const mark of this.#doubtful) await this.#settle(mark, 0);
  }

  close(): void {
    this.#slots.close();
  }

  async #settle(mark: string, boundMs: number): Promise<void> {
    this.#doubtful.add(mark);
    await this.#running.end(mark, boundMs);
    this.#doubtful.delete(mark);
  }

  async #turn(): ReturnType<QuerySlots<ClickHouseClient>['acquire']> {
    try {
      return await this.#slots.acquire(TURN_TIMEOUT_MS, undefined);
    } catch (error) {
      if (!(error instanceof CollectorError) || error.code !== 'STORE_QUERY_REFUSED') throw error;
      throw new CollectorError('STORE_BUSY', 'too many inserts are waiting', { cause: error });
    }
  }

  async #send(client: ClickHouseClient, query: string, { pieces }: EncodedBlock): Promise<void> {
    const controller = new AbortController();
    const values = Readable.from(joined(pieces), { objectMode: false });
    const timer = setTimeout(() => controller.abort(), this.#times.insertMs);
    try {
      const { stream } = await client.exec({ query, values, abort_signal: controller.signal });
      // With wait_end_of_query the statement has ended; nothing follows but the end.
      stream.resume();
      await new Promise<void>((resolve, reject) => {
        stream.once('end', resolve);
        stream.once('error', reject);
        stream.once('close', () => reject(new Error('the connection was cut')));
        controller.signal.addEventListener('abort', () => stream.destroy());
      });
    } catch (error) {
      if (!controller.signal.aborted) throw error;
      throw new Error(`no answer within ${this.#times.insertMs} ms`, { cause: error });
    } finally {
      clearTimeout(timer);
      values.destroy();
    }
  }
}

function statementOf(
  table: string,
  { names, types }: EncodedBlock,
  token: string,
  pass: Pass | undefined,
): string {
  const columns = names.join(', ');
  const head = `INSERT INTO ${table} (${columns})
SETTINGS ${INSERT_SETTINGS}, insert_deduplicate = 1, insert_deduplication_token = ${quoted(token)}`;
  if (pass === undefined) return `${head} FORMAT Native`;
  const structure = names.map((name, i) => `${name} ${types[i]}`).join(', ');
  return `${head} SELECT ${columns} FROM input(${quoted(structure)}) WHERE ${holds(pass)} FORMAT Native`;
}

/** Columns go as they are; heads of columns and small columns together. */
function* joined(pieces: Iterable<Buffer>): Generator<Buffer> {
  let small: Buffer[] = [];
  let bytes = 0;
  for (const piece of pieces) {
    if (piece.length < PIECE_BYTES_MIN) {
      small.push(piece);
      bytes += piece.length;
    }
    if (bytes > 0 && (piece.length >= PIECE_BYTES_MIN || bytes >= PIECE_BYTES_MIN)) {
      yield Buffer.concat(small, bytes);
      small = [];
      bytes = 0;
    }
    if (piece.length >= PIECE_BYTES_MIN) yield piece;
  }
  if (bytes > 0) yield Buffer.concat(small, bytes);
}
