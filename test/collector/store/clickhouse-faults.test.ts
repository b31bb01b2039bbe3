/**
 * What the store makes of a server that fails, is slow, is away, or lets nobody in. Before the front: a real
 * server's network cannot be made to fail here.
 */

import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { openClickHouseStore } from '../../../collector/store/clickhouse.ts';
import type { Store } from '../../../collector/store/store.ts';
import { readingRow } from '../../contracts/store.ts';
import { startClickHouseFront } from '../../support/clickhouse-front.ts';
import { makeCertificates } from '../../support/kafka/certificates.ts';
import { whyNotWithout } from '../../support/programs.ts';

const LIMITS = { timeoutMs: 120_000, maxRows: 100_000, maxMemoryBytes: 2 ** 30 };
const UNAVAILABLE = { code: 'STORE_UNAVAILABLE' };
const REFUSED = { code: 'STORE_REFUSED' };
const T0 = Math.floor(Date.now() / 1_000) * 1_000;
/** An insert is ended after so long. */
const INSERT_MS = 400;

const front = await startClickHouseFront(t, {
  users: {
    default: { password: '' },
    fms: { password: 'right' },
    reader: { password: '', readonly: true },
  },
});
const store = await openClickHouseStore({ clickhouse: front.config(), retentionDays: 0 });
t.teardown(() => store.close());
await store.migrate();
const hasty = await openClickHouseStore({
  clickhouse: front.config(),
  retentionDays: 0,
  times: { insertMs: INSERT_MS },
});
t.teardown(() => hasty.close());
t.afterEach(() => front.clear());

async function count(device: string, from: Store = store): Promise<number> {
  const sql = 'SELECT count() AS n FROM readings WHERE device = {device:String}';
  const [row] = await from.query<{ n: number }>(sql, { device }, LIMITS);
  return row?.n ?? -1;
}

async function running(): Promise<number> {
  const sql = `SELECT count() AS n FROM system.processes WHERE startsWith(query, '/* insert')`;
  const [row] = await store.query<{ n: number }>(sql, {}, LIMITS);
  return row?.n ?? -1;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(10);
}

/** What hurries may fail on a busy machine. */
const YES_OR_NO = [() => true, () => false] as const;

function insert(into: Store, device: string, token = `${device} ${randomUUID()}`): Promise<void> {
  return into.insert('readings', [readingRow(1, { device })], token);
}

t.test(
  'what the server answers says whether to wait, to look at rights, or to ask otherwise',
  async (t) => {
    const meanings = {
      STORE_BUSY: [252, 241, 202],
      STORE_READ_ONLY: [164, 242, 243],
      STORE_REFUSED: [192, 193, 194, 497, 516],
      STORE_UNAVAILABLE: [209, 210, 319, 999],
    };
    for (const [code, numbers] of Object.entries(meanings)) {
      for (const number of numbers) {
        await front.fault({ kind: 'error', code: number });
        await t.rejects(insert(store, 'coded'), { code }, `${number}`);
      }
    }
    await front.fault({ kind: 'unavailable' });
    await t.rejects(insert(store, 'coded'), UNAVAILABLE, 'a proxy without a server');
    t.equal(await count('coded'), 0);
    t.match(store.stats().lastError, /STORE_UNAVAILABLE/);
    t.ok(store.stats().insertErrorsTotal > 10);

    const ask = (): Promise<unknown> => store.query('SELECT 1 AS one', {}, LIMITS);
    const asked = async (
      fault: { code: number; message?: string },
      code: string,
    ): Promise<void> => {
      await front.fault({ kind: 'error', match: 'SELECT 1 AS one', ...fault });
      await t.rejects(ask(), { code }, `query ${fault.code} ${fault.message}`);
    };
    await asked({ code: 202 }, 'STORE_BUSY');
    await asked({ code: 241, message: '(total) memory limit exceeded' }, 'STORE_BUSY');
    await asked({ code: 241, message: 'Query memory limit exceeded' }, 'STORE_QUERY_REFUSED');
    await asked({ code: 516 }, 'STORE_REFUSED');
    await asked({ code: 159 }, 'STORE_QUERY_REFUSED');
    for (const kind of ['lost', 'cut-answer', 'unavailable'] as const) {
      await front.fault({ kind, match: 'SELECT 1 AS one' });
      await t.rejects(ask(), UNAVAILABLE, kind);
    }
    t.same(await ask(), [{ one: 1 }]);
  },
);

