/** What every log keeps to (collector/log/log.ts). A backend brings a factory and says what it cannot do. */

import type { Test } from 'tap';
import type { Log, LogRecord, LogTopic, NewRecord } from '../../collector/log/log.ts';
import type { Clock } from '../../collector/types.ts';

export interface LogSettings {
  partitions: number;
  maxBytes: number;
  retentionBytes: number;
  retentionMs: number;
  clock: Clock;
}

/** true, or the reason for which the suite skips what needs it. */
export type Capability = true | string;

export interface LogBackend {
  /** Opens the log that belongs to `folder`, making it at the first call. */
  open(folder: string, settings: LogSettings): Promise<Log>;
  capabilities: {
    /** Refuses appends at a byte cap and keeps room for positions and outputs. */
    byteCap: Capability;
    /** Trims to the record, not to the segment. */
    exactTrim: Capability;
    /** A second opening of the same log is refused. */
    exclusive: Capability;
    /** Takes `clock` for appendedAtMs. */
    clock: Capability;
  };
}

export const ROOMY = 256 * 1024 * 1024;
const ALL = { maxRecords: 10_000, maxBytes: 64 * 1024 * 1024 };
const T0 = 1_800_000_000_000;

export function settings(over: Partial<LogSettings> = {}): LogSettings {
  return {
    partitions: 1,
    maxBytes: ROOMY,
    retentionBytes: ROOMY,
    retentionMs: Number.MAX_SAFE_INTEGER,
    clock: { wallMs: () => T0 },
    ...over,
  };
}

export function recordOf(value: string | Uint8Array, key = 's/g', kind = 'batch'): NewRecord {
  return { key, kind, value: typeof value === 'string' ? Buffer.from(value) : value };
}

export function textsOf(records: readonly LogRecord[]): string[] {
  return records.map((record) => Buffer.from(record.value).toString());
}

export async function allTexts(
  log: Log,
  topic: LogTopic = 'raw',
  partition = 0,
): Promise<string[]> {
  const { first } = await log.bounds(topic, partition);
  return textsOf(await log.read(topic, partition, first, ALL));
}

async function appendTexts(log: Log, texts: readonly string[], topic: LogTopic = 'raw') {
  return Promise.all(texts.map((text) => log.append(topic, 0, recordOf(text))));
}

/** Moves the processor to the end of raw, so that all of it may be trimmed. */
async function processAll(log: Log): Promise<void> {
  const session = await log.openProcessor(0);
  const { next } = await log.bounds('raw', 0);
  await session.commit({ position: next, state: new Map(), outputs: [] });
  await session.close();
}

function withLog(
  t: Test,
  backend: LogBackend,
  over: Partial<LogSettings>,
  body: (log: Log, reopen: () => Promise<Log>) => Promise<void>,
): Promise<void> {
  const folder = t.testdir();
  return (async () => {
    let log = await backend.open(folder, settings(over));
    t.teardown(() => log.close());
    await body(log, async () => {
      await log.close();
      log = await backend.open(folder, settings(over));
      return log;
    });
  })();
}

export function logContract(t: Test, backend: LogBackend): void {
  t.test('records', async (t) => recordsContract(t, backend));
  t.test('waiting', async (t) => waitingContract(t, backend));
  t.test('reopening', async (t) => reopeningContract(t, backend));
  t.test('processors', async (t) => processorContract(t, backend));
  t.test('consumers', async (t) => consumerContract(t, backend));
  t.test('trimming', async (t) => trimContract(t, backend));
  t.test('cap', async (t) => capContract(t, backend));
  t.test('control', async (t) => controlContract(t, backend));
}

function skipping(capability: Capability): { skip: string } | object {
  return capability === true ? {} : { skip: capability };
}

