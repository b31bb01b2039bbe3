/**
 * What is firing now, severest first; what makes no messages, apart; silences; and what was. Read from the
 * collector at each connection and every while, kept up to date by the stream in between.
 */

import { AlertHistory } from './alert_history.js';
import { AlertRows, isQuiet, lookOf, sinceMs, subjectOf, titleOf } from './alert_rows.js';
import { ask } from './api.js';
import { byId, element, name, setText } from './dom.js';
import { formatCount } from './format.js';
import { failureText } from './forms.js';
import { bySeverity, compareSeverity, severityMark, shapeOf } from './severity.js';
import { SilenceList } from './silences.js';

/** @typedef {import('./devices.js').View} View */

/** Alerts asked for at once; with more of them the page says so. */
const ASKED_MAX = 1_000;
/** Rows at first, so that the devices stay in reach; a button shows more. */
const SHOWN_FIRST = 10;
const SHOWN_STEP = 50;
/** The store may be this far behind the stream: what the stream has told since is not taken back by a reading. */
const STORE_LAG_MS = 3_000;
/** Alerts that are over, so that a late answer does not bring them back. */
const RESOLVED_MAX = 1_000;
/** What was changed shows in the stream or, at the latest, when it is read again. */
const LOOK_AGAIN_MS = [700, 3_000, 10_000];
/** Alarms told by name at once; beyond that they are counted. */
const TOLD_MAX = 3;

/**
 * One that nobody cares for is enough to be loud.
 * @param {any[]} alerts
 * @returns {import('./severity.js').Look}
 */
function lookOfAll(alerts) {
  return alerts.every((alert) => lookOf(alert) === 'seen') ? 'seen' : 'loud';
}

export class Alerts {
  /** @param {() => View} viewOf */
  constructor(viewOf) {
    this.viewOf = viewOf;
    /** @type {Map<string, { alert: any, takenMs: number }>} not over, by id */
    this.active = new Map();
    /** @type {Map<string, number>} version by id */
    this.resolved = new Map();
    /** @type {Set<string>} ids that were told, or were there at the start */
    this.told = new Set();
    this.loaded = false;
    this.hasMore = false;
    this.problem = '';
    this.shownMax = SHOWN_FIRST;
    /** @type {any} undefined: none is chosen */
    this.chosen = undefined;
    this.history = new AlertHistory(viewOf);
    this.silences = new SilenceList(byId('silences-list'), () => this.lookAgain());
    const options = {
      findSilence: (/** @type {string} */ id) => this.silences.find(id),
      onDone: () => this.lookAgain(),
    };
    this.firing = new AlertRows(byId('alerts-firing'), { ...options, withDevice: true });
    this.quiet = new AlertRows(byId('alerts-quiet-list'), { ...options, withDevice: true });
    this.ofDevice = new AlertRows(byId('device-alerts'), { ...options, withDevice: false });
    byId('alerts-more').addEventListener('click', () => {
      this.shownMax += SHOWN_STEP;
      this.show();
    });
  }

  async load() {
    const startMs = performance.now();
    try {
      const [answer, silences] = await Promise.all([
        ask('/api/v1/alerts', { active: 'true', limit: ASKED_MAX }),
        ask('/api/v1/silences', { ended: 'false' }),
      ]);
      this.fill(answer.items, startMs);
      this.hasMore = answer.next !== null;
      this.silences.silences = silences.items;
      this.problem = '';
    } catch (error) {
      this.problem = failureText(error, this.viewOf().say);
      this.show();
      throw error;
    }
    this.show();
  }

  /**
   * @param {any[]} alerts all that the store knows as active
   * @param {number} askedMs performance.now() when they were asked for
   */
  fill(alerts, askedMs) {
    const found = new Set(alerts.map(({ id }) => id));
    for (const [id, { takenMs }] of this.active)
      if (!found.has(id) && takenMs < askedMs - STORE_LAG_MS) this.active.delete(id);
    for (const alert of alerts) this.put(alert, Number.NEGATIVE_INFINITY);
    if (!this.loaded) for (const alert of alerts) this.told.add(alert.id);
    for (const id of this.told) if (!this.active.has(id)) this.told.delete(id);
    this.loaded = true;
    this.tell();
  }

  /** From the stream. @param {any} alert */
  take(alert) {
    this.put(alert, performance.now());
    if (alert.state === 'resolved') this.history.take(alert);
    this.tell();
    this.show();
  }

  /**
   * @param {any} alert
   * @param {number} takenMs
   */
  put(alert, takenMs) {
    const { id, version, state } = alert;
    const known = this.active.get(id);
    if (known !== undefined && known.alert.version > version) return;
    if ((this.resolved.get(id) ?? -1) >= version) return;
    if (state !== 'resolved') {
      this.active.set(id, { alert, takenMs: Math.max(takenMs, known?.takenMs ?? takenMs) });
      return;
    }
    this.active.delete(id);
    this.told.delete(id);
    this.resolved.set(id, version);
    const [oldest] = this.resolved.keys();
    if (this.resolved.size > RESOLVED_MAX && oldest !== undefined) this.resolved.delete(oldest);
  }

  /** Something was changed here. */
  lookAgain() {
    const last = LOOK_AGAIN_MS.at(-1);
    for (const afterMs of LOOK_AGAIN_MS)
      setTimeout(async () => {
        // Without a connection nobody knows: the page says that already.
        const isRead = await this.load().then(
          () => true,
          () => false,
        );
        if (afterMs !== last || !isRead) return;
        for (const rows of [this.firing, this.quiet, this.ofDevice]) rows.giveUp();
      }, afterMs);
  }