t.test('an insert whose answer is lost, whose body is cut', async (t) => {
  await front.fault({ kind: 'lost' });
  await t.rejects(insert(store, 'lost'), UNAVAILABLE);
  t.equal(await count('lost'), 1, 'it is there, and is found when it is looked for');
  const found = await store.presentReadings(0, 0, 1_000, T0 - 86_400_000);
  t.equal(found.size, 1);
  await front.fault({ kind: 'cut' });
  await t.rejects(insert(store, 'cut'), UNAVAILABLE);
  t.equal(await count('cut'), 0);
});

t.test('an insert that takes too long has ended when its promise settles', async (t) => {
  await front.fault({ kind: 'slow', delayMs: 60_000 });
  await t.rejects(insert(hasty, 'slow'), UNAVAILABLE);
  t.equal(await running(), 0, 'no statement is left');
  t.equal(await count('slow'), 0);
  await front.fault({ kind: 'late', delayMs: 60_000 });
  await t.rejects(insert(hasty, 'late'), UNAVAILABLE);
  t.equal(await running(), 0);
});

t.test('while nobody can say how an insert ended, nothing is read back', async (t) => {
  const times = { insertMs: INSERT_MS, settleMs: 500 };
  const clickhouse = front.config();
  const hurried = await openClickHouseStore({ clickhouse, retentionDays: 0, times });
  t.teardown(() => hurried.close());
  front.freeze();
  t.teardown(() => front.thaw());
  const frozen = insert(hurried, 'frozen', 'frozen');
  await t.rejects(frozen, UNAVAILABLE, 'within the time for an insert and for its end');
  front.thaw();
  await front.fault({ kind: 'unavailable', match: '^SELECT toUInt32.*system.processes', times: 0 });
  const present = (): Promise<unknown> => hurried.presentReadings(0, 0, 1_000, T0 - 86_400_000);
  await t.rejects(present(), UNAVAILABLE);
  await t.rejects(insert(hurried, 'next'), UNAVAILABLE, 'nor inserted');
  await front.clear();
  await until(() => present().then(...YES_OR_NO));
  await until(() => insert(hurried, 'next').then(...YES_OR_NO));
});

t.test('an insert of another process, on its way when it is settled and admitted', async (t) => {
  const scope = 'log/readings/0/';
  const old = { scope, id: 'old' };
  const other = { scope, id: 'new' };
  const rows = [readingRow(1, { device: 'taken over' })];
  await store.admit(old);
  await store.insert('readings', rows, `${scope}0-1/a`, old);
  t.equal(await count('taken over'), 1);

  await front.fault({ kind: 'slow', delayMs: 60_000 });
  const slow = store.insert('readings', rows, `${scope}1-2/a`, old);
  slow.catch(() => undefined);
  await until(async () => (await running()) === 1);
  await store.settle('log/readings/1/');
  t.equal(await running(), 1, 'another prefix is left alone');
  await store.settle(scope);
  t.equal(await running(), 0);
  await t.rejects(slow, UNAVAILABLE);

  await front.fault({ kind: 'held' });
  const late = store.insert('readings', rows, `${scope}2-3/a`, old);
  late.catch(() => undefined);
  await until(async () => (await front.status()).held === 1);
  await store.admit(other);
  await front.release();
  await t.rejects(late, { code: 'STORE_PASS_REPLACED' });
  t.equal(await count('taken over'), 1);
  await store.insert('readings', rows, `${scope}2-3/b`, other);
  t.equal(await count('taken over'), 2);
  const words = [readingRow(2, { device: 'taken over', value: null, text: "it's" })];
  await store.insert('readings', words, `${scope}3-4/b`, other);
  t.equal(await count('taken over'), 3);
});

