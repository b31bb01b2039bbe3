import t from 'tap';
import { only, rowsOf, START_MS, Watched } from '../../../support/detection.ts';

const detection = { off: [], low: 10, high: 90, hysteresis: 2 };
const a = (...values: (number | null)[]) => rowsOf(values.map((value) => ({ a: value })));

function watched(): Watched {
  return new Watched([{ a: { unit: '°C', min: 0, max: 150, detection } }, only('limits')]);
}

t.test('beyond a limit at once; normal again only within the hysteresis', async (t) => {
  const device = watched();
  device.feed(a(50, 90, 91, 89, 89, 87.9, 50, 50));
  t.same(
    device.scores.map(({ score }) => score >= 0.5),
    [false, false, true, true, true, false, false, false],
  );
  t.equal(device.onsets.length, 1);
  const [onset] = device.onsets;
  t.match(onset, { detector: 'limits', channel: 'a', value: 91, onsetMs: START_MS + 20_000 });
  t.match(onset, { expectedLow: 10, expectedHigh: 90 });
  t.equal(onset?.reason.en, 'a: 91 °C; the limit is 90 °C; since 2026-01-05 00:00:20 UTC');
  t.equal(onset?.reason.ko, 'a: 91 °C, 상한 90 °C, 2026-01-05 00:00:20 UTC부터');
});

t.test('the lower limit; farther beyond is a higher score', async (t) => {
  const device = watched();
  device.feed(a(50, 9, 5, 11.9, 12));
  const scores = device.scores.map(({ score }) => score);
  t.ok(scores[1]! >= 0.5 && scores[2]! > scores[1]!);
  t.equal(scores[3], 0.5);
  t.equal(scores[4], 0);
  t.match(device.onsets[0]?.reason.en, /^a: 9 °C; the lower limit is 10 °C/);
});

t.test('what is out of the range counts; what is no value does not', async (t) => {
  const device = watched();
  device.feed(a(50, null, null, 200));
  t.same(
    device.onsets.map(({ value }) => value),
    [200],
  );
});

t.test('no limits, or switched off: nothing', async (t) => {
  const none = new Watched([{ a: {} }, only('limits')]);
  none.feed(a(1e9, -1e9));
  const off = new Watched([
    { a: { detection: { ...detection, off: ['limits'] } } },
    only('limits'),
  ]);
  off.feed(a(1e9, -1e9));
  t.same([none.changes, off.changes], [[], []]);
});
