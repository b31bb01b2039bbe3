/**
 * Damaged files in an open store. On a full disk the engine may take a part as written of which a file is
 * empty; from then on every statement that needs that file fails. Opening the table anew lets the engine
 * look at each part: it sets aside (detaches) the damaged ones, and what they were merged from comes back
 * if it is still there.
 */

import type { ClickHouseClient } from '@clickhouse/client';
import { CollectorError } from '../errors.ts';
import { ROLLUP_TABLES } from './rollup/positions.ts';

/** What damaged files of a part give: cut off, too short, wrong checksum or size, corrupted. */
export const DAMAGE_CODES: readonly string[] = ['32', '33', '40', '228', '246'];
/** There is no such table: it could not be attached again. */
export const AWAY_CODE = '60';

/** A table in which nothing was found is not opened anew again for so long. */
const QUIET_MS = 60_000;

/** Tables whose rows come from the log, and can come again from there. */
const LOG_TABLES = [
  'readings',
  'quarantine',
  'events',
  'ledger',
  'gateways',
  'device_states',
  'releases',
  'anomalies',
  'alerts',
  'silences',
  'anomaly_marks',
  'audit',
];
/** Tables whose rows are computed from others. */
const COMPUTED_TABLES = [...ROLLUP_TABLES, 'rollup_positions'];

export class Damage {
  readonly #client: ClickHouseClient;
  readonly #others: readonly ClickHouseClient[];
  readonly #suspects = new Set<string>();
  /** On performance.now(), by table. */
  readonly #quietUntilMs = new Map<string, number>();

  /** `client`: the connection of the inserts, so that none runs while a table is away. */
  constructor(client: ClickHouseClient, others: readonly ClickHouseClient[]) {
    this.#client = client;
    this.#others = others;
  }

  /** Something met damage; in which table it was is not always said. */
  suspect(table?: string): void {
    const nowMs = performance.now();
    for (const one of table === undefined ? [...LOG_TABLES, ...COMPUTED_TABLES] : [table])
      if (nowMs >= (this.#quietUntilMs.get(one) ?? 0)) this.#suspects.add(one);
  }

  /**
   * Opens the table anew if it is suspect. Rejects with STORE_PART_DAMAGED when parts were set aside: rows
   * that were there are gone.
   */
  async setAside(table: string): Promise<void> {
    if (!this.#suspects.has(table)) return;
    const before = await this.#countAside(table);
    // A statement that failed holds its tables until its connection has run another one.
    await Promise.all(
      this.#others.map((other) => other.command({ query: 'SELECT 1 FORMAT Null' })),
    );
    await this.#client.command({ query: `DETACH TABLE IF EXISTS ${table} SYNC` });
    await this.#client.command({ query: `ATTACH TABLE IF NOT EXISTS ${table}` });
    this.#suspects.delete(table);
    const parts = (await this.#countAside(table)) - before;
    if (parts === 0) this.#quietUntilMs.set(table, performance.now() + QUIET_MS);
    else throw new CollectorError('STORE_PART_DAMAGED', `${parts} parts of ${table}`);
  }

  /** The same for the tables of roll-ups. */
  async setComputedAside(): Promise<void> {
    for (const table of COMPUTED_TABLES) await this.setAside(table);
  }

  async #countAside(table: string): Promise<number> {
    const result = await this.#client.query({
      query: `SELECT toUInt32(count()) AS n FROM system.detached_parts
WHERE database = currentDatabase() AND table = {table:String}`,
      query_params: { table },
      format: 'JSONEachRow',
    });
    return ((await result.json()) as { n: number }[])[0]?.n ?? 0;
  }
}
