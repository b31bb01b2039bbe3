/** How bad an alert is: a word with a shape and a colour of its own, so that nobody needs to see colours. */

import { element } from './dom.js';

/** @typedef {'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL'} Severity */

/** Mildest first. */
const SEVERITIES = ['INFO', 'WARNING', 'ERROR', 'CRITICAL'];
/** @type {Record<string, string>} */
const SHAPES = { INFO: '○', WARNING: '▲', ERROR: '◆', CRITICAL: '■' };

/**
 * Above 0: `a` is milder than `b`.
 * @param {string} a
 * @param {string} b
 */
export function compareSeverity(a, b) {
  return SEVERITIES.indexOf(b) - SEVERITIES.indexOf(a);
}

/** @param {string} severity */
export function shapeOf(severity) {
  return SHAPES[severity] ?? SHAPES.INFO ?? '';
}

/** @typedef {'loud' | 'seen' | 'quiet'} Look seen: somebody cares for it; quiet: over, or makes no messages */

/**
 * The word with its shape; a filled colour only for what nobody cares for yet.
 * @param {string} severity
 * @param {string} text
 * @param {Look} [look]
 */
export function severityMark(severity, text, look = 'loud') {
  const colour = look === 'quiet' ? '' : ` ${severity.toLowerCase()}`;
  const shape = element('span', { class: 'shape', 'aria-hidden': 'true' }, shapeOf(severity));
  return element('span', { class: `severity ${look}${colour}` }, shape, ' ', text);
}

/**
 * How many of each, severest first.
 * @template {{ severity: string }} Alert
 * @param {Alert[]} alerts
 * @returns {[severity: string, of: Alert[]][]}
 */
export function bySeverity(alerts) {
  return [...Map.groupBy(alerts, ({ severity }) => severity)].sort(([a], [b]) =>
    compareSeverity(a, b),
  );
}
