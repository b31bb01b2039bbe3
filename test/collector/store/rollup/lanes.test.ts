import t from 'tap';
import {
  adapt,
  daysOf,
  lanesOf,
  PACE,
  rest,
  shrink,
  widened,
} from '../../../../collector/store/rollup/lanes.ts';
import type { Slice } from '../../../../collector/store/rollup/touched.ts';

const MINUTE_MS = 60_000;
const SITES = new Map([['berlin', { timeZone: 'Europe/Berlin', dayStart: '06:00' }]]);

t.test('what comes in now takes a twentieth of the time at most', async (t) => {
  for (const tookMs of [100, 1_000, 4_000]) {
    let share = 0;
    for (const lane of lanesOf(SITES)) {
      if (lane.late) continue;
      // Until it knows what a run costs.
      for (let i = 0; i < 10; i++) rest(lane, PACE, tookMs);
      share += tookMs / (tookMs + rest(lane, PACE, tookMs));
    }
    t.ok(share <= 0.055, `${tookMs} ms: ${(100 * share).toFixed(1)} %`);
  }
});

t.test('one run that had to wait long does not put off the next ones as long', async (t) => {
  const lane = lanesOf(SITES)[0]!;
  for (let i = 0; i < 10; i++) rest(lane, PACE, 50);
  t.equal(rest(lane, PACE, 50), PACE.intervalMs.minutes);
  t.ok(rest(lane, PACE, 60_000) <= 10_000);
  t.equal(rest(lane, PACE, 50), PACE.intervalMs.minutes);
});

t.test(
  'statements become smaller when they take long or are refused, and grow again',
  async (t) => {
    const lane = lanesOf(SITES)[0]!;
    const slice: Slice = { devices: [], ranges: [], cells: 100_000 };
    adapt(lane, slice, 5_000);
    t.equal(lane.limits.cells, 50_000);
    t.ok(shrink(lane, slice));
    t.equal(lane.limits.cells, 25_000);
    for (let i = 0; i < 20; i++) adapt(lane, slice, 10);
    t.equal(lane.limits.cells, lane.cellsMax);
    let tries = 1;
    while (shrink(lane, slice)) tries++;
    t.equal(tries, 10, 'given up in the end');
  },
);

t.test('whole hours and the site’s own days', async (t) => {
  const at = Date.UTC(2026, 9, 25, 2, 30) / MINUTE_MS;
  const range = { from: at, to: at + 1 };
  t.same(widened('minutes', SITES, 'berlin', range), range);
  t.same(widened('hours', SITES, 'berlin', range), { from: at - 30, to: at + 30 });
  // Clocks went back an hour within it.
  const day = widened('days', SITES, 'berlin', range);
  t.same(day, {
    from: Date.UTC(2026, 9, 24, 4) / MINUTE_MS,
    to: Date.UTC(2026, 9, 25, 5) / MINUTE_MS,
  });
  t.same(widened('hours', SITES, 'berlin', { from: -1, to: 1 }), { from: -60, to: 60 });
  const slice: Slice = {
    devices: [{ site: 'berlin', device: 'd', channels: 1 }],
    ranges: [day, { from: day.to + 1_440, to: day.to + 2_880 }],
    cells: 0,
  };
  t.same(
    daysOf(SITES, slice),
    [day.from, day.to, day.to + 1_440, day.to + 2_880].map((minute) => minute * MINUTE_MS),
  );
});
