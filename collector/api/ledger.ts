/** Sums of ledger entries, and their form in the API. Pure. */

import type { LedgerEntry } from '../processor/outputs/ledger.ts';
import type { JsonSchema } from './schemas.ts';
import { COUNT } from './schemas.ts';

/** `sent = stored + quarantined + gap_readings + in_flight - balance`. */
export interface LedgerNumbers {
  sent: number;
  stored: number;
  quarantined: number;
  duplicates: number;
  gap_readings: number;
  gaps: Record<string, number>;
  in_flight: number;
  balance: number;
}

/** What a line says beside its numbers. */
export const LEDGER_PROOF: Record<string, JsonSchema> = {
  sum_balance: {
    type: 'string',
    description:
      'Sum of the seqs of all that is accounted for minus 1 + 2 + … + last_seq, modulo 2^64: "0" is right.',
  },
  closed: {
    ...COUNT,
    description: 'Of gap_readings, those whose gap was closed for want of room.',
  },
};

export const LEDGER_NUMBERS: Record<string, JsonSchema> = {
  sent: { ...COUNT, description: 'Numbered by the gateway: the last seq of each epoch.' },
  stored: { ...COUNT, description: 'Passed on to the table readings.' },
  quarantined: COUNT,
  duplicates: { ...COUNT, description: 'Came again and were removed. No part of the balance.' },
  gap_readings: { ...COUNT, description: 'Declared lost by the gateway.' },
  gaps: {
    type: 'object',
    description: 'gap_readings by reason.',
    additionalProperties: COUNT,
  },
  in_flight: { type: 'integer', description: 'Numbered, and not yet here.' },
  balance: {
    type: 'integer',
    description: 'stored + quarantined + gap_readings + in_flight - sent: 0 is right.',
  },
};

export function ledgerSums(rows: Iterable<LedgerEntry>): LedgerNumbers {
  const sums: LedgerNumbers = {
    sent: 0,
    stored: 0,
    quarantined: 0,
    duplicates: 0,
    gap_readings: 0,
    gaps: {},
    in_flight: 0,
    balance: 0,
  };
  for (const row of rows) addNumbers(sums, numbersOf(row));
  return sums;
}

export function numbersOf(row: LedgerEntry): LedgerNumbers {
  return {
    sent: row.lastSeq,
    stored: row.stored,
    quarantined: row.quarantined,
    duplicates: row.duplicates,
    gap_readings: row.gapReadings,
    gaps: row.gaps,
    in_flight: row.inFlight,
    balance: row.balance,
  };
}

/** Balances are added by size, so that two errors never hide each other. */
export function addNumbers(sums: LedgerNumbers, row: LedgerNumbers): void {
  sums.sent += row.sent;
  sums.stored += row.stored;
  sums.quarantined += row.quarantined;
  sums.duplicates += row.duplicates;
  sums.gap_readings += row.gap_readings;
  sums.in_flight += row.in_flight;
  sums.balance += Math.abs(row.balance);
  for (const [reason, count] of Object.entries(row.gaps))
    sums.gaps[reason] = (sums.gaps[reason] ?? 0) + count;
}
