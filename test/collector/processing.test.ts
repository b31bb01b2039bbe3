import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import { CollectorError } from '../../collector/errors.ts';
import { codesOf } from '../../collector/findings.ts';
import type { Log, LogRecord, LogTopic, ProcessorSession } from '../../collector/log/log.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import type { Processing } from '../../collector/processing.ts';
import {
  snapshotIntervalMs,
  snapshotReadings,
  startProcessing,
} from '../../collector/processing.ts';
import { decodeEvents } from '../../collector/processor/outputs/event.ts';
import { decodeReadings } from '../../collector/processor/outputs/readings.ts';
import { OutputKind, RawKind } from '../../collector/types.ts';
import { encodeBatch } from '../../proto/batch.ts';
import { ChunkBuilder } from '../../proto/chunk.ts';
import { openReadings } from '../support/raw-records.ts';
import { profile } from '../support/validation.ts';
import { CLOCK, frameOf, headerOf, reading, T0 } from '../support/wire.ts';

const silent = { info() {}, warn() {}, error() {} };

async function openLog(
  t: Test,
  over: { wallMs?: () => number; retentionMs?: number } = {},
): Promise<Log> {
  const { wallMs = () => T0, retentionMs = 1e9 } = over;
  const log = await openSqliteLog({
    path: join(t.testdir(), 'log.sqlite'),
    partitions: 1,
    maxBytes: 2 ** 30,
    retentionBytes: 2 ** 29,
    retentionMs,
    clock: { wallMs },
    log: silent,
  });
  t.teardown(() => log.close());
  return log;
}

/** Batch i: 10 readings of an epoch of its own. */
function batch(i: number): Uint8Array {
  const epoch = i.toString(16).padStart(16, '0');
  const builder = new ChunkBuilder();
  for (let n = 0; n < 10; n++) builder.addReading(reading(`c${n}`, n));
  return encodeBatch(headerOf(10, { epoch }), [frameOf(builder.seal(CLOCK), 1, epoch)]);
}

async function appendBatches(log: Log, from: number, to: number): Promise<void> {
  for (let i = from; i <= to; i++) {
    await log.append('raw', 0, { key: 'demo/gw1', kind: RawKind.BATCH, value: batch(i) });
  }
}

async function all(log: Log, topic: LogTopic): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for (;;) {
    const from = (records.at(-1)?.offset ?? -1) + 1;
    const more = await log.read(topic, 0, from, { maxRecords: 100, maxBytes: 2 ** 20 });
    if (more.length === 0) return records;
    records.push(...more);
  }
}

async function caughtUp(log: Log, processing: Processing): Promise<void> {
  const { next } = await log.bounds('raw', 0);
  while ((processing.status()[0]?.position ?? 0) < next) await delay(2);
}

async function storedKeys(log: Log): Promise<string[]> {
  const records = await all(log, 'readings');
  return records.flatMap((record) =>
    openReadings(record.value).map((one) => `${one.epoch}/${one.seq}`),
  );
}

t.test('goes on where it stopped', async (t) => {
  const log = await openLog(t);
  await appendBatches(log, 1, 5);
  const first = startProcessing({ log, logger: silent });
  await caughtUp(log, first);
  await first.stop();
  t.equal(await first.failed, undefined);
  await appendBatches(log, 4, 9);
  const second = startProcessing({ log, logger: silent });
  await caughtUp(log, second);
  await appendBatches(log, 10, 10);
  await caughtUp(log, second);
  await second.stop();
  const keys = await storedKeys(log);
  t.equal(keys.length, 100);
  t.equal(new Set(keys).size, 100);
  t.match(second.status(), [{ position: 12, timeMs: T0, lastError: '' }]);
  t.equal(second.status()[0]?.stats.duplicatesTotal, 20);
});

