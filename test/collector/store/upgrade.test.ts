/** A store of version 1 becomes one of today, wherever a kill falls. A file of its own: see chdb.test.ts. */

import { join } from 'node:path';
import { createChdbConnection } from 'chdb/connection';
import t from 'tap';
import { openChdbStore } from '../../../collector/store/chdb.ts';
import { layout } from '../../../collector/store/migrations/0003_layout.ts';
import { migrations } from '../../../collector/store/migrations/list.ts';
import { readingRow } from '../../contracts/store.ts';
import {
  alertEntry,
  anomalyEntry,
  markEntry,
  silenceEntry,
  storeEntries,
} from '../../support/alert-entries.ts';
import { auditEntries, auditRows } from '../../support/audit-entries.ts';
import { engineFolder } from '../../support/engine-folder.ts';

const ROWS = 3_000;
const LIMITS = { timeoutMs: 120_000, maxRows: 10, maxMemoryBytes: 2 ** 30 };

/** With all statements of the first `version` migrations, and `more` of the next one, run. */
async function makeOld(path: string, version: number, more: number): Promise<void> {
  const connection = createChdbConnection({ path });
  const run = (query: string) => connection.command({ query });
  await run('CREATE DATABASE IF NOT EXISTS fms');
  await run('USE fms');
  await run(`CREATE TABLE schema_migrations (version UInt32, name String, applied_ms Int64)
ENGINE = ReplacingMergeTree ORDER BY version`);
  for (const [i, migration] of migrations.entries()) {
    if (i > version) break;
    const isNext = i === version;
    const statements = isNext ? migration.statements.slice(0, more) : migration.statements;
    for (const statement of statements) await run(statement);
    if (!isNext)
      await run(`INSERT INTO schema_migrations VALUES (${i + 1}, '${migration.name}', 0)`);
    if (i > 0) continue;
    await run(`INSERT INTO readings (site, gateway, device, channel, time_ms, value, quality, received_ms, epoch, seq, log_partition, log_offset)
SELECT 'demo', 'gw1', concat('D', toString(number % 3)), 'sensor1', 1700000000000 + number * 10000, number / 8, 0,
  ${Date.now()} - number * 1000000, '00112233445566ff', number + 1, 0, number FROM numbers(${ROWS})`);
  }
  await connection.close();
}

t.test('rows survive the new layout, wherever a kill fell', async (t) => {
  const cases = [{ version: 1, more: 0 }].concat(
    layout.statements.map((_, i) => ({ version: 2, more: i + 1 })),
  );
  for (const { version, more } of cases) {
    const path = join(engineFolder(t), 'store');
    await makeOld(path, version, more);
    const store = await openChdbStore({ path, retentionDays: 36_500 });
    await store.migrate();
    await store.insert('readings', [readingRow(ROWS + 1)], 'after');
    const found = await store.query(
      'SELECT count() AS n, uniqExact(seq) AS seqs, sum(value) AS sum, sum(log_offset) AS offsets FROM readings',
      {},
      LIMITS,
    );
    const sum = (ROWS * (ROWS - 1)) / 2;
    t.same(
      found,
      [{ n: ROWS + 1, seqs: ROWS + 1, sum: sum / 8 + ROWS + 1, offsets: sum + ROWS + 1 }],
      `version ${version} and ${more} statements`,
    );
    t.same(
      await store.query("SELECT name FROM system.tables WHERE name LIKE '%anew'", {}, LIMITS),
      [],
    );
    await store.close();
  }
});

t.test(
  'a store of version 6 gets the tables of alerts and a counter, wherever a kill fell',
  async (t) => {
    for (const more of [1, 4]) {
      const path = join(engineFolder(t), 'store');
      await makeOld(path, 6, more);
      const store = await openChdbStore({ path, retentionDays: 36_500 });
      await store.migrate();
      const entries = {
        alerts: [alertEntry(1)],
        anomalies: [anomalyEntry(1)],
        silences: [silenceEntry('s')],
        marks: [markEntry(1)],
      };
      await storeEntries(store, entries, 'after');
      const tables = await store.query(
        `SELECT name, engine_full LIKE '%TTL%toIntervalDay(1096)%fsync_after_insert = 1%max_suspicious_broken_parts%' AS kept
FROM system.tables WHERE database = currentDatabase() AND total_rows = 1 AND name IN ('anomalies', 'alerts', 'silences', 'anomaly_marks')
ORDER BY name`,
        {},
        LIMITS,
      );
      const names = ['alerts', 'anomalies', 'anomaly_marks', 'silences'];
      t.same(
        tables,
        names.map((name) => ({ name, kept: 1 })),
      );
      const minute = `INSERT INTO rollup_1m (site, device, channel, bucket_ms, received, z_score, updated_ms)
SELECT 'demo', 'D01', 'motor1', 0, 3, 2, toUnixTimestamp64Milli(now64(3))`;
      await store.execute(minute, {}, { timeoutMs: 120_000, maxMemoryBytes: 2 ** 30 });
      const counters = await store.query('SELECT received, z_score FROM quality_1m', {}, LIMITS);
      t.same(counters, [{ received: 3, z_score: 2 }], 'the view passes the new counter on');
      const [readings] = await store.query('SELECT count() AS n FROM readings', {}, LIMITS);
      t.same(readings, { n: ROWS });
      await store.close();
    }
  },
);

t.test('a store of version 7 gets the audit log, wherever a kill fell', async (t) => {
  for (const more of [0, 1]) {
    const path = join(engineFolder(t), 'store');
    await makeOld(path, 7, more);
    const store = await openChdbStore({ path, retentionDays: 36_500 });
    await store.migrate();
    await store.insert('audit', auditRows(auditEntries(3, Date.now())), 'after');
    const found = await store.query(
      `SELECT total_rows AS n, engine_full LIKE '%TTL%toIntervalDay(1096)%fsync_after_insert = 1%max_suspicious_broken_parts%' AS kept
FROM system.tables WHERE database = currentDatabase() AND name = 'audit'`,
      {},
      LIMITS,
    );
    t.same(found, [{ n: 3, kept: 1 }]);
    const [readings] = await store.query('SELECT count() AS n FROM readings', {}, LIMITS);
    t.same(readings, { n: ROWS });
    await store.close();
  }
});
