/** The anomalies of the chosen device: a list to look at and to mark, and bands for its charts. */

import { ANOMALY_SHAPE, AnomalyRow, anomalySpan, reasonOf } from './anomaly_rows.js';
import { ask } from './api.js';
import { byId, setText } from './dom.js';
import { formatCount } from './format.js';
import { failureText } from './forms.js';

/** @typedef {import('./devices.js').View} View */
/** @typedef {import('./bands.js').Band} Band */

const PAGE = 100;
/** Newest ones kept; older ones are neither listed nor marked in charts, and the page says so. */
const KEPT_MAX = 500;
const SHOWN_FIRST = 5;
const SHOWN_STEP = 20;
/** What was marked shows when it is read again; the store follows within this time or something is wrong. */
const LOOK_AGAIN_MS = [700, 2_000, 5_000, 15_000];

export class Anomalies {
  /**
   * @param {() => View} viewOf
   * @param {object} options
   * @param {import('./anomaly_rows.js').MetaOf} options.metaOf
   * @param {() => number} options.fromMs start of what the charts show
   * @param {() => void} options.onChange
   * @param {(id: string | undefined) => void} options.onPoint
   */
  constructor(viewOf, options) {
    this.viewOf = viewOf;
    this.options = options;
    /** @type {{ site: string, device: string } | undefined} */
    this.id = undefined;
    /** @type {Map<string, any>} */
    this.known = new Map();
    /** @type {any[] | undefined} undefined: to be sorted anew */
    this.newestFirst = undefined;
    /** @type {Map<string, AnomalyRow>} */
    this.rows = new Map();
    this.list = byId('anomalies-list');
    this.older = /** @type {HTMLButtonElement} */ (byId('anomalies-older'));
    this.older.addEventListener('click', () => this.showOlder());
    byId('anomalies-count').addEventListener('click', () => {
      byId('anomalies-title').scrollIntoView();
      byId('anomalies-title').focus({ preventScroll: true });
    });
    this.loaded = false;
    this.problem = '';
    this.shownMax = SHOWN_FIRST;
    /** @type {string | null} */
    this.next = null;
  }

  reset() {
    this.known.clear();
    this.newestFirst = undefined;
    this.rows.clear();
    this.list.replaceChildren();
    this.loaded = false;
    this.problem = '';
    this.shownMax = SHOWN_FIRST;
    this.next = null;
  }

  /** @param {{ site: string, device: string } | undefined} id */
  choose(id) {
    if (this.id?.site === id?.site && this.id?.device === id?.device) return;
    this.id = id;
    this.reset();
    this.show();
    if (id !== undefined) void this.load();
  }

  /** From the newest on, as far back as the charts show. */
  async load() {
    const { id } = this;
    if (id === undefined) return;
    try {
      let next = await this.loadPage(id, undefined);
      while (id === this.id && next !== null && this.known.size < KEPT_MAX && this.reaches())
        next = await this.loadPage(id, next);
      if (id !== this.id) return;
      this.problem = '';
    } catch (error) {
      if (id !== this.id) return;
      this.problem = failureText(error, this.viewOf().say);
    }
    this.loaded = true;
    this.show();
    this.options.onChange();
  }

  /** Whether the charts show a time before all that is known. */
  reaches() {
    const oldest = Math.min(...[...this.known.values()].map(({ onset_ms }) => onset_ms));
    return oldest > this.options.fromMs();
  }

  /**
   * @param {{ site: string, device: string }} id
   * @param {string | undefined} cursor
   * @returns {Promise<string | null>} cursor of the next page
   */
  async loadPage(id, cursor) {
    const answer = await ask('/api/v1/anomalies', { ...id, limit: PAGE, cursor });
    if (id !== this.id) return null;
    for (const item of answer.items) this.put(item);
    // Reading the newest page again does not forget how far back it went before.
    if (cursor !== undefined || !this.loaded)
      this.next = this.known.size < KEPT_MAX ? answer.next : null;
    return answer.next;
  }

  /** From the stream, of any device. @param {any} anomaly */
  take(anomaly) {
    if (anomaly.site !== this.id?.site || anomaly.device !== this.id?.device) return;
    this.put(anomaly);
    this.show();
    this.options.onChange();
  }

  /** The newer of two holds, and of two marks the newer. @param {any} anomaly */
  put(anomaly) {
    const known = this.known.get(anomaly.id);
    const [newer, older] =
      known === undefined || known.version <= anomaly.version ? [anomaly, known] : [known, anomaly];
    const { mark, marked_by, marked_note, marked_ms } =
      (older?.marked_ms ?? 0) > (newer.marked_ms ?? 0) ? older : newer;
    this.known.set(anomaly.id, { ...newer, mark, marked_by, marked_note, marked_ms });
    this.newestFirst = undefined;
    if (this.known.size <= KEPT_MAX) return;
    const oldest = this.sorted().at(-1);
    this.known.delete(oldest?.id);
    this.newestFirst = undefined;
  }

