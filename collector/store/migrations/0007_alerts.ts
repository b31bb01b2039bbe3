import { COUNTER_NAMES } from './0004_rollups.ts';
import type { Migration } from './migration.ts';

/**
 * Anomalies, alerts, silences and marks: a newer row of an id replaces the older ones. And a counter of the
 * finding z_score.
 * - Anomalies and alerts sort by when they began, as lists and their pages do. That time, the site and the
 *   id never change with the versions of an id: rows with the same three replace each other.
 * - log_id: what is open of a log that was replaced is over, for nobody is left to say so.
 * - What is asked by id alone finds its granules by a bloom filter.
 * - The view's query is changed in place: without a view, what another process inserts meanwhile is lost.
 */
const SYNCED = 'fsync_after_insert = 1, fsync_part_directory = 1';
const BY_ID = 'INDEX ids id TYPE bloom_filter(0.001) GRANULARITY 1';

function shown(name: string): string {
  return `${name} DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(${name}_ms, 'UTC')`;
}

export const alerts: Migration = {
  version: 7,
  name: 'alerts',
  statements: [
    ...['quality_1m', 'quality_1h', 'rollup_1m'].map(
      (table) =>
        `ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS z_score UInt64 CODEC(T64, ZSTD(1)) AFTER clock_doubt`,
    ),

    `ALTER TABLE rollup_1m_to_quality_1m MODIFY QUERY
SELECT site, device, channel, bucket_ms, ${COUNTER_NAMES.join(', ')}, z_score, updated_ms FROM rollup_1m`,

    `CREATE TABLE IF NOT EXISTS anomalies (
  id String,
  site LowCardinality(String),
  gateway LowCardinality(String),
  device LowCardinality(String),
  detector LowCardinality(String),
  channel LowCardinality(String),
  state LowCardinality(String),
  onset_ms Int64,
  peak_ms Int64,
  end_ms Int64,
  score Float64,
  value Nullable(Float64),
  expected_low Nullable(Float64),
  expected_high Nullable(Float64),
  reason String CODEC(ZSTD(1)),
  reason_ko String CODEC(ZSTD(1)),
  channels String CODEC(ZSTD(1)),
  maintenance String,
  version UInt32,
  updated_ms Int64,
  log_id LowCardinality(String),
  ${shown('onset')},
  ${BY_ID}
) ENGINE = ReplacingMergeTree(version)
ORDER BY (onset_ms, site, id)
SETTINGS ${SYNCED}`,

    `CREATE TABLE IF NOT EXISTS alerts (
  id String,
  site LowCardinality(String),
  gateway LowCardinality(String),
  device LowCardinality(String),
  area LowCardinality(String),
  line LowCardinality(String),
  rule LowCardinality(String),
  severity LowCardinality(String),
  state LowCardinality(String),
  title String CODEC(ZSTD(1)),
  title_ko String CODEC(ZSTD(1)),
  summary String CODEC(ZSTD(1)),
  summary_ko String CODEC(ZSTD(1)),
  values String CODEC(ZSTD(1)),
  started_ms Int64,
  fired_ms Int64,
  acknowledged_ms Int64,
  acknowledged_by String,
  acknowledged_note String CODEC(ZSTD(1)),
  resolved_ms Int64,
  resolved_by LowCardinality(String),
  silence String,
  inhibited_by LowCardinality(String),
  version UInt32,
  received_ms Int64,
  updated_ms Int64,
  log_id LowCardinality(String),
  ${shown('started')},
  ${BY_ID}
) ENGINE = ReplacingMergeTree(version)
ORDER BY (started_ms, site, id)
SETTINGS ${SYNCED}`,

    `CREATE TABLE IF NOT EXISTS silences (
  id String,
  kind LowCardinality(String),
  site String,
  area String,
  line String,
  device String,
  rule String,
  from_ms Int64,
  until_ms Int64,
  by String,
  reason String CODEC(ZSTD(1)),
  updated_ms UInt64,
  ${shown('from')},
  ${shown('until')}
) ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS ${SYNCED}`,

    `CREATE TABLE IF NOT EXISTS anomaly_marks (
  anomaly String,
  site LowCardinality(String),
  gateway LowCardinality(String),
  device LowCardinality(String),
  mark LowCardinality(String),
  by String,
  note String CODEC(ZSTD(1)),
  marked_ms UInt64,
  marked DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(toInt64(marked_ms), 'UTC')
) ENGINE = ReplacingMergeTree(marked_ms)
ORDER BY anomaly
SETTINGS ${SYNCED}`,
  ],
};
