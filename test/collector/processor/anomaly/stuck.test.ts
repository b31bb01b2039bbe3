import t from 'tap';
import { only, rowsOf, Watched, wandering } from '../../../support/detection.ts';

function onsetsOf(values: readonly number[]): number[] {
  const device = new Watched([{ a: {} }, only('stuck')]);
  device.feed(rowsOf(values.map((a) => ({ a }))));
  return device.scores.flatMap(({ isOnset }, i) => (isOnset ? [i] : []));
}

t.test('a channel of continuous values: within 10 readings, once', async (t) => {
  for (const decimals of [0, 2, 9]) {
    const before = wandering(1_000, { mean: 1_200, deviation: 60, decimals });
    const after = wandering(200, { mean: 1_200, deviation: 60, decimals, seed: 'b' });
    const stuck = Array<number>(60).fill(before.at(-1)!);
    const onsets = onsetsOf([...before, ...stuck, ...after]);
    t.equal(onsets.length, 1, `${decimals} decimals`);
    t.ok(onsets[0]! >= 1_000 && onsets[0]! < 1_010, `at ${onsets[0]! - 1_000}`);
  }
});

t.test('a channel that is constant, or moves in steps, is not stuck', async (t) => {
  t.same(onsetsOf(Array(5_000).fill(7)), []);
  const steps = wandering(5_000, { mean: 20, deviation: 0.4, correlation: 0.99, decimals: 0 });
  t.same(onsetsOf(steps), []);
});

t.test('where it rests (a motor at night) it is told once, and then known', async (t) => {
  const days = Array.from({ length: 5 }, (_, day) => [
    ...wandering(1_000, { mean: 900, deviation: 50, decimals: 0, seed: `day${day}` }),
    ...Array<number>(800).fill(0),
  ]).flat();
  const onsets = onsetsOf(days);
  t.equal(onsets.length, 1);
  t.ok(onsets[0]! < 1_010);
});

t.test('a pause ends a run; null neither ends nor lengthens it', async (t) => {
  const device = new Watched([{ a: {} }, only('stuck')]);
  const before = wandering(1_000);
  device.feed(rowsOf(before.map((a) => ({ a }))));
  const { timeMs } = rowsOf(Array(1_001).fill({})).at(-1)!;
  for (let i = 0; i < 20; i++)
    device.feed(rowsOf(Array(3).fill({ a: 50 }), { startMs: timeMs + i * 3_600_000 }));
  t.same(device.changes, []);
});

t.test("the rules' finding counts", async (t) => {
  const device = new Watched([{ a: { stuckAfterMs: 30_000 } }, only('stuck')]);
  device.feed(rowsOf(Array(8).fill({ a: 50 })));
  t.equal(device.onsets.length, 1);
  t.match(device.onsets[0]?.reason, { en: /has stayed at 50 for 40 s \(5 readings\)/, ko: /40초/ });
});
