import fc from 'fast-check';
import t from 'tap';
import { failingMs, failuresOf } from '../../../collector/jobs/failures.ts';

const DAY = { startMs: 1_000, endMs: 2_000 };

function changes(...pairs: [number, boolean][]): { timeMs: number; failing: boolean }[] {
  return pairs.map(([timeMs, failing]) => ({ timeMs, failing }));
}

t.test('failures of a day', async (t) => {
  t.same(failuresOf([], DAY, undefined), []);
  t.same(failuresOf(changes([500, false]), DAY, undefined), []);
  t.same(
    failuresOf(changes([500, false], [1_200, true], [1_300, false]), DAY, undefined),
    [{ fromMs: 1_200, toMs: 1_300 }],
    'within the day',
  );
  t.same(
    failuresOf(changes([500, false], [900, true], [1_100, false]), DAY, undefined),
    [{ fromMs: 900, toMs: 1_100 }],
    'from the day before',
  );
  t.same(
    failuresOf(changes([500, false], [600, true], [700, false]), DAY, undefined),
    [],
    'over before the day',
  );
  t.same(
    failuresOf(changes([1_900, true], [2_100, false]), DAY, undefined),
    [{ fromMs: 1_900, toMs: undefined }],
    'into the next day',
  );
  t.same(
    failuresOf(changes([100, true], [1_500, false]), DAY, 20),
    [{ fromMs: 20, toMs: 1_500 }],
    'began before what was looked at',
  );
  t.same(
    failuresOf(changes([1_500, false]), DAY, 20),
    [{ fromMs: 20, toMs: 1_500 }],
    'no word for a day, then well again',
  );
});

t.test('time in failures', async (t) => {
  const failures = [
    { fromMs: 900, toMs: 1_100 },
    { fromMs: 1_200, toMs: 1_300 },
    { fromMs: 1_900, toMs: undefined },
  ];
  t.equal(failingMs(failures, DAY.startMs, DAY.endMs), 100 + 100 + 100);
  t.equal(failingMs([], DAY.startMs, DAY.endMs), 0);
});

t.test('a day cut in two has the same failing time', async () => {
  const times = fc.uniqueArray(fc.integer({ min: 0, max: 3_000 }), { maxLength: 30 });
  fc.assert(
    fc.property(times, fc.boolean(), fc.integer({ min: 1_001, max: 1_999 }), (at, first, cut) => {
      const sorted = at.sort((a, b) => a - b);
      const all = sorted.map((timeMs, i) => ({ timeMs, failing: (i % 2 === 0) === first }));
      const whole = failingMs(failuresOf(all, DAY, undefined), DAY.startMs, DAY.endMs);
      let parts = 0;
      for (const [startMs, endMs] of [
        [DAY.startMs, cut],
        [cut, DAY.endMs],
      ] as const) {
        parts += failingMs(failuresOf(all, { startMs, endMs }, undefined), startMs, endMs);
      }
      return whole === parts;
    }),
  );
});
