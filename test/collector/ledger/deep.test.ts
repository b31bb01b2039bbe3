/** The deep check on a real store: what is right passes, and each kind of damage is found and named. */

import type { Test } from 'tap';
import t from 'tap';
import type { DeepOptions, DeepProblem, DeepResult } from '../../../collector/ledger/deep.ts';
import { checkDeep } from '../../../collector/ledger/deep.ts';
import type { LedgerEntry } from '../../../collector/processor/outputs/ledger.ts';
import { SeqRanges } from '../../../collector/processor/ranges.ts';
import { openChdbStore } from '../../../collector/store/chdb.ts';
import type { QuarantineRow, ReadingRow, Store } from '../../../collector/store/store.ts';
import { engineFolder } from '../../support/engine-folder.ts';

const NOW = Date.UTC(2026, 10, 22);
const DAY_MS = 86_400_000;
const store = await openChdbStore({ path: engineFolder(t) });
await store.migrate();
t.teardown(() => store.close());

let epochs = 0;
let inserts = 0;

/** An epoch of one gateway in the store, and the ledger's entry of it. */
class Account {
  readonly site: string;
  readonly epoch: string;
  readonly seen = new SeqRanges();
  stored = 0;
  storedSum = 0n;
  quarantined = 0;
  more: Partial<LedgerEntry> = {};

  constructor() {
    epochs += 1;
    // A site of its own: the check looks at nothing else.
    this.site = `site${epochs}`;
    this.epoch = epochs.toString(16).padStart(16, '0');
  }

  entry(): LedgerEntry {
    const lastSeq = this.seen.last;
    const unseen = lastSeq - this.seen.size;
    return {
      site: this.site,
      gateway: 'gw1',
      epoch: this.epoch,
      openedMs: NOW - 10 * DAY_MS,
      lastSeq,
      stored: this.stored,
      quarantined: this.quarantined,
      duplicates: 0,
      gaps: {},
      gapReadings: 0,
      inFlight: unseen,
      storedSum: String(this.storedSum),
      quarantinedSum: '0',
      sumBalance: '0',
      seen: this.seen.ends,
      closed: 0,
      balance: 0,
      updatedMs: NOW,
      ...this.more,
    };
  }

  /** In the ledger, without rows. */
  counted(from: number, to: number): void {
    this.seen.add(from, to);
    for (let seq = from; seq <= to; seq++) this.storedSum += BigInt(seq);
    this.stored += to - from + 1;
  }

  /** Rows in `readings`, without the ledger. */
  async rows(from: number, to: number, receivedMs = NOW): Promise<void> {
    const rows: ReadingRow[] = [];
    for (let seq = from; seq <= to; seq++)
      rows.push({
        site: this.site,
        gateway: 'gw1',
        device: `D${seq % 3}`,
        channel: 'c',
        timeMs: NOW + seq,
        value: 1,
        text: null,
        quality: 0,
        epoch: this.epoch,
        seq,
        logPartition: 0,
        logOffset: inserts,
        receivedMs,
        rawValue: null,
        findings: 0,
        treatment: 0,
      });
    await store.insert('readings', rows, `t${inserts++}`);
  }

  async both(from: number, to: number): Promise<void> {
    this.counted(from, to);
    await this.rows(from, to);
  }

  /** An entry of quarantine: `reading` when a rule sent it there, else rejects or a damaged chunk. */
  async quarantine(seq: number, count: number, reading = ''): Promise<void> {
    const row: QuarantineRow = {
      site: this.site,
      gateway: 'gw1',
      device: 'D0',
      reason: 'rule',
      detail: '',
      timeMs: NOW,
      receivedMs: NOW,
      epoch: this.epoch,
      seq,
      count,
      head: new Uint8Array(),
      reading,
      logId: 'log',
      logPartition: 0,
      logOffset: inserts,
      logIndex: 0,
    };
    await store.insert('quarantine', [row], `t${inserts++}`);
  }

  async release(seq: number): Promise<void> {
    const { site, epoch } = this;
    const row = { site, gateway: 'gw1', epoch, seq, by: 'someone', releasedMs: NOW };
    await store.insert('releases', [row], `t${inserts++}`);
  }

  async check(more: Partial<DeepOptions> = {}): Promise<[DeepResult, DeepProblem[]]> {
    const problems: DeepProblem[] = [];
    const result = await checkDeep({
      store: { query: store.query.bind(store), retentionMs },
      scope: { site: this.site },
      ledger: () => [this.entry()],
      complete: () => true,
      written: async () => undefined,
      nowMs: NOW,
      onProgress: () => undefined,
      onProblem: (problem) => problems.push(problem),
      signal: new AbortController().signal,
      graceMs: 1,
      ...more,
    });
    return [result, problems];
  }
}

const retentionMs: Store['retentionMs'] = { readings: 0, quarantine: 0, events: 0, audit: 0 };

async function findsOnly(t: Test, account: Account, found: object[]): Promise<void> {
  const [result, problems] = await account.check();
  t.equal(result.ok, false);
  t.match(problems, found);
  t.equal(problems.length, found.length, 'and nothing else');
}

t.test('all is there, with a gap in flight', async (t) => {
  const account = new Account();
  await account.both(1, 1_000);
  await account.both(1_500, 2_000);
  const [result, problems] = await account.check();
  t.same(problems, []);
  t.match(result, { ok: true, epochs: 1, readings: 1_501, quarantined: 0, problems: 0 });
});