t.test('the server refuses connections, is killed, and comes back', async (t) => {
  await front.refuse();
  await t.rejects(insert(store, 'away'), UNAVAILABLE);
  await t.rejects(count('away'), UNAVAILABLE);
  await front.listen();
  t.equal(await count('away'), 0);
  await front.fault({ kind: 'slow', delayMs: 60_000 });
  const killed = insert(store, 'killed');
  killed.catch(() => undefined);
  await until(async () => (await running()) === 1);
  await front.kill();
  const back = delay(300).then(() => front.start());
  await t.rejects(killed, UNAVAILABLE);
  await back;
  t.equal(await count('killed'), 0);
  await insert(store, 'back');
  t.equal(await count('back'), 1);
});

t.test(
  'a file that is cut off leaves nothing, and nothing is left of a closed store',
  async (t) => {
    const folders = (): string[] =>
      readdirSync(tmpdir()).filter((name) => name.startsWith(`fms-files-${process.pid}-`));
    const before = folders();
    const own = await openClickHouseStore({ clickhouse: front.config(), retentionDays: 0 });
    const [folder = ''] = folders().filter((name) => !before.includes(name));
    const sql = 'SELECT number, toString(number) AS text FROM numbers({n:UInt64})';
    const file = await own.exportTo('CSVWithNames', sql, { n: 10 }, LIMITS);
    t.equal(dirname(file.path), join(tmpdir(), folder));
    await front.fault({ kind: 'cut-answer', match: 'SELECT number, ' });
    await t.rejects(own.exportTo('CSVWithNames', sql, { n: 90_000 }, LIMITS), UNAVAILABLE);
    t.equal(readdirSync(dirname(file.path)).length, 1);
    await own.close();
    t.same(folders(), before);
  },
);

t.test('whom the server does not let in', async (t) => {
  const open = (more: object): Promise<Store> =>
    openClickHouseStore({ clickhouse: front.config(more), retentionDays: 0 });
  await t.rejects(open({ password: 'wrong' }), REFUSED);
  await t.rejects(open({ username: 'nobody' }), REFUSED);
  const right = await open({ username: 'fms', password: 'right' });
  await right.close();
  await front.fault({ kind: 'error', code: 497, match: '^CREATE DATABASE' });
  await t.rejects(open({ database: 'other' }), {
    code: 'STORE_REFUSED',
    message: /grant CREATE DATABASE/,
  });
  const odd = await open({ database: "o`dd 'name" });
  await odd.migrate();
  await odd.close();
  const reader = await open({ username: 'reader' });
  await t.rejects(reader.migrate(), { code: 'STORE_READ_ONLY' });
  await reader.close();
  await t.rejects(open({ url: 'http://127.0.0.1:1' }), UNAVAILABLE);
  await t.rejects(open({ url: `https://127.0.0.1:${front.port}` }), REFUSED, 'no TLS there');
});

t.test('TLS', { skip: whyNotWithout('openssl') }, async (t) => {
  const folder = t.testdir();
  const { ca, clientCert, clientKey } = makeCertificates(folder);
  const files = { cert: `${folder}/server-cert.pem`, key: `${folder}/server-key.pem` };
  const tls = await startClickHouseFront(t, {
    tls: { ...files, clientCa: `${folder}/client-cert.pem` },
    users: { default: { password: 'secret' } },
  });
  const open = (tlsOf: { ca?: string; cert?: string; key?: string }): Promise<Store> =>
    openClickHouseStore({
      clickhouse: tls.config({
        password: 'secret',
        tls: { ca: undefined, cert: undefined, key: undefined, ...tlsOf },
      }),
      retentionDays: 0,
    });
  await t.rejects(open({}), REFUSED, 'an unknown authority');
  await t.rejects(open({ ca }), REFUSED, 'no certificate of the client');
  const known = await open({ ca, cert: clientCert, key: clientKey });
  await known.migrate();
  await insert(known, 'tls');
  t.equal(await count('tls', known), 1);
  await known.close();
});
