/**
 * Pieces of ClickHouse SQL, in the macros of the official data source plug-in.
 *
 * - Ranges are on the Int64 columns (time_ms, bucket_ms), which the sort keys have. `$__timeFilter(time)`
 *   would be a condition on an ALIAS column, for which ClickHouse finds no range in the key.
 * - Chosen names come in percent-encoded: a name with a quote or a backslash cannot end the literal. (The
 *   plug-in's `:singlequote` leaves backslashes as they are.)
 * - Arguments of macros hold no brackets: older plug-ins end them at the first one.
 */

const FROM_MS = 'toUnixTimestamp64Milli($__fromTime_ms)';
export const TO_MS = 'toUnixTimestamp64Milli($__toTime_ms)';
const SPAN_MS = `${TO_MS} - ${FROM_MS}`;

const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** Up to here a chart shows each reading, up to the next a row each minute, beyond that each hour. */
export const RAW_MAX_MS = 3 * HOUR_MS;
export const MINUTES_MAX_MS = 2 * DAY_MS;

export function inRange(column: string): string {
  return `${column} >= ${FROM_MS} AND ${column} <= ${TO_MS}`;
}

/** What began up to `beforeMs` before the range. */
export function sinceBefore(column: string, beforeMs: number): string {
  return `${column} >= ${FROM_MS} - ${beforeMs} AND ${column} <= ${TO_MS}`;
}

/** The variable's value as a string of SQL. Of a variable with one value. */
export function chosenValue(variable: string): string {
  return `decodeURLComponent('\${${variable}:percentencode}')`;
}

export function isChosen(column: string): string {
  return `${column} = ${chosenValue(column)}`;
}

/** True for all rows while the variable says All. */
export function isChosenOrAll(column: string): string {
  return `$__conditionalAll(${isChosen(column)}, $${column})`;
}

/** Place and state of each device as they are at the end of the range; of several gateways the best state. */
export function devicesNow(where: string): string {
  return `SELECT site, device, argMax(area, since_ms) AS area, argMax(line, since_ms) AS line,
    multiIf(countIf(state = 'online') > 0, 'online', countIf(state = 'late') > 0, 'late', 'silent') AS state,
    argMax(profile, since_ms) AS profile, max(last_ms) AS last_ms, max(interval_ms) AS interval_ms,
    min(first_received_ms) AS first_ms, argMax(channels, since_ms) AS channels
  FROM (
    SELECT site, device, gateway, argMax(area, updated_ms) AS area, argMax(line, updated_ms) AS line,
      argMax(state, updated_ms) AS state, argMax(profile, updated_ms) AS profile, max(last_ms) AS last_ms,
      argMax(interval_ms, updated_ms) AS interval_ms, min(first_received_ms) AS first_received_ms,
      argMax(channels, updated_ms) AS channels, max(updated_ms) AS since_ms
    FROM device_states
    WHERE ${where} AND updated_ms <= ${TO_MS}
    GROUP BY site, device, gateway
  )
  GROUP BY site, device`;
}

/** Devices of the chosen site, area and line. */
export function chosenDevices(): string {
  return `SELECT site, device FROM (
  ${devicesNow(isChosenOrAll('site'))}
) WHERE ${isChosenOrAll('area')} AND ${isChosenOrAll('line')}`;
}

export const OF_CHOSEN_DEVICES = `${isChosenOrAll('site')} AND (site, device) IN (
  ${chosenDevices()}
)`;

/** The range while `condition`, a constant for the engine, holds; else an empty one, of which nothing is read. */
function inRangeIf(column: string, condition: string): string {
  return `${column} >= ${FROM_MS} AND ${column} <= if(${condition}, ${TO_MS}, ${FROM_MS} - 1)`;
}

/** Minutes while the range is short, hours beyond that. */
export function rollup(table: 'readings' | 'quality', columns: string, where: string): string {
  const from = (suffix: string, span: string): string =>
    `SELECT ${columns} FROM ${table}_${suffix} FINAL
  WHERE ${where} AND ${inRangeIf('bucket_ms', `${SPAN_MS} ${span} ${MINUTES_MAX_MS}`)}`;
  return `${from('1m', '<=')}
  UNION ALL
  ${from('1h', '>')}`;
}

/** The values of a device's channels: readings, minutes or hours. Columns time, channel, value, low, high. */
export function channelValues(where: string): string {
  const bounds = (table: string, condition: string): string =>
    `SELECT time, channel, mean AS middle, min AS lowest, max AS highest, good FROM ${table} FINAL
    WHERE ${where} AND ${inRangeIf('bucket_ms', condition)}`;
  return `SELECT $__timeInterval_ms(time) AS time, channel,
  sum(middle * good) / sum(good) AS value, min(lowest) AS low, max(highest) AS high
FROM (
  SELECT time, channel, value AS middle, value AS lowest, value AS highest, toUInt64(1) AS good FROM readings
    WHERE ${where} AND ${inRangeIf('time_ms', `${SPAN_MS} <= ${RAW_MAX_MS}`)}
      AND ifNull(isFinite(value), 0) AND bitAnd(quality, 3) < 2 AND treatment <= 2
  UNION ALL
  ${bounds('readings_1m', `${SPAN_MS} > ${RAW_MAX_MS} AND ${SPAN_MS} <= ${MINUTES_MAX_MS}`)}
  UNION ALL
  ${bounds('readings_1h', `${SPAN_MS} > ${MINUTES_MAX_MS}`)}
)
WHERE isNotNull(middle)
GROUP BY time, channel
ORDER BY time, channel`;
}
