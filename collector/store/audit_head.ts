/** Where the audit log's chain stands in the store: a log that is new goes on from there. */

import type { AuditHead } from '../processor/outputs/audit.ts';
import { NO_AUDIT } from '../processor/outputs/audit.ts';
import type { Store } from './store.ts';

const LIMITS = { timeoutMs: 60_000, maxRows: 1, maxMemoryBytes: 512 * 1024 * 1024 };

/** Rejects with the store's coded errors. */
export async function readAuditHead(
  store: Pick<Store, 'query'>,
  signal: AbortSignal,
): Promise<AuditHead> {
  const [row] = await store.query<{ number: number; hash: string; logged_ms: number }>(
    'SELECT number, hash, logged_ms FROM audit ORDER BY number DESC LIMIT 1',
    {},
    LIMITS,
    signal,
  );
  if (row === undefined) return NO_AUDIT;
  return { number: Number(row.number), hash: row.hash, loggedMs: Number(row.logged_ms) };
}