async function recordsContract(t: Test, backend: LogBackend): Promise<void> {
  await t.test('come back as they were appended, in order, from offset 0', async (t) =>
    withLog(t, backend, {}, async (log) => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
      t.equal(await log.append('raw', 0, recordOf(bytes, '공장/gw-1', 'state')), 0);
      t.equal(await log.append('raw', 0, recordOf('')), 1);
      const large = Buffer.alloc(3 * 1024 * 1024, 'x');
      t.equal(await log.append('raw', 0, recordOf(large)), 2);
      const records = await log.read('raw', 0, 0, ALL);
      t.same(
        records.map(({ offset, topic, partition, key, kind }) => [
          offset,
          topic,
          partition,
          key,
          kind,
        ]),
        [
          [0, 'raw', 0, '공장/gw-1', 'state'],
          [1, 'raw', 0, 's/g', 'batch'],
          [2, 'raw', 0, 's/g', 'batch'],
        ],
      );
      t.ok(bytes.equals(records[0]?.value ?? Buffer.of()));
      t.equal(records[1]?.value.length, 0);
      t.ok(large.equals(records[2]?.value ?? Buffer.of()));
      t.same(await log.bounds('raw', 0), { first: 0, next: 3 });
    }),
  );

  await t.test('of one caller become durable in call order', async (t) =>
    withLog(t, backend, {}, async (log) => {
      const texts = Array.from({ length: 3_000 }, (_, index) => `r${index}`);
      const settled: number[] = [];
      const offsets = await Promise.all(
        texts.map(async (text, index) => {
          const offset = await log.append('raw', 0, recordOf(text));
          settled.push(index);
          return offset;
        }),
      );
      t.same(offsets, [...texts.keys()]);
      t.same(settled, [...texts.keys()], 'promises resolve in order');
      t.same(await allTexts(log), texts);
      t.equal(log.stats().appendedTotal, texts.length);
    }),
  );

  await t.test('are read within the limits, at least one', async (t) =>
    withLog(t, backend, {}, async (log) => {
      await appendTexts(log, ['aaaa', 'bbbb', 'cccc', 'dddd']);
      const read = async (from: number, maxRecords: number, maxBytes: number) =>
        textsOf(await log.read('raw', 0, from, { maxRecords, maxBytes }));
      t.same(await read(0, 2, 1_000), ['aaaa', 'bbbb']);
      t.same(await read(1, 10, 8), ['bbbb', 'cccc']);
      t.same(await read(1, 10, 9), ['bbbb', 'cccc']);
      t.same(await read(2, 10, 1), ['cccc']);
      t.same(await read(4, 10, 1_000), [], 'nothing at the end');
    }),
  );

  await t.test('outside the log are refused', async (t) =>
    withLog(t, backend, {}, async (log) => {
      await appendTexts(log, ['a']);
      for (const from of [2, 1_000_000, -1])
        await t.rejects(log.read('raw', 0, from, ALL), { code: 'LOG_POSITION_OUTSIDE' });
    }),
  );

  await t.test('of topics and partitions stay apart', async (t) =>
    withLog(t, backend, { partitions: 3 }, async (log) => {
      t.equal(log.partitionCount, 3);
      await log.append('raw', 0, recordOf('raw0'));
      await log.append('raw', 2, recordOf('raw2'));
      await log.append('events', 2, recordOf('events2'));
      t.same(await allTexts(log, 'raw', 0), ['raw0']);
      t.same(await allTexts(log, 'raw', 1), []);
      t.same(await allTexts(log, 'raw', 2), ['raw2']);
      t.same(await allTexts(log, 'events', 2), ['events2']);
      t.same(await allTexts(log, 'readings', 2), []);
    }),
  );

  await t.test('never go back in time', skipping(backend.capabilities.clock), async (t) => {
    const times = [T0, T0 + 5, T0 - 3_600_000, T0 - 1, T0 + 4, T0 + 6];
    let now = T0;
    await withLog(t, backend, { clock: { wallMs: () => now } }, async (log, reopen) => {
      let current = log;
      for (const [index, time] of times.entries()) {
        now = time;
        if (index === 3) current = await reopen();
        await current.append('raw', 0, recordOf('x'));
      }
      const records = await current.read('raw', 0, 0, ALL);
      t.same(
        records.map(({ appendedAtMs }) => appendedAtMs - T0),
        [0, 5, 5, 5, 5, 6],
      );
    });
  });
}

