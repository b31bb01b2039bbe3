import t from 'tap';
import { only, rowsOf, START_MS, Watched, wandering } from '../../../support/detection.ts';

const DAY_MS = 86_400_000;
const before = wandering(3_000);

/** Onsets by place. */
function onsetsOf(values: readonly number[], device = new Watched([{ a: {} }, only('novelty')])) {
  device.feed(rowsOf(values.map((a) => ({ a }))));
  return device.scores.flatMap(({ isOnset }, i) => (isOnset ? [i] : []));
}

t.test('a value never seen: at once, and in words', async (t) => {
  for (const value of [110, -10]) {
    const device = new Watched([{ a: { unit: '°C' } }, only('novelty')]);
    t.same(onsetsOf([...before, value, ...wandering(200, { seed: 'b' })], device), [3_000]);
    const { value: said, expectedLow, expectedHigh, reason } = device.onsets[0]!;
    t.equal(said, value);
    const nearest = value > 50 ? Math.max(...before) : Math.min(...before);
    t.ok(expectedLow! < nearest && expectedHigh! > nearest, `${expectedLow} to ${expectedHigh}`);
    t.match(reason.en, new RegExp(`a: ${value} °C; the nearest value ever seen is ${nearest} °C`));
    t.match(reason.ko, /지금까지 가장 가까운 값/);
  }
});

t.test('a value between those that were seen', async (t) => {
  const levels = wandering(3_000, { mean: 0, deviation: 1 }).map((a, i) => (i % 2 ? 100 + a : a));
  const device = new Watched([{ a: {} }, only('novelty')]);
  device.feed(
    rowsOf(
      [...levels, 50].map((a) => ({ a })),
      { intervalMs: 300_000 },
    ),
  );
  t.same(device.scores.at(-1)?.isOnset, true);
  t.equal(device.onsets.length, 1);
});

t.test('a level never seen, made of values that are familiar', async (t) => {
  // Ordinary values, one after the other: 40 or 60.
  const familiar = Array.from({ length: 3_000 }, (_, i) => (i % 2 ? 40 : 60) + (i % 7) / 10);
  const onsets = onsetsOf([
    ...familiar,
    ...Array.from({ length: 30 }, (_, i) => 60 + (i % 7) / 10),
  ]);
  t.equal(onsets.length, 1);
  t.ok(onsets[0]! >= 3_000 && onsets[0]! < 3_020);
});

t.test('a value that is unusual at this hour only', async (t) => {
  const device = new Watched([{ a: {} }, only('novelty')]);
  const noise = wandering(12 * 24 * 21, { mean: 0, deviation: 0.3, correlation: 0.5 });
  const night = (i: number): boolean => Math.floor(i / 12) % 24 < 8;
  const rows = rowsOf(
    noise.map((off, i) => ({ a: (night(i) ? 20 : 80) + off })),
    { intervalMs: 300_000 },
  );
  device.feed(rows);
  const learnt = device.changes.length;
  // 02:00 to 04:00 as by day.
  const again = rowsOf(
    Array.from({ length: 24 }, (_, i) => ({ a: 80 + noise[i]! })),
    { startMs: START_MS + 21 * DAY_MS + 2 * 3_600_000, intervalMs: 300_000 },
  );
  device.feed(again);
  const onset = device.changes.slice(learnt).find(({ phase }) => phase === 'onset');
  t.match(onset?.reason.en, /is usual at this hour \(02:00 UTC\)/);
});

t.test('a change that stays is told once; worse is told again', async (t) => {
  const device = new Watched([{ a: {} }, only('novelty')]);
  const higher = wandering(5, { mean: 150, seed: 'c' });
  device.feed(rowsOf([...before, ...higher].map((a) => ({ a }))));
  t.equal(device.onsets.length, 1);
  device.feed(rowsOf([{ a: 1e6 }], { startMs: START_MS + 3_005 * 10_000 }));
  t.equal(device.onsets.length, 1);
  t.equal(device.changes.at(-1)?.phase, 'peak');
  t.equal(device.changes.at(-1)?.value, 1e6);
});

t.test('nothing before it has seen enough; nothing on a channel that is constant', async (t) => {
  t.same(onsetsOf([...before.slice(0, 150), 1e6]), []);
  t.same(onsetsOf(Array(3_000).fill(5)), []);
});

t.test('a device that is read often may be wrong no more often than one that is not', async (t) => {
  const count = 20_000;
  for (const [intervalMs, most] of [
    [10_000, 0],
    [300_000, 10],
  ] as const) {
    const device = new Watched([{ a: {} }, only('novelty')]);
    const values = wandering(count, { seed: 'long', correlation: 0.95 });
    device.feed(
      rowsOf(
        values.map((a) => ({ a })),
        { intervalMs },
      ),
    );
    t.ok(device.onsets.length <= most, `${intervalMs} ms: ${device.onsets.length}`);
  }
});

t.test('implausible values do not teach: they stay unusual', async (t) => {
  const device = new Watched([{ a: { min: 0, max: 100 } }, only('novelty')]);
  const again = wandering(400, { seed: 'd' });
  t.equal(onsetsOf([...before, 140, ...again, 140, ...again, 140, ...again], device).length, 3);
});

t.test('values on the way of a drift are no experience: later they are new again', async (t) => {
  const device = new Watched([{ a: {} }, only('novelty', 'drift')]);
  const off = wandering(200, { seed: 'e' }).map((value, i) => value + 0.5 * i);
  const back = wandering(500, { seed: 'f' });
  device.feed(rowsOf([...wandering(6_000), ...off, ...back, 120].map((a) => ({ a }))));
  t.match(device.scores.at(-1), { isOnset: true });
  t.match(device.onsets.at(-1), { detector: 'novelty', value: 120 });
});
