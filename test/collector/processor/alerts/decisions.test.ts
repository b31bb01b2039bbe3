/** Silences, acknowledgements, configurations, cold starts, and content that is none. */

import fc from 'fast-check';
import t from 'tap';
import { Processor } from '../../../../collector/processor/processor.ts';
import type { AlertRule } from '../../../../collector/profile.ts';
import { RawKind } from '../../../../collector/types.ts';
import { AlertPlant } from '../../../support/alert-plant.ts';
import { profile } from '../../../support/validation.ts';
import { anyReading, reading } from '../../../support/wire.ts';

function rule(when: string, more: Partial<AlertRule> = {}): AlertRule {
  const levels = [{ severity: 'ERROR' as const, when }];
  return { name: 'r', title: 'R', levels, forMs: 0, resolveAfterMs: 0, ...more };
}

function plant(...alerts: AlertRule[]): AlertPlant {
  return new AlertPlant({ p: profile({ a: {}, b: {}, c: { type: 'boolean' } }, { alerts }) });
}

/** One reading, and then a tick. */
function send(one: AlertPlant, values: Record<string, number | boolean>, device = 'D01'): void {
  const { timeMs } = one.raw;
  const all = Object.entries(values);
  one.send(all.map(([channel, value]) => reading(channel, value, { device, timeMs })));
  one.pass(1_000);
}

t.test('a silence: what begins in it, what it ends over, what it begins over', async (t) => {
  const one = plant(rule('a > 5'));
  one.silence({ id: 's1', untilMs: one.raw.timeMs + 20_000 });
  send(one, { a: 6 });
  t.same(one.told(), ['r firing ERROR silence s1']);
  one.passOnline(20_000);
  t.same(one.told(), ['r firing ERROR'], 'still firing when it ends');
  one.silence({ id: 's2', fromMs: one.raw.timeMs + 5_000 });
  one.pass(4_000);
  t.same(one.told(), []);
  one.pass(2_000);
  t.same(one.told(), ['r firing ERROR silence s2']);
  one.silence({ id: 's2', untilMs: one.raw.timeMs });
  one.pass(2_000);
  t.same(one.told(), ['r firing ERROR'], 'ended by hand');
  one.silence({ id: 's3', rule: 'other' });
  one.silence({ id: 's4', device: 'D02' });
  one.pass(2_000);
  t.same(one.told(), [], 'of something else');
  const versions = one.alerts.map(({ version }) => version);
  t.same(versions, versions.toSorted(), 'versions count up');
});

t.test('an acknowledgement', async (t) => {
  const levels = [
    { severity: 'WARNING' as const, when: 'a > 5' },
    { severity: 'CRITICAL' as const, when: 'a > 9' },
  ];
  const one = plant(rule('', { levels }));
  send(one, { a: 6 });
  const [{ id } = { id: '' }] = one.alerts;
  one.told();
  one.run(RawKind.ACKNOWLEDGE, { alert: id, by: 'kim', note: 'I go there' });
  t.match(one.alerts, [
    {
      id,
      version: 2,
      state: 'acknowledged',
      acknowledgedBy: 'kim',
      acknowledgedNote: 'I go there',
    },
  ]);
  one.told();
  send(one, { a: 7 });
  t.same(one.told(), []);
  send(one, { a: 10 });
  t.same(one.told(), ['r firing CRITICAL'], 'what got worse is news');
  send(one, { a: 7 });
  send(one, { a: 1 });
  t.same(one.told(), ['r firing WARNING', 'r resolved WARNING']);
  one.events.length = 0;
  for (const alert of [id, 'none', 7, null]) one.run(RawKind.ACKNOWLEDGE, { alert });
  one.run(RawKind.ACKNOWLEDGE, null);
  t.same(one.told(), []);
  t.same(new Set(one.events.map(({ kind }) => kind)), new Set(['decision_refused']));
});

