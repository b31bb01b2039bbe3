/** Ends statements that were given up. */

import { setTimeout as delay } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import { quoted } from './statements.ts';

const KILL_INTERVAL_MS = 100;

/** Those that start with `mark`: a statement that merely names it (this one) does not. */
export function killSql(mark: string, how: 'SYNC' | 'ASYNC'): string {
  return `KILL QUERY WHERE ${startsWith(mark)} ${how}`;
}

/** Condition on system.processes. */
export function startsWith(mark: string): string {
  return `startsWith(query, ${quoted(mark)})`;
}

/** Again until it has ended: it may not have begun when it is asked for first. Never rejects. */
export async function endWhile(
  client: ClickHouseClient,
  mark: string,
  isRunning: () => boolean,
): Promise<void> {
  const query = killSql(mark, 'ASYNC');
  while (isRunning()) {
    await client.command({ query }).catch(() => undefined);
    await delay(KILL_INTERVAL_MS, undefined, { ref: false });
  }
}
