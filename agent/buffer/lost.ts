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
 * Whether what a row says of itself fits between its neighbours. With encryption a row that did not open
 * proves nothing by its CRCs, which anybody can compute: what it says counts only within the hole that
 * rows leave which did open.
 */
export function fitsBetween(
  before: ChunkHeadRow | undefined,
  lost: ChunkHeadRow,
  behind: ChunkHeadRow | undefined,
  epochs: ReadonlyMap<Epoch, KnownEpoch>,
): boolean {
  if (!chunkHeadOk(lost)) return false;
  const said = rangeOf(lost);
  const known = epochs.get(said.epoch);
  if (known === undefined || said.firstSeq < 1 || said.lastSeq > known.info.lastSeq) return false;
  const previous = before === undefined ? undefined : rangeOf(before);
  const next = behind === undefined ? undefined : rangeOf(behind);
  if (previous?.epoch === said.epoch && said.firstSeq <= previous.lastSeq) return false;
  return next?.epoch !== said.epoch || said.lastSeq < next.firstSeq;
}

/**
 * What a row between two others held, if its own numbers are damaged: what follows the one before and
 * precedes the one behind. Where there is none before, everything from 1: a declared range only labels
 * what is missing, so too much is harmless and too little is not.
 */
export function lostBetween(
  before: ChunkHeadRow | undefined,
  lost: ChunkHeadRow | undefined,
  behind: ChunkHeadRow | undefined,
  epochs: ReadonlyMap<Epoch, KnownEpoch>,
): Gap[] {
  if (lost !== undefined && chunkHeadOk(lost)) {
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
    gaps.push({ epoch, firstSeq, lastSeq, firstMs: 0, lastMs: 0, reason: GapReason.CORRUPT });
  }
  return gaps;
}
