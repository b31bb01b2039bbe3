import fc from 'fast-check';
import t from 'tap';
import { Random } from '../../simulators/random.ts';
import type { BooleanSignal, NumberSignal } from '../../simulators/signal.ts';
import { round, SignalSource } from '../../simulators/signal.ts';

const plain: NumberSignal = {
  type: 'number',
  mean: 50,
  stddev: 5,
  min: Number.NEGATIVE_INFINITY,
  max: Number.POSITIVE_INFINITY,
  decimals: 6,
  autocorrelation: 0.9,
  outlierProbability: 0,
  outlierSigmas: 8,
  minusOneProbability: 0,
};

function numbers(signal: NumberSignal, seed: number, count: number): number[] {
  const source = new SignalSource(signal, new Random(seed, 'test'));
  return Array.from({ length: count }, () => Number(source.draw().value));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function covariance(values: readonly number[], lag: number): number {
  const mean = meanOf(values);
  let sum = 0;
  for (let i = lag; i < values.length; i++)
    sum += ((values[i] ?? 0) - mean) * ((values[i - lag] ?? 0) - mean);
  return sum / (values.length - lag);
}

t.test('the same seed gives the same stream, another seed or name another', async (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.string(), (seed, name) => {
      const draw = (s: number, n: string): number[] => {
        const random = new Random(s, n);
        return Array.from({ length: 8 }, () => random.next());
      };
      t.same(draw(seed, name), draw(seed, name));
      t.notSame(draw(seed, name), draw(seed + 1, name));
      t.notSame(draw(seed, name), draw(seed, `${name}x`));
    }),
    { numRuns: 50 },
  );
});

t.test('uniform numbers are uniform', async (t) => {
  const random = new Random(1, 'uniform');
  const bins = new Array<number>(16).fill(0);
  for (let i = 0; i < 160_000; i++) {
    const bin = random.int(16);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  const chiSquare = bins.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0);
  t.ok(chiSquare < 45, `chi-square with 15 degrees of freedom: ${chiSquare}`);
});

t.test('a signal has the mean, deviation and autocorrelation that it is given', async (t) => {
  fc.assert(
    fc.property(
      fc.record({
        seed: fc.integer(),
        mean: fc.integer({ min: -1_000, max: 1_000 }),
        stddev: fc.integer({ min: 1, max: 100 }),
        autocorrelation: fc.constantFrom(0, 0.5, 0.9),
      }),
      ({ seed, ...given }) => {
        const values = numbers({ ...plain, ...given }, seed, 40_000);
        const variance = covariance(values, 0);
        const correlation = covariance(values, 1) / variance;
        const { mean, stddev, autocorrelation } = given;
        // The mean of n correlated samples varies by stddev × sqrt((1+r)/(1-r)/n): 6 of these.
        const spread =
          (6 * stddev * Math.sqrt((1 + autocorrelation) / (1 - autocorrelation))) / 200;
        if (Math.abs(meanOf(values) - mean) > spread) throw new Error(`mean ${meanOf(values)}`);
        if (Math.abs(Math.sqrt(variance) / stddev - 1) > 0.12)
          throw new Error(`stddev ${Math.sqrt(variance)}`);
        if (Math.abs(correlation - autocorrelation) > 0.05) throw new Error(`r ${correlation}`);
      },
    ),
    { numRuns: 30 },
  );
  t.pass('30 signals of 40,000 samples');
});

t.test('ordinary values stay in the range, with their decimals', async (t) => {
  const signal = { ...plain, stddev: 40, min: 0, max: 100, decimals: 2 };
  const values = numbers(signal, 3, 20_000);
  t.ok(values.every((value) => value >= 0 && value <= 100));
  t.ok(values.includes(0) && values.includes(100), 'the bounds are reached');
  t.ok(values.every((value) => value === round(value, 2)));
  t.equal(Object.is(round(-0.001, 2), 0), true, 'never -0, which JSON does not keep');
});

t.test(
  'outliers and -1 come as often as they are given, marked, and leave the rest alone',
  async (t) => {
    const signal = { ...plain, outlierProbability: 0.02, minusOneProbability: 0.01 };
    const source = new SignalSource(signal, new Random(7, 'test'));
    const without = new SignalSource(plain, new Random(7, 'test'));
    const count = { outlier: 0, minus_one: 0 };
    for (let i = 0; i < 50_000; i++) {
      const drawn = source.draw();
      const plainValue = without.draw().value;
      if (drawn.mark === undefined) {
        if (drawn.value !== plainValue) t.fail('an ordinary value changed');
        continue;
      }
      count[drawn.mark]++;
      if (drawn.mark === 'minus_one') {
        if (drawn.value !== -1) t.fail('-1');
      } else if (Math.abs(Number(drawn.value) - 50) < 8 * 5 - 1e-6) t.fail('an outlier is near');
    }
    t.ok(count.outlier > 850 && count.outlier < 1_150, `outliers: ${count.outlier} of 50,000`);
    t.ok(count.minus_one > 400 && count.minus_one < 600, `-1: ${count.minus_one} of 50,000`);
  },
);

t.test('a boolean has its share of true, in spells', async (t) => {
  const signal: BooleanSignal = { type: 'boolean', probability: 0.1, autocorrelation: 0.9 };
  const source = new SignalSource(signal, new Random(11, 'test'));
  const values = Array.from({ length: 200_000 }, () => source.draw().value === true);
  const share = values.filter((value) => value).length / values.length;
  const changes = values.filter((value, i) => i > 0 && value !== values[i - 1]).length;
  t.ok(Math.abs(share - 0.1) < 0.02, `share ${share}`);
  // Of 200,000 steps a tenth is drawn anew, of those 2 × 0.1 × 0.9 change.
  t.ok(Math.abs(changes / 3_600 - 1) < 0.15, `changes ${changes}`);
});
