/** What people decide reaches the partitions that it is for, also when some of them fail for a while. */

import t from 'tap';
import { CollectorError } from '../../../collector/errors.ts';
import type { Log, NewRecord } from '../../../collector/log/log.ts';
import { LogDecisions } from '../../../collector/parts/decisions.ts';
import type { SilenceValue } from '../../../collector/types.ts';
import { RawKind } from '../../../collector/types.ts';
import { partitionOf } from '../../../proto/partition.ts';
import { until } from '../../support/running-collector.ts';

const NOW = 1_700_000_000_000;
const PARTITIONS = 4;

/** Takes records, except where it is told not to. */
class FakeLog implements Pick<Log, 'append' | 'partitionCount'> {
  readonly partitionCount = PARTITIONS;
  readonly taken: { partition: number; record: NewRecord }[] = [];
  /** Code by partition. */
  readonly failing = new Map<number, 'LOG_UNAVAILABLE' | 'LOG_FULL' | 'LOG_CLOSED'>();
  /** Appends wait for it. */
  readonly gates = new Map<number, Promise<void>>();
  asked = 0;

  async append(topic: string, partition: number, record: NewRecord): Promise<number> {
    this.asked++;
    if (topic !== 'raw') throw new Error(topic);
    await this.gates.get(partition);
    const code = this.failing.get(partition);
    if (code !== undefined) throw new CollectorError(code, `partition ${partition}`);
    return this.taken.push({ partition, record }) - 1;
  }

  partitions(): number[] {
    return this.taken.map(({ partition }) => partition);
  }

  /** The last value that each partition has. */
  untilMs(): number[] {
    const last = new Array<number>(PARTITIONS).fill(-1);
    for (const { partition, record } of this.taken)
      last[partition] = (JSON.parse(String(record.value)) as SilenceValue).untilMs;
    return last;
  }
}

function setUp(silenceWaitMs = 20_000): { log: FakeLog; decisions: LogDecisions } {
  const log = new FakeLog();
  const clock = { wallMs: () => NOW };
  return { log, decisions: new LogDecisions({ log: () => log, clock, silenceWaitMs }) };
}

function silence(untilMs: number, id = 'a'): SilenceValue {
  const any = { site: '*', area: '*', line: '*', device: '*', rule: '*' };
  return { id, kind: 'silence', ...any, fromMs: NOW, untilMs, by: 'Kim', reason: '점검' };
}

t.test('what is of a gateway goes to its partition', async (t) => {
  const { log, decisions } = setUp();
  const gateway = { site: 'demo', gateway: 'gw7' };
  const partition = partitionOf('demo/gw7', PARTITIONS);
  const acknowledge = { alert: 'x', by: '홍길동', note: '' };
  t.same(await decisions.acknowledge(gateway, acknowledge), { partition, offset: 0 });
  const mark = { anomaly: 'y', device: 'D01', mark: 'true', by: 'me', note: '' } as const;
  t.same(await decisions.mark(gateway, mark), { partition, offset: 1 });
  t.match(log.taken, [
    { partition, record: { key: 'demo/gw7', kind: RawKind.ACKNOWLEDGE } },
    { partition, record: { key: 'demo/gw7', kind: RawKind.MARK } },
  ]);
  t.same(
    log.taken.map(({ record }) => JSON.parse(String(record.value)) as object),
    [acknowledge, mark],
  );
  log.failing.set(partition, 'LOG_FULL');
  await t.rejects(decisions.mark(gateway, mark), { code: 'LOG_FULL' });
  const none = new LogDecisions({ log: () => undefined, clock: { wallMs: () => NOW } });
  await t.rejects(none.mark(gateway, mark), { code: 'API_NOT_READY' });
  await t.rejects(none.silence(silence(NOW + 1)), { code: 'API_NOT_READY' });
});

