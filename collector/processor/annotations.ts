/** Runs of seqs that rules spoke of, cut to where they belong. */

import type { ChunkFrame } from '../../proto/model.ts';
import type { Annotation } from './outputs/readings.ts';
import type { Interval } from './ranges.ts';

/** Runs of the seqs that lie in `part`; `said` ascends. */
export function runsWithin(said: readonly { seq: number }[], part: Interval): Interval[] {
  const runs: Interval[] = [];
  let last: Interval | undefined;
  for (let i = firstAt(said, ({ seq }) => seq, part.from); i < said.length; i++) {
    const { seq } = said[i]!;
    if (seq > part.to) break;
    if (last !== undefined && last.to + 1 === seq) {
      last.to = seq;
    } else {
      last = { from: seq, to: seq };
      runs.push(last);
    }
  }
  return runs;
}

/** What is left of [from, to] without `runs`, which ascend in it. */
export function without(runs: readonly Interval[], from: number, to: number): Interval[] {
  const rest: Interval[] = [];
  let at = from;
  for (const run of runs) {
    if (run.from > at) rest.push({ from: at, to: run.from - 1 });
    at = run.to + 1;
  }
  if (at <= to) rest.push({ from: at, to });
  return rest;
}

/** What is said of these frames, ascending; `said` ascends and never overlaps. */
export function annotationsOf(
  frames: readonly ChunkFrame[],
  said: readonly Annotation[],
): Annotation[] {
  const found: Annotation[] = [];
  for (const { firstSeq, count } of frames) {
    const endSeq = firstSeq + count;
    let i = firstAt(said, (one) => one.firstSeq + one.count - 1, firstSeq);
    for (; i < said.length && said[i]!.firstSeq < endSeq; i++) {
      const one = said[i]!;
      const from = Math.max(one.firstSeq, firstSeq);
      const to = Math.min(one.firstSeq + one.count, endSeq);
      const values = one.values?.subarray(from - one.firstSeq, to - one.firstSeq);
      found.push({ ...one, firstSeq: from, count: to - from, values });
    }
  }
  return found.sort((a, b) => a.firstSeq - b.firstSeq);
}

/** Index of the first element whose seq is at or after `seq`. */
function firstAt<T>(list: readonly T[], seqOf: (element: T) => number, seq: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (seqOf(list[middle]!) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
