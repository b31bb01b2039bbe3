/** A whole range as one file, CSV or Parquet: the SELECT of each form. */

import { CollectorError } from '../../errors.ts';
import { findingKinds, Treatment } from '../../findings.ts';
import { BUCKET_MS } from '../../store/columns.ts';
import type { Queries } from '../queries.ts';
import { TREATMENT_NAMES } from '../schemas.ts';
import { bucketSelect } from './buckets.ts';
import { pointsSelect } from './points.ts';
import type { Aggregate, ReadingsRequest } from './request.ts';
import type { Select } from './sql.ts';
import { within } from './sql.ts';

/** Of a wide file. */
const COLUMNS_MAX = 1_000;

/** Texts of our own, without quotes. */
const TREATMENT_SQL = `[${TREATMENT_NAMES.map((name) => `'${name}'`).join(', ')}][treatment + 1]`;

function findingsSql(): string {
  const byBit = new Map<number, string>();
  for (const [code, { bit }] of Object.entries(findingKinds)) byBit.set(bit, code);
  const names = Array.from({ length: Math.max(...byBit.keys()) + 1 }, (_, bit) => byBit.get(bit));
  const list = names.map((name) => `'${name ?? ''}'`).join(', ');
  return `arrayStringConcat(arrayMap(bit -> [${list}][bit + 1], bitPositionsToArray(findings)), '|')`;
}

/** ISO 8601 in CSV; Parquet has a type of its own for times. */
function timeSql(request: ReadingsRequest, column: string): string {
  const time = `fromUnixTimestamp64Milli(${column}, 'UTC')`;
  return request.format === 'parquet'
    ? time
    : `concat(replaceOne(toString(${time}), ' ', 'T'), 'Z')`;
}

/** By time, then channel; of long files in the order in which the table lies: they need little memory to sort. */
export async function fileSelect(
  queries: Queries,
  request: ReadingsRequest,
  nowMs: number,
  signal: AbortSignal,
): Promise<Select> {
  if (request.points !== undefined) return pointsFile(request);
  if (request.step === undefined)
    return request.form === 'wide' ? wideFile(queries, request, signal) : longFile(request);
  const select = await bucketSelect(queries, request, nowMs, signal);
  return request.form === 'wide'
    ? wideBuckets(queries, request, select, signal)
    : bucketFile(request, select);
}

function longFile(request: ReadingsRequest): Select {
  const { sql, params } = within(request);
  return {
    sql: `SELECT channel, time_ms, ${timeSql(request, 'time_ms')} AS time, value, text, raw_value, quality,
  ${TREATMENT_SQL} AS treatment, ${findingsSql()} AS findings, gateway, epoch, seq, received_ms
FROM readings WHERE ${sql} ORDER BY intDiv(time_ms, ${BUCKET_MS}), readings.time_ms, channel, epoch, seq`,
    params,
  };
}

function pointsFile(request: ReadingsRequest): Select {
  const { sql, params } = pointsSelect(request);
  return {
    sql: `SELECT channel, time_ms, ${timeSql(request, 'time_ms')} AS time, value, quality,
  ${TREATMENT_SQL} AS treatment, ${findingsSql()} AS findings
FROM (${sql}) ORDER BY time_ms, channel`,
    params,
  };
}

function bucketFile(request: ReadingsRequest, { sql, params }: Select): Select {
  return {
    sql: `SELECT channel, start_ms AS time_ms, stop_ms AS end_ms, ${timeSql(request, 'start_ms')} AS time,
  low AS min, high AS max, mean AS avg, opening AS first, closing AS last, counted AS count, filled, bad, texts
FROM (${sql}) ORDER BY start_ms, channel`,
    params,
  };
}

interface WideChannel {
  channel: string;
  is_text: number;
}

