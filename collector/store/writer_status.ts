/** What writers need, and what they say of themselves. */

import type { CollectorErrorCode } from '../errors.ts';
import type { Gate } from '../gate.ts';
import type { Log } from '../log/log.ts';
import type { Share } from '../shares.ts';
import type { Logger, OutputTopic } from '../types.ts';
import type { Store } from './store.ts';

export interface WritersOptions {
  log: Log;
  /** Migrated. */
  store: Store;
  /** Partitions of the output topics that are this process' to write. */
  share: Share;
  logger: Logger;
  /** Each batch is written inside it. */
  gate?: Gate;
  /** For tests. */
  insertIntervalMs?: number;
  devicesIntervalMs?: number;
  backoffMinMs?: number;
  stopTimeoutMs?: number;
  fencedWaitMs?: number;
}

export interface WriterStatus {
  topic: OutputTopic;
  partition: number;
  /** Next offset to write. */
  position: number;
  rowsTotal: number;
  insertsTotal: number;
  /** Times that rows had to be read back. */
  doubtsTotal: number;
  /** It makes sure that the store has what was written before, or makes up for what it lost. */
  healing: boolean;
  healedRowsTotal: number;
  /** Since when the insert under way runs, on performance.now(); undefined: none. */
  insertingSinceMs: number | undefined;
  /** '' while it runs well. */
  lastError: string;
  /** Of the last error; undefined while it runs well. */
  lastCode: CollectorErrorCode | undefined;
}
