/** The heat map of the data quality as numbers, and the view as it stands in the address. */

import fc from 'fast-check';
import t from 'tap';
import {
  heatMap,
  levelOf,
  moved,
  ROWS_MAX,
  targetOf,
} from '../../../collector/web/src/pages/quality/map.ts';
import type { QualityView } from '../../../collector/web/src/pages/quality/request.ts';
import {
  addressOf,
  RANGES,
  shifted,
  spanOf,
  viewOf,
} from '../../../collector/web/src/pages/quality/request.ts';
import type { Bucket } from '../../../collector/web/src/pages/quality/types.ts';

const HOUR_MS = 3_600_000;
const NOW = 1_790_000_000_000;
const TARGETS = { completeness: 99, accuracy: 95, consistency: 98, timely_within_ms: 30_000 };

function bucket(device: string, hour: number, points: number | null): Bucket {
  const score = {
    all: points,
    completeness: points,
    accuracy: 100,
    consistency: 100,
    timeliness: null,
  };
  const counts = { expected: 10, received: 10, quarantined: 0, filled: 0 };
  const latency = { latency_avg_ms: null, latency_max_ms: 0 };
  const [from_ms, to_ms] = [hour * HOUR_MS, (hour + 1) * HOUR_MS];
  return { site: 'demo', device, from_ms, to_ms, score, ...counts, ...latency, reasons: [] };
}

t.test('the worst devices first, cells under their hours', async (t) => {
  const { columns, rows, devices } = heatMap(
    [bucket('good', 7, 100), bucket('bad', 5, 40), bucket('bad', 7, 99), bucket('none', 6, null)],
    'completeness',
  );
  t.same(
    columns.map(({ fromMs }) => fromMs / HOUR_MS),
    [5, 6, 7],
  );
  t.same(
    rows.map(({ device }) => device),
    ['bad', 'good', 'none'],
  );
  t.equal(devices, 3);
  t.same(
    rows.map(({ cells }) => cells.map((cell) => cell?.score.completeness)),
    [
      [40, undefined, 99],
      [undefined, undefined, 100],
      [undefined, null, undefined],
    ],
  );
});

t.test('bounded: the better ones are left out', async (t) => {
  const many = Array.from({ length: ROWS_MAX + 20 }, (_, i) => bucket(`D${i}`, 1, 100 - i / 10));
  const { rows, devices } = heatMap(many, 'all');
  t.equal(rows.length, ROWS_MAX);
  t.equal(devices, ROWS_MAX + 20);
  t.equal(rows[0]?.device, `D${ROWS_MAX + 19}`);
});

t.test('levels go by the targets', async (t) => {
  t.equal(levelOf(99, 'completeness', TARGETS), 'calm');
  t.equal(levelOf(98.9, 'completeness', TARGETS), 'warn');
  t.equal(levelOf(69.9, 'completeness', TARGETS), 'bad');
  t.equal(levelOf(95, 'accuracy', TARGETS), 'calm');
  t.equal(levelOf(null, 'accuracy', TARGETS), 'calm', 'not judged');
  t.equal(targetOf('all', TARGETS), (99 + 95 + 98 + 95) / 4);
});

t.test('arrow keys stay in the map', async (t) => {
  const size = { rows: 3, columns: 4 };
  t.same(moved({ row: 0, column: 0 }, 'ArrowUp', size), { row: 0, column: 0 });
  t.same(moved({ row: 0, column: 0 }, 'ArrowRight', size), { row: 0, column: 1 });
  t.same(moved({ row: 2, column: 1 }, 'End', size), { row: 2, column: 3 });
  t.equal(moved({ row: 0, column: 0 }, 'a', size), undefined);
  const keys = fc.constantFrom('ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End');
  fc.assert(
    fc.property(fc.array(keys), (pressed) => {
      let at = { row: 1, column: 1 };
      for (const key of pressed) at = moved(at, key, size) ?? at;
      return at.row >= 0 && at.row < 3 && at.column >= 0 && at.column < 4;
    }),
  );
});

t.test('the address says the view', async (t) => {
  const views = fc.record({
    site: fc.string({ maxLength: 128 }),
    range: fc.constantFrom(...(Object.keys(RANGES) as (keyof typeof RANGES)[])),
    shown: fc.constantFrom('all', 'completeness', 'accuracy', 'consistency', 'timeliness'),
    toMs: fc.option(fc.nat({ max: NOW }), { nil: undefined }),
    device: fc.option(fc.string({ maxLength: 128 }), { nil: undefined }),
    atMs: fc.option(fc.nat({ max: NOW }), { nil: undefined }),
  });
  fc.assert(
    fc.property(views, (view) => {
      t.same(viewOf(new URLSearchParams(addressOf(view as QualityView))), view);
    }),
  );
  t.match(viewOf(new URLSearchParams('range=9y&dimension=x&to=-1&at=1e3')), {
    range: '24h',
    shown: 'all',
    toMs: undefined,
    atMs: undefined,
  });
});

t.test('earlier, later, and back to now', async (t) => {
  const view = viewOf(new URLSearchParams());
  const { fromMs, toMs } = spanOf(view, NOW);
  t.equal(toMs % HOUR_MS, 0);
  t.ok(toMs >= NOW && toMs < NOW + HOUR_MS);
  t.equal(toMs - fromMs, 24 * HOUR_MS);
  const before = shifted(view, NOW, -1);
  t.equal(before.toMs, fromMs);
  t.equal(shifted(before, NOW, 1).toMs, undefined, 'the newest one goes on with the time');
});