t.test('another configuration', async (t) => {
  const one = plant(rule('a > 5'), rule('b > 5', { name: 'q', forMs: 60_000 }));
  send(one, { a: 6, b: 6 });
  t.same(one.told(), ['r firing ERROR']);
  const alerts = [rule('b > 5', { name: 'q', forMs: 3_000 })];
  one.configure({ p: profile({ a: {}, b: {}, c: { type: 'boolean' } }, { alerts }) }, 'v2');
  one.pass(1_000);
  t.match(one.alerts, [{ rule: 'r', state: 'resolved', resolvedBy: 'rule_removed' }]);
  one.told();
  send(one, { b: 6 });
  send(one, { b: 6 });
  t.same(one.told(), ['q firing ERROR'], 'what was pending goes on');
});

function fired(one: AlertPlant): string[] {
  return one.told().filter((alert) => /^r (firing|resolved)/.test(alert));
}

t.test('missing values, gaps and times that go back say nothing', async (t) => {
  const one = plant(rule('a > 5 && b > 5', { forMs: 3_000, resolveAfterMs: 2_000 }));
  for (let i = 0; i < 5; i++) send(one, { a: 6 });
  t.same(fired(one), [], 'b is missing');
  send(one, { b: 6 });
  one.pass(300_000);
  send(one, { a: 6, b: 6 });
  one.pass(300_000);
  send(one, { a: 6, b: 6 });
  t.same(fired(one), [], 'what was in a gap is not known');
  for (let i = 0; i < 4; i++) send(one, { a: 6, b: 6 });
  t.same(fired(one), ['r firing ERROR']);
  send(one, { a: Number.NaN, b: 6 });
  one.pass(40_000);
  send(one, { b: 1 });
  t.same(fired(one), [], 'a is too old to say anything');
  send(one, { a: 1, b: 1 });
  one.pass(300_000);
  send(one, { a: 1, b: 1 });
  t.same(fired(one), [], 'nor can it be over in a gap');
  for (let i = 0; i < 3; i++) send(one, { a: 1, b: 1 });
  t.same(fired(one), ['r resolved ERROR']);
});

t.test('a device that is gone for good', async (t) => {
  const one = plant(rule('a > 5'));
  send(one, { a: 6 });
  one.told();
  // Ticks come, but a few a day: closer together than what counts as a pause of the collector.
  const untilMs = one.raw.timeMs + 7 * 86_400_000 + 60_000;
  while (one.raw.timeMs < untilMs - 100_000) {
    one.raw.timeMs += 9_000;
    one.processor.process(one.raw.tick(0));
    one.raw.records.length = 0;
  }
  one.told();
  one.pass(120_000);
  t.match(
    one.alerts.map(({ rule, state, resolvedBy }) => `${rule} ${state} ${resolvedBy}`),
    ['r resolved no_device', 'no_data resolved no_device'],
  );
});

t.test('after a cold start alerts go on, and end when their end is seen', async (t) => {
  const one = plant(rule('a > 5'), rule('silent_seconds > 30', { name: 'no_data' }));
  send(one, { a: 6 });
  one.passOnline(40_000);
  one.state({}, RawKind.WILL);
  one.pass(40_000);
  t.same(one.told(), [
    'r firing ERROR',
    'no_data firing ERROR',
    'gateway_down pending ERROR',
    'gateway_down firing ERROR',
  ]);
  const hard = new Map<string, Uint8Array>();
  for (const [key, bytes] of one.processor.takeChanges()) if (bytes !== null) hard.set(key, bytes);
  one.processor = new Processor(hard, { coldReason: 'test' });
  one.pass(60_000);
  t.same(one.told(), [], 'nothing is told twice');
  one.passOnline(10_000);
  send(one, { a: 1 });
  t.same(one.told(), ['gateway_down resolved ERROR', 'r resolved ERROR', 'no_data resolved ERROR']);
  const left = [...one.processor.takeChanges()].filter(([key]) => key.includes('|alerts'));
  t.ok(left.length > 0);
  t.same(
    left.filter(([, bytes]) => bytes !== null),
    [],
    'nothing is left of them',
  );
});

