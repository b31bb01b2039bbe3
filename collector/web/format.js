/** Numbers, times and durations as people read them. */

/** @typedef {(key: string, values?: Record<string, string | number>) => string} Say */

/** @type {Map<string, Intl.NumberFormat>} */
const numberFormats = new Map();

/**
 * @param {string} language
 * @param {Intl.NumberFormatOptions} options
 */
function numberFormat(language, options) {
  const key = language + JSON.stringify(options);
  const format = numberFormats.get(key) ?? new Intl.NumberFormat(language, options);
  numberFormats.set(key, format);
  return format;
}

/**
 * @param {number} value
 * @param {string} language
 */
export function formatCount(value, language) {
  return numberFormat(language, { maximumFractionDigits: 0 }).format(value);
}

/**
 * @param {number} value
 * @param {number | null} decimals null: as many as make sense
 * @param {string} language
 */
export function formatValue(value, decimals, language) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return value.toExponential(3);
  if (decimals !== null) {
    const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    return numberFormat(language, options).format(value);
  }
  return numberFormat(language, { maximumSignificantDigits: size >= 1e5 ? 9 : 5 }).format(value);
}

/**
 * @param {number} bytes
 * @param {string} language
 */
export function formatBytes(bytes, language) {
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

/**
 * A length of time in its two leading units at most.
 * @param {number} ms
 * @param {Say} say
 */
export function formatDuration(ms, say) {
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

/** @type {Map<string, Intl.DateTimeFormat>} */
const timeFormats = new Map();

/**
 * @param {string} language
 * @param {string} timeZone
 * @param {'time' | 'minute' | 'date' | 'full'} form
 */
export function timeFormat(language, timeZone, form) {
  const key = `${language} ${timeZone} ${form}`;
  const known = timeFormats.get(key);
  if (known) return known;
  /** @type {Intl.DateTimeFormatOptions} */
  const time = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  /** @type {Intl.DateTimeFormatOptions} */
  const date = { year: 'numeric', month: '2-digit', day: '2-digit' };
  /** @type {Record<string, Intl.DateTimeFormatOptions>} */
  const forms = {
    time: { ...time, second: '2-digit' },
    minute: time,
    date: { month: '2-digit', day: '2-digit' },
    full: { ...date, ...time, second: '2-digit' },
  };
  // Swedish writes dates as ISO 8601 does: the same for every reader.
  const format = new Intl.DateTimeFormat('sv-SE', { ...forms[form], timeZone });
  timeFormats.set(key, format);
  return format;
}

/**
 * `Asia/Seoul (UTC+9)`: the offset is that of the given time.
 * @param {string} timeZone
 * @param {number} atMs
 */
export function zoneName(timeZone, atMs) {
  if (timeZone === 'UTC') return timeZone;
  const format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'shortOffset' });
  const part = format.formatToParts(atMs).find(({ type }) => type === 'timeZoneName');
  return `${timeZone} (${(part?.value ?? 'GMT').replace('GMT', 'UTC')})`;
}

/**
 * The time at which clocks of a zone show `YYYY-MM-DDTHH:MM`, as <input type="datetime-local"> gives it;
 * NaN when it is no such text. Of a time that clocks skip the one after it, of one that they show twice
 * either.
 * @param {string} text
 * @param {string} timeZone
 */
export function wallTimeMs(text, timeZone) {
  const asUtcMs = Date.parse(`${text}Z`);
  if (Number.isNaN(asUtcMs)) return Number.NaN;
  let ms = asUtcMs;
  // The offset of the zone depends on the time that is looked for: the second look is near enough.
  for (let look = 0; look < 2; look++) ms = asUtcMs - offsetMs(ms, timeZone);
  return ms;
}

/**
 * `YYYY-MM-DDTHH:MM` in a zone.
 * @param {number} ms
 * @param {string} timeZone
 */
export function wallTimeText(ms, timeZone) {
  return new Date(ms + offsetMs(ms, timeZone)).toISOString().slice(0, 16);
}

/**
 * How far the clocks of a zone are ahead of UTC.
 * @param {number} ms
 * @param {string} timeZone
 */
function offsetMs(ms, timeZone) {
  const shown = Date.parse(`${timeFormat('en', timeZone, 'full').format(ms).replace(' ', 'T')}Z`);
  return shown - Math.floor(ms / SECOND) * SECOND;
}
