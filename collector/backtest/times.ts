/** Times as recordings have them. */

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const LOCAL = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?$/;
const ZONED = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s?(Z|[+-]\d{2}:?\d{2})$/i;
const OFFSET = /^([+-])(\d{2}):?(\d{2})$/;
/** Numbers from here on are milliseconds: as seconds they would lie beyond the year 5000. */
const MILLISECONDS_FROM = 1e11;

/** What a local time means: how far the zone's clock is ahead of UTC at a UTC time. */
export type Zone = (utcMs: number) => number;

export const UTC: Zone = () => 0;

/** `UTC`, `+09:00` or an IANA name such as Asia/Seoul. Undefined: no zone. */
export function zoneOf(name: string): Zone | undefined {
  const offset = OFFSET.exec(name);
  if (offset !== null) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3]);
    const aheadMs = (offset[1] === '-' ? -minutes : minutes) * 60_000;
    return () => aheadMs;
  }
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    return (utcMs) => localMs(format, utcMs) - Math.floor(utcMs / 1_000) * 1_000;
  } catch {
    return undefined;
  }
}

/**
 * UTC milliseconds of ISO 8601 (with a zone or in `zone`), `YYYY-MM-DD HH:MM[:SS[.fff]]`, a date, or a number:
 * seconds since 1970, milliseconds from 1e11 on. Undefined: none of these.
 */
export function timeOf(text: string, zone: Zone): number | undefined {
  if (NUMBER.test(text)) {
    const value = Number(text);
    return finite(Math.abs(value) >= MILLISECONDS_FROM ? value : value * 1_000);
  }
  const local = LOCAL.exec(text);
  if (local !== null) {
    const wallMs = Date.parse(`${local[1]}T${local[2] ?? '00:00'}Z`);
    if (Number.isNaN(wallMs)) return undefined;
    // Twice: the first may ask on the wrong side of a change of the clocks.
    return finite(wallMs - zone(wallMs - zone(wallMs)));
  }
  const zoned = ZONED.exec(text);
  if (zoned === null) return undefined;
  const [, date, time, suffix = 'Z'] = zoned;
  const offset = OFFSET.exec(suffix);
  const ending = offset === null ? 'Z' : `${offset[1]}${offset[2]}:${offset[3]}`;
  return finite(Date.parse(`${date}T${time}${ending}`));
}

function finite(ms: number): number | undefined {
  return Number.isFinite(ms) ? Math.round(ms) : undefined;
}

function localMs(format: Intl.DateTimeFormat, utcMs: number): number {
  const at = Object.fromEntries(
    format.formatToParts(utcMs).map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = at;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
