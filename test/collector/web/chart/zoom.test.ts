/** Zooming and moving, and small trends. */

import fc from 'fast-check';
import t from 'tap';
import { rangeOf, sparkPath } from '../../../../collector/web/src/chart/spark_path.ts';
import {
  lengthOf,
  moved,
  SPAN_MAX_MS,
  SPAN_MIN_MS,
  spanOf,
  wheelFactor,
  zoomed,
} from '../../../../collector/web/src/chart/zoom.ts';

const NOW = Date.UTC(2026, 10, 22);
const span = fc
  .tuple(fc.integer({ min: 0, max: NOW }), fc.integer({ min: SPAN_MIN_MS, max: SPAN_MAX_MS }))
  .map(([fromMs, length]) => ({ fromMs, toMs: fromMs + length }));

t.test('from years to a second, and never beyond', async (t) => {
  let shown = { fromMs: NOW - 366 * 86_400_000, toMs: NOW };
  for (let i = 0; i < 60; i++) shown = zoomed(shown, 0.5, NOW - 1_000_000);
  t.equal(lengthOf(shown), SPAN_MIN_MS);
  for (let i = 0; i < 60; i++) shown = zoomed(shown, 2);
  t.equal(lengthOf(shown), SPAN_MAX_MS);
  fc.assert(
    fc.property(span, fc.double({ min: 0.01, max: 100, noNaN: true }), (before, factor) => {
      const after = zoomed(before, factor);
      t.ok(lengthOf(after) >= SPAN_MIN_MS - 1 && lengthOf(after) <= SPAN_MAX_MS + 1);
      t.ok(Number.isInteger(after.fromMs) && Number.isInteger(after.toMs));
    }),
    { numRuns: 100 },
  );
});

t.test('what is under the pointer stays there', async (t) => {
  fc.assert(
    fc.property(span, fc.double({ min: 0, max: 1, noNaN: true }), (before, share) => {
      const atMs = before.fromMs + share * lengthOf(before);
      const after = zoomed(before, 0.5, atMs);
      const where = (atMs - after.fromMs) / lengthOf(after);
      t.ok(Math.abs(where - share) < 0.01, `${share} ${where}`);
    }),
    { numRuns: 100 },
  );
});

t.test('there and back', async (t) => {
  const before = { fromMs: 1_000, toMs: 11_000 };
  t.same(moved(moved(before, 0.5), -0.5), before);
  t.same(moved(before, 1), { fromMs: 11_000, toMs: 21_000 });
  t.equal(wheelFactor(0), 1);
  t.ok(wheelFactor(-100) < 1 && wheelFactor(100) > 1);
  t.ok(wheelFactor(1e9) < 4, 'a wild wheel is held');
});

t.test('a span from any two numbers', async (t) => {
  t.same(spanOf(20_000, 10_000), { fromMs: 10_000, toMs: 20_000 }, 'in order');
  t.equal(lengthOf(spanOf(5, 5) ?? { fromMs: 0, toMs: 0 }), SPAN_MIN_MS);
  t.equal(spanOf(Number.NaN, 5), undefined);
  t.equal(spanOf(0, Number.POSITIVE_INFINITY), undefined);
});

t.test('a small trend: broken where nothing is, calm where little changes', async (t) => {
  t.equal(sparkPath([null, null], 100, 10, undefined), '');
  t.equal(sparkPath([], 100, 10, undefined), '');
  t.equal(sparkPath([0, 10], 100, 10, undefined), 'M0 10L100 0');
  t.equal(sparkPath([5, null, 10], 100, 10, 0), 'M0 5M100 0');
  t.equal(sparkPath([100, 100.1], 100, 10, undefined), 'M0 10L100 9.5');
  t.same(rangeOf([null, 3, Number.NaN, 1]), { min: 1, max: 3 });
  t.equal(sparkPath([1e308, -1e308, 0], 100, 10, undefined), 'M0 0L50 10L100 5');
});
