/** Tables of a server are made and upgraded by several processes at once, some of which end in between. */

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { openClickHouseStore } from '../../../collector/store/clickhouse.ts';
import { migrations } from '../../../collector/store/migrations/list.ts';
import type { Store } from '../../../collector/store/store.ts';
import { readingRow } from '../../contracts/store.ts';
import { startClickHouseFront } from '../../support/clickhouse-front.ts';

const LIMITS = { timeoutMs: 120_000, maxRows: 1_000, maxMemoryBytes: 2 ** 30 };
const VERSIONS = migrations.map(({ version }) => ({ version }));

const front = await startClickHouseFront(t);

async function open(t: Tap, database: string, retentionDays = 30): Promise<Store> {
  const clickhouse = front.config({ database });
  const store = await openClickHouseStore({ clickhouse, retentionDays });
  t.teardown(() => store.close());
  return store;
}
type Tap = Pick<typeof t, 'teardown'>;

/** Not FINAL: each version is there once. */
function versions(store: Store): Promise<object[]> {
  return store.query('SELECT version FROM schema_migrations ORDER BY version', {}, LIMITS);
}

/** What the tables are; names of the database apart. */
function shape(store: Store): Promise<object[]> {
  return store.query(
    `SELECT c.table AS table, c.name AS name, c.type AS type, t.engine_full AS engine
FROM system.columns AS c JOIN system.tables AS t ON c.database = t.database AND c.table = t.name
WHERE c.database = currentDatabase() ORDER BY table, c.position`,
    {},
    LIMITS,
  );
}

t.test('several at once, one of which already takes readings', async (t) => {
  const stores = await Promise.all(Array.from({ length: 4 }, () => open(t, 'several')));
  let inserted = 0;
  const migrated = stores.map(async (store) => {
    await store.migrate();
    const device = `d${inserted++}`;
    await store.insert('readings', [readingRow(1, { device })], device);
  });
  await Promise.all(migrated);
  const [store] = stores as [Store];
  t.same(await versions(store), VERSIONS);
  const [row] = await store.query<{ n: number }>('SELECT count() AS n FROM readings', {}, LIMITS);
  t.equal(row?.n, 4, 'none was lost to another one that was still at it');
});

t.test('one that is cut off after each statement, and others that go on', async (t) => {
  const whole = await open(t, 'whole');
  await whole.migrate();
  const parts = await open(t, 'parts');
  const starts = [
    'CREATE TABLE IF NOT EXISTS quarantine',
    'ALTER TABLE readings',
    'ALTER TABLE devices',
  ];
  for (const start of [...starts, 'CREATE MATERIALIZED VIEW', 'INSERT INTO schema_migrations']) {
    await front.fault({ kind: 'lost', match: `^${start}` });
    await t.rejects(parts.migrate(), { code: 'STORE_UNAVAILABLE' }, start);
  }
  await front.fault({ kind: 'held', match: '^INSERT INTO schema_migrations' });
  const held = parts.migrate();
  while ((await front.status()).held === 0) await delay(10);
  const other = await open(t, 'parts');
  await other.migrate();
  await front.release();
  await held;
  t.same(await versions(parts), VERSIONS);
  t.same(await shape(parts), await shape(whole));
});

t.test('the server is killed within', async (t) => {
  const store = await open(t, 'killed');
  await front.fault({ kind: 'held', match: '^CREATE TABLE IF NOT EXISTS device_states' });
  const killed = store.migrate();
  killed.catch(() => undefined);
  while ((await front.status()).held === 0) await delay(10);
  await front.kill();
  await t.rejects(killed, { code: 'STORE_UNAVAILABLE' });
  await front.start();
  await store.migrate();
  t.same(await versions(store), VERSIONS);
  t.equal(store.stats().ready, true);
});

t.test('retention changes, and what a newer program wrote is left alone', async (t) => {
  const store = await open(t, 'aged', 30);
  await store.migrate();
  const other = await open(t, 'aged', 60);
  await other.migrate();
  const ttl = `SELECT engine_full AS e FROM system.tables WHERE database = currentDatabase() AND name = 'readings'`;
  const [row] = await other.query<{ e: string }>(ttl, {}, LIMITS);
  t.match(row?.e, /toIntervalDay\(60\)/);
  await store.execute(`INSERT INTO schema_migrations VALUES (999, 'of the future', 0)`, {}, LIMITS);
  const again = await open(t, 'aged');
  await t.rejects(again.migrate(), { code: 'STORE_VERSION_NEWER' });
  t.equal(again.stats().ready, false);
});
