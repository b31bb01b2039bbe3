/**
 * Lists over tables whose newest row of an id replaces the others (anomalies, alerts): filters, newest first,
 * pages. The sort key is that of the table: a time, the site, the id.
 */

import { CollectorError } from '../errors.ts';
import { siteCondition } from './access.ts';
import type { Row } from './alert_rows.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { ListQuery } from './lists.ts';
import type { Queries } from './queries.ts';

/** Time, site, id of the last one of a page. */
export type PageKey = readonly [number, string, string];

export interface KeyedSource {
  table: 'anomalies' | 'alerts';
  /** Sorts and pages; begins the table's sort key. */
  timeColumn: 'onset_ms' | 'started_ms';
  /** Further conditions, and their parameters. */
  where: readonly string[];
  params: Record<string, unknown>;
}

/** Throws API_PARAMETER_INVALID. */
export function checkListQuery({ from, to, cursor }: ListQuery): PageKey | undefined {
  if (from !== undefined && to !== undefined && from >= to)
    throw new CollectorError('API_PARAMETER_INVALID', 'from must be before to');
  return cursor === undefined ? undefined : decodeCursor(cursor, [0, '', ''] as const);
}

/** What lists and the summary filter alike. */
export function keyedWhere(
  timeColumn: KeyedSource['timeColumn'],
  asked: Pick<ListQuery, 'site' | 'sites' | 'gateway' | 'device' | 'from' | 'to'>,
): { where: string[]; params: Record<string, unknown> } {
  const where = ['1'];
  const params: Record<string, unknown> = {};
  for (const name of ['site', 'gateway', 'device'] as const) {
    if (asked[name] === undefined) continue;
    where.push(`${name} = {${name}:String}`);
    params[name] = asked[name];
  }
  const visible = siteCondition(asked.sites);
  if (visible !== undefined) where.push(visible.where);
  Object.assign(params, visible?.params);
  for (const [name, sign] of [
    ['from', '>='],
    ['to', '<'],
  ] as const) {
    if (asked[name] === undefined) continue;
    where.push(`${timeColumn} ${sign} {${name}:Int64}`);
    params[name] = asked[name];
  }
  return { where, params };
}

/** Whole rows. The inner query finds the page in a few columns; the outer one reads the rest of its rows. */
export async function keyedPage(
  queries: Queries,
  { table, timeColumn, ...source }: KeyedSource,
  asked: ListQuery,
  signal: AbortSignal,
): Promise<{ items: Row[]; next: string | null }> {
  const key = checkListQuery(asked);
  const { where, params } = keyedWhere(timeColumn, asked);
  where.push(...source.where);
  Object.assign(params, source.params, { limit: asked.limit + 1 });
  const columns = `${timeColumn}, site, id`;
  if (key !== undefined) {
    where.push(`(${columns}) < ({c0:Int64}, {c1:String}, {c2:String})`);
    // The tuple alone does not let the engine skip what is newer.
    where.push(`${timeColumn} <= {c0:Int64}`);
    for (const [i, part] of key.entries()) params[`c${i}`] = part;
  }
  const order = `ORDER BY ${timeColumn} DESC, site DESC, id DESC`;
  const rows = await queries.run<Row>(
    `SELECT * FROM ${table} FINAL WHERE (${columns}) IN (
  SELECT ${columns} FROM ${table} FINAL WHERE ${where.join(' AND ')} ${order} LIMIT {limit:UInt32})
${order}`,
    params,
    signal,
  );
  return cutPage(rows, asked.limit, (row) => [
    Number(row[timeColumn]),
    String(row.site),
    String(row.id),
  ]);
}

/** The newest row of an id, wherever in the table it is. Undefined: there is none. */
export async function newestRow(
  queries: Queries,
  table: KeyedSource['table'] | 'silences',
  id: string,
  signal: AbortSignal,
): Promise<Row | undefined> {
  const version = table === 'silences' ? 'updated_ms' : 'version';
  const [row] = await queries.run<Row>(
    `SELECT * FROM ${table} WHERE id = {id:String} ORDER BY ${version} DESC LIMIT 1`,
    { id },
    signal,
  );
  return row;
}

/** Of more than `limit` items, those of a page, and the cursor of the next one. */
export function cutPage<Item>(
  all: readonly Item[],
  limit: number,
  keyOf: (item: Item) => PageKey,
): { items: Item[]; next: string | null } {
  const items = all.slice(0, limit);
  const last = items.at(-1);
  const next = all.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null;
  return { items, next };
}
