/** Which gateways published lately: as near as one comes to 'connected' from behind a broker. */

import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';

/** Beyond it the one that has been silent longest is forgotten. */
const GATEWAYS_MAX = 100_000;

export class HeardGateways {
  readonly #forMs: number;
  readonly #nowMs: () => number;
  /** The most recent last. */
  readonly #heard = new Map<string, { gateway: GatewayId; atMs: number }>();

  constructor(forMs: number, nowMs: () => number = () => performance.now()) {
    this.#forMs = forMs;
    this.#nowMs = nowMs;
  }

  /** True: it was not in the list before. */
  note(gateway: GatewayId): boolean {
    const key = gatewayKey(gateway);
    const isNew = !this.#heard.delete(key);
    this.#heard.set(key, { gateway, atMs: this.#nowMs() });
    if (this.#heard.size > GATEWAYS_MAX) this.#forgetOldest();
    return isNew;
  }

  list(): GatewayId[] {
    const sinceMs = this.#nowMs() - this.#forMs;
    for (const [key, { atMs }] of this.#heard) {
      if (atMs >= sinceMs) break;
      this.#heard.delete(key);
    }
    return [...this.#heard.values()].map(({ gateway }) => gateway);
  }

  #forgetOldest(): void {
    for (const key of this.#heard.keys()) {
      this.#heard.delete(key);
      return;
    }
  }
}
