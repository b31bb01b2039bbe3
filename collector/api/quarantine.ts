/** Entries of the quarantine as the API shows them, and whether they were released. */

import { CollectorError } from '../errors.ts';
import type { QuarantinedReading } from '../types.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { ListRow } from './lists.ts';
import type { Queries } from './queries.ts';

export interface QuarantineItem {
  id: string;
  site: string;
  gateway: string;
  device: string;
  reason: string;
  detail: string;
  time_ms: number;
  received_ms: number;
  epoch: string;
  seq: number;
  count: number;
  head_base64: string;
  reading: ReadingItem | null;
  releasable: boolean;
  released_ms: number | null;
  released_by: string | null;
  log_partition: number;
  log_offset: number;
}

interface ReadingItem {
  device: string;
  channel: string;
  time_ms: number;
  value: number | string | null;
  kind: string;
  quality: number;
}

export const QUARANTINE_COLUMNS =
  'site, gateway, device, reason, detail, time_ms, received_ms, epoch, seq, count, base64Encode(head) AS head_base64, reading';

/** Entries that hold a whole reading which was not released yet. */
export const RELEASABLE_SQL =
  "(reading != '' AND (site, gateway, epoch, seq) NOT IN (SELECT site, gateway, epoch, seq FROM releases))";

/** Entries whose reading has moved to the readings. */
export const RELEASED_SQL =
  "(reading != '' AND (site, gateway, epoch, seq) IN (SELECT site, gateway, epoch, seq FROM releases))";

interface ReleasedRow {
  site: string;
  gateway: string;
  epoch: string;
  seq: number;
  by: string;
  released_ms: number;
}

export async function toItems(
  queries: Queries,
  rows: readonly ListRow[],
  signal: AbortSignal,
): Promise<QuarantineItem[]> {
  const released = await releasedOf(queries, rows, signal);
  return rows.map((row) => {
    const release = released.get(keyOf(row));
    const reading = readingOf(row.reading);
    return {
      id: encodeCursor([row.log_id, row.log_partition, row.log_offset, row.log_index]),
      site: String(row.site),
      gateway: String(row.gateway),
      device: String(row.device),
      reason: String(row.reason),
      detail: String(row.detail),
      time_ms: Number(row.time_ms),
      received_ms: Number(row.received_ms),
      epoch: String(row.epoch),
      seq: Number(row.seq),
      count: Number(row.count),
      head_base64: String(row.head_base64),
      reading: reading === undefined ? null : readingItem(reading),
      releasable: reading !== undefined && release === undefined,
      released_ms: release === undefined ? null : Number(release.released_ms),
      released_by: release?.by ?? null,
      log_partition: Number(row.log_partition),
      log_offset: Number(row.log_offset),
    };
  });
}

function readingItem({ device, channel, timeMs, value, text, kind, quality }: QuarantinedReading) {
  const shown = value === '-0' ? 0 : value;
  return { device, channel, time_ms: timeMs, value: text ?? shown, kind, quality };
}

/** Undefined: the entry holds no whole reading. */
export function readingOf(json: unknown): QuarantinedReading | undefined {
  if (typeof json !== 'string' || json === '') return undefined;
  return JSON.parse(json) as QuarantinedReading;
}

async function releasedOf(
  queries: Queries,
  rows: readonly ListRow[],
  signal: AbortSignal,
): Promise<Map<string, ReleasedRow>> {
  const wanted = rows.filter((row) => row.reading !== '');
  if (wanted.length === 0) return new Map();
  const found = await queries.run<ReleasedRow>(
    `SELECT site, gateway, epoch, seq, by, released_ms FROM releases FINAL
WHERE (site, gateway, epoch, seq) IN (
  SELECT key.1, key.2, key.3, key.4 FROM (
    SELECT arrayJoin(arrayZip({sites:Array(String)}, {gateways:Array(String)}, {epochs:Array(String)}, {seqs:Array(UInt64)})) AS key))`,
    {
      sites: wanted.map((row) => row.site),
      gateways: wanted.map((row) => row.gateway),
      epochs: wanted.map((row) => row.epoch),
      seqs: wanted.map((row) => Number(row.seq)),
    },
    signal,
  );
  return new Map(found.map((row) => [keyOf(row), row]));
}

/** None of the parts before seq holds a slash. */
function keyOf({ site, gateway, epoch, seq }: ListRow | ReleasedRow): string {
  return `${site}/${gateway}/${epoch}/${seq}`;
}

/** Rejects with API_NOT_FOUND: never there, or gone with the retention. */
export async function findEntry(
  queries: Queries,
  id: string,
  signal: AbortSignal,
): Promise<ListRow> {
  const [logId, partition, offset, index] = decodeCursor(id, ['', 0, 0, 0] as const);
  // The columns are unsigned.
  if (Math.min(partition, offset, index) < 0) throw notFound();
  const [row] = await queries.run<ListRow>(
    `SELECT ${QUARANTINE_COLUMNS}, received_ms AS sort_ms, log_id, log_partition, log_offset, log_index
FROM quarantine
WHERE log_id = {id:String} AND log_partition = {partition:UInt16} AND log_offset = {offset:UInt64} AND log_index = {index:UInt32}
LIMIT 1`,
    { id: logId, partition, offset, index },
    signal,
  );
  if (row === undefined) throw notFound();
  return row;
}

function notFound(): CollectorError {
  return new CollectorError('API_NOT_FOUND', 'no such entry in quarantine');
}
