/** Asks a collector's ledger what became of a fleet's readings. */

import type { FleetLedger } from './fleet-options.ts';

/** Sums of the epochs that are this fleet's, page by page; undefined when the API does not answer. */
export async function askLedger(
  apiUrl: string,
  site: string,
  epochs: ReadonlySet<string>,
): Promise<FleetLedger | undefined> {
  const sums = {
    stored: 0,
    quarantined: 0,
    duplicates: 0,
    gapReadings: 0,
    inFlight: 0,
    balance: 0,
  };
  let cursor: string | null = null;
  do {
    const url = new URL('/api/v1/ledger', apiUrl);
    url.searchParams.set('site', site);
    url.searchParams.set('limit', '1000');
    if (cursor !== null) url.searchParams.set('cursor', cursor);
    const page: LedgerPage | undefined = await fetch(url, { signal: AbortSignal.timeout(10_000) })
      .then((response) => (response.ok ? (response.json() as Promise<LedgerPage>) : undefined))
      .catch(() => undefined);
    if (page === undefined) return undefined;
    for (const item of page.items) {
      if (!epochs.has(item.epoch)) continue;
      sums.stored += item.stored;
      sums.quarantined += item.quarantined;
      sums.duplicates += item.duplicates;
      sums.gapReadings += item.gap_readings;
      sums.inFlight += item.in_flight;
      sums.balance += Math.abs(item.balance);
    }
    cursor = page.next;
  } while (cursor !== null);
  return sums;
}

interface LedgerPage {
  items: {
    epoch: string;
    stored: number;
    quarantined: number;
    duplicates: number;
    gap_readings: number;
    in_flight: number;
    balance: number;
  }[];
  next: string | null;
}
