/** Numbers, times and durations as people read them. Pure. */

import type { Language } from '../api/types.ts';
import type { Values } from './words.ts';

/** What formatDuration needs of the words. */
export type SayDuration = (
  key: 'seconds' | 'minutes' | 'hours' | 'days' | 'years',
  values?: Values,
) => string;

const numberFormats = new Map<string, Intl.NumberFormat>();

function numberFormat(language: Language, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = language + JSON.stringify(options);
  const format = numberFormats.get(key) ?? new Intl.NumberFormat(language, options);
  numberFormats.set(key, format);
  return format;
}

export function formatCount(value: number, language: Language): string {
  return numberFormat(language, { maximumFractionDigits: 0 }).format(value);
}

/** `decimals` null: as many as make sense. */
export function formatValue(value: number, decimals: number | null, language: Language): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return value.toExponential(3);
  if (decimals !== null) {
    const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    return numberFormat(language, options).format(value);
  }
  return numberFormat(language, { maximumSignificantDigits: size >= 1e5 ? 9 : 5 }).format(value);
}

/** `share` in [0, 1]. */
export function formatPercent(share: number, language: Language, decimals = 1): string {
  const options = { style: 'percent', maximumFractionDigits: decimals } as const;
  return numberFormat(language, options).format(share);
}

export function formatBytes(bytes: number, language: Language): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = { maximumFractionDigits: unit === 0 || value >= 100 ? 0 : 1 };
  return `${numberFormat(language, digits).format(value)} ${units[unit]}`;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time in its two leading units at most. */
export function formatDuration(ms: number, say: SayDuration): string {
  const size = Math.abs(ms);
  if (size < MINUTE) return say('seconds', { n: Math.floor(size / SECOND) });
  if (size < HOUR) return say('minutes', { n: Math.floor(size / MINUTE) });
  if (size < DAY) {
    const minutes = Math.floor((size % HOUR) / MINUTE);
    const hours = say('hours', { n: Math.floor(size / HOUR) });
    return minutes === 0 ? hours : `${hours} ${say('minutes', { n: minutes })}`;
  }
  if (size < 730 * DAY) return say('days', { n: Math.floor(size / DAY) });
  return say('years', { n: Math.floor(size / (365.25 * DAY)) });
}

export type TimeForm = 'time' | 'minute' | 'date' | 'full' | 'millisecond';

const timeFormats = new Map<string, Intl.DateTimeFormat>();

/** Times in a zone, year first and 24 hours: the same for readers of every language. */
export function timeFormat(timeZone: string, form: TimeForm): Intl.DateTimeFormat {
  const key = `${timeZone} ${form}`;
  const known = timeFormats.get(key);
  if (known !== undefined) return known;
  const time = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  const date = { year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  const forms: Record<TimeForm, Intl.DateTimeFormatOptions> = {
    time: { ...time, second: '2-digit' },
    minute: time,
    date: { month: '2-digit', day: '2-digit' },
    full: { ...date, ...time, second: '2-digit' },
    millisecond: { ...date, ...time, second: '2-digit', fractionalSecondDigits: 3 },
  };
  // Swedish writes dates as ISO 8601 does.
  const format = new Intl.DateTimeFormat('sv-SE', { ...forms[form], timeZone });
  timeFormats.set(key, format);
  return format;
}

/** `Asia/Seoul (UTC+9)`: the offset is that of the given time. */
export function zoneName(timeZone: string, atMs: number): string {
  if (timeZone === 'UTC') return timeZone;
  const format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'shortOffset' });
  const part = format.formatToParts(atMs).find(({ type }) => type === 'timeZoneName');
  return `${timeZone} (${(part?.value ?? 'GMT').replace('GMT', 'UTC')})`;
}

/**
 * The time at which clocks of a zone show `YYYY-MM-DDTHH:MM`, as <input type="datetime-local"> gives it; NaN when it
 * is no such text. Of a time that clocks skip the one after it, of one that they show twice either.
 */
export function wallTimeMs(text: string, timeZone: string): number {
  const asUtcMs = Date.parse(`${text}Z`);
  if (Number.isNaN(asUtcMs)) return Number.NaN;
  let ms = asUtcMs;
  // The offset of the zone depends on the time that is looked for: the second look is near enough.
  for (let look = 0; look < 2; look++) ms = asUtcMs - zoneOffsetMs(ms, timeZone);
  return ms;
}

/** `YYYY-MM-DDTHH:MM` in a zone. */
export function wallTimeText(ms: number, timeZone: string): string {
  return new Date(ms + zoneOffsetMs(ms, timeZone)).toISOString().slice(0, 16);
}

/** How far the clocks of a zone are ahead of UTC. */
export function zoneOffsetMs(ms: number, timeZone: string): number {
  const shown = Date.parse(`${timeFormat(timeZone, 'full').format(ms).replace(' ', 'T')}Z`);
  return shown - Math.floor(ms / SECOND) * SECOND;
}
