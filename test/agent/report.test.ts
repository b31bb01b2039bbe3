import fc from 'fast-check';
import t from 'tap';
import type { ReportRule } from '../../agent/report.ts';
import { isReportable, ReportFilter } from '../../agent/report.ts';
import type { ReaderOutput, SampledValue } from '../../agent/types.ts';
import type { Value } from '../../proto/model.ts';
import { Quality } from '../../proto/model.ts';

type Row = [timeMs: number, value: Value, quality?: SampledValue['quality']];

function outputOf([timeMs, value, quality = Quality.GOOD]: Row): ReaderOutput {
  return {
    samples: [{ sourceTimeMs: timeMs, values: [{ channel: 'a', value, quality }] }],
    rejects: [],
  };
}

/** The times of the rows that pass. */
function passing(rule: ReportRule, rows: readonly Row[]): number[] {
  const filter = new ReportFilter(new Map([['a', rule]]));
  return rows.flatMap((row) =>
    filter.apply(outputOf(row), 0).samples.map((sample) => sample.sourceTimeMs ?? Number.NaN),
  );
}

t.test('without a rule everything passes, untouched', async (t) => {
  const output = outputOf([1, 5]);
  t.equal(new ReportFilter(new Map()).apply(output, 0), output);
  const filter = new ReportFilter(new Map([['b', {}]]));
  for (let i = 0; i < 3; i++) t.equal(filter.apply(output, 0).samples.length, 1);
});

t.test('an empty rule reports changes', async (t) => {
  const rows: Row[] = [
    [1, 5],
    [2, 5],
    [3, 6],
    [4, 6],
    [5, 5],
    [6, -0],
    [7, 0],
  ];
  t.same(passing({}, rows), [1, 3, 5, 6]);
  t.same(
    passing({}, [
      [1, 'a'],
      [2, 'a'],
      [3, 'b'],
      [4, true],
      [5, true],
      [6, false],
    ]),
    [1, 3, 4, 6],
  );
});

t.test('deadbands', async (t) => {
  t.same(
    passing({ deadband: 0.5 }, [
      [1, 10],
      [2, 10.5],
      [3, 10.51],
      [4, 10.1],
      [5, 10],
    ]),
    [1, 3, 5],
    'strictly more than the band, against the last reported',
  );
  t.same(
    passing({ deadband: 0.1 }, [
      [1, 23.4],
      [2, 23.5],
      [3, 23.3],
    ]),
    [1],
    '23.5 - 23.4 is not more than 0.1',
  );
  t.same(
    passing({ deadbandPercent: 1 }, [
      [1, 200],
      [2, 202],
      [3, 197.9],
      [4, -197.9],
    ]),
    [1, 3, 4],
  );
  t.same(
    passing({ deadband: 0.5, deadbandPercent: 1 }, [
      [1, 1_000],
      [2, 1_009],
      [3, 1_011],
      [4, 1],
      [5, 1.4],
      [6, 1.6],
    ]),
    [1, 3, 4, 6],
    'with both, the larger one',
  );
});

t.test('intervals', async (t) => {
  t.same(
    passing({ minIntervalMs: 10 }, [
      [0, 1],
      [5, 2],
      [9, 3],
      [10, 4],
      [21, 4],
    ]),
    [0, 10],
  );
  t.same(
    passing({ maxIntervalMs: 10 }, [
      [0, 1],
      [9, 1],
      [10, 1],
      [15, 2],
      [24, 2],
      [25, 2],
    ]),
    [0, 10, 15, 25],
    'counted from the last reported',
  );
  t.same(
    passing({ minIntervalMs: 1_000 }, [
      [5_000, 1],
      [4_000, 2],
      [4_500, 3],
      [5_000, 3],
    ]),
    [5_000, 4_000, 5_000],
    'time running backwards passes and starts the interval anew',
  );
});

t.test('bad values and changes of quality always pass', async (t) => {
  const rule = { deadband: 100, minIntervalMs: 1_000_000 };
  const rows: Row[] = [
    [1, 5],
    [2, 5],
    [3, null, Quality.NULL],
    [4, null, Quality.NULL],
    [5, 5],
    [6, 5],
    [7, 5, Quality.DEVICE_UNCERTAIN],
    [8, 5, Quality.DEVICE_UNCERTAIN],
    [9, Number.NaN, Quality.NOT_FINITE],
  ];
  t.same(passing(rule, rows), [1, 3, 4, 5, 7, 9]);
});

