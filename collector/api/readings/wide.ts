/** One item a time, with the values of all channels beside each other. */

import { CollectorError } from '../../errors.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import type { Queries } from '../queries.ts';
import { QUERY_ROWS_MAX } from '../queries.ts';
import {
  COUNT,
  FINDINGS,
  object,
  RAW_VALUE,
  TIME_MS,
  TREATMENT,
  TREATMENT_NAMES,
  VALUE,
} from '../schemas.ts';
import type { BucketRow } from './buckets.ts';
import { bucketSelect } from './buckets.ts';
import type { RawRow } from './raw.ts';
import { marksOf, RAW_COLUMNS } from './raw.ts';
import type { Aggregate, ReadingsRequest } from './request.ts';
import type { Select } from './sql.ts';
import { numberOrNull, within } from './sql.ts';

const MARK = object({ treatment: TREATMENT, findings: FINDINGS, raw_value: RAW_VALUE });
const BUCKET_MARK = object({
  filled: { ...COUNT, description: 'Values that were made up, and are not in this one.' },
  bad: { ...COUNT, description: 'Readings without a number, or of bad quality.' },
});

export const WIDE_ITEM = object({
  time_ms: { ...TIME_MS, description: 'Of the readings; with a step the start of the bucket.' },
  values: {
    type: 'array',
    items: VALUE,
    description: 'In the order of `channels`. Null: no reading, no value, or not finite.',
  },
  marks: {
    type: 'object',
    additionalProperties: { anyOf: [MARK, BUCKET_MARK] },
    description:
      'By channel, of those that need one: what the rules did and said; with a step how many values were made up or bad.',
  },
});

export interface WideAnswer {
  channels: string[];
  items: object[];
  next: string | null;
}

interface Cell {
  timeMs: number;
  channel: string;
  value: number | string | null;
  mark: object | undefined;
}

interface Cells {
  cells: Cell[];
  /** There are more, which did not fit. */
  isCut: boolean;
}

/**
 * A page of at most `limit` times, and of at most QUERY_ROWS_MAX values. Two readings of one channel and
 * time show as the one that came last.
 */
export async function widePage(
  queries: Queries,
  request: ReadingsRequest,
  nowMs: number,
  signal: AbortSignal,
): Promise<WideAnswer> {
  const { limit } = request;
  const { cells, isCut } =
    request.step === undefined
      ? await readingCells(queries, request, signal)
      : await bucketCells(queries, request, nowMs, signal);
  const times = new Map<number, Map<string, Cell>>();
  let isLast = !isCut;
  for (const cell of cells) {
    let row = times.get(cell.timeMs);
    if (row === undefined) {
      if (times.size === limit) {
        isLast = false;
        break;
      }
      row = new Map();
      times.set(cell.timeMs, row);
    }
    row.set(cell.channel, cell);
  }
  const channels = request.channels ?? channelsOf(times.values());
  const items = [...times].map(([timeMs, row]) => toItem(timeMs, row, channels));
  const lastMs = [...times.keys()].at(-1);
  const next = isLast || lastMs === undefined ? null : encodeCursor([lastMs]);
  return { channels: [...channels], items, next };
}

function channelsOf(rows: Iterable<Map<string, Cell>>): string[] {
  const channels = new Set<string>();
  for (const row of rows) for (const channel of row.keys()) channels.add(channel);
  return [...channels].sort();
}

function toItem(timeMs: number, row: Map<string, Cell>, channels: readonly string[]): object {
  const values = channels.map((channel) => row.get(channel)?.value ?? null);
  const marks: [string, object][] = [];
  for (const channel of channels) {
    const mark = row.get(channel)?.mark;
    if (mark !== undefined) marks.push([channel, mark]);
  }
  // fromEntries defines: a channel called __proto__ is one like any other.
  return { time_ms: timeMs, values, marks: Object.fromEntries(marks) };
}

