/**
 * What every store must do. A backend's test calls storeContract with a way to open an empty store and a
 * way to open the same one again.
 */

import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { toAlert, toAnomaly, toMark, toSilence } from '../../collector/api/alert_rows.ts';
import { toAudit } from '../../collector/api/audit/rows.ts';
import { hashOf } from '../../collector/processor/outputs/audit.ts';
import { ReadingBlock } from '../../collector/store/reading_block.ts';
import type {
  EventRow,
  LedgerRow,
  QuarantineRow,
  ReadingRow,
  Store,
} from '../../collector/store/store.ts';
import {
  alertEntry,
  anomalyEntry,
  idOf,
  markEntry,
  resolved,
  rowsOf,
  silenceEntry,
  storeEntries,
} from '../support/alert-entries.ts';
import { auditEntries, auditRows } from '../support/audit-entries.ts';

export interface StoreUnderTest {
  store: Store;
  /** Closes it and opens it again over the same data. */
  reopen(): Promise<Store>;
}

const LIMITS = { timeoutMs: 120_000, maxRows: 100_000, maxMemoryBytes: 2 ** 30 };
const LOG = 'a-log';
/** A whole second of now: what was received long ago may be dropped at once. */
const T0 = Math.floor(Date.now() / 1_000) * 1_000;
const EPOCH = '00112233445566ff';

export function readingRow(seq: number, more: Partial<ReadingRow> = {}): ReadingRow {
  return {
    site: 'demo',
    gateway: 'gw1',
    device: 'D01',
    channel: 'sensor1',
    timeMs: T0 + seq * 1_000,
    value: seq,
    text: null,
    quality: 0,
    epoch: EPOCH,
    seq,
    logPartition: 0,
    logOffset: seq,
    receivedMs: T0 + seq,
    rawValue: null,
    findings: 0,
    treatment: 0,
    ...more,
  };
}

function quarantineRow(logOffset: number, logIndex: number): QuarantineRow {
  return {
    site: 'demo',
    gateway: 'gw1',
    device: '',
    reason: 'wire_crc',
    detail: "it's \\ damaged\n",
    timeMs: T0,
    receivedMs: T0,
    epoch: EPOCH,
    seq: 0,
    count: 0,
    head: Uint8Array.from({ length: 256 }, (_, i) => i),
    reading: '',
    logId: LOG,
    logPartition: 0,
    logOffset,
    logIndex,
  };
}

function eventRow(logOffset: number, more: Partial<EventRow> = {}): EventRow {
  return {
    site: 'demo',
    gateway: 'gw1',
    device: '',
    timeMs: T0,
    kind: 'clock_step',
    severity: 'warning',
    detail: '{"step_ms":5}',
    logId: LOG,
    logPartition: 0,
    logOffset,
    logIndex: 0,
    ...more,
  };
}

function ledgerRow(updatedMs: number, stored: number): LedgerRow {
  return {
    site: 'demo',
    gateway: 'gw1',
    epoch: EPOCH,
    openedMs: T0,
    lastSeq: Number.MAX_SAFE_INTEGER,
    stored,
    quarantined: 0,
    duplicates: 0,
    gaps: '{"corrupt":2}',
    gapReadings: 2,
    inFlight: -3,
    storedSum: '18446744073709551615',
    quarantinedSum: '0',
    sumBalance: '0',
    seen: '[]',
    closed: 0,
    balance: -1,
    updatedMs,
    logPartition: 0,
    logOffset: 0,
  };
}

type Rows = Record<string, unknown>[];

/** Values that a text format, a JSON encoder or a quoting rule would bend. */
const EXTREMES = [
  0, -0, 5e-324, -5e-324, 1.7976931348623157e308, 0.1 + 0.2, 2 ** 53, 1e21, 123456.789012345,
  Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY,
]; // biome-ignore format: a table
const HOSTILE = [
  '', ' ', "'; DROP TABLE readings --", '\\', "\\'", '\t\n\r\0\b', '{a:String}', '?', '`x`',
  '온도 센서', '😀', 'é vs é', 'nan', 'NULL', '\\N', '"quoted"', 'x'.repeat(4_096), '\u2028',
]; // biome-ignore format: a table

