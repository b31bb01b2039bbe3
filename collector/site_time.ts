/**
 * A site's calendar: days that start at the site's local `dayStart`, weeks from Monday, months. Pure; the
 * rules of time zones come from the runtime's ICU data. A day has 23, 24 or 25 hours where clocks change.
 */

/** `config.ts` SiteConfig has this shape. */
export interface SiteCalendar {
  /** IANA name. */
  timeZone: string;
  /** Local `HH:MM` at which the site's day starts. */
  dayStart: string;
}

export const UTC_CALENDAR: SiteCalendar = { timeZone: 'UTC', dayStart: '00:00' };

export type PeriodKind = 'day' | 'week' | 'month';
export const PERIOD_KINDS: readonly PeriodKind[] = ['day', 'week', 'month'];

export interface Period {
  kind: PeriodKind;
  /** `2026-11-22`, `2026-W47` (ISO), `2026-11`: the local dates that it covers. */
  label: string;
  /** UTC ms, inclusive. */
  startMs: number;
  /** UTC ms, exclusive: the start of the next one. */
  endMs: number;
}

/** Days since 1970-01-01 of a calendar date: no time zone in it. */
type DayNumber = number;

const DAY_MS = 86_400_000;
/** 1970-01-01 was a Thursday. */
const MONDAY: DayNumber = 4;

/** The period that contains `atMs`. Throws RangeError for a time zone that the runtime does not know. */
export function periodAt(kind: PeriodKind, site: SiteCalendar, atMs: number): Period {
  return periodOf(kind, site, firstDayOf(kind, dayAt(site, atMs)));
}

/** All periods that overlap [fromMs, toMs), ascending. */
export function* periodsBetween(
  kind: PeriodKind,
  site: SiteCalendar,
  fromMs: number,
  toMs: number,
): Generator<Period> {
  if (fromMs >= toMs) return;
  let period = periodAt(kind, site, fromMs);
  while (period.startMs < toMs) {
    yield period;
    period = periodAt(kind, site, period.endMs);
  }
}

function periodOf(kind: PeriodKind, site: SiteCalendar, first: DayNumber): Period {
  return {
    kind,
    label: labelOf(kind, first),
    startMs: startOfDay(site, first),
    endMs: startOfDay(site, nextFirstDay(kind, first)),
  };
}

function firstDayOf(kind: PeriodKind, day: DayNumber): DayNumber {
  if (kind === 'day') return day;
  if (kind === 'week') return day - ((((day - MONDAY) % 7) + 7) % 7);
  const date = new Date(day * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / DAY_MS;
}

function nextFirstDay(kind: PeriodKind, first: DayNumber): DayNumber {
  if (kind === 'day') return first + 1;
  if (kind === 'week') return first + 7;
  const date = new Date(first * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / DAY_MS;
}

function labelOf(kind: PeriodKind, first: DayNumber): string {
  const iso = new Date(first * DAY_MS).toISOString();
  if (kind === 'day') return iso.slice(0, 10);
  if (kind === 'month') return iso.slice(0, 7);
  // ISO 8601: a week belongs to the year of its Thursday.
  const thursday = new Date((first + 3) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS)) + 1;
  return `${year}-W${String(week).padStart(2, '0')}`;
}

/** The site's day that contains the instant. */
function dayAt(site: SiteCalendar, atMs: number): DayNumber {
  // A rough guess, of an instant that is often the same.
  const guessMs = Math.floor(atMs / DAY_MS) * DAY_MS;
  let day = Math.floor((atMs + offsetAt(site.timeZone, guessMs)) / DAY_MS);
  while (atMs < startOfDay(site, day)) day--;
  while (atMs >= startOfDay(site, day + 1)) day++;
  return day;
}

/**
 * When the local clock shows dayStart on that date. A time that the clock skips counts from where it
 * goes on; of a time that it shows twice the first counts.
 */
function startOfDay(site: SiteCalendar, day: DayNumber): number {
  const [hours, minutes] = site.dayStart.split(':').map(Number) as [number, number];
  const localMs = day * DAY_MS + (hours * 60 + minutes) * 60_000;
  const before = offsetAt(site.timeZone, localMs - DAY_MS);
  const after = offsetAt(site.timeZone, localMs + DAY_MS);
  for (const offset of before === after ? [before] : [before, after]) {
    if (offsetAt(site.timeZone, localMs - offset) === offset) return localMs - offset;
  }
  return localMs - before;
}

const formats = new Map<string, Intl.DateTimeFormat>();
/** By time zone and instant: the same few are asked for over and over, and ICU takes its time. */
const offsets = new Map<string, Map<number, number>>();
const OFFSETS_MAX = 4_096;

/** Local minus UTC, ms. */
function offsetAt(timeZone: string, atMs: number): number {
  if (timeZone === 'UTC') return 0;
  let known = offsets.get(timeZone);
  if (known === undefined || known.size >= OFFSETS_MAX) {
    known = new Map();
    offsets.set(timeZone, known);
  }
  const offset = known.get(atMs) ?? lookUpOffset(timeZone, atMs);
  known.set(atMs, offset);
  return offset;
}

function lookUpOffset(timeZone: string, atMs: number): number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(timeZone, format);
  }
  const parts: Record<string, string> = {};
  for (const { type, value } of format.formatToParts(atMs)) parts[type] = value;
  const year = parts.era === 'BC' ? 1 - Number(parts.year) : Number(parts.year);
  const local = new Date(0);
  local.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day));
  local.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second));
  return local.getTime() - Math.floor(atMs / 1_000) * 1_000;
}
