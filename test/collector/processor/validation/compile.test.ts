import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { matchesGlob } from '../../../../collector/processor/validation/glob.ts';
import { configuration, profile } from '../../../support/validation.ts';

t.test('the first assignment that matches holds', async (t) => {
  const config = configuration(
    {
      oven: profile({}, { match: [] }),
      other: profile({}, { match: [{ site: '*', device: 'D*' }] }),
    },
    {
      assignments: [
        { site: 'busan', device: 'D01', area: 'A', line: 'L1', profile: 'oven' },
        { site: 'busan', device: 'D0?', area: 'A', line: 'L2', profile: '' },
        { site: '*', device: 'X', area: 'B', line: '', profile: 'gone' },
        { site: 'busan', device: '*', area: 'C', line: '', profile: 'oven' },
      ],
    },
  );
  const { profiles } = config.configuration;
  const place = (site: string, device: string): unknown => {
    const { area, line, profile: found } = config.placeOf(site, device);
    return [area, line, Object.keys(profiles).find((name) => profiles[name] === found)];
  };
  t.same(place('busan', 'D01'), ['A', 'L1', 'oven']);
  t.same(place('busan', 'D02'), ['A', 'L2', 'other'], "by the profile's own match");
  t.same(place('seoul', 'X'), ['B', '', undefined], 'no such profile');
  t.same(place('busan', 'E1'), ['C', '', 'oven']);
  t.same(place('seoul', 'D1'), ['', '', 'other']);
  t.same(place('seoul', '__proto__'), ['', '', undefined]);
  t.equal(config.placeOf('busan', 'D01'), config.placeOf('busan', 'D01'), 'remembered');
});

t.test('of several profiles that match the first by name holds', async (t) => {
  const [a, b] = [profile({}), profile({})];
  t.equal(configuration({ b, a }).placeOf('s', 'd').profile, a);
  t.equal(configuration({ a, b }).placeOf('s', 'd').profile, a);
});

t.test('globs', async (t) => {
  for (const [pattern, text, expected] of [
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['D??', 'D01', true],
    ['D??', 'D1', false],
    ['*-D??', 'gw-1-D01', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['?', '😀', true],
    ['a.c', 'abc', false],
    ['[a]', 'a', false],
    ['**', 'x', true],
  ] as const) {
    t.equal(matchesGlob(pattern, text), expected, `${pattern} ${text}`);
  }
  const hostile = `${'*a'.repeat(60)}*b`;
  t.equal(matchesGlob(hostile, 'a'.repeat(128)), false, 'in no time');
});

t.test('globs, against regular expressions', async () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 });
  fc.assert(
    fc.property(letters, text, (pattern, given) => {
      const expression = `^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`;
      assert.equal(matchesGlob(pattern, given), new RegExp(expression).test(given));
    }),
    { numRuns: 500 },
  );
});
