import type { Migration } from './migration.ts';

/**
 * - Times are Int64 milliseconds: they hold all that the wire can carry (years 0 to 9999), which
 *   DateTime64 does not; the ALIAS columns serve people and Grafana.
 * - readings are partitioned by the month in which they were **received**: an insert touches one
 *   partition whatever times its readings carry (2001, 2099, a month at once), and retention drops
 *   whole parts. A chart finds its range by the sort key.
 * - log_offset has a minmax index: after doubt the writer asks which rows of a range are there.
 * - fsync_*: a position in the log must not outlive its rows.
 * - The deduplication window makes the token of an insert count (a guard against a slow zombie only).
 */
const SYNCED = 'fsync_after_insert = 1, fsync_part_directory = 1';
const DEDUPLICATED = 'non_replicated_deduplication_window = 1000';

export const tables: Migration = {
  version: 1,
  name: 'tables',
  statements: [
    `CREATE TABLE IF NOT EXISTS readings (
  site LowCardinality(String),
  gateway LowCardinality(String),
  device LowCardinality(String),
  channel LowCardinality(String),
  time_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
  value Nullable(Float64) CODEC(ZSTD(1)),
  text Nullable(String) CODEC(ZSTD(1)),
  quality UInt8 CODEC(ZSTD(1)),
  received_ms Int64 CODEC(Delta, ZSTD(1)),
  epoch LowCardinality(String),
  seq UInt64 CODEC(Delta, ZSTD(1)),
  log_partition UInt16 CODEC(ZSTD(1)),
  log_offset UInt64 CODEC(Delta, ZSTD(1)),
  time DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(time_ms, 'UTC'),
  INDEX log_offsets log_offset TYPE minmax GRANULARITY 1,
  INDEX times time_ms TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(received_ms, 'UTC'))
ORDER BY (site, device, channel, time_ms)
SETTINGS ${SYNCED}, ${DEDUPLICATED}`,

    `CREATE TABLE IF NOT EXISTS devices (
  site LowCardinality(String),
  gateway LowCardinality(String),
  device LowCardinality(String),
  channel LowCardinality(String),
  time_ms Int64,
  value Nullable(Float64),
  text Nullable(String),
  quality UInt8,
  received_ms Int64,
  time DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(time_ms, 'UTC')
) ENGINE = ReplacingMergeTree(time_ms)
ORDER BY (site, device, channel)
SETTINGS ${SYNCED}`,

    `CREATE TABLE IF NOT EXISTS quarantine (
  site LowCardinality(String),
  gateway LowCardinality(String),
  device LowCardinality(String),
  reason LowCardinality(String),
  detail String CODEC(ZSTD(1)),
  time_ms Int64,
  received_ms Int64,
  epoch LowCardinality(String),
  seq UInt64,
  count UInt64,
  head String CODEC(ZSTD(1)),
  log_id LowCardinality(String),
  log_partition UInt16,
  log_offset UInt64,
  log_index UInt32,
  time DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(time_ms, 'UTC'),
  INDEX log_offsets log_offset TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(received_ms, 'UTC'))
ORDER BY (received_ms, site, gateway)
SETTINGS ${SYNCED}, ${DEDUPLICATED}`,

    `CREATE TABLE IF NOT EXISTS events (
  site LowCardinality(String),
  gateway LowCardinality(String),
  device LowCardinality(String),
  time_ms Int64,
  kind LowCardinality(String),
  severity LowCardinality(String),
  detail String CODEC(ZSTD(1)),
  log_id LowCardinality(String),
  log_partition UInt16,
  log_offset UInt64,
  log_index UInt32,
  time DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(time_ms, 'UTC'),
  INDEX log_offsets log_offset TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(time_ms, 'UTC'))
ORDER BY (time_ms, site, gateway)
SETTINGS ${SYNCED}, ${DEDUPLICATED}`,

    `CREATE TABLE IF NOT EXISTS ledger (
  site LowCardinality(String),
  gateway LowCardinality(String),
  epoch String,
  opened_ms Int64,
  last_seq UInt64,
  stored UInt64,
  quarantined UInt64,
  duplicates UInt64,
  gaps String,
  gap_readings UInt64,
  in_flight Int64,
  balance Int64,
  updated_ms UInt64,
  log_partition UInt16,
  log_offset UInt64
) ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY (site, gateway, epoch)
SETTINGS ${SYNCED}`,

    `CREATE TABLE IF NOT EXISTS gateways (
  site LowCardinality(String),
  gateway LowCardinality(String),
  online UInt8,
  version LowCardinality(String),
  install_id String,
  epoch String,
  last_seq UInt64,
  buffer_readings UInt64,
  buffer_bytes UInt64,
  buffer_seconds_until_eviction Float64,
  clock_unsynced UInt8,
  clock_step_ms Float64,
  readers String,
  state_ms Int64,
  updated_ms UInt64,
  log_partition UInt16,
  log_offset UInt64
) ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY (site, gateway)
SETTINGS ${SYNCED}`,
  ],
};
