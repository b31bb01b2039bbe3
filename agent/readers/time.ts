/** Reads the times that devices write. Pure but for a cache of time zones. */

import { TIME_MS_MAX, TIME_MS_MIN } from '../../proto/limits.ts';

/** `auto`: text is ISO 8601 (or digits), a number below 1e11 is epoch seconds, above it milliseconds. */
export type TimeFormat = 'auto' | 'iso' | 'epoch_s' | 'epoch_ms';

export interface TimeOptions {
  format: TimeFormat;
  /** IANA name for times without an offset. */
  timeZone: string;
}

/** Between them lie 1973 in milliseconds and the year 5138 in seconds. */
const SECONDS_BELOW = 1e11;

const ISO =
  /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s?(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/;

/**
 * UTC milliseconds, or undefined when `raw` is no time (or one that the wire cannot carry).
 * A local time that exists twice (clocks set back) is taken as the one nearer to `nowMs`; one that does
 * not exist (clocks set forward) as if they had not been set yet.
 */
export function parseTime(raw: unknown, options: TimeOptions, nowMs: number): number | undefined {
  const timeMs = parseRaw(raw, options, nowMs);
  if (timeMs === undefined || !Number.isFinite(timeMs)) return undefined;
  const rounded = Math.round(timeMs);
  return rounded >= TIME_MS_MIN && rounded <= TIME_MS_MAX ? rounded : undefined;
}

function parseRaw(raw: unknown, options: TimeOptions, nowMs: number): number | undefined {
  const { format } = options;
  if (typeof raw === 'number') {
    if (format === 'iso') return undefined;
    const isSeconds = format === 'epoch_s' || (format === 'auto' && Math.abs(raw) < SECONDS_BELOW);
    return isSeconds ? raw * 1_000 : raw;
  }
  if (typeof raw !== 'string') return undefined;
  const text = raw.trim();
  if (format !== 'iso' && /^-?\d{9,}(\.\d+)?$/.test(text)) {
    return parseRaw(Number(text), options, nowMs);
  }
  return format === 'auto' || format === 'iso'
    ? parseIso(text, options.timeZone, nowMs)
    : undefined;
}

function parseIso(text: string, timeZone: string, nowMs: number): number | undefined {
  const match = ISO.exec(text);
  if (match === null) return undefined;
  const number = (index: number): number => Number(match[index] ?? 0);
  const [year, month, day] = [number(1), number(2), number(3)];
  const [hour, minute, second] = [number(4), number(5), number(6)];
  // A leap second (60) counts as the first of the next minute.
  if (month < 1 || month > 12 || day < 1 || hour > 24 || minute > 59 || second > 60)
    return undefined;
  const fractionMs = Number(`${match[7] ?? ''}000`.slice(0, 3));
  if (hour === 24 && minute + second + fractionMs > 0) return undefined;
  // Date.UTC takes the years 0-99 as 1900-1999.
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const localMs = date.getTime() + ((hour * 60 + minute) * 60 + second) * 1_000 + fractionMs;
  const offset = match[8];
  if (offset === undefined) return fromLocal(localMs, timeZone, nowMs);
  return localMs - parseOffset(offset);
}

function parseOffset(offset: string): number {
  if (offset === 'Z' || offset === 'z') return 0;
  const digits = offset.slice(1).replace(':', '');
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || 0);
  return (offset.startsWith('-') ? -1 : 1) * minutes * 60_000;
}

const DAY_MS = 86_400_000;

function fromLocal(localMs: number, timeZone: string, nowMs: number): number {
  if (timeZone === 'UTC') return localMs;
  const before = zoneOffsetMs(localMs - DAY_MS, timeZone);
  const after = zoneOffsetMs(localMs + DAY_MS, timeZone);
  if (before === after) return localMs - before;
  const candidates = [localMs - before, localMs - after].filter(
    (utcMs) => utcMs + zoneOffsetMs(utcMs, timeZone) === localMs,
  );
  const [first, second] = candidates;
  if (first === undefined) return localMs - before;
  if (second === undefined) return first;
  return Math.abs(second - nowMs) < Math.abs(first - nowMs) ? second : first;
}

interface Zone {
  format: Intl.DateTimeFormat;
  offsets: Map<number, number>;
}

/** Formatters are dear to make (about a millisecond), so each zone keeps its own; zones are few. */
const zones = new Map<string, Zone>();
const OFFSETS_PER_ZONE_MAX = 512;
/** No zone changes its offset within a quarter of an hour that starts at a multiple of it. */
const QUARTER_MS = 900_000;

/** What the zone's clocks show minus UTC, in milliseconds, at a UTC time. */
function zoneOffsetMs(utcMs: number, timeZone: string): number {
  let zone = zones.get(timeZone);
  if (zone === undefined) {
    zone = { format: zoneFormat(timeZone), offsets: new Map() };
    zones.set(timeZone, zone);
  }
  const quarter = Math.floor(utcMs / QUARTER_MS);
  const known = zone.offsets.get(quarter);
  if (known !== undefined) return known;
  const offsetMs = readOffset(zone.format, quarter * QUARTER_MS);
  if (zone.offsets.size >= OFFSETS_PER_ZONE_MAX) zone.offsets.clear();
  zone.offsets.set(quarter, offsetMs);
  return offsetMs;
}

function zoneFormat(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone,
    timeZoneName: 'longOffset',
    year: 'numeric',
  });
}

function readOffset(format: Intl.DateTimeFormat, utcMs: number): number {
  const name = format.formatToParts(utcMs).find((part) => part.type === 'timeZoneName')?.value;
  const match = /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(name ?? '');
  if (match?.[1] === undefined) return 0;
  const seconds = Number(match[2]) * 3_600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return (match[1] === '-' ? -1 : 1) * seconds * 1_000;
}

/** Does the platform know this IANA name? */
export function isTimeZone(name: string): boolean {
  // The first formatter costs a process some 10 MB: the usual answer must not make one.
  if (name === 'UTC') return true;
  try {
    zoneFormat(name);
    return true;
  } catch {
    return false;
  }
}
