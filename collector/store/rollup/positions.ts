/**
 * Up to where the roll-ups are complete, kept in the store beside them: so that both are of the same age
 * when a store is restored.
 */

import type { Store } from '../store.ts';

export interface Position {
  /** Next offset of topic readings. */
  position: number;
  /** Everything received up to then is in the roll-ups. UTC ms; 0: not known. */
  receivedMs: number;
}

const QUERY_LIMITS = { timeoutMs: 30_000, maxRows: 100_000, maxMemoryBytes: 256 * 1024 * 1024 };
const EXECUTE_LIMITS = { timeoutMs: 30_000, maxMemoryBytes: 256 * 1024 * 1024 };
export const ROLLUP_TABLES = [
  'readings_1m',
  'readings_1h',
  'readings_1d',
  'quality_1m',
  'quality_1h',
];

export interface KnownPositions {
  /** By partition of this log. */
  own: Map<number, Position>;
  /** The log before this one: what it had rolled up. Undefined: there was none. */
  before: Position | undefined;
}

export async function loadPositions(store: Store, logId: string): Promise<KnownPositions> {
  const rows = await store.query<{
    log_id: string;
    log_partition: number;
    position: number;
    received_ms: number;
  }>(
    'SELECT log_id, log_partition, position, received_ms FROM rollup_positions FINAL ORDER BY updated_ms DESC',
    {},
    QUERY_LIMITS,
  );
  const own = new Map<number, Position>();
  const other = rows.find((row) => row.log_id !== logId)?.log_id;
  let before: Position | undefined;
  for (const row of rows) {
    const position = { position: Number(row.position), receivedMs: Number(row.received_ms) };
    if (row.log_id === logId) own.set(Number(row.log_partition), position);
    if (row.log_id !== other) continue;
    // The partition that was least far.
    const receivedMs = Math.min(before?.receivedMs ?? position.receivedMs, position.receivedMs);
    before = { position: 0, receivedMs };
  }
  return { own, before };
}

export async function savePosition(
  store: Store,
  logId: string,
  partition: number,
  { position, receivedMs }: Position,
  version: number,
  signal: AbortSignal,
): Promise<void> {
  await store.execute(
    `INSERT INTO rollup_positions (log_id, log_partition, position, received_ms, updated_ms)
SETTINGS async_insert = 0
SELECT {log_id:String}, ${partition}, ${position}, ${receivedMs}, ${version}`,
    { log_id: logId },
    EXECUTE_LIMITS,
    signal,
  );
}

/** The highest version that any row has: later rows must have a higher one, whatever the clock says. */
export async function highestVersion(store: Store): Promise<number> {
  const tables = [...ROLLUP_TABLES, 'rollup_positions'].map(
    (table) => `SELECT max(updated_ms) AS version FROM ${table}`,
  );
  const rows = await store.query<{ version: number }>(
    `SELECT max(version) AS version FROM (${tables.join(' UNION ALL ')})`,
    {},
    QUERY_LIMITS,
  );
  return Number(rows[0]?.version ?? 0);
}
