/** Pieces of SQL over the table readings that several forms share. Values only travel as parameters. */

import { Treatment } from '../../findings.ts';
import type { ReadingsRequest } from './request.ts';

export interface Select {
  sql: string;
  params: Record<string, unknown>;
}

/**
 * What counts in statistics: a finite number, not of bad quality (bits 0-1), not made up. As the roll-ups
 * have it (store/rollup/statements.ts): buckets are the same whichever of both they come from.
 */
export const COUNTS = `ifNull(isFinite(value), 0) AND bitAnd(quality, 3) < 2 AND treatment <= ${Treatment.CLIPPED}`;
export const IS_TEXT = `isNotNull(text) AND bitAnd(quality, 3) < 2 AND treatment <= ${Treatment.CLIPPED}`;

/** A power of two: the mean of values near the largest double stays finite, and no digit is lost. */
const SCALE = '1.152921504606847e18';

/** A mean that may overflow on the way. `of(x)` is its SQL with x in the place of each value. */
export function meanSql(column: string, of: (value: string) => string): string {
  return `if(isFinite(assumeNotNull(${of(column)})), ${of(column)}, ${of(`(${column} / ${SCALE})`)} * ${SCALE})`;
}

/** JSON has neither NaN nor infinities. */
export const FINITE_VALUE = 'if(isFinite(value), value, NULL) AS value';

/** The condition on site, device and channels. */
export function ofSeries({ site, device, channels }: ReadingsRequest): Select {
  const sql = 'site = {site:String} AND device = {device:String}';
  if (channels === undefined) return { sql, params: { site, device } };
  return {
    sql: `${sql} AND channel IN {channels:Array(String)}`,
    params: { site, device, channels },
  };
}

/** The same and the range of times, in parameters whose names `prefix` keeps apart from others. */
export function within(request: ReadingsRequest, column = 'time_ms', prefix = ''): Select {
  const series = ofSeries(request);
  const [from, to] = [`${prefix}from`, `${prefix}to`];
  return {
    sql: `${series.sql} AND ${column} >= {${from}:Int64} AND ${column} < {${to}:Int64}`,
    params: { ...series.params, [from]: request.fromMs, [to]: request.toMs },
  };
}

/** What is not finite (an average that overflowed) comes as text. */
export function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
