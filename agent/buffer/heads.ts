/** The bookkeeping of a chunk whose own is damaged. */

import { decodeChunk } from '../../proto/decode.ts';
import type { ChunkRow } from './rows.ts';
import { CHUNK_FLAG_UNSYNCED } from './rows.ts';

/** From the clock inside the chunk; `row_crc` is not made anew. */
export function withRestoredHead(row: ChunkRow, readingsBefore: number): ChunkRow {
  const decoded = decodeChunk({
    firstSeq: row.first_seq,
    count: row.count,
    firstMs: row.first_ms,
    lastMs: row.last_ms,
    crc32c: row.crc32c,
    bytes: row.bytes,
  });
  if (!decoded.ok) return { ...row, readings_before: readingsBefore };
  const { clock } = decoded.value;
  return {
    ...row,
    sealed_wall_ms: clock.wallMs,
    sealed_mono_ms: clock.monoMs,
    flags: clock.unsynced ? CHUNK_FLAG_UNSYNCED : 0,
    readings_before: readingsBefore,
  };
}
