/**
 * Prints tables of a store at rest as JSON lines: `node test/support/store-dump.ts FOLDER TABLE…`. Before
 * the rows of each comes a line `table NAME`, unless there is only one. A process of its own, because the engine opens one folder a process.
 */

import { once } from 'node:events';
import { openChdbStore } from '../../collector/store/chdb.ts';

const PAGE_ROWS = 500_000;
const LIMITS = { timeoutMs: 120_000, maxRows: PAGE_ROWS, maxMemoryBytes: 8 * 1024 ** 3 };
/** What makes a page of each table well-defined. */
const ORDERS: Record<string, string> = {
  readings: 'epoch, seq, device, channel, time_ms',
  quarantine: 'log_partition, log_offset, log_index',
  events: 'log_partition, log_offset, log_index',
  releases: 'epoch, seq',
  audit: 'number, log_offset',
};

const [path, ...tables] = process.argv.slice(2);
if (path === undefined || tables.length === 0 || tables.some((name) => !(name in ORDERS))) {
  throw new Error(`usage: store-dump.ts FOLDER ${Object.keys(ORDERS).join('|')}…`);
}
const store = await openChdbStore({ path });
for (const table of tables) {
  if (tables.length > 1) process.stdout.write(`table ${table}\n`);
  await dump(table);
}
await store.close();

async function dump(table: string): Promise<void> {
  for (let offset = 0; ; offset += PAGE_ROWS) {
    const rows = await store.query<Record<string, unknown>>(
      `SELECT * FROM ${table} ORDER BY ${ORDERS[table]} LIMIT ${PAGE_ROWS} OFFSET ${offset}`,
      {},
      LIMITS,
    );
    for (let start = 0; start < rows.length; start += 10_000) {
      const lines = rows.slice(start, start + 10_000).map((row) => `${JSON.stringify(row)}\n`);
      if (!process.stdout.write(lines.join(''))) await once(process.stdout, 'drain');
    }
    if (rows.length < PAGE_ROWS) break;
  }
}