function numberOf(cell: unknown): number {
  const named: Record<string, number> = {
    nan: Number.NaN,
    inf: Number.POSITIVE_INFINITY,
    '-inf': Number.NEGATIVE_INFINITY,
  };
  return typeof cell === 'string' ? (named[cell] ?? Number(cell)) : (cell as number);
}

export async function storeContract(t: Test, open: () => Promise<StoreUnderTest>): Promise<void> {
  const under = await open();
  let { store } = under;
  const ask = (sql: string, params: Record<string, unknown> = {}): Promise<Rows> =>
    store.query(sql, params, LIMITS);

  await t.test('migrating again changes nothing', async (t) => {
    await store.migrate();
    const before = await ask('SELECT * FROM schema_migrations FINAL ORDER BY version');
    await store.migrate();
    t.same(await ask('SELECT * FROM schema_migrations FINAL ORDER BY version'), before);
    t.ok(before.length > 0);
    t.equal(store.stats().ready, true);
  });

  await t.test('numbers come back bit for bit', async (t) => {
    const rows = EXTREMES.map((value, i) => readingRow(i + 1, { value, channel: 'extreme' }));
    await store.insert('readings', rows, 'extremes');
    const found = await ask(`SELECT value FROM readings WHERE channel = 'extreme' ORDER BY seq`);
    t.equal(found.length, EXTREMES.length);
    for (const [i, value] of EXTREMES.entries()) {
      t.ok(Object.is(numberOf(found[i]?.value), value), `${value}`);
    }
  });

  await t.test('texts and names come back character for character', async (t) => {
    const rows = HOSTILE.map((text, i) =>
      readingRow(i + 1, { value: null, text, channel: text, device: 'hostile' }),
    );
    await store.insert('readings', rows, 'hostile');
    const found = await ask(
      `SELECT channel, text FROM readings WHERE device = 'hostile' ORDER BY seq`,
    );
    t.same(
      found,
      HOSTILE.map((text) => ({ channel: text, text })),
    );
    for (const [i, text] of HOSTILE.entries()) {
      const one = await ask(
        `SELECT seq FROM readings WHERE device = {device:String} AND channel = {channel:String}`,
        { device: 'hostile', channel: text },
      );
      t.same(one, [{ seq: i + 1 }], `found by text ${i}`);
    }
  });

  await t.test('nulls, large seqs and distant times', async (t) => {
    const seq = Number.MAX_SAFE_INTEGER;
    const times = [-62_167_219_200_000, -1, 0, 253_402_300_799_999];
    const rows = times.map((timeMs, i) =>
      readingRow(seq - i, { timeMs, value: null, device: 'distant', quality: 255 }),
    );
    await store.insert('readings', rows, 'distant');
    const found = await ask(
      `SELECT time_ms, value, text, quality, seq FROM readings WHERE device = 'distant'
ORDER BY seq DESC`,
    );
    const rest = { value: null, text: null, quality: 255 };
    t.same(
      found,
      times.map((time_ms, i) => ({ time_ms, ...rest, seq: seq - i })),
    );
  });

  await t.test('bytes of quarantine come back', async (t) => {
    await store.insert('quarantine', [quarantineRow(7, 0), quarantineRow(7, 1)], 'quarantine');
    const longAgo = { ...quarantineRow(8, 0), receivedMs: T0 - 40 * 86_400_000 };
    await store.insert('quarantine', [longAgo], 'kept for 30 days');
    const bytes = 'SELECT hex(head) AS head, detail FROM quarantine ORDER BY log_offset, log_index';
    let found = await ask(bytes);
    // It goes in the background.
    for (let i = 0; found.length > 2 && i < 600; i++) {
      await delay(100);
      found = await ask(bytes);
    }
    t.equal(found.length, 2);
    t.equal(found[0]?.head, Buffer.from(quarantineRow(7, 0).head).toString('hex').toUpperCase());
    t.equal(found[0]?.detail, "it's \\ damaged\n");
  });

  await t.test('the newest row of a ledger or gateway counts', async (t) => {
    await store.insert('ledger', [ledgerRow(T0 + 2, 20)], 'ledger 2');
    await store.insert('ledger', [ledgerRow(T0 + 1, 10)], 'ledger 1');
    const found = await ask('SELECT stored, last_seq, in_flight, gaps FROM ledger FINAL');
    const last_seq = Number.MAX_SAFE_INTEGER;
    t.same(found, [{ stored: 20, last_seq, in_flight: -3, gaps: '{"corrupt":2}' }]);
  });

  await t.test('the row with the highest version of an alert or anomaly counts', async (t) => {
    const summary = HOSTILE.join('|');
    const first = alertEntry(1, { summary, values: { a: 0.1, b: null } });
    const last = resolved({ ...first, version: 4_294_967_294, state: 'acknowledged' });
    const mark = markEntry(1, { note: summary });
    const later = markEntry(1, { mark: 'false', markedMs: mark.markedMs + 1 });
    const silence = silenceEntry('s', { reason: summary });
    const ended = silenceEntry('s', { untilMs: T0, updatedMs: silence.updatedMs + 1 });
    const anomaly = anomalyEntry(1, { value: null, expectedLow: -1e300, expectedHigh: 5e-324 });
    const worse = { ...anomaly, score: 1, version: 2 };
    const entries = { alerts: [last], anomalies: [worse], silences: [ended], marks: [later] };
    await storeEntries(store, entries, 'newer');
    const older = { alerts: [first], anomalies: [anomaly], silences: [silence], marks: [mark] };
    await storeEntries(store, older, 'older');
    const one = async (table: string) => (await ask(`SELECT * FROM ${table} FINAL`))[0] ?? {};
    t.same(toAlert(await one('alerts')), last);
    t.same(toAnomaly(await one('anomalies')), worse);
    t.same(toSilence(await one('silences')), ended);
    t.same(toMark(await one('anomaly_marks')), later);
    const ids = [...Array.from({ length: 2_500 }, (_, i) => `of nobody ${i}`), first.id, "it's"];
    const versions = [
      ['alerts', ids, first.id, last.version],
      ['anomalies', ids, anomaly.id, 2],
      ['silences', ['s', 'none'], 's', ended.updatedMs],
      ['anomaly_marks', [mark.anomaly], mark.anomaly, later.markedMs],
    ] as const;
    for (const [table, asked, id, version] of versions)
      t.same(await store.versionsOf(table, asked), new Map([[id, version]]), table);
    t.same(await store.versionsOf('alerts', []), new Map());
  });

  await t.test('devices holds the newest reading of each channel', async (t) => {
    const device = 'latest';
    const row = (seq: number, timeMs: number) =>
      readingRow(seq, { device, timeMs, value: seq, logPartition: 7, receivedMs: T0 + seq });
    const newest = (seq: number, timeMs: number) =>
      store.insert('devices', [row(seq, timeMs)], `devices ${seq}`);
    const latest = `SELECT value, time_ms FROM devices FINAL WHERE device = 'latest'`;
    await newest(2, T0 + 9);
    await newest(1, T0 + 5);
    t.same(await ask(latest), [{ value: 2, time_ms: T0 + 9 }]);
    // What a process that died had in `readings`, and not yet here.
    await store.insert('readings', [row(3, T0 + 7), row(4, T0 + 10), row(5, T0 + 8)], 'latest');
    await store.catchUpDevices(7);
    t.same(await ask(latest), [{ value: 4, time_ms: T0 + 10 }]);
    await store.insert('readings', [row(6, T0 + 11)], 'of another partition');
    await store.catchUpDevices(8);
    t.same(await ask(latest), [{ value: 4, time_ms: T0 + 10 }]);
    await store.catchUpDevices(7);
    t.same(await ask(latest), [{ value: 6, time_ms: T0 + 11 }]);
  });

  await t.test('columns come back as the rows that they stand for', async (t) => {
    const rows = [
      readingRow(1, { value: 4, rawValue: 5, findings: 32, treatment: 2, channel: 'a' }),
      readingRow(2, { value: 3, rawValue: null, findings: 1, treatment: 3, quality: 134 }),
      readingRow(3, { value: null, rawValue: -1, findings: 2, treatment: 4 }),
      readingRow(4, { value: 7, findings: 256, treatment: 1, channel: 'a' }),
      readingRow(5, { value: null, text: 'words', channel: 'words' }),
      readingRow(6, { value: null, quality: 134 }),
      readingRow(7, { timeMs: T0 - 86_400_000, epoch: 'ff', gateway: 'gw2', logPartition: 2 }),
      readingRow(8, { value: null, text: '', channel: 'words' }),
    ].map((row) => ({ ...row, device: 'columns' }));
    await store.insertReadings(ReadingBlock.ofRows(rows), 'columns');
    const found = await ask(`SELECT * FROM readings WHERE device = 'columns' ORDER BY seq`);
    t.same(
      found,
      rows.map((row) => ({
        site: row.site,
        gateway: row.gateway,
        device: row.device,
        channel: row.channel,
        time_ms: row.timeMs,
        value: row.value,
        text: row.text,
        quality: row.quality,
        received_ms: row.receivedMs,
        epoch: row.epoch,
        seq: row.seq,
        log_partition: row.logPartition,
        log_offset: row.logOffset,
        raw_value: row.rawValue,
        findings: row.findings,
        treatment: row.treatment,
      })),
    );
    await store.insertReadings(new ReadingBlock(), 'none');
  });

  await t.test('presentIn answers which rows of a range of offsets are there', async (t) => {
    const device = 'present';
    const place = (seq: number, logOffset: number) => readingRow(seq, { device, logOffset });
    const rows = [place(1, 1_000), place(2, 1_001), place(3, 1_001), place(4, 1_002)];
    await store.insert('readings', rows, 'present');
    const other = readingRow(9, { device, logOffset: 1_001, logPartition: 1 });
    await store.insert('readings', [other], 'other');
    t.same(await store.presentReadings(0, 1_001, 1_002, T0), new Map([[EPOCH, new Set([2, 3])]]));
    t.same(await store.presentReadings(0, 5_000, 6_000, T0), new Map());
    t.same(await store.presentReadings(0, 1_001, 1_002, T0 + 86_400_000), new Map());
    t.same(await store.presentIn('quarantine', LOG, 0, 0, 8), new Set(['7/0', '7/1']));
    t.same(await store.presentIn('quarantine', 'another-log', 0, 0, 8), new Set());
    await store.insert('events', [eventRow(3), eventRow(4)], 'events');
    t.same(await store.presentIn('events', LOG, 0, 4, 5), new Set(['4/0']));
    const account = `demo/gw1/${EPOCH}`;
    t.same(await store.presentIn('ledger', LOG, 0, 0, 1), new Set([account]));
    t.same(await store.presentIn('ledger', LOG, 0, 1, 2), new Set());
  });

  await t.test(
    'entries of the audit log come back as they were hashed, and are known',
    async (t) => {
      const more = HOSTILE.map((text) => ({
        ...{ who: `-${text}`.slice(0, 500), kind: text.slice(0, 500), from: text.slice(0, 500) },
        ...{ site: text.slice(0, 500), target: text.slice(0, 500), detail: text },
      }));
      const entries = auditEntries(HOSTILE.length, T0, more);
      const rows = auditRows(entries, LOG);
      await store.insert('audit', rows, 'audit');
      await store.insert('audit', rows, 'audit');
      const found = await ask('SELECT * FROM audit ORDER BY number');
      t.same(found.map(toAudit), entries);
      t.equal(
        entries.every((entry) => hashOf(entry) === entry.hash),
        true,
      );
      const [first] = rows;
      t.match(found[0], {
        log_id: LOG,
        log_partition: 0,
        log_offset: first?.logOffset,
        log_index: 0,
      });
      t.same(await store.presentIn('audit', LOG, 0, 10, 30), new Set(['10/0', '20/0']));
      t.same(await store.presentIn('audit', 'another-log', 0, 10, 30), new Set());
      t.ok(store.retentionMs.audit >= 3 * 365 * 86_400_000, 'kept for three years at least');
    },
  );

  await t.test('a late copy of the same attempt stores nothing', async (t) => {
    const rows = [readingRow(1, { device: 'zombie' })];
    await store.insert('readings', rows, 'attempt 1');
    await store.insert('readings', rows, 'attempt 1');
    const count = `SELECT count() AS n FROM readings WHERE device = 'zombie'`;
    t.same(await ask(count), [{ n: 1 }]);
    await store.insert('readings', [readingRow(2, { device: 'zombie' })], 'attempt 2');
    t.same(await ask(count), [{ n: 2 }], 'and a token does not outlive its statement');
    await store.insert('readings', rows, 'attempt 3');
    t.same(await ask(count), [{ n: 3 }], 'nor does the store judge by content');
  });

  await t.test('one insert takes rows of many months and many series', async (t) => {
    const month = 30 * 86_400_000;
    const rows = Array.from({ length: 70_000 }, (_, i) =>
      readingRow(i, {
        device: `wide ${i}`,
        timeMs: T0 - (i % 700) * month,
        receivedMs: T0 - (i % 105) * month,
      }),
    );
    await store.insert('readings', rows, 'wide');
    const found = await ask(
      `SELECT uniqExact(device) AS n FROM readings WHERE startsWith(device, 'wide ')`,
    );
    t.same(found, [{ n: 70_000 }]);
    await store.insert('readings', [], 'empty');
  });

  await t.test('queries are limited in rows, time and memory, and only read', async (t) => {
    const refused = { code: 'STORE_QUERY_REFUSED' };
    const run = (sql: string, limits = LIMITS) => store.query(sql, {}, limits);
    await t.rejects(run('SELECT number FROM numbers(100)', { ...LIMITS, maxRows: 99 }), refused);
    t.equal((await run('SELECT number FROM numbers(99)', { ...LIMITS, maxRows: 99 })).length, 99);
    const endless = 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)';
    await t.rejects(run(endless, { ...LIMITS, timeoutMs: 200 }), refused);
    const greedy = 'SELECT uniqExact(number) FROM numbers(50000000)';
    await t.rejects(run(greedy, { ...LIMITS, maxMemoryBytes: 20_000_000 }), refused);
    for (const sql of [
      'SELEC 1',
      'SELECT nothing FROM readings',
      'INSERT INTO readings (seq) VALUES (1)',
      'DROP TABLE readings',
      'ALTER TABLE readings DELETE WHERE 1',
      'SET readonly = 0',
    ]) {
      await t.rejects(run(sql), refused, sql);
    }
    t.same(await run('SELECT 1 AS one'), [{ one: 1 }], 'and the next one is not affected');
  });

  await t.test('an aborted query ends, and a waiting one does not start', async (t) => {
    const endless = 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)';
    const controller = new AbortController();
    const refused = { code: 'STORE_QUERY_REFUSED' };
    const all = Array.from({ length: 5 }, () =>
      t.rejects(store.query(endless, {}, LIMITS, controller.signal), refused),
    );
    setTimeout(() => controller.abort(), 100);
    await Promise.all(all);
    t.same(await ask('SELECT 1 AS one'), [{ one: 1 }]);
    // Also when it is given up before the engine has begun it.
    for (const afterMs of [0, 1, 3, 10]) {
      const early = new AbortController();
      const ended = t.rejects(store.query(endless, {}, LIMITS, early.signal), refused);
      setTimeout(() => early.abort(), afterMs);
      await ended;
    }
    const now = new AbortController();
    const given = t.rejects(store.query(endless, {}, LIMITS, now.signal), refused);
    now.abort();
    await given;
    t.same(await ask('SELECT 1 AS one'), [{ one: 1 }]);
  });

  await t.test('queries run while inserts run', async (t) => {
    const rows = Array.from({ length: 20_000 }, (_, i) => readingRow(i, { device: 'busy' }));
    const inserts = Promise.all([
      store.insert('readings', rows, 'busy 1'),
      store.insert('events', [eventRow(100)], 'busy 2'),
    ]);
    const found = await Promise.all(Array.from({ length: 20 }, () => ask('SELECT 1 AS one')));
    t.equal(found.length, 20);
    await inserts;
    t.same(await ask(`SELECT count() AS n FROM readings WHERE device = 'busy'`), [{ n: 20_000 }]);
  });

  await t.test('execute runs one statement of a job, limited and abortable', async (t) => {
    const limits = { timeoutMs: 120_000, maxMemoryBytes: 2 ** 30 };
    await store.execute(
      'CREATE TABLE made (n UInt64) ENGINE = MergeTree ORDER BY n PARTITION BY n % 200',
      {},
      limits,
    );
    const fill = 'INSERT INTO made SELECT number FROM numbers({count:UInt64})';
    await store.execute(fill, { count: 500 }, limits);
    t.same(await ask('SELECT count() AS n FROM made'), [{ n: 500 }], 'visible, in any partitions');
    const refused = { code: 'STORE_QUERY_REFUSED' };
    const endless = 'INSERT INTO made SELECT sum(sipHash64(number)) FROM numbers(1000000000000)';
    await t.rejects(store.execute(endless, {}, { ...limits, timeoutMs: 200 }), refused, 'time');
    const greedy = 'INSERT INTO made SELECT uniqExact(number) FROM numbers(50000000)';
    await t.rejects(store.execute(greedy, {}, { ...limits, maxMemoryBytes: 20_000_000 }), refused);
    await t.rejects(store.execute('INSERT INTO nothing SELECT 1', {}, limits), refused);
    const controller = new AbortController();
    const aborted = t.rejects(store.execute(endless, {}, limits, controller.signal), refused);
    await store.insert('readings', [readingRow(1, { device: 'meanwhile' })], 'meanwhile');
    t.same(await ask('SELECT 1 AS one'), [{ one: 1 }], 'neither inserts nor queries wait for it');
    controller.abort();
    await aborted;
    await store.execute('DROP TABLE made', {}, limits);
  });

  await t.test('a pass lets inserts through, and settled inserts have ended', async (t) => {
    const pass = { scope: "a log's/readings/0/", id: 'one' };
    const rows = [1, 2, 3].map((seq) => readingRow(seq, { device: 'passes' }));
    await store.admit(pass);
    await store.insert('readings', rows, `${pass.scope}0-3/a`, pass);
    await store.insertReadings(ReadingBlock.ofRows(rows), `${pass.scope}0-3/b`, pass);
    await store.insert('events', [eventRow(200)], `${pass.scope}0-3/b`, pass);
    const { alerts } = rowsOf({ alerts: [alertEntry(200)] });
    await store.insert('alerts', alerts, `${pass.scope}0-3/b`, pass);
    t.same(await store.versionsOf('alerts', [idOf(200)]), new Map([[idOf(200), 1]]));
    await store.settle(pass.scope);
    t.same(await ask(`SELECT count() AS n FROM readings WHERE device = 'passes'`), [{ n: 6 }]);
  });

  await t.test('answers as files, limited and abortable', async (t) => {
    const sql = `SELECT number AS n, toString(number) AS text, CAST(NULL, 'Nullable(Float64)') AS nothing
FROM numbers({n:UInt64}) ORDER BY n DESC`;
    const csv = await store.exportTo('CSVWithNames', sql, { n: 70_000 }, LIMITS);
    const lines = readFileSync(csv.path, 'utf8').trimEnd().split('\n');
    t.equal(lines.length, 70_001);
    t.same(lines.slice(0, 2), ['"n","text","nothing"', '69999,"69999",']);
    t.equal(lines.at(-1), '0,"0",');
    await csv.dispose();
    await csv.dispose();
    t.notOk(existsSync(csv.path));
    const parquet = await store.exportTo('Parquet', sql, { n: 10 }, LIMITS);
    t.equal(readFileSync(parquet.path, 'latin1').slice(0, 4), 'PAR1');
    t.equal(parquet.bytes, readFileSync(parquet.path).length);
    await parquet.dispose();
    const refused = { code: 'STORE_QUERY_REFUSED' };
    await t.rejects(store.exportTo('CSVWithNames', sql, { n: 100_001 }, LIMITS), refused, 'rows');
    const controller = new AbortController();
    const endless = 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)';
    const given = store.exportTo('CSVWithNames', endless, {}, LIMITS, controller.signal);
    setTimeout(() => controller.abort(), 50);
    await t.rejects(given, refused, 'given up');
  });

  await t.test('everything is there after a restart', async (t) => {
    const count = 'SELECT count() AS n, sum(seq) AS s FROM readings';
    const before = await ask(count);
    store = await under.reopen();
    await store.migrate();
    t.same(await ask(count), before);
    await store.insert('readings', [readingRow(1, { device: 'after' })], 'after');
    t.same(await ask(`SELECT value FROM readings WHERE device = 'after'`), [{ value: 1 }]);
  });

  await t.test('a closed store refuses', async (t) => {
    await store.close();
    await store.close();
    t.equal(store.stats().ready, false);
    await t.rejects(store.insert('readings', [readingRow(1)], 'closed'), {
      code: 'STORE_UNAVAILABLE',
    });
    await t.rejects(ask('SELECT 1'), { code: 'STORE_UNAVAILABLE' });
  });
}
