/** What the tables tell of the epochs, on a real store. */

import { join } from 'node:path';
import t from 'tap';
import { readAccounts } from '../../../collector/store/accounts.ts';
import { openChdbStore } from '../../../collector/store/chdb.ts';
import type { Store } from '../../../collector/store/store.ts';
import { engineFolder } from '../../support/engine-folder.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 10, 22);
const [A, B, C, D, E] = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(16)) as [
  string,
  string,
  string,
  string,
  string,
];

const LIMITS = { timeoutMs: 120_000, maxMemoryBytes: 1024 ** 3 };

/** Rows of gateway gw1 with these seqs: from, to, from, to, … */
async function store(
  into: Pick<Store, 'execute'>,
  epoch: string,
  ends: readonly number[],
  receivedMs = NOW - 1_000,
): Promise<void> {
  for (let i = 0; i < ends.length; i += 2) {
    await into.execute(
      `INSERT INTO readings (site, gateway, device, channel, time_ms, value, received_ms, epoch, seq)
SELECT 'demo', 'gw1', 'D01', 'c', {receivedMs:Int64} + number, 1, {receivedMs:Int64}, {epoch:String}, number
FROM numbers({from:UInt64}, {count:UInt64})`,
      { epoch, receivedMs, from: ends[i], count: ends[i + 1]! - ends[i]! + 1 },
      LIMITS,
    );
  }
}

async function quarantine(
  into: Pick<Store, 'execute'>,
  epoch: string,
  seq: number,
  count: number,
): Promise<void> {
  await into.execute(
    `INSERT INTO quarantine (site, gateway, reason, received_ms, epoch, seq, count)
SELECT 'demo', 'gw1', 'garbage', {receivedMs:Int64}, {epoch:String}, {seq:UInt64}, {count:UInt64}`,
    { epoch, seq, count, receivedMs: NOW - 1_000 },
    LIMITS,
  );
}

async function enter(
  into: Pick<Store, 'execute'>,
  epoch: string,
  lastSeq: number,
  seen: string,
  openedMs = NOW - 3_600_000,
): Promise<void> {
  await into.execute(
    `INSERT INTO ledger (site, gateway, epoch, opened_ms, last_seq, seen, updated_ms)
SELECT 'demo', 'gw1', {epoch:String}, {openedMs:Int64}, {lastSeq:UInt64}, {seen:String}, {updatedMs:UInt64}`,
    { epoch, lastSeq, seen, openedMs, updatedMs: NOW - 500 },
    LIMITS,
  );
}

t.test('ranges of all epochs, from rows and from the ledger', async (t) => {
  const tables = await openChdbStore({ path: join(engineFolder(t), 'store') });
  t.teardown(() => tables.close());
  await tables.migrate();
  const never = new AbortController().signal;
  t.same(await readAccounts(tables, NOW, 365, never), [], 'an empty store');

  const old = NOW - 40 * DAY_MS;
  // Whole; the ledger is behind.
  await store(tables, A, [1, 500]);
  await enter(tables, A, 480, '[1,480]');
  // Rejects in between, a gap, and 210-240 that the ledger saw and that never came to be stored.
  await store(tables, B, [1, 99, 101, 199, 205, 205, 207, 207]);
  await quarantine(tables, B, 100, 1);
  await quarantine(tables, B, 200, 3);
  // Evidence only.
  await quarantine(tables, B, 0, 0);
  await quarantine(tables, B, 150, 0);
  // Quarantined first, stored in the end.
  await quarantine(tables, B, 207, 1);
  await enter(tables, B, 300, '[1,202,205,205,210,240]');
  // Not in the ledger at all.
  await store(tables, C, [3, 5]);
  // Partly so old that rows have left.
  await store(tables, D, [50, 60], old);
  await store(tables, D, [71, 80]);
  await enter(tables, D, 80, '[1,65,71,80]', old);
  // Of a version that kept no ranges.
  await quarantine(tables, E, 1, 2);
  await enter(tables, E, 2, '');

  const found = await readAccounts(tables, NOW, 365, never);
  const of = (epoch: string) => found.find((account) => account.epoch === epoch);
  t.match(of(A), { site: 'demo', gateway: 'gw1', lastSeq: 500, stored: [1, 500], quarantined: [] });
  t.same(of(B)?.stored, [1, 99, 101, 199, 205, 205, 207, 207]);
  t.same(of(B)?.quarantined, [100, 100, 200, 202]);
  t.equal(of(B)?.lastSeq, 300);
  t.match(of(C), { lastSeq: 5, stored: [3, 5], openedMs: NOW - 1_000 });
  t.same(of(D)?.stored, [1, 60, 71, 80], '1-49 left with their age; 61-65 never came');
  t.match(of(E), { lastSeq: 2, stored: [], quarantined: [1, 2] });
  t.same(found[0]?.epoch, D, 'oldest first');
});
