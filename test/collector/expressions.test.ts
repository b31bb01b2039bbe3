/** Rules over several channels: what the language lets in, and what it says of mistakes. */

import fc from 'fast-check';
import t from 'tap';
import type { ExpressionValues } from '../../collector/expressions.ts';
import {
  baselineKey,
  channelKey,
  compileCondition,
  compileExpression,
  EXPRESSION_LENGTH_MAX,
} from '../../collector/expressions.ts';
import type { ChannelType } from '../../collector/profile.ts';

const types: Record<string, ChannelType> = {
  a: 'number',
  b: 'number',
  note: 'text',
  run: 'boolean',
  '온도-1': 'number',
  'motor.speed': 'number',
};
const values: ExpressionValues = {
  a: 1,
  b: 2,
  note: 's',
  run: true,
  '온도-1': 5,
  'motor.speed': 256,
};

t.test('what it lets in', async (t) => {
  const cases: [string, boolean, string[]][] = [
    ['a + 2 > 3', false, ['a']],
    ['2 * a == b', true, ['a', 'b']],
    ['1 / 2 == a / 2', true, ['a']],
    ['a % 2 == 1', true, ['a']],
    ['b in [1, 2]', true, ['b']],
    ['abs(a - b) < 2', true, ['a', 'b']],
    ['min(a, b, 3) >= 1 && max(a, b) <= 2', true, ['a', 'b']],
    ['run ? a > 1 : b > 1', false, ['run', 'a', 'b']],
    ['!run || a > 0', true, ['run', 'a']],
    ['length(note) == 1 && note.startsWith("s")', true, ['note']],
    ['note.contains("`x`")', false, ['note']],
    ['`온도-1` > 1 && `motor.speed` == 0x100', true, ['온도-1', 'motor.speed']],
    ['b > 1 // motors stand still', true, ['b']],
    ['a > -9223372036854775808', true, ['a']],
  ];
  for (const [text, expected, channels] of cases)
    for (const typed of [types, undefined]) {
      const compiled = compileExpression(text, typed);
      if (!compiled.ok) t.fail(`${text}: ${compiled.message}`);
      else {
        t.equal(compiled.evaluate(values), expected, text);
        t.same(compiled.channels, channels, text);
      }
    }
});

t.test('every mistake has its place', async (t) => {
  const cases: [string, RegExp, number, number][] = [
    ['a +', /the end/, 1, 4],
    ['(a > 1', /Expected RPAREN/, 1, 7],
    ['a = b', /Unexpected character/, 1, 3],
    ['a > 1 && nope > 2', /no channel "nope"; known: a, b/, 1, 10],
    ['1 < 2 && a > 5 &&\n note > 2', /text > number/, 2, 2],
    ['run == 1', /boolean == number/, 1, 1],
    ['a', /gives a number, not true or false/, 1, 1],
    ['run && b', /boolean operands, got 'number'/, 1, 1],
    ['motor.speed > 1', /backticks/, 1, 1],
    ['a > 1 && `` > 2', /name is missing/, 1, 10],
    ['1 > 2', /names no channel/, 1, 1],
    ['a > 1 || note.matches("(x+)+$")', /no function "matches"; known: abs/, 1, 10],
    ['[1, 2].all(v, v > a)', /no function/, 1, 1],
    ['a[0] > 1', /not available/, 1, 1],
  ];
  for (const [text, message, line, column] of cases) {
    const compiled = compileExpression(text, types);
    if (compiled.ok) t.fail(`${text} is no mistake`);
    else {
      t.match(compiled.message, message, text);
      t.same([compiled.line, compiled.column], [line, column], text);
    }
  }
  t.notOk(compileExpression(`a > 1${' '.repeat(EXPRESSION_LENGTH_MAX)}`).ok, 'too long');
  t.notOk(compileExpression('('.repeat(900), types).ok, 'too deep');
  t.notOk(compileExpression(`a > 1${' && a > 1'.repeat(200)}`, types).ok, 'too many parts');
  t.match(compileExpression('double > 1'), { ok: false, message: /backticks/ });
});