/** A column a channel; of two readings of one channel and time the one that came last. */
async function wideFile(
  queries: Queries,
  request: ReadingsRequest,
  signal: AbortSignal,
): Promise<Select> {
  const { sql, params } = within(request);
  const channels = await channelsOf(
    queries,
    request,
    `SELECT channel, countIf(isNotNull(text)) > 0 AS is_text FROM readings WHERE ${sql} GROUP BY channel`,
    params,
    signal,
  );
  const cells = channels.map(({ is_text }, i) => {
    // A channel that has texts may have numbers too: a column has one type.
    const column = is_text === 1 ? 'ifNull(text, toString(value))' : 'value';
    return `argMaxIf(${column}, (received_ms, seq), channel = {channel${i}:String})`;
  });
  const marked = (condition: string): string =>
    `arrayStringConcat(arraySort(groupUniqArrayIf(toString(channel), ${condition})), '|')`;
  return wideSelect(request, channels, {
    cells,
    marks: [
      ['filled_channels', marked(`treatment = ${Treatment.FILLED}`)],
      ['flagged_channels', marked('findings != 0')],
    ],
    timeColumn: 'time_ms',
    // As the table lies: only a few hours are held at a time.
    by: `site, device, intDiv(time_ms, ${BUCKET_MS}), time_ms`,
    from: `FROM readings WHERE ${sql}`,
    params,
  });
}

const SHOWN: Record<Aggregate, string> = {
  avg: 'mean',
  min: 'low',
  max: 'high',
  first: 'opening',
  last: 'closing',
  count: 'counted',
};

async function wideBuckets(
  queries: Queries,
  request: ReadingsRequest,
  { sql, params }: Select,
  signal: AbortSignal,
): Promise<Select> {
  const channels = await channelsOf(
    queries,
    request,
    `SELECT DISTINCT channel, 0 AS is_text FROM (${sql})`,
    params,
    signal,
  );
  const shown = SHOWN[request.aggregate];
  return wideSelect(request, channels, {
    cells: channels.map((_, i) => `anyIf(${shown}, channel = {channel${i}:String})`),
    marks: [],
    timeColumn: 'start_ms',
    by: 'start_ms',
    from: `FROM (${sql})`,
    params,
  });
}

interface WideParts {
  /** An aggregate a channel. */
  cells: readonly string[];
  /** Further columns: name, aggregate. */
  marks: readonly (readonly [string, string])[];
  timeColumn: string;
  /** Grouped by: all that tells two times apart. */
  by: string;
  from: string;
  params: Record<string, unknown>;
}

/** The inner names can be no channel's: otherwise an alias could stand in for a column. */
function wideSelect(
  request: ReadingsRequest,
  channels: readonly WideChannel[],
  { cells, marks, timeColumn, by, from, params }: WideParts,
): Select {
  let prefix = 'c';
  while (channels.some(({ channel }) => channel.startsWith(prefix))) prefix += 'c';
  const inner = [`${timeColumn} AS ${prefix}_at`];
  const outer = [`${prefix}_at AS time_ms`, `${timeSql(request, `${prefix}_at`)} AS time`];
  const taken = new Set(['time_ms', 'time', ...marks.map(([name]) => name)]);
  for (const [i, { channel }] of channels.entries()) {
    // No column goes without a name.
    let name = channel || '_';
    while (taken.has(name)) name += '_';
    taken.add(name);
    inner.push(`${cells[i]} AS ${prefix}_${i}`);
    outer.push(`${prefix}_${i} AS ${quotedName(name)}`);
  }
  for (const [i, [name, aggregate]] of marks.entries()) {
    inner.push(`${aggregate} AS ${prefix}_mark_${i}`);
    outer.push(`${prefix}_mark_${i} AS ${name}`);
  }
  const names = Object.fromEntries(channels.map(({ channel }, i) => [`channel${i}`, channel]));
  return {
    sql: `SELECT ${outer.join(', ')} FROM (
  SELECT ${inner.join(', ')} ${from} GROUP BY ${by}
  SETTINGS optimize_aggregation_in_order = 1
) ORDER BY ${prefix}_at`,
    params: { ...params, ...names },
  };
}

/** Those asked for, in that order; else those of the range, sorted. */
async function channelsOf(
  queries: Queries,
  request: ReadingsRequest,
  sql: string,
  params: Record<string, unknown>,
  signal: AbortSignal,
): Promise<WideChannel[]> {
  const found = await queries.run<WideChannel>(
    `SELECT * FROM (${sql}) ORDER BY channel LIMIT ${COLUMNS_MAX + 1}`,
    params,
    signal,
  );
  if (found.length > COLUMNS_MAX)
    throw new CollectorError(
      'API_PARAMETER_INVALID',
      `more than ${COLUMNS_MAX} channels: name those of interest`,
    );
  if (request.channels === undefined) return found;
  const byName = new Map(found.map((one) => [one.channel, one]));
  return request.channels.map((channel) => byName.get(channel) ?? { channel, is_text: 0 });
}

/** A column name in SQL, whatever it holds. */
export function quotedName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}
