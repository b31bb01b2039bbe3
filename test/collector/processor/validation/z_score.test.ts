import fc from 'fast-check';
import t from 'tap';
import { codesOf } from '../../../../collector/findings.ts';
import { GatewayValidation } from '../../../../collector/processor/validation/validation.ts';
import type { ChannelProfile } from '../../../../collector/profile.ts';
import { columnsOf, rowsOf } from '../../../support/detection.ts';
import { configuration, profile } from '../../../support/validation.ts';

/** Codes by reading, in chunks of so many. */
function codesFor(
  settings: Partial<ChannelProfile>,
  values: readonly number[],
  chunkRows = values.length,
): string[] {
  const config = configuration({ p: profile({ a: settings }) });
  const validation = new GatewayValidation('demo');
  const rows = rowsOf(values.map((a) => ({ a })));
  const codes: string[] = [];
  for (let from = 0; from < rows.length; from += chunkRows) {
    const columns = columnsOf(rows.slice(from, from + chunkRows));
    const count = columns.timesMs.length;
    const { sheet } = validation.judge({
      columns,
      firstSeq: from + 1,
      fresh: [{ from: from + 1, to: from + count }],
      receivedMs: rows[0]!.timeMs,
      order: 1,
      configuration: config,
    });
    for (let i = 0; i < count; i++) codes.push(codesOf(sheet.findings[i]!).join());
  }
  return codes.map((of) => of.replace(/,?future/, '').replace(/^,/, ''));
}

/** Mean 10, deviation 1. */
const plain = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 9 : 11));

t.test('farther than so many standard deviations from the mean of the last 100', async (t) => {
  const found = (value: number): string | undefined =>
    codesFor({ zScoreMax: 3 }, [...plain, value]).at(-1);
  t.same([13.01, 12.99, 7.01, 6.99].map(found), ['z_score', '', '', 'z_score']);
  t.same(codesFor({ zScoreMax: 3 }, plain).join(''), '');
});

t.test('not before 20 values, nor where all are equal, nor by implausible ones', async (t) => {
  t.equal(codesFor({ zScoreMax: 2 }, [...plain.slice(0, 19), 1e6]).at(-1), '');
  t.equal(codesFor({ zScoreMax: 2 }, [...plain.slice(0, 20), 1e6]).at(-1), 'z_score');
  t.equal(codesFor({ zScoreMax: 2 }, [...Array(50).fill(0.1), 1e6]).at(-1), '');
  const some = [...plain, ...Array(50).fill(500), 14];
  t.same(codesFor({ zScoreMax: 3, max: 100 }, some).slice(200, 202), [
    'out_of_range',
    'out_of_range',
  ]);
  t.equal(codesFor({ zScoreMax: 3, max: 100 }, some).at(-1), 'z_score');
});

t.test('values of any size', async (t) => {
  for (const value of [1e308, -1e308, 5e-324, -0])
    t.doesNotThrow(() => codesFor({ zScoreMax: 2 }, [...plain, value, ...plain]));
});

t.test('does not depend on chunks, and does not change what the outlier rule says', async (t) => {
  const values = fc.array(fc.oneof(fc.integer({ min: -50, max: 50 }), fc.double({ noNaN: true })), {
    minLength: 1,
    maxLength: 250,
  });
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 60 }), (given, chunkRows) => {
      const both = { zScoreMax: 2, outlierRanges: 1.5 };
      const codes = codesFor(both, given);
      t.same(codesFor(both, given, chunkRows), codes);
      const without = (code: string): string[] =>
        codes.map((of) =>
          of
            .split(',')
            .filter((one) => one !== code)
            .join(),
        );
      t.same(codesFor({ outlierRanges: 1.5 }, given), without('z_score'));
      t.same(codesFor({ zScoreMax: 2 }, given, chunkRows), without('outlier'));
    }),
    { numRuns: 50 },
  );
});
