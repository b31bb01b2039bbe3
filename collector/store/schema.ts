/** Brings the tables to this program's version, step by step; see migrations/list.ts. */

import type { ClickHouseClient } from '@clickhouse/client';
import { CollectorError } from '../errors.ts';
import { READINGS_AS_LAID_OUT } from './migrations/0003_layout.ts';
import { migrations, SCHEMA_VERSION } from './migrations/list.ts';
import type { Migration } from './migrations/migration.ts';
import type { Store } from './store.ts';

const DAY_MS = 86_400_000;
/** For audits; at least three years. */
const AUDIT_DAYS = 1_096;
const QUARANTINE_DAYS = 30;
/** Ten years: they are small. */
const ROLLUP_DAYS = 3_653;

/** Tables that lose rows, so long after the time in this column. Readings: the operator's choice. */
const AGEING: readonly { table: string; column: string; days: number | 'readings' }[] = [
  { table: 'readings', column: 'received_ms', days: 'readings' },
  { table: 'quarantine', column: 'received_ms', days: QUARANTINE_DAYS },
  { table: 'events', column: 'time_ms', days: AUDIT_DAYS },
  { table: 'ledger', column: 'updated_ms', days: AUDIT_DAYS },
  { table: 'anomalies', column: 'updated_ms', days: AUDIT_DAYS },
  { table: 'alerts', column: 'updated_ms', days: AUDIT_DAYS },
  { table: 'silences', column: 'updated_ms', days: AUDIT_DAYS },
  { table: 'anomaly_marks', column: 'marked_ms', days: AUDIT_DAYS },
  { table: 'audit', column: 'logged_ms', days: AUDIT_DAYS },
  { table: 'readings_1m', column: 'updated_ms', days: 'readings' },
  { table: 'quality_1m', column: 'updated_ms', days: 'readings' },
  { table: 'readings_1h', column: 'updated_ms', days: ROLLUP_DAYS },
  { table: 'readings_1d', column: 'updated_ms', days: ROLLUP_DAYS },
  { table: 'quality_1h', column: 'updated_ms', days: ROLLUP_DAYS },
];

export function retentionOf(readingsDays: number): Store['retentionMs'] {
  return {
    readings: readingsDays * DAY_MS,
    quarantine: QUARANTINE_DAYS * DAY_MS,
    events: AUDIT_DAYS * DAY_MS,
    audit: AUDIT_DAYS * DAY_MS,
  };
}

export interface Upgrade {
  retentionDays: number;
  nowMs: number;
  /** The engine's files are this program's own matter: see tolerateDamage. */
  ownFiles: boolean;
}

/**
 * Several processes may do this at the same time, and any may be killed: every statement that a store of
 * schema 3 or later needs bears being run again, also beside itself.
 */
export async function upgradeSchema(client: ClickHouseClient, upgrade: Upgrade): Promise<void> {
  const run = async (query: string): Promise<void> => {
    await client.command({ query: withEngine(query) });
  };
  await run(`CREATE TABLE IF NOT EXISTS schema_migrations (
  version UInt32, name String, applied_ms Int64
) ENGINE = ReplacingMergeTree ORDER BY version
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 100`);
  const [found] = await rowsOf<{ version: number }>(
    client,
    'SELECT max(version) AS version FROM schema_migrations',
  );
  const version = found?.version ?? 0;
  if (version > SCHEMA_VERSION) {
    throw new CollectorError(
      'STORE_VERSION_NEWER',
      `the store has schema ${version}, this program knows ${SCHEMA_VERSION}`,
    );
  }
  if (version === 0) await run(READINGS_AS_LAID_OUT);
  for (const migration of migrations) {
    if (migration.version <= version) continue;
    const { unless, statements } = migration;
    const isSo = unless !== undefined && (await rowsOf(client, unless.sql)).length > 0;
    for (const statement of isSo ? statements.slice(0, unless.from) : statements)
      await run(statement);
    await enter(client, migration, upgrade.nowMs);
  }
  if (upgrade.ownFiles) await tolerateDamage(client);
  for (const { table, column, days } of AGEING) {
    await setRetention(client, table, column, days === 'readings' ? upgrade.retentionDays : days);
  }
}

/** Where engines would be named otherwise for a cluster: Replicated…MergeTree, ON CLUSTER. One server has none of it. */
function withEngine(statement: string): string {
  return statement;
}

/** Once, whoever does it: the token lets one of several through. */
async function enter(
  client: ClickHouseClient,
  { version, name }: Migration,
  nowMs: number,
): Promise<void> {
  const insert = (settings: string): Promise<unknown> =>
    client.command({
      query: `INSERT INTO schema_migrations (version, name, applied_ms) SETTINGS async_insert = 0${settings}
VALUES (${version}, '${name}', ${Math.floor(nowMs)})`,
    });
  await insert(`, insert_deduplicate = 1, insert_deduplication_token = 'migration ${version}'`);
  const sql = `SELECT version FROM schema_migrations WHERE version = ${version}`;
  // A token that was noted before a kill, without its row, would hide the row for ever.
  if ((await rowsOf(client, sql)).length === 0) await insert(', insert_deduplicate = 0');
}

async function rowsOf<Row>(client: ClickHouseClient, query: string): Promise<Row[]> {
  const result = await client.query({ query, format: 'JSONEachRow' });
  return (await result.json()) as Row[];
}

/**
 * By default the engine opens no store at all of which much was damaged (100 parts, or a gigabyte: one
 * merge that a power cut met). With these it sets all of that aside; what is missing then is made up for.
 */
const TOLERANCE =
  'max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000000';

async function tolerateDamage(client: ClickHouseClient): Promise<void> {
  const strict = await rowsOf<{ name: string }>(
    client,
    `SELECT name FROM system.tables WHERE database = currentDatabase()
  AND endsWith(engine, 'MergeTree') AND position(create_table_query, 'max_suspicious_broken_parts_bytes') = 0`,
  );
  for (const { name } of strict)
    await client.command({ query: `ALTER TABLE ${name} MODIFY SETTING ${TOLERANCE}` });
}

/**
 * Retention goes by the time of receipt, not by the readings' own: a recording of 2015 that comes in
 * today is kept.
 */
async function setRetention(
  client: ClickHouseClient,
  table: string,
  column: string,
  days: number,
): Promise<void> {
  const result = await client.query({
    query:
      'SELECT create_table_query AS sql FROM system.tables WHERE database = currentDatabase() AND name = {table:String}',
    query_params: { table },
    format: 'JSONEachRow',
  });
  const sql = ((await result.json()) as { sql: string }[])[0]?.sql ?? '';
  const kept = /TTL .*toIntervalDay\((\d+)\)/.exec(sql)?.[1];
  if (Number(kept ?? 0) === days) return;
  const change =
    days === 0
      ? 'REMOVE TTL'
      : `MODIFY TTL fromUnixTimestamp64Milli(toInt64(${column}), 'UTC') + toIntervalDay(${days})`;
  await client.command({
    query: `ALTER TABLE ${table} ${change} SETTINGS materialize_ttl_after_modify = 0`,
  });
}