/** The log, but every other commit fails: before it is done, or after. */
function unreliable(log: Log): Log {
  let commits = 0;
  const wrap = (session: ProcessorSession): ProcessorSession => ({
    position: session.position,
    state: session.state,
    close: () => session.close(),
    commit: async (step) => {
      commits++;
      if (commits % 3 === 1) throw new CollectorError('LOG_UNAVAILABLE', 'before');
      await session.commit(step);
      if (commits % 3 === 2) throw new CollectorError('LOG_UNAVAILABLE', 'after');
    },
  });
  return new Proxy(log, {
    get(target, name) {
      if (name === 'openProcessor') return async () => wrap(await target.openProcessor(0));
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

t.test('commits that fail, done or not, neither lose nor repeat', async (t) => {
  const log = await openLog(t);
  const processing = startProcessing({ log: unreliable(log), logger: silent });
  for (let i = 1; i <= 6; i++) {
    await appendBatches(log, i, i);
    await caughtUp(log, processing);
  }
  await processing.stop();
  const keys = await storedKeys(log);
  t.equal(keys.length, 60);
  t.equal(new Set(keys).size, 60);
});

t.test('a processor that was taken over stops with a code', async (t) => {
  const log = await openLog(t);
  const processing = startProcessing({ log, logger: silent });
  await appendBatches(log, 1, 1);
  await caughtUp(log, processing);
  await log.openProcessor(0);
  await appendBatches(log, 2, 2);
  t.match(await processing.failed, { code: 'LOG_FENCED' });
  t.match(processing.status()[0]?.lastError, /LOG_FENCED/);
  await processing.stop();
});

t.test('state of another version stops it with a code', async (t) => {
  const log = await openLog(t);
  const session = await log.openProcessor(0);
  const state = new Map([[`demo/gw1|${'0'.repeat(16)}`, Buffer.from([99, 0])]]);
  await session.commit({ position: 0, state, outputs: [] });
  await session.close();
  const processing = startProcessing({ log, logger: silent });
  t.match(await processing.failed, { code: 'PROCESSOR_STATE_VERSION' });
  await processing.stop();
});

/** A log whose time passes, with a device under a rule that remembers: the same value for over 3 s. */
async function timedLog(t: Test) {
  let nowMs = T0;
  const log = await openLog(t, { wallMs: () => nowMs, retentionMs: 0 });
  const stuck = profile({ a: { stuckAfterMs: 3_000 } });
  const configuration = {
    version: 'v1',
    retentionMs: 0,
    aheadMaxMs: 86_400_000,
    profiles: { p: stuck },
    assignments: [],
  };
  const append = (kind: string, value: Uint8Array, key = 'demo/gw1') =>
    log.append('raw', 0, { key, kind, value });
  await append(RawKind.CONFIGURATION, Buffer.from(JSON.stringify(configuration)), '');
  let seq = 0;
  return {
    log,
    pass(ms: number) {
      nowMs += ms;
    },
    async reading(value: number) {
      seq += 1;
      const builder = new ChunkBuilder();
      builder.addReading(reading('a', value, { timeMs: nowMs }));
      await append(RawKind.BATCH, encodeBatch(headerOf(seq), [frameOf(builder.seal(CLOCK), seq)]));
    },
    /** Codes of the findings of the readings stored so far, by seq. */
    async findings() {
      const found: [number, string][] = [];
      for (const record of await all(log, 'readings')) {
        const decoded = decodeReadings(record.value);
        if (!decoded.ok) throw decoded.error;
        for (const { firstSeq, findings } of decoded.value.annotations)
          found.push([firstSeq, codesOf(findings).join()]);
      }
      return found;
    },
    async events() {
      const records = await all(log, 'events');
      return records
        .filter(({ kind }) => kind === OutputKind.EVENT)
        .flatMap(({ value }) => decodeEvents(value))
        .map(({ kind }) => kind);
    },
  };
}

async function processed(log: Log, logger = silent): Promise<Processing> {
  const processing = startProcessing({ log, logger });
  await caughtUp(log, processing);
  await processing.stop();
  return processing;
}

t.test(
  'what rules remember outlives a restart, from the snapshot and what came since',
  async (t) => {
    const { log, pass, reading, findings, events } = await timedLog(t);
    for (let i = 0; i < 3; i++) {
      await reading(7);
      const [status] = (await processed(log)).status();
      t.match(status, { snapshotPosition: 2, coldStartsTotal: 0 }, 'none is due yet');
      pass(1_000);
      await log.trim(T0 + 1e6);
      t.match(await log.bounds('raw', 0), { first: 2 }, 'raw is kept from there on');
    }
    pass(40_000);
    await reading(8);
    t.match((await processed(log)).status(), [{ snapshotPosition: 5 }], 'after 30 s of log time');
    await log.trim(T0 + 1e6);
    t.match(await log.bounds('raw', 0), { first: 5 });
    for (let i = 0; i < 5; i++) {
      pass(1_000);
      await reading(8);
      await processed(log);
    }
    t.same(
      (await findings()).filter(([, codes]) => codes.includes('stuck')).map(([seq]) => seq),
      [8, 9],
      'found over restarts',
    );
    t.notOk((await events()).includes('cold_start'));
  },
);

t.test('without its snapshot it begins anew, says so, and loses nothing', async (t) => {
  const { log, reading, events } = await timedLog(t);
  await reading(1);
  await processed(log);
  const spoil = async (state: Map<string, Uint8Array | null>): Promise<void> => {
    const session = await log.openProcessor(0);
    await session.commit({ position: session.position, state, outputs: [] });
    await session.close();
  };
  let cold = 0;
  for (const spoilt of [
    { key: '.snapshot', value: null },
    { key: '.snapshot', value: Buffer.from('{"format":99}') },
    { key: '.snapshot', value: Buffer.from('not JSON') },
    { key: '.soft/demo/gw1', value: Buffer.from([99]) },
    { key: '.soft/demo/gw9', value: Buffer.from([99]) },
    { key: '.hard/.partition', value: Buffer.from('{"format":2,"timeMs":1,"reportedMs":1}') },
    { key: '.hard/demo/gw1', value: null },
    { key: '.hard/demo/gw9', value: Buffer.from('{}') },
    { key: '.hard/demo/gw1|0000000000000009', value: Buffer.from([2, 0]) },
  ]) {
    await spoil(new Map([[spoilt.key, spoilt.value]]));
    await reading(2);
    t.match((await processed(log)).status(), [{ coldStartsTotal: 1 }], spoilt.key);
    cold += 1;
    await reading(3);
    t.match((await processed(log)).status(), [{ coldStartsTotal: 0 }], 'and the next one is whole');
    t.equal((await events()).filter((kind) => kind === 'cold_start').length, cold);
  }
  const keys = await storedKeys(log);
  t.equal(keys.length, 1 + 2 * cold);
  t.equal(new Set(keys).size, keys.length);
});

t.test('raw that is gone since the snapshot makes it begin anew', async (t) => {
  const { log, pass, reading, events } = await timedLog(t);
  await reading(1);
  await processed(log);
  pass(1_000);
  await reading(2);
  await processed(log);
  const session = await log.openProcessor(0);
  const { position } = session;
  await session.commit({ position, keepFrom: position, state: new Map(), outputs: [] });
  await session.close();
  await log.trim(T0 + 1e6);
  await reading(3);
  t.match((await processed(log)).status(), [{ coldStartsTotal: 1 }]);
  t.ok((await events()).includes('cold_start'));
  t.equal((await storedKeys(log)).length, 3);
});

/** The log, but small, and while `isFull` without room for snapshots. */
function smallLog(log: Log, state: { isFull: boolean }): Log {
  const wrap = (session: ProcessorSession): ProcessorSession => ({
    position: session.position,
    state: session.state,
    close: () => session.close(),
    commit: async (step) => {
      const isSnapshot = (step.state.get('.snapshot') ?? null) !== null;
      if (isSnapshot && state.isFull) throw new CollectorError('LOG_FULL', 'for the test');
      await session.commit(step);
    },
  });
  return new Proxy(log, {
    get(target, name) {
      if (name === 'openProcessor') return async () => wrap(await target.openProcessor(0));
      if (name === 'stats') return () => ({ ...target.stats(), maxBytes: 16 * 2_000 });
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

t.test('a log without room for snapshots goes without, and lets raw go', async (t) => {
  const { log, pass, reading, findings } = await timedLog(t);
  const state = { isFull: false };
  const processing = startProcessing({ log: smallLog(log, state), logger: silent });
  const status = () => processing.status()[0]!;
  await reading(1);
  await caughtUp(log, processing);
  const { snapshotPosition } = status();
  t.ok(snapshotPosition > 0, 'the first commit has one');
  state.isFull = true;
  pass(40_000);
  await reading(1);
  await caughtUp(log, processing);
  t.equal(status().snapshotPosition, snapshotPosition, 'goes on with the last one');
  for (let i = 0; i < 80 && status().snapshotPosition >= 0; i++) {
    await reading(i);
    await caughtUp(log, processing);
  }
  t.equal(status().snapshotPosition, -1, 'until too much of raw is kept for it');
  await log.trim(T0 + 1e6);
  t.equal((await log.bounds('raw', 0)).first, status().position);
  state.isFull = false;
  await reading(1);
  await caughtUp(log, processing);
  t.equal(status().snapshotPosition, -1, 'not asked again at once');
  pass(61_000);
  await reading(1);
  await caughtUp(log, processing);
  t.equal(status().snapshotPosition, status().position);
  await processing.stop();
  t.match(processing.status(), [{ coldStartsTotal: 0 }]);
  const keys = await storedKeys(log);
  t.equal(new Set(keys).size, keys.length);
  t.equal(keys.length, status().stats.readingsTotal);
  t.ok((await findings()).length > 0);
  t.match((await processed(log)).status(), [{ coldStartsTotal: 0 }]);
});

t.test('large snapshots are taken less often, within bounds', async (t) => {
  t.equal(snapshotIntervalMs(0), 30_000);
  t.equal(snapshotIntervalMs(10_000_000), 30_000);
  t.equal(Math.round(snapshotIntervalMs(50_000_000)), 97_656);
  t.equal(snapshotIntervalMs(10 ** 12), 180_000);
  t.equal(snapshotReadings(0), 500_000);
  t.equal(snapshotReadings(42_000_000), 1_400_000);
  t.equal(snapshotReadings(10 ** 12), 3_000_000);
});
