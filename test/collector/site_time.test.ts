import fc from 'fast-check';
import t from 'tap';
import type { PeriodKind, SiteCalendar } from '../../collector/site_time.ts';
import { periodAt, periodsBetween } from '../../collector/site_time.ts';

const seoul: SiteCalendar = { timeZone: 'Asia/Seoul', dayStart: '07:00' };
const berlin: SiteCalendar = { timeZone: 'Europe/Berlin', dayStart: '00:00' };
const HOUR_MS = 3_600_000;

function at(text: string): number {
  return Date.parse(text);
}

t.test('days of a site', async (t) => {
  const cases: [SiteCalendar, string, string, string, string][] = [
    [seoul, '2026-11-22T21:59:59Z', '2026-11-22', '2026-11-21T22:00Z', '2026-11-22T22:00Z'],
    [seoul, '2026-11-22T22:00:00Z', '2026-11-23', '2026-11-22T22:00Z', '2026-11-23T22:00Z'],
    // 23 and 25 hours.
    [berlin, '2026-03-29T12:00:00Z', '2026-03-29', '2026-03-28T23:00Z', '2026-03-29T22:00Z'],
    [berlin, '2026-10-25T00:30:00Z', '2026-10-25', '2026-10-24T22:00Z', '2026-10-25T23:00Z'],
    // 02:30 does not exist on that day, and exists twice on the other.
    [
      { timeZone: 'Europe/Berlin', dayStart: '02:30' },
      '2026-03-29T12:00:00Z', '2026-03-29', '2026-03-29T01:30Z', '2026-03-30T00:30Z',
    ],
    [
      { timeZone: 'Europe/Berlin', dayStart: '02:30' },
      '2026-10-25T12:00:00Z', '2026-10-25', '2026-10-25T00:30Z', '2026-10-26T01:30Z',
    ],
    // Midnight does not exist: clocks go from 00:00 to 01:00.
    [
      { timeZone: 'America/Sao_Paulo', dayStart: '00:00' },
      '2018-11-04T12:00:00Z', '2018-11-04', '2018-11-04T03:00Z', '2018-11-05T02:00Z',
    ],
    // A date that never was: Samoa skipped 30 December 2011.
    [
      { timeZone: 'Pacific/Apia', dayStart: '00:00' },
      '2011-12-30T09:59:00Z', '2011-12-29', '2011-12-29T10:00Z', '2011-12-30T10:00Z',
    ],
  ]; // biome-ignore format: a table
  for (const [site, now, label, start, end] of cases) {
    const period = periodAt('day', site, at(now));
    t.same(
      period,
      { kind: 'day', label, startMs: at(start), endMs: at(end) },
      `${now} ${site.timeZone} ${site.dayStart}`,
    );
  }
});

t.test('weeks and months', async (t) => {
  t.equal(periodAt('week', seoul, at('2026-11-22T12:00Z')).label, '2026-W47');
  t.equal(periodAt('week', berlin, at('2027-01-02T12:00Z')).label, '2026-W53');
  t.equal(periodAt('month', berlin, at('2026-02-10T12:00Z')).label, '2026-02');
  const february = periodAt('month', berlin, at('2028-02-29T12:00Z'));
  t.equal((february.endMs - february.startMs) / (24 * HOUR_MS), 29);
  const march = periodAt('month', berlin, at('2026-03-10T12:00Z'));
  t.equal((march.endMs - march.startMs) / HOUR_MS, 31 * 24 - 1);
});

t.test('periods follow each other without a gap, whatever the zone', async () => {
  fc.assert(
    fc.property(
      fc.constantFrom('Asia/Seoul', 'Europe/Berlin', 'America/Sao_Paulo', 'Pacific/Apia',
        'Asia/Kathmandu', 'Australia/Lord_Howe', 'UTC', 'Africa/Casablanca'), // biome-ignore format: a list
      fc.constantFrom('00:00', '00:30', '02:30', '06:00', '23:45'),
      fc.constantFrom<PeriodKind>('day', 'week', 'month'),
      fc.integer({ min: at('1985-01-01T00:00Z'), max: at('2037-01-01T00:00Z') }),
      (timeZone, dayStart, kind, fromMs) => {
        const site = { timeZone, dayStart };
        const toMs = fromMs + 100 * 24 * HOUR_MS;
        const periods = [...periodsBetween(kind, site, fromMs, toMs)];
        let endMs = periods[0]?.startMs ?? Number.NaN;
        if (!(endMs <= fromMs)) return false;
        for (const period of periods) {
          if (period.startMs !== endMs || period.endMs <= period.startMs) return false;
          if (periodAt(kind, site, period.startMs).label !== period.label) return false;
          if (periodAt(kind, site, period.endMs - 1).label !== period.label) return false;
          endMs = period.endMs;
        }
        return endMs >= toMs;
      },
    ),
    { numRuns: 200 },
  );
});
