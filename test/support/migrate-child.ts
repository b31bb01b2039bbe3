/**
 * Brings a store up to date: `node test/support/migrate-child.ts FOLDER`, to be killed. Prints `open`,
 * then `done`, then as JSON what the store is.
 */

import { openChdbStore } from '../../collector/store/chdb.ts';

const LIMITS = { timeoutMs: 60_000, maxRows: 10_000, maxMemoryBytes: 2 * 1024 ** 3 };

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: migrate-child.ts FOLDER');
const store = await openChdbStore({ path, retentionDays: 36_500 });
console.log('open');
await store.migrate();
console.log('done');
const ask = (sql: string): Promise<unknown[]> => store.query(sql, {}, LIMITS);
const said = {
  columns: await ask(
    `SELECT table, name, type FROM system.columns WHERE database = currentDatabase() ORDER BY table, position`,
  ),
  tables: await ask(
    `SELECT name, engine, partition_key, sorting_key FROM system.tables WHERE database = currentDatabase() ORDER BY name`,
  ),
  versions: await ask('SELECT version FROM schema_migrations FINAL ORDER BY version'),
  readings: await ask(
    'SELECT epoch, count() AS rows, uniqExact(seq) AS seqs, sum(value != seq / 8) AS wrong FROM readings GROUP BY epoch ORDER BY epoch',
  ),
};
console.log(JSON.stringify(said));
await store.close();
