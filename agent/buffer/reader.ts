/** Chunks out of the file: checked, in order, within limits. */

import { decodeChunk } from '../../proto/decode.ts';
import type { ChunkFrame, Epoch, Gap } from '../../proto/model.ts';
import type { PendingChunk } from '../types.ts';
import type { Statements } from './database.ts';
import { DamagedError } from './database.ts';
import type { KnownEpoch } from './epochs.ts';
import { lostBetween } from './lost.ts';
import type { ChunkHeadRow, ChunkRow } from './rows.ts';
import { CHUNK_FLAG_UNSYNCED, chunkHeadOk, toHex } from './rows.ts';
import type { BufferSeal } from './seal.ts';

export interface ReadLimits {
  maxBytes: number;
  maxReadings: number;
  maxChunks: number;
}

export interface ReadResult {
  chunks: PendingChunk[];
  /** Rows that are not what was written, with the readings that each counted for. */
  bad: Map<number, number>;
  /** What is to be declared for them, and for rows that are gone without a trace. */
  gaps: Gap[];
  /** Rows that follow such a hole. */
  holes: number[];
  /** The row of the last chunk. */
  last: ChunkHeadRow | undefined;
}

export interface ReadContext {
  statements: Statements;
  seal: BufferSeal;
  epochs: ReadonlyMap<Epoch, KnownEpoch>;
  /** Delivered or given up already. */
  removed: ReadonlyMap<number, number>;
  /** The last row read before, if it was the one with id afterId: it may be deleted by now. */
  previous: ChunkHeadRow | undefined;
  /** Whether the row with this id may follow a hole in the ids: rows before it were deleted on purpose. */
  holeKnown: (id: number) => boolean;
}

/** The oldest chunks behind `afterId`, of one epoch. Throws DamagedError when rows are out of order. */
export function readChunks(context: ReadContext, afterId: number, limits: ReadLimits): ReadResult {
  const result: ReadResult = { chunks: [], bad: new Map(), gaps: [], holes: [], last: undefined };
  let bytes = 0;
  let readings = 0;
  let previousId = afterId;
  let before: ChunkHeadRow | undefined = context.previous;
  let doubtful: ChunkRow[] = [];
  for (const stored of context.statements.nextChunks.iterate(afterId)) {
    if (!(Number.isSafeInteger(stored.id) && stored.id > previousId)) {
      throw new DamagedError('chunks are out of order');
    }
    previousId = stored.id;
    if (context.removed.has(stored.id)) {
      before = stored;
      continue;
    }
    const row = context.seal.open(stored);
    if (row === undefined) {
      doubtful.push(stored);
      continue;
    }
    if (doubtful.length > 0) declareBad(context, result, before, doubtful, row);
    doubtful = [];
    declareHole(context, result, before, row);
    before = row;
    const epoch = toHex(row.epoch);
    const latest = result.chunks.at(-1);
    bytes += row.bytes.length;
    readings += row.count;
    if (latest !== undefined) {
      if (latest.epoch !== epoch || bytes > limits.maxBytes || readings > limits.maxReadings) break;
    }
    result.chunks.push(pendingOf(context, epoch, row));
    result.last = row;
    if (result.chunks.length >= limits.maxChunks) break;
  }
  if (doubtful.length > 0) declareBad(context, result, before, doubtful, undefined);
  return result;
}

function declareBad(
  context: ReadContext,
  result: ReadResult,
  before: ChunkHeadRow | undefined,
  doubtful: readonly ChunkRow[],
  behind: ChunkRow | undefined,
): void {
  doubtful.forEach((row, i) => {
    result.bad.set(row.id, Number.isSafeInteger(row.count) ? row.count : 0);
    if (context.seal.on) {
      // Only rows that opened say where the hole begins and ends.
      const left = before ?? context.statements.headBefore.get(doubtful[0]!.id);
      result.gaps.push(...lostBetween(left, row, behind, context.epochs, () => false));
      return;
    }
    const left = doubtful[i - 1] ?? before ?? context.statements.headBefore.get(row.id);
    result.gaps.push(...lostBetween(left, row, doubtful[i + 1] ?? behind, context.epochs));
  });
}

/** A row that is not there although nobody deleted it: a damaged tree hides it. */
function declareHole(
  context: ReadContext,
  result: ReadResult,
  before: ChunkHeadRow | undefined,
  row: ChunkRow,
): void {
  if (before === undefined || row.id === before.id + 1 || context.holeKnown(row.id)) return;
  for (let id = before.id + 1; id < row.id; id++) {
    if (context.removed.has(id) || result.bad.has(id)) continue;
    if (row.id - before.id > 1e6 || !chunkHeadOk(before) || !chunkHeadOk(row)) return;
    result.gaps.push(...lostBetween(before, undefined, row, context.epochs));
    result.holes.push(row.id);
    return;
  }
}

function pendingOf(context: ReadContext, epoch: Epoch, row: ChunkRow): PendingChunk {
  const frame: ChunkFrame = {
    firstSeq: row.first_seq,
    count: row.count,
    firstMs: row.first_ms,
    lastMs: row.last_ms,
    crc32c: row.crc32c,
    bytes: row.bytes,
  };
  const boot = context.epochs.get(epoch)?.boot ?? '';
  if (boot !== '' && chunkHeadOk(row)) {
    const clockUnsynced = (row.flags & CHUNK_FLAG_UNSYNCED) !== 0;
    return { id: row.id, epoch, frame, boot, clockUnsynced, sealedMonoMs: row.sealed_mono_ms };
  }
  // The bookkeeping is damaged, but the chunk says the same inside.
  const decoded = decodeChunk(frame);
  const clock = decoded.ok ? decoded.value.clock : undefined;
  return {
    id: row.id,
    epoch,
    frame,
    boot: clock?.boot ?? '',
    clockUnsynced: clock?.unsynced ?? false,
    sealedMonoMs: clock?.monoMs ?? 0,
  };
}
