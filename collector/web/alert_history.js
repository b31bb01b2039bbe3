/** Alerts that are over, newest first, page by page. */

import { sinceMs, subjectOf, summaryOf, titleOf } from './alert_rows.js';
import { ask } from './api.js';
import { deviceLink } from './devices.js';
import { byId, element, name, setText } from './dom.js';
import { failureText } from './forms.js';
import { clockText, spanText } from './moments.js';
import { severityMark } from './severity.js';

/** @typedef {import('./devices.js').View} View */

const PAGE = 20;
/** More than that nobody reads here; the API has all of it. */
const SHOWN_MAX = 1_000;

export class AlertHistory {
  /** @param {() => View} viewOf */
  constructor(viewOf) {
    this.viewOf = viewOf;
    this.details = /** @type {HTMLDetailsElement} */ (byId('alert-history'));
    this.list = byId('alert-history-list');
    this.note = byId('alert-history-note');
    this.older = /** @type {HTMLButtonElement} */ (byId('alert-history-older'));
    /** @type {any[] | undefined} */
    this.alerts = undefined;
    /** @type {any[]} told by the stream: the store has them a moment later */
    this.recent = [];
    /** @type {string | null} */
    this.next = null;
    this.problem = '';
    this.busy = false;
    this.details.addEventListener('toggle', () => {
      if (this.details.open) void this.load();
    });
    this.older.addEventListener('click', () => this.load(this.next ?? undefined));
  }

  /** @param {string} [cursor] undefined: from the newest on */
  async load(cursor) {
    if (this.busy) return;
    this.busy = true;
    this.show();
    try {
      const answer = await ask('/api/v1/alerts', { state: 'resolved', limit: PAGE, cursor });
      const before = cursor === undefined ? this.recent : (this.alerts ?? []);
      this.alerts = merge(before, answer.items);
      this.next = this.alerts.length < SHOWN_MAX ? answer.next : null;
      this.problem = '';
    } catch (error) {
      this.problem = failureText(error, this.viewOf().say);
    } finally {
      this.busy = false;
    }
    this.show();
  }

  /** One is over. @param {any} alert */
  take(alert) {
    this.recent = merge([alert], this.recent).slice(0, PAGE);
    if (this.alerts === undefined) return;
    this.alerts = merge([alert], this.alerts).slice(0, SHOWN_MAX);
    this.show();
  }

  show() {
    if (!this.details.open) return;
    const view = this.viewOf();
    const { say } = view;
    const { alerts } = this;
    const empty = alerts === undefined ? say('loading') : say('history_empty');
    const isEmpty = alerts === undefined || alerts.length === 0;
    setText(this.note, this.problem !== '' ? `▲ ${this.problem}` : isEmpty ? empty : '');
    this.list.replaceChildren(...(alerts ?? []).map((alert) => row(alert, view)));
    this.older.hidden = this.next === null;
    this.older.disabled = this.busy;
  }
}

/**
 * Those that began last first, as the API has them; of two with one id the one of `first`.
 * @param {any[]} first
 * @param {any[]} others
 */
function merge(first, others) {
  const known = new Set(first.map(({ id }) => id));
  return [...first, ...others.filter(({ id }) => !known.has(id))].sort(
    (a, b) => b.started_ms - a.started_ms || (a.id < b.id ? 1 : -1),
  );
}

/**
 * @param {any} alert
 * @param {View} view
 */
function row(alert, view) {
  const { say } = view;
  const badge = severityMark(
    alert.severity,
    say(`severity_${alert.severity.toLowerCase()}`),
    'quiet',
  );
  const subject =
    alert.device === ''
      ? element('span', { class: 'subject' }, name(alert.gateway))
      : element('a', { class: 'subject', href: deviceLink(alert) }, name(subjectOf(alert)));
  const head = element('p', { class: 'head' }, subject, ' ', titleOf(alert, view));
  const summary = summaryOf(alert, view);
  if (summary !== '') head.append(' ', element('span', { class: 'said' }, summary));
  const facts = [spanText(sinceMs(alert), alert.resolved_ms, alert.site, view)];
  if (alert.resolved_by !== '') facts.push(say(`resolved_${alert.resolved_by}`));
  if (alert.acknowledged_ms > 0) {
    const time = clockText(alert.acknowledged_ms, alert.site, view);
    facts.push(say('acknowledged_by', { by: alert.acknowledged_by || '–', time }));
  }
  const when = element('p', { class: 'when' }, name(facts.join(' · ')));
  const what = element('div', { class: 'what' }, head, when);
  return element('li', { class: 'alert over', 'data-alert': alert.id }, badge, what);
}
