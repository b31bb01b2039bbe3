import type { Migration } from './migration.ts';

/**
 * The audit log. Sorted by number, as it is listed (newest first, by reading backwards) and verified; time
 * grows with the number, so granules of other days are skipped by their lowest and highest time. A table
 * without replacing: what is there twice must be seen.
 */
export const audit: Migration = {
  version: 8,
  name: 'audit',
  statements: [
    `CREATE TABLE IF NOT EXISTS audit (
  number UInt64 CODEC(Delta, ZSTD(1)),
  id String,
  at_ms Int64 CODEC(Delta, ZSTD(1)),
  logged_ms Int64 CODEC(Delta, ZSTD(1)),
  who LowCardinality(String),
  kind LowCardinality(String),
  from_address LowCardinality(String),
  action LowCardinality(String),
  site LowCardinality(String),
  target String CODEC(ZSTD(1)),
  detail String CODEC(ZSTD(1)),
  previous_ms Int64 CODEC(Delta, ZSTD(1)),
  previous_hash String,
  hash String,
  log_id LowCardinality(String),
  log_partition UInt16,
  log_offset UInt64 CODEC(Delta, ZSTD(1)),
  log_index UInt32,
  at DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(at_ms, 'UTC'),
  logged DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(logged_ms, 'UTC'),
  INDEX times (at_ms, logged_ms) TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
ORDER BY number
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000`,
  ],
};
