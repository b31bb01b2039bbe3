/** LEDGER, in topic events: what became of the readings of an epoch. */

import type { Epoch } from '../../../proto/model.ts';
import { decodeJson, encodeJson } from './json.ts';

/** Account of one epoch of a gateway: stored + quarantined + gapReadings + inFlight = lastSeq. */
export interface LedgerEntry {
  site: string;
  gateway: string;
  epoch: Epoch;
  openedMs: number;
  lastSeq: number;
  stored: number;
  quarantined: number;
  duplicates: number;
  /** Readings by gap reason. */
  gaps: Record<string, number>;
  gapReadings: number;
  inFlight: number;
  /** Decimal numbers modulo 2^64: sums of the seqs stored, quarantined (the damaged ones included). */
  storedSum: string;
  quarantinedSum: string;
  /** Sum over all that is accounted for (stored, quarantined, gaps, in flight) minus 1 + 2 + … + lastSeq, modulo 2^64: '0' is right. */
  sumBalance: string;
  /** Stored or quarantined for good, as from, to, from, to, …; with closed gaps in them (see closed). */
  seen: readonly number[];
  /** Readings of gaps that were closed for want of room: in `seen`, and in no table. */
  closed: number;
  balance: number;
  updatedMs: number;
}

/** Gap reasons that the collector gives; the gateway's are proto GapReason. */
export const CollectorGapReason = {
  /** Announced by the gateway, never declared, and superseded by a later epoch. */
  LOST_ON_GATEWAY: 'lost_on_gateway',
  /** More open gaps than are kept apart: the smallest was closed. */
  TOO_MANY_GAPS: 'too_many_gaps',
  /** Acknowledged into a log that was lost or restored before it reached the store. */
  LOST_WITH_LOG: 'lost_with_log',
  OTHER: 'other',
} as const;

export function encodeLedger(entries: readonly LedgerEntry[]): Uint8Array {
  return encodeJson(entries);
}

export function decodeLedger(value: Uint8Array): LedgerEntry[] {
  return decodeJson(value) as LedgerEntry[];
}
