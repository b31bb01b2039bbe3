/** SQL of the business layer: states, alerts, failures, availability. */

import {
  chosenDevices,
  DAY_MS,
  devicesNow,
  inRange,
  isChosen,
  isChosenOrAll,
  sinceBefore,
  TO_MS,
} from '../sql.ts';
import type { Language } from '../words.ts';

/** Open alerts are looked for among those that began so long before the range. */
const OPEN_WITHIN_MS = 90 * DAY_MS;
/** A failure that goes on is looked for so far back. */
const FAILING_WITHIN_MS = 30 * DAY_MS;
const OF_PLACE = `${isChosenOrAll('site')} AND ${isChosenOrAll('area')} AND ${isChosenOrAll('line')}`;
const OF_DEVICE = `${isChosen('site')} AND ${isChosen('device')}`;
/**
 * What is open of a log that was replaced is over: nobody is left to say so. The newest alert tells which log
 * is the present one.
 */
const OF_THIS_LOG = `log_id IN (
    SELECT log_id FROM alerts WHERE started_ms <= ${TO_MS} ORDER BY started_ms DESC LIMIT 1)`;

const CHOSEN_NOW = `SELECT * FROM (
  ${devicesNow(isChosenOrAll('site'))}
) WHERE ${isChosenOrAll('area')} AND ${isChosenOrAll('line')}`;

/** One row: devices by state. */
export const DEVICES_BY_STATE = `SELECT count() AS devices, countIf(state = 'online') AS online,
  countIf(state = 'late') AS late, countIf(state = 'silent') AS silent
FROM (
  ${CHOSEN_NOW}
)`;

/** One row: open alerts by severity. */
export const OPEN_ALERTS_BY_SEVERITY = `SELECT countIf(severity = 'CRITICAL') AS critical,
  countIf(severity = 'ERROR') AS error, countIf(severity = 'WARNING') AS warning,
  countIf(severity = 'INFO') AS information
FROM alerts FINAL
WHERE ${sinceBefore('started_ms', OPEN_WITHIN_MS)} AND ${OF_PLACE}
  AND state IN ('firing', 'acknowledged') AND ${OF_THIS_LOG}`;

const ALERT_COLUMNS = (language: Language): string => {
  const [title, summary] = language === 'en' ? ['title', 'summary'] : ['title_ko', 'summary_ko'];
  return `started, severity, state, site, line, device, gateway, ${title} AS title, ${summary} AS summary`;
};

/** Severest first. */
export function openAlerts(language: Language): string {
  return `SELECT ${ALERT_COLUMNS(language)}
FROM alerts FINAL
WHERE ${sinceBefore('started_ms', OPEN_WITHIN_MS)} AND ${OF_PLACE}
  AND state IN ('firing', 'acknowledged') AND ${OF_THIS_LOG}
ORDER BY indexOf(['CRITICAL', 'ERROR', 'WARNING', 'INFO'], severity), started_ms DESC
LIMIT 200`;
}

export function alertsOfDevice(language: Language): string {
  return `SELECT ${ALERT_COLUMNS(language)}, if(resolved_ms = 0, NULL, resolved_ms - started_ms) AS lasted
FROM alerts FINAL
WHERE ${inRange('started_ms')} AND ${OF_DEVICE}
ORDER BY started_ms DESC
LIMIT 200`;
}

/** A row each line: its devices by state and its open alerts. */
export const LINES = `SELECT site, area, line, devices, online, late, silent,
  ifNull(critical, 0) AS critical, ifNull(error, 0) AS error, ifNull(warning, 0) AS warning
FROM (
  SELECT site, area, line, count() AS devices, countIf(state = 'online') AS online,
    countIf(state = 'late') AS late, countIf(state = 'silent') AS silent
  FROM (
  ${CHOSEN_NOW}
  )
  GROUP BY site, area, line
) AS places
LEFT JOIN (
  SELECT site, area, line, countIf(severity = 'CRITICAL') AS critical,
    countIf(severity = 'ERROR') AS error, countIf(severity = 'WARNING') AS warning
  FROM alerts FINAL
  WHERE ${sinceBefore('started_ms', OPEN_WITHIN_MS)} AND ${isChosenOrAll('site')}
    AND state IN ('firing', 'acknowledged') AND ${OF_THIS_LOG}
  GROUP BY site, area, line
) AS alarms USING (site, area, line)
ORDER BY critical DESC, error DESC, silent DESC, warning DESC, site, area, line
LIMIT 500`;

