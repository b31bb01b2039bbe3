/** The table of gateways: calm words while well, a marked one where a person is needed. */

import { element, mark, name } from './dom.js';
import { formatBytes, formatCount, formatDuration } from './format.js';

const SHOWN_MAX = 100;
const READERS_SHOWN_MAX = 4;
const HOUR_MS = 3_600_000;

/** @typedef {{ say: import('./format.js').Say, language: string, nowMs: number }} View */

/**
 * @param {HTMLElement} place
 * @param {any[]} gateways
 * @param {number} total
 * @param {View} view
 */
export function showFleet(place, gateways, total, view) {
  const { say, language } = view;
  if (total === 0) {
    place.replaceChildren(element('p', { class: 'empty' }, say('no_gateways')));
    return;
  }
  const heads = ['gateway', 'state', 'buffer', 'eviction', 'clock', 'ledger', 'version'].map(
    (key) => say(key),
  );
  const sorted = [...gateways].sort((a, b) => need(b, view) - need(a, view)).slice(0, SHOWN_MAX);
  const body = element('tbody', {}, ...sorted.map((gateway) => row(gateway, heads, view)));
  const head = element(
    'thead',
    {},
    element('tr', {}, ...heads.map((text) => element('th', { scope: 'col' }, text))),
  );
  const table = element('div', { class: 'table-frame' }, element('table', {}, head, body));
  const note =
    total > sorted.length
      ? [
          element(
            'p',
            { class: 'note' },
            say('shown_gateways', {
              shown: formatCount(sorted.length, language),
              total: formatCount(total, language),
            }),
          ),
        ]
      : [];
  place.replaceChildren(...note, table);
}

/**
 * How much a gateway needs a person, for the order.
 * @param {any} gateway
 * @param {View} view
 */
function need(gateway, view) {
  if (gateway.ledger.balance !== 0) return 4;
  if (gateway.status === 'offline' || gateway.status === 'silent') return 3;
  const cells = [evictionOf(gateway, view), clockOf(gateway, view), ...failing(gateway, view)];
  return cells.some((cell) => cell.className !== 'mark calm') ? 2 : 0;
}

/**
 * @param {any} gateway
 * @param {string[]} heads
 * @param {View} view
 */
function row(gateway, heads, view) {
  const { language, say } = view;
  const site = element('small', {}, say('site', { site: gateway.site }));
  const isSeen = gateway.status !== 'never_seen';
  const buffer = [
    say('readings_count', { count: formatCount(gateway.buffer.readings, language) }),
    element('small', {}, formatBytes(gateway.buffer.bytes, language)),
  ];
  const cells = [
    [stateOf(gateway, view), ...failing(gateway, view)],
    isSeen ? buffer : ['–'],
    isSeen ? [evictionOf(gateway, view)] : ['–'],
    isSeen ? [clockOf(gateway, view)] : ['–'],
    isSeen || gateway.ledger.sent > 0 ? ledgerOf(gateway.ledger, view) : ['–'],
    [name(gateway.version || '–')],
  ];
  return element(
    'tr',
    { 'data-gateway': `${gateway.site}/${gateway.gateway}` },
    element('th', { scope: 'row' }, name(gateway.gateway), site),
    ...cells.map((children, i) => element('td', { 'data-head': heads[i + 1] ?? '' }, ...children)),
  );
}

/**
 * @param {any} gateway
 * @param {View} view
 */
function stateOf(gateway, { say, nowMs }) {
  const age = formatDuration(nowMs - (gateway.updated_ms ?? nowMs), say);
  switch (gateway.status) {
    case 'online':
      return mark('calm', say('online'));
    case 'late':
      return mark('note', say('late', { age }));
    case 'silent':
      return mark('warn', say('silent', { age }));
    case 'offline':
      return mark('warn', say('offline', { age }));
    default:
      return mark('note', say('never_seen'));
  }
}

/**
 * @param {any} gateway
 * @param {View} view
 */
function failing(gateway, { say }) {
  const failed = gateway.readers.filter((/** @type {any} */ r) => r.status !== 'ok');
  if (failed.length === 0 || gateway.status !== 'online') return [];
  const names = failed
    .slice(0, READERS_SHOWN_MAX)
    .map((/** @type {any} */ r) => (r.last_error ? `${r.device} (${r.last_error})` : r.device));
  if (failed.length > names.length)
    names.push(say('more', { count: failed.length - names.length }));
  return [
    element('br'),
    mark('warn', say('readers_failing', { names: names.join(', ').slice(0, 300) })),
  ];
}

/**
 * @param {any} gateway
 * @param {View} view
 */
function evictionOf(gateway, { say }) {
  const seconds = gateway.buffer.seconds_until_eviction;
  if (seconds === null) return mark('calm', say('not_filling'));
  const left = formatDuration(seconds * 1000, say);
  const level = seconds * 1000 < HOUR_MS ? 'bad' : seconds * 1000 < 24 * HOUR_MS ? 'warn' : 'calm';
  return mark(level, left);
}

/**
 * @param {any} gateway
 * @param {View} view
 */
function clockOf(gateway, { say }) {
  const { unsynced, step_ms: step } = gateway.clock;
  if (unsynced) return mark('warn', say('clock_wrong'));
  if (Math.abs(step) >= 1000)
    return mark(
      'calm',
      `${say('clock_right')}, ${say('clock_stepped', { step: `${step < 0 ? '−' : '+'}${formatDuration(step, say)}` })}`,
    );
  return mark('calm', say('clock_right'));
}

/**
 * @param {any} ledger
 * @param {View} view
 */
function ledgerOf(ledger, { say, language }) {
  /** @type {(Node | string)[]} */
  const parts = [];
  const count = (/** @type {number} */ n) => formatCount(n, language);
  parts.push(
    ledger.balance === 0
      ? mark('calm', say('balanced'))
      : mark('bad', say('unbalanced', { count: count(ledger.balance) })),
  );
  if (ledger.gap_readings > 0) {
    const reasons = Object.entries(ledger.gaps)
      .filter(([, n]) => n > 0)
      .map(([why, n]) => `${why} ${count(n)}`);
    parts.push(
      element('br'),
      mark('warn', say('gaps', { count: count(ledger.gap_readings), reasons: reasons.join(', ') })),
    );
  }
  const details = [
    say('ledger_detail', { sent: count(ledger.sent), flight: count(ledger.in_flight) }),
  ];
  if (ledger.quarantined > 0)
    details.push(say('quarantined', { count: count(ledger.quarantined) }));
  parts.push(element('small', {}, details.join(' · ')));
  return parts;
}
