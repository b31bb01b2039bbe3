/** Lists over the tables quarantine and events: filters, newest first, pages. */

import { CollectorError } from '../errors.ts';
import { siteCondition } from './access.ts';
import { decodeCursor, toPage } from './cursor.ts';
import type { Queries } from './queries.ts';
import type { JsonSchema } from './schemas.ts';
import { CURSOR, LIST_LIMIT_MAX, limitSchema, NAME, TIME_MS } from './schemas.ts';

export interface ListQuery {
  site?: string;
  gateway?: string;
  device?: string;
  from?: number;
  to?: number;
  limit: number;
  cursor?: string;
  /** Those that the caller may see; undefined: every one. */
  sites?: ReadonlySet<string> | undefined;
}

export const LIST_PARAMETERS = {
  site: NAME,
  gateway: NAME,
  device: NAME,
  from: { ...TIME_MS, description: 'First time, inclusive.' },
  to: { ...TIME_MS, description: 'Last time, exclusive.' },
  limit: limitSchema(100, LIST_LIMIT_MAX),
  cursor: CURSOR,
} satisfies Record<string, JsonSchema>;

/** Where a row comes from in the log: with the time its place in the list. */
export interface ListRow {
  sort_ms: number;
  log_id: string;
  log_partition: number;
  log_offset: number;
  log_index: number;
  [column: string]: unknown;
}

export interface ListSource {
  table: 'quarantine' | 'events';
  columns: string;
  /** Sorts and pages. */
  timeColumn: string;
  /** Further conditions, and their parameters. */
  where: readonly string[];
  params: Record<string, unknown>;
}

export async function listPage(
  queries: Queries,
  source: ListSource,
  asked: ListQuery,
  signal: AbortSignal,
): Promise<{ items: ListRow[]; next: string | null }> {
  const { table, columns, timeColumn } = source;
  const where = ['1', ...source.where];
  const params: Record<string, unknown> = { ...source.params, limit: asked.limit + 1 };
  for (const name of ['site', 'gateway', 'device'] as const) {
    if (asked[name] === undefined) continue;
    where.push(`${name} = {${name}:String}`);
    params[name] = asked[name];
  }
  const visible = siteCondition(asked.sites);
  if (visible !== undefined) where.push(visible.where);
  Object.assign(params, visible?.params);
  if (asked.from !== undefined && asked.to !== undefined && asked.from >= asked.to)
    throw new CollectorError('API_PARAMETER_INVALID', 'from must be before to');
  for (const [name, sign] of [
    ['from', '>='],
    ['to', '<'],
  ] as const) {
    if (asked[name] === undefined) continue;
    where.push(`${timeColumn} ${sign} {${name}:Int64}`);
    params[name] = asked[name];
  }
  if (asked.cursor !== undefined) {
    const key = decodeCursor(asked.cursor, [0, '', 0, 0, 0] as const);
    where.push(
      `(${timeColumn}, log_id, log_partition, log_offset, log_index) < ({c0:Int64}, {c1:String}, {c2:UInt16}, {c3:UInt64}, {c4:UInt32})`,
    );
    for (const [i, part] of key.entries()) params[`c${i}`] = part;
  }
  const rows = await queries.run<ListRow>(
    `SELECT ${columns}, ${timeColumn} AS sort_ms, log_id, log_partition, log_offset, log_index
FROM ${table} WHERE ${where.join(' AND ')}
ORDER BY ${timeColumn} DESC, log_id DESC, log_partition DESC, log_offset DESC, log_index DESC
LIMIT {limit:UInt32}`,
    params,
    signal,
  );
  return toPage(rows, asked.limit, (r) => [
    Number(r.sort_ms),
    r.log_id,
    Number(r.log_partition),
    Number(r.log_offset),
    Number(r.log_index),
  ]);
}
