/**
 * The newest state of every gateway and the newest account of every epoch, in memory. Fed from the
 * log's events as they come, and from the store once at the start. Bounded: accounts over the bound
 * are left out, and `complete` says so.
 */

import type { GatewayEntry } from '../../processor/outputs/gateway.ts';
import type { LedgerEntry } from '../../processor/outputs/ledger.ts';

const LEDGER_LINES_MAX = 500_000;

export class LiveFleet {
  readonly #linesMax: number;
  readonly #gateways = new Map<string, GatewayEntry>();
  readonly #ledger = new Map<string, Map<string, LedgerEntry>>();
  #lines = 0;
  #leftOut = false;

  constructor(linesMax = LEDGER_LINES_MAX) {
    this.#linesMax = linesMax;
  }

  /** False when there were more epochs than are kept. */
  get complete(): boolean {
    return !this.#leftOut;
  }

  /** The newest wins; of two of one time the later given. */
  putGateway(entry: GatewayEntry): void {
    const key = keyOf(entry.site, entry.gateway);
    const known = this.#gateways.get(key);
    if (known === undefined || entry.updatedMs >= known.updatedMs) this.#gateways.set(key, entry);
  }

  /** The newest wins; of two of one time the later given. */
  putLedger(entry: LedgerEntry): void {
    const key = keyOf(entry.site, entry.gateway);
    const epochs = this.#ledger.get(key) ?? new Map<string, LedgerEntry>();
    this.#ledger.set(key, epochs);
    const known = epochs.get(entry.epoch);
    if (known === undefined) {
      if (this.#lines >= this.#linesMax) {
        this.#leftOut = true;
        return;
      }
      this.#lines++;
    } else if (entry.updatedMs < known.updatedMs) {
      return;
    }
    epochs.set(entry.epoch, entry);
  }

  gateway(site: string, gateway: string): GatewayEntry | undefined {
    return this.#gateways.get(keyOf(site, gateway));
  }

  /** In no particular order. */
  gateways(): Iterable<GatewayEntry> {
    return this.#gateways.values();
  }

  /** Oldest epoch first, those of one moment by name: pages of the ledger go by this order. */
  ledgerOf(site: string, gateway: string): LedgerEntry[] {
    const epochs = this.#ledger.get(keyOf(site, gateway));
    return [...(epochs?.values() ?? [])].sort(
      (a, b) => a.openedMs - b.openedMs || (a.epoch < b.epoch ? -1 : 1),
    );
  }

  /** Of all that have an account, in no particular order. */
  *ledgerGateways(): Generator<{ site: string; gateway: string }> {
    for (const key of this.#ledger.keys()) {
      const [site = '', gateway = ''] = key.split('/');
      yield { site, gateway };
    }
  }
}

/** Names of sites and gateways hold no slash (proto/topics.ts). */
function keyOf(site: string, gateway: string): string {
  return `${site}/${gateway}`;
}
