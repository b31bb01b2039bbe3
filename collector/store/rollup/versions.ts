/**
 * Versions of roll-ups' rows (updated_ms): of two rows of a bucket the one with the higher version holds.
 *
 * One process alone counts its own clock up. Of several, each may recompute a bucket that others recompute too, and
 * a statement may be delayed on its way for any time. So the version is the server's clock as it was **before**
 * the statement was sent and **after** what is to be rolled up was committed. Then the row that holds has all
 * readings: were a reading committed at b, its own recount has a version of at least b; the row that holds
 * has at least that version, so its statement read the tables after b.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Share } from '../../shares.ts';
import type { Clock } from '../../types.ts';
import type { Store } from '../store.ts';

const LIMITS = { timeoutMs: 10_000, maxRows: 1, maxMemoryBytes: 64 * 1024 * 1024 };
/** Versions are whole milliseconds: what was committed must lie in an earlier one. Timers may be 1 ms early. */
const APART_MS = 3;

export class Versions {
  readonly #options: { store: Pick<Store, 'query'>; share: Share; clock: Clock };
  readonly #signal: AbortSignal;
  #last = 0;

  constructor(
    options: { store: Pick<Store, 'query'>; share: Share; clock: Clock },
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#signal = signal;
  }

  /** All versions from now on are higher, whatever the clocks do. */
  above(version: number): void {
    this.#last = Math.max(this.#last, version);
  }

  /** Before each run over what is noted by then. Rejects as Store.query does. */
  async refresh(): Promise<void> {
    if (this.#options.share.exclusive) return;
    await delay(APART_MS, undefined, { signal: this.#signal });
    const [row] = await this.#options.store.query<{ now: number }>(
      'SELECT toUnixTimestamp64Milli(now64(3)) AS now',
      {},
      LIMITS,
      this.#signal,
    );
    this.above(Number(row?.now ?? 0) - 1);
  }

  next(): number {
    const ownMs = this.#options.share.exclusive ? Math.floor(this.#options.clock.wallMs()) : 0;
    this.#last = Math.max(ownMs, this.#last + 1);
    return this.#last;
  }
}
