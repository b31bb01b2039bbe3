/** What decision 0022 rests on, before a server: whose inserts are taken, and whose not any more. */

import { randomUUID } from 'node:crypto';
import t from 'tap';
import { openClickHouseStore } from '../../../collector/store/clickhouse.ts';
import type { EventRow, Pass, Store } from '../../../collector/store/store.ts';
import { startClickHouseFront } from '../../support/clickhouse-front.ts';

const LIMITS = { timeoutMs: 120_000, maxRows: 1_000, maxMemoryBytes: 2 ** 30 };
const SCOPE = 'log/events/0/';
const DAY_MS = 86_400_000;

const passOf = (scope = SCOPE): Pass => ({ scope, id: randomUUID() });
const tokenOf = ({ scope, id }: Pass): string => `${scope}${id}/0-1/${randomUUID()}`;

/** Rows of several months: several parts in one insert. */
function rows(logOffset: number, count = 3): EventRow[] {
  return Array.from({ length: count }, (_, logIndex) => ({
    site: 's', gateway: 'g', device: '', timeMs: Date.now() - logIndex * 40 * DAY_MS, kind: 'k', severity: 'info',
    detail: '{}', logId: 'log', logPartition: 0, logOffset, logIndex,
  })); // biome-ignore format: a table
}

async function counts(store: Store): Promise<Record<string, number>> {
  const found = await store.query<{ log_offset: number; n: number }>(
    'SELECT log_offset, count() AS n FROM events GROUP BY log_offset ORDER BY log_offset',
    {},
    LIMITS,
  );
  return Object.fromEntries(found.map((row) => [row.log_offset, Number(row.n)]));
}

t.test('inserts of a pass that was replaced are refused, on their way and later', async (t) => {
  const front = await startClickHouseFront(t);
  const open = () => openClickHouseStore({ clickhouse: front.config(), retentionDays: 0 });
  // Two processes.
  const [store, other] = await Promise.all([open(), open()]);
  t.teardown(() => Promise.all([store.close(), other.close()]));
  await store.migrate();

  const first = passOf();
  await t.rejects(store.insert('events', rows(0), tokenOf(first), first), {
    code: 'STORE_PASS_REPLACED',
  });
  await store.admit(first);
  await store.insert('events', rows(1), tokenOf(first), first);
  t.same(await counts(store), { 1: 3 });

  // One is on its way, one runs, when another process takes over.
  await front.fault({ kind: 'held', match: 'INSERT INTO events' });
  const held = t.rejects(store.insert('events', rows(2), tokenOf(first), first), {
    code: 'STORE_PASS_REPLACED',
  });
  await front.fault({ kind: 'slow', delayMs: 60_000, match: 'INSERT INTO events' });
  const slow = t.rejects(store.insert('events', rows(3), tokenOf(first), first));
  for (;;) {
    const [row] = await store.query<{ n: number }>(
      `SELECT count() AS n FROM system.processes WHERE startsWith(query, {mark:String})`,
      { mark: `/* insert ${SCOPE}` },
      LIMITS,
    );
    if (row!.n > 0) break;
  }
  const second = passOf();
  await other.admit(second);
  await slow;
  t.same(await counts(store), { 1: 3 }, 'what ran was ended');
  await other.insert('events', rows(4), tokenOf(second), second);
  await front.release();
  await held;
  await t.rejects(store.insert('events', rows(5), tokenOf(first), first), {
    code: 'STORE_PASS_REPLACED',
  });
  t.same(await counts(store), { 1: 3, 4: 3 });

  // Scopes do not touch each other, even where one's name begins with the other's.
  const third = passOf('log/events/01/');
  await store.admit(third);
  await other.insert('events', rows(6), tokenOf(second), second);
  await store.insert('events', rows(7), tokenOf(third), third);
  t.same(await counts(store), { 1: 3, 4: 3, 6: 3, 7: 3 });

  // Many at once: all that were told so hold one after the other; the last one holds.
  const all = Array.from({ length: 8 }, () => passOf());
  const told = await Promise.allSettled(all.map((pass, i) => (i % 2 ? store : other).admit(pass)));
  t.ok(told.some(({ status }) => status === 'fulfilled'));
  const taken = await Promise.allSettled(
    all.map((pass, i) => store.insert('events', rows(10 + i), tokenOf(pass), pass)),
  );
  t.equal(taken.filter(({ status }) => status === 'fulfilled').length, 1, 'one holds at a time');

  // An admission that arrives late is too late.
  const [late, before, holding] = [passOf(), passOf(), passOf()];
  await front.fault({ kind: 'held', match: 'INSERT INTO writer_passes' });
  const admitted = t.rejects(store.admit(late), { code: 'STORE_PASS_REPLACED' });
  while ((await front.status()).held === 0);
  // Its number is the one that the late one has: which of them holds chance says.
  await other.admit(before).catch(() => undefined);
  await other.admit(holding);
  await front.release();
  await admitted;
  await other.insert('events', rows(20), tokenOf(holding), holding);
  t.equal((await counts(store))[20], 3);
});
