import type { Migration } from './migration.ts';

/**
 * Roll-ups and counters of the data quality, recomputed for the buckets that new readings touch: the row
 * with the highest updated_ms of a key holds, so reads need FINAL.
 * - Partitioned by when a row was computed, as readings are by receipt: an insert touches one partition
 *   whatever times its readings carry, and retention drops whole parts. FINAL sees through partitions.
 * - Small granules: what is read most is an hour (60 rows) of each of many channels.
 * - quality_1h is quality_1m by the hour, as readings_1h is readings_1m.
 * - rollup_1m keeps nothing: what is inserted goes on into both tables by minute, so that one pass over
 *   `readings` serves them. (A kill may leave one of them short: the minutes are then computed again.)
 * - rollup_positions: up to where in a log the roll-ups are complete; kept here and not only in the log,
 *   so that it is as old as the tables when a store is restored.
 */
const SYNCED = 'fsync_after_insert = 1, fsync_part_directory = 1';
const KEY = `site LowCardinality(String),
  device LowCardinality(String),
  channel LowCardinality(String),
  bucket_ms Int64 CODEC(DoubleDelta, ZSTD(1))`;
const ALIASES = `time DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(bucket_ms, 'UTC'),
  updated DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(toInt64(updated_ms), 'UTC')`;
const ENGINE = `ENGINE = ReplacingMergeTree(updated_ms)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(toInt64(updated_ms), 'UTC'))
ORDER BY (site, device, channel, bucket_ms)
SETTINGS index_granularity = 256, ${SYNCED}`;

/** good, filled, bad and texts are disjoint; min to last_ms are of the good ones. m2: sum of squared deviations. */
const STATISTICS = {
  good: 'UInt64 CODEC(T64, ZSTD(1))',
  filled: 'UInt64 CODEC(T64, ZSTD(1))',
  bad: 'UInt64 CODEC(T64, ZSTD(1))',
  texts: 'UInt64 CODEC(T64, ZSTD(1))',
  min: 'Nullable(Float64) CODEC(ZSTD(1))',
  max: 'Nullable(Float64) CODEC(ZSTD(1))',
  mean: 'Nullable(Float64) CODEC(ZSTD(1))',
  m2: 'Float64 CODEC(ZSTD(1))',
  first: 'Nullable(Float64) CODEC(ZSTD(1))',
  last: 'Nullable(Float64) CODEC(ZSTD(1))',
  first_ms: 'Int64 CODEC(Delta, ZSTD(1))',
  last_ms: 'Int64 CODEC(Delta, ZSTD(1))',
};

/** As collector/findings.ts had them: a code that is added there needs a migration that adds its column. */
const FINDINGS = [
  'null_value',
  'sentinel',
  'wrong_type',
  'not_finite',
  'device_bad',
  'out_of_range',
  'rate_of_change',
  'stuck',
  'outlier',
  'same_time',
  'time_backwards',
  'cross_rule',
  'type_changed',
  'late',
  'future',
  'clock_doubt',
];
const COUNTERS = Object.fromEntries(
  [
    'received',
    ...FINDINGS,
    'missing',
    'inaccurate',
    'inconsistent',
    'untimely',
    'filled',
    'latency_sum_ms',
    'latency_max_ms',
  ].map((name) => [name, 'UInt64 CODEC(T64, ZSTD(1))']),
);

/** For later steps. */
export const COUNTER_NAMES: readonly string[] = Object.keys(COUNTERS);

type Columns = Readonly<Record<string, string>>;

function table(name: string, columns: Columns, engine = ENGINE): string {
  const own = Object.entries(columns).map(([column, type]) => `${column} ${type}`);
  return `CREATE TABLE IF NOT EXISTS ${name} (
  ${KEY},
  ${own.join(',\n  ')},
  updated_ms UInt64 CODEC(Delta, ZSTD(1)),
  ${ALIASES}
) ${engine}`;
}

function passedOn(to: string, columns: Columns): string {
  return `CREATE MATERIALIZED VIEW IF NOT EXISTS rollup_1m_to_${to} TO ${to} AS
SELECT site, device, channel, bucket_ms, ${Object.keys(columns).join(', ')}, updated_ms FROM rollup_1m`;
}

export const rollups: Migration = {
  version: 4,
  name: 'rollups',
  statements: [
    table('readings_1m', STATISTICS),
    table('readings_1h', STATISTICS),
    // A day of the site ends where its next one begins: 23, 24 or 25 hours later.
    table('readings_1d', { end_ms: 'Int64 CODEC(DoubleDelta, ZSTD(1))', ...STATISTICS }),
    table('quality_1m', COUNTERS),
    table('quality_1h', COUNTERS),
    table('rollup_1m', { ...STATISTICS, ...COUNTERS }, 'ENGINE = Null'),
    passedOn('readings_1m', STATISTICS),
    passedOn('quality_1m', COUNTERS),
    `CREATE TABLE IF NOT EXISTS rollup_positions (
  log_id LowCardinality(String),
  log_partition UInt16,
  position UInt64,
  received_ms Int64,
  updated_ms UInt64
) ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY (log_id, log_partition)
SETTINGS ${SYNCED}`,
  ],
};
