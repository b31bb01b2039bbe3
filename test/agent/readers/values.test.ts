import fc from 'fast-check';
import t from 'tap';
import type { ChannelType } from '../../../agent/readers/values.ts';
import {
  convertScalar,
  convertText,
  convertValue,
  excerpt,
  valueAt,
} from '../../../agent/readers/values.ts';
import { TEXT_BYTES_MAX } from '../../../proto/limits.ts';
import { hasValue, Quality } from '../../../proto/model.ts';

const { GOOD, NULL, WRONG_TYPE, NOT_FINITE, TRUNCATED } = Quality;

type Case = [raw: unknown, type: ChannelType, coerce: boolean, value: unknown, quality: number];

const cases: Case[] = [
  [23.7, 'number', false, 23.7, GOOD],
  [-1, 'number', false, -1, GOOD],
  [0, 'number', false, 0, GOOD],
  [null, 'number', false, null, NULL],
  [undefined, 'number', false, null, NULL],
  [null, 'string', true, null, NULL],
  ['23.7', 'number', false, null, WRONG_TYPE],
  ['23.7', 'number', true, 23.7, GOOD],
  [' -1.5e3 ', 'number', true, -1500, GOOD],
  ['', 'number', true, null, WRONG_TYPE],
  ['0x1f', 'number', true, null, WRONG_TYPE],
  ['NaN', 'number', true, null, WRONG_TYPE],
  ['1,5', 'number', true, null, WRONG_TYPE],
  ['1e999', 'number', true, Infinity, NOT_FINITE],
  [JSON.parse('1e999'), 'number', false, Infinity, NOT_FINITE],
  [JSON.parse('-1e999'), 'number', false, -Infinity, NOT_FINITE],
  [true, 'number', false, null, WRONG_TYPE],
  [true, 'number', true, 1, GOOD],
  [{}, 'number', true, null, WRONG_TYPE],
  [[5], 'number', true, null, WRONG_TYPE],
  [true, 'boolean', false, true, GOOD],
  [0, 'boolean', false, null, WRONG_TYPE],
  [0, 'boolean', true, false, GOOD],
  ['True', 'boolean', true, true, GOOD],
  ['FALSE', 'boolean', true, false, GOOD],
  ['yes', 'boolean', true, null, WRONG_TYPE],
  [['true'], 'boolean', true, null, WRONG_TYPE],
  ['run', 'string', false, 'run', GOOD],
  ['', 'string', false, '', GOOD],
  [5, 'string', false, null, WRONG_TYPE],
  [5, 'string', true, '5', GOOD],
  [[], 'string', true, null, WRONG_TYPE],
];

t.test('values by type', async (t) => {
  for (const [raw, type, coerce, value, quality] of cases) {
    const name = `${excerpt(raw)} as ${type}${coerce ? ', coerced' : ''}`;
    t.strictSame(convertValue(raw, type, coerce), { value, quality }, name);
  }
});

t.test('undescribed channels take any scalar', async (t) => {
  t.same(convertScalar(5), { value: 5, quality: GOOD });
  t.same(convertScalar('5'), { value: '5', quality: GOOD });
  t.same(convertScalar(false), { value: false, quality: GOOD });
  t.same(convertScalar(null), { value: null, quality: NULL });
  t.same(convertScalar([1]), { value: null, quality: WRONG_TYPE });
  t.same(convertScalar({ a: 1 }), { value: null, quality: WRONG_TYPE });
});

t.test('long text is cut at a whole character', async (t) => {
  for (const character of ['x', 'é', '한', '🌡']) {
    const long = character.repeat(TEXT_BYTES_MAX + 1);
    const { value, quality } = convertText(long);
    t.equal(quality, TRUNCATED);
    const bytes = Buffer.byteLength(String(value));
    t.ok(bytes <= TEXT_BYTES_MAX && bytes > TEXT_BYTES_MAX - 4, `${bytes} bytes of ${character}`);
    t.ok(long.startsWith(String(value)));
    t.notMatch(Buffer.from(String(value)).toString(), /\ufffd/);
  }
  const exact = 'x'.repeat(TEXT_BYTES_MAX);
  t.same(convertText(exact), { value: exact, quality: GOOD });
});

t.test('paths', async (t) => {
  const document = { a: { b: [{ c: 1 }] }, 'x.y': 2, n: null, __proto__: null };
  t.equal(valueAt(document, 'a.b.0.c'), 1);
  t.equal(valueAt(document, 'x.y'), 2);
  t.equal(valueAt(document, 'n'), null);
  for (const path of ['n.x', 'a.b.1.c', 'a.b.length.x', 'toString', 'a.constructor', '', 'a..b']) {
    t.equal(valueAt(document, path), undefined, path);
  }
  t.equal(valueAt(JSON.parse('{"__proto__": {"z": 1}}'), 'z'), undefined);
});

t.test('an object whose toString cannot be called is of the wrong type', async (t) => {
  for (const type of ['number', 'string', 'boolean'] as const) {
    t.same(convertValue({ toString: [] }, type, true), {
      value: null,
      quality: Quality.WRONG_TYPE,
    });
  }
});

t.test('any JSON in any channel gives a value or says that there is none', async (t) => {
  const aType = fc.constantFrom<ChannelType>('number', 'string', 'boolean');
  fc.assert(
    fc.property(fc.jsonValue(), aType, fc.boolean(), (raw, type, coerce) => {
      const converted = convertValue(raw, type, coerce);
      const fits = converted.value === null || typeof converted.value === type;
      return fits && (converted.value === null) === !hasValue(converted.quality);
    }),
  );
  t.pass();
});
