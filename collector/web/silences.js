/** Silences: what makes no messages until when, and the form that sets one. */

import { send } from './api.js';
import { element, name, setText } from './dom.js';
import { wallTimeMs, wallTimeText, zoneName } from './format.js';
import { askPerson, failureText, NOTE_MAX, nameField } from './forms.js';
import { clockText } from './moments.js';

/** @typedef {import('./devices.js').View} View */
/** @typedef {{ site: string, device: string, rule: string, title: string }} Subject rule '': none in particular; device '': the gateway itself */

const HOUR_MS = 3_600_000;
/** @type {Record<string, number>} */
const LENGTHS_MS = { for_1h: HOUR_MS, for_8h: 8 * HOUR_MS };
const ANY = '*';

/**
 * What a silence may be set for, narrowest first.
 * @param {Subject} subject
 * @param {import('./format.js').Say} say
 * @returns {[value: string, label: string][]}
 */
function scopesOf({ site, device, rule, title }, say) {
  /** @type {[string, string][]} */
  const scopes = [];
  if (device !== '' && rule !== '')
    scopes.push(['device_rule', say('scope_device_rule', { device, title })]);
  if (device !== '') scopes.push(['device', say('scope_device', { device })]);
  if (rule !== '') scopes.push(['rule', say('scope_rule', { title, site })]);
  scopes.push(['site', say('scope_site', { site })]);
  return scopes;
}

/**
 * Asks for what, how long and why, and sets it.
 * @param {Subject} subject
 * @param {View} view
 * @param {() => void} onDone
 */
export function askSilence(subject, view, onDone) {
  const { say, nowMs, zoneOf } = view;
  const zone = zoneOf(subject.site);
  const scopes = scopesOf(subject, say);
  const openedMs = performance.now();
  askPerson(say, {
    title: say(subject.rule === '' ? 'silence_device_title' : 'silence_title'),
    intro: [say('silence_intro')],
    submit: say('silence_submit'),
    fields: [
      {
        name: 'scope',
        kind: 'choice',
        label: say('scope'),
        value: scopes[0]?.[0] ?? '',
        options: scopes,
      },
      {
        name: 'kind',
        kind: 'choice',
        label: say('silence_kind'),
        value: subject.rule === '' ? 'maintenance' : 'silence',
        options: [
          ['silence', say('kind_silence')],
          ['maintenance', say('kind_maintenance')],
        ],
      },
      {
        name: 'length',
        kind: 'choice',
        label: say('silence_length'),
        value: 'for_1h',
        options: [
          ['for_1h', say('for_1h')],
          ['for_8h', say('for_8h')],
          ['until', say('until_time')],
        ],
      },
      {
        name: 'until',
        kind: 'time',
        label: say('until_when'),
        value: wallTimeText(nowMs + 24 * HOUR_MS, zone),
        note: say('zone', { zone: zoneName(zone, nowMs) }),
        required: true,
        onlyWith: ['length', 'until'],
      },
      { name: 'reason', kind: 'text', label: say('reason'), required: true, maxLength: NOTE_MAX },
      nameField(say),
    ],
    send: async (answers) => {
      // An hour counts from when it is set, not from when it was thought of.
      const setMs = nowMs + performance.now() - openedMs;
      await send('POST', '/api/v1/silences', silenceBody(subject, answers, setMs, zone, say));
      onDone();
    },
  });
}

/**
 * @param {Subject} subject
 * @param {import('./forms.js').Answers} answers
 * @param {number} nowMs
 * @param {string} zone
 * @param {import('./format.js').Say} say
 */
function silenceBody({ site, device, rule }, answers, nowMs, zone, say) {
  const { scope = '', kind, length = '', until = '', reason, by } = answers;
  const lengthMs = LENGTHS_MS[length];
  const until_ms = lengthMs === undefined ? wallTimeMs(until, zone) : nowMs + lengthMs;
  if (!(until_ms > nowMs)) throw new Error(say('until_past'));
  return {
    kind,
    site,
    area: ANY,
    line: ANY,
    device: scope.startsWith('device') ? device : ANY,
    rule: scope.endsWith('rule') ? rule : ANY,
    until_ms: Math.round(until_ms),
    by,
    reason,
  };
}

/**
 * What a silence is for, in words.
 * @param {any} silence
 * @param {import('./format.js').Say} say
 */
function scopeText(silence, say) {
  const places = ['site', 'area', 'line', 'device', 'rule']
    .filter((key) => silence[key] !== ANY && silence[key] !== '')
    .map((key) => say(`scope_part_${key}`, { name: silence[key] }));
  return places.length === 0 ? say('scope_all') : places.join(' · ');
}

/**
 * Of several sites it is in nobody's zone: then the zone is said.
 * @param {number} ms
 * @param {string} site may hold wildcards
 * @param {View} view
 */
function timeText(ms, site, view) {
  const text = clockText(ms, site, view);
  return /[*?]/.test(site) ? `${text} ${zoneName(view.zoneOf(site), ms)}` : text;
}

/** The silences that hold now, each with a button that ends it. */
export class SilenceList {
  /**
   * @param {HTMLElement} place
   * @param {() => void} onChange one was ended
   */
  constructor(place, onChange) {
    this.place = place;
    this.onChange = onChange;
    /** @type {any[]} */
    this.silences = [];
    this.shown = '';
  }

  /** @param {string} id */
  find(id) {
    return this.silences.find((silence) => silence.id === id);
  }

  /** @param {View} view */
  show(view) {
    const { language, nowMs } = view;
    const holding = this.silences.filter(({ until_ms }) => until_ms > nowMs);
    // Drawn again only when there is something new: focus and what is said in a row stay.
    const key = JSON.stringify([holding, language]);
    if (key === this.shown) return holding.length;
    this.shown = key;
    this.place.replaceChildren(...holding.map((silence) => this.row(silence, view)));
    return holding.length;
  }

  /**
   * @param {any} silence
   * @param {View} view
   */
  row(silence, view) {
    const { say } = view;
    const isMaintenance = silence.kind === 'maintenance';
    const kind = say(isMaintenance ? 'kind_maintenance_short' : 'kind_silence');
    const until = say('until_at', { time: timeText(silence.until_ms, silence.site, view) });
    const from = say('from_at', { time: timeText(silence.from_ms, silence.site, view) });
    const isAhead = silence.from_ms > view.nowMs;
    const end = element('button', { type: 'button', class: 'act' }, say('silence_end'));
    const problem = element('p', { class: 'problem', role: 'alert' });
    end.setAttribute('aria-label', `${say('silence_end')}: ${scopeText(silence, say)}`);
    end.addEventListener('click', async () => {
      end.disabled = true;
      setText(problem, '');
      try {
        await send('DELETE', `/api/v1/silences/${encodeURIComponent(silence.id)}`);
        setText(end, say('sent'));
        this.onChange();
      } catch (error) {
        end.disabled = false;
        setText(problem, `▲ ${failureText(error, say)}`);
      }
    });
    const who = element(
      'small',
      { class: 'facts' },
      kind,
      ' · ',
      ...(isAhead ? [from, ' '] : []),
      until,
    );
    if (silence.by !== '') who.append(' · ', name(silence.by));
    const what = element(
      'div',
      { class: 'what' },
      element('strong', {}, name(scopeText(silence, say))),
    );
    what.append(who, element('span', { class: 'said' }, name(silence.reason)), problem);
    return element('li', { class: 'alert quiet', 'data-silence': silence.id }, what, end);
  }
}