  /** Newest first. */
  sorted() {
    this.newestFirst ??= [...this.known.values()].sort(
      (a, b) => b.onset_ms - a.onset_ms || (a.id < b.id ? -1 : 1),
    );
    return this.newestFirst;
  }

  async showOlder() {
    const { id } = this;
    this.shownMax += SHOWN_STEP;
    if (id !== undefined && this.known.size < this.shownMax && this.next !== null) {
      this.older.disabled = true;
      try {
        await this.loadPage(id, this.next);
      } catch (error) {
        this.problem = failureText(error, this.viewOf().say);
      }
      this.older.disabled = false;
    }
    this.show();
    this.options.onChange();
  }

  /** Something was marked here. */
  lookAgain() {
    const last = LOOK_AGAIN_MS.at(-1);
    for (const afterMs of LOOK_AGAIN_MS)
      setTimeout(async () => {
        await this.load();
        if (afterMs === last) for (const row of this.rows.values()) row.giveUp();
      }, afterMs);
  }

  show() {
    const view = this.viewOf();
    const { say, language } = view;
    const all = this.sorted();
    const open = all.filter(({ state }) => state === 'open').length;
    const total = `${formatCount(all.length, language)}${this.next === null ? '' : '+'}`;
    const title = say(open > 0 ? 'anomalies_open' : 'anomalies', { count: total, open });
    setText(byId('anomalies-title'), title);
    setText(byId('anomalies-count'), `${ANOMALY_SHAPE} ${title} ↓`);
    const empty = this.loaded ? say('anomalies_none') : say('loading');
    const problem =
      this.problem === '' ? '' : `▲ ${say('anomalies_failed', { message: this.problem })}`;
    setText(byId('anomalies-note'), problem || (all.length === 0 ? empty : ''));
    const shown = all.slice(0, this.shownMax);
    this.showRows(shown, view);
    this.older.hidden = shown.length === all.length && this.next === null;
  }

  /**
   * @param {any[]} shown
   * @param {View} view
   */
  showRows(shown, view) {
    const wanted = new Set(shown.map(({ id }) => id));
    for (const [id, row] of this.rows) {
      if (wanted.has(id)) continue;
      row.node.remove();
      this.rows.delete(id);
    }
    /** @type {Element | null} */
    let at = this.list.firstElementChild;
    for (const anomaly of shown) {
      const row = this.rows.get(anomaly.id) ?? this.newRow(anomaly);
      row.update(anomaly, view);
      if (row.node === at) at = at.nextElementSibling;
      else this.list.insertBefore(row.node, at);
    }
  }

  /** @param {any} anomaly */
  newRow(anomaly) {
    const { metaOf, onPoint } = this.options;
    const row = new AnomalyRow(anomaly, { metaOf, onPoint, onMarked: () => this.lookAgain() });
    this.rows.set(anomaly.id, row);
    return row;
  }

  /** Puts the focus on it in the list, wherever it is. @param {string} id */
  point(id) {
    const index = this.sorted().findIndex((anomaly) => anomaly.id === id);
    if (index < 0) return;
    this.shownMax = Math.max(this.shownMax, index + 1);
    this.show();
    const node = this.rows.get(id)?.node;
    node?.scrollIntoView({ block: 'nearest' });
    node?.focus({ preventScroll: true });
  }

  /**
   * What is to be seen of them in a channel's chart, newest first: what is said of it, what it has a part
   * in, and what is said of the device as a whole.
   * @param {string} channel
   * @param {{ fromS: number, toS: number }} window
   * @returns {Band[]}
   */
  bandsOf(channel, { fromS, toS }) {
    const view = this.viewOf();
    return this.sorted()
      .filter(({ onset_ms, end_ms, state }) => {
        const isAfter = state === 'open' || end_ms >= fromS * 1000;
        return isAfter && onset_ms <= toS * 1000;
      })
      .filter(
        (anomaly) =>
          anomaly.channel === channel ||
          anomaly.channels?.some((/** @type {any} */ part) => part.channel === channel) ||
          (anomaly.channel === '' && !anomaly.channels?.length),
      )
      .map((anomaly) => {
        const isOwn = anomaly.channel === channel;
        return {
          id: anomaly.id,
          fromS: anomaly.onset_ms / 1000,
          toS: anomaly.state === 'open' ? Number.POSITIVE_INFINITY : anomaly.end_ms / 1000,
          low: isOwn ? (anomaly.expected_low ?? null) : null,
          high: isOwn ? (anomaly.expected_high ?? null) : null,
          span: anomalySpan(anomaly, view),
          text: reasonOf(anomaly, view),
        };
      });
  }
}