async function waitingContract(t: Test, backend: LogBackend): Promise<void> {
  await t.test('resolves for what is there and for what comes', async (t) =>
    withLog(t, backend, {}, async (log) => {
      const { signal } = new AbortController();
      await log.append('raw', 0, recordOf('a'));
      await log.waitFor('raw', 0, 0, signal);
      let arrived = false;
      const waiting = log.waitFor('raw', 0, 2, signal).then(() => {
        arrived = true;
      });
      await log.append('raw', 0, recordOf('b'));
      await log.append('readings', 0, recordOf('other topic'));
      t.equal(arrived, false, 'offset 1 is not offset 2');
      await log.append('raw', 0, recordOf('c'));
      await waiting;
      t.equal(arrived, true);
    }),
  );

  await t.test('ends when the signal aborts and when the log closes', async (t) =>
    withLog(t, backend, {}, async (log) => {
      const controller = new AbortController();
      const aborted = log.waitFor('raw', 0, 5, controller.signal);
      controller.abort();
      await aborted;
      await log.waitFor('raw', 0, 5, controller.signal);
      const closed = log.waitFor('raw', 0, 5, new AbortController().signal);
      await log.close();
      await closed;
      t.pass('all three ended');
    }),
  );
}

async function reopeningContract(t: Test, backend: LogBackend): Promise<void> {
  await t.test('finds records, offsets and identity again', async (t) =>
    withLog(t, backend, {}, async (log, reopen) => {
      await appendTexts(log, ['a', 'b']);
      const { identity } = log;
      t.match(identity, /^[0-9a-f]{16,}$/);
      const again = await reopen();
      t.equal(again.identity, identity);
      t.same(await allTexts(again), ['a', 'b']);
      t.equal(await again.append('raw', 0, recordOf('c')), 2);
    }),
  );

  await t.test('two logs have two identities', async (t) => {
    const folder = t.testdir({ a: {}, b: {} });
    const logs = await Promise.all(
      ['a', 'b'].map((name) => backend.open(`${folder}/${name}`, settings())),
    );
    t.not(logs[0]?.identity, logs[1]?.identity);
    for (const log of logs) await log.close();
  });

  await t.test('refuses another partition count', async (t) => {
    const folder = t.testdir();
    const log = await backend.open(folder, settings({ partitions: 2 }));
    await log.append('raw', 1, recordOf('a'));
    await log.close();
    for (const partitions of [1, 3])
      await t.rejects(backend.open(folder, settings({ partitions })), {
        code: 'LOG_PARTITIONS_CHANGED',
      });
    const again = await backend.open(folder, settings({ partitions: 2 }));
    t.same(await allTexts(again, 'raw', 1), ['a']);
    await again.close();
  });

  await t.test(
    'is refused to a second one',
    skipping(backend.capabilities.exclusive),
    async (t) => {
      const folder = t.testdir();
      const log = await backend.open(folder, settings());
      await t.rejects(backend.open(folder, settings()), { code: 'LOG_IN_USE' });
      t.equal(await log.append('raw', 0, recordOf('a')), 0, 'the first one is not disturbed');
      await log.close();
      const again = await backend.open(folder, settings());
      t.same(await allTexts(again), ['a']);
      await again.close();
    },
  );

  await t.test('closing lets appends settle and refuses later calls', async (t) =>
    withLog(t, backend, {}, async (log, reopen) => {
      const pending = appendTexts(log, ['a', 'b', 'c']);
      const closing = log.close();
      const late = log.append('raw', 0, recordOf('late'));
      await t.rejects(late, { code: 'LOG_CLOSED' });
      t.same(await pending, [0, 1, 2]);
      await closing;
      await log.close();
      await t.rejects(log.read('raw', 0, 0, ALL), { code: 'LOG_CLOSED' });
      await t.rejects(log.openProcessor(0), { code: 'LOG_CLOSED' });
      await t.rejects(log.trim(T0), { code: 'LOG_CLOSED' });
      t.equal(log.stats().appendable, false);
      t.same(await allTexts(await reopen()), ['a', 'b', 'c']);
    }),
  );
}

