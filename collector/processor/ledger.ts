/** The ledger row of an account. */

import type { EpochAccount } from './epoch.ts';
import type { GatewayBook } from './gateway.ts';
import type { LedgerEntry } from './outputs/ledger.ts';

export function ledgerEntry(book: GatewayBook, account: EpochAccount, nowMs: number): LedgerEntry {
  const { gaps, lastSeq, stored, quarantined, duplicates, inFlight } = account;
  let gapReadings = 0;
  for (const count of Object.values(gaps)) gapReadings += count;
  return {
    site: book.site,
    gateway: book.gateway,
    epoch: account.epoch,
    openedMs: account.openedMs,
    lastSeq,
    stored,
    quarantined,
    duplicates,
    gaps,
    gapReadings,
    inFlight,
    storedSum: String(account.storedSum),
    quarantinedSum: String(account.quarantinedSum),
    sumBalance: String(account.sumBalance),
    seen: [...account.seen],
    closed: account.closed,
    balance: stored + quarantined + gapReadings + inFlight - lastSeq,
    updatedMs: nowMs,
  };
}
