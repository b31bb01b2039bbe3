import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import type { Test } from 'tap';
import t from 'tap';
import type { Log, LogTopic } from '../../../collector/log/log.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { encodeAudit } from '../../../collector/processor/outputs/audit.ts';
import type { EventEntry } from '../../../collector/processor/outputs/event.ts';
import { encodeEvents } from '../../../collector/processor/outputs/event.ts';
import { encodeGateway } from '../../../collector/processor/outputs/gateway.ts';
import { encodeLedger } from '../../../collector/processor/outputs/ledger.ts';
import { encodeQuarantine } from '../../../collector/processor/outputs/quarantine.ts';
import { encodeReadings } from '../../../collector/processor/outputs/readings.ts';
import { wholeShare } from '../../../collector/shares.ts';
import type { Writers } from '../../../collector/store/writer.ts';
import { startWriters } from '../../../collector/store/writer.ts';
import { OutputKind } from '../../../collector/types.ts';
import { encodeBatch } from '../../../proto/batch.ts';
import { ChunkBuilder } from '../../../proto/chunk.ts';
import { Quality } from '../../../proto/model.ts';
import {
  alertEntry,
  anomalyEntry,
  markEntry,
  recordsOf,
  resolved,
  silenceEntry,
} from '../../support/alert-entries.ts';
import { auditEntries } from '../../support/audit-entries.ts';
import type { Fault } from '../../support/memory-store.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { CLOCK, EPOCH, frameOf, headerOf, reading, T0 } from '../../support/wire.ts';

const silent = { info() {}, warn() {}, error() {} };

async function openLog(t: Test): Promise<Log> {
  return openLogAt(t, join(t.testdir(), 'log.sqlite'));
}

async function openLogAt(t: Test, path: string): Promise<Log> {
  const log = await openSqliteLog({
    path,
    partitions: 1,
    maxBytes: 2 ** 30,
    retentionBytes: 2 ** 29,
    retentionMs: 1e9,
    clock: { wallMs: () => Date.now() },
    log: silent,
  });
  t.teardown(() => log.close());
  return log;
}

function start(log: Log, store: MemoryStore): Writers {
  const fast = { insertIntervalMs: 0, backoffMinMs: 1, stopTimeoutMs: 50 };
  return startWriters({
    log,
    store,
    share: wholeShare(log.partitionCount),
    logger: silent,
    ...fast,
  });
}

/** A READINGS value of `count` readings from `firstSeq` on. */
function readings(firstSeq: number, count: number, numberAt = (seq: number) => seq): Uint8Array {
  const builder = new ChunkBuilder();
  for (let i = 0; i < count; i++) {
    builder.addReading(reading('a', numberAt(firstSeq + i), { timeMs: T0 + firstSeq + i }));
  }
  const chunks = [frameOf(builder.seal(CLOCK), firstSeq)];
  return encodeReadings(encodeBatch(headerOf(firstSeq + count - 1), chunks), T0 + 77);
}

function append(log: Log, topic: LogTopic, kind: string, value: Uint8Array): Promise<number> {
  return log.append(topic, 0, { key: 'demo/gw1', kind, value });
}

