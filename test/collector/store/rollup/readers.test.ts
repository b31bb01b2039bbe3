/** Partitions' readers over a log whose sessions may be of no use any more. */

import { join } from 'node:path';
import t from 'tap';
import { CollectorError } from '../../../../collector/errors.ts';
import type { ConsumerSession, LogTopic } from '../../../../collector/log/log.ts';
import type { Share } from '../../../../collector/shares.ts';
import { Readers } from '../../../../collector/store/rollup/readers.ts';
import { FaultyLog } from '../../../support/faulty-log.ts';
import { MemoryStore } from '../../../support/memory-store.ts';
import { appendReadings, openPlantLog } from '../../../support/rollup-plant.ts';
import { reading } from '../../../support/wire.ts';

/** As on Kafka: after a commit that failed nothing works in a session, and only another one does. */
class UselessSessions extends FaultyLog {
  failNextCommitOf: number | undefined;
  opened = 0;

  override async openConsumer(
    name: string,
    topic: LogTopic,
    partition: number,
  ): Promise<ConsumerSession> {
    const session = await super.openConsumer(name, topic, partition);
    this.opened++;
    let isUseless = false;
    return {
      position: session.position,
      intent: session.intent,
      declareIntent: (from, to) => session.declareIntent(from, to),
      commitPosition: async (to) => {
        if (this.failNextCommitOf === partition) {
          this.failNextCommitOf = undefined;
          isUseless = true;
        }
        if (isUseless) throw new CollectorError('LOG_UNAVAILABLE', 'the session is useless');
        await session.commitPosition(to);
      },
      close: () => session.close(),
    };
  }
}

t.test('a session that is of no use is replaced, and holds up no other partition', async (t) => {
  const log = new UselessSessions(await openPlantLog(join(t.testdir(), 'log.sqlite'), 2));
  t.teardown(() => log.close());
  const share: Share = {
    exclusive: false,
    owned: () => new Set([0, 1]),
    onChange: () => () => undefined,
  };
  const ends = [1, 1];
  const written = (partition: number) => ({
    position: ends[partition]!,
    healing: false,
    healedRowsTotal: 0,
  });
  const store = new MemoryStore();
  store.query = async () => [];
  const readers = new Readers({ log, store, share, written }, () => undefined);
  const { signal } = new AbortController();
  const told: string[] = [];
  const turn = async (): Promise<void> => {
    await readers.follow();
    await readers.read(({ device }) => told.push(device), signal);
  };
  for (const partition of [0, 1]) {
    const readings = [reading('sensor1', 1, { device: `D${partition}` })];
    await appendReadings(log, readings, { receivedMs: 1_000, partition });
  }
  log.failNextCommitOf = 0;
  await t.rejects(turn(), { code: 'LOG_UNAVAILABLE' });
  t.same(told, ['D0', 'D1'], 'partition 1 was read all the same');
  t.equal(readers.areLevel, false);
  await turn();
  t.equal(log.opened, 3);
  t.same(told, ['D0', 'D1', 'D0'], 'once more from where it had committed');
  t.equal(readers.areLevel, true);
  await readers.close();
});
