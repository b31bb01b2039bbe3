/** The life of one alert, and what its conditions are measured by. */

import fc from 'fast-check';
import t from 'tap';
import { maskOf } from '../../../../collector/findings.ts';
import { Baseline } from '../../../../collector/processor/alerts/baseline.ts';
import { RollingCounts } from '../../../../collector/processor/alerts/counters.ts';
import { durationOf } from '../../../../collector/processor/alerts/duration.ts';
import { Life } from '../../../../collector/processor/alerts/life.ts';
import { OPEN_ALERTS_MAX } from '../../../../collector/processor/alerts/limits.ts';
import { OpenAlerts } from '../../../../collector/processor/alerts/open.ts';
import type { AlertEntry } from '../../../../collector/processor/outputs/alert.ts';

const TIMING = { levels: [0, 1], forMs: 20, resolveAfterMs: 30 };

/** Ranks at times 0, 10, 20…; `!`: after a gap. */
function changes(ranks: string): string[] {
  const life = new Life();
  return ranks.split(' ').map((rank, i) => {
    const change = life.look(Number(rank.replace('!', '')), i * 10, TIMING, rank.endsWith('!'));
    return change === 'none' ? '' : `${change} ${life.level}`;
  });
}

t.test('what becomes of it', async (t) => {
  const cases: [ranks: string, wanted: string[]][] = [
    ['-1 0 0 0', ['', 'pending -1', '', 'fired 0']],
    ['1 1 1', ['pending -1', '', 'fired 1']],
    ['0 -1 0', ['pending -1', 'dropped -1', 'pending -1']],
    ['0 0 0 1 1 1', ['pending -1', '', 'fired 0', '', '', 'changed 1']],
    ['0 1 0 1', ['pending -1', '', 'fired 0', '']],
    ['1 1 1 0 0 0 0', ['pending -1', '', 'fired 1', '', '', '', 'changed 0']],
    ['1 1 1 -1 -1 -1 -1', ['pending -1', '', 'fired 1', '', '', '', 'resolved -1']],
    ['0 0 0 -1 -1 0 -1', ['pending -1', '', 'fired 0', '', '', '', '']],
    ['0 0! 0 0', ['pending -1', '', '', 'fired 0']],
    ['0 0 0 -1 -1! -1 -1 -1', ['pending -1', '', 'fired 0', '', '', '', '', 'resolved -1']],
  ];
  for (const [ranks, wanted] of cases) t.same(changes(ranks), wanted, ranks);
});

t.test('a time that goes back is a gap', async (t) => {
  const life = new Life();
  life.look(0, 100, TIMING, false);
  t.equal(life.look(0, 50, TIMING, false), 'none');
  t.equal(life.look(0, 69, TIMING, false), 'none');
  t.equal(life.look(0, 70, TIMING, false), 'fired');
});

const looks = fc.array(
  fc.record({
    rank: fc.integer({ min: -1, max: 2 }),
    ms: fc.integer({ min: 0, max: 15 }),
    isGap: fc.boolean(),
  }),
  { maxLength: 60 },
);

t.test('property: it fires and ends only after its time, and in turn', async () => {
  const timing = { levels: [0, 1, 2], forMs: 20, resolveAfterMs: 30 };
  fc.assert(
    fc.property(looks, (all) => {
      const life = new Life();
      let atMs = 1_000;
      /** Since when the rank has been at least 0, or below, without a gap. */
      let edgeMs = Number.NEGATIVE_INFINITY;
      let wasAbove = false;
      for (const { rank, ms, isGap } of all) {
        atMs += ms;
        if (isGap || rank >= 0 !== wasAbove || edgeMs < 0) edgeMs = atMs;
        wasAbove = rank >= 0;
        const before = life.level;
        const change = life.look(rank, atMs, timing, isGap);
        const heldMs = atMs - edgeMs;
        if (change === 'fired') {
          if (before >= 0 || life.level < 0 || heldMs < 20) return false;
        } else if (change === 'resolved') {
          if (before < 0 || life.level >= 0 || heldMs < 30) return false;
        } else if (change === 'changed') {
          if (before < 0 || life.level < 0 || before === life.level) return false;
        } else if (life.level !== before) return false;
        if (before < 0 && life.level < 0 && rank >= 0 && heldMs >= 20) return false;
        if (life.level >= 0 && rank < 0 && heldMs >= 30) return false;
      }
      return true;
    }),
    { numRuns: 500 },
  );
});

