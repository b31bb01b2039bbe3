/** Who is told of an alert. Pure. */

import { compareSeverity } from '../alert.ts';
import { matchesGlob } from '../processor/validation/glob.ts';
import type { AlertSeverity } from '../profile.ts';

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Day = (typeof DAYS)[number];

/** Hours of the week. `from` equal to `to`: the whole day; `from` after `to`: over midnight, by the day that it began on. */
export interface Schedule {
  days: ReadonlySet<Day>;
  /** Minutes of the local day. */
  fromMinute: number;
  toMinute: number;
  /** IANA name; undefined: that of the alert's site. */
  timeZone: string | undefined;
}

/** Empty lists match all. Globs: `*` and `?`. */
export interface Route {
  receivers: readonly string[];
  severities: readonly AlertSeverity[];
  minSeverity: AlertSeverity | undefined;
  sites: readonly string[];
  areas: readonly string[];
  lines: readonly string[];
  devices: readonly string[];
  rules: readonly string[];
  schedule: Schedule | undefined;
  /** The routes after it are looked at, too. */
  goesOn: boolean;
}

export interface Routable {
  site: string;
  area: string;
  line: string;
  /** '' for an alert of the gateway itself: `devices` matches its gateway then. */
  device: string;
  gateway: string;
  rule: string;
  severity: AlertSeverity;
}

/**
 * Names of receivers, each once. The first route that matches holds, and those after it as long as each
 * says that it goes on. Without routes: all.
 */
export function receiversOf(
  routes: readonly Route[],
  all: readonly string[],
  alert: Routable,
  atMs: number,
  timeZoneOf: (site: string) => string,
): string[] {
  if (routes.length === 0) return [...all];
  const found = new Set<string>();
  for (const route of routes) {
    if (!matches(route, alert, atMs, timeZoneOf)) continue;
    for (const name of route.receivers) found.add(name);
    if (!route.goesOn) break;
  }
  return [...found];
}

function matches(
  route: Route,
  alert: Routable,
  atMs: number,
  timeZoneOf: (site: string) => string,
): boolean {
  const { severities, minSeverity, schedule } = route;
  return (
    (severities.length === 0 || severities.includes(alert.severity)) &&
    (minSeverity === undefined || compareSeverity(alert.severity, minSeverity) >= 0) &&
    matchesAny(route.sites, alert.site) &&
    matchesAny(route.areas, alert.area) &&
    matchesAny(route.lines, alert.line) &&
    matchesAny(route.devices, alert.device === '' ? alert.gateway : alert.device) &&
    matchesAny(route.rules, alert.rule) &&
    (schedule === undefined || isWithin(schedule, atMs, timeZoneOf(alert.site)))
  );
}

function matchesAny(globs: readonly string[], text: string): boolean {
  return globs.length === 0 || globs.some((glob) => matchesGlob(glob, text));
}

/** Also over changes of the clock: what counts is what a clock on the wall shows. */
export function isWithin(schedule: Schedule, atMs: number, siteTimeZone: string): boolean {
  const { days, fromMinute, toMinute } = schedule;
  const { day, minute } = localTime(atMs, schedule.timeZone ?? siteTimeZone);
  if (fromMinute === toMinute) return days.has(DAYS[day]!);
  if (fromMinute < toMinute)
    return days.has(DAYS[day]!) && minute >= fromMinute && minute < toMinute;
  if (minute >= fromMinute) return days.has(DAYS[day]!);
  return minute < toMinute && days.has(DAYS[(day + 6) % 7]!);
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Day of the week, 0 for Monday, and minute of the day on the wall. */
function localTime(atMs: number, timeZone: string): { day: number; minute: number } {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      weekday: 'short',
      hour: 'numeric',
      minute: 'numeric',
    });
    formats.set(timeZone, format);
  }
  const parts: Record<string, string> = {};
  for (const { type, value } of format.formatToParts(atMs)) parts[type] = value;
  const day = DAYS.indexOf((parts.weekday ?? '').toLowerCase() as Day);
  return { day, minute: Number(parts.hour) * 60 + Number(parts.minute) };
}
