import t from 'tap';
import { only, rowsOf, Watched } from '../../../support/detection.ts';

t.test('a jump that the rules found: one anomaly, over when it is quiet again', async (t) => {
  const device = new Watched([{ a: { ratePerSecondMax: 0.1 } }, only('rate')]);
  device.feed(rowsOf([10, 10.5, 11, 40, 40, 40.5, ...Array(60).fill(40)].map((a) => ({ a }))));
  t.same(
    device.changes.map(({ phase, detector }) => `${phase} ${detector}`),
    ['onset rate', 'end rate'],
  );
  t.match(device.onsets[0], { channel: 'a', value: 40 });
  t.match(device.onsets[0]?.reason.en, /^a: changed to 40, faster than the profile allows; since/);
});

t.test('without a largest rate nothing', async (t) => {
  const device = new Watched([{ a: {} }, only('rate')]);
  device.feed(rowsOf([10, 1e6, -1e6].map((a) => ({ a }))));
  t.same(device.changes, []);
});
