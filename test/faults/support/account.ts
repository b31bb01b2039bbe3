/** The end of every fault test: store against truth file, and the ledger against the store. */

import { readTruth } from '../../../simulators/truth.ts';
import type { LedgerItem, Plant } from '../../support/plant.ts';
import type {
  Comparison,
  Excuse,
  StoredQuarantine,
  StoredReading,
  StoredRelease,
  TruthRow,
} from '../../support/truth-comparison.ts';
import { compareWithTruth } from '../../support/truth-comparison.ts';

export interface Account {
  summary: {
    emitted: number;
    stored: number;
    /** Readings that rules sent to quarantine. */
    quarantined: number;
    /** Emitted, but not yet in the buffer when the agent was killed. */
    unread: number;
    /** Emitted and not stored, excused by what the test did to a disk. */
    excused: number;
    epochs: number;
    duplicates_removed: number;
    gap_readings: number;
  };
  /** One line a problem; empty when every reading is accounted for. */
  problems: string[];
  comparison: Comparison;
}

interface Sited {
  site: string;
}

/** How long an answer may be on its way into the buffer: one commit interval (250 ms) and slack. */
const UNCOMMITTED_WINDOW_MS = 1_500;

/** Seqs in quarantine that are in `readings` too, because they were released or repaired, do not count. */
function quarantinedByEpoch(
  quarantine: readonly StoredQuarantine[],
  stored: readonly StoredReading[],
): Map<string, number> {
  const known = new Set(stored.map(({ epoch, seq }) => `${epoch}/${seq}`));
  const counts = new Map<string, number>();
  for (const { epoch, seq, count } of quarantine) {
    for (let at = seq; at < seq + count; at += 1) {
      const key = `${epoch}/${at}`;
      if (known.has(key)) continue;
      known.add(key);
      counts.set(epoch, (counts.get(epoch) ?? 0) + 1);
    }
  }
  return counts;
}

function ledgerProblems(
  ledger: readonly LedgerItem[],
  stored: readonly StoredReading[],
  quarantine: readonly StoredQuarantine[],
): string[] {
  const problems: string[] = [];
  const storedByEpoch = new Map<string, number>();
  for (const row of stored) storedByEpoch.set(row.epoch, (storedByEpoch.get(row.epoch) ?? 0) + 1);
  const quarantined = quarantinedByEpoch(quarantine, stored);
  for (const item of ledger) {
    const where = `epoch ${item.epoch}`;
    for (const [what, says, has] of [
      ['stored', item.stored, storedByEpoch.get(item.epoch) ?? 0],
      ['quarantined', item.quarantined, quarantined.get(item.epoch) ?? 0],
    ] as const) {
      if (says !== has)
        problems.push(`${where}: the ledger says ${says} ${what}, the store has ${has}`);
    }
    if (item.balance !== 0) problems.push(`${where}: balance ${item.balance}`);
    if (item.in_flight !== 0) problems.push(`${where}: ${item.in_flight} in flight at the end`);
  }
  const known = new Set(ledger.map((item) => item.epoch));
  for (const epoch of new Set([...storedByEpoch.keys(), ...quarantined.keys()])) {
    if (!known.has(epoch)) problems.push(`epoch ${epoch} is in the store and not in the ledger`);
  }
  return problems;
}

/** Call it after `plant.settle()`. `site`: only this one's rows; there are others of another source. */
export async function account(
  plant: Plant,
  everyLedger: readonly LedgerItem[],
  options: { excuses?: readonly Excuse[]; site?: string } = {},
): Promise<Account> {
  const { site: only } = options;
  const isMeant = ({ site }: { site: string }): boolean => only === undefined || site === only;
  const ledger = everyLedger.filter(isMeant);
  const rows = await plant.dumpAll(['readings', 'quarantine', 'releases']);
  const stored = (rows.readings as (StoredReading & Sited)[]).filter(isMeant);
  const quarantine = (rows.quarantine as (StoredQuarantine & Sited)[]).filter(isMeant);
  const releases = (rows.releases as (StoredRelease & Sited)[]).filter(isMeant);
  const truth: TruthRow[] = [];
  for await (const entry of readTruth(plant.truthFile)) {
    if (entry.type === 'row' && entry.status === 200) truth.push(entry);
  }
  const comparison = compareWithTruth({
    truth,
    stored,
    quarantine,
    releases,
    kills: plant.kills,
    uncommittedWindowMs: UNCOMMITTED_WINDOW_MS,
    excuses: options.excuses,
  });
  return {
    problems: [
      ...comparison.doubled.map((line) => `doubled: ${line}`),
      ...comparison.invented.map((line) => `invented: ${line}`),
      ...comparison.lost.map((line) => `lost: ${line}`),
      ...ledgerProblems(ledger, stored, quarantine),
    ],
    comparison,
    summary: {
      emitted: comparison.emitted,
      stored: comparison.stored,
      quarantined: comparison.quarantined,
      unread: comparison.unread,
      excused: comparison.excused,
      epochs: ledger.length,
      duplicates_removed: ledger.reduce((sum, item) => sum + item.duplicates, 0),
      gap_readings: ledger.reduce((sum, item) => sum + item.gap_readings, 0),
    },
  };
}
