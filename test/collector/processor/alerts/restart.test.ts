/** Alerts of FMS devices wherever the processor is made anew: none is told twice, none is lost. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { AlertEntry } from '../../../../collector/processor/outputs/alert.ts';
import { RawKind } from '../../../../collector/types.ts';
import { AlertPlant } from '../../../support/alert-plant.ts';
import { said } from '../../../support/raw-records.ts';
import { cutWithin, flat, run } from '../../../support/replayed.ts';

const VALUES = [
  {},
  { sensor1: 92 },
  { sensor1: 97 },
  { sensor1: null, sensor2: 'x' },
  { isFail: true },
  { motor1: 500 },
] as const;

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('rows' as const),
      count: fc.integer({ min: 1, max: 6 }),
      values: fc.constantFrom(...VALUES),
      device: fc.constantFrom('D01', 'D02'),
      behindMs: fc.constantFrom(0, 0, 0, 40_000, 700_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom('pass' as const, 'pause' as const),
      ms: fc.constantFrom(2_000, 12_000, 60_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom('will' as const, 'stop' as const, 'state' as const, 'clock' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('silence' as const),
      rule: fc.constantFrom('*', 'temperature', 'gateway_down'),
      inMs: fc.constantFrom(0, 15_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('acknowledge' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('configure' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function play(steps: readonly Step[], isLearnt: boolean): AlertPlant {
  const plant = new AlertPlant();
  if (isLearnt) plant.rows(32);
  let versions = 1;
  for (const one of steps) {
    if (one.what === 'rows') {
      for (let i = 0; i < one.count; i++) {
        plant.row(one.values, one.device, one.behindMs);
        plant.pass(10_000);
      }
    } else if (one.what === 'pass') plant.pass(one.ms);
    else if (one.what === 'pause') plant.raw.timeMs += one.ms;
    else if (one.what === 'will') plant.state({}, RawKind.WILL);
    else if (one.what === 'stop') plant.state({ online: false, cleanEnd: true });
    else if (one.what === 'state') plant.state();
    else if (one.what === 'clock') plant.state({ clockUnsynced: true });
    else if (one.what === 'silence') {
      const fromMs = plant.raw.timeMs + one.inMs;
      plant.silence({ rule: one.rule, fromMs, untilMs: fromMs + 30_000 });
    } else if (one.what === 'configure') {
      // The same rules under another version: what is pending goes on.
      plant.configure(undefined, `v${++versions}`);
    } else {
      const alert = plant.alerts.at(-1)?.id ?? 'none';
      plant.run(RawKind.ACKNOWLEDGE, { alert, by: 'kim', note: '' });
    }
  }
  return plant;
}

/** Of each alert the versions count up, and nothing follows its end. */
function checkLives(alerts: readonly AlertEntry[]): void {
  const last = new Map<string, AlertEntry>();
  const open = new Map<string, string>();
  for (const alert of alerts) {
    const before = last.get(alert.id);
    assert.equal(alert.version, (before?.version ?? 0) + 1);
    assert.notEqual(before?.state, 'resolved');
    const whose = `${alert.device} ${alert.rule}`;
    if (before === undefined) assert.ok(!open.has(whose), `${whose} has one alert at a time`);
    if (alert.state === 'resolved') open.delete(whose);
    else open.set(whose, alert.id);
    last.set(alert.id, alert);
  }
}

t.test('property: the same alerts, wherever the processor is made anew', async () => {
  const states = new Set<string>();
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 4, maxLength: 16 }),
      fc.array(cutWithin(500), { maxLength: 12 }),
      fc.boolean(),
      (steps, cuts, isLearnt) => {
        const { raw, alerts } = play(steps, isLearnt);
        checkLives(alerts);
        for (const { rule, state } of alerts) states.add(`${rule} ${state}`);
        const whole = run(raw.records, []);
        const within = cuts.map((cut) => ({ ...cut, after: cut.after % raw.records.length }));
        const cut = run(raw.records, within);
        assert.deepEqual(flat(cut.outputs), flat(whole.outputs));
        assert.deepEqual(said(whole.outputs).alerts, alerts);
      },
    ),
    { numRuns: 40 },
  );
  assert.ok(states.size >= 8, [...states].join(', '));
});
