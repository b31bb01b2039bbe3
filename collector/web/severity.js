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

/**
 * The word with its shape. `isQuiet`: without a colour, for what is over or makes no messages.
 * @param {string} severity
 * @param {string} text
 * @param {boolean} [isQuiet]
 */
export function severityMark(severity, text, isQuiet = false) {
  const look = isQuiet ? 'quiet' : severity.toLowerCase();
  const shape = element('span', { class: 'shape', 'aria-hidden': 'true' }, shapeOf(severity));
  return element('span', { class: `severity ${look}` }, shape, ' ', text);
}

/**
 * How many of each, severest first.
 * @param {{ severity: string }[]} alerts
 * @returns {[severity: string, count: number][]}
 */
export function countBySeverity(alerts) {
  const counts = Map.groupBy(alerts, ({ severity }) => severity);
  return [...counts]
    .map(([severity, of]) => /** @type {[string, number]} */ ([severity, of.length]))
    .sort(([a], [b]) => compareSeverity(a, b));
}
