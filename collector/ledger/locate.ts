/**
 * Which seqs of one epoch are missing, double or unknown: looked up where the sums of the tables differ
 * from the ledger's, bucket by bucket, then seq by seq.
 */

import type { LedgerEntry } from '../processor/outputs/ledger.ts';
import { SeqRanges } from '../processor/ranges.ts';
import { momentsWithin, noSeqs, same } from './moments.ts';
import type { QuarantineRun, Run, Tables } from './tables.ts';
import { RUNS_MAX } from './tables.ts';

export interface Difference {
  kind: 'missing' | 'double' | 'unknown';
  from: number;
  to: number;
  readings: number;
  detail: string;
}

export interface Located {
  differences: Difference[];
  /** Seqs that are in no table, though the ledger counts them as stored or quarantined. */
  missing: number;
}

/** Few and large enough: at most 10,000 buckets, none below 65,536 seqs. */
const BUCKET_SEQS_MIN = 65_536;
const BUCKETS_MAX = 10_000;
/** Buckets that are looked into; what differs beyond is only counted. */
const LOOKED_INTO_MAX = 200;
const WHAT_MISSING = 'counted by the ledger, in no table';

/**
 * `entry` says what must be there; `newest` what may be there. Rows of `readings` below `goneBelow` may
 * have been dropped by the retention.
 */
export async function locate(
  tables: Tables,
  entry: LedgerEntry,
  newest: LedgerEntry,
  goneBelow: number,
): Promise<Located> {
  const size = bucketSize(entry.lastSeq);
  const buckets = await tables.buckets(entry, entry.lastSeq, size);
  const found: Located = { differences: [], missing: 0 };
  let lookedInto = 0;
  for (let bucket = 0; bucket * size <= entry.lastSeq; bucket++) {
    const from = Math.max(1, bucket * size);
    const to = Math.min(entry.lastSeq, (bucket + 1) * size - 1);
    const expected = momentsWithin(entry.seen, from, to);
    const held = buckets.get(bucket) ?? noSeqs();
    if (same(expected, held) || to < goneBelow) continue;
    if (held.count === 0) {
      // A range without rows needs no look at its seqs.
      for (const part of new SeqRanges(entry.seen).covered(from, to))
        missing(found, part.from, part.to);
    } else if (lookedInto++ < LOOKED_INTO_MAX) {
      await lookInto(tables, { entry, newest, from: Math.max(from, goneBelow), to }, found);
    } else {
      const detail = `${held.count} rows, ${expected.count} expected; not looked into`;
      const readings = Math.abs(expected.count - held.count);
      found.differences.push({ kind: 'missing', from, to, readings, detail });
      found.missing += Math.max(0, expected.count - held.count);
    }
  }
  return found;
}

function bucketSize(lastSeq: number): number {
  let size = BUCKET_SEQS_MIN;
  while (lastSeq / size > BUCKETS_MAX) size *= 2;
  return size;
}

function missing(found: Located, from: number, to: number): void {
  const readings = to - from + 1;
  const last = found.differences.at(-1);
  found.missing += readings;
  if (last?.kind === 'missing' && last.to + 1 === from && last.detail === WHAT_MISSING) {
    last.to = to;
    last.readings += readings;
  } else found.differences.push({ kind: 'missing', from, to, readings, detail: WHAT_MISSING });
}

interface Window {
  entry: LedgerEntry;
  newest: LedgerEntry;
  from: number;
  to: number;
}

async function lookInto(tables: Tables, window: Window, found: Located): Promise<void> {
  const { entry, newest, from, to } = window;
  const readings = await tables.readingRuns(entry, from, to);
  const quarantine = await tables.quarantineRuns(entry, from, to);
  if (readings.length >= RUNS_MAX || quarantine.length >= RUNS_MAX) {
    const detail = 'too many pieces to name them';
    found.differences.push({ kind: 'missing', from, to, readings: to - from + 1, detail });
    return;
  }
  const differences = [
    ...doubles(readings, quarantine),
    ...unknowns([...readings, ...quarantine.filter(isQuarantined)], new SeqRanges(newest.seen)),
  ];
  found.differences.push(...differences);
  const present = rangesOf([...readings, ...quarantine.filter(({ released }) => !released)]);
  for (const expected of new SeqRanges(entry.seen).covered(from, to)) {
    for (const gap of present.missing(expected.from, expected.to)) missing(found, gap.from, gap.to);
  }
}

/** A reading that waits in quarantine, as against the evidence of what was damaged. */
function isQuarantined({ whole, released }: QuarantineRun): boolean {
  return whole && !released;
}

/** A damaged copy in quarantine beside the intact one in `readings` is no double: it is evidence. */
function doubles(readings: readonly Run[], quarantine: readonly QuarantineRun[]): Difference[] {
  const differences: Difference[] = [];
  const add = (from: number, to: number, detail: string): void =>
    void differences.push({ kind: 'double', from, to, readings: to - from + 1, detail });
  for (const { from, to, copies } of readings)
    if (copies > 1) add(from, to, `${copies} rows each in readings`);
  const stored = rangesOf(readings);
  for (const run of quarantine.filter(isQuarantined)) {
    if (run.copies > 1) add(run.from, run.to, `${run.copies} rows each in quarantine`);
    for (const both of stored.covered(run.from, run.to))
      add(both.from, both.to, 'in readings and in quarantine, and not released');
  }
  return differences;
}

function unknowns(runs: readonly Run[], seen: SeqRanges): Difference[] {
  return runs.flatMap(({ from, to }) =>
    seen.missing(from, to).map((part) => ({
      kind: 'unknown' as const,
      ...part,
      readings: part.to - part.from + 1,
      detail: 'in a table, not in the ledger',
    })),
  );
}

function rangesOf(runs: readonly Run[]): SeqRanges {
  const ranges = new SeqRanges();
  for (const { from, to } of runs) ranges.add(from, to);
  return ranges;
}
