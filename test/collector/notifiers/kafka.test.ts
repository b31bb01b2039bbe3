/** Notifiers of two processes over a real Kafka: the partitions change hands, cleanly and by force, and all is told. */

import type { Test } from 'tap';
import t from 'tap';
import { openKafkaLog } from '../../../collector/log/kafka.ts';
import type { Log } from '../../../collector/log/log.ts';
import { NotifyPart } from '../../../collector/parts/notify.ts';
import { wholeShare } from '../../../collector/shares.ts';
import { appendAlert } from '../../support/alerts.ts';
import { kafkaMissing } from '../../support/kafka/cache.ts';
import { KafkaCluster } from '../../support/kafka.ts';
import { notifyConfig, webhook } from '../../support/notify-scene.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { WebhookServer } from '../../support/webhook-server.ts';

t.setTimeout(1_200_000);
const skip = kafkaMissing();

/** Which of the processes is the first now, as far as each of them thinks. */
class Lead {
  readonly #leads = new Set<string>();
  readonly #listeners = new Set<() => void>();

  set(...names: string[]): void {
    this.#leads.clear();
    for (const name of names) this.#leads.add(name);
    for (const listener of this.#listeners) listener();
  }

  shareOf(name: string) {
    return {
      exclusive: false,
      owned: () => (this.#leads.has(name) ? wholeShare(2).owned() : new Set<number>()),
      onChange: (listener: () => void) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }
}

async function openLog(t: Test, kafka: KafkaCluster): Promise<Log> {
  const log = await openKafkaLog({
    partitions: 2,
    maxBytes: 2 ** 30,
    retentionBytes: 2 ** 29,
    retentionMs: 1e9,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
    kafka: kafka.config('notify'),
  });
  t.teardown(() => log.close());
  return log;
}

t.test('handed over, taken away, each change told', { skip }, async (t) => {
  const kafka = await KafkaCluster.start();
  t.teardown(() => kafka.close());
  const server = await WebhookServer.start(t);
  const lead = new Lead();
  const config = notifyConfig([webhook('ops', server.url())]);
  const logs = new Map<string, Log>();
  for (const name of ['one', 'two']) {
    const log = await openLog(t, kafka);
    logs.set(name, log);
    const part = new NotifyPart({
      config: { notify: config, sites: new Map() },
      log,
      control: undefined,
      share: lead.shareOf(name),
      isWell: () => true,
      clock: { wallMs: () => Date.now() },
      logger: silentLogger,
      backoffMinMs: 50,
    });
    part.start();
    t.teardown(() => part.stop());
  }
  const log = logs.get('one')!;
  const told = (...changes: string[]) =>
    server.until(() => changes.every((change) => server.changes().includes(change)));
  lead.set('one');
  await appendAlert(log, { id: 'a' }, 0);
  await appendAlert(log, { id: 'b', gateway: 'gw2' }, 1);
  await told('firing a/1', 'firing b/1');

  lead.set('two');
  await appendAlert(log, { id: 'a', version: 2, state: 'resolved' }, 0);
  await appendAlert(log, { id: 'b', gateway: 'gw2', version: 2, severity: 'CRITICAL' }, 1);
  await told('resolved a/2', 'raised b/2');
  t.equal(server.changes().length, 4, 'nothing twice when it is handed over');

  // Both think that they are the first: one fences the other, and what is told twice has the same key.
  lead.set('one', 'two');
  await appendAlert(log, { id: 'c' }, 0);
  await appendAlert(log, { id: 'b', gateway: 'gw2', version: 3, state: 'resolved' }, 1);
  await told('firing c/1', 'resolved b/3');
  lead.set('one');
  await appendAlert(log, { id: 'd' }, 0);
  await told('firing d/1');
  t.same([...new Set(server.changes())].sort(), [
    'firing a/1',
    'firing b/1',
    'firing c/1',
    'firing d/1',
    'raised b/2',
    'resolved a/2',
    'resolved b/3',
  ]);
});
