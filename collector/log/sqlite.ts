/** The embedded log: one SQLite file that one process holds. */

import type { Clock, Logger } from '../types.ts';
import type { Log } from './log.ts';
import { SqliteFile } from './sqlite_file.ts';
import { SqliteLog } from './sqlite_log.ts';

export interface OpenSqliteLogOptions {
  /** The file; made if it is not there, with its folder. */
  path: string;
  /** Recorded when the file is made; another count later is refused. */
  partitions: number;
  /** The file never grows beyond this (its write-ahead log, some 16 MB, comes on top). */
  maxBytes: number;
  /** Consumed records are trimmed, oldest first, until the log is no larger than this. */
  retentionBytes: number;
  /** Consumed records older than this are trimmed. */
  retentionMs: number;
  clock: Clock;
  log: Logger;
}

/** Rejects with LOG_IN_USE, LOG_DAMAGED, LOG_PARTITIONS_CHANGED or LOG_UNAVAILABLE. */
export async function openSqliteLog(options: OpenSqliteLogOptions): Promise<Log> {
  const { path, ...settings } = options;
  const { partitions, maxBytes, clock } = options;
  const file = SqliteFile.open({ path, partitions, maxBytes, wallMs: clock.wallMs() });
  return new SqliteLog(file, settings);
}