t.test(
  'a silence goes to every partition; the one that shows it first, and last at its end',
  async (t) => {
    const { log, decisions } = setUp();
    await decisions.silence(silence(NOW + 1_000));
    t.equal(log.partitions()[0], 0);
    t.same(log.partitions().toSorted(), [0, 1, 2, 3]);
    for (const { record } of log.taken) t.match(record, { key: '', kind: RawKind.SILENCE });
    t.same(JSON.parse(String(log.taken[3]?.record.value)), silence(NOW + 1_000));
    log.taken.length = 0;
    await decisions.silence(silence(NOW));
    t.equal(log.partitions().at(-1), 0);
    t.same(log.partitions().toSorted(), [0, 1, 2, 3]);
  },
);

t.test('partitions that fail are told later, and the others once', async (t) => {
  const { log, decisions } = setUp();
  log.failing.set(2, 'LOG_UNAVAILABLE');
  const done = decisions.silence(silence(NOW + 1_000));
  await until(async () => log.asked > 6);
  log.failing.clear();
  await done;
  t.same(log.partitions().toSorted(), [0, 1, 2, 3]);
});

t.test('who waits too long is told so, and the rest follows', async (t) => {
  const { log, decisions } = setUp(50);
  log.failing.set(3, 'LOG_UNAVAILABLE');
  await t.rejects(decisions.silence(silence(NOW + 1_000)), {
    code: 'LOG_UNAVAILABLE',
    message: /3 of 4 partitions/,
  });
  log.failing.clear();
  await until(async () => log.untilMs()[3] === NOW + 1_000);
  t.same(log.partitions().toSorted(), [0, 1, 2, 3]);
});

t.test('one that no partition has is given up', async (t) => {
  const { log, decisions } = setUp(50);
  for (let i = 0; i < PARTITIONS; i++) log.failing.set(i, 'LOG_FULL');
  await t.rejects(decisions.silence(silence(NOW + 1_000)), { code: 'LOG_FULL' });
  log.failing.clear();
  await decisions.silence(silence(NOW + 2_000, 'b'));
  await decisions.silence(silence(NOW + 2_000, 'a'));
  t.same(log.untilMs(), new Array(PARTITIONS).fill(NOW + 2_000));
  t.equal(log.taken.length, 2 * PARTITIONS, 'nothing of the first one came later');
  const { log: hanging, decisions: others } = setUp(50);
  hanging.gates.set(0, new Promise(() => undefined));
  await t.rejects(others.silence(silence(NOW + 1_000)), { code: 'LOG_UNAVAILABLE' });
});

t.test('a newer value replaces the one under way in every partition', async (t) => {
  const { log, decisions } = setUp();
  const { promise, resolve } = Promise.withResolvers<void>();
  log.gates.set(1, promise);
  log.failing.set(2, 'LOG_UNAVAILABLE');
  const setting = decisions.silence(silence(NOW + 1_000));
  await until(async () => log.partitions().includes(3));
  const ending = decisions.silence(silence(NOW));
  resolve();
  log.failing.clear();
  await Promise.all([setting, ending]);
  t.same(log.untilMs(), new Array(PARTITIONS).fill(NOW));
});

t.test('bounded, and over when the log is closed', async (t) => {
  const { log, decisions } = setUp();
  for (let i = 0; i < PARTITIONS; i++) log.failing.set(i, 'LOG_UNAVAILABLE');
  const waiting = Array.from({ length: 100 }, (_, i) =>
    decisions.silence(silence(NOW + 1_000, `s${i}`)).catch((error: unknown) => error),
  );
  await t.rejects(decisions.silence(silence(NOW + 1_000)), { code: 'API_BUSY' });
  for (let i = 0; i < PARTITIONS; i++) log.failing.set(i, 'LOG_CLOSED');
  for (const error of await Promise.all(waiting)) t.match(error, { code: 'LOG_CLOSED' });
  log.failing.clear();
  await decisions.silence(silence(NOW + 1_000));
  t.equal(log.taken.length, PARTITIONS);
});
