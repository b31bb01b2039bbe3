/** What a log is told at the start that is new beside a store with rows, or was restored. */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { writeRestoredMark } from '../../../collector/backup/restored.ts';
import type { Log } from '../../../collector/log/log.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { NO_AUDIT } from '../../../collector/processor/outputs/audit.ts';
import { Processor } from '../../../collector/processor/processor.ts';
import type { RecoveryOptions } from '../../../collector/recovery.ts';
import { recover } from '../../../collector/recovery.ts';
import type { Store } from '../../../collector/store/store.ts';
import type { RecoveryValue } from '../../../collector/types.ts';
import { partitionOf } from '../../../proto/partition.ts';
import { said } from '../../support/raw-records.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const EPOCH = 'aaaaaaaaaaaaaaaa';
const PARTITIONS = 3;

interface Setting {
  dataDir: string;
  log: Log;
  run(more?: Partial<RecoveryOptions>): Promise<void>;
  records(): Promise<{ partition: number; key: string; kind: string; value: RecoveryValue }[]>;
}

async function setting(t: Test, hasStore: boolean, query: Store['query']): Promise<Setting> {
  const dataDir = t.testdir();
  if (hasStore) {
    mkdirSync(join(dataDir, 'store', 'metadata'), { recursive: true });
    writeFileSync(join(dataDir, 'store', 'metadata', 'fms.sql'), '');
  }
  const log = await openSqliteLog({
    path: join(dataDir, 'log.sqlite'),
    partitions: PARTITIONS,
    maxBytes: 64 * 1024 * 1024,
    retentionBytes: 64 * 1024 * 1024,
    retentionMs: 1e12,
    clock: { wallMs: () => 1_000 },
    log: silentLogger,
  });
  t.teardown(() => log.close());
  return {
    dataDir,
    log,
    run: (more) =>
      recover({
        dataDir,
        log,
        store: async () => ({ query }),
        retentionDays: 365,
        clock: { wallMs: () => 1_000 },
        logger: silentLogger,
        signal: new AbortController().signal,
        ...more,
      }),
    records: async () => {
      const all: { partition: number; key: string; kind: string; value: RecoveryValue }[] = [];
      for (let partition = 0; partition < PARTITIONS; partition++) {
        for (const { key, kind, value } of await log.read('raw', partition, 0, {
          maxRecords: 10_000,
          maxBytes: 1e9,
        }))
          all.push({ partition, key, kind, value: JSON.parse(Buffer.from(value).toString()) });
      }
      return all;
    },
  };
}

/** The tables of `gateways` gateways, each with an epoch of `runs` chunks: 9 readings and a reject. */
function tables(gateways: number, runs: number, audit: readonly object[] = []): Store['query'] {
  const names = Array.from({ length: gateways }, (_, i) => ({
    site: 'demo',
    gateway: `gw${i}`,
    epoch: EPOCH,
  }));
  const spans = Array.from({ length: runs }, (_, i) => i * 10 + 1);
  return async <Row>(sql: string): Promise<Row[]> => {
    if (sql.includes('FROM audit')) return audit as Row[];
    const rowOf = (name: object): object => {
      if (sql.includes('FROM ledger'))
        return { ...name, opened_ms: 5, last_seq: runs * 10, seen: '' };
      if (sql.includes('FROM quarantine'))
        return { ...name, entries: spans.map((first) => [first + 9, 1]) };
      if (sql.includes('groupArray'))
        return { ...name, starts: spans, ends: spans.map((first) => first + 8) };
      return { ...name, readings: runs * 9, low: 1, high: runs * 10 - 1, first_ms: 5, aged: 0 };
    };
    return names.map(rowOf) as Row[];
  };
}

const nobody: Store['query'] = () => Promise.reject(new Error('nobody asks'));

t.test('a first start says nothing, and does not wait for a store', async (t) => {
  const { run, records, dataDir } = await setting(t, false, nobody);
  await run();
  t.same(await records(), []);
  t.notOk(existsSync(join(dataDir, 'recovering.json')));
});

t.test('a log that has been used says nothing', async (t) => {
  const { run, log, records } = await setting(t, true, nobody);
  await log.append('raw', 1, { key: '', kind: 'tick', value: Buffer.from('{}') });
  await run();
  t.equal((await records()).length, 1);
});

