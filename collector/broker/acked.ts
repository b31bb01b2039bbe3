/**
 * The collector's word to gateways that wait for it: which of their payloads are durable. What becomes
 * durable in one turn of the event loop goes to a gateway as one message.
 */

import { encodeAcked } from '../../proto/command.ts';
import { ACKED_DIGESTS_MAX } from '../../proto/limits.ts';
import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';

export class AckedMessages {
  readonly #publish: (gateway: GatewayId, command: Uint8Array) => void;
  /** By gateway. Holds what became durable since the last flush. */
  readonly #waiting = new Map<string, { gateway: GatewayId; digests: string[] }>();

  /** `publish` is called by flush() only. */
  constructor(publish: (gateway: GatewayId, command: Uint8Array) => void) {
    this.#publish = publish;
  }

  /** True: nothing waited before, so the caller has to arrange for a flush. */
  add(gateway: GatewayId, digest: string): boolean {
    const isFirst = this.#waiting.size === 0;
    this.#entry(gateway).digests.push(digest);
    return isFirst;
  }

  /** A word without digests, unless there are some: the collector is there. */
  greet(gateway: GatewayId): void {
    this.#entry(gateway);
  }

  #entry(gateway: GatewayId): { digests: string[] } {
    const key = gatewayKey(gateway);
    let entry = this.#waiting.get(key);
    if (entry === undefined) {
      entry = { gateway, digests: [] };
      this.#waiting.set(key, entry);
    }
    return entry;
  }

  flush(): void {
    const entries = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { gateway, digests } of entries) {
      let from = 0;
      do {
        this.#publish(gateway, encodeAcked(digests.slice(from, from + ACKED_DIGESTS_MAX)));
        from += ACKED_DIGESTS_MAX;
      } while (from < digests.length);
    }
  }
}
