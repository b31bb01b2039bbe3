/** When something was: how long ago, and the time at its site. */

import { element, setText } from './dom.js';
import { formatDuration, timeFormat, zoneName } from './format.js';

/** @typedef {import('./devices.js').View} View */

const DAY_MS = 24 * 3_600_000;

/**
 * The time at the site: of today without the date.
 * @param {number} ms
 * @param {string} site
 * @param {View} view
 */
export function clockText(ms, site, { language, nowMs, zoneOf }) {
  const zone = zoneOf(site);
  const day = timeFormat(language, zone, 'date');
  const isToday = Math.abs(nowMs - ms) < DAY_MS && day.format(ms) === day.format(nowMs);
  return timeFormat(language, zone, isToday ? 'time' : 'full').format(ms);
}

const UTC_TIME = /\b(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC\b/g;

/**
 * What the collector says in UTC, with the times of the site: as everything else on the page.
 * @param {string} text
 * @param {string} site
 * @param {View} view
 */
export function withSiteTimes(text, site, view) {
  return text.replace(UTC_TIME, (all, date, time) => {
    const ms = Date.parse(`${date}T${time}Z`);
    return Number.isNaN(ms) ? all : clockText(ms, site, view);
  });
}

/** Since when, kept up to date without being read aloud again. */
export class Since {
  constructor() {
    this.node = element('time');
  }

  /**
   * @param {number} ms
   * @param {string} site
   * @param {View} view
   */
  update(ms, site, view) {
    const { say, nowMs, zoneOf } = view;
    const age = formatDuration(Math.max(0, nowMs - ms), say);
    setText(this.node, say('since', { age, time: clockText(ms, site, view) }));
    const zone = zoneName(zoneOf(site), ms);
    if (this.node.title !== zone) this.node.title = zone;
    const iso = new Date(ms).toISOString();
    if (this.node.dateTime !== iso) this.node.dateTime = iso;
  }
}

/**
 * @param {number} fromMs
 * @param {number} toMs
 * @param {string} site
 * @param {View} view
 */
export function spanText(fromMs, toMs, site, view) {
  const length = formatDuration(toMs - fromMs, view.say);
  const { zoneOf, language } = view;
  const day = timeFormat(language, zoneOf(site), 'date');
  const isSameDay = day.format(fromMs) === day.format(toMs) && toMs - fromMs < DAY_MS;
  const end = isSameDay
    ? timeFormat(language, zoneOf(site), 'time').format(toMs)
    : clockText(toMs, site, view);
  return `${clockText(fromMs, site, view)} – ${end} (${length})`;
}
