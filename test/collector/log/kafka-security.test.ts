/** The log on a Kafka that asks who is there: names and passwords, certificates, and what is said of wrong ones. */

import type { Test } from 'tap';
import t from 'tap';
import type { KafkaConfig } from '../../../collector/config.ts';
import { openKafkaLog } from '../../../collector/log/kafka.ts';
import type { Log } from '../../../collector/log/log.ts';
import { FORM_TIMEOUT_MS } from '../../support/form.ts';
import { kafkaMissing } from '../../support/kafka/cache.ts';
import { kafkaForTests } from '../../support/kafka.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const skip = kafkaMissing();
// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);

function open(kafka: KafkaConfig): Promise<Log> {
  return openKafkaLog({
    kafka,
    partitions: 1,
    maxBytes: Number.MAX_SAFE_INTEGER,
    retentionBytes: Number.MAX_SAFE_INTEGER,
    retentionMs: Number.MAX_SAFE_INTEGER,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
}

/** On a busy machine a connection may take longer than the log waits for one: it is tried again. */
async function opened(kafka: KafkaConfig): Promise<Log> {
  const endMs = performance.now() + 120_000;
  for (;;) {
    try {
      return await open(kafka);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== 'LOG_UNAVAILABLE' || performance.now() > endMs) throw error;
    }
  }
}

/** Appends, reads, and commits a step: intake, reader and processor each have connections of their own. */
async function works(t: Test, kafka: KafkaConfig, what: string): Promise<void> {
  const log = await opened(kafka);
  try {
    const offset = await log.append('raw', 0, {
      key: 's/g',
      kind: 'batch',
      value: Buffer.from(what),
    });
    const [record] = await log.read('raw', 0, offset, { maxRecords: 1, maxBytes: 1_000 });
    t.equal(Buffer.from(record?.value ?? []).toString(), what, what);
    const session = await log.openProcessor(0);
    await session.commit({ position: offset + 1, state: new Map(), outputs: [] });
    await session.close();
  } finally {
    await log.close();
  }
}

t.test('names and passwords, over TLS', { skip }, async (t) => {
  const kafka = await kafkaForTests(t, { listener: 'sasl_tls' });
  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const)
    await works(t, kafka.config('fms', { mechanism }), mechanism);

  const right = kafka.config('fms', { mechanism: 'scram-sha-512' });
  const { sasl } = right;
  if (sasl === undefined) throw new Error('the cluster asks for no password');
  for (const mechanism of ['plain', 'scram-sha-256'] as const) {
    const wrong = { ...right, sasl: { ...sasl, mechanism, password: 'not-this-one' } };
    await t.rejects(open(wrong), { code: 'LOG_REFUSED' }, `${mechanism}: a wrong password`);
  }
  const nobody = { ...right, sasl: undefined };
  await t.rejects(open(nobody), { code: /LOG_(REFUSED|UNAVAILABLE)/ }, 'no password');
  const stranger = { ...right, tls: { ca: undefined, cert: undefined, key: undefined } };
  await t.rejects(open(stranger), { code: 'LOG_REFUSED' }, 'a broker that nobody vouches for');
});

t.test('certificates of clients', { skip }, async (t) => {
  const kafka = await kafkaForTests(t, { listener: 'mtls' });
  const right = kafka.config('fms');
  await works(t, right, 'with a certificate');
  const tls = { ca: right.tls?.ca, cert: undefined, key: undefined };
  await t.rejects(
    open({ ...right, tls }),
    { code: /LOG_(REFUSED|UNAVAILABLE)/ },
    'without a certificate',
  );
});