t.test('values of another type than expected are no contradiction', async (t) => {
  const compiled = compileExpression('a + 1 > b', types);
  t.ok(compiled.ok && compiled.evaluate({ a: 'text', b: 2 }));
  t.ok(compiled.ok && compiled.evaluate({ a: 'text', b: true }));
});

t.test('property: any text is an answer, never an exception', async () => {
  const piece = fc.constantFrom(
    ...'a b run note ` " \' ( ) + - * / % > < == && || ! ? : [ ] { } . , 1 2.5 0x 5u true null in abs( min( has( _0 __proto__ 온도 \n \\ // r" b"'.split(
      ' ',
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, typed) => {
      const compiled = compileExpression(pieces.join(' '), typed ? types : undefined);
      return compiled.ok
        ? typeof compiled.evaluate(values) === 'boolean'
        : compiled.message.length > 0;
    }),
    { numRuns: 3000 },
  );
});

t.test('property: arithmetic is that of JavaScript', async () => {
  const number = fc.double({ noNaN: true, noDefaultInfinity: true });
  const plan = compileExpression('(a + 2) * b - a / 3 > 7', types);
  fc.assert(
    fc.property(
      number,
      number,
      (a, b) => plan.ok && plan.evaluate({ a, b }) === (a + 2) * b - a / 3 > 7,
    ),
  );
});

const facts: Record<string, ChannelType> = { quality: 'number', anomaly: 'boolean' };

t.test('conditions name facts and baselines', async (t) => {
  const known = { ...types, quality: 'number' as const };
  const all: ExpressionValues = {
    ...values,
    quality: 50,
    anomaly: true,
    [channelKey('quality', facts)]: 7,
    [baselineKey('a')]: 4,
    [baselineKey('온도-1')]: 6,
  };
  const cases: [string, boolean | undefined, string[], string[], string[]][] = [
    ['abs(a - baseline(a)) > 2 * 1', true, ['a'], [], ['a']],
    ['baseline(a) + baseline(`온도-1`) == 10', true, [], [], ['a', '온도-1']],
    ['baseline(a) > 3 && baseline(a) < 5', true, [], [], ['a']],
    ['quality < 70 && anomaly', true, [], ['quality', 'anomaly'], []],
    ['`quality` < 10 && quality > 10', true, ['quality'], ['quality'], []],
    ['baseline(b) > 3', undefined, [], [], ['b']],
  ];
  for (const [text, wanted, channels, named, baselines] of cases)
    for (const typed of [known, undefined]) {
      const compiled = compileCondition(text, typed, facts);
      if (!compiled.ok) t.fail(`${text}: ${compiled.message}`);
      else {
        t.equal(compiled.decide(all), wanted, text);
        t.same(
          [compiled.channels, compiled.facts, compiled.baselines],
          [channels, named, baselines],
        );
      }
    }
});

t.test('mistakes in conditions have their places, behind baselines too', async (t) => {
  const cases: [string, RegExp, number, number][] = [
    ['baseline(a) > 1 && baseline(b) > 2 &&\n nope > 1', /no channel "nope".*quality/, 2, 2],
    ['baseline(a) > 1000000 && note > 2', /text > number/, 1, 26],
    ['baseline(run) > 1', /only numbers/, 1, 10],
    ['baseline(a, b) > 1', /one channel/, 1, 1],
    ['baseline() > 1', /one channel/, 1, 1],
    ['note.baseline() > 1', /no function "baseline"/, 1, 1],
    ['1 < 2', /no channel and no fact/, 1, 1],
  ];
  for (const [text, message, line, column] of cases) {
    const compiled = compileCondition(text, types, facts);
    if (compiled.ok) t.fail(`${text} is no mistake`);
    else {
      t.match(compiled.message, message, text);
      t.same([compiled.line, compiled.column], [line, column], text);
    }
  }
  t.notOk(compileExpression('baseline(a) > 1', types).ok, 'rules know no baselines');
});
