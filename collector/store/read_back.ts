/** What the writer reads back after doubt, and how `devices` is made up: SQL that is the same for every engine. */

import type { PlacedTable, VersionedTable } from './store.ts';

/** What presentIn returns is bounded by the writer; this bounds the engine. */
const BOUNDED = `SETTINGS max_execution_time = 120, timeout_overflow_mode = 'throw'`;
/** Receipt of the newest that was fed. */
const FED_MS = '(SELECT max(received_ms) FROM devices WHERE log_partition = {partition:UInt16})';

/** One column: the keys that Store.presentIn answers. Parameters: partition, from, to, log_id. */
export function presentSql(table: PlacedTable): string {
  const isLedger = table === 'ledger';
  const key = isLedger
    ? `concat(site, '/', gateway, '/', epoch)`
    : `concat(toString(log_offset), '/', toString(log_index))`;
  const among = isLedger ? '' : 'AND log_offset < {to:UInt64} AND log_id = {log_id:String}';
  return `SELECT ${key} FROM ${table}
WHERE log_partition = {partition:UInt16} AND log_offset >= {from:UInt64} ${among}
${BOUNDED}`;
}

const VERSIONS: Record<VersionedTable, { id: string; version: string }> = {
  anomalies: { id: 'id', version: 'version' },
  alerts: { id: 'id', version: 'version' },
  silences: { id: 'id', version: 'updated_ms' },
  anomaly_marks: { id: 'anomaly', version: 'marked_ms' },
};

/** id, its highest version. Parameter: ids. */
export function versionsSql(table: VersionedTable): string {
  const { id, version } = VERSIONS[table];
  return `SELECT ${id}, max(${version}) FROM ${table} WHERE ${id} IN {ids:Array(String)} GROUP BY ${id}
${BOUNDED}, output_format_json_quote_64bit_integers = 0`;
}

/** epoch, seqs. Parameters: partition, from, to, received_ms. */
export const PRESENT_READINGS_SQL = `SELECT epoch, groupArray(seq) FROM readings
WHERE log_partition = {partition:UInt16} AND received_ms >= {received_ms:Int64}
  AND log_offset >= {from:UInt64} AND log_offset < {to:UInt64}
GROUP BY epoch
${BOUNDED}, output_format_json_quote_64bit_integers = 0`;

/** Parameter: partition. */
export function catchUpSql(whole: boolean): string {
  // Receipts never run backwards within a partition: what was not fed is as new as what was, or newer.
  return `INSERT INTO devices (site, gateway, device, channel, time_ms, value, text, quality, received_ms, log_partition)
SELECT site, newest.1, device, channel, max(time_ms), newest.2, newest.3, newest.4, newest.5, {partition:UInt16}
FROM (
  SELECT site, device, channel, time_ms, log_offset,
    tuple(gateway, value, text, quality, received_ms) AS reading
  FROM readings
  WHERE log_partition = {partition:UInt16}
    AND received_ms >= ${whole ? '0' : FED_MS}
)
GROUP BY site, device, channel`.replaceAll('newest.', 'argMax(reading, (time_ms, log_offset)).');
}