/** The rows of `limit + 1` times: the last one only tells that there is more. */
function pageOf(select: Select, timeColumn: string, request: ReadingsRequest): Select {
  const { order, limit, cursor } = request;
  const params: Record<string, unknown> = { ...select.params, times: limit + 1 };
  const [after, until, end] = order === 'asc' ? ['>', '<=', 'max'] : ['<', '>=', 'min'];
  let where = '1';
  if (cursor !== undefined) {
    const [timeMs] = decodeCursor(cursor, [0] as const);
    where = `${timeColumn} ${after} {c_time:Int64}`;
    params.c_time = timeMs;
  }
  // On an empty page the scalar is null, and so is the comparison: no rows.
  const lastTime = `(SELECT ${end}OrNull(t) FROM (SELECT DISTINCT ${timeColumn} AS t FROM (${select.sql}) WHERE ${where} ORDER BY t ${order} LIMIT {times:UInt32}))`;
  return {
    sql: `SELECT * FROM (${select.sql}) WHERE ${where} AND ${timeColumn} ${until} ${lastTime}
ORDER BY ${timeColumn} ${order}, channel`,
    params,
  };
}

async function readingCells(
  queries: Queries,
  request: ReadingsRequest,
  signal: AbortSignal,
): Promise<Cells> {
  const where = within(request);
  const select = {
    sql: `SELECT ${RAW_COLUMNS} FROM readings WHERE ${where.sql}`,
    params: where.params,
  };
  const { sql, params } = pageOf(select, 'time_ms', request);
  const { rows, isCut } = await runBounded<RawRow>(
    queries,
    `${sql}, received_ms, seq`,
    params,
    (row) => row.time_ms,
    signal,
  );
  const cells = rows.map((row) => {
    const { raw_value, treatment, findings } = marksOf(row);
    const isPlain = row.findings === 0 && treatment === TREATMENT_NAMES[0];
    return {
      timeMs: Number(row.time_ms),
      channel: row.channel,
      value: row.text ?? row.value,
      mark: isPlain ? undefined : { treatment, findings, raw_value },
    };
  });
  return { cells, isCut };
}

const SHOWN: Record<Aggregate, keyof BucketRow> = {
  avg: 'mean',
  min: 'low',
  max: 'high',
  first: 'opening',
  last: 'closing',
  count: 'counted',
};

async function bucketCells(
  queries: Queries,
  request: ReadingsRequest,
  nowMs: number,
  signal: AbortSignal,
): Promise<Cells> {
  const select = await bucketSelect(queries, request, nowMs, signal);
  const { sql, params } = pageOf(select, 'start_ms', request);
  const timeOf = (row: BucketRow): number => row.start_ms;
  const { rows, isCut } = await runBounded<BucketRow>(queries, sql, params, timeOf, signal);
  const shown = SHOWN[request.aggregate];
  const cells = rows.map((row) => {
    const [filled, bad] = [Number(row.filled), Number(row.bad)];
    return {
      timeMs: Number(row.start_ms),
      channel: row.channel,
      value: numberOrNull(row[shown]),
      mark: filled > 0 || bad > 0 ? { filled, bad } : undefined,
    };
  });
  return { cells, isCut };
}

/** Rows come by time. When they are too many the last time, of which some may be missing, is left out. */
async function runBounded<Row>(
  queries: Queries,
  sql: string,
  params: Record<string, unknown>,
  timeOf: (row: Row) => number,
  signal: AbortSignal,
): Promise<{ rows: Row[]; isCut: boolean }> {
  const rows = await queries.run<Row>(
    `${sql}\nLIMIT {cells:UInt32}`,
    { ...params, cells: QUERY_ROWS_MAX },
    signal,
  );
  const last = rows.at(-1);
  if (rows.length < QUERY_ROWS_MAX || last === undefined) return { rows, isCut: false };
  const whole = rows.filter((row) => timeOf(row) !== timeOf(last));
  if (whole.length === 0)
    throw new CollectorError('STORE_QUERY_REFUSED', `one time has over ${QUERY_ROWS_MAX} values`);
  return { rows: whole, isCut: true };
}
