import type { Migration } from './migration.ts';

/** What the rules said of each reading, sums and ranges of the ledger, devices' states, releases. */
export const findings: Migration = {
  version: 2,
  name: 'findings',
  statements: [
    `ALTER TABLE readings
  ADD COLUMN IF NOT EXISTS raw_value Nullable(Float64) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS findings UInt32 CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS treatment UInt8 CODEC(ZSTD(1))`,

    `ALTER TABLE quarantine
  ADD COLUMN IF NOT EXISTS reading String CODEC(ZSTD(1)) AFTER head`,

    `ALTER TABLE ledger
  ADD COLUMN IF NOT EXISTS stored_sum UInt64 AFTER in_flight,
  ADD COLUMN IF NOT EXISTS quarantined_sum UInt64 AFTER stored_sum,
  ADD COLUMN IF NOT EXISTS sum_balance UInt64 AFTER quarantined_sum,
  ADD COLUMN IF NOT EXISTS seen String CODEC(ZSTD(1)) AFTER sum_balance,
  ADD COLUMN IF NOT EXISTS closed UInt64 AFTER seen`,

    `CREATE TABLE IF NOT EXISTS device_states (
  site LowCardinality(String),
  device LowCardinality(String),
  gateway LowCardinality(String),
  area LowCardinality(String),
  line LowCardinality(String),
  profile LowCardinality(String),
  interval_ms UInt64,
  channels String CODEC(ZSTD(1)),
  state LowCardinality(String),
  first_received_ms Int64,
  last_received_ms Int64,
  last_ms Int64,
  updated_ms Int64,
  updated DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(updated_ms, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (site, device, gateway, updated_ms)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,

    `CREATE TABLE IF NOT EXISTS releases (
  site LowCardinality(String),
  gateway LowCardinality(String),
  epoch LowCardinality(String),
  seq UInt64,
  by LowCardinality(String),
  released_ms Int64,
  released DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(released_ms, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (site, gateway, epoch, seq)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
  ],
};
