/** How the engine is told to run a statement of a person, and what its errors mean. */

import type { ClickHouseClient } from '@clickhouse/client';
import { CollectorError } from '../errors.ts';
import type { Ask, AskProgress } from './asking.ts';
import { EngineRefusal } from './asking.ts';
import { startsWith } from './ending.ts';
import { BROKEN_ENGINE_CODES, engineCode, unavailable } from './engine_errors.ts';
import { quoted } from './statements.ts';

const WORDS_MAX = 2_000;
export const PARSE_TIMEOUT_MS = 10_000;
/** For what is only parsed: the gate must see the same of both engines. */
export const PARSE_SETTINGS: ReadonlyMap<string, string> = new Map([
  ['max_execution_time', String(PARSE_TIMEOUT_MS / 1_000)],
  ['max_query_size', '1048576'],
  ['readonly', '1'],
]);
/** How the parser is asked; no part of what a person wrote. */
const SCOPES = [': In scope SELECT formatQuery(', ': while executing function formatQuery'];

/** Asks for the engine's spelling. As a text within: whatever it says is parsed and not run, and several are refused. */
export function spellingSql(sql: string): string {
  return `SELECT formatQuery(${quoted(sql)})`;
}

/** Asks for the tree of what came of `spellingSql`. */
export function treeSql(sql: string): string {
  return `EXPLAIN AST ${sql}`;
}

/** What an error of a person's statement means. */
export function refusalOf(error: unknown): CollectorError {
  if (error instanceof CollectorError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const found = /Code: (\d+)\. (?:DB::Exception: )+([\s\S]*)$/.exec(message);
  // The client for servers has taken the message apart.
  const { type } = error as { type?: unknown };
  const code = engineCode(error) ?? found?.[1];
  if (code === undefined || BROKEN_ENGINE_CODES.has(code)) return unavailable('query', error);
  const text = found?.[2] ?? `${message}${typeof type === 'string' ? ` (${type})` : ''}`;
  return new EngineRefusal(Number(code), wordsOf(text), { cause: error });
}

function wordsOf(text: string): string {
  const plain = text
    .replace(/ \(version [^)]*\)/g, '')
    .replace(/^(?:Code: \d+\. DB::Exception: )+/, '')
    .trim();
  const name = /\([A-Z][A-Z0-9_]+\)$/.exec(plain)?.[0] ?? '';
  let words = plain.slice(0, plain.length - name.length).trim();
  for (const scope of SCOPES) {
    const at = words.indexOf(scope);
    if (at >= 0) words = words.slice(0, at);
  }
  if (words.length > WORDS_MAX) words = `${words.slice(0, WORDS_MAX)}…`;
  return name === '' || words.endsWith(name) ? words : `${words} ${name}`;
}

/** System tables tell only of these tables, whatever the statement asks. */
function rowFilters(database: string, tables: readonly string[]): string {
  const ours = (column: string): string => `${column} = ${quoted(database)}`;
  const names = tables.map(quoted).join(', ');
  const filters = {
    'system.databases': ours('name'),
    'system.tables': `${ours('database')} AND name IN (${names})`,
    'system.columns': `${ours('database')} AND table IN (${names})`,
  };
  const entries = Object.entries(filters).map(([table, filter]) => `'${table}': ${quoted(filter)}`);
  return `{${entries.join(', ')}}`;
}

/** All settings of a statement, in the order in which they must be set: `readonly` forbids what comes after it. */
export function askSettings(ask: Ask, database: string, leftMs: number): Map<string, string> {
  const { limits } = ask;
  return new Map([
    ...[...ask.settings].filter(([name]) => name !== 'readonly'),
    ['max_execution_time', String(Math.max(0.05, leftMs / 1_000))],
    ['timeout_overflow_mode', 'throw'],
    ['max_memory_usage', String(limits.maxMemoryBytes)],
    ['max_result_bytes', String(limits.maxResultBytes)],
    ['result_overflow_mode', 'throw'],
    ['max_threads', String(limits.maxThreads)],
    ['max_ast_depth', '500'],
    ['max_ast_elements', '20000'],
    ['max_expanded_ast_elements', '100000'],
    ['max_parser_depth', '500'],
    // Nothing may be put aside on the disk.
    ['max_bytes_before_external_group_by', '0'],
    ['max_bytes_before_external_sort', '0'],
    ['max_bytes_ratio_before_external_group_by', '0'],
    ['max_bytes_ratio_before_external_sort', '0'],
    ['allow_introspection_functions', '0'],
    ['optimize_move_to_prewhere_if_final', '1'],
    ['additional_table_filters', rowFilters(database, ask.tables)],
    ['readonly', '1'],
  ]);
}

export function abortedRefusal(error: unknown): CollectorError {
  return new CollectorError('STORE_QUERY_REFUSED', 'the query was given up', { cause: error });
}

/** Of the statement that starts with `mark`. Rejects as the client does. */
export async function progressOf(
  client: ClickHouseClient,
  mark: string,
): Promise<AskProgress | undefined> {
  const result = await client.query({
    query: `SELECT elapsed * 1000 AS elapsed_ms, toFloat64(read_rows) AS read_rows
FROM system.processes WHERE ${startsWith(mark)}`,
    format: 'JSONEachRow',
  });
  const [row] = (await result.json()) as { elapsed_ms: number; read_rows: number }[];
  return row && { elapsedMs: row.elapsed_ms, readRows: row.read_rows };
}
