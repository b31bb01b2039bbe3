/**
 * Parts that the engine found damaged and set aside: when the store was opened after a power cut, or when
 * a table was opened anew (damage.ts). Their rows are gone without an error. Who can make up for them asks here
 * what is new, and says when that is done: it is kept beside the tables, and holds through a kill.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClickHouseClient } from '@clickhouse/client';
import { CollectorError } from '../errors.ts';
import type { PartsSetAside } from './store.ts';

const FILE = 'set-aside.json';

export class SetAside implements PartsSetAside {
  readonly #client: ClickHouseClient;
  readonly #file: string;
  /** By asker: what was made up for. */
  readonly #known: Record<string, string[]>;

  constructor(client: ClickHouseClient, folder: string) {
    this.#client = client;
    this.#file = join(folder, FILE);
    this.#known = read(this.#file);
  }

  /** `table/part` of these tables. */
  async unknownTo(asker: string, tables: readonly string[]): Promise<string[]> {
    const known = new Set(this.#known[asker]);
    return (await this.#partsOf(tables)).filter((part) => !known.has(part));
  }

  async madeUpFor(asker: string, parts: readonly string[]): Promise<void> {
    if (parts.length === 0) return;
    this.#known[asker] = [...new Set([...(this.#known[asker] ?? []), ...parts])];
    const temporary = `${this.#file}.new`;
    try {
      writeFileSync(temporary, JSON.stringify(this.#known));
      renameSync(temporary, this.#file);
    } catch {
      // A full disk: the next start compares once more.
    }
  }

  async #partsOf(tables: readonly string[]): Promise<string[]> {
    const query = {
      query: `SELECT concat(table, '/', name) AS part FROM system.detached_parts
WHERE database = currentDatabase() AND table IN {tables:Array(String)} AND startsWith(name, 'broken')`,
      query_params: { tables: [...tables] },
      format: 'JSONEachRow',
    } as const;
    try {
      const result = await this.#client.query(query);
      return ((await result.json()) as { part: string }[]).map(({ part }) => part);
    } catch (error) {
      const detail = `parts that were set aside: ${String(error)}`;
      throw new CollectorError('STORE_UNAVAILABLE', detail, { cause: error });
    }
  }
}

function read(file: string): Record<string, string[]> {
  try {
    const content = JSON.parse(readFileSync(file, 'utf8')) as unknown;
    if (typeof content !== 'object' || content === null) return {};
    const lists = Object.entries(content).filter(([, parts]) => Array.isArray(parts));
    return Object.fromEntries(lists) as Record<string, string[]>;
  } catch {
    // Not there, or cut off: what was made up for once is compared once more.
    return {};
  }
}
