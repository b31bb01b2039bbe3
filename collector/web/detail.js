/** The chosen device: a chart for each channel, from its history and then live. */

import { ask, follow } from './api.js';
import { Chart } from './chart.js';
import { ageMark, freshness, valueParts } from './devices.js';
import { byId, element, name } from './dom.js';
import { formatCount, timeFormat, zoneName } from './format.js';

export const RANGES = {
  range_5m: 300,
  range_1h: 3_600,
  range_24h: 86_400,
  range_7d: 604_800,
  range_30d: 2_592_000,
};
/** @typedef {keyof typeof RANGES} Range */

const CHARTS_MAX = 24;
/** Up to this length readings are shown one by one, if they are not too many. */
const RAW_RANGE_S = 3_600;
const RAW_MAX = 10_000;
const BUCKETS = 500;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** What was taken by the log but not yet by the store when the history was read comes with the second. */
const SECOND_LOOK_MS = 3_000;
/** Long ranges are read again, so that buckets stay buckets. */
const REFRESH_MS = 60_000;
const DRAW_MS = 500;

export class Detail {
  /**
   * @param {() => import('./devices.js').View} viewOf
   * @param {Pick<import('./anomalies.js').Anomalies, 'bandsOf' | 'point' | 'load'>} anomalies of the device
   */
  constructor(viewOf, anomalies) {
    this.viewOf = viewOf;
    this.anomalies = anomalies;
    /** @type {Range} */
    this.range = 'range_5m';
    /** @type {Map<string, Chart>} */
    this.charts = new Map();
    /** @type {any} */
    this.device = undefined;
    /** @type {{ site: string, device: string } | undefined} */
    this.id = undefined;
    this.close = () => {};
    this.loads = 0;
    this.problem = '';
    this.lost = false;
    this.loading = false;
  }

  /** @param {{ site: string, device: string } | undefined} id */
  choose(id) {
    if (this.id?.site === id?.site && this.id?.device === id?.device) return;
    this.end();
    this.id = id;
    byId('detail').hidden = id === undefined;
    if (id === undefined) return;
    this.start(id);
    byId('detail-title').replaceChildren(name(id.device));
    byId('detail-title').focus({ preventScroll: true });
  }

  /** @param {{ site: string, device: string }} id */
  start({ site, device }) {
    const stopFollowing = follow(site, device, {
      onOpen: () => this.reload(),
      onReadings: (data) => this.take(data),
      onLost: () => {
        this.lost = true;
      },
    });
    const drawing = setInterval(() => this.draw(), DRAW_MS);
    const refreshing = setInterval(() => {
      if (RANGES[this.range] > RAW_RANGE_S || this.lost) void this.load();
    }, REFRESH_MS);
    this.close = () => {
      stopFollowing();
      clearInterval(drawing);
      clearInterval(refreshing);
      clearTimeout(this.second);
    };
    this.reload();
  }

  end() {
    this.close();
    this.close = () => {};
    this.loads++;
    for (const chart of this.charts.values()) chart.close();
    this.charts.clear();
    this.device = undefined;
    this.lost = false;
    this.problem = '';
    byId('charts').replaceChildren();
    byId('detail-note').replaceChildren();
  }

  /** Same device, from the start: after a change of language, range or colours. */
  restart() {
    const { id } = this;
    if (id === undefined) return;
    const { device } = this;
    this.end();
    this.start(id);
    if (device) this.update(device);
  }

  /** @param {Range} range */
  setRange(range) {
    if (range === this.range) return;
    this.range = range;
    this.restart();
    void this.anomalies.load();
  }

  recolour() {
    for (const chart of this.charts.values()) chart.recolour();
    this.draw();
  }

  /** The newest values. @param {any} device of /api/v1/devices */
  update(device) {
    if (device.site !== this.id?.site || device.device !== this.id?.device) return;
    const first = this.device === undefined;
    this.device = device;
    const { say, language } = this.viewOf();
    for (const channel of device.channels) {
      const chart = this.chartOf(channel.channel, channel.kind);
      if (chart === undefined) continue;
      chart.describe(channel);
      chart.value.replaceChildren(...valueParts(channel, say, language));
    }
    this.showNote();
    if (first) this.reload();
  }

  /** What is known of the device, with its age as of now. */
  showNote() {
    const { device } = this;
    if (device === undefined) return;
    const { say, language, zoneOf } = this.viewOf();
    const zone = zoneOf(device.site);
    const time = timeFormat(language, zone, 'full').format(device.last_ms);
    const lines = [
      `${say('site', { site: device.site })} · ${say('through', { gateway: device.gateway })}`,
      ` · ${say('last', { time })} · `,
    ];
    const note = byId('detail-note');
    note.replaceChildren(...lines, ageMark(device, this.viewOf()), element('br'));
    note.append(say('zone', { zone: zoneName(zone, device.last_ms) }));
    if (freshness(device, this.viewOf().nowMs) !== 'live') note.append(` · ${say('until')}`);
    for (const text of [this.problem, this.lost ? say('lost') : ''])
      if (text !== '') note.append(element('br'), text);
  }

