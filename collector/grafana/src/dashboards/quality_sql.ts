/**
 * SQL of the data quality. Accuracy, consistency and timeliness are those of the collector's own pages but
 * for what lies in quarantine; completeness is an estimate: it takes each device's interval and channels as
 * they are at the end of the range, while the pages follow their history.
 */

import {
  devicesNow,
  inRange,
  isChosen,
  isChosenOrAll,
  OF_CHOSEN_DEVICES,
  rollup,
  TO_MS,
} from '../sql.ts';

const HOUR_MS = 3_600_000;
const COUNTERS = 'received, missing, inaccurate, inconsistent, untimely';

const share = (defects: string): string =>
  `100 * (1 - least(sum(${defects}), sum(received)) / sum(received))`;
export const SCORES = `${share('inaccurate')} AS accuracy,
  ${share('inconsistent')} AS consistency, ${share('untimely')} AS timeliness`;

/** A row each hour and device, whole hours only: what came and what should have come. */
function hours(where: string): string {
  return `SELECT site, device, bucket_ms, any(time) AS time, sum(received) AS received, sum(missing) AS missing,
    sum(inaccurate) AS inaccurate, sum(inconsistent) AS inconsistent, sum(untimely) AS untimely
  FROM quality_1h FINAL
  WHERE ${where} AND ${inRange('bucket_ms')} AND bucket_ms <= ${TO_MS} - ${HOUR_MS}
  GROUP BY site, device, bucket_ms`;
}

/** Of a device and hour; 0 where no interval is known. */
const EXPECTED = `if(interval_ms = 0, 0, intDiv(${HOUR_MS}, interval_ms) * length(JSONExtract(channels, 'Array(String)')))`;

/** Scores of each site over the whole hours of the range. */
export function qualityBySite(where: string): string {
  return `SELECT site,
  100 * (1 - least(sum(missing + lacking), sum(due)) / sum(due)) AS completeness,
  ${SCORES}
FROM (
  SELECT hours.site AS site, received, missing, inaccurate, inconsistent, untimely,
    greatest(toInt64(${EXPECTED}), toInt64(received)) AS due, due - toInt64(received) AS lacking
  FROM (
  ${hours(where)}
  ) AS hours
  LEFT JOIN (
  ${devicesNow(isChosenOrAll('site'))}
  ) AS places ON hours.site = places.site AND hours.device = places.device
)
GROUP BY site
HAVING sum(received) > 0
ORDER BY site`;
}

/** The devices with the poorest scores. */
export function qualityByDevice(): string {
  return `SELECT site, device,
  100 * (1 - least(sum(missing + lacking), sum(due)) / sum(due)) AS completeness,
  ${SCORES},
  sum(received) AS readings
FROM (
  SELECT hours.site AS site, hours.device AS device, received, missing, inaccurate, inconsistent, untimely,
    greatest(toInt64(${EXPECTED}), toInt64(received)) AS due, due - toInt64(received) AS lacking
  FROM (
  ${hours(OF_CHOSEN_DEVICES)}
  ) AS hours
  LEFT JOIN (
  ${devicesNow(isChosenOrAll('site'))}
  ) AS places ON hours.site = places.site AND hours.device = places.device
)
GROUP BY site, device
HAVING sum(received) > 0
ORDER BY least(completeness, accuracy, consistency, timeliness), site, device
LIMIT 200`;
}

/** Curves of the three scores that need no expectation. */
export function scoresOverTime(where: string): string {
  return `SELECT $__timeInterval(time) AS time, ${SCORES}
FROM (
  ${rollup('quality', `time, ${COUNTERS}`, where)}
)
GROUP BY time
HAVING sum(received) > 0
ORDER BY time`;
}

/** Each device's poorest score by hour, for a map of states. */
export function worstByHour(): string {
  return `SELECT time, device,
  100 * (1 - least(greatest(missing, inaccurate, inconsistent, untimely), received) / received) AS score
FROM (
  ${hours(OF_CHOSEN_DEVICES)}
)
WHERE received > 0 AND device IN (
  SELECT device FROM (
  ${hours(OF_CHOSEN_DEVICES)}
  ) GROUP BY device ORDER BY sum(missing + inaccurate + inconsistent + untimely) DESC, device LIMIT 40
)
ORDER BY time, device`;
}

/** As quality_1h has columns for them; findings.ts says what they mean. */
export const REASONS = [
  'null_value',
  'sentinel',
  'wrong_type',
  'not_finite',
  'device_bad',
  'out_of_range',
  'rate_of_change',
  'stuck',
  'outlier',
  'z_score',
  'same_time',
  'time_backwards',
  'cross_rule',
  'type_changed',
  'late',
  'future',
  'clock_doubt',
] as const;

/** Readings by what is wrong with them. */
export function reasons(where: string): string {
  const pairs = REASONS.map((reason) => `('${reason}', sum(${reason}))`).join(', ');
  return `SELECT pair.1 AS reason, pair.2 AS readings
FROM (
  SELECT arrayJoin([${pairs}]) AS pair
  FROM (
  ${rollup('quality', REASONS.join(', '), where)}
  )
)
WHERE readings > 0
ORDER BY readings DESC`;
}

export const reasonsOfChosen = (): string => reasons(OF_CHOSEN_DEVICES);
export const reasonsOfDevice = (): string =>
  reasons(`${isChosen('site')} AND ${isChosen('device')}`);

/** By the time of receipt, which the table sorts by. */
export function quarantineByReason(where: string): string {
  return `SELECT site, reason, sum(count) AS readings
FROM quarantine
WHERE ${inRange('received_ms')} AND ${where}
GROUP BY site, reason
ORDER BY readings DESC
LIMIT 100`;
}
