/** Anomalies of a device as rows: when, what, why, how sure; and what a person said that it was. */

import { send } from './api.js';
import { element, name, setText } from './dom.js';
import { formatValue } from './format.js';
import { askPerson, failureText, NOTE_MAX, nameField, rememberedName } from './forms.js';
import { clockText, spanText, withSiteTimes } from './moments.js';

/** @typedef {import('./devices.js').View} View */
/** @typedef {(channel: string) => { unit: string, decimals: number | null }} MetaOf */

/** What was sent and does not show for this long got lost. */
const GIVE_UP_MS = 14_000;

export const MARKS = ['true', 'false', 'maintenance'];
/** In charts and rows alike. No alarm: neither its colours nor its shapes. */
export const ANOMALY_SHAPE = '▨';

/**
 * @param {any} anomaly
 * @param {View} view
 */
export function reasonOf({ reason, site }, view) {
  const text = (view.language === 'ko' && reason?.ko) || reason?.en || '';
  return withSiteTimes(text, site, view);
}

/**
 * A detector by its name in words, where there is one.
 * @param {string} detector
 * @param {View['say']} say
 */
export function detectorName(detector, say) {
  const key = `detector_${detector}`;
  const word = say(key);
  return word === key ? detector : word;
}

/**
 * From when to when; of an open one since when.
 * @param {any} anomaly
 * @param {View} view
 */
export function anomalySpan(anomaly, view) {
  const { onset_ms, end_ms, site, state } = anomaly;
  if (state !== 'open' && end_ms > 0) return spanText(onset_ms, end_ms, site, view);
  return view.say('open_since', { time: clockText(onset_ms, site, view) });
}

/** @param {any} anomaly @returns {string} '' while nobody has said */
export function markOf({ mark }) {
  return MARKS.includes(mark) ? mark : '';
}

/**
 * @param {any} anomaly
 * @param {MetaOf} metaOf
 * @param {View} view
 */
function factsOf(anomaly, metaOf, view) {
  const { say, language } = view;
  const { channel, value, expected_low: low, expected_high: high } = anomaly;
  const { unit, decimals } = metaOf(channel);
  const show = (/** @type {number} */ v) => `${formatValue(v, decimals, language)} ${unit}`.trim();
  const facts = [];
  if (typeof value === 'number') facts.push(say('value_was', { value: show(value) }));
  if (typeof low === 'number' && typeof high === 'number')
    facts.push(say('expected_between', { low: show(low), high: show(high) }));
  else if (typeof low === 'number') facts.push(say('expected_above', { low: show(low) }));
  else if (typeof high === 'number') facts.push(say('expected_below', { high: show(high) }));
  const others = (anomaly.channels ?? [])
    .map((/** @type {any} */ c) => c.channel)
    .filter(
      (/** @type {string} */ c, /** @type {number} */ i, /** @type {string[]} */ all) =>
        c !== '' && c !== channel && all.indexOf(c) === i,
    );
  if (others.length > 0) facts.push(say('also_channels', { channels: others.join(', ') }));
  if (anomaly.maintenance !== '') facts.push(say('began_in_maintenance'));
  return facts;
}

export class AnomalyRow {
  /**
   * @param {any} anomaly
   * @param {{ metaOf: MetaOf, onMarked: () => void, onPoint: (id: string | undefined) => void }} options
   */
  constructor(anomaly, options) {
    this.anomaly = anomaly;
    this.options = options;
    this.head = element('p', { class: 'head' });
    this.reason = element('p', { class: 'said' });
    this.when = element('p', { class: 'when' });
    this.facts = element('p', { class: 'when' });
    this.question = element('legend', {});
    this.marks = element('fieldset', { class: 'marks' }, this.question);
    this.marked = element('p', { class: 'more' });
    this.problem = element('p', { class: 'problem', role: 'alert' });
    const what = element('div', { class: 'what' }, this.head, this.reason, this.when, this.facts);
    const said = element('div', { class: 'said-by' }, this.marks, this.marked, this.problem);
    this.node = element(
      'li',
      { class: 'anomaly', 'data-anomaly': anomaly.id, tabindex: '-1' },
      what,
      said,
    );
    this.note = element('button', { type: 'button', class: 'act small', 'data-action': 'note' });
    this.note.addEventListener('click', () => this.askNote());
    for (const mark of MARKS) this.marks.append(this.markButton(mark));
    this.marks.append(this.note);
    this.node.addEventListener('mouseenter', () => options.onPoint(anomaly.id));
    this.node.addEventListener('mouseleave', () => options.onPoint(undefined));
    this.node.addEventListener('focusin', () => options.onPoint(anomaly.id));
    this.node.addEventListener('focusout', () => options.onPoint(undefined));
    this.shown = '';
    /** @type {{ mark: string, by: string, note: string, atMs: number } | undefined} sent, and not read back yet */
    this.sent = undefined;
  }