  /**
   * Text has no chart.
   * @param {string} channel
   * @param {string} kind
   */
  chartOf(channel, kind) {
    const known = this.charts.get(channel);
    if (known) return known;
    if (kind === 'text' || this.charts.size >= CHARTS_MAX) return undefined;
    const { say, language, zoneOf } = this.viewOf();
    const label = say('chart', { channel });
    const timeZone = zoneOf(this.id?.site ?? '');
    const chart = new Chart(channel, {
      language,
      timeZone,
      label,
      truth: [say('no'), say('yes')],
      say,
      onAnomaly: (id) => this.anomalies.point(id),
    });
    this.charts.set(channel, chart);
    byId('charts').append(chart.node);
    return chart;
  }

  /** How a channel's values are written. @param {string} channel */
  metaOf(channel) {
    const known = this.device?.channels.find((/** @type {any} */ c) => c.channel === channel);
    return { unit: known?.unit ?? '', decimals: known?.decimals ?? null };
  }

  /** Where the charts begin. */
  fromMs() {
    return this.endMs() - RANGES[this.range] * 1000;
  }

  /** Brings an anomaly out in the charts. @param {string | undefined} anomaly its id */
  point(anomaly) {
    for (const chart of this.charts.values()) chart.bands.point(anomaly);
  }

  /** Where the charts end: now, or the last reading when that is not of now. */
  endMs() {
    const { nowMs } = this.viewOf();
    if (this.device === undefined || freshness(this.device, nowMs) === 'live') return nowMs;
    return this.device.last_ms;
  }

  reload() {
    void this.load();
    clearTimeout(this.second);
    this.second = setTimeout(() => this.load(), SECOND_LOOK_MS);
  }

  async load() {
    const { id, device } = this;
    if (id === undefined || device === undefined) return;
    const load = ++this.loads;
    this.loading =
      this.charts.size > 0 && [...this.charts.values()].every((c) => c.points.size === 0);
    const lengthS = RANGES[this.range];
    const to = Math.ceil(this.endMs()) + 60_000;
    const from = to - 60_000 - lengthS * 1000;
    const channels = [...this.charts.keys()].join(',');
    const base = { site: id.site, device: id.device, channels, from, to, limit: RAW_MAX };
    try {
      let answer;
      let isRaw = lengthS <= RAW_RANGE_S;
      if (isRaw) {
        answer = await ask('/api/v1/readings', { ...base, order: 'desc' });
        isRaw = answer.next === null;
      }
      if (!isRaw) answer = await this.loadBuckets(base, lengthS);
      if (load !== this.loads) return;
      this.problem = '';
      this.lost = false;
      this.fill(answer.items, isRaw);
    } catch (error) {
      if (load !== this.loads) return;
      const message = error instanceof Error ? error.message : String(error);
      this.problem = this.viewOf().say('history_failed', { message });
    }
    this.loading = false;
    this.draw();
  }

  /**
   * @param {Record<string, string | number>} base
   * @param {number} lengthS
   */
  async loadBuckets(base, lengthS) {
    // Whole minutes and whole hours come of roll-ups: quick, however long the range is.
    const wanted = (lengthS * 1000) / BUCKETS;
    const unit = wanted > HOUR_MS ? HOUR_MS : MINUTE_MS;
    const step_ms = Math.ceil(wanted / unit) * unit;
    const items = [];
    let cursor;
    do {
      const answer = await ask('/api/v1/readings', { ...base, step_ms, cursor });
      items.push(...answer.items);
      cursor = answer.next ?? undefined;
    } while (cursor !== undefined);
    return { items };
  }

  /**
   * @param {any[]} items
   * @param {boolean} isRaw buckets replace what is there, readings add to it
   */
  fill(items, isRaw) {
    const byChannel = Map.groupBy(items, (item) => item.channel);
    for (const [channel, chart] of this.charts) {
      if (!isRaw) chart.clear();
      chart.add(byChannel.get(channel) ?? []);
    }
  }

  /** Live readings. @param {any} data */
  take(data) {
    const { say, language } = this.viewOf();
    const byChannel = Map.groupBy(data.readings, (/** @type {any} */ r) => r.channel);
    for (const [channel, readings] of byChannel) {
      const chart = this.charts.get(channel);
      if (chart === undefined) continue;
      chart.add(readings);
      const known = this.device?.channels.find((/** @type {any} */ c) => c.channel === channel);
      const newest = readings.at(-1);
      if (known === undefined || newest.time_ms < known.time_ms) continue;
      const { time_ms, value, quality, treatment = 'kept' } = newest;
      Object.assign(known, { time_ms, value, quality, treatment });
      this.device.last_ms = Math.max(this.device.last_ms, time_ms);
      this.device.received_ms = Math.max(this.device.received_ms, data.received_ms);
      chart.value.replaceChildren(...valueParts(known, say, language));
    }
  }

  draw() {
    const { say, language } = this.viewOf();
    const toS = this.endMs() / 1000;
    const fromS = toS - RANGES[this.range];
    const none = this.loading ? say('loading') : say('no_history');
    for (const [channel, chart] of this.charts) {
      chart.bands.set(this.anomalies.bandsOf(channel, { fromS, toS }));
      const bad = chart.draw(fromS, toS, none);
      if (bad > 0 && chart.readout.textContent === '')
        chart.readout.textContent = `▲ ${say('bad_points', { count: formatCount(bad, language) })}`;
    }
  }
}
