import type { Migration } from './migration.ts';

const SYNCED = 'SETTINGS fsync_after_insert = 1, fsync_part_directory = 1';

/**
 * What the scheduled jobs make. A row that is made again (late data) replaces the one before it.
 * - statistics: of a channel over a site's day, week or month
 * - device_statistics: availability and failures of a device over the same
 * - failures: one row for each failure; to_ms 0: it goes on
 * - job_outputs: what each job has made, of which input, and how often
 */
export const statistics: Migration = {
  version: 5,
  name: 'statistics',
  statements: [
    `CREATE TABLE IF NOT EXISTS statistics (
  site LowCardinality(String),
  device LowCardinality(String),
  channel LowCardinality(String),
  period LowCardinality(String),
  label LowCardinality(String),
  start_ms Int64,
  end_ms Int64,
  count UInt64,
  filled UInt64,
  bad UInt64,
  mean Nullable(Float64),
  min Nullable(Float64),
  max Nullable(Float64),
  deviation Nullable(Float64),
  updated_ms UInt64
) ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY (site, period, start_ms, device, channel)
${SYNCED}`,

    `CREATE TABLE IF NOT EXISTS device_statistics (
  site LowCardinality(String),
  device LowCardinality(String),
  period LowCardinality(String),
  label LowCardinality(String),
  start_ms Int64,
  end_ms Int64,
  observed_ms UInt64,
  delivered_ms UInt64,
  failing_ms UInt64,
  failures UInt64,
  updated_ms UInt64
) ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY (site, period, start_ms, device)
${SYNCED}`,

    `CREATE TABLE IF NOT EXISTS failures (
  site LowCardinality(String),
  device LowCardinality(String),
  from_ms Int64,
  to_ms Int64,
  gone UInt8,
  updated_ms UInt64,
  started DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(from_ms, 'UTC')
) ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY (site, device, from_ms)
TTL fromUnixTimestamp64Milli(from_ms, 'UTC') + toIntervalDay(1096)
${SYNCED}`,

    `CREATE TABLE IF NOT EXISTS job_outputs (
  job LowCardinality(String),
  site LowCardinality(String),
  label LowCardinality(String),
  start_ms Int64,
  end_ms Int64,
  input_ms UInt64,
  content String,
  revision UInt32,
  made_ms UInt64
) ENGINE = ReplacingMergeTree(made_ms)
ORDER BY (job, site, start_ms, end_ms)
${SYNCED}`,
  ],
};
