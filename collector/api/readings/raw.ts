/** Single readings, one item each. */

import { codesOf, maskOf } from '../../findings.ts';
import { decodeCursor, toPage } from '../cursor.ts';
import type { Queries } from '../queries.ts';
import {
  COUNT,
  EPOCH,
  FINDINGS,
  NAME,
  object,
  QUALITY,
  RAW_VALUE,
  TIME_MS,
  TREATMENT,
  TREATMENT_NAMES,
  VALUE,
} from '../schemas.ts';
import type { ReadingsRequest } from './request.ts';
import { FINITE_VALUE, numberOrNull, within } from './sql.ts';

export const RAW_ITEM = object({
  channel: NAME,
  time_ms: TIME_MS,
  value: {
    ...VALUE,
    description: 'After the rules. Booleans are 0 and 1. Null: no value, or not finite.',
  },
  raw_value: RAW_VALUE,
  quality: QUALITY,
  treatment: TREATMENT,
  findings: FINDINGS,
  gateway: NAME,
  epoch: EPOCH,
  seq: COUNT,
  received_ms: { ...TIME_MS, description: 'When the collector had it.' },
});

export interface RawRow {
  channel: string;
  time_ms: number;
  value: number | null;
  text: string | null;
  raw_value: unknown;
  quality: number;
  findings: number;
  treatment: number;
  gateway: string;
  epoch: string;
  seq: number;
  received_ms: number;
}

export const RAW_COLUMNS = `channel, time_ms, ${FINITE_VALUE}, text, raw_value, quality, findings, treatment, gateway, epoch, seq, received_ms`;

export async function rawPage(
  queries: Queries,
  request: ReadingsRequest,
  signal: AbortSignal,
): Promise<{ items: object[]; next: string | null }> {
  const { limit, order, cursor, finding } = request;
  const where = within(request);
  const params = { ...where.params, limit: limit + 1 };
  const found = finding === undefined ? '' : ` AND bitAnd(findings, ${maskOf(finding)}) != 0`;
  let after = '';
  if (cursor !== undefined) {
    const sign = order === 'asc' ? '>' : '<';
    const [timeMs, channel, epoch, seq] = decodeCursor(cursor, [0, '', '', 0] as const);
    // The first condition lets the store skip by time before it compares the whole key.
    after = ` AND time_ms ${sign}= {c_time:Int64} AND (time_ms, channel, epoch, seq) ${sign} ({c_time:Int64}, {c_channel:String}, {c_epoch:String}, {c_seq:UInt64})`;
    Object.assign(params, { c_time: timeMs, c_channel: channel, c_epoch: epoch, c_seq: seq });
  }
  const rows = await queries.run<RawRow>(
    `SELECT ${RAW_COLUMNS}
FROM readings WHERE ${where.sql}${found}${after}
ORDER BY time_ms ${order}, channel ${order}, epoch ${order}, seq ${order}
LIMIT {limit:UInt32}`,
    params,
    signal,
  );
  const { items, next } = toPage(rows, limit, (r) => [
    Number(r.time_ms),
    r.channel,
    r.epoch,
    Number(r.seq),
  ]);
  return { items: items.map(toItem), next };
}

function toItem(row: RawRow): object {
  return {
    channel: row.channel,
    time_ms: Number(row.time_ms),
    value: row.text ?? row.value,
    ...marksOf(row),
    gateway: row.gateway,
    epoch: row.epoch,
    seq: Number(row.seq),
    received_ms: Number(row.received_ms),
  };
}

/** What the rules did and said. */
export function marksOf(row: Pick<RawRow, 'raw_value' | 'quality' | 'findings' | 'treatment'>): {
  raw_value: number | null;
  quality: number;
  treatment: string;
  findings: string[];
} {
  return {
    raw_value: numberOrNull(row.raw_value),
    quality: row.quality,
    treatment: TREATMENT_NAMES[row.treatment] ?? 'kept',
    findings: codesOf(row.findings),
  };
}
