/** Readings and buckets as points, columns and statistics. */

import fc from 'fast-check';
import t from 'tap';
import type { BucketItem, ReadingItem } from '../../../../collector/web/src/chart/points.ts';
import {
  byChannel,
  columnsOf,
  firstFrom,
  merged,
  pointOfBucket,
  pointOfReading,
  valueRange,
} from '../../../../collector/web/src/chart/points.ts';
import {
  goodShare,
  ofBuckets,
  ofReadings,
} from '../../../../collector/web/src/chart/statistics.ts';

const reading = (time_ms: number, value: number | null, more: object = {}): ReadingItem => ({
  channel: 'a',
  time_ms,
  value,
  quality: 0,
  treatment: 'kept',
  findings: [],
  ...more,
});

const bucket = (time_ms: number, more: Partial<BucketItem> = {}): BucketItem => ({
  channel: 'a',
  time_ms,
  end_ms: time_ms + 60_000,
  min: 1,
  max: 3,
  avg: 2,
  count: 6,
  filled: 0,
  bad: 0,
  texts: 0,
  ...more,
});

t.test('what is bad, made up or doubtful is told apart', async (t) => {
  t.match(pointOfReading(reading(1_000, 5)), { x: 1, mid: 5, isBad: false, doubt: undefined });
  t.equal(pointOfReading(reading(0, 5, { quality: 2 })).isBad, true);
  t.equal(pointOfReading(reading(0, 5, { quality: 1 })).isBad, false, 'uncertain');
  t.equal(pointOfReading(reading(0, 5, { treatment: 'filled' })).isBad, true);
  const doubted = pointOfReading(reading(0, 5, { treatment: 'flagged', findings: ['outlier'] }));
  t.same(doubted.doubt, ['outlier']);
  // As the stream sends them: without a treatment where there is none.
  const { treatment: _, findings: __, ...plain } = reading(0, 5);
  t.equal(pointOfReading(plain).doubt, undefined);
  for (const value of [null, Number.NaN, Number.POSITIVE_INFINITY, 'text'])
    t.equal(pointOfReading({ ...plain, value: value as number }).mid, null);
  t.match(pointOfBucket(bucket(60_000)), { x: 60, low: 1, mid: 2, high: 3, isBad: false });
  t.equal(pointOfBucket(bucket(0, { filled: 1 })).isBad, true);
});

t.test('points are ascending, each time once, however they came', async (t) => {
  const times = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 40 });
  fc.assert(
    fc.property(times, times, (first, second) => {
      const read = byChannel(
        first.map((ms) => reading(ms, 1)),
        pointOfReading,
      );
      const live = byChannel(
        second.map((ms) => reading(ms, 2)),
        pointOfReading,
      );
      const all = merged(read.get('a') ?? [], live.get('a') ?? []);
      const xs = all.map(({ x }) => x);
      t.same(
        xs,
        [...new Set([...first, ...second])].sort((a, b) => a - b).map((ms) => ms / 1_000),
      );
      for (const { x, mid } of all) if (second.includes(Math.round(x * 1_000))) t.equal(mid, 2);
      for (const from of [-1, 0, 0.02, 1])
        t.equal(firstFrom(all, from), xs.filter((x) => x < from).length);
    }),
    { numRuns: 50 },
  );
});

t.test('a pause breaks the line, a usual distance does not', async (t) => {
  const points = [0, 1_000, 2_000, 3_000, 60_000, 61_000].map((ms) =>
    pointOfReading(reading(ms, ms === 2_000 ? null : 1)),
  );
  const [x, low, mid, high, bad, doubt] = columnsOf(points);
  t.same(x, [0, 1, 2, 3, 31.5, 60, 61]);
  t.same(mid, [1, 1, null, 1, null, 1, 1]);
  for (const column of [low, high, bad, doubt]) t.equal(column.length, x.length);
  t.same(columnsOf([]), [[], [], [], [], [], []]);
});

t.test('marks stand where the value is, bad before doubtful', async (t) => {
  const points = [
    pointOfReading(reading(0, 7, { quality: 2, treatment: 'flagged', findings: ['stuck'] })),
    pointOfReading(reading(1_000, 8, { treatment: 'clipped', findings: ['out_of_range'] })),
  ];
  const [, , , , bad, doubt] = columnsOf(points);
  t.same(bad, [7, null]);
  t.same(doubt, [null, 8]);
});

t.test(
  'the value axis: room around, a still value is not blown up, wild numbers do not break it',
  async (t) => {
    t.same(valueRange(null, null, undefined), [0, 1]);
    t.same(valueRange(5, 5, undefined), [4.5, 5.5]);
    const [low, high] = valueRange(10, 20, { min: 0, max: null });
    t.ok(low < 0 && high > 20);
    t.same(valueRange(-1.7e308, 1.7e308, undefined), [-1.7e308, 1.7e308]);
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (a, b) => {
        const [from, to] = valueRange(Math.min(a, b), Math.max(a, b), undefined);
        t.ok(from < to || !(Number.isFinite(a) && Number.isFinite(b)) || a === b, `${a} ${b}`);
      }),
      { numRuns: 100 },
    );
  },
);

t.test('statistics of readings and of their buckets are the same', async (t) => {
  const one = fc.record({
    value: fc.integer({ min: -1_000, max: 1_000 }),
    kind: fc.constantFrom('good', 'bad', 'filled'),
  });
  fc.assert(
    fc.property(fc.array(one, { minLength: 1, maxLength: 60 }), (all) => {
      const items = all.map(({ value, kind }, i) =>
        reading(i * 1_000, value, {
          quality: kind === 'bad' ? 2 : 0,
          treatment: kind === 'filled' ? 'filled' : 'kept',
        }),
      );
      const whole = ofReadings(items).get('a');
      const good = all.filter(({ kind }) => kind === 'good').map(({ value }) => value);
      t.match(whole, {
        good: good.length,
        filled: all.filter(({ kind }) => kind === 'filled').length,
        bad: all.filter(({ kind }) => kind === 'bad').length,
        min: good.length === 0 ? null : Math.min(...good),
        max: good.length === 0 ? null : Math.max(...good),
      });
      const mean = good.reduce((sum, value) => sum + value, 0) / good.length;
      if (good.length > 0) t.ok(Math.abs((whole?.mean ?? Number.NaN) - mean) < 1e-6);
    }),
    { numRuns: 50 },
  );
});

t.test('statistics of buckets: weighted mean, no overflow, nothing good', async (t) => {
  const all = ofBuckets([
    bucket(0, { min: 0, max: 10, avg: 2, count: 3, bad: 1 }),
    bucket(60_000, { min: -5, max: 5, avg: 6, count: 1, filled: 1 }),
  ]).get('a');
  t.match(all, { min: -5, max: 10, mean: 3, good: 4, bad: 1, filled: 1 });
  t.equal(
    goodShare(all ?? { min: null, max: null, mean: null, good: 0, filled: 0, bad: 0 }),
    4 / 6,
  );
  const huge = ofBuckets([bucket(0, { avg: 1.7e308 }), bucket(60_000, { avg: 1.7e308 })]).get('a');
  t.ok(Number.isFinite(huge?.mean));
  const none = ofBuckets([bucket(0, { min: null, max: null, avg: null, count: 0, bad: 2 })]).get(
    'a',
  );
  t.match(none, { min: null, max: null, mean: null, good: 0, bad: 2 });
  t.equal(goodShare({ min: null, max: null, mean: null, good: 0, filled: 0, bad: 0 }), null);
});
