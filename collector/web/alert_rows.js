/** Alerts as rows, updated in place: what is wrong, where, since when, who cares for it, what can be done. */

import { send } from './api.js';
import { deviceLink } from './devices.js';
import { element, name, setText } from './dom.js';
import { askPerson, NOTE_MAX, nameField } from './forms.js';
import { clockText, Since, withSiteTimes } from './moments.js';
import { severityMark, shapeOf } from './severity.js';
import { askSilence } from './silences.js';

/** @typedef {import('./devices.js').View} View */
/** @typedef {(id: string) => any} FindSilence the silence of that id, where it is known */

/** What was sent and does not show for this long got lost. */
const GIVE_UP_MS = 9_000;

/**
 * @param {any} alert
 * @param {View} view
 */
export function titleOf(alert, { language }) {
  return (language === 'ko' && alert.title_ko) || alert.title || alert.rule;
}

/**
 * @param {any} alert
 * @param {View} view
 */
export function summaryOf(alert, view) {
  const text = (view.language === 'ko' && alert.summary_ko) || alert.summary;
  return withSiteTimes(text, alert.site, view);
}

/** What it is about: a device, or the gateway itself. @param {any} alert */
export function subjectOf(alert) {
  return alert.device === '' ? alert.gateway : alert.device;
}

/** @param {any} alert */
export function isQuiet(alert) {
  return alert.state === 'pending' || alert.silence !== '' || alert.inhibited_by !== '';
}

/** @param {any} alert @returns {import('./severity.js').Look} */
export function lookOf(alert) {
  if (isQuiet(alert)) return 'quiet';
  return alert.state === 'acknowledged' ? 'seen' : 'loud';
}

/** From when it counts, for people: since it holds. @param {any} alert */
export function sinceMs(alert) {
  return alert.started_ms || alert.fired_ms;
}

/** Keyed by alert: what has the focus keeps it while others come and go. */
export class AlertRows {
  /**
   * @param {HTMLElement} place a list
   * @param {{ findSilence: FindSilence, onDone: () => void, withDevice: boolean }} options
   */
  constructor(place, options) {
    this.place = place;
    this.options = options;
    /** @type {Map<string, AlertRow>} */
    this.rows = new Map();
  }

  /**
   * @param {any[]} alerts in the order to show
   * @param {View} view
   */
  show(alerts, view) {
    const wanted = new Set(alerts.map(({ id }) => id));
    for (const [id, row] of this.rows) {
      if (wanted.has(id)) continue;
      row.node.remove();
      this.rows.delete(id);
    }
    /** @type {Element | null} */
    let at = this.place.firstElementChild;
    for (const alert of alerts) {
      const row = this.rows.get(alert.id) ?? new AlertRow(alert, this.options);
      this.rows.set(alert.id, row);
      row.update(alert, view);
      // Moving a node that is in its place would take the focus from it.
      if (row.node === at) at = at.nextElementSibling;
      else this.place.insertBefore(row.node, at);
    }
  }

  /** What was sent a while ago and does not show is not on its way any more. */
  giveUp() {
    for (const row of this.rows.values()) row.giveUp();
  }
}

class AlertRow {
  /**
   * @param {any} alert
   * @param {{ findSilence: FindSilence, onDone: () => void, withDevice: boolean }} options
   */
  constructor(alert, options) {
    this.alert = alert;
    this.options = options;
    this.since = new Since();
    this.badge = element('div', { class: 'badge' });
    this.head = element('p', { class: 'head' });
    this.summary = element('p', { class: 'said' });
    this.where = element('span');
    this.more = element('p', { class: 'more' });
    this.actions = element('div', { class: 'actions' });
    this.problem = element('p', { class: 'problem', role: 'alert' });
    const when = element('p', { class: 'when' }, this.since.node, ' · ', this.where);
    const what = element('div', { class: 'what' }, this.head, this.summary, when, this.more);
    what.append(this.problem);
    const look = { class: 'alert', 'data-alert': alert.id, tabindex: '-1' };
    this.node = element('li', look, this.badge, what, this.actions);
    /** @type {Map<string, HTMLButtonElement>} */
    this.buttons = new Map();
    this.shown = '';
    /** The version that was acknowledged here: until another one comes, it is on its way. */
    this.sentVersion = 0;
    this.sentAtMs = 0;
  }

  /**
   * @param {any} alert
   * @param {View} view
   */
  update(alert, view) {
    const { say, language } = view;
    this.alert = alert;
    this.view = view;
    this.since.update(sinceMs(alert), alert.site, view);
    const silence = this.options.findSilence(alert.silence);
    const isSent = this.sentVersion === alert.version;
    const shown = JSON.stringify([alert.version, alert.state, silence, isSent, language]);
    if (shown === this.shown) return;
    this.shown = shown;
    const severity = alert.severity.toLowerCase();
    this.node.className = `alert ${isQuiet(alert) ? 'quiet' : `${alert.state} is-${severity}`}`;
    this.badge.replaceChildren(
      severityMark(alert.severity, say(`severity_${severity}`), lookOf(alert)),
    );
    this.head.replaceChildren(...this.headOf(alert, view));
    setText(this.summary, summaryOf(alert, view));
    const place = [alert.site, alert.area, alert.line, alert.gateway];
    setText(this.where, place.filter((part) => part !== '').join(' · '));
    this.more.replaceChildren(...moreOf(alert, silence, view));
    this.showActions(isSent);
  }