  /** Those that a person is to see, severest first; unseen ones before those somebody cares for. */
  sorted() {
    return [...this.active.values()]
      .map(({ alert }) => alert)
      .sort(
        (a, b) =>
          compareSeverity(a.severity, b.severity) ||
          Number(a.state === 'acknowledged') - Number(b.state === 'acknowledged') ||
          sinceMs(b) - sinceMs(a) ||
          (a.id < b.id ? -1 : 1),
      );
  }

  /**
   * How many fire of a device, and the severest.
   * @returns {import('./devices.js').AlertsOf}
   */
  byDevice() {
    const firing = this.sorted().filter((alert) => !isQuiet(alert) && alert.device !== '');
    const groups = Map.groupBy(firing, ({ site, device }) => `${site}\0${device}`);
    return (site, device) => {
      const of = groups.get(`${site}\0${device}`);
      if (of === undefined) return undefined;
      const [[severity, severest] = ['INFO', of]] = bySeverity(of);
      return { count: of.length, severity, look: lookOfAll(severest) };
    };
  }

  /** @param {{ site: string, device: string } | undefined} id */
  choose(id) {
    this.chosen = id;
    this.show();
  }

  show() {
    const view = this.viewOf();
    const all = this.sorted();
    const firing = all.filter((alert) => !isQuiet(alert));
    const quiet = all.filter(isQuiet);
    this.showCount(firing, view);
    this.showNote(firing, view);
    this.firing.show(firing.slice(0, this.shownMax), view);
    byId('alerts-more').hidden = firing.length <= this.shownMax;
    this.showQuiet(quiet, view);
    const silences = this.silences.show(view);
    byId('silences').hidden = silences === 0;
    setText(
      byId('silences-title'),
      view.say('silences', { count: formatCount(silences, view.language) }),
    );
    const { chosen } = this;
    const own = all.filter(
      ({ site, device }) => site === chosen?.site && device === chosen?.device,
    );
    this.ofDevice.show(own.slice(0, SHOWN_STEP), view);
  }

  /** In the head of the page, whatever is shown beneath, and in the title of the tab. */
  showCount(/** @type {any[]} */ firing, /** @type {View} */ { say, language }) {
    const place = byId('alert-count');
    const alarms = firing.filter(({ severity }) => severity !== 'INFO');
    const counts = (this.loaded ? bySeverity(alarms) : []).map(([severity, of]) => ({
      severity,
      count: of.length,
      look: lookOfAll(of),
    }));
    const key = JSON.stringify([counts, language, this.loaded]);
    if (place.dataset.shown !== key) {
      place.dataset.shown = key;
      const marks = counts.map(({ severity, count, look }) => {
        const text = `${formatCount(count, language)} ${say(`severity_${severity.toLowerCase()}`)}`;
        return severityMark(severity, text, look);
      });
      if (counts.length > 0) place.replaceChildren(...marks);
      else place.replaceChildren(this.loaded ? say('count_none') : '');
    }
    const [severest] = counts;
    const sign = severest === undefined ? '' : `${shapeOf(severest.severity)} ${alarms.length} – `;
    const title = `${sign}FMS – ${say('product')}`;
    if (document.title !== title) document.title = title;
  }

  /**
   * @param {any[]} firing
   * @param {View} view
   */
  showNote(firing, { say, language }) {
    const note = byId('alerts-note');
    const count = formatCount(Math.min(firing.length, this.shownMax), language);
    const total = `${formatCount(firing.length, language)}${this.hasMore ? '+' : ''}`;
    let text = '';
    if (this.problem !== '') text = `▲ ${say('alerts_failed', { message: this.problem })}`;
    else if (!this.loaded) text = say('loading');
    else if (firing.length === 0) text = say('alerts_none');
    else if (firing.length > this.shownMax || this.hasMore)
      text = say('alerts_shown', { shown: count, total });
    setText(note, text);
    note.classList.toggle('calm', this.problem === '' && firing.length === 0);
  }

  /**
   * @param {any[]} quiet
   * @param {View} view
   */
  showQuiet(quiet, view) {
    const { say, language } = view;
    const place = byId('alerts-quiet');
    place.hidden = quiet.length === 0;
    const counts = Object.entries(
      Object.groupBy(quiet, ({ state, silence }) =>
        silence !== '' ? 'silenced' : state === 'pending' ? 'pending' : 'inhibited',
      ),
    ).map(([why, of]) => say(`quiet_${why}`, { count: formatCount(of?.length ?? 0, language) }));
    setText(byId('alerts-quiet-title'), say('quiet', { counts: counts.join(', ') }));
    this.quiet.show(quiet.slice(0, SHOWN_STEP), view);
  }

  /** Reads new alarms out: at once when there is a critical one among them, else when there is a pause. */
  tell() {
    if (!this.loaded) return;
    const view = this.viewOf();
    const { say, language } = view;
    const fresh = this.sorted().filter(
      (alert) => alert.state === 'firing' && !isQuiet(alert) && !this.told.has(alert.id),
    );
    if (fresh.length === 0) return;
    for (const { id } of fresh) this.told.add(id);
    const lines = fresh.slice(0, TOLD_MAX).map((alert) => {
      const severity = say(`severity_${alert.severity.toLowerCase()}`);
      return element('p', {}, `${severity}: `, name(subjectOf(alert)), `, ${titleOf(alert, view)}`);
    });
    const left = fresh.length - lines.length;
    if (left > 0)
      lines.push(element('p', {}, say('more_alerts', { count: formatCount(left, language) })));
    const isCritical = fresh.some(({ severity }) => severity === 'CRITICAL');
    byId(isCritical ? 'told-now' : 'told').replaceChildren(...lines);
  }
}
