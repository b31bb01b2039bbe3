import t from 'tap';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import { startTicks } from '../../collector/ticks.ts';
import { settings } from '../contracts/log.ts';
import { FaultyLog } from '../support/faulty-log.ts';
import { silentLogger } from '../support/silent-logger.ts';

async function openLog(t: { testdir(): string; teardown(f: () => Promise<void>): void }) {
  const inner = await openSqliteLog({
    ...settings({ partitions: 3 }),
    path: `${t.testdir()}/log.sqlite`,
    log: silentLogger,
  });
  const log = new FaultyLog(inner);
  t.teardown(() => log.close());
  return log;
}

t.test('each partition gets its ticks', async (t) => {
  const log = await openLog(t);
  const ticks = startTicks({ log, intervalMs: 5 });
  t.teardown(() => ticks.close());
  const { signal } = new AbortController();
  for (let partition = 0; partition < 3; partition++) {
    await log.waitFor('raw', partition, 2, signal);
    const [record] = await log.read('raw', partition, 0, { maxRecords: 1, maxBytes: 1_000 });
    t.match(record, { kind: 'tick', key: '', partition });
    t.same(JSON.parse(Buffer.from(record?.value ?? []).toString()), {});
  }
  ticks.close();
  const { next } = await log.bounds('raw', 0);
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.ok((await log.bounds('raw', 0)).next <= next + 1, 'none after the end');
});

t.test('ticks do not pile up before a log that hangs', async (t) => {
  const log = await openLog(t);
  log.appendFault = 'hang';
  const outcomes: boolean[] = [];
  const onAppend = (succeeded: boolean) => outcomes.push(succeeded);
  const ticks = startTicks({ log, intervalMs: 2, timeoutMs: 20, onAppend });
  t.teardown(() => ticks.close());
  while (outcomes.filter((outcome) => !outcome).length < 40)
    await new Promise((resolve) => setTimeout(resolve, 5));
  t.ok(log.held >= 3 && log.held <= 3 * 4, `${log.held} wait`);
  t.notOk(outcomes.includes(true));
  log.appendFault = undefined;
  log.release();
  while (!outcomes.includes(true)) await new Promise((resolve) => setTimeout(resolve, 5));
  t.pass('the one that was late tells that the log is back');
});

t.test('each refused tick is told, each good one too', async (t) => {
  const log = await openLog(t);
  log.appendFault = 'refuse';
  let last: boolean | undefined;
  let told = 0;
  const onAppend = (succeeded: boolean) => {
    last = succeeded;
    told += 1;
  };
  const ticks = startTicks({ log, intervalMs: 2, onAppend });
  t.teardown(() => ticks.close());
  while (told < 9) await new Promise((resolve) => setTimeout(resolve, 2));
  t.equal(last, false);
  t.equal((await log.bounds('raw', 0)).next, 0);
  log.appendFault = undefined;
  while (last !== true) await new Promise((resolve) => setTimeout(resolve, 2));
  t.ok((await log.bounds('raw', 0)).next + (await log.bounds('raw', 1)).next > 0);
});
