/** The contract on the embedded engine. One process opens one folder: hence a file of its own. */

import { join } from 'node:path';
import { createChdbConnection } from 'chdb/connection';
import t from 'tap';
import { openChdbStore } from '../../../collector/store/chdb.ts';
import { readingRow, storeContract } from '../../contracts/store.ts';
import { engineFolder } from '../../support/engine-folder.ts';

t.test('the embedded store keeps the contract', async (t) => {
  const path = engineFolder(t);
  let store = await openChdbStore({ path, retentionDays: 365_000 });
  await storeContract(t, async () => ({
    store,
    reopen: async () => {
      await store.close();
      store = await openChdbStore({ path, retentionDays: 0 });
      return store;
    },
  }));
});

t.test('readings leave the store by the time of their receipt, not by their own', async (t) => {
  const path = join(engineFolder(t), "it's * a {path}");
  const now = Date.now();
  const old = Date.UTC(2001, 0, 1);
  for (const retentionDays of [0, 100_000, 30]) {
    const store = await openChdbStore({ path, retentionDays });
    await store.migrate();
    const rows = [
      readingRow(1, {
        device: 'received long ago',
        timeMs: now,
        receivedMs: now - 31 * 86_400_000,
      }),
      readingRow(2, { device: 'of 2001', timeMs: old, receivedMs: now }),
    ];
    await store.insert('readings', rows, `retention ${retentionDays}`);
    const limits = { timeoutMs: 120_000, maxRows: 10, maxMemoryBytes: 2 ** 30 };
    const found = await store.query<{ device: string; n: number }>(
      `SELECT device, count() AS n FROM readings WHERE log_offset <= 2 GROUP BY device ORDER BY device`,
      {},
      limits,
    );
    const n = [0, 100_000, 30].indexOf(retentionDays) + 1;
    // The engine drops what is too old at the insert; older parts follow when it merges.
    if (retentionDays === 30) t.same(found[0], { device: 'of 2001', n }, '30 days');
    else t.equal(found.length, 2, `${retentionDays} days`);
    await store.close();
  }
});

t.test('a path that is no folder', async (t) => {
  const file = join(t.testdir({ file: 'not a folder' }), 'file');
  await t.rejects(openChdbStore({ path: file }), { code: 'STORE_UNAVAILABLE' });
});

t.test('a store that a newer program wrote is left alone', async (t) => {
  const path = engineFolder(t);
  const store = await openChdbStore({ path });
  await store.migrate();
  await store.close();
  const connection = createChdbConnection({ path });
  await connection.command({
    query: `INSERT INTO fms.schema_migrations VALUES (999, 'of the future', 0)`,
  });
  await connection.close();
  const again = await openChdbStore({ path });
  await t.rejects(again.migrate(), { code: 'STORE_VERSION_NEWER' });
  t.equal(again.stats().ready, false);
  await again.close();
});
