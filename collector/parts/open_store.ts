/** Opens the store of the configuration: a folder of this process, or a server that may be away. */

import { join } from 'node:path';
import type { CollectorConfig } from '../config.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../types.ts';

/** Rejects with STORE_UNAVAILABLE or STORE_REFUSED. */
export async function openStore({ dataDir, store }: CollectorConfig, log: Logger): Promise<Store> {
  const { clickhouse, retentionDays } = store;
  if (clickhouse !== undefined) {
    const { openClickHouseStore } = await import('../store/clickhouse.ts');
    return await openClickHouseStore({ clickhouse, retentionDays, log });
  }
  // Loading the engine takes a while and much memory: only where it is used.
  const { openChdbStore } = await import('../store/chdb.ts');
  return await openChdbStore({ path: join(dataDir, 'store'), retentionDays });
}
