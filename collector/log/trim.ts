/** Retention: removes the oldest records that everybody has read, in steps that never hold the loop long. */

import type { LogCore } from './core.ts';
import type { Sessions } from './sessions.ts';
import type { Stream } from './streams.ts';

const STEP_RECORDS_MAX = 512;
const STEP_BYTES_MAX = 2 * 1024 * 1024;
/** Free pages are used again first; the file shrinks only when they are many. */
const FREE_BYTES_KEPT = 32 * 1024 * 1024;
const VACUUM_STEP_PAGES = 64;

export interface Retention {
  /** Bytes in use that the log is brought down to, as far as what is in it was consumed. */
  bytes: number;
  /** Records appended before this are not kept. */
  notBeforeMs: number;
}

/** Resolves when nothing more may go. Rejects when the log does not take writes. */
export async function trimLog(
  core: LogCore,
  sessions: Sessions,
  retention: Retention,
): Promise<void> {
  let removed: number;
  do {
    removed = await core
      .enqueue({
        write: () => removeStep(core, sessions, retention),
        committed: (removal) => {
          if (removal !== undefined) removal.stream.first = removal.below;
        },
      })
      .then((removal) => removal?.records ?? 0);
  } while (removed > 0);
  while (excessPages(core) > 0) {
    const pages = Math.min(excessPages(core), VACUUM_STEP_PAGES);
    const before = core.file.pages().total;
    await core.enqueue({ write: () => core.file.vacuum(pages) });
    if (core.file.pages().total >= before) return;
  }
}

interface Removal {
  stream: Stream;
  below: number;
  records: number;
}

/** Inside the transaction: removes a bounded number of the oldest records, or nothing. */
function removeStep(core: LogCore, sessions: Sessions, retention: Retention): Removal | undefined {
  const stream = oldestRemovable(core, sessions);
  if (stream === undefined) return undefined;
  const { total, free } = core.file.pages();
  let excessBytes = (total - free) * core.file.pageBytes - retention.bytes;
  let records = 0;
  let bytes = 0;
  let last = { offset: 0, at: 0 };
  for (const row of core.file.sizes(
    stream.index,
    sessions.consumedBelow(stream),
    STEP_RECORDS_MAX,
  )) {
    if (row.at >= retention.notBeforeMs && excessBytes <= 0) break;
    records += 1;
    bytes += row.bytes;
    excessBytes -= row.bytes;
    last = row;
    if (bytes >= STEP_BYTES_MAX) break;
  }
  if (records === 0) return undefined;
  core.file.remove(stream.index, last.offset + 1, last.at);
  return { stream, below: last.offset + 1, records };
}

/** Of the streams with consumed records, the one whose first record is the oldest. */
function oldestRemovable(core: LogCore, sessions: Sessions): Stream | undefined {
  let oldest: Stream | undefined;
  let oldestAtMs = Number.POSITIVE_INFINITY;
  for (const stream of core.streams.all) {
    const below = sessions.consumedBelow(stream);
    if (below <= stream.first) continue;
    const [row] = core.file.sizes(stream.index, below, 1);
    if (row === undefined || row.at >= oldestAtMs) continue;
    oldest = stream;
    oldestAtMs = row.at;
  }
  return oldest;
}

function excessPages(core: LogCore): number {
  const { total, free } = core.file.pages();
  const kept = Math.max(FREE_BYTES_KEPT / core.file.pageBytes, total / 4);
  return Math.floor(free - kept);
}
