/** A collector with data is started again: gateways are let in before its processor has caught up. */

import t from 'tap';
import type { Log } from '../../../collector/log/log.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { fmsRow } from '../../support/publisher.ts';
import { openReadings } from '../../support/raw-records.ts';
import { TestCollector, until } from '../../support/running-collector.ts';

/** The log, but what processors read of raw waits as long as `until()` says. */
function slowLog(log: Log, hold: { until: () => Promise<void> }): Log {
  return new Proxy(log, {
    get(target, name) {
      if (name === 'read')
        return async (...asked: Parameters<Log['read']>) => {
          if (asked[0] === 'raw') await hold.until();
          return target.read(...asked);
        };
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

interface Readiness {
  ready: boolean;
  checks: { name: string; ready: boolean; reason: string }[];
}

t.test('a gateway is let in while the processor catches up', async (t) => {
  const hold = { until: async (): Promise<void> => undefined };
  const opened: Log[] = [];
  const collector = new TestCollector(
    {},
    {
      openLog: async (options) => {
        const log = await openSqliteLog(options);
        opened.push(log);
        return slowLog(log, hold);
      },
    },
  );
  t.teardown(() => collector.remove());
  const stored = async (): Promise<Record<string, number>> => {
    const { body } = await collector.get('/api/v1/ledger');
    return body.totals as Record<string, number>;
  };
  const beganMs = Date.now() - 60_000;
  await collector.start();
  const before = await collector.publisher('gw1');
  for (let i = 0; i < 3; i++) await before.readings(fmsRow('D01', beganMs + i * 1_000));
  await until(async () => (await stored()).stored === 21);
  await before.close();
  await collector.stop();

  const caughtUp = Promise.withResolvers<void>();
  hold.until = () => caughtUp.promise;
  await collector.begin();
  const after = await collector.publisher('gw1');
  t.teardown(() => after.close());
  after.resume(before);
  // Each resolves with its PUBACK.
  for (let i = 3; i < 6; i++) await after.readings(fmsRow('D01', beganMs + i * 1_000));
  const { status, body } = await collector.get('/readyz');
  t.equal(status, 503);
  const { checks } = body as unknown as Readiness;
  const check = (name: string) => checks.find((one) => one.name === name);
  t.match(check('broker'), { ready: true }, 'gateways may connect');
  t.match(check('processor'), { ready: false, reason: '1 partition(s) are being taken over' });

  caughtUp.resolve();
  await until(async () => (await fetch(`${collector.base}/readyz`)).ok);
  await until(async () => (await stored()).stored === 42);
  t.match(await stored(), { balance: 0, duplicates: 0, quarantined: 0, in_flight: 0 });
  const log = opened.at(-1)!;
  const { first } = await log.bounds('readings', 0);
  const records = await log.read('readings', 0, first, { maxRecords: 100, maxBytes: 1e6 });
  const seqs = records.flatMap(({ value }) => openReadings(value)).map(({ seq }) => seq);
  t.same(
    seqs,
    Array.from({ length: 42 }, (_, i) => i + 1),
    'each once, in order',
  );
});
