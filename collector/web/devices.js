/** The list of devices with the newest value of each channel, updated in place. */

import { element, mark, name, setText } from './dom.js';
import { formatCount, formatDuration, formatValue, timeFormat } from './format.js';
import { severityMark } from './severity.js';

/** @typedef {import('./format.js').Say} Say */
/** @typedef {{ say: Say, language: string, nowMs: number, zoneOf: (site: string) => string }} View */
/** @typedef {(site: string, device: string) => { count: number, severity: string, look: import('./severity.js').Look } | undefined} AlertsOf how many fire, and the severest */

const STALE_MIN_MS = 30_000;
const AHEAD_MS = 60_000;
const BAD = 2;
const UNCERTAIN = 1;
/** Treatments of a value that people should know of. */
const SAID = ['flagged', 'clipped', 'filled'];

/**
 * How fresh a device's readings are. `past`: they come now, with times long gone (a recording, a
 * buffer that is being drained).
 * @param {any} device
 * @param {number} nowMs
 * @returns {'live' | 'stale' | 'past' | 'ahead'}
 */
export function freshness(device, nowMs) {
  const limitMs = Math.max(STALE_MIN_MS, 3 * (device.interval_ms ?? 0));
  const ageMs = nowMs - device.last_ms;
  if (ageMs < -AHEAD_MS) return 'ahead';
  if (ageMs <= limitMs) return 'live';
  return nowMs - device.received_ms <= limitMs ? 'past' : 'stale';
}

/**
 * @param {any} device
 * @param {View} view
 */
export function ageMark(device, { say, language, nowMs, zoneOf }) {
  const ageMs = nowMs - device.last_ms;
  const age = formatDuration(ageMs, say);
  switch (freshness(device, nowMs)) {
    case 'stale':
      return mark('warn', say('stale', { age }));
    case 'past': {
      const format = timeFormat(language, zoneOf(device.site), 'full');
      return mark('note', say('past', { time: format.format(device.last_ms) }));
    }
    case 'ahead':
      return mark('warn', say('ahead', { age }));
    default:
      return mark('calm', ageMs < 2_000 ? say('age_now') : say('age_ago', { age }));
  }
}

/**
 * A channel's value with unit, quality and what else is to be said of it.
 * @param {any} channel
 * @param {Say} say
 * @param {string} language
 * @returns {(Node | string)[]}
 */
export function valueParts(channel, say, language) {
  const { value, quality, unit, decimals, kind, treatment } = channel;
  const attention = value !== null && value === channel.attention_when;
  const severity = quality & 3;
  if (value === null) return [mark(severity === BAD ? 'warn' : 'calm', say('no_value'))];
  /** @type {(Node | string)[]} */
  const parts = [];
  if (typeof value === 'string') parts.push(name(value.slice(0, 200)));
  else if (kind === 'boolean') {
    const word = value === 0 ? say('no') : say('yes');
    parts.push(attention ? mark('warn', `${word} – ${say('attention')}`) : word);
  } else {
    const text = formatValue(value, decimals, language);
    parts.push(attention ? mark('warn', `${text} – ${say('attention')}`) : text);
    if (unit !== '') parts.push(' ', element('small', { class: 'unit' }, unit));
  }
  if (severity === BAD) parts.push(' ', mark('warn', say('bad')));
  if (severity === UNCERTAIN) parts.push(' ', mark('note', say('uncertain')));
  if (SAID.includes(treatment)) parts.push(' ', mark('note', say(treatment)));
  return parts;
}

/** @param {{ site: string, device: string }} id */
export function deviceLink({ site, device }) {
  return `#/device/${encodeURIComponent(site)}/${encodeURIComponent(device)}`;
}

export class DeviceList {
  /** @param {HTMLElement} list */
  constructor(list) {
    this.list = list;
    /** @type {Map<string, DeviceRow>} */
    this.rows = new Map();
  }

