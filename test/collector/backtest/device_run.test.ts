import fc from 'fast-check';
import t from 'tap';
import type { Detection, Outcome, Row } from '../../../collector/backtest/device_run.ts';
import { DeviceRun } from '../../../collector/backtest/device_run.ts';
import { configurationOf } from '../../../collector/backtest/profile.ts';
import { eachRun } from '../../../collector/processor/validation/run.ts';
import { Random } from '../../../simulators/random.ts';

const CONFIGURATION = configurationOf(undefined, { trainRows: 100, intervalMs: undefined });

/** Scores every time of a chunk once by its first channel, except negative values; 9 begins an anomaly. */
function fakeDetection(delay = 0): Detection {
  const waiting: { timeMs: number; value: number }[] = [];
  const detection: Detection = {
    onRow: undefined,
    judge: ({ columns, firstSeq, fresh }) => {
      eachRun(columns.series.slice(0, 1), firstSeq, fresh, (_series, from, to) => {
        for (let i = from; i < to; i++)
          waiting.push({ timeMs: columns.timesMs[i]!, value: columns.numbers[i]! });
      });
      for (const { timeMs, value } of waiting.splice(0, waiting.length - delay)) {
        if (value < 0) continue;
        const isOnset = value === 9;
        const reason = isOnset ? { en: 'nine', ko: '구' } : undefined;
        const row = { device: 'd', timeMs, score: value / 10, isOnset, isOpen: value >= 5, reason };
        detection.onRow?.(row);
      }
      return [];
    },
    silent: () => [],
  };
  return detection;
}

function rowsOf(values: readonly number[]): Row<number>[] {
  return values.map((value, i) => ({ timeMs: 1_000 * (i + 1), cells: [value], tag: i }));
}

function runOf(detection: Detection, chunkRows?: number): DeviceRun<number> {
  return new DeviceRun<number>({
    site: 's',
    device: 'd',
    channels: ['a'],
    configuration: CONFIGURATION,
    detection,
    ...(chunkRows === undefined ? {} : { chunkRows }),
  });
}

t.test('each row has its outcome, in order, and the reason where there is one', async (t) => {
  const run = runOf(fakeDetection());
  const outcomes = run.judge(rowsOf([1, 9, 6, 2]));
  t.same(
    outcomes.map(({ tag, score, isOnset, isOpen }) => [tag, score, isOnset, isOpen]),
    [
      [0, 0.1, false, false],
      [1, 0.9, true, true],
      [2, 0.6, false, true],
      [3, 0.2, false, false],
    ],
  );
  t.equal(outcomes[1]?.reason?.ko, '구');
  t.same(run.end(), []);
});

t.test('a row that nothing was said of has the state before it', async (t) => {
  const run = runOf(fakeDetection());
  const outcomes = [...run.judge(rowsOf([9, -1, 2, -1])), ...run.end()];
  t.same(
    outcomes.map(({ score, isOpen }) => [score, isOpen]),
    [
      [0.9, true],
      [0, true],
      [0.2, false],
      [0, false],
    ],
  );
});

t.test('rows of one time are told apart by their order', async (t) => {
  const rows = rowsOf([1, 9, 3]).map((row) => ({ ...row, timeMs: 5_000 }));
  const outcomes = runOf(fakeDetection()).judge(rows);
  t.same(
    outcomes.map(({ score }) => score),
    [0.1, 0.9, 0.3],
  );
});

t.test('outcomes that come a row later are waited for', async (t) => {
  const run = runOf(fakeDetection(1), 2);
  const first = run.judge(rowsOf([1, 2, 3]));
  const last = run.end();
  t.same(
    [...first, ...last].map(({ tag, score }) => [tag, score]),
    [
      [0, 0.1],
      [1, 0.2],
      [2, 0],
    ],
  );
});

t.test('a row without readings is answered too', async (t) => {
  const run = runOf(fakeDetection());
  const rows = [{ timeMs: 1, cells: [undefined], tag: 7 }];
  t.same(
    [...run.judge(rows), ...run.end()].map(({ tag, score }) => [tag, score]),
    [[7, 0]],
  );
});

/** A walk with some spikes, gaps, repeated values and times that go back. */
function walk(seed: number, count: number): Row<number>[] {
  const random = new Random(seed, 'walk');
  let [level, timeMs] = [50, Date.UTC(2026, 0, 1)];
  return Array.from({ length: count }, (_, tag) => {
    level += random.gaussian() - 0.05 * (level - 50);
    timeMs += random.next() < 0.01 ? 600_000 : random.next() < 0.01 ? -20_000 : 10_000;
    const spike = random.next() < 0.005 ? 60 : 0;
    const second = random.next() < 0.02 ? null : 3 * level + random.gaussian();
    return { timeMs, cells: [level + spike, second, random.next() < 0.5], tag };
  });
}

function judged(rows: readonly Row<number>[], chunkRows: number): Outcome<number>[] {
  const run = new DeviceRun<number>({
    site: 's',
    device: 'd',
    channels: ['a', 'b', 'c'],
    configuration: CONFIGURATION,
    chunkRows,
  });
  return [...run.judge(rows), ...run.end()];
}

t.test('the real detectors: how the rows are cut into chunks changes nothing', async (t) => {
  const property = fc.property(fc.nat(), fc.integer({ min: 2, max: 700 }), (seed, chunkRows) => {
    const rows = walk(seed, 700);
    const alone = judged(rows, 1);
    t.equal(alone.length, rows.length);
    t.same(
      alone.map(({ tag }) => tag),
      rows.map(({ tag }) => tag),
    );
    const together = judged(rows, chunkRows);
    const differs = alone.findIndex(
      (one, i) => JSON.stringify(one) !== JSON.stringify(together[i]),
    );
    if (differs >= 0) t.same(together[differs], alone[differs], `seed ${seed}, row ${differs}`);
    return differs < 0;
  });
  fc.assert(property, { numRuns: 8, seed: 5 });
});
