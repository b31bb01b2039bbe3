/**
 * The gate: a statement of a person may only read, and only our tables. Nothing here understands SQL. The engine
 * writes the statement in its own spelling (formatQuery: one statement, no comments) and says what it is (EXPLAIN
 * AST: parsed, not run); every node must be of a kind, name a table or call a function that is on a list. What
 * passed is what runs: the engine's spelling, and not what the person wrote. docs/decisions/0029.
 */

import type { GateEngine } from '../store/asking.ts';
import { nodesOf } from './ast.ts';
import { Inspection } from './inspection.ts';
import { GateRefusal, ONLY_READING } from './refusal.ts';

/** Of a statement, in UTF-16 units. */
export const SQL_CHARS_MAX = 65_536;
const PARAMS_MAX = 64;
const PARAM_CHARS_MAX = 16_384;
const NODES_MAX = 20_000;

export interface Passed {
  /** What may be run. */
  sql: string;
  /** What stood behind FORMAT. */
  format: string | undefined;
  /** What stood behind SETTINGS at the end: to be looked at like those of a request. */
  settings: ReadonlyMap<string, string>;
}

/** A name that is written without quotes. */
const WORD = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** Rejects with a GateRefusal, or with an EngineRefusal when it is no statement. */
export async function pass(
  engine: GateEngine,
  statement: string,
  params: ReadonlyMap<string, string> = new Map(),
): Promise<Passed> {
  if (statement.length > SQL_CHARS_MAX)
    throw new GateRefusal(`the statement is longer than ${SQL_CHARS_MAX} characters`);
  if (statement.includes('\0')) throw new GateRefusal('the statement has a zero byte');
  checkParams(params);
  const passed = apart(await engine.format(statement));
  const { sql } = passed;
  checkSpelling(sql);
  const nodes = nodesOf(await engine.ast(sql, params));
  if (nodes === undefined)
    throw new GateRefusal('the engine describes the statement in a way that is not known');
  if (nodes.length > NODES_MAX) throw new GateRefusal('the statement has too many parts');
  new Inspection(sql, nodes, engine.database, await engine.tables()).check();
  return passed;
}

function checkParams(params: ReadonlyMap<string, string>): void {
  if (params.size > PARAMS_MAX) throw new GateRefusal(`more than ${PARAMS_MAX} parameters`);
  for (const [name, value] of params) {
    if (!WORD.test(name))
      throw new GateRefusal('the name of a parameter has other signs than letters, digits and _');
    if (value.length > PARAM_CHARS_MAX || value.includes('\0'))
      throw new GateRefusal(`parameter ${name} is longer than ${PARAM_CHARS_MAX} characters`);
  }
}

/** The engine writes FORMAT and SETTINGS of the whole statement on lines of their own, at its end. */
function apart(spelled: string): Passed {
  let sql = spelled;
  let format: string | undefined;
  const settings = new Map<string, string>();
  for (let rounds = 0; rounds < 3; rounds++) {
    const ending = /\n(?:FORMAT (\w+)|SETTINGS (\w+ = [^\n]*))$/.exec(sql);
    if (ending === null) break;
    if (ending[1] !== undefined) format ??= ending[1];
    else
      for (const [name, value] of settingsOf(ending[2] ?? ''))
        if (!settings.has(name)) settings.set(name, value);
    sql = sql.slice(0, ending.index);
  }
  return { sql, format, settings };
}

function settingsOf(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let rest = text;
  while (rest !== '') {
    const one = /^(\w+) = (?:(\d+(?:\.\d+)?|true|false)|'([^'\\]*)')(?:, |$)/.exec(rest);
    if (one === null)
      throw new GateRefusal('SETTINGS of a statement are numbers and plain texts', 'setting');
    found.set(one[1] ?? '', one[2] ?? one[3] ?? '');
    rest = rest.slice(one[0].length);
  }
  return found;
}

/**
 * The engine writes every line break within a text or a name as \n, so that a line begins as it looks like. A name
 * with such signs could break a line of the tree, and is refused.
 */
function checkSpelling(sql: string): void {
  if (!/^(SHOW|DESCRIBE|EXISTS|EXPLAIN|SELECT|WITH|\()/.test(sql))
    throw new GateRefusal(ONLY_READING, 'write');
  if (/^\s*INTO OUTFILE\b/m.test(sql)) throw new GateRefusal('INTO OUTFILE is not taken', 'write');
  const bare = sql.replaceAll(/'(?:[^'\\]|\\[\s\S]|'')*'/g, "''");
  for (const [name] of bare.matchAll(/`(?:[^`\\]|\\[\s\S]|``)*`/g))
    if (/[\\\p{Cc}]/u.test(name))
      throw new GateRefusal('a name has control characters, backslashes or backticks');
  if (/:\s*Identifier\s*\}/i.test(bare))
    throw new GateRefusal('a parameter cannot be a name: only values are taken');
}
