/** What the buffer has to declare: merging and bounding of gaps. Pure. */

import type { Gap } from '../../proto/model.ts';
import type { DeclaredGap } from '../types.ts';

/** Rows kept. Beyond, neighbours are joined over what lies between them; see `boundGaps`. */
export const GAP_ROWS_MAX = 1024;

export interface GapPlan {
  rows: DeclaredGap[];
  /** Ids to delete and rows to insert, so that the table holds `rows`. */
  removed: number[];
  added: DeclaredGap[];
  nextId: number;
  /** Gaps given up because even joining did not bring the rows below the bound. */
  dropped: number;
}

/**
 * Adds gaps to the rows. A gap that touches a row of the same epoch and reason replaces it under a new
 * id: the old id may be on its way to the collector, and its acknowledgement must not remove the new part.
 */
export function planGaps(
  rows: readonly DeclaredGap[],
  acknowledged: ReadonlySet<number>,
  additions: readonly Gap[],
  nextId: number,
  maxRows: number = GAP_ROWS_MAX,
): GapPlan {
  const before = new Set(rows.map((row) => row.id));
  let kept = rows.filter((row) => !acknowledged.has(row.id));
  let id = nextId;
  for (const gap of additions) {
    const at = kept.findLastIndex((row) => touches(row, gap));
    const joined = at < 0 ? gap : hull(kept[at]!, gap, gap.reason);
    if (at >= 0) kept.splice(at, 1);
    kept.push({ ...joined, id: id++ });
  }
  let dropped = 0;
  while (kept.length > maxRows) {
    const bounded = joinNearest(kept, id);
    if (bounded === undefined) {
      kept = kept.slice(1);
      dropped++;
    } else {
      kept = bounded;
      id++;
    }
  }
  const after = new Set(kept.map((row) => row.id));
  return {
    rows: kept,
    removed: [...before].filter((old) => !after.has(old)),
    added: kept.filter((row) => !before.has(row.id)),
    nextId: id,
    dropped,
  };
}

function touches(row: Gap, gap: Gap): boolean {
  return (
    row.epoch === gap.epoch &&
    row.reason === gap.reason &&
    gap.firstSeq <= row.lastSeq + 1 &&
    row.firstSeq <= gap.lastSeq + 1
  );
}

function hull(a: Gap, b: Gap, reason: Gap['reason']): Gap {
  return {
    epoch: a.epoch,
    firstSeq: Math.min(a.firstSeq, b.firstSeq),
    lastSeq: Math.max(a.lastSeq, b.lastSeq),
    firstMs:
      a.firstMs === 0 ? b.firstMs : b.firstMs === 0 ? a.firstMs : Math.min(a.firstMs, b.firstMs),
    lastMs: Math.max(a.lastMs, b.lastMs),
    reason,
  };
}

/**
 * Joins the two rows of one epoch with the fewest seqs between them. The joined range covers seqs that
 * are not lost; a declared range only labels what is missing, so that costs precision of the reason,
 * not truth. Undefined when no epoch has two rows.
 */
function joinNearest(rows: readonly DeclaredGap[], id: number): DeclaredGap[] | undefined {
  const sorted = [...rows].sort((a, b) =>
    a.epoch === b.epoch ? a.firstSeq - b.firstSeq : a.epoch < b.epoch ? -1 : 1,
  );
  let best: [DeclaredGap, DeclaredGap] | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (let i = 1; i < sorted.length; i++) {
    const [a, b] = [sorted[i - 1]!, sorted[i]!];
    const distance = b.firstSeq - a.lastSeq;
    if (a.epoch === b.epoch && distance < bestDistance) {
      best = [a, b];
      bestDistance = distance;
    }
  }
  if (best === undefined) return undefined;
  const [a, b] = best;
  const longer = a.lastSeq - a.firstSeq >= b.lastSeq - b.firstSeq ? a : b;
  const joined = { ...hull(a, b, longer.reason), id };
  return [...rows.filter((row) => row !== a && row !== b), joined];
}
