/** Who guesses waits, by name and by address; who knows the password soon does not. */

import fc from 'fast-check';
import t from 'tap';
import { LoginThrottle } from '../../../collector/access/throttle.ts';

const NOW = Date.UTC(2026, 10, 22, 12);

t.test('by name: five are free, then twice as long each time, a minute at most', async (t) => {
  const throttle = new LoginThrottle();
  let nowMs = NOW;
  let i = 0;
  const begin = (): number => throttle.begin('kim', `10.0.${i++ >> 8}.${i & 255}`, nowMs);
  for (let n = 0; n < 5; n++) t.equal(begin(), 0);
  for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
    t.equal(begin(), seconds * 1_000);
    nowMs += seconds * 1_000;
    t.equal(begin(), 0);
  }
  t.equal(throttle.begin('lee', '10.9.9.9', nowMs), 0, 'others need not');
  throttle.succeeded('kim', '10.0.0.1');
  t.equal(begin(), 0, 'the right password ends it');
});

t.test('by address: whatever the names, a quarter of an hour at most', async (t) => {
  const throttle = new LoginThrottle();
  let nowMs = NOW;
  let i = 0;
  const begin = (address: string): number => throttle.begin(`name ${i++}`, address, nowMs);
  for (let n = 0; n < 20; n++) t.equal(begin('2001:db8:1:2::1'), 0);
  t.equal(begin('2001:db8:1:2:ffff::9'), 1_000, 'who has one IPv6 address has the network');
  t.equal(begin('2001:db8:1:3::1'), 0);
  t.equal(begin('::ffff:10.0.0.1'), 0);
  for (let n = 0; n < 30; n++) {
    nowMs += 900_000;
    t.equal(begin('2001:db8:1:2::1'), 0);
  }
  t.equal(begin('2001:db8:1:2::1'), 900_000);
  nowMs += 3_600_000;
  t.equal(begin('2001:db8:1:2::1'), 0, 'forgotten after an hour');
  t.equal(begin('2001:db8:1:2::1'), 0);
});

t.test('attempts that come at once gain nothing', async (t) => {
  const throttle = new LoginThrottle();
  const begun = Array.from({ length: 100 }, (_, i) => throttle.begin('kim', `10.0.0.${i}`, NOW));
  t.equal(begun.filter((waitMs) => waitMs === 0).length, 5);
});

t.test('a clock that was set back keeps nobody out for longer than a wait', async (t) => {
  const throttle = new LoginThrottle();
  for (let n = 0; n < 5; n++) throttle.begin('kim', '10.0.0.1', NOW);
  const before = NOW - 86_400_000;
  t.equal(throttle.begin('lee', '10.0.0.1', before), 0);
  t.equal(throttle.begin('kim', '10.0.0.1', before), 1_000);
  t.equal(throttle.begin('kim', '10.0.0.1', before + 1_000), 0);
});

t.test('guesses in a time are bounded, whatever their pace and from wherever', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 300 }), (steps) => {
      const throttle = new LoginThrottle();
      let nowMs = NOW;
      let guesses = 0;
      for (const [i, step] of steps.entries()) {
        nowMs += step;
        if (throttle.begin('kim', `10.0.${i >> 8}.${i & 255}`, nowMs) === 0) guesses++;
      }
      const most = 5 + 6 + (nowMs - NOW) / 60_000 + 1;
      if (guesses > most) throw new Error(`${guesses} guesses in ${nowMs - NOW} ms`);
    }),
  );
  t.pass();
});
