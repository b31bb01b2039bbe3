/** A result as chart and as file. */

import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import t from 'tap';
import {
  chartOf,
  csvOf,
  isNumeric,
  textOf,
} from '../../../collector/web/src/pages/query/result.ts';

const column = (name: string, type: string) => ({ name, type });

t.test('our times, the times of the store, and plain numbers', async (t) => {
  const ours = chartOf({
    columns: [
      column('bucket_ms', 'Int64'),
      column('mean', 'Nullable(Float64)'),
      column('site', 'String'),
    ],
    rows: [
      ['1700000060000', 2, 'a'],
      [1_700_000_000_000, null, 'b'],
    ],
  });
  t.same(ours, {
    x: 'bucket_ms',
    isTime: true,
    names: ['mean'],
    columns: [
      [1_700_000_000, 1_700_000_060],
      [null, 2],
    ],
  });
  const theirs = chartOf({
    columns: [column('t', "DateTime64(3, 'UTC')"), column('n', 'UInt64')],
    rows: [['2026-01-02 03:04:05.678', '7']],
  });
  t.same(theirs?.columns, [[Date.UTC(2026, 0, 2, 3, 4, 5, 678) / 1000], [7]]);
  const plain = chartOf({
    columns: [column('n', 'UInt8'), column('v', 'Float64')],
    rows: [
      [2, 'nan'],
      [1, 1e308],
    ],
  });
  t.same(
    [plain?.isTime, plain?.columns],
    [
      false,
      [
        [1, 2],
        [1e308, null],
      ],
    ],
  );
});

t.test('what no line shows', async (t) => {
  const rows = [['a', 1]];
  t.equal(chartOf({ columns: [column('a', 'String'), column('b', 'UInt8')], rows }), undefined);
  t.equal(
    chartOf({ columns: [column('a', 'UInt8'), column('b', 'String')], rows: [[1, 'a']] }),
    undefined,
  );
  t.equal(chartOf({ columns: [column('a', 'UInt8'), column('b', 'UInt8')], rows: [] }), undefined);
  t.equal(chartOf({ columns: [], rows: [] }), undefined);
  t.notOk(isNumeric('Array(UInt8)'));
  t.ok(isNumeric('LowCardinality(Nullable(Float32))'));
});

t.test('CSV is read back as it was', async (t) => {
  const cells = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.constant('a"b,c\r\nd'));
  fc.assert(
    fc.property(fc.array(fc.tuple(cells, cells), { minLength: 1 }), (rows) => {
      const columns = [column('x', 'String'), column('y "quoted"', 'String')];
      const read = parse(csvOf({ columns, rows }), { record_delimiter: '\r\n' }) as string[][];
      t.same(read[0], ['x', 'y "quoted"']);
      t.same(
        read.slice(1),
        rows.map((row) => row.map((cell) => (cell === null ? '' : textOf(cell)))),
      );
    }),
  );
  t.equal(textOf([1, 'a']), '[1,"a"]');
});
