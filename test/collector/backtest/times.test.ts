import fc from 'fast-check';
import t from 'tap';
import { timeOf, UTC, zoneOf } from '../../../collector/backtest/times.ts';

const AT = Date.UTC(2026, 2, 9, 15, 56, 30);

t.test('the forms that recordings have', async (t) => {
  const forms: [string, number][] = [
    ['2026-03-09T15:56:30Z', AT],
    ['2026-03-09 15:56:30', AT],
    ['2026-03-09 15:56:30.000000', AT],
    ['2026-03-09T15:56:30.250', AT + 250],
    ['2026-03-09T15:56', AT - 30_000],
    ['2026-03-10T00:56:30+09:00', AT],
    ['2026-03-10 00:56:30+0900', AT],
    ['2026-03-09 15:56:30 Z', AT],
    ['2026-03-09', Date.UTC(2026, 2, 9)],
    [String(AT), AT],
    [String(AT / 1_000), AT],
    [`${AT / 1_000}.5`, AT + 500],
    ['12', 12_000],
    ['-1.5', -1_500],
    ['0', 0],
  ];
  for (const [text, ms] of forms) t.equal(timeOf(text, UTC), ms, text);
});

t.test('what is no time', async (t) => {
  for (const text of ['', 'now', '2026-13-01', '2026-03-09 25:00', '09.03.2026', 'NaN', '1e999'])
    t.equal(timeOf(text, UTC), undefined, text);
});

t.test('every instant comes back', async (t) => {
  fc.assert(
    fc.property(fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }), (date) => {
      t.equal(timeOf(date.toISOString(), UTC), date.getTime());
      t.equal(timeOf(date.toISOString().replace('T', ' ').replace('Z', ''), UTC), date.getTime());
    }),
    { numRuns: 50 },
  );
});

t.test('local times in a zone, also where the clocks change', async (t) => {
  const seoul = zoneOf('Asia/Seoul');
  const berlin = zoneOf('Europe/Berlin');
  const offset = zoneOf('+09:00');
  if (seoul === undefined || berlin === undefined || offset === undefined) throw new Error('zones');
  t.equal(timeOf('2026-03-10 00:56:30', seoul), AT);
  t.equal(timeOf('2026-03-10 00:56:30', offset), AT);
  t.equal(timeOf('2026-03-10T00:56:30Z', seoul), Date.UTC(2026, 2, 10, 0, 56, 30), 'its own zone');
  t.equal(timeOf('2026-03-29 01:59:59', berlin), Date.UTC(2026, 2, 29, 0, 59, 59));
  t.equal(timeOf('2026-03-29 03:00:00', berlin), Date.UTC(2026, 2, 29, 1, 0, 0));
  t.equal(timeOf('2026-10-25 04:00:00', berlin), Date.UTC(2026, 9, 25, 3, 0, 0));
  t.equal(zoneOf('Mars/Olympus'), undefined);
});