t.test('property: what is encoded goes on alike', async () => {
  const timing = { levels: [0, 1, 2], forMs: 20, resolveAfterMs: 30 };
  fc.assert(
    fc.property(looks, (all) => {
      const life = new Life();
      let other = new Life();
      let atMs = 1_000;
      for (const { rank, ms, isGap } of all) {
        atMs += ms;
        const json = JSON.stringify(other.encode() ?? null);
        other = Life.decode(JSON.parse(json) ?? undefined, other.level, 3);
        const isSame =
          life.look(rank, atMs, timing, isGap) === other.look(rank, atMs, timing, isGap);
        if (!isSame || life.level !== other.level || life.isPending !== other.isPending)
          return false;
      }
      return true;
    }),
    { numRuns: 500 },
  );
});

t.test('what was pending when its memory was lost begins anew, and can be dropped', async (t) => {
  const life = Life.decode(undefined, -1, 2, true);
  t.ok(life.isPending);
  t.equal(Life.decode(undefined, -1, 2, true).look(-1, 5, TIMING, false), 'dropped');
  life.look(0, 5, TIMING, false);
  t.equal(life.look(0, 24, TIMING, false), 'none');
  t.equal(life.look(0, 25, TIMING, false), 'fired');
});

t.test('counts of the last minutes', async (t) => {
  const pace = { intervalMs: 10_000, channels: 1 };
  const counts = new RollingCounts();
  t.equal(counts.quality(0, pace), null);
  t.equal(counts.errorPercent(), null);
  for (let i = 0; i < 30; i++) counts.addClean(i * 10_000, 1);
  t.equal(counts.quality(290_000, pace), 100);
  t.notOk(counts.isBlemished);
  for (let i = 30; i < 45; i++) counts.add(i * 10_000, maskOf('null_value'), true);
  t.equal(Math.round(counts.errorPercent()!), 56, '15 of 27 in the window');
  const quality = counts.quality(440_000, pace)!;
  t.ok(quality > 80 && quality < 90, `completeness alone suffers: ${quality}`);
  const restored = RollingCounts.decode(JSON.parse(JSON.stringify(counts.encode())));
  t.equal(restored.quality(440_000, pace), quality);
  t.ok(counts.isBlemished && restored.isBlemished);
  counts.looked();
  counts.addLate(10_000, maskOf('late'), false);
  t.equal(counts.quality(440_000, pace), quality, 'from before the window');
  counts.add(10_000_000, 0, false);
  t.equal(counts.quality(10_000_000, pace), 100, 'after a long gap it begins anew');
  t.notOk(counts.isBlemished);
});

t.test('a baseline', async (t) => {
  const one = new Baseline();
  for (let i = 0; i < 20; i++) one.learn(0, i * 10_000);
  for (let i = 0; i < 29; i++) one.learn(100 + (i % 3), 200_000 + i * 10_000);
  t.ok(Number.isNaN(one.value), 'too few');
  one.learn(500, 500_000);
  t.equal(one.value, 101, 'the median');
  for (let i = 0; i < 60; i++) one.learn(1e9, 510_000 + i * 10_000);
  t.ok(one.value < 102, 'it does not run after what is off');
  const restored = Baseline.decode(JSON.parse(JSON.stringify(one.encode())));
  restored.learn(90, 9_000_000);
  one.learn(90, 9_000_000);
  t.equal(restored.value, one.value);
  const ramp = new Baseline();
  for (let i = 0; i < 40; i++) ramp.learn(i * 10, i * 10_000);
  t.ok(Number.isNaN(ramp.value), 'values that do not agree teach nothing');
});

t.test('of too many alerts the mildest are not opened', async (t) => {
  const open = new OpenAlerts();
  const put = (i: number): void => {
    const id = i.toString(16).padStart(16, '0');
    open.put({ id, device: `D${i}`, rule: 'r', state: 'firing' } as AlertEntry);
  };
  let i = 0;
  for (const severity of ['INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const) {
    const from = i;
    while (open.hasRoom(severity) && i < 2 * OPEN_ALERTS_MAX) put(i++);
    t.ok(i > from, severity);
  }
  t.equal(open.size, OPEN_ALERTS_MAX);
  const again = new OpenAlerts();
  for (const bytes of open.takeHard().values()) again.restoreHard(bytes!);
  t.same(again.sorted(), open.sorted());
  t.equal(again.takeHard().size, 0);
});

t.test('durations', async (t) => {
  const cases = [
    [0, '0 s', '0초'],
    [61_000, '1 min 1 s', '1분 1초'],
    [7_200_000, '2 h', '2시간'],
    [90_061_000, '1 d 1 h', '1일 1시간'],
  ] as const;
  for (const [ms, en, ko] of cases) t.same(durationOf(ms), { en, ko });
});
