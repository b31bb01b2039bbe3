/** Statements that run on a ClickHouse server: how they are recognised there, ended, and waited for. */

import { setTimeout as delay } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import { CollectorError } from '../errors.ts';
import { queryFailure } from './clickhouse_errors.ts';
import { killSql, startsWith } from './ending.ts';

const ASK_MIN_MS = 1_000;
const ASK_MAX_MS = 10_000;
const PAUSE_MIN_MS = 20;
const PAUSE_MAX_MS = 1_000;

/** What an insert's statement begins with, without the end of the comment. */
export function insertMark(token: string): string {
  // A token must not end the comment.
  return `/* insert ${token.replaceAll('*', '+')}`;
}

export class RunningStatements {
  readonly #client: ClickHouseClient;

  /** `client`: with connections of its own, so that what is to be ended cannot stand in the way. */
  constructor(client: ClickHouseClient) {
    this.#client = client;
  }

  /**
   * Ends the statements that start with `mark` and resolves when the server runs none. Rejects with
   * STORE_UNAVAILABLE when that cannot be learnt within `boundMs`, with STORE_REFUSED when the user may not
   * look.
   */
  async end(mark: string, boundMs: number): Promise<void> {
    const deadline = performance.now() + boundMs;
    let pauseMs = PAUSE_MIN_MS;
    for (;;) {
      const askMs = Math.min(Math.max(deadline - performance.now(), ASK_MIN_MS), ASK_MAX_MS);
      const why = await this.#tryToEnd(mark, askMs);
      if (why === '') return;
      if (performance.now() + pauseMs >= deadline)
        throw new CollectorError(
          'STORE_UNAVAILABLE',
          `it is not known whether ${mark} runs: ${why}`,
        );
      await delay(pauseMs);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
    }
  }

  /** '' when none runs, else why that is not known. */
  async #tryToEnd(mark: string, askMs: number): Promise<string> {
    try {
      // Whether it could be ended shows below.
      await this.#client
        .command({ query: killSql(mark, 'SYNC'), abort_signal: AbortSignal.timeout(askMs / 2) })
        .catch(() => undefined);
      const result = await this.#client.query({
        query: `SELECT toUInt32(count()) AS n FROM system.processes WHERE ${startsWith(mark)}`,
        format: 'JSONEachRow',
        abort_signal: AbortSignal.timeout(askMs / 2),
      });
      const n = ((await result.json()) as { n: number }[])[0]?.n;
      return n === 0 ? '' : 'it runs';
    } catch (error) {
      const failure = queryFailure(error);
      if (failure.code === 'STORE_REFUSED') throw failure;
      return failure.message;
    }
  }
}