  /** @param {string} mark */
  markButton(mark) {
    const button = element('button', { type: 'button', class: 'act small', 'data-mark': mark });
    button.addEventListener('click', () => this.choose(mark));
    return button;
  }

  /**
   * @param {any} anomaly
   * @param {View} view
   */
  update(anomaly, view) {
    const { say, language } = view;
    this.anomaly = anomaly;
    this.view = view;
    const { sent } = this;
    if (
      sent &&
      sent.mark === anomaly.mark &&
      sent.by === anomaly.marked_by &&
      sent.note === anomaly.marked_note
    )
      this.sent = undefined;
    this.showWhen(view);
    const { unit, decimals } = this.options.metaOf(anomaly.channel);
    const shown = JSON.stringify([anomaly, this.sent, language, unit, decimals]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.node.classList.toggle('is-open', anomaly.state === 'open');
    const sign = element('span', { class: 'sign', 'aria-hidden': 'true' }, ANOMALY_SHAPE);
    const channel = anomaly.channel === '' ? say('whole_device') : anomaly.channel;
    const state = element('span', { class: 'state' }, say(`anomaly_${anomaly.state}`));
    this.head.replaceChildren(sign, ' ', element('strong', {}, name(channel)), ' ', state);
    setText(this.reason, reasonOf(anomaly, view));
    setText(this.facts, factsOf(anomaly, this.options.metaOf, view).join(' · '));
    this.showMarks(view);
  }

  /** @param {View} view */
  showWhen(view) {
    const { anomaly } = this;
    const { say } = view;
    const score = Math.min(1, Math.max(0, anomaly.score)).toFixed(2);
    const peak = say('peak_at', { time: clockText(anomaly.peak_ms, anomaly.site, view), score });
    const by = say('found_by', { detector: detectorName(anomaly.detector, say) });
    setText(this.when, [anomalySpan(anomaly, view), peak, by].join(' · '));
  }

  /** @param {View} view */
  showMarks(view) {
    const { say } = view;
    const { anomaly, sent } = this;
    const mark = sent?.mark ?? markOf(anomaly);
    setText(this.question, say('what_was_it'));
    for (const button of this.marks.querySelectorAll('button')) {
      const own = button.dataset.mark;
      if (own === undefined) continue;
      setText(button, say(`mark_${own}`));
      button.setAttribute('aria-pressed', String(own === mark));
    }
    this.note.hidden = mark === '';
    setText(this.note, say('add_note'));
    if (sent !== undefined) setText(this.marked, say('sent'));
    else if (mark === '') setText(this.marked, '');
    else {
      const time = clockText(anomaly.marked_ms, anomaly.site, view);
      const by = say('marked_by', { by: anomaly.marked_by || '–', time });
      const note = anomaly.marked_note ? ` – “${anomaly.marked_note}”` : '';
      this.marked.replaceChildren(name(by + note));
    }
  }

  /** One click; who does not have said yet who they are is asked. @param {string} mark */
  async choose(mark) {
    const by = rememberedName();
    if (by === '') {
      this.ask(mark);
      return;
    }
    setText(this.problem, '');
    try {
      await this.mark(mark, by, '');
    } catch (error) {
      setText(this.problem, `▲ ${failureText(error, this.viewNow().say)}`);
    }
  }

  askNote() {
    this.ask(this.sent?.mark ?? markOf(this.anomaly));
  }

  /** @param {string} mark */
  ask(mark) {
    const view = this.viewNow();
    const { say } = view;
    askPerson(say, {
      title: say('mark_title', { mark: say(`mark_${mark}`) }),
      intro: [name(reasonOf(this.anomaly, view))],
      submit: say('mark_submit'),
      fields: [
        nameField(say),
        {
          name: 'note',
          kind: 'text',
          label: say('note'),
          value: this.anomaly.mark === mark ? (this.anomaly.marked_note ?? '') : '',
          maxLength: NOTE_MAX,
        },
      ],
      send: ({ by = '', note = '' }) => this.mark(mark, by, note),
    });
  }

  /**
   * @param {string} mark
   * @param {string} by
   * @param {string} note
   */
  async mark(mark, by, note) {
    const path = `/api/v1/anomalies/${encodeURIComponent(this.anomaly.id)}/mark`;
    await send('POST', path, { mark, by, note });
    this.sent = { mark, by, note, atMs: performance.now() };
    this.update(this.anomaly, this.viewNow());
    this.options.onMarked();
  }

  /** What was sent did not come back: the truth is what the collector shows. */
  giveUp() {
    if (this.sent === undefined || performance.now() - this.sent.atMs < GIVE_UP_MS) return;
    this.sent = undefined;
    const view = this.viewNow();
    this.update(this.anomaly, view);
    setText(this.problem, `▲ ${view.say('not_seen')}`);
  }

  /** Set by update(), which always comes first. */
  viewNow() {
    return /** @type {View} */ (this.view);
  }
}
