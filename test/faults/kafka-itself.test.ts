/**
 * What the tests do to Kafka really happens: a broker that was killed refuses and comes back with all that it
 * acknowledged, a frozen one takes connections and answers nothing, three go on without one.
 */

import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ProduceAcks, Producer } from '@platformatic/kafka';
import type { Test } from 'tap';
import t from 'tap';
import { FORM_TIMEOUT_MS, isLongForm } from '../support/form.ts';
import { KafkaAdmin } from '../support/kafka/admin.ts';
import { kafkaMissing } from '../support/kafka/cache.ts';
import type { KafkaCluster } from '../support/kafka.ts';
import { kafkaForTests } from '../support/kafka.ts';

const skip = kafkaMissing();
// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);

async function produce(t: Test, kafka: KafkaCluster, topic: string): Promise<bigint | undefined> {
  const { tls, sasl } = kafka.config('itself');
  const producer = new Producer({
    clientId: 'itself',
    bootstrapBrokers: kafka.bootstrap,
    retries: 40,
    retryDelay: 250,
    ...(tls && { tls: { ca: tls.ca } }),
    ...(sasl && { sasl: { mechanism: 'PLAIN', username: sasl.username, password: sasl.password } }),
  });
  t.teardown(() => producer.close());
  const messages = [{ topic, partition: 0, value: Buffer.from('it') }];
  const { offsets } = await producer.send({ messages, acks: ProduceAcks.ALL });
  return offsets?.[0]?.offset;
}

function connects(address: string): Promise<boolean> {
  const [host, port] = address.split(':');
  const socket = connect(Number(port), host);
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

t.test('one broker: killed, started again, frozen', { skip }, async (t) => {
  const kafka = await kafkaForTests(t);
  const [address = ''] = kafka.bootstrap;
  await kafka.admin.createTopic('itself', 1);
  t.equal(await produce(t, kafka, 'itself'), 0n);

  await kafka.kill(0);
  t.notOk(await connects(address), 'killed: nobody listens');
  await kafka.restart(0);
  t.equal(await produce(t, kafka, 'itself'), 1n, 'it has what it acknowledged');

  kafka.freeze(0);
  t.ok(await connects(address), 'frozen: the system still takes connections');
  const impatient = new KafkaAdmin([kafka.nodes[0]?.internal ?? '']);
  t.teardown(() => impatient.close());
  t.equal(await Promise.race([impatient.brokers(), delay(1_000, 'silent')]), 'silent');
  kafka.thaw(0);
  t.equal(await produce(t, kafka, 'itself'), 2n, 'it goes on');
  await kafka.stop(0);
  t.notOk(await connects(address), 'stopped');
});

// In the short form kafka-log-cluster.test.ts shows as much.
const skipThree = isLongForm ? skip : 'long form only';

t.test('three brokers: each killed in its turn, with TLS', { skip: skipThree }, async (t) => {
  const kafka = await kafkaForTests(t, { brokers: 3, listener: 'sasl_tls' });
  await kafka.admin.createTopic('itself', 3, { 'min.insync.replicas': '2' });
  for (const i of [0, 1, 2]) {
    await kafka.kill(i);
    t.equal(await produce(t, kafka, 'itself'), BigInt(i), `without node ${i + 1}`);
    await kafka.restart(i);
  }
});
