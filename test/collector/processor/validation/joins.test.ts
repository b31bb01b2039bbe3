import t from 'tap';
import type { CompiledConfiguration } from '../../../../collector/processor/validation/compile.ts';
import { GatewayValidation } from '../../../../collector/processor/validation/validation.ts';
import type { ChannelProfile, CrossRule } from '../../../../collector/profile.ts';
import type { Reading, Value } from '../../../../proto/model.ts';
import { Quality } from '../../../../proto/model.ts';
import { chunkOf, configuration, judge, profile, verdictsOf } from '../../../support/validation.ts';
import { reading, T0 } from '../../../support/wire.ts';

function rule(expect: string, policy: CrossRule['policy'] = 'flag', name = 'r'): CrossRule {
  return { name, expect, channels: expect.match(/[abc]\b/g) ?? [], message: 'they differ', policy };
}

function configure(
  rules: readonly CrossRule[],
  channels: Record<string, Partial<ChannelProfile>> = { a: {}, b: {}, c: {} },
): CompiledConfiguration {
  return configuration({ p: profile(channels, { rules, timelyWithinMs: 1e9 }) });
}

/** By channel: second and value. */
type Values = Record<string, [number, Value][]>;

/** `a` at second 3: { a: [[3, value]] }. */
function readingsOf(values: Values): Reading[] {
  return Object.entries(values).flatMap(([name, list]) =>
    list.map(([second, value]) =>
      reading(name, value, {
        timeMs: T0 - 100_000 + second * 1_000,
        quality: value === null ? Quality.NULL : Quality.GOOD,
      }),
    ),
  );
}

/** Seqs with the finding in a chunk, and those in quarantine. */
function ask(
  config: CompiledConfiguration,
  chunks: readonly Values[],
): { flagged: number[]; quarantined: [number, string][] } {
  const validation = new GatewayValidation('demo');
  let firstSeq = 1;
  const flagged: number[] = [];
  const quarantined: [number, string][] = [];
  for (const values of chunks) {
    const columns = chunkOf(readingsOf(values));
    const judgement = judge(validation, config, columns, { firstSeq });
    firstSeq += columns.timesMs.length;
    for (const [seq, { findings }] of verdictsOf(judgement)) {
      if (findings.includes('cross_rule')) flagged.push(seq);
    }
    for (const { seq, detail } of judgement.quarantined) quarantined.push([seq, detail]);
  }
  return { flagged, quarantined };
}

t.test('compares the values of one time', async (t) => {
  const chunk = {
    a: [
      [1, 5],
      [2, 20],
      [3, 5],
    ],
    b: [
      [1, 10],
      [2, 10],
      [4, 1],
    ],
  } satisfies Values;
  t.same(ask(configure([rule('a < b')]), [chunk]).flagged, [2, 5], 'both readings');
  t.same(ask(configure([rule('a < b', 'keep')]), [chunk]).flagged, [2, 5]);
  const { quarantined } = ask(configure([rule('a < b', 'quarantine')]), [chunk]);
  t.same(quarantined, [
    [2, 'cross_rule: r: they differ'],
    [5, 'cross_rule: r: they differ'],
  ]);
  t.same(ask(configure([rule('c > a')]), [chunk]).flagged, [], 'without one of them: nothing');
});

t.test('every pair of times, however they stand', async (t) => {
  const seconds = Array.from({ length: 50 }, (_, i) => i);
  const a = seconds.map((second): [number, Value] => [second, second]);
  const b = seconds.filter((s) => s % 3 !== 0).map((second): [number, Value] => [second, 30]);
  const { flagged } = ask(configure([rule('a <= b')]), [{ a, b }]);
  const expected = seconds.filter((second) => second > 30 && second % 3 !== 0);
  t.equal(flagged.length, 2 * expected.length);
  t.same(
    flagged.slice(0, expected.length),
    expected.map((second) => second + 1),
  );
});

t.test('a poll that comes in two chunks', async (t) => {
  const config = configure([rule('a < b'), rule('a < b || c < 100', 'flag', 's')]);
  t.same(ask(config, [{ a: [[1, 5]] }, { b: [[1, 3]] }]).flagged, [2], 'only what is at hand');
  t.same(ask(config, [{ b: [[1, 3]] }, { a: [[1, 5]] }]).flagged, [2]);
  const goesOn: Values[] = [{ a: [[1, 5]] }, { a: [[2, 6]], b: [[1, 3], [2, 7]] }]; // biome-ignore format: short
  t.same(ask(config, goesOn).flagged, [3]);
  t.same(ask(config, [{ a: [[1, 5]] }, { b: [[2, 3]] }]).flagged, [], 'another time');
});

t.test('a value that says nothing takes no part', async (t) => {
  const config = configure([rule('a < b')], {
    a: { sentinels: [-1], onNull: 'keep' },
    b: { min: 0, onRange: 'quarantine' },
  });
  const against = (a: Value, b: Value): number[] =>
    ask(config, [{ a: [[1, a]], b: [[1, b]] }]).flagged;
  t.same(against(5, 3), [1, 2]);
  t.same(against(null, 3), []);
  t.same(against(Number.POSITIVE_INFINITY, 3), []);
  t.same(against(-1, -2), [], 'a sentinel');
  t.same(against('x', 3), [], 'another type');
  t.same(against(5, -3), [], 'in quarantine');
});

t.test('booleans and texts', async (t) => {
  const config = configure([rule('a ? b > 0 : c == "off"')], {
    a: { type: 'boolean' },
    b: {},
    c: { type: 'text' },
  });
  const against = (a: Value, b: Value, c: Value): number =>
    ask(config, [{ a: [[1, a]], b: [[1, b]], c: [[1, c]] }]).flagged.length;
  t.equal(against(true, 1, 'on'), 0);
  t.equal(against(true, 0, 'on'), 3);
  t.equal(against(1, 0, 'on'), 3, 'a boolean that comes as a number');
  t.equal(against(false, 0, 'off'), 0);
  t.equal(against(false, 0, 'on'), 3);
  const split: Values[] = [{ a: [[1, true]] }, { b: [[1, 0]], c: [[1, 'on']] }];
  t.same(ask(config, split).flagged, [2, 3]);
});

t.test('a quarantined reading is not refused twice, and rules see the same readings', async (t) => {
  const rules = [rule('a < b', 'quarantine', 'first'), rule('a < b', 'quarantine', 'second')];
  const { quarantined } = ask(configure(rules), [{ a: [[1, 5]], b: [[1, 3]] }]);
  t.same(quarantined, [
    [1, 'cross_rule: first: they differ'],
    [2, 'cross_rule: first: they differ'],
  ]);
  const both = [rule('a < b', 'quarantine'), rule('a < c', 'flag')];
  const { flagged } = ask(configure(both), [{ a: [[1, 5]], b: [[1, 3]], c: [[1, 4]] }]);
  t.same(flagged, [3]);
});

t.test('an expression that does not compile is no rule', async (t) => {
  t.same(ask(configure([rule('a <')]), [{ a: [[1, 5]] }]).flagged, []);
});