async function processorContract(t: Test, backend: LogBackend): Promise<void> {
  const output = (text: string, topic: 'readings' | 'quarantine' | 'events' = 'readings') => ({
    topic,
    record: recordOf(text),
  });

  await t.test('outputs, position and state become durable together', async (t) =>
    withLog(t, backend, {}, async (log, reopen) => {
      await appendTexts(log, ['a', 'b', 'c']);
      const session = await log.openProcessor(0);
      t.equal(session.position, 0);
      t.equal(session.state.size, 0);
      t.equal(log.stats().processorLagRecords, 3);
      await session.commit({
        position: 2,
        state: new Map([
          ['one', Buffer.from('1')],
          ['two', Buffer.from('2')],
        ]),
        outputs: [output('A'), output('Q', 'quarantine'), output('B'), output('E', 'events')],
      });
      t.equal(session.position, 2);
      t.equal(log.stats().processorLagRecords, 1);
      await session.commit({
        position: 3,
        state: new Map([
          ['one', null],
          ['two', Buffer.from('22')],
        ]),
        outputs: [],
      });
      t.same([...session.state.keys()], ['two']);
      t.equal(session.state.get('two')?.buffer.byteLength, 2, 'keeps no more alive than that');
      const again = await reopen();
      t.same(await allTexts(again, 'readings'), ['A', 'B']);
      t.same(await allTexts(again, 'quarantine'), ['Q']);
      t.same(await allTexts(again, 'events'), ['E']);
      const reopened = await again.openProcessor(0);
      t.equal(reopened.position, 3);
      t.same(
        [...reopened.state].map(([key, value]) => [key, Buffer.from(value).toString()]),
        [['two', '22']],
      );
    }),
  );

  await t.test('one that was taken over can do nothing more', async (t) =>
    withLog(t, backend, {}, async (log) => {
      await appendTexts(log, ['a', 'b']);
      const old = await log.openProcessor(0);
      await old.commit({ position: 1, state: new Map([['k', Buffer.from('1')]]), outputs: [] });
      const fresh = await log.openProcessor(0);
      t.equal(fresh.position, 1);
      const step = { position: 2, state: new Map([['k', null]]), outputs: [output('stale')] };
      await t.rejects(old.commit(step), { code: 'LOG_FENCED' });
      t.same(await allTexts(log, 'readings'), []);
      await fresh.commit({ position: 2, state: new Map(), outputs: [output('fresh')] });
      t.same(await allTexts(log, 'readings'), ['fresh']);
      t.equal(fresh.state.size, 1, 'the stale change of state was not made');
      await t.rejects(old.commit(step), { code: 'LOG_FENCED' });
    }),
  );

  await t.test('steps under way at the takeover come before it or not at all', async (t) =>
    withLog(t, backend, {}, async (log) => {
      await appendTexts(log, ['a', 'b', 'c']);
      const old = await log.openProcessor(0);
      const first = old.commit({ position: 1, state: new Map(), outputs: [output('1')] });
      const takeover = log.openProcessor(0);
      const late = old.commit({ position: 2, state: new Map(), outputs: [output('2')] });
      late.catch(() => undefined);
      const fresh = await takeover;
      const wasCommitted = await first.then(
        () => true,
        () => false,
      );
      await t.rejects(late, { code: 'LOG_FENCED' });
      t.equal(fresh.position, wasCommitted ? 1 : 0);
      t.same(await allTexts(log, 'readings'), wasCommitted ? ['1'] : []);
    }),
  );

  await t.test('positions outside the log are refused and change nothing', async (t) =>
    withLog(t, backend, {}, async (log) => {
      await appendTexts(log, ['a', 'b']);
      const session = await log.openProcessor(0);
      await session.commit({ position: 1, state: new Map(), outputs: [] });
      for (const position of [0, 3]) {
        const step = { position, state: new Map([['k', Buffer.of(1)]]), outputs: [output('x')] };
        await t.rejects(session.commit(step), { code: 'LOG_POSITION_OUTSIDE' });
      }
      t.equal(session.position, 1);
      t.equal(session.state.size, 0);
      t.same(await allTexts(log, 'readings'), []);
      await session.close();
      const step = { position: 2, state: new Map(), outputs: [] };
      await t.rejects(session.commit(step), { code: 'LOG_CLOSED' });
    }),
  );

  await t.test('partitions have their own', async (t) =>
    withLog(t, backend, { partitions: 2 }, async (log) => {
      await log.append('raw', 1, recordOf('a'));
      const zero = await log.openProcessor(0);
      const one = await log.openProcessor(1);
      const state = new Map([['k', Buffer.from('one')]]);
      await one.commit({ position: 1, state, outputs: [output('out')] });
      t.equal(zero.position, 0);
      t.equal((await log.openProcessor(0)).state.size, 0);
      t.same(await allTexts(log, 'readings', 0), []);
      t.same(await allTexts(log, 'readings', 1), ['out']);
    }),
  );
}

