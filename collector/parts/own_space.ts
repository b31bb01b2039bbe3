/** The space watch of what lies on this machine; what servers hold, others watch over. */

import type { CollectorConfig } from '../config.ts';
import type { SpaceOptions, SpacePart, SpaceWatch } from '../space.ts';
import { watchSpace } from '../space.ts';

export function watchOwnSpace(
  { dataDir, log, store, components }: CollectorConfig,
  parts: Pick<SpaceOptions, 'gate' | 'logger' | 'log' | 'store'>,
): Promise<SpaceWatch> {
  const hasStore = store.clickhouse === undefined && components.has('write');
  const hasFiles = hasStore || log.kafka === undefined;
  // The cap of the log is the collector's own, wherever the log lies.
  const watched: SpacePart[] = ['log'];
  if (hasStore) watched.push('store');
  if (hasFiles) watched.push('disk');
  return watchSpace({
    ...parts,
    dataDir,
    watched,
    logRetentionBytes: log.retentionBytes,
    storeMaxBytes: store.maxBytes,
    minFreeBytes: store.minFreeBytes,
  });
}
