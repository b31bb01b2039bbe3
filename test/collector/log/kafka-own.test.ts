/** What only the log on Kafka has to keep to. Brokers that die or freeze: test/faults/kafka-log.test.ts. */

import { setTimeout as delay } from 'node:timers/promises';
import { Producer } from '@platformatic/kafka';
import type { Test } from 'tap';
import t from 'tap';
import type { OpenKafkaLogOptions } from '../../../collector/log/kafka.ts';
import { openKafkaLog } from '../../../collector/log/kafka.ts';
import type { Log } from '../../../collector/log/log.ts';
import { allTexts, recordOf, settings, textsOf } from '../../contracts/log.ts';
import { freePort } from '../../support/free-port.ts';
import { kafkaMissing } from '../../support/kafka/cache.ts';
import type { KafkaCluster } from '../../support/kafka.ts';
import { kafkaForTests } from '../../support/kafka.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const ALL = { maxRecords: 10_000, maxBytes: 64 * 1024 * 1024 };
const MEGABYTE = 1024 * 1024;
const NOTHING = { state: new Map(), outputs: [] };

function options(over: Partial<OpenKafkaLogOptions>): Omit<OpenKafkaLogOptions, 'kafka'> {
  return { ...settings(), log: silentLogger, ...over };
}

async function open(
  t: Test,
  kafka: KafkaCluster,
  prefix: string,
  over: Partial<OpenKafkaLogOptions> = {},
): Promise<Log> {
  const log = await openKafkaLog({ ...options(over), kafka: kafka.config(prefix) });
  t.teardown(() => log.close());
  return log;
}

/** Somebody who writes to a topic in a transaction, and does not end it. */
async function stranger(t: Test, kafka: KafkaCluster, topic: string) {
  const producer = new Producer({
    clientId: 'stranger',
    bootstrapBrokers: kafka.bootstrap,
    transactionalId: `stranger.${topic}`,
    idempotent: true,
    retries: 0,
  });
  t.teardown(() => producer.close());
  const transaction = await producer.beginTransaction();
  await transaction.send({
    messages: [{ topic, partition: 0, key: Buffer.from('stranger'), value: Buffer.from('{}') }],
  });
  return transaction;
}

