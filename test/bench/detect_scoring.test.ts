/** The scorers of the bench `detect` against cases worked out by hand. */

import type { Test } from 'tap';
import t from 'tap';
import { probationRows, scaledSigmoid, scoreNab } from './detect_nab.ts';
import { scoreSkab } from './detect_skab.ts';

const HOUR = 3_600_000;

/** 200 rows, the first 30 on probation; windows at rows 100-109 and 150-159. */
const FILE = {
  name: 'a.csv',
  timesMs: Array.from({ length: 200 }, (_, i) => i * HOUR),
  windows: [
    [100, 109],
    [150, 159],
  ] as const satisfies [number, number][],
};

function scored(rows: Record<number, number>, threshold?: number) {
  const scores = Array.from({ length: 200 }, (_, i) => rows[i] ?? 0);
  return scoreNab(
    [{ ...FILE, windows: [...FILE.windows] }],
    new Map([['a.csv', scores]]),
    threshold,
  );
}

function near(t: Test, found: number, wanted: number, name: string): void {
  t.ok(Math.abs(found - wanted) < 1e-9, `${name}: ${found} is ${wanted}`);
}

t.test('NAB: parts of the rule', async (t) => {
  t.equal(probationRows(200), 30);
  t.equal(probationRows(1_000_000), 750);
  t.equal(scaledSigmoid(0), 0);
  t.equal(scaledSigmoid(3.01), -1);
  near(t, scaledSigmoid(-1), 2 / (1 + Math.exp(-5)) - 1, 'early');
});

t.test('NAB: nothing found is 0, first in every window is 100', async (t) => {
  near(t, scored({}, 0.5).score, 0, 'null');
  near(t, scored({ 100: 1, 150: 1 }, 0.5).score, 100, 'perfect');
  near(t, scored({ 5: 1, 29: 1, 100: 1, 150: 1 }, 0.5).score, 100, 'probation');
  near(t, scored({ 100: 1, 104: 1, 150: 1 }, 0.5).score, 100, 'the earliest counts');
});

t.test('NAB: late and false detections by hand', async (t) => {
  // Row 109 is the last of ten: y = -1/10.
  const late = scaledSigmoid(-0.1) / scaledSigmoid(-1);
  near(t, scored({ 109: 1 }, 0.5).score, (100 * (late + 1)) / 4, 'late');
  // Before the first window -0.11; 3 rows behind one of ten: y = 3/9; far behind -0.11.
  near(t, scored({ 100: 1, 150: 1, 50: 1 }, 0.5).score, (100 * (4 - 0.11)) / 4, 'before');
  const close = 0.11 * scaledSigmoid(3 / 9);
  near(t, scored({ 100: 1, 150: 1, 112: 1 }, 0.5).score, (100 * (4 + close)) / 4, 'close behind');
  const { falseRows, found } = scored({ 100: 1, 190: 1, 191: 1 }, 0.5);
  t.equal(falseRows, 2);
  t.equal(found, 1);
});

t.test('NAB: the best threshold', async (t) => {
  const best = scored({ 100: 0.7, 150: 0.6, 50: 0.65, 60: 0.3 });
  t.equal(best.threshold, 0.6, 'both windows are worth one false row, not two');
  near(t, best.score, (100 * (4 - 0.11)) / 4, 'score');
  t.equal(
    scored({ 50: 0.9 }).threshold,
    Number.POSITIVE_INFINITY,
    'rather nothing than a false row',
  );
});

t.test('SKAB: rows after the first 400, all files together', async (t) => {
  const head = Array.from({ length: 400 }, () => true);
  const files = [
    { name: 'a', labels: [...head, false, false, true, true] },
    { name: 'b', labels: [...head, true, false] },
  ];
  const alarms = new Map([
    ['a', [...head, true, false, true, false]],
    ['b', [...head.map(() => false), true, false]],
  ]);
  const { f1, far, mar } = scoreSkab(files, alarms);
  near(t, f1, 2 / 3, 'tp 2, fp 1, fn 1');
  near(t, far, 1 / 3, 'of three good rows');
  near(t, mar, 1 / 3, 'of three bad rows');
});