async function consumerContract(t: Test, backend: LogBackend): Promise<void> {
  await t.test('intents and positions are durable', async (t) =>
    withLog(t, backend, {}, async (log, reopen) => {
      await appendTexts(log, ['a', 'b', 'c'], 'readings');
      const session = await log.openConsumer('store', 'readings', 0);
      t.equal(session.position, 0);
      t.equal(session.intent, undefined);
      t.same(log.stats().consumerLagRecords, { store: 3 });
      t.same(await session.declareIntent(0, 2), { attempt: 1 });
      t.same(session.intent, { from: 0, to: 2, attempt: 1 });
      const again = await reopen();
      const reopened = await again.openConsumer('store', 'readings', 0);
      t.equal(reopened.position, 0);
      t.same(reopened.intent, { from: 0, to: 2, attempt: 1 });
      t.same(await reopened.declareIntent(0, 2), { attempt: 2 });
      await reopened.commitPosition(2);
      t.equal(reopened.position, 2);
      t.equal(reopened.intent, undefined);
      t.same(again.stats().consumerLagRecords, { store: 1 });
      t.same(await reopened.declareIntent(2, 3), { attempt: 1 });
    }),
  );

  await t.test('no range and attempt are declared twice', async (t) =>
    withLog(t, backend, {}, async (log) => {
      await appendTexts(log, ['a', 'b', 'c'], 'events');
      const session = await log.openConsumer('store', 'events', 0);
      const seen = new Set<string>();
      for (const to of [2, 3, 2, 2, 3]) {
        const { attempt } = await session.declareIntent(0, to);
        t.notOk(seen.has(`${to}/${attempt}`), `0..${to} attempt ${attempt}`);
        seen.add(`${to}/${attempt}`);
      }
    }),
  );

  await t.test('one that was taken over can do nothing more', async (t) =>
    withLog(t, backend, {}, async (log) => {
      await appendTexts(log, ['a', 'b'], 'readings');
      const old = await log.openConsumer('store', 'readings', 0);
      await old.declareIntent(0, 1);
      const fresh = await log.openConsumer('store', 'readings', 0);
      t.same(fresh.intent, { from: 0, to: 1, attempt: 1 });
      await t.rejects(old.commitPosition(1), { code: 'LOG_FENCED' });
      await t.rejects(old.declareIntent(0, 2), { code: 'LOG_FENCED' });
      t.equal(fresh.position, 0);
      await fresh.commitPosition(1);
      t.equal(fresh.position, 1);
    }),
  );

  await t.test('names, topics and partitions have their own positions', async (t) =>
    withLog(t, backend, { partitions: 2 }, async (log) => {
      await appendTexts(log, ['a', 'b'], 'readings');
      await appendTexts(log, ['c'], 'events');
      const sessions = await Promise.all([
        log.openConsumer('store', 'readings', 0),
        log.openConsumer('other', 'readings', 0),
        log.openConsumer('store', 'events', 0),
        log.openConsumer('store', 'readings', 1),
      ]);
      await sessions[0]?.commitPosition(2);
      t.same(
        sessions.map((session) => session.position),
        [2, 0, 0, 0],
      );
      t.same(log.stats().consumerLagRecords, { store: 1, other: 2 });
    }),
  );

  await t.test('calls that do not wait for each other keep their order', async (t) =>
    withLog(t, backend, {}, async (log, reopen) => {
      await appendTexts(log, ['a', 'b', 'c'], 'readings');
      const session = await log.openConsumer('store', 'readings', 0);
      await Promise.all([
        session.declareIntent(0, 1),
        session.commitPosition(1),
        session.declareIntent(1, 3),
      ]);
      t.equal(session.position, 1);
      const reopened = await (await reopen()).openConsumer('store', 'readings', 0);
      t.equal(reopened.position, 1);
      t.same(reopened.intent, { from: 1, to: 3, attempt: 1 });
    }),
  );

  await t.test('positions outside the log are refused', async (t) =>
    withLog(t, backend, {}, async (log) => {
      await appendTexts(log, ['a'], 'readings');
      const session = await log.openConsumer('store', 'readings', 0);
      await t.rejects(session.declareIntent(0, 2), { code: 'LOG_POSITION_OUTSIDE' });
      await t.rejects(session.commitPosition(2), { code: 'LOG_POSITION_OUTSIDE' });
      t.equal(session.position, 0);
      t.equal(session.intent, undefined);
    }),
  );
}

