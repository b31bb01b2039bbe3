import t from 'tap';
import { only, rowsOf, Watched, wandering } from '../../../support/detection.ts';

function onsetsOf(values: readonly number[]): number[] {
  const device = new Watched([{ a: {} }, only('drift')]);
  device.feed(rowsOf(values.map((a) => ({ a }))));
  for (const { reason } of device.onsets) t.match(reason.en, /a: drifted to about .*; long-term/);
  return device.scores.flatMap(({ isOnset }, i) => (isOnset ? [i] : []));
}

const before = wandering(6_000);

t.test('0.1 standard deviations a reading, up or down: within 100 readings', async (t) => {
  for (const way of [1, -1]) {
    const after = wandering(150, { seed: 'b' }).map((value, i) => value + way * 0.5 * i);
    const onsets = onsetsOf([...before, ...after]);
    t.equal(onsets.length, 1);
    t.ok(onsets[0]! > 6_000 && onsets[0]! <= 6_100, `after ${onsets[0]! - 6_000}`);
  }
});

t.test('one wild value is no drift, and no data is none', async (t) => {
  t.same(onsetsOf([...before, 1e9, ...wandering(200, { seed: 'b' })]), []);
  t.same(onsetsOf([...before, -1e90, ...wandering(200, { seed: 'b' })]), []);
});

t.test('a channel that follows something slower has no long-term level', async (t) => {
  const wave = Array.from(
    { length: 8_640 },
    (_, i) => 20 + 10 * Math.sin((i / 8_640) * 2 * Math.PI),
  );
  t.same(onsetsOf([...wave, ...wave]), []);
});

t.test('a level that stays is the normal one after 2,000 readings', async (t) => {
  const device = new Watched([{ a: {} }, only('drift')]);
  const higher = wandering(2_500, { mean: 120, seed: 'c' });
  device.feed(rowsOf([...before, ...higher].map((a) => ({ a }))));
  t.same(
    device.changes.map(({ phase }) => phase).filter((phase) => phase !== 'peak'),
    ['onset', 'end'],
  );
});
