/** What is asked of the API for a range: always within its bounds. */

import fc from 'fast-check';
import t from 'tap';
import { planOf, pointsPlan } from '../../../../collector/web/src/chart/plan.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Of the API: collector/api/readings/request.ts and collector/api/queries.ts. */
const PAGE_MAX = 10_000;
const ROWS_MAX = 50_000;
const POINTS_MAX = 10_000;

t.test('raw when few, thinned out, roll-ups when many', async (t) => {
  const channels = 7;
  t.same(planOf({ lengthMs: HOUR_MS, channels, intervalMs: 10_000 }), { kind: 'raw' });
  t.match(planOf({ lengthMs: DAY_MS, channels, intervalMs: 10_000 }), { kind: 'points' });
  t.match(planOf({ lengthMs: 365 * DAY_MS, channels, intervalMs: 10_000 }), {
    kind: 'buckets',
    stepMs: 24 * HOUR_MS,
  });
  t.match(planOf({ lengthMs: 365 * DAY_MS, channels, intervalMs: DAY_MS }), { kind: 'raw' });
  t.match(planOf({ lengthMs: 1_000, channels, intervalMs: 1 }), { kind: 'raw' });
  t.match(
    planOf({ lengthMs: 10 * MINUTE_MS, channels, intervalMs: 1 }),
    { kind: 'points' },
    'too short for minutes',
  );
  t.match(
    planOf({ lengthMs: 30 * DAY_MS, channels, intervalMs: null }),
    { kind: 'buckets' },
    'not known',
  );
});

t.test('no plan goes beyond what the API gives', async (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1_000, max: 5 * 366 * DAY_MS }),
      fc.integer({ min: 0, max: 1_000 }),
      fc.oneof(fc.constant(null), fc.double({ min: 0.1, max: DAY_MS, noNaN: true })),
      (lengthMs, channels, intervalMs) => {
        const plan = planOf({ lengthMs, channels, intervalMs });
        const count = Math.max(1, channels);
        if (plan.kind === 'points') {
          t.ok(plan.points >= 2 && plan.points <= POINTS_MAX && plan.points * count <= ROWS_MAX);
        } else if (plan.kind === 'buckets') {
          // One bucket more at each end: from and to are widened.
          const rows = (Math.ceil(lengthMs / plan.stepMs) + 2) * count;
          t.ok(plan.stepMs % MINUTE_MS === 0);
          t.ok(rows <= PAGE_MAX + 2 * count, `${rows} rows`);
        }
      },
    ),
    { numRuns: 200 },
  );
  t.ok(pointsPlan(0).points <= POINTS_MAX);
});
