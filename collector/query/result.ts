/** The answer of a query as columns and rows for a page: from the engine's JSONCompact. */

import { CollectorError } from '../errors.ts';
import type { Answer } from '../store/asking.ts';

/** Beside those that a person asks for. */
export const RESULT_SETTINGS: ReadonlyMap<string, string> = new Map([
  ['output_format_json_quote_64bit_integers', '1'],
  ['output_format_json_quote_denormals', '1'],
  ['output_format_json_quote_decimals', '1'],
  ['output_format_json_named_tuples_as_objects', '1'],
  ['output_format_write_statistics', '1'],
]);
export const RESULT_FORMAT = 'JSONCompact';

export interface QueryResult {
  columns: { name: string; type: string }[];
  /** What JSON numbers cannot say is a text: integers beyond 2^53, decimals, 'nan', 'inf', '-inf'. */
  rows: unknown[][];
  /** Without LIMIT; null: the engine did not count them. */
  rows_before_limit: number | null;
  truncated: boolean;
  elapsed_ms: number;
  read_rows: number;
  read_bytes: number;
}

/** Of the text: it is taken apart while everything else waits. */
const TEXT_BYTES_MAX = 32 * 2 ** 20;

const INTEGER_64 = /^(?:Nullable\(|LowCardinality\()*U?Int64\)*$/;

/** `maxRows`: the answer was asked for with one more. Throws STORE_QUERY_REFUSED when it is too large. */
export function resultOf(answer: Answer, maxRows: number): QueryResult {
  if (answer.body.length > TEXT_BYTES_MAX)
    throw new CollectorError(
      'STORE_QUERY_REFUSED',
      `the answer exceeded ${TEXT_BYTES_MAX} bytes: ask for fewer rows or columns`,
    );
  const { meta, data, rows_before_limit_at_least } = parsed(answer.body);
  const truncated = data.length > maxRows;
  const rows = truncated ? data.slice(0, maxRows) : data;
  for (const [at, { type }] of meta.entries())
    if (INTEGER_64.test(type)) for (const row of rows) row[at] = asNumber(row[at]);
  return {
    columns: meta,
    rows,
    rows_before_limit: rows_before_limit_at_least ?? null,
    truncated,
    elapsed_ms: Math.round(answer.elapsedMs),
    read_rows: answer.readRows,
    read_bytes: answer.readBytes,
  };
}

interface JsonCompact {
  meta: { name: string; type: string }[];
  data: unknown[][];
  rows_before_limit_at_least?: number;
}

/** An empty answer: EXISTS and the like in odd forms. */
function parsed(body: Buffer): JsonCompact {
  const text = body.toString('utf8');
  if (text.trim() === '') return { meta: [], data: [] };
  return JSON.parse(text) as JsonCompact;
}

function asNumber(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