t.test('rejects, quarantined and released readings, a chunk repaired', async (t) => {
  const account = new Account();
  await account.both(1, 100);
  account.seen.add(101, 105);
  account.quarantined = 6;
  await account.quarantine(101, 1, '{"a":1}');
  await account.quarantine(102, 1);
  await account.quarantine(103, 3);
  await account.both(110, 120);
  await account.quarantine(112, 1, '{"a":1}');
  await account.release(112);
  await account.quarantine(115, 2);
  // Damaged and not repaired: not among the seen ones.
  account.more = { lastSeq: 125 };
  await account.quarantine(125, 1);
  const [result, problems] = await account.check();
  t.same(problems, []);
  t.match(result, { ok: true, readings: 111 });
});

t.test('missing rows are named', async (t) => {
  const account = new Account();
  await account.both(1, 50);
  account.counted(51, 60);
  await account.both(61, 100);
  await findsOnly(t, account, [{ kind: 'missing', from: 51, to: 60, readings: 10 }]);
});

t.test('an epoch of which nothing is there', async (t) => {
  const account = new Account();
  account.counted(1, 200_000);
  await findsOnly(t, account, [{ kind: 'missing', from: 1, to: 200_000, readings: 200_000 }]);
});

t.test('double rows are named, in one table and in two', async (t) => {
  const account = new Account();
  await account.both(1, 100);
  await account.rows(30, 34);
  await findsOnly(t, account, [{ kind: 'double', from: 30, to: 34, detail: /2 rows/ }]);
  const other = new Account();
  await other.both(1, 100);
  other.more = { quarantined: 1 };
  await other.quarantine(7, 1, '{"a":1}');
  await findsOnly(t, other, [{ kind: 'double', from: 7, to: 7, detail: /not released/ }]);
});

t.test('one lost and another doubled, so that the count is right', async (t) => {
  const account = new Account();
  await account.both(1, 50);
  account.counted(51, 52);
  await account.both(53, 100);
  await account.rows(90, 91);
  await findsOnly(t, account, [
    { kind: 'double', from: 90, to: 91 },
    { kind: 'missing', from: 51, to: 52 },
  ]);
});

t.test('rows that the ledger does not know', async (t) => {
  const account = new Account();
  await account.both(1, 50);
  account.seen.add(60, 60);
  account.stored += 1;
  account.storedSum += 60n;
  await account.rows(60, 60);
  await account.rows(55, 55);
  await account.rows(80, 81);
  await findsOnly(t, account, [
    { kind: 'unknown', from: 55, to: 55 },
    { kind: 'unknown', from: 61, to: 81 },
  ]);
  const epoch = new Account();
  await epoch.rows(1, 10);
  const [result, problems] = await epoch.check({ ledger: () => [] });
  t.equal(result.ok, false);
  t.match(problems, [{ kind: 'unknown', readings: 10, detail: /does not know the epoch/ }]);
});

t.test('what comes while it looks is no problem', async (t) => {
  const account = new Account();
  await account.both(1, 50);
  await account.both(60, 70);
  const before = account.entry();
  // The gap is filled and more comes, after the ledger was asked for the first time.
  await account.both(51, 59);
  await account.both(71, 90);
  let asked = 0;
  const ledger = () => [asked++ === 0 ? before : account.entry()];
  const [result, problems] = await account.check({ ledger });
  t.same(problems, []);
  t.ok(result.ok);
});

t.test('closed gaps have no rows', async (t) => {
  const account = new Account();
  await account.both(1, 50);
  account.seen.add(51, 53);
  account.more = { closed: 3, gapReadings: 3 };
  await account.both(54, 60);
  const [result, problems] = await account.check();
  t.same(problems, []);
  t.match(result, { ok: true, closed: 3 });
  account.more = { closed: 2, gapReadings: 2 };
  await findsOnly(t, account, [{ kind: 'missing', from: 51, to: 53 }]);
});

t.test('what the retention dropped is no loss, what is missing after it is', async (t) => {
  const account = new Account();
  account.counted(1, 100);
  await account.rows(41, 100, NOW - DAY_MS);
  await account.both(101, 120);
  const kept = { readings: 5 * DAY_MS, quarantine: 5 * DAY_MS, events: 0, audit: 0 };
  const more = { store: { query: store.query.bind(store), retentionMs: kept } };
  const [result, problems] = await account.check(more);
  t.same(problems, []);
  t.match(result, { ok: true, readings: 80, expired: 40 });
  account.counted(121, 125);
  await account.both(126, 130);
  const [, found] = await account.check(more);
  t.match(found, [{ kind: 'missing', from: 121, to: 125 }]);
});

t.test('quarantine is kept for a shorter time than readings', async (t) => {
  const account = new Account();
  await account.both(1, 50);
  account.seen.add(51, 60);
  account.quarantined = 10;
  await account.both(61, 70);
  const kept = { readings: 0, quarantine: 5 * DAY_MS, events: 0, audit: 0 };
  const more = { store: { query: store.query.bind(store), retentionMs: kept } };
  const [result, problems] = await account.check(more);
  t.same(problems, []);
  t.match(result, { ok: true, expired: 10 });
});

t.test('sums that do not balance', async (t) => {
  const account = new Account();
  await account.both(1, 50);
  account.more = { sumBalance: '7' };
  await findsOnly(t, account, [{ kind: 'balance', detail: /sums 7/ }]);
});

t.test('an entry from before there were ranges', async (t) => {
  const account = new Account();
  await account.both(1, 50);
  account.more = { seen: [] };
  t.match((await account.check())[0], { ok: true, counts_only: 1 });
  await account.rows(50, 50);
  await findsOnly(t, account, [{ kind: 'count', readings: 1 }]);
});
