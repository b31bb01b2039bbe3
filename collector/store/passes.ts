/**
 * Who may insert what the log says: for each scope (a topic's partition of one log) the pass that was
 * admitted last, kept in table `writer_passes`. The server itself asks for it at the beginning of each insert,
 * so that one which a frozen process sends, or a network delivers, after another process took over stores
 * nothing and fails. Why this is enough: docs/decisions/0022.
 */

import { CollectorError } from '../errors.ts';
import { quoted } from './statements.ts';
import type { Pass } from './store.ts';

const REPLACED = 'FMS_PASS_REPLACED';
/** throwIf of the engine. */
const THROWN_CODE = '395';

/** The id of the pass that holds now; '' when there is none. Equal numbers come from processes at the same moment. */
function current(scope: string): string {
  return `(SELECT argMax(pass, (number, pass)) FROM writer_passes WHERE scope = ${quoted(scope)})`;
}

/**
 * For the WHERE of an INSERT … SELECT: true while the pass holds, else the statement fails. Evaluated when the statement
 * is analysed, which is after it appears in system.processes and before it stores anything.
 */
export function holds({ scope, id }: Pass): string {
  return `throwIf(${current(scope)} != ${quoted(id)}, '${REPLACED}') = 0`;
}

/** One row: `pass` that holds, '' when there is none, and its `number`. */
export function currentPass(scope: string): string {
  return `SELECT ${current(scope)} AS pass,
  (SELECT toUInt32(max(number)) FROM writer_passes WHERE scope = ${quoted(scope)}) AS number`;
}

/**
 * Makes the pass hold, as the successor of the one with `number`; ask `currentPass` whether it does: another one
 * may have come in between. The number is said, not counted up, so that a statement which arrives late is too late.
 */
export function admitStatement({ scope, id }: Pass, number: number): string {
  return `INSERT INTO writer_passes (scope, number, pass) SETTINGS async_insert = 0
SELECT ${quoted(scope)}, ${number + 1}, ${quoted(id)}`;
}

/** STORE_PASS_REPLACED, if this is what the engine's error says. */
export function passReplaced(
  engineCode: string | undefined,
  text: string,
): CollectorError | undefined {
  if (engineCode !== THROWN_CODE || !text.includes(REPLACED)) return undefined;
  return new CollectorError('STORE_PASS_REPLACED', 'another process has taken over');
}