/** Polls: a condition on counters that no event announces. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(2);
}

async function written(log: Log, writers: Writers): Promise<void> {
  for (const status of writers.status()) {
    const { next } = await log.bounds(status.topic, status.partition);
    await until(() => status.position >= next);
  }
}

function seqsOf(store: MemoryStore): number[] {
  return store.rows.readings.map((row) => row.seq).sort((a, b) => a - b);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

const event: EventEntry = {
  site: 'demo',
  gateway: 'gw1',
  device: '',
  timeMs: T0,
  kind: 'clock_step',
  severity: 'warning',
  detail: { step_ms: 5 },
};

t.test('records of all topics become rows', async (t) => {
  const log = await openLog(t);
  const store = new MemoryStore();
  const builder = new ChunkBuilder();
  builder.addReading(reading('n', -0, { timeMs: T0 + 1 }));
  builder.addReading(reading('b', true));
  builder.addReading(reading('s', 'text'));
  builder.addReading(reading('s', null, { quality: Quality.NULL }));
  builder.addReject({
    timeMs: T0,
    device: 'D',
    reason: 'garbage',
    detail: '',
    head: Buffer.alloc(1),
  });
  const batch = encodeBatch(headerOf(14), [frameOf(builder.seal(CLOCK), 10)]);
  await append(log, 'readings', OutputKind.READINGS, encodeReadings(batch, T0 + 77));
  const place = { site: 'demo', gateway: 'gw1', device: 'D01', epoch: EPOCH };
  const entry = { ...place, reason: 'garbage', detail: 'x', timeMs: T0, receivedMs: T0 + 1 };
  const head = Buffer.from([0, 255]);
  const entries = [
    { ...entry, seq: 4, count: 1, head },
    { ...entry, seq: 5, count: 1, head },
  ];
  await append(log, 'quarantine', OutputKind.QUARANTINE, encodeQuarantine(entries));
  await append(log, 'events', OutputKind.EVENT, encodeEvents([event, event]));
  const counts = { lastSeq: 3, stored: 2, quarantined: 0, duplicates: 1, gapReadings: 1 };
  const account = { site: 'demo', gateway: 'gw1', epoch: EPOCH, openedMs: T0, updatedMs: T0 };
  const ledger = {
    ...account,
    ...counts,
    gaps: { corrupt: 1 },
    inFlight: 0,
    storedSum: '0',
    quarantinedSum: '0',
    sumBalance: '0',
    seen: [],
    closed: 0,
    balance: 0,
  };
  await append(log, 'events', OutputKind.LEDGER, encodeLedger([ledger]));
  const gateway = {
    site: 'demo', gateway: 'gw1', online: true, version: '1', installId: 'i', epoch: EPOCH,
    lastSeq: 3, bufferReadings: 0, bufferBytes: 0, bufferSecondsUntilEviction: -1,
    clockUnsynced: false, clockStepMs: 0, readers: [], stateMs: T0, updatedMs: T0,
  }; // biome-ignore format: a table
  await append(log, 'events', OutputKind.GATEWAY, encodeGateway(gateway));
  const watched = {
    alerts: [alertEntry(1), resolved(alertEntry(1))],
    anomalies: [anomalyEntry(2)],
    silences: [silenceEntry('s')],
    marks: [markEntry(2)],
  };
  for (const { kind, value } of recordsOf(watched)) await append(log, 'events', kind, value);
  const writers = start(log, store);
  await written(log, writers);
  await writers.stop();
  t.equal(await writers.failed, undefined);

  const row = { site: 'demo', gateway: 'gw1', device: 'D01', epoch: EPOCH, receivedMs: T0 + 77 };
  t.match(store.rows.readings, [
    { ...row, channel: 'n', seq: 10, timeMs: T0 + 1, text: null, logOffset: 0, quality: 0 },
    { ...row, channel: 'b', seq: 11, value: 1, text: null },
    { ...row, channel: 's', seq: 12, value: null, text: 'text' },
    { ...row, channel: 's', seq: 13, value: null, text: null, quality: Quality.NULL },
  ]);
  t.ok(Object.is(store.rows.readings[0]?.value, -0));
  t.equal(store.rows.readings.length, 4);
  const logId = log.identity;
  t.match(store.rows.quarantine, [
    { reason: 'garbage', seq: 4, count: 1, logId, logIndex: 0 },
    { seq: 5, logIndex: 1, logOffset: 0, logPartition: 0 },
  ]);
  t.same(Buffer.from(store.rows.quarantine[0]!.head), head);
  t.match(store.rows.events, [
    { kind: 'clock_step', detail: '{"step_ms":5}', logIndex: 0, logId },
    { logIndex: 1 },
  ]);
  t.match(store.rows.ledger, [{ ...counts, gaps: '{"corrupt":1}', logOffset: 1 }]);
  t.match(store.rows.gateways, [{ online: true, readers: '[]', logOffset: 2 }]);
  const { alerts, anomalies, silences, anomaly_marks } = store.rows;
  t.match(alerts, [
    { state: 'firing', version: 1, values: JSON.stringify(alertEntry(1).values) },
    { state: 'resolved', version: 2 },
  ]);
  const { reason, channels } = anomalyEntry(2);
  t.match(anomalies, [
    { version: 1, reason: reason.en, reasonKo: reason.ko, channels: JSON.stringify(channels) },
  ]);
  t.match([silences, anomaly_marks], [[silenceEntry('s')], [markEntry(2)]]);
});

t.test('each row once, whatever befalls the inserts', async (t) => {
  const base = t.testdir();
  let runs = 0;
  const anyFault = fc.constantFrom<Fault>('none', 'before', 'partly', 'after');
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyFault, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 }),
      fc.nat({ max: 8 }),
      async (faults, sizes, restartAfter) => {
        const log = await openLogAt(t, join(base, `${runs++}.sqlite`));
        const store = new MemoryStore();
        store.faults = [...faults];
        let writers = start(log, store);
        let seq = 1;
        const entries = auditEntries(sizes.length, T0);
        for (const [i, size] of sizes.entries()) {
          await append(log, 'readings', OutputKind.READINGS, readings(seq, size));
          await append(log, 'events', OutputKind.EVENT, encodeEvents([event, event]));
          for (const { kind, value } of recordsOf({ alerts: [alertEntry(0, { version: i + 1 })] }))
            await append(log, 'events', kind, value);
          await append(log, 'events', OutputKind.AUDIT, encodeAudit(entries[i]!));
          seq += size;
          if (i === restartAfter) {
            await writers.stop();
            writers = start(log, store);
          }
        }
        await written(log, writers);
        await writers.stop();
        assert.deepEqual(seqsOf(store), range(1, seq - 1));
        const places = store.rows.events.map((row) => `${row.logOffset}/${row.logIndex}`);
        assert.equal(places.length, 2 * sizes.length);
        assert.equal(new Set(places).size, places.length);
        const numbers = store.rows.audit.map(({ number }) => number).sort((a, b) => a - b);
        assert.deepEqual(numbers, range(1, sizes.length));
        const versions = new Set(store.rows.alerts.map(({ version }) => version));
        assert.equal(versions.size, sizes.length, 'a row may come twice');
        await log.close();
      },
    ),
    { numRuns: 40 },
  );
});

t.test('a store that hangs: stop() gives up, the next start clears up', async (t) => {
  const log = await openLog(t);
  const store = new MemoryStore();
  store.faults = ['hang'];
  await append(log, 'readings', OutputKind.READINGS, readings(1, 10));
  const first = start(log, store);
  await until(() => store.hanging === 1);
  t.ok(first.status().some((status) => status.insertingSinceMs !== undefined));
  await append(log, 'readings', OutputKind.READINGS, readings(11, 10));
  await first.stop();
  // The statement ends after all, and nobody is there to hear of it.
  store.release();
  await until(() => store.rows.readings.length === 10);
  const second = start(log, store);
  await written(log, second);
  await second.stop();
  t.same(seqsOf(store), range(1, 20));
});

t.test('an intent of a process that died is cleared up, not trusted', async (t) => {
  for (const fault of ['before', 'partly', 'after'] as const) {
    const log = await openLogAt(t, join(t.testdir(), `${fault}.sqlite`));
    const store = new MemoryStore();
    await append(log, 'readings', OutputKind.READINGS, readings(1, 10));
    await append(log, 'readings', OutputKind.READINGS, readings(11, 10));
    await append(log, 'readings', OutputKind.READINGS, readings(21, 10));
    const dead = await log.openConsumer('writer', 'readings', 0);
    await dead.declareIntent(0, 2);
    if (fault !== 'before') {
      const rows = fault === 'partly' ? 7 : 20;
      const { site, gateway } = event;
      for (let seq = 1; seq <= rows; seq++) {
        store.rows.readings.push({
          site, gateway, device: 'D01', channel: 'a', timeMs: T0, value: seq, text: null, quality: 0,
          epoch: EPOCH, seq, logPartition: 0, logOffset: seq <= 10 ? 0 : 1, receivedMs: T0 + 77,
          rawValue: null, findings: 0, treatment: 0,
        }); // biome-ignore format: a table
      }
    }
    const writers = start(log, store);
    await written(log, writers);
    await writers.stop();
    t.same(seqsOf(store), range(1, 30), fault);
    t.equal(store.readBacks, fault === 'after' ? 1 : 2, 'and nothing else is read back');
  }
});

t.test('while the store is away memory is bounded and nothing is skipped', async (t) => {
  const log = await openLog(t);
  const store = new MemoryStore();
  store.faults = Array.from({ length: 10 }, () => 'before');
  // Numbers that do not compress: a read of the log takes some, not all of them.
  const value = readings(1, 8_000, (seq) => Math.sin(seq) * 1e9);
  for (let i = 0; i < 80; i++) await append(log, 'readings', OutputKind.READINGS, value);
  let furthest = 0;
  const watched: Log = new Proxy(log, {
    get(target, name) {
      if (name === 'read') {
        return async (...args: Parameters<Log['read']>) => {
          const records = await target.read(...args);
          if (store.faults.length > 0) furthest = Math.max(furthest, records.at(-1)?.offset ?? 0);
          return records;
        };
      }
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  const writers = start(watched, store);
  await written(log, writers);
  await writers.stop();
  t.equal(store.rows.readings.length, 640_000);
  // Two batches of 50,000 rows, and what one read may overshoot.
  t.ok(furthest < 60, `read ahead to record ${furthest} of 79`);
});

t.test('a record that is no output stops the writer with a code', async (t) => {
  const log = await openLog(t);
  const store = new MemoryStore();
  await append(log, 'readings', OutputKind.READINGS, readings(1, 3));
  await append(log, 'events', OutputKind.EVENT, Buffer.from('{'));
  const writers = start(log, store);
  t.match(await writers.failed, { code: 'LOG_DAMAGED' });
  await until(() => store.rows.readings.length === 3);
  await writers.stop();
});

t.test('so does one that is met while the insert before runs', async (t) => {
  const log = await openLog(t);
  const store = new MemoryStore();
  store.faults = ['hang'];
  await append(log, 'readings', OutputKind.READINGS, readings(1, 3));
  const writers = start(log, store);
  await until(() => store.hanging === 1);
  await append(log, 'readings', OutputKind.READINGS, Buffer.from('?'));
  // A turn of the loop: the record is read, and refused, while the insert hangs.
  await delay(20);
  store.release();
  t.match(await writers.failed, { code: 'LOG_DAMAGED' });
  t.same(seqsOf(store), [1, 2, 3]);
  t.equal(writers.status()[0]?.position, 1, 'what came before it is written');
  await writers.stop();
});

t.test('a writer that was taken over stops with a code', async (t) => {
  const log = await openLog(t);
  const store = new MemoryStore();
  const writers = start(log, store);
  await append(log, 'readings', OutputKind.READINGS, readings(1, 3));
  await written(log, writers);
  const other = await log.openConsumer('writer', 'readings', 0);
  t.equal(other.position, 1);
  await append(log, 'readings', OutputKind.READINGS, readings(4, 3));
  t.match(await writers.failed, { code: 'LOG_FENCED' });
  t.same(seqsOf(store), [1, 2, 3]);
  await writers.stop();
});

t.test('rows that the store lost are made up for from the log', async (t) => {
  for (const [name, lose] of [
    ['its tail', (rows: unknown[]) => rows.splice(-1)],
    ['all', (rows: unknown[]) => rows.splice(0)],
  ] as const) {
    const log = await openLogAt(t, join(t.testdir(), 'log.sqlite'));
    const store = new MemoryStore();
    for (let i = 0; i < 40; i++) {
      await append(log, 'readings', OutputKind.READINGS, readings(1 + i * 5, 5));
      await append(log, 'events', OutputKind.EVENT, encodeEvents([event]));
    }
    const first = start(log, store);
    await written(log, first);
    await first.stop();
    const inserts = store.inserts;
    const second = start(log, store);
    await until(() => store.caughtUp.length === 2);
    await second.stop();
    t.equal(store.inserts, inserts, 'nothing is done while nothing is missing');

    lose(store.rows.readings);
    lose(store.rows.events);
    await append(log, 'readings', OutputKind.READINGS, readings(201, 5));
    // It dies while it heals: the end is still missing, and is found so again.
    store.faults = ['partly', 'after'];
    const third = start(log, store);
    await written(log, third);
    // Not by healedRowsTotal: what was inserted before it failed is not missing the next time.
    await until(() => third.status().every(({ healing }) => !healing));
    await until(() => store.rows.events.length === 40);
    await third.stop();
    t.same(seqsOf(store), range(1, 205), name);
    t.equal(new Set(store.rows.events.map((row) => row.logOffset)).size, 40, name);
    t.equal(store.rows.events.length, 40, name);
  }
});

t.test(
  'alerts, anomalies, silences, marks and audit entries that the store lost come again',
  async (t) => {
    const log = await openLog(t);
    const store = new MemoryStore();
    const first = alertEntry(1);
    await append(log, 'events', OutputKind.EVENT, encodeEvents([event]));
    // Nothing else is in the end of the log that is looked at.
    const all = {
      alerts: [first, resolved(first), ...Array.from({ length: 20 }, (_, n) => alertEntry(n + 2))],
      anomalies: [anomalyEntry(1)],
      silences: [silenceEntry('s')],
      marks: [markEntry(1)],
    };
    for (const { kind, value } of recordsOf(all)) await append(log, 'events', kind, value);
    const entries = auditEntries(2, T0);
    for (const entry of entries) await append(log, 'events', OutputKind.AUDIT, encodeAudit(entry));
    let writers = start(log, store);
    await written(log, writers);
    await writers.stop();
    const tables = ['alerts', 'anomalies', 'silences', 'anomaly_marks'] as const;
    const counts = (): number[] => tables.map((table) => store.rows[table].length);
    t.same(counts(), [22, 1, 1, 1]);
    const again = async (): Promise<void> => {
      writers = start(log, store);
      await until(() => writers.status().every(({ healing }) => !healing));
      await writers.stop();
    };
    await again();
    t.same(counts(), [22, 1, 1, 1], 'all is there: nothing is written');
    for (const table of tables) {
      store.rows[table].length = 0;
      await again();
      t.ok(store.rows[table].length > 0, `${table} came again`);
    }
    t.match(store.rows.alerts.slice(0, 2), [{ version: 1 }, { version: 2 }]);
    t.equal(store.rows.audit.length, 2, 'what must not come twice did not');
    store.rows.audit.length = 1;
    await again();
    t.match(store.rows.audit, [{ hash: entries[0]?.hash }, { hash: entries[1]?.hash }]);
    t.equal(store.rows.events.length, 1);
  },
);

t.test('rows that retention dropped are not missed', async (t) => {
  const log = await openLog(t);
  const store = new MemoryStore();
  await append(log, 'readings', OutputKind.READINGS, readings(1, 5));
  const first = start(log, store);
  await written(log, first);
  await first.stop();
  store.rows.readings.length = 0;
  store.retentionMs.readings = 86_400_000;
  const second = start(log, store);
  await until(() => store.caughtUp.length === 2);
  await second.stop();
  t.equal(store.rows.readings.length, 0);
});

t.test(
  'the newest reading of each channel is fed now and then, not with every insert',
  async (t) => {
    const log = await openLog(t);
    const store = new MemoryStore();
    const writers = startWriters({
      log,
      store,
      share: wholeShare(log.partitionCount),
      logger: silent,
      insertIntervalMs: 0,
      devicesIntervalMs: 300,
    });
    for (let i = 0; i < 20; i++) {
      await append(log, 'readings', OutputKind.READINGS, readings(1 + i * 5, 5));
    }
    await written(log, writers);
    await until(() => store.rows.devices.at(-1)?.timeMs === T0 + 100);
    t.ok(store.rows.devices.length < 5, `fed ${store.rows.devices.length} times`);
    await append(log, 'readings', OutputKind.READINGS, readings(101, 5));
    await written(log, writers);
    await writers.stop();
    t.match(store.rows.devices.at(-1), {
      device: 'D01',
      channel: 'a',
      timeMs: T0 + 105,
      value: 105,
    });
  },
);