t.test('on one broker', { skip: kafkaMissing() }, async (t) => {
  const kafka = await kafkaForTests(t);

  await t.test('two processes: the last one that takes over has it', async (t) => {
    const one = await open(t, kafka, 'two');
    const two = await open(t, kafka, 'two');
    t.equal(one.identity, two.identity);
    await one.append('raw', 0, recordOf('a'));
    await two.append('raw', 0, recordOf('b'));
    const old = await one.openProcessor(0);
    const state = new Map([['k', Buffer.from('1')]]);
    const outputs = [{ topic: 'readings' as const, record: recordOf('A') }];
    await old.commit({ position: 1, keepFrom: 1, state, outputs });
    const fresh = await two.openProcessor(0);
    t.equal(fresh.position, 1);
    t.equal(Buffer.from(fresh.state.get('k') ?? []).toString(), '1');
    await t.rejects(old.commit({ ...NOTHING, position: 2, outputs }), { code: 'LOG_FENCED' });
    await t.rejects(old.commit({ ...NOTHING, position: 2, outputs }), { code: 'LOG_FENCED' });
    await fresh.commit({ ...NOTHING, position: 2 });
    t.same(await allTexts(two, 'readings'), ['A']);
    t.same(await allTexts(one, 'readings'), ['A'], 'the same for both');

    const lease = await one.openConsumer('jobs', 'events', 0);
    await two.openConsumer('jobs', 'events', 0);
    await t.rejects(lease.commitPosition(0), { code: 'LOG_FENCED' });
  });

  await t.test('several that start at once make one log', async (t) => {
    const logs = await Promise.all(
      [1, 2, 3].map(() => open(t, kafka, 'atonce', { partitions: 2 })),
    );
    t.equal(new Set(logs.map((log) => log.identity)).size, 1);
    await logs[0]?.append('raw', 1, recordOf('a'));
    t.same(await allTexts(logs[2] as Log, 'raw', 1), ['a']);
  });

  await t.test('offsets of outputs have holes, and nobody is woken by one', async (t) => {
    const log = await open(t, kafka, 'holes');
    for (const text of ['a', 'b', 'c']) await log.append('raw', 0, recordOf(text));
    const session = await log.openProcessor(0);
    for (const [index, text] of ['A', 'B', 'C'].entries())
      await session.commit({
        position: index + 1,
        state: new Map(),
        outputs: [{ topic: 'readings', record: recordOf(text) }],
      });
    const records = await log.read('readings', 0, 0, ALL);
    t.same(textsOf(records), ['A', 'B', 'C']);
    t.same(
      records.map(({ offset }) => offset),
      [0, 2, 4],
    );
    t.same(await log.bounds('readings', 0), { first: 0, next: 6 });
    t.same(textsOf(await log.read('readings', 0, 1, ALL)), ['B', 'C'], 'from within a hole');
    const controller = new AbortController();
    let woken = false;
    const waiting = log.waitFor('readings', 0, 5, controller.signal).then(() => {
      woken = !controller.signal.aborted;
    });
    t.same(await log.read('readings', 0, 5, ALL), []);
    await delay(300);
    t.notOk(woken, 'a hole is no record');
    const consumer = await log.openConsumer('store', 'readings', 0);
    await consumer.commitPosition(5);
    t.same(log.stats().consumerLagRecords, { store: 0 }, 'nothing is left to read');
    await log.append('readings', 0, recordOf('D'));
    await waiting;
    t.ok(woken);
    t.same(textsOf(await log.read('readings', 0, 5, ALL)), ['D']);
  });

  await t.test('what was not committed is not read, and holds back nobody else', async (t) => {
    const log = await open(t, kafka, 'aborted');
    await log.append('raw', 0, recordOf('a'));
    await log.append('readings', 0, recordOf('before'));
    const transaction = await stranger(t, kafka, 'aborted.readings');
    await log.append('readings', 0, recordOf('after'));
    t.same(textsOf(await log.read('readings', 0, 0, { maxRecords: 1, maxBytes: 1 })), ['before']);
    await transaction.abort();
    await log.waitFor('readings', 0, 2, AbortSignal.timeout(60_000));
    t.same(await allTexts(log, 'readings'), ['before', 'after']);

    // A position that is committed behind a stranger's open transaction must not be missed.
    const other = await stranger(t, kafka, 'aborted.positions');
    const session = await log.openProcessor(0);
    await session.commit({ ...NOTHING, position: 1 });
    const second = await open(t, kafka, 'aborted');
    t.equal((await second.openProcessor(0)).position, 1);
    await other.abort();
  });

  await t.test('large records and commits', async (t) => {
    const log = await open(t, kafka, 'large');
    const large = Buffer.alloc(12 * MEGABYTE, 'x');
    t.equal(await log.append('raw', 0, recordOf(large)), 0);
    const [record] = await log.read('raw', 0, 0, { maxRecords: 10, maxBytes: 1 });
    t.ok(large.equals(record?.value ?? Buffer.of()));
    const tooLarge = Buffer.alloc(17 * MEGABYTE);
    await t.rejects(log.append('raw', 0, recordOf(tooLarge)), { code: 'LOG_RECORD_TOO_LARGE' });
    t.equal(log.stats().appendable, true, 'the log is well');

    const session = await log.openProcessor(0);
    const state = new Map([
      ['snapshot', Buffer.alloc(5 * MEGABYTE, 's')],
      ['small', Buffer.from('1')],
    ]);
    const outputs = Array.from({ length: 3_000 }, (_, index) => ({
      topic: index % 2 === 0 ? ('readings' as const) : ('events' as const),
      record: recordOf(Buffer.alloc(6_000, index), `s/g${index % 7}`),
    }));
    await session.commit({ position: 1, state, outputs });
    const read = await log.read('events', 0, 0, ALL);
    t.equal(read.length, 1_500);
    t.ok(read.every(({ value }, index) => value[0] === ((2 * index + 1) & 0xff)));
    await t.rejects(
      session.commit({ ...NOTHING, position: 1, state: new Map([['k', tooLarge]]) }),
      { code: 'LOG_RECORD_TOO_LARGE' },
    );
    await session.commit({ ...NOTHING, position: 1 });
    const again = await open(t, kafka, 'large');
    const reopened = await again.openProcessor(0);
    t.same([...reopened.state.keys()].sort(), ['small', 'snapshot']);
    t.equal(reopened.state.get('snapshot')?.length, 5 * MEGABYTE);
  });

  await t.test('a full log refuses records until it was trimmed', async (t) => {
    const log = await open(t, kafka, 'full', { maxBytes: 4 * MEGABYTE });
    const value = Buffer.alloc(200_000, 1);
    const append = () => log.append('raw', 0, recordOf(value)).catch((error) => error.code);
    let outcome: unknown = 0;
    let stored = 0;
    for (; typeof outcome === 'number'; outcome = await append()) stored = outcome + 1;
    t.equal(outcome, 'LOG_FULL');
    t.ok(stored > 15 && stored < 25, `${stored} records`);
    t.equal(log.stats().appendable, false);
    const session = await log.openProcessor(0);
    const outputs = [{ topic: 'readings' as const, record: recordOf('A') }];
    await session.commit({ position: stored, state: new Map(), outputs });
    t.pass('outputs and positions are still taken');
    // The next refused append asks for a trim.
    while (typeof outcome !== 'number') {
      await delay(20);
      outcome = await append();
    }
    t.equal(outcome, stored);
    // Another topic's leader may be found a little later.
    while (!log.stats().appendable) await delay(20);
    t.same(await allTexts(log, 'readings'), ['A'], 'what nobody has read stays');
  });

  await t.test('consumed records that are young enough stay', async (t) => {
    const log = await open(t, kafka, 'young', { retentionMs: 60_000 });
    for (const text of ['a', 'b', 'c']) {
      await log.append('raw', 0, recordOf(text));
      await delay(20);
    }
    const session = await log.openProcessor(0);
    await session.commit({ ...NOTHING, position: 3 });
    const [, , last] = await log.read('raw', 0, 0, ALL);
    await log.trim((last?.appendedAtMs ?? 0) + 60_000);
    t.same(await allTexts(log), ['c']);
  });

  await t.test('the log key of topic control is nobody else', async (t) => {
    const log = await open(t, kafka, 'key');
    await t.rejects(log.control.put('log', Buffer.from('x')), RangeError);
  });

  await t.test('topics that would lose or falsify records are refused', async (t) => {
    const good = await open(t, kafka, 'settings');
    await good.append('raw', 0, recordOf('a'));
    const cases: [topic: string, name: string, value: string, back: string][] = [
      ['raw', 'retention.ms', '1000000', '-1'],
      ['readings', 'cleanup.policy', 'compact', 'delete'],
      ['state', 'cleanup.policy', 'delete', 'compact'],
      ['raw', 'message.timestamp.type', 'CreateTime', 'LogAppendTime'],
      ['events', 'max.message.bytes', '1000000', String(16 * MEGABYTE)],
      ['raw', 'unclean.leader.election.enable', 'true', 'false'],
    ];
    for (const [topic, name, value, back] of cases) {
      await kafka.admin.set(`settings.${topic}`, name, value);
      await t.rejects(open(t, kafka, 'settings'), {
        code: 'LOG_TOPIC_INVALID',
        message: new RegExp(`settings.${topic}: ${name} is ${value}`),
      });
      await kafka.admin.set(`settings.${topic}`, name, back);
    }
    t.same(await allTexts(await open(t, kafka, 'settings')), ['a']);
  });

  await t.test('records without their topic control are not taken for a new log', async (t) => {
    const log = await open(t, kafka, 'lost');
    await log.append('raw', 0, recordOf('a'));
    await log.close();
    await kafka.admin.deleteTopic('lost.control');
    while ((await kafka.admin.topics()).includes('lost.control')) await delay(20);
    await t.rejects(open(t, kafka, 'lost'), { code: 'LOG_TOPIC_INVALID' });
  });

  await t.test('a broker that comes back is found again by everybody', async (t) => {
    const log = await open(t, kafka, 'back');
    const stop = new AbortController();
    t.teardown(() => stop.abort());
    const told: string[] = [];
    await log.control.follow((key) => told.push(key), stop.signal);
    await log.control.put('before', Buffer.from('1'));
    await log.append('raw', 0, recordOf('a'));
    const session = await log.openProcessor(0);
    const waiting = log.waitFor('raw', 0, 1, stop.signal);
    await kafka.kill(0);
    const lost = log.append('raw', 0, recordOf('lost')).catch((error) => error.code);
    const failed = session.commit({ ...NOTHING, position: 1 }).catch((error) => error.code);
    await kafka.restart(0);
    t.match(
      String(await lost),
      /LOG_UNAVAILABLE|^[12]$/,
      'refused, unless the broker was there in time',
    );
    if ((await failed) !== undefined)
      await t.rejects(session.commit({ ...NOTHING, position: 1 }), { code: 'LOG_UNAVAILABLE' });
    const offset = await log.append('raw', 0, recordOf('b'));
    await waiting;
    // The mark of the failure before is taken away by the next look.
    while (!log.stats().appendable) await delay(20);
    t.same(textsOf(await log.read('raw', 0, offset, ALL)), ['b']);
    await (await log.openProcessor(0)).commit({ ...NOTHING, position: 1 });
    await log.control.put('after', Buffer.from('1'));
    while (!told.includes('after')) await delay(20);
    t.same(told, ['before', 'after']);
  });
});

t.test('without a broker', async (t) => {
  const port = await freePort();
  const kafka = {
    brokers: [`127.0.0.1:${port}`],
    topicPrefix: 'none',
    replication: 1,
    minInsync: 1,
    tls: undefined,
    sasl: undefined,
  };
  const startMs = performance.now();
  await t.rejects(openKafkaLog({ ...options({}), kafka }), { code: 'LOG_UNAVAILABLE' });
  t.ok(performance.now() - startMs < 120_000, 'in time');
  const stopped = AbortSignal.abort();
  await t.rejects(openKafkaLog({ ...options({}), kafka, signal: stopped }), {
    code: 'LOG_CLOSED',
  });
});