t.test('hostile names and rules', async (t) => {
  const names = ['__proto__', 'constructor', 'quality', 'a`b', '온도-1', 'x'.repeat(100)];
  const channels = Object.fromEntries(names.map((name) => [name, {}]));
  Object.defineProperty(channels, '__proto__', { value: {}, enumerable: true });
  const alerts = [
    rule('`__proto__` > 5', { name: '__proto__' }),
    rule('`quality` > 5 && `constructor` > 5', { name: 'constructor' }),
    rule('`온도-1` > baseline(`quality`) || `온도-1` > 5', { name: '' }),
    rule('nothing > 5', { name: 'unknown' }),
    rule('a >', { name: 'broken' }),
    rule(7 as unknown as string, { name: 'number' }),
    { name: 'none' } as unknown as AlertRule,
    null as unknown as AlertRule,
  ];
  const one = new AlertPlant({ p: profile(channels, { alerts }) });
  for (const device of ['__proto__', 'toString', 'D01'])
    for (let i = 0; i < 3; i++) {
      const { timeMs } = one.raw;
      one.send(names.map((name) => reading(name, 6, { device, timeMs })));
      one.pass(1_000);
    }
  const rules = new Set(one.alerts.map(({ device, rule }) => `${device} ${rule}`));
  t.ok(rules.has('__proto__ __proto__') && rules.has('toString constructor'));
  t.equal(one.alerts.find(({ rule }) => rule === 'constructor')?.values['`quality`'], 6);
  const hostile = { alerts: 7 as unknown as AlertRule[] };
  one.configure({ p: profile(channels, hostile) }, 'v2');
  one.pass(2_000);
  t.ok(
    one.alerts.every(({ resolvedBy, state }) => state !== 'resolved' || resolvedBy !== 'cleared'),
  );
});

t.test(
  'property: no content makes it throw, and of each alert the versions count up',
  async (t) => {
    const alerts = [
      rule('sensor1 > 5 && note != "x"', { forMs: 5 }),
      rule('quality < 90 || error_percent > 5', { name: 'facts', resolveAfterMs: 9 }),
      rule('abs(sensor1 - baseline(sensor1)) > 1', { name: 'base' }),
      rule('latency_seconds > 1', { name: 'late' }),
    ];
    const channels = { sensor1: {}, note: { type: 'text' as const }, 온도: {} };
    const wire = anyReading.filter(
      ({ device, channel, timeMs, value }) =>
        Number.isSafeInteger(timeMs) &&
        timeMs >= 0 &&
        timeMs < 4e12 &&
        (value === null || typeof value !== 'string' || value.isWellFormed()) &&
        [device, channel].every((name) => /^[\w 가-힣]{1,40}$/.test(name)),
    );
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            { weight: 4, arbitrary: fc.array(wire, { minLength: 1, maxLength: 12 }) },
            { weight: 1, arbitrary: fc.constantFrom(1_000, 9_000, 70_000) },
          ),
          { maxLength: 20 },
        ),
        (steps) => {
          const one = new AlertPlant({ p: profile(channels, { alerts }) });
          for (const step of steps) {
            if (typeof step === 'number') one.pass(step);
            else
              one.send(
                step.map((each) => ({
                  ...each,
                  device: 'D01',
                  value: each.quality >= 128 ? null : each.value,
                  quality: each.value === null ? 134 : each.quality & 127,
                })),
              );
          }
          const versions = new Map<string, number>();
          for (const { id, version } of one.alerts) {
            t.equal(version, (versions.get(id) ?? 0) + 1);
            versions.set(id, version);
          }
        },
      ),
      { numRuns: 100 },
    );
  },
);
