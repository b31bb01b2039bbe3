/** What sessions and trimming need of the log that they belong to. */

import type { NewRecord } from './log.ts';
import type { Space } from './space.ts';
import type { SqliteFile } from './sqlite_file.ts';
import type { Stream, Streams } from './streams.ts';

export interface LogCore {
  readonly partitionCount: number;
  readonly file: SqliteFile;
  readonly streams: Streams;
  readonly space: Space;
  /**
   * Runs `write` in the next group's transaction; `committed`, then the promise, follow the commit.
   * Rejects with LOG_UNAVAILABLE, LOG_FULL, LOG_CLOSED or what `write` refused with.
   */
  enqueue<T>(work: { write: () => T; committed?: (result: T) => void; bytes?: number }): Promise<T>;
  /** Inside the transaction: adds a record to the end of a stream and returns its offset. */
  insert(stream: Stream, record: NewRecord): number;
}
