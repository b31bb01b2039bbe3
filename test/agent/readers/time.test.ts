import fc from 'fast-check';
import t from 'tap';
import type { TimeFormat } from '../../../agent/readers/time.ts';
import { isTimeZone, parseTime } from '../../../agent/readers/time.ts';

const NOW = Date.UTC(2026, 10, 22);

function parse(raw: unknown, timeZone = 'UTC', format: TimeFormat = 'auto', nowMs = NOW) {
  return parseTime(raw, { format, timeZone }, nowMs);
}

const at = (iso: string): number => Date.parse(iso);

t.test('ISO 8601', async (t) => {
  const expected = at('2026-11-22T19:26:42.123Z');
  for (const text of [
    '2026-11-22T19:26:42.123Z',
    '2026-11-22T19:26:42.123999Z',
    '2026-11-22 19:26:42,123z',
    '2026-11-22T20:26:42.123+01:00',
    '2026-11-22T20:26:42.123+01',
    '2026-11-22T14:56:42.123-0430',
    ' 2026-11-23T04:26:42.123 +09:00 ',
  ]) {
    t.equal(parse(text), expected, text);
  }
  t.equal(parse('2026-11-22'), at('2026-11-22T00:00:00Z'));
  t.equal(parse('2026-11-22T24:00'), at('2026-11-23T00:00:00Z'));
  t.equal(parse('2026-11-22T10:00'), at('2026-11-22T10:00:00Z'));
  t.equal(parse('2016-12-31T23:59:60Z'), at('2017-01-01T00:00:00Z'), 'leap second');
  t.equal(parse('0001-01-01T00:00:00Z'), at('0001-01-01T00:00:00Z'));
});

t.test('what is no time', async (t) => {
  for (const raw of [
    '',
    'yesterday',
    '2026-13-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-11-22T25:00:00Z',
    '2026-11-22T10:61:00Z',
    '2026-11-22T24:00:01Z',
    '22.11.2026 10:00',
    '12345',
    '+999999-01-01T00:00:00Z',
    true,
    {},
    [],
    null,
    undefined,
    Number.NaN,
    Infinity,
    1e300,
  ]) {
    t.equal(parse(raw), undefined, String(raw));
  }
});

t.test('epochs', async (t) => {
  const ms = 1_795_375_602_123;
  t.equal(parse(ms), ms);
  t.equal(parse(ms / 1_000), ms);
  t.equal(parse(String(ms)), ms);
  t.equal(parse('1795375602'), 1_795_375_602_000);
  t.equal(parse(12_345_678, 'UTC', 'epoch_ms'), 12_345_678);
  t.equal(parse(12_345_678, 'UTC', 'epoch_s'), 12_345_678_000);
  t.equal(parse('2026-11-22', 'UTC', 'epoch_s'), undefined);
  t.equal(parse(ms, 'UTC', 'iso'), undefined);
  t.equal(parse('1795375602', 'UTC', 'iso'), undefined);
});

t.test('local times', async (t) => {
  t.equal(parse('2026-11-22 19:00:00', 'Asia/Seoul'), at('2026-11-22T10:00:00Z'));
  t.equal(parse('2026-07-01 12:00:00', 'Europe/Berlin'), at('2026-07-01T10:00:00Z'));
  t.equal(parse('2026-12-01 12:00:00', 'Europe/Berlin'), at('2026-12-01T11:00:00Z'));
  t.equal(parse('2026-07-01 12:00:00', 'America/St_Johns'), at('2026-07-01T14:30:00Z'));
  t.equal(
    parse('2026-11-22T19:00:00Z', 'Asia/Seoul'),
    at('2026-11-22T19:00:00Z'),
    'an offset in the text goes first',
  );
});

t.test('clocks set back and forward', async (t) => {
  const berlin = 'Europe/Berlin';
  const [first, second] = [at('2026-10-25T00:30:00Z'), at('2026-10-25T01:30:00Z')];
  const text = '2026-10-25 02:30:00';
  t.equal(parse(text, berlin, 'auto', first + 1_000), first);
  t.equal(parse(text, berlin, 'auto', second + 1_000), second, 'the one nearer to now');
  t.equal(parse(text, berlin, 'auto', 0), first);
  t.equal(parse('2026-03-29 02:30:00', berlin), at('2026-03-29T01:30:00Z'), 'does not exist');
  t.equal(parse('2026-03-29 01:59:59', berlin), at('2026-03-29T00:59:59Z'));
  t.equal(parse('2026-03-29 03:00:00', berlin), at('2026-03-29T01:00:00Z'));
});

t.test('zones', async (t) => {
  t.ok(isTimeZone('Asia/Seoul'));
  t.ok(isTimeZone('UTC'));
  t.notOk(isTimeZone('Asia/Soul'));
});

t.test('local times are the inverse of what the platform shows', async (t) => {
  const zones = ['Asia/Seoul', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'];
  const formats = new Map(
    zones.map((timeZone) => [
      timeZone,
      new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }),
    ]),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: at('1990-01-01'), max: at('2035-01-01') }),
      fc.constantFrom(...zones),
      (timeMs, timeZone) => {
        const utcMs = Math.floor(timeMs / 1_000) * 1_000;
        const text = formats.get(timeZone)?.format(utcMs);
        return parse(text, timeZone, 'iso', utcMs) === utcMs;
      },
    ),
    { numRuns: 2_000 },
  );
  t.pass();
});
