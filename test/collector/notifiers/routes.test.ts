/** Who is told: routes in their order, globs, and hours on the site's clock. */

import t from 'tap';
import type { Route, Schedule } from '../../../collector/notifiers/routes.ts';
import { DAYS, isWithin, receiversOf } from '../../../collector/notifiers/routes.ts';
import { alertOf } from '../../support/alerts.ts';

const NAMES = ['office', 'night', 'boss'];
const ANY: Route = {
  receivers: ['office'],
  severities: [],
  minSeverity: undefined,
  sites: [],
  areas: [],
  lines: [],
  devices: [],
  rules: [],
  schedule: undefined,
  goesOn: false,
};

function route(fields: Partial<Route>): Route {
  return { ...ANY, ...fields };
}

function asked(routes: readonly Route[], fields = {}, atMs = 0): string[] {
  return receiversOf(routes, NAMES, alertOf(fields), atMs, () => 'Asia/Seoul');
}

t.test('without routes all, otherwise the first that matches', async (t) => {
  t.same(asked([]), NAMES);
  const routes = [
    route({ receivers: ['boss'], minSeverity: 'ERROR', goesOn: true }),
    route({ receivers: ['night'], devices: ['press-*'] }),
    route({ receivers: ['office', 'night'] }),
  ];
  t.same(asked(routes), ['night']);
  t.same(asked(routes, { severity: 'CRITICAL' }), ['boss', 'night'], 'and goes on');
  t.same(asked(routes, { device: 'saw' }), ['office', 'night']);
  t.same(asked([route({ severities: ['INFO'] })]), [], 'nobody');
});

t.test('what is matched', async (t) => {
  for (const [fields, matches] of [
    [{ sites: ['plant'] }, true],
    [{ sites: ['other', 'pl?nt'] }, true],
    [{ sites: ['plan'] }, false],
    [{ areas: ['hall *'] }, true],
    [{ lines: ['line 8'] }, false],
    [{ rules: ['temperature_*'] }, true],
    [{ severities: ['INFO', 'WARNING'] }, true],
    [{ minSeverity: 'WARNING' }, true],
    [{ minSeverity: 'ERROR' }, false],
  ] as const)
    t.same(asked([route(fields)]), matches ? ['office'] : [], JSON.stringify(fields));
  t.same(asked([route({ devices: ['gw*'] })], { device: '' }), ['office'], 'a gateway itself');
});

t.test('hours, days and time zones', async (t) => {
  const hours = (fields: Partial<Schedule>): Schedule => ({
    days: new Set(DAYS),
    fromMinute: 9 * 60,
    toMinute: 18 * 60,
    timeZone: undefined,
    ...fields,
  });
  /** Friday, 27 November 2026, so late in Seoul (UTC+9). */
  const seoul = (time: string, day = 27): number => Date.parse(`2026-11-${day}T${time}+09:00`);
  const office = hours({ days: new Set(['mon', 'tue', 'wed', 'thu', 'fri']) });
  for (const [time, day, within] of [
    ['08:59:59', 27, false],
    ['09:00:00', 27, true],
    ['17:59:59', 27, true],
    ['18:00:00', 27, false],
    ['12:00:00', 28, false],
  ] as const)
    t.equal(isWithin(office, seoul(time, day), 'Asia/Seoul'), within, `${day}th ${time}`);
  t.equal(isWithin(office, seoul('10:00:00'), 'UTC'), false, 'the site’s clock counts');
  t.equal(isWithin({ ...office, timeZone: 'Asia/Seoul' }, seoul('10:00:00'), 'UTC'), true);

  const night = hours({ days: new Set(['fri']), fromMinute: 22 * 60, toMinute: 6 * 60 });
  for (const [time, day, within] of [
    ['21:59:00', 27, false],
    ['22:00:00', 27, true],
    ['05:59:00', 28, true],
    ['06:00:00', 28, false],
    ['05:59:00', 27, false],
  ] as const)
    t.equal(isWithin(night, seoul(time, day), 'Asia/Seoul'), within, `night ${day}th ${time}`);

  const always = hours({ fromMinute: 0, toMinute: 1_440 });
  t.equal(isWithin(always, seoul('23:59:59'), 'Asia/Seoul'), true);
  t.equal(isWithin(hours({ fromMinute: 60, toMinute: 60 }), seoul('03:00:00'), 'UTC'), true);
  // Berlin sets its clocks back on 25 October 2026: it is 02:30 twice.
  const half = hours({ fromMinute: 150, toMinute: 151 });
  for (const utc of ['00:30', '01:30'])
    t.equal(isWithin(half, Date.parse(`2026-10-25T${utc}:00Z`), 'Europe/Berlin'), true, utc);
});
