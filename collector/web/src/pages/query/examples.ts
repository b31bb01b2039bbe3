/** Queries to begin with. Each is run against the store by a test. */

import type { WordKey } from '../../i18n/words.ts';
import type { QUERY_WORDS } from './words.ts';

export interface Example {
  title: WordKey<typeof QUERY_WORDS>;
  sql: string;
}

export const EXAMPLES: readonly Example[] = [
  {
    title: 'example_last',
    sql: `SELECT intDiv(time_ms, 60000) * 60000 AS bucket_ms, avg(value) AS mean, min(value) AS low, max(value) AS high
FROM readings
WHERE site = 'demo' AND device = 'D01' AND channel = 'sensor1'
  AND time_ms > toUnixTimestamp64Milli(now64(3)) - 3600000
GROUP BY bucket_ms
ORDER BY bucket_ms`,
  },
  {
    title: 'example_worst',
    sql: `SELECT site, device, channel, countIf(findings != 0) AS doubtful, count() AS readings
FROM readings
WHERE time_ms > toUnixTimestamp64Milli(now64(3)) - 86400000
GROUP BY site, device, channel
ORDER BY doubtful DESC
LIMIT 20`,
  },
  {
    title: 'example_gaps',
    sql: `SELECT time_ms, site, gateway, device, kind, severity, detail
FROM events
WHERE time_ms > toUnixTimestamp64Milli(now64(3)) - 86400000
ORDER BY time_ms DESC
LIMIT 100`,
  },
];
