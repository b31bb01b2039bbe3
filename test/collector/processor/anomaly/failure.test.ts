import t from 'tap';
import { INTERVAL_MS, only, rowsOf, START_MS, Watched } from '../../../support/detection.ts';

const failing = (...values: (boolean | null)[]) => rowsOf(values.map((isFail) => ({ isFail })));
const settings = { ...only('failure'), failure: { channel: 'isFail', when: 1 } };

t.test('at once, while it is true, and over afterwards', async (t) => {
  const device = new Watched([{ isFail: { type: 'boolean' } }, settings]);
  device.feed(failing(false, true, true, ...Array(20).fill(false)));
  t.same(
    device.changes.map(({ phase, onsetMs, endMs }) => [phase, onsetMs, endMs]),
    [
      ['onset', START_MS + INTERVAL_MS, 0],
      ['end', START_MS + INTERVAL_MS, START_MS + 2 * INTERVAL_MS],
    ],
  );
  t.match(device.changes[0], { detector: 'failure', channel: 'isFail', score: 1, value: 1 });
});

t.test('the other value can be the failing one; null is none', async (t) => {
  const running = { ...settings, failure: { channel: 'isFail', when: 0 } };
  const device = new Watched([{ isFail: { type: 'boolean' } }, running]);
  device.feed(failing(true, null, true));
  t.same(device.changes, []);
  device.feed(rowsOf([{ isFail: false }], { startMs: START_MS + 1e6 }));
  t.equal(device.onsets.length, 1);
});