async function trimContract(t: Test, backend: LogBackend): Promise<void> {
  const exact = skipping(backend.capabilities.exactTrim);

  await t.test('keeps what was not consumed, however old', async (t) =>
    withLog(t, backend, { retentionMs: 0, retentionBytes: 0 }, async (log) => {
      await appendTexts(log, ['a', 'b']);
      await appendTexts(log, ['x'], 'readings');
      await log.trim(T0 + 1e9);
      t.same(await allTexts(log), ['a', 'b']);
      t.same(await allTexts(log, 'readings'), ['x']);
    }),
  );

  await t.test('removes what everybody consumed', exact, async (t) =>
    withLog(t, backend, { retentionMs: 0 }, async (log) => {
      await appendTexts(log, ['a', 'b', 'c']);
      await appendTexts(log, ['x', 'y', 'z'], 'readings');
      const processor = await log.openProcessor(0);
      await processor.commit({ position: 2, state: new Map(), outputs: [] });
      const fast = await log.openConsumer('fast', 'readings', 0);
      const slow = await log.openConsumer('slow', 'readings', 0);
      await fast.commitPosition(3);
      await slow.commitPosition(1);
      await log.trim(T0 + 1);
      t.same(await allTexts(log), ['c']);
      t.same(await log.bounds('raw', 0), { first: 2, next: 3 });
      t.same(await allTexts(log, 'readings'), ['y', 'z']);
      await t.rejects(log.read('readings', 0, 0, ALL), { code: 'LOG_POSITION_OUTSIDE' });
    }),
  );

  await t.test('keeps what a processor still wants, over a restart', exact, async (t) =>
    withLog(t, backend, { retentionMs: 0 }, async (log, reopen) => {
      await appendTexts(log, ['a', 'b', 'c', 'd']);
      const step = { state: new Map(), outputs: [] };
      const session = await log.openProcessor(0);
      await session.commit({ ...step, position: 2, keepFrom: 1 });
      for (const keepFrom of [4, -1, 0.5])
        await t.rejects(session.commit({ ...step, position: 3, keepFrom }), {
          code: 'LOG_POSITION_OUTSIDE',
        });
      t.equal(session.position, 2, 'nothing was done');
      await session.commit({ ...step, position: 3 });
      t.equal(log.stats().processorLagRecords, 1);
      const again = await reopen();
      await again.trim(T0 + 1);
      t.same(await allTexts(again), ['b', 'c', 'd']);
      const later = await again.openProcessor(0);
      t.equal(later.position, 3);
      await later.commit({ ...step, position: 4, keepFrom: 4 });
      await again.trim(T0 + 1);
      t.same(await allTexts(again), []);
    }),
  );

  const timed = { ...skipping(backend.capabilities.clock), ...exact };
  await t.test('keeps consumed records that are young enough', timed, async (t) => {
    let now = T0;
    const clock = { wallMs: () => now };
    await withLog(t, backend, { retentionMs: 1_000, clock }, async (log) => {
      for (const text of ['a', 'b', 'c']) {
        await log.append('raw', 0, recordOf(text));
        now += 1_000;
      }
      await processAll(log);
      await log.trim(T0 + 2_500);
      t.same(await allTexts(log), ['c']);
    });
  });

  await t.test('brings the log down to its retained bytes, oldest first', exact, async (t) => {
    let now = T0;
    const over = { retentionBytes: 4_000_000, clock: { wallMs: () => now++ } };
    await withLog(t, backend, over, async (log) => {
      const value = Buffer.alloc(100_000, 7);
      for (let index = 0; index < 60; index++) {
        await log.append(index % 2 === 0 ? 'raw' : 'readings', 0, recordOf(value));
      }
      const consumer = await log.openConsumer('store', 'readings', 0);
      await consumer.commitPosition(30);
      await processAll(log);
      await log.trim(now);
      const raw = await log.bounds('raw', 0);
      const readings = await log.bounds('readings', 0);
      t.ok(log.stats().bytes <= 4_000_000, `${log.stats().bytes} bytes`);
      t.ok(
        raw.next - raw.first + readings.next - readings.first >= 30,
        'not much more than needed',
      );
      t.ok(Math.abs(raw.first - readings.first) <= 25, 'both topics give their oldest');
    });
  });

  await t.test('offsets and times go on after everything was trimmed', exact, async (t) => {
    let now = T0;
    const over = { retentionMs: 0, clock: { wallMs: () => now } };
    await withLog(t, backend, over, async (log, reopen) => {
      await appendTexts(log, ['a', 'b', 'c']);
      await processAll(log);
      await log.trim(T0 + 1);
      t.same(await log.bounds('raw', 0), { first: 3, next: 3 });
      now = T0 - 1_000_000;
      const again = await reopen();
      t.same(await again.bounds('raw', 0), { first: 3, next: 3 });
      t.equal(await again.append('raw', 0, recordOf('d')), 3);
      const [record] = await again.read('raw', 0, 3, ALL);
      if (backend.capabilities.clock === true)
        t.equal(record?.appendedAtMs, T0, 'time did not go back');
      t.equal((await again.openProcessor(0)).position, 3);
    });
  });

  await t.test('a consumer that comes later starts at what is kept', exact, async (t) =>
    withLog(t, backend, { retentionMs: 0 }, async (log) => {
      await appendTexts(log, ['a', 'b'], 'readings');
      const first = await log.openConsumer('first', 'readings', 0);
      await first.commitPosition(2);
      await log.trim(T0 + 1);
      t.equal((await log.openConsumer('later', 'readings', 0)).position, 2);
    }),
  );
}

