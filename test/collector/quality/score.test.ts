import fc from 'fast-check';
import t from 'tap';
import { DIMENSIONS, FINDING_CODES, findingKinds } from '../../../collector/findings.ts';
import { Expectation, REMOVED_AFTER_MS } from '../../../collector/quality/expected.ts';
import type { ReasonCode } from '../../../collector/quality/reasons.ts';
import {
  REASON_CODES,
  reasonKinds,
  reasonOfQuarantine,
} from '../../../collector/quality/reasons.ts';
import {
  addCounts,
  addDefects,
  expect,
  noCounts,
  score,
} from '../../../collector/quality/score.ts';

t.test('nothing to judge, nothing wrong, half of it missing', async (t) => {
  const nothing = score(noCounts());
  t.match(nothing, { completeness: null, accuracy: null, all: null, reasons: [] });
  const good = { ...noCounts(), received: 42 };
  expect(good, 42);
  t.match(score(good), { completeness: 100, accuracy: 100, timeliness: 100, all: 100 });
  t.same(score(good).reasons, []);
  const half = { ...noCounts(), received: 21 };
  expect(half, 42);
  const quality = score(half);
  t.match(quality, { completeness: 50, accuracy: 100, all: 87.5 });
  t.match(quality.reasons, [{ code: 'not_received', count: 21, points: 50 }]);
  t.ok(quality.reasons[0]?.en && quality.reasons[0].ko);
  const silent = noCounts();
  expect(silent, 10);
  t.match(score(silent), { completeness: 0, accuracy: null, all: 0 }, 'only completeness counts');
});

t.test('more than expected is no more than complete', async (t) => {
  const counts = { ...noCounts(), received: 50 };
  expect(counts, 42);
  t.equal(counts.expected, 50);
  t.equal(score(counts).completeness, 100);
});

t.test('scores stay within 0 and 100, and reasons say where every point went', async (t) => {
  const arbitrary = fc.record({
    received: fc.nat(1_000),
    quarantined: fc.nat(50),
    expected: fc.nat(2_000),
    found: fc.array(fc.tuple(fc.constantFrom(...REASON_CODES), fc.nat(100)), { maxLength: 8 }),
  });
  fc.assert(
    fc.property(arbitrary, ({ received, quarantined, expected, found }) => {
      const counts = { ...noCounts(), received, quarantined };
      for (const [code, count] of found as [ReasonCode, number][]) addDefects(counts, code, count);
      expect(counts, expected);
      const quality = score(counts);
      for (const dimension of DIMENSIONS) {
        const points = quality[dimension];
        const lost = quality.reasons
          .filter((reason) => reason.dimension === dimension)
          .reduce((sum, reason) => sum + reason.points, 0);
        if (points === null) {
          if (lost !== 0) throw new Error(`${dimension}: lost ${lost} of nothing`);
          continue;
        }
        if (!(points >= 0 && points <= 100)) throw new Error(`${dimension}: ${points}`);
        if (Math.abs(100 - points - lost) > 1e-6)
          throw new Error(`${dimension}: ${points} ${lost}`);
      }
    }),
  );
  t.pass();
});

t.test('counters add up', async (t) => {
  const a = { ...noCounts(), received: 2, latencySumMs: 10, latencyMaxMs: 7 };
  addDefects(a, 'late', 1);
  const b = { ...noCounts(), received: 3, quarantined: 1, latencySumMs: 5, latencyMaxMs: 9 };
  addDefects(b, 'late', 2);
  addDefects(b, 'too_old', 1);
  addCounts(a, b);
  t.match(a, {
    received: 5,
    quarantined: 1,
    latencySumMs: 15,
    latencyMaxMs: 9,
    defects: { timeliness: 4, accuracy: 0 },
    reasons: { late: 3, too_old: 1 },
  });
});

t.test('every finding is a reason of its dimension; quarantine has reasons too', async (t) => {
  for (const code of FINDING_CODES) t.equal(reasonKinds[code], findingKinds[code]);
  t.equal(reasonOfQuarantine('rule', 'out_of_range: 7 > 5'), 'out_of_range');
  t.equal(reasonOfQuarantine('rule', ''), 'rejected');
  t.equal(reasonOfQuarantine('too_new', 'x'), 'too_new');
  t.equal(reasonOfQuarantine('wrong_device', ''), 'wrong_device');
  t.equal(reasonOfQuarantine('garbage', ''), 'rejected');
  t.equal(reasonOfQuarantine('constructor', ''), 'rejected');
});

const span = {
  gateway: 'gw1',
  sinceMs: 1_000_000,
  intervalMs: 10_000,
  channels: ['a', 'b'],
  silent: false,
  firstReceivedMs: 1_000_000,
  lastReceivedMs: 1_000_000,
};

t.test('what is expected follows what was known at the time', async (t) => {
  const one = new Expectation([
    span,
    { ...span, sinceMs: 1_060_000, channels: ['a', 'b', 'c'] },
    { ...span, sinceMs: 1_120_000, intervalMs: 0 },
  ]);
  t.equal(one.within(0, 1_000_000), 0, 'not before it was seen');
  t.equal(one.before(940_000, 1_000_000), 12, 'unless readings of then arrived');
  t.equal(one.within(1_000_000, 1_060_000), 12);
  t.equal(one.within(1_000_000, 1_120_000), 12 + 18, 'a new channel');
  t.equal(one.within(1_120_000, 9_000_000), 0, 'no interval, no expectation');
  t.equal(new Expectation([]).within(0, 1e15), 0);
});

t.test('two gateways of one device count once; one that moved away not at all', async (t) => {
  const both = new Expectation([span, { ...span, gateway: 'gw2', channels: ['b', 'c'] }]);
  t.equal(both.within(1_000_000, 1_010_000), 3);
  const moved = new Expectation([
    span,
    { ...span, gateway: 'gw2', sinceMs: 1_010_000, channels: ['x'] },
    { ...span, sinceMs: 1_020_000, silent: true },
  ]);
  t.equal(moved.within(1_020_000, 1_030_000), 1);
});

t.test('a silent device is missed for a week', async (t) => {
  const silent = new Expectation([
    span,
    { ...span, sinceMs: 1_100_000, silent: true, lastReceivedMs: 1_050_000 },
  ]);
  const endMs = 1_050_000 + REMOVED_AFTER_MS;
  t.equal(silent.within(endMs - 10_000, endMs), 2);
  t.equal(silent.within(endMs, endMs + 1e9), 0);
});
