/** Limits and settings of statements, and text in them. */

import type { ClickHouseSettings } from '@clickhouse/client';
import type { ExecuteLimits, QueryLimits } from './store.ts';

/** Of the connection of jobs: synchronous, any number of partitions, ALTERs done when they return. */
export const JOB_SETTINGS =
  'SET async_insert = 0, max_partitions_per_insert_block = 0, mutations_sync = 1, max_insert_threads = 1';

/** Stated in each insert: settings of the connection would stick. */
export const INSERT_SETTINGS =
  'async_insert = 0, max_partitions_per_insert_block = 0, max_insert_threads = 1';

export function statementSettings(limits: ExecuteLimits, leftMs: number): ClickHouseSettings {
  return {
    max_execution_time: Math.max(0.05, leftMs / 1_000),
    timeout_overflow_mode: 'throw',
    max_memory_usage: String(limits.maxMemoryBytes),
    // Conditions on the sort key go first, before rows are merged: roll-ups are read ten times faster.
    optimize_move_to_prewhere_if_final: 1,
  };
}

export function querySettings(limits: QueryLimits, leftMs: number): ClickHouseSettings {
  return {
    ...statementSettings(limits, leftMs),
    max_result_rows: String(limits.maxRows),
    result_overflow_mode: 'throw',
    output_format_json_quote_64bit_integers: 0,
    output_format_json_quote_denormals: 1,
  };
}

export function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