  /**
   * @param {any} alert
   * @param {View} view
   */
  headOf(alert, view) {
    const title = element('strong', {}, titleOf(alert, view));
    if (!this.options.withDevice) return [title];
    if (alert.device === '') {
      const text = view.say('gateway_named', { gateway: alert.gateway });
      return [element('span', { class: 'subject' }, name(text)), ' ', title];
    }
    const link = element('a', { class: 'subject', href: deviceLink(alert) }, name(alert.device));
    return [link, ' ', title];
  }

  /** The buttons stay while they may be used: a new version does not take the focus. @param {boolean} isSent */
  showActions(isSent) {
    const { alert } = this;
    const { say } = this.viewNow();
    const about = `${subjectOf(alert)}, ${titleOf(alert, this.viewNow())}`;
    const wanted = [];
    if (alert.state === 'firing') wanted.push('acknowledge');
    if (alert.silence === '' && alert.state !== 'pending') wanted.push('silence');
    for (const [action, button] of this.buttons) {
      if (wanted.includes(action)) continue;
      if (button === document.activeElement) this.node.focus();
      button.remove();
      this.buttons.delete(action);
    }
    for (const action of wanted) {
      const button = this.buttons.get(action) ?? this.addButton(action);
      // Not `disabled`: that would take the focus away.
      const isWaiting = action === 'acknowledge' && isSent;
      const text = say(isWaiting ? 'sent' : action);
      button.setAttribute('aria-disabled', String(isWaiting));
      button.setAttribute('aria-label', `${text}: ${about}`);
      setText(button, text);
    }
  }

  /** @param {string} action */
  addButton(action) {
    const button = element('button', { type: 'button', class: 'act', 'data-action': action });
    button.addEventListener('click', () => {
      if (button.getAttribute('aria-disabled') === 'true') return;
      if (action === 'silence') this.silence();
      else this.acknowledge();
    });
    if (action === 'acknowledge') this.actions.prepend(button);
    else this.actions.append(button);
    this.buttons.set(action, button);
    return button;
  }

  /** What was sent did not show: the truth is what the collector shows. */
  giveUp() {
    if (this.sentVersion !== this.alert.version) return;
    if (performance.now() - this.sentAtMs < GIVE_UP_MS) return;
    this.sentVersion = 0;
    setText(this.problem, `▲ ${this.viewNow().say('not_seen')}`);
    this.update(this.alert, this.viewNow());
  }

  /** Set by update(), which always comes first. */
  viewNow() {
    return /** @type {View} */ (this.view);
  }

  silence() {
    const { site, device, rule } = this.alert;
    const title = titleOf(this.alert, this.viewNow());
    askSilence({ site, device, rule, title }, this.viewNow(), this.options.onDone);
  }

  acknowledge() {
    const { alert } = this;
    const view = this.viewNow();
    const { say } = view;
    askPerson(say, {
      title: say('acknowledge_title'),
      intro: [`${shapeOf(alert.severity)} `, name(subjectOf(alert)), ` · ${titleOf(alert, view)}`],
      submit: say('acknowledge'),
      fields: [
        nameField(say),
        { name: 'note', kind: 'text', label: say('note'), maxLength: NOTE_MAX },
      ],
      send: async ({ by, note }) => {
        await send('POST', `/api/v1/alerts/${encodeURIComponent(alert.id)}/acknowledge`, {
          by,
          note,
        });
        // What came meanwhile is newer than what was acknowledged.
        if (this.alert.version === alert.version) this.sentVersion = alert.version;
        this.sentAtMs = performance.now();
        setText(this.problem, '');
        this.update(this.alert, this.viewNow());
        this.options.onDone();
      },
    });
  }
}

/**
 * Who cares for it, and why it makes no messages.
 * @param {any} alert
 * @param {any} silence
 * @param {View} view
 * @returns {(Node | string)[]}
 */
function moreOf(alert, silence, view) {
  const { say } = view;
  const lines = [];
  if (alert.state === 'pending') lines.push(say('pending_said'));
  if (alert.acknowledged_ms > 0) {
    const time = clockText(alert.acknowledged_ms, alert.site, view);
    const by = say('acknowledged_by', { by: alert.acknowledged_by || '–', time });
    lines.push(alert.acknowledged_note === '' ? by : `${by} – “${alert.acknowledged_note}”`);
  }
  if (alert.inhibited_by !== '') lines.push(say('inhibited_said', { rule: alert.inhibited_by }));
  if (alert.silence !== '') {
    if (silence === undefined) lines.push(say('silenced_said'));
    else {
      const time = clockText(silence.until_ms, alert.site, view);
      const { by, reason } = silence;
      lines.push(say(`${silence.kind}_until_said`, { time, by: by || '–', reason }));
    }
  }
  return lines.flatMap((line, i) => (i === 0 ? [name(line)] : [element('br'), name(line)]));
}
