/** Thinned out for a chart: the lowest and the highest reading of each part of the range. */

import { codesOf } from '../../findings.ts';
import type { Queries } from '../queries.ts';
import {
  FINDINGS,
  NAME,
  object,
  QUALITY,
  TIME_MS,
  TREATMENT,
  TREATMENT_NAMES,
} from '../schemas.ts';
import type { ReadingsRequest } from './request.ts';
import type { Select } from './sql.ts';
import { COUNTS, within } from './sql.ts';

export const POINT_ITEM = object({
  channel: NAME,
  time_ms: TIME_MS,
  value: { type: 'number', description: 'Booleans are 0 and 1.' },
  quality: QUALITY,
  treatment: TREATMENT,
  findings: FINDINGS,
});

interface PointRow {
  channel: string;
  time_ms: number;
  value: number;
  quality: number;
  findings: number;
  treatment: number;
}

const PARTS = ['time_ms', 'number', 'quality', 'findings', 'treatment'];

/**
 * One row a point, by time. Of two readings of one value any may be the one that is shown. A part whose
 * lowest is its highest has one point.
 */
export function pointsSelect(request: ReadingsRequest): Select {
  const { order, points = 2, fromMs, toMs } = request;
  const where = within(request);
  const widthMs = Math.max(1, Math.ceil((toMs - fromMs) / Math.floor(points / 2)));
  const pick = (pickOf: string): string =>
    `(${PARTS.map((part) => `${pickOf}(${part}, number)`).join(', ')})`;
  return {
    sql: `SELECT channel, point.1 AS time_ms, point.2 AS value, point.3 AS quality, point.4 AS findings, point.5 AS treatment
FROM (
  SELECT channel, arrayJoin(arrayDistinct([${pick('argMin')}, ${pick('argMax')}])) AS point
  FROM (
    SELECT channel, time_ms, assumeNotNull(value) AS number, quality, findings, treatment
    FROM readings WHERE ${where.sql} AND ${COUNTS}
  )
  GROUP BY channel, intDiv(time_ms - {from:Int64}, {width:Int64})
)
ORDER BY time_ms ${order}, channel ${order}`,
    params: { ...where.params, width: widthMs },
  };
}

/** The store's bound on rows holds the number of channels down: it refuses more. */
export async function pointsAnswer(
  queries: Queries,
  request: ReadingsRequest,
  signal: AbortSignal,
): Promise<{ items: object[]; next: null }> {
  const { sql, params } = pointsSelect(request);
  const rows = await queries.run<PointRow>(sql, params, signal);
  const items = rows.map((row) => ({
    channel: row.channel,
    time_ms: Number(row.time_ms),
    value: row.value,
    quality: row.quality,
    treatment: TREATMENT_NAMES[row.treatment] ?? 'kept',
    findings: codesOf(row.findings),
  }));
  return { items, next: null };
}