t.test('a new log is told the accounts of every gateway, in its partition', async (t) => {
  const { run, records, dataDir } = await setting(t, true, tables(5, 3));
  await run();
  const told = await records();
  const gateways = told.filter(({ key }) => key !== '');
  t.same(
    gateways.map(({ key }) => key).toSorted(),
    [0, 1, 2, 3, 4].map((i) => `demo/gw${i}`),
  );
  for (const { partition, key, kind, value } of gateways) {
    t.equal(partition, partitionOf(key, PARTITIONS));
    t.equal(kind, 'recovery');
    t.same(value, {
      reason: 'log_replaced',
      accounts: [
        {
          epoch: EPOCH,
          openedMs: 5,
          lastSeq: 30,
          stored: [1, 9, 11, 19, 21, 29],
          quarantined: [10, 10, 20, 20, 30, 30],
        },
      ],
    });
  }
  t.same(
    told.filter(({ key }) => key === '').map(({ partition, value }) => [partition, value]),
    [0, 1, 2].map((partition) => [
      partition,
      { reason: 'log_replaced', accounts: [], audit: NO_AUDIT },
    ]),
    'then every partition hears that the log is new',
  );
  t.notOk(existsSync(join(dataDir, 'recovering.json')));
  await run();
  t.equal((await records()).length, told.length, 'once');
});

t.test('the chain of the audit log goes on from the store, also without any gateway', async (t) => {
  const hash = 'ab'.repeat(32);
  const { run, log } = await setting(t, true, tables(0, 0, [{ number: 7, hash, logged_ms: 900 }]));
  await run();
  const processor = new Processor(new Map());
  const records = await log.read('raw', 0, 0, { maxRecords: 10, maxBytes: 1e6 });
  const { audit } = said(records.flatMap((record) => processor.process(record)));
  t.match(audit, [{ number: 8, previousHash: hash, action: 'audit.chain_continued' }]);
});

t.test('cut off in between, the next start says all of it', async (t) => {
  const { run, records, log, dataDir } = await setting(t, true, tables(5, 3));
  let left = 3;
  const failing: Log = Object.create(log, {
    append: {
      value: (...args: Parameters<Log['append']>) =>
        left-- > 0 ? log.append(...args) : Promise.reject(new Error('killed')),
    },
  });
  await t.rejects(run({ log: failing }), /killed/);
  t.ok(existsSync(join(dataDir, 'recovering.json')));
  await run();
  const after = await records();
  t.equal(after.length, 3 + 5 + PARTITIONS);
  t.notOk(existsSync(join(dataDir, 'recovering.json')));
});

t.test('the collector ends while the store is still away: the next start goes on', async (t) => {
  const { run, records } = await setting(t, true, tables(1, 1));
  await run({ store: async () => undefined });
  t.same(await records(), []);
  await run();
  t.equal((await records()).length, 1 + PARTITIONS);
});

t.test('an account of many ranges comes to the processor as it was', async (t) => {
  const { run, log, records } = await setting(t, true, tables(1, 20_000));
  await run();
  for (const { value } of await records())
    t.ok(JSON.stringify(value).length < 200_000, 'records stay small');
  const processor = new Processor(new Map());
  const partition = partitionOf('demo/gw0', PARTITIONS);
  const limits = { maxRecords: 10_000, maxBytes: 1e9 };
  for (const record of await log.read('raw', partition, 0, limits)) processor.process(record);
  t.match(processor.ledger(), [
    { stored: 180_000, quarantined: 20_000, lastSeq: 200_000, inFlight: 0, gaps: {}, balance: 0 },
  ]);
});

t.test('a restored log is told so, in every partition, once', async (t) => {
  const { run, records, log, dataDir } = await setting(t, true, nobody);
  await log.append('raw', 0, { key: '', kind: 'tick', value: Buffer.from('{}') });
  await writeRestoredMark(dataDir, { logIdentity: log.identity, madeMs: 7 });
  await run();
  await run();
  const told = (await records()).filter(({ kind }) => kind === 'recovery');
  t.same(
    told.map(({ partition, key, value }) => [partition, key, value]),
    [0, 1, 2].map((partition) => [
      partition,
      '',
      { reason: 'log_restored', accounts: [], audit: NO_AUDIT },
    ]),
  );
});

t.test('a mark that is of another log says nothing of this one', async (t) => {
  const { run, records, log, dataDir } = await setting(t, false, nobody);
  await log.append('raw', 0, { key: '', kind: 'tick', value: Buffer.from('{}') });
  await writeRestoredMark(dataDir, { logIdentity: 'other', madeMs: 7 });
  await run();
  t.equal((await records()).length, 1);
  t.notOk(existsSync(join(dataDir, 'restored.json')));
});