t.test('a sample without a time takes the arrival', async (t) => {
  const filter = new ReportFilter(new Map([['a', { maxIntervalMs: 10 }]]));
  const output: ReaderOutput = {
    samples: [
      { sourceTimeMs: undefined, values: [{ channel: 'a', value: 1, quality: Quality.GOOD }] },
    ],
    rejects: [],
  };
  t.equal(filter.apply(output, 100).samples.length, 1);
  t.equal(filter.apply(output, 105).samples.length, 0);
  t.equal(filter.apply(output, 110).samples.length, 1);
  t.equal(filter.suppressedTotal, 1);
});

t.test('other channels of the sample and rejects stay', async (t) => {
  const filter = new ReportFilter(new Map([['a', {}]]));
  const values: SampledValue[] = [
    { channel: 'a', value: 1, quality: Quality.GOOD },
    { channel: 'b', value: 1, quality: Quality.GOOD },
  ];
  const rejects = [{ reason: 'garbage' as const, detail: '', payload: new Uint8Array() }];
  const output: ReaderOutput = { samples: [{ sourceTimeMs: 1, values }], rejects };
  filter.apply(output, 0);
  const second = filter.apply(output, 0);
  t.same(
    second.samples.map((sample) => sample.values.map((value) => value.channel)),
    [['b']],
  );
  t.equal(second.rejects, rejects);
});

const aRule = fc.record(
  {
    deadband: fc.double({ min: 0, max: 100, noNaN: true }),
    deadbandPercent: fc.double({ min: 0, max: 100, noNaN: true }),
    minIntervalMs: fc.nat(1_000),
    maxIntervalMs: fc.integer({ min: 1, max: 10_000 }),
  },
  { requiredKeys: [] },
);
const someRows = fc.array(
  fc.record({
    stepMs: fc.nat(2_000),
    value: fc.double({ min: -1_000, max: 1_000, noNaN: true }),
    isBad: fc.boolean(),
  }),
  { maxLength: 60 },
);

t.test('properties', async (t) => {
  fc.assert(
    fc.property(aRule, someRows, (rule, steps) => {
      let timeMs = 0;
      const rows: Row[] = steps.map(({ stepMs, value, isBad }) => {
        timeMs += stepMs;
        return isBad ? [timeMs, null, Quality.NULL] : [timeMs, value];
      });
      const filter = new ReportFilter(new Map([['a', rule]]));
      const kept = rows.filter((row) => filter.apply(outputOf(row), 0).samples.length > 0);
      const again = new ReportFilter(new Map([['a', rule]]));
      const keptAgain = rows.filter((row) => again.apply(outputOf(row), 0).samples.length > 0);
      if (JSON.stringify(kept) !== JSON.stringify(keptAgain)) return false;
      if (rows.some((row) => row[1] === null && !kept.includes(row))) return false;
      // Whatever is held back lies within the band of the last one kept, or within its interval.
      let last: Row | undefined;
      return rows.every((row) => {
        if (kept.includes(row)) {
          last = row;
          return true;
        }
        if (last === undefined) return false;
        const ageMs = row[0] - last[0];
        if (ageMs >= (rule.maxIntervalMs ?? Number.POSITIVE_INFINITY)) return false;
        if (ageMs < (rule.minIntervalMs ?? 0)) return true;
        const [from, to] = [Number(last[1]), Number(row[1])];
        const percent = (Math.abs(from) * (rule.deadbandPercent ?? 0)) / 100;
        return Math.abs(to - from) <= Math.max(rule.deadband ?? 0, percent) + 1e-9;
      });
    }),
    { numRuns: 500 },
  );
  t.pass('nothing is held back that the rule does not hold back');
});

t.test('infinities compare by value', async (t) => {
  const value = (number: number): SampledValue => ({
    channel: 'a',
    value: number,
    quality: Quality.DEVICE_UNCERTAIN,
  });
  const last = (number: number) => ({
    value: number,
    quality: Quality.DEVICE_UNCERTAIN,
    timeMs: 0,
  });
  const rule = { deadband: 1 };
  t.equal(isReportable(rule, last(Infinity), value(Infinity), 1), false);
  t.equal(isReportable(rule, last(Infinity), value(-Infinity), 1), true);
  t.equal(isReportable(rule, last(Infinity), value(5), 1), true);
});