/** A row each chosen device. */
export const DEVICES = `SELECT site, area, line, device, state, profile,
  fromUnixTimestamp64Milli(last_ms, 'UTC') AS last
FROM (
  ${CHOSEN_NOW}
)
ORDER BY indexOf(['silent', 'late', 'online'], state), site, device
LIMIT 1000`;

/** When the devices changed their state; the state that held when the range began comes first. */
export const STATES_OVER_TIME = `SELECT fromUnixTimestamp64Milli(at_ms, 'UTC') AS time, device, state
FROM (
  SELECT device, max(updated_ms) AS newest_ms, toUnixTimestamp64Milli($__fromTime_ms) AS at_ms,
    argMax(state, updated_ms) AS state
  FROM device_states
  WHERE ${isChosenOrAll('site')} AND updated_ms < toUnixTimestamp64Milli($__fromTime_ms)
    AND (site, device) IN (
  ${chosenDevices()}
  )
  GROUP BY device
  UNION ALL
  SELECT device, updated_ms AS newest_ms, updated_ms AS at_ms, state
  FROM device_states
  WHERE ${isChosenOrAll('site')} AND ${inRange('updated_ms')} AND (site, device) IN (
  ${chosenDevices()}
  )
)
ORDER BY time, device
LIMIT 10000`;

const AVAILABLE =
  '100 * (toInt64(sum(delivered_ms)) - toInt64(sum(failing_ms))) / sum(observed_ms)';

/** By the site's days, as the job `statistics` has counted them. */
export const AVAILABILITY_BY_DAY = `SELECT fromUnixTimestamp64Milli(start_ms, 'UTC') AS time, site,
  ${AVAILABLE} AS availability
FROM device_statistics FINAL
WHERE ${isChosenOrAll('site')} AND period = 'day' AND ${sinceBefore('start_ms', DAY_MS)}
  AND (site, device) IN (
  ${chosenDevices()}
  )
GROUP BY start_ms, site
HAVING sum(observed_ms) > 0
ORDER BY time`;

/** The devices that were available least. */
export const AVAILABILITY_BY_DEVICE = `SELECT site, device, ${AVAILABLE} AS availability,
  sum(failures) AS failure_count, sum(failing_ms) AS time_failing
FROM device_statistics FINAL
WHERE ${isChosenOrAll('site')} AND period = 'day' AND ${sinceBefore('start_ms', DAY_MS)}
  AND (site, device) IN (
  ${chosenDevices()}
  )
GROUP BY site, device
HAVING sum(observed_ms) > 0
ORDER BY availability, site, device
LIMIT 100`;

function failures(where: string): string {
  return `SELECT started, site, device, if(to_ms = 0, NULL, to_ms - from_ms) AS lasted
FROM failures FINAL
WHERE ${where} AND ${sinceBefore('from_ms', FAILING_WITHIN_MS)} AND gone = 0
  AND (to_ms = 0 OR to_ms >= toUnixTimestamp64Milli($__fromTime_ms))
ORDER BY from_ms DESC
LIMIT 200`;
}

export const FAILURES = failures(`${isChosenOrAll('site')} AND (site, device) IN (
  ${chosenDevices()}
  )`);
export const FAILURES_OF_DEVICE = failures(OF_DEVICE);

/** The newest value of each channel. */
export const NEWEST_OF_DEVICE = `SELECT channel, time, value, text,
  ['good', 'uncertain', 'bad'][least(bitAnd(quality, 3), 2) + 1] AS quality
FROM devices FINAL
WHERE ${OF_DEVICE}
ORDER BY channel`;

export const DEVICE_NOW = `SELECT state, area, line, profile, interval_ms,
  ${TO_MS} - last_ms AS age_ms
FROM (
  ${devicesNow(OF_DEVICE)}
)`;

export function anomaliesOfDevice(language: Language): string {
  const reason = language === 'en' ? 'reason' : 'reason_ko';
  return `SELECT onset, channel, detector, state, score, value, expected_low, expected_high, ${reason} AS why
FROM anomalies FINAL
WHERE ${inRange('onset_ms')} AND ${OF_DEVICE}
ORDER BY onset_ms DESC
LIMIT 200`;
}

/** As annotations: from onset to end. */
export function anomalyMarks(language: Language): string {
  const reason = language === 'en' ? 'reason' : 'reason_ko';
  return `SELECT onset AS time, if(end_ms = 0, NULL, fromUnixTimestamp64Milli(end_ms, 'UTC')) AS timeEnd,
  concat(channel, ': ', ${reason}) AS text, detector AS tags
FROM anomalies FINAL
WHERE ${inRange('onset_ms')} AND ${OF_DEVICE}
ORDER BY onset_ms
LIMIT 1000`;
}
