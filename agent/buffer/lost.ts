/** Which seqs were lost, when the row that says so cannot be believed. Pure. */

import type { Epoch, Gap } from '../../proto/model.ts';
import { GapReason } from '../../proto/model.ts';
import type { KnownEpoch } from './epochs.ts';
import type { ChunkHeadRow } from './rows.ts';
import { chunkHeadOk, isName, toHex } from './rows.ts';

/** The range of a row whose bookkeeping is right. */
export function rangeOf(head: ChunkHeadRow): Omit<Gap, 'reason'> {
  return {
    epoch: toHex(head.epoch),
    firstSeq: head.first_seq,
    lastSeq: head.first_seq + head.count - 1,
    firstMs: head.first_ms,
    lastMs: head.last_ms,
  };
}

/**
 * What a row between two others held, if its own numbers are damaged: what follows the one before and
 * precedes the one behind. Where there is none before, everything from 1: a declared range only labels
 * what is missing, so too much is harmless and too little is not. `isProof` false: the row's numbers are
 * not believed although their CRC is right, for anybody can compute that.
 */
export function lostBetween(
  before: ChunkHeadRow | undefined,
  lost: ChunkHeadRow | undefined,
  behind: ChunkHeadRow | undefined,
  epochs: ReadonlyMap<Epoch, KnownEpoch>,
  isProof: (lost: ChunkHeadRow) => boolean = chunkHeadOk,
): Gap[] {
  if (lost !== undefined && isProof(lost)) {
    return [{ ...rangeOf(lost), reason: GapReason.CORRUPT }];
  }
  const previous = before !== undefined && chunkHeadOk(before) ? rangeOf(before) : undefined;
  const next = behind !== undefined && chunkHeadOk(behind) ? rangeOf(behind) : undefined;
  const names = new Set<Epoch>();
  if (previous !== undefined) names.add(previous.epoch);
  if (lost !== undefined && isName(lost.epoch) && epochs.has(toHex(lost.epoch))) {
    names.add(toHex(lost.epoch));
  }
  if (next !== undefined) names.add(next.epoch);
  const gaps: Gap[] = [];
  for (const epoch of names) {
    const firstSeq = previous?.epoch === epoch ? previous.lastSeq + 1 : 1;
    const lastSeq =
      next?.epoch === epoch ? next.firstSeq - 1 : (epochs.get(epoch)?.info.lastSeq ?? 0);
    if (firstSeq > lastSeq) continue;
    const said = lost !== undefined && chunkHeadOk(lost) ? rangeOf(lost) : undefined;
    const isSame = said?.epoch === epoch && said.firstSeq === firstSeq && said.lastSeq === lastSeq;
    const { firstMs, lastMs } = isSame ? said : { firstMs: 0, lastMs: 0 };
    gaps.push({ epoch, firstSeq, lastSeq, firstMs, lastMs, reason: GapReason.CORRUPT });
  }
  return gaps;
}
