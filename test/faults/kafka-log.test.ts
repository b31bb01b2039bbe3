/**
 * The log on a real Kafka that is killed, frozen, and tampered with, under load. What the log acknowledged
 * is there, what it cannot take it refuses in time and by name, and it goes on by itself. The judge is the
 * pipeline's own record of what it sent (support/log-pipeline.ts).
 *
 * Alone: `node test/faults/kafka-log.test.ts --seed N`. FMS_TEST_THOROUGH=1: a minute frozen, more kills.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import type { Log } from '../../collector/log/log.ts';
import { FORM_TIMEOUT_MS, ofForm } from '../support/form.ts';
import { kafkaMissing } from '../support/kafka/cache.ts';
import { kafkaForTests } from '../support/kafka.ts';
import { seedOfRun, until } from '../support/plant.ts';
import {
  GO_ON_WITHIN_MS,
  logOn,
  PARTITIONS,
  REFUSED_WITHIN_MS,
  refusedInTime,
  underLoad,
} from './support/kafka-load.ts';
import type { LogPipeline } from './support/log-pipeline.ts';

const FROZEN_MS = ofForm({ short: 15_000, long: 60_000 });
const KILLS = ofForm({ short: 1, long: 5 });
const NOTICED_WITHIN_MS = 60_000;

const skip = kafkaMissing();
const seed = seedOfRun();
t.setTimeout(FORM_TIMEOUT_MS);
t.comment(`seed ${seed}`);

t.test('one broker', { skip, timeout: FORM_TIMEOUT_MS }, async (t) => {
  const kafka = await kafkaForTests(t);

  await t.test('killed and started again', async (t) => {
    const { pipeline } = await underLoad(t, kafka, 'killed', seed);
    for (let i = 0; i < KILLS; i++) {
      await kafka.kill(0);
      await refusedInTime(t, pipeline);
      await kafka.restart(0);
      await pipeline.more(200, GO_ON_WITHIN_MS);
    }
    await pipeline.settle(t);
  });

  await t.test(`frozen for ${FROZEN_MS / 1_000} s`, async (t) => {
    const { log, pipeline } = await underLoad(t, kafka, 'frozen', seed);
    kafka.freeze(0);
    const thawed = delay(FROZEN_MS).then(() => kafka.thaw(0));
    await refusedInTime(t, pipeline);
    t.notOk(log.stats().appendable, 'it says that it takes nothing');
    await thawed;
    await pipeline.more(200, GO_ON_WITHIN_MS);
    await until(
      'it says that it takes records again',
      GO_ON_WITHIN_MS,
      () => log.stats().appendable,
    );
    const slowest = Math.max(...pipeline.refusals.map((refusal) => refusal.tookMs));
    t.ok(slowest < REFUSED_WITHIN_MS, `the slowest was refused after ${Math.round(slowest)} ms`);
    await pipeline.settle(t);
  });

  await t.test('an operator deletes a topic', async (t) => {
    const { log, pipeline } = await underLoad(t, kafka, 'deleted', seed);
    await kafka.admin.deleteTopic('deleted.raw');
    await refusedAs(t, log, pipeline, 'LOG_TOPIC_INVALID');
    await t.rejects(logOn(t, kafka, 'deleted'), { code: 'LOG_TOPIC_INVALID' }, 'opened anew: too');
    t.notOk((await kafka.admin.topics()).includes('deleted.raw'), 'nobody made it again');
    await pipeline.stop();
  });

  await t.test('an operator deletes a topic and makes it again', async (t) => {
    const { log, pipeline } = await underLoad(t, kafka, 'again', seed);
    await kafka.admin.deleteTopic('again.raw');
    await kafka.admin.createTopic('again.raw', PARTITIONS, {
      'message.timestamp.type': 'LogAppendTime',
      'max.message.bytes': String(16 << 20),
      'retention.ms': '-1',
      'retention.bytes': '-1',
    });
    const { acknowledged } = pipeline;
    await refusedAs(t, log, pipeline, 'LOG_TOPIC_INVALID');
    t.equal(pipeline.acknowledged, acknowledged, 'nothing was acknowledged into the other topic');
    // What was on its way in that moment may be in it: nobody was told that it is durable.
    const strays = [];
    for (let p = 0; p < PARTITIONS; p++) strays.push(Number(await kafka.admin.end('again.raw', p)));
    t.comment(`written to it and refused: ${strays}`);
    await t.rejects(logOn(t, kafka, 'again'), { code: 'LOG_TOPIC_INVALID' }, 'opened anew: too');
    await pipeline.stop();
  });

  await t.test('an operator deletes a topic of outputs', async (t) => {
    const { pipeline } = await underLoad(t, kafka, 'outputs', seed);
    await kafka.admin.deleteTopic('outputs.readings');
    const { processor } = pipeline.told(0);
    await until('sessions end by name', NOTICED_WITHIN_MS, () =>
      pipeline.sessionErrors.has('LOG_TOPIC_INVALID'),
    );
    await pipeline.stop();
    const told = pipeline.told(0).processor;
    t.ok(told >= processor, 'no position was lost');
  });

  await t.test('an operator adds partitions', async (t) => {
    const { log, pipeline } = await underLoad(t, kafka, 'more', seed);
    await kafka.admin.addPartition('more.raw');
    await refusedAs(t, log, pipeline, 'LOG_PARTITIONS_CHANGED');
    await t.rejects(
      logOn(t, kafka, 'more'),
      { code: 'LOG_PARTITIONS_CHANGED' },
      'opened anew: too',
    );
    await pipeline.stop();
  });
});

/** Every append is refused by this name from some moment on. */
async function refusedAs(t: Test, log: Log, pipeline: LogPipeline, code: string): Promise<void> {
  await until(`refusals as ${code}`, NOTICED_WITHIN_MS, () => {
    const last = pipeline.refusals.slice(-8);
    return last.length === 8 && last.every((refusal) => refusal.code === code);
  });
  const { acknowledged } = pipeline;
  const record = { key: 's/g', kind: 'batch', value: Buffer.from('late') };
  for (let p = 0; p < PARTITIONS; p++)
    await t.rejects(log.append('raw', p, record), { code }, `partition ${p}: refused as ${code}`);
  t.equal(pipeline.acknowledged, acknowledged, 'nothing was acknowledged any more');
  t.notOk(log.stats().appendable);
}
