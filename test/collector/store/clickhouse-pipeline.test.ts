/** Writers, roll-ups, accounts and statistics of the quality ask a server what they ask the embedded store. */

import { join } from 'node:path';
import t from 'tap';
import { readAccounts } from '../../../collector/store/accounts.ts';
import { openClickHouseStore } from '../../../collector/store/clickhouse.ts';
import type { Reading } from '../../../proto/model.ts';
import { startClickHouseFront } from '../../support/clickhouse-front.ts';
import { engineFolder } from '../../support/engine-folder.ts';
import { appendReadings, settled, startRollupPlant } from '../../support/rollup-plant.ts';
import { differences } from '../../support/rollup-recount.ts';
import { reading } from '../../support/wire.ts';

const DAY_MS = 86_400_000;
const NAMES = ["it's \\ {a:Int64}", '온도', 'a\tb', 'D1'];

t.test('what the log holds comes to the tables, and roll-ups equal it', async (t) => {
  const front = await startClickHouseFront(t);
  const openStore = () => openClickHouseStore({ clickhouse: front.config(), retentionDays: 0 });
  const plant = await startRollupPlant(join(engineFolder(t), 'plant'), { openStore });
  t.teardown(() => plant.stop());
  const now = Date.now();
  const append = (near: number): Promise<void> =>
    appendReadings(
      plant.log,
      Array.from({ length: 200 }, (_, i): Reading => {
        const one = reading('a', i, { timeMs: near + i * 7_000 });
        return { ...one, device: NAMES[i % NAMES.length] ?? '' };
      }),
      { receivedMs: now },
    );
  await append(now - 600_000);
  // What is being inserted is lost on the way back, cut off, refused: it is there once all the same.
  for (const kind of ['lost', 'cut', 'unavailable'] as const) {
    await front.fault({ kind, match: '^/\\* insert [^]*INSERT INTO readings' });
    await append(now - DAY_MS);
  }
  await front.fault({ kind: 'error', code: 252, times: 2 });
  await append(now - 40 * DAY_MS);
  await settled(plant);
  t.same(await differences(plant.store), []);
  const limits = { timeoutMs: 120_000, maxRows: 10, maxMemoryBytes: 2 ** 30 };
  const sql = 'SELECT count() AS n, uniqExact(epoch, seq) AS readings FROM readings';
  t.same(await plant.store.query(sql, {}, limits), [{ n: 1_000, readings: 1_000 }]);
  const accounts = await readAccounts(plant.store, now, 0, new AbortController().signal);
  t.equal(accounts.length > 0, true);
  const summed = accounts.reduce((sum, { stored }) => sum + ranged(stored), 0);
  t.equal(summed, 1_000);
});

function ranged(ends: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i + 1 < ends.length; i += 2) sum += (ends[i + 1] ?? 0) - (ends[i] ?? 0) + 1;
  return sum;
}
