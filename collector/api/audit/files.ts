/** The audit log as a file, written as it is read: memory stays small, however long it is. */

import type { AuditRecord } from '../../processor/outputs/audit.ts';
import type { Queries } from '../queries.ts';
import type { Row } from './rows.ts';
import { auditItem, toAudit } from './rows.ts';

export const AUDIT_FORMATS = ['csv', 'jsonl'] as const;
export type AuditFormat = (typeof AUDIT_FORMATS)[number];

/** With details of the greatest length some 20 MB. */
const STEP_ROWS = 5_000;
/** What a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

export interface FileSource {
  queries: Pick<Queries, 'run'>;
  where: readonly string[];
  params: Record<string, unknown>;
  format: AuditFormat;
  signal: AbortSignal;
}

/** Pieces of text, oldest entry first. Rejects as Queries.run does. */
export async function* fileText(source: FileSource): AsyncGenerator<string> {
  const { queries, where, params, format, signal } = source;
  if (format === 'csv') yield `${COLUMNS.join(',')}\r\n`;
  let after: readonly [number, string] = [0, ''];
  for (;;) {
    const [number, hash] = after;
    const rows = await queries.run<Row>(
      `SELECT * FROM audit WHERE ${where.join(' AND ')} AND number >= {after:UInt64}
AND (number, hash) > ({after:UInt64}, {afterHash:String}) ORDER BY number, hash LIMIT ${STEP_ROWS}`,
      { ...params, after: number, afterHash: hash },
      signal,
    );
    const entries = rows.map(toAudit);
    if (entries.length > 0) yield entries.map(format === 'csv' ? csvLine : jsonLine).join('');
    const last = entries.at(-1);
    if (last === undefined || rows.length < STEP_ROWS) return;
    after = [last.number, last.hash];
  }
}

const COLUMNS = [
  ...['number', 'id', 'at_ms', 'logged_ms', 'who', 'kind', 'from', 'action', 'site', 'target'],
  ...['detail', 'previous_ms', 'previous_hash', 'hash'],
];

function jsonLine(entry: AuditRecord): string {
  return `${JSON.stringify(auditItem(entry))}\n`;
}

/** RFC 4180. A text that begins like a formula gets an apostrophe before it: JSON lines have all as it is. */
function csvLine(entry: AuditRecord): string {
  const item = auditItem(entry);
  return `${COLUMNS.map((name) => csvCell(item[name] ?? '')).join(',')}\r\n`;
}

function csvCell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
