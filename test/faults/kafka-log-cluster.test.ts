/**
 * The log on three brokers, each record on at least two of them, of which one is killed at a time: it goes
 * on within seconds. With two of them gone it acknowledges nothing.
 *
 * Alone: `node test/faults/kafka-log-cluster.test.ts --seed N`. FMS_TEST_THOROUGH=1: each of them, twice.
 */

import t from 'tap';
import { FORM_TIMEOUT_MS, isLongForm, ofForm } from '../support/form.ts';
import { kafkaMissing } from '../support/kafka/cache.ts';
import type { KafkaCluster } from '../support/kafka.ts';
import { kafkaForTests } from '../support/kafka.ts';
import { seedOfRun, until } from '../support/plant.ts';
import { GO_ON_WITHIN_MS, refusedInTime, underLoad } from './support/kafka-load.ts';

const skip = kafkaMissing();
const seed = seedOfRun();
t.setTimeout(FORM_TIMEOUT_MS);
t.comment(`seed ${seed}`);

t.test('three brokers, each killed in its turn', { skip, timeout: FORM_TIMEOUT_MS }, async (t) => {
  const kafka = await kafkaForTests(t, { brokers: 3 });
  const { pipeline } = await underLoad(t, kafka, 'three', seed);
  for (const i of ofForm({ short: [0], long: [0, 1, 2, 0, 1, 2] })) {
    await kafka.kill(i);
    await pipeline.more(500, GO_ON_WITHIN_MS);
    t.pass(`it goes on without node ${i + 1}`);
    await kafka.restart(i);
    await inSync(kafka, 'three.raw');
  }
  if (isLongForm) {
    // Two copies are asked for: with one broker left nothing is acknowledged.
    await Promise.all([kafka.kill(0), kafka.kill(1)]);
    await refusedInTime(t, pipeline);
    await Promise.all([kafka.restart(0, 2), kafka.restart(1, 2)]);
    await pipeline.more(500, GO_ON_WITHIN_MS);
  }
  await pipeline.settle(t);
});

/** Resolves when every copy of the topic is whole again. */
async function inSync(kafka: KafkaCluster, topic: string): Promise<void> {
  await until(`${topic} is in sync`, GO_ON_WITHIN_MS, async () =>
    (await kafka.admin.copies(topic)).every((count) => count === kafka.nodes.length),
  );
}
