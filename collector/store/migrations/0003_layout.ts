import { BUCKET_MS } from '../columns.ts';
import type { Migration } from './migration.ts';

/**
 * How readings lie on disk, by measurement: docs/decisions/0012. Within a device, the channels of some
 * hours lie one after the other: their times, seqs and receipts repeat, which compresses away, and what
 * is asked of a device lies close together.
 * - The table is made anew: a sort key does not change in place. A kill anywhere is made up for by doing
 *   it again; the exchange is one step.
 * - Blocks of 256 KiB see several channels. Small parts keep all columns in one file: fewer syncs.
 * - Partitions are weeks of receipt, so that retention drops whole parts soon.
 */
const COLUMNS = `site, gateway, device, channel, time_ms, value, text, quality, received_ms, epoch, seq,
  log_partition, log_offset, raw_value, findings, treatment`;
const STEADY = 'CODEC(Delta, T64, ZSTD(1))';

function tableOf(name: string): string {
  return `${name} (
  site LowCardinality(String),
  gateway LowCardinality(String),
  device LowCardinality(String),
  channel LowCardinality(String),
  time_ms Int64 ${STEADY},
  value Nullable(Float64) CODEC(ZSTD(1)),
  text Nullable(String) CODEC(ZSTD(1)),
  quality UInt8 CODEC(ZSTD(1)),
  received_ms Int64 ${STEADY},
  epoch LowCardinality(String),
  seq UInt64 ${STEADY},
  log_partition UInt16 CODEC(ZSTD(1)),
  log_offset UInt64 ${STEADY},
  raw_value Nullable(Float64) CODEC(ZSTD(1)),
  findings UInt32 CODEC(ZSTD(1)),
  treatment UInt8 CODEC(ZSTD(1)),
  time DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(time_ms, 'UTC'),
  INDEX log_offsets log_offset TYPE minmax GRANULARITY 1,
  INDEX times time_ms TYPE minmax GRANULARITY 1,
  INDEX receipts received_ms TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toMonday(fromUnixTimestamp64Milli(received_ms, 'UTC'))
ORDER BY (site, device, intDiv(time_ms, ${BUCKET_MS}), channel, time_ms)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000,
  ttl_only_drop_parts = 1, min_bytes_for_wide_part = 104857600,
  min_compress_block_size = 262144, max_compress_block_size = 262144`;
}

/** For a store that has no table yet: nothing is left to be made anew. */
export const READINGS_AS_LAID_OUT = `CREATE TABLE IF NOT EXISTS ${tableOf('readings')}`;

export const layout: Migration = {
  version: 3,
  name: 'layout',
  statements: [
    'ALTER TABLE devices ADD COLUMN IF NOT EXISTS log_partition UInt16 AFTER received_ms',

    'DROP TABLE IF EXISTS readings_made_anew',

    `CREATE TABLE ${tableOf('readings_made_anew')}`,

    `INSERT INTO readings_made_anew (${COLUMNS})
SETTINGS async_insert = 0, insert_deduplicate = 0, max_partitions_per_insert_block = 0, max_insert_threads = 1
SELECT ${COLUMNS} FROM readings`,

    'EXCHANGE TABLES readings AND readings_made_anew',

    'DROP TABLE readings_made_anew',
  ],
  unless: {
    sql: `SELECT 1 AS so FROM system.tables WHERE database = currentDatabase() AND name = 'readings'
  AND position(sorting_key, 'intDiv(time_ms') > 0`,
    from: 2,
  },
};