async function capContract(t: Test, backend: LogBackend): Promise<void> {
  const capped = skipping(backend.capabilities.byteCap);

  await t.test('appends are refused first, and come back after a trim', capped, async (t) =>
    withLog(t, backend, { maxBytes: 8_000_000, retentionMs: 0 }, async (log, reopen) => {
      const value = Buffer.alloc(20_000, 7);
      let stored = 0;
      const fill = async () => {
        for (;;) {
          const ended = await log.append('raw', 0, recordOf(value)).catch((error) => error);
          if (typeof ended !== 'number') return ended;
          stored = ended + 1;
        }
      };
      t.match(await fill(), { code: 'LOG_FULL' });
      t.ok(stored > 250, `${stored} records fit`);
      t.equal(log.stats().appendable, false);
      t.ok(log.stats().bytes <= 8_000_000);
      await t.rejects(log.append('raw', 0, recordOf('small')), { code: 'LOG_FULL' });

      const processor = await log.openProcessor(0);
      const outputs = [{ topic: 'readings' as const, record: recordOf(value) }];
      const state = new Map([['k', Buffer.alloc(1_000)]]);
      for (let position = 1; position <= 10; position++)
        await processor.commit({ position, state, outputs });
      const consumer = await log.openConsumer('store', 'readings', 0);
      await consumer.declareIntent(0, 10);
      await consumer.commitPosition(10);
      await processor.commit({ position: stored, state: new Map(), outputs: [] });
      await log.trim(T0 + 1);
      t.equal(await log.append('raw', 0, recordOf('again')), stored);
      t.equal(log.stats().appendable, true);
      const again = await reopen();
      t.same(await allTexts(again), ['again']);
    }),
  );

  await t.test('outputs are refused next, positions never', capped, async (t) =>
    withLog(t, backend, { maxBytes: 8_000_000, retentionMs: 0 }, async (log) => {
      const value = Buffer.alloc(20_000, 7);
      await log.append('raw', 0, recordOf('a'));
      const processor = await log.openProcessor(0);
      const outputs = [{ topic: 'readings' as const, record: recordOf(value) }];
      let error: unknown;
      let committed = 0;
      for (; error === undefined && committed < 1_000; committed++) {
        error = await processor
          .commit({ position: 0, state: new Map(), outputs })
          .catch((caught) => caught);
      }
      t.match(error, { code: 'LOG_FULL' });
      const { next } = await log.bounds('readings', 0);
      t.equal(next, committed - 1, 'the refused one left nothing');
      await processor.commit({ position: 1, state: new Map(), outputs: [] });
      const consumer = await log.openConsumer('store', 'readings', 0);
      await consumer.declareIntent(0, next);
      await consumer.commitPosition(next);
      await log.trim(T0 + 1);
      await processor.commit({ position: 1, state: new Map(), outputs });
      t.same(await log.bounds('readings', 0), { first: next, next: next + 1 });
    }),
  );
}

