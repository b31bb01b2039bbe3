/** How often each detector was right, as far as people have said. */

import { detectorName } from './anomaly_rows.js';
import { ask } from './api.js';
import { byId, element, name, setText } from './dom.js';
import { formatCount } from './format.js';
import { failureText } from './forms.js';

/** @typedef {import('./devices.js').View} View */

const DAYS = 30;
const DAY_MS = 86_400_000;
const COUNTS = ['anomalies', 'marked_true', 'marked_false', 'marked_maintenance', 'unmarked'];

export class Detectors {
  /** @param {() => View} viewOf */
  constructor(viewOf) {
    this.viewOf = viewOf;
    this.details = /** @type {HTMLDetailsElement} */ (byId('detectors'));
    /** @type {any[] | undefined} */
    this.items = undefined;
    this.problem = '';
    this.shown = '';
    this.details.addEventListener('toggle', () => {
      if (this.details.open) void this.load();
    });
  }

  async load() {
    if (!this.details.open) return;
    this.show();
    const { nowMs } = this.viewOf();
    try {
      // Whole minutes: the collector may keep the answer of the same question.
      const to = Math.ceil(nowMs / 60_000) * 60_000;
      const answer = await ask('/api/v1/anomalies/summary', { from: to - DAYS * DAY_MS, to });
      this.items = answer.items;
      this.problem = '';
    } catch (error) {
      this.problem = failureText(error, this.viewOf().say);
    }
    this.show();
  }

  show() {
    if (!this.details.open) return;
    const { say, language } = this.viewOf();
    const { items } = this;
    const shown = JSON.stringify([items, this.problem, language]);
    if (shown === this.shown) return;
    this.shown = shown;
    const isEmpty = items === undefined || items.length === 0;
    const empty = items === undefined ? say('loading') : say('detectors_none', { days: DAYS });
    const note = isEmpty ? empty : say('detectors_note', { days: DAYS });
    setText(byId('detectors-note'), this.problem === '' ? note : `▲ ${this.problem}`);
    const place = byId('detectors-table');
    if (isEmpty) {
      place.replaceChildren();
      return;
    }
    const heads = ['detector', ...COUNTS.map((key) => `count_${key}`)].map((key) => say(key));
    const head = element('tr', {}, ...heads.map((text) => element('th', { scope: 'col' }, text)));
    const rows = items.map((item) => {
      const cells = COUNTS.map((key, i) => {
        const text = formatCount(item[key] ?? 0, language);
        return element('td', { 'data-head': heads[i + 1] ?? '' }, text);
      });
      const detector = name(detectorName(item.detector, say));
      return element('tr', {}, element('th', { scope: 'row' }, detector), ...cells);
    });
    const table = element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows));
    place.replaceChildren(element('div', { class: 'table-frame' }, table));
  }
}