  /**
   * @param {any[]} devices in the order to show
   * @param {{ site: string, device: string } | undefined} chosen
   * @param {View} view
   * @param {AlertsOf} alertsOf
   */
  show(devices, chosen, view, alertsOf) {
    const wanted = new Map(devices.map((device) => [deviceLink(device), device]));
    for (const [link, row] of this.rows) {
      if (wanted.has(link)) continue;
      row.node.remove();
      this.rows.delete(link);
    }
    /** @type {Element | null} */
    let place = this.list.firstElementChild;
    for (const [link, device] of wanted) {
      const row = this.rows.get(link) ?? new DeviceRow(device);
      this.rows.set(link, row);
      row.update(device, view);
      row.showAlerts(alertsOf(device.site, device.device), view);
      row.choose(chosen?.site === device.site && chosen?.device === device.device);
      // Moving a node that is in its place would take the focus from it.
      if (row.node === place) place = place.nextElementSibling;
      else this.list.insertBefore(row.node, place);
    }
  }
}

class DeviceRow {
  /** @param {any} device */
  constructor(device) {
    this.link = element('a', { href: deviceLink(device) });
    this.node = element('li', { class: 'device', 'data-device': device.device }, this.link);
    this.age = element('small');
    const who = element('div', { class: 'who' }, element('strong', {}, name(device.device)));
    this.through = element('small');
    this.alerts = element('span', { class: 'device-alerts' });
    who.append(this.alerts, this.through, this.age);
    this.values = element('dl', { class: 'values' });
    this.link.append(who, this.values);
    /** @type {Map<string, { node: HTMLElement, value: HTMLElement, shown: string }>} */
    this.cells = new Map();
    this.ageShown = '';
    this.alertsShown = '';
  }

  /**
   * @param {ReturnType<AlertsOf>} alerts
   * @param {View} view
   */
  showAlerts(alerts, { say, language }) {
    const shown = alerts === undefined ? '' : [...Object.values(alerts), language].join();
    if (shown === this.alertsShown) return;
    this.alertsShown = shown;
    if (alerts === undefined) {
      this.alerts.replaceChildren();
      return;
    }
    const word = say(`severity_${alerts.severity.toLowerCase()}`);
    const count = alerts.count > 1 ? ` (${formatCount(alerts.count, language)})` : '';
    this.alerts.replaceChildren(severityMark(alerts.severity, word + count, alerts.look));
  }

  /** @param {boolean} chosen */
  choose(chosen) {
    if (chosen) this.link.setAttribute('aria-current', 'true');
    else this.link.removeAttribute('aria-current');
  }

  /**
   * @param {any} device
   * @param {View} view
   */
  update(device, view) {
    const place = [device.site, device.area, device.line, device.gateway];
    setText(this.through, place.filter((part) => part !== '').join(' · '));
    const age = ageMark(device, view);
    if (age.outerHTML !== this.ageShown) {
      this.ageShown = age.outerHTML;
      this.age.replaceChildren(age);
    }
    this.node.classList.toggle('is-stale', freshness(device, view.nowMs) === 'stale');
    for (const channel of device.channels) this.updateCell(channel, view);
  }

  /**
   * @param {any} channel
   * @param {View} view
   */
  updateCell(channel, { say, language }) {
    const cell = this.cells.get(channel.channel) ?? this.addCell(channel.channel);
    const { value, quality, decimals, unit, treatment } = channel;
    const shown = [value, quality, decimals, unit, treatment, language].join();
    if (shown === cell.shown) return;
    cell.shown = shown;
    cell.value.replaceChildren(...valueParts(channel, say, language));
  }

  /** @param {string} channel */
  addCell(channel) {
    const value = element('dd');
    const term = element('dt', { title: channel }, name(channel));
    const node = element('div', { 'data-channel': channel }, term, value);
    const cell = { node, value, shown: '' };
    this.cells.set(channel, cell);
    this.values.append(node);
    return cell;
  }
}