async function controlContract(t: Test, backend: LogBackend): Promise<void> {
  /** What a follower holds, and a promise for when it holds what is asked. */
  const follower = async (log: Log, signal: AbortSignal) => {
    const held = new Map<string, string>();
    const calls: string[] = [];
    let changed = Promise.withResolvers<void>();
    await log.control.follow((key, value) => {
      calls.push(`${key}=${value === undefined ? 'nothing' : Buffer.from(value)}`);
      if (value === undefined) held.delete(key);
      else held.set(key, Buffer.from(value).toString());
      changed.resolve();
      changed = Promise.withResolvers();
    }, signal);
    const until = async (key: string, value: string | undefined): Promise<void> => {
      while (held.get(key) !== value) await changed.promise;
    };
    return { held, calls, until };
  };

  await t.test('the newest value of a key holds, for those who come later too', async (t) =>
    withLog(t, backend, {}, async (log, reopen) => {
      const stop = new AbortController();
      const early = await follower(log, stop.signal);
      t.same([...early.held], []);
      await Promise.all([
        log.control.put('a', Buffer.from('1')),
        log.control.put('b', Buffer.from('2')),
        log.control.put('a', Buffer.from('3')),
      ]);
      await log.control.put('b', null);
      await log.control.put('c', Buffer.from(''));
      await early.until('c', '');
      t.same(early.calls, ['a=1', 'b=2', 'a=3', 'b=nothing', 'c=']);
      const late = await follower(log, stop.signal);
      t.same(Object.fromEntries(late.held), { a: '3', c: '' });
      const again = await reopen();
      t.same(Object.fromEntries((await follower(again, stop.signal)).held), { a: '3', c: '' });
      stop.abort();
    }),
  );

  await t.test('nothing is told after the signal', async (t) =>
    withLog(t, backend, {}, async (log) => {
      const [stop, other] = [new AbortController(), new AbortController()];
      const stopped = await follower(log, stop.signal);
      const going = await follower(log, other.signal);
      stop.abort();
      await log.control.put('a', Buffer.from('1'));
      await going.until('a', '1');
      t.same(stopped.calls, []);
      other.abort();
    }),
  );

  await t.test('a closed log refuses', async (t) =>
    withLog(t, backend, {}, async (log) => {
      await log.close();
      await t.rejects(log.control.put('a', Buffer.from('1')), { code: 'LOG_CLOSED' });
      const { signal } = new AbortController();
      await t.rejects(
        log.control.follow(() => undefined, signal),
        { code: 'LOG_CLOSED' },
      );
    }),
  );
}
