/** Slows down who guesses tokens, by address. The secrets are of 128 bits: this is for the log and the processor's sake. */

import { networkOf } from '../access/throttle.ts';
import type { Clock } from '../types.ts';

/** Attempts without a wait: forty gateways behind one address may be set up with some mistakes. */
const FREE = 50;
const WAIT_MIN_MS = 1_000;
const WAIT_MAX_MS = 300_000;
/** Without attempts for so long all is forgotten. */
const FORGOTTEN_MS = 3_600_000;
/** At the bound the one that was quiet for longest is forgotten. */
const ENTRIES_MAX = 10_000;

interface Entry {
  attempts: number;
  lastMs: number;
}

export class AttemptThrottle {
  readonly #clock: Clock;
  /** The one that was quiet for longest comes first. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** 0: go on, and it is counted; otherwise milliseconds to wait, and nothing is. */
  begin(address: string): number {
    const network = networkOf(address);
    const nowMs = this.#clock.wallMs();
    const known = this.#entries.get(network);
    const isKnown = known !== undefined && Math.abs(nowMs - known.lastMs) < FORGOTTEN_MS;
    const attempts = isKnown ? known.attempts : 0;
    const over = attempts - FREE;
    const waitMs = over < 0 ? 0 : Math.min(WAIT_MIN_MS * 2 ** Math.min(over, 30), WAIT_MAX_MS);
    // A clock that was set back keeps nobody out for longer than the wait.
    const leftMs = isKnown ? Math.min(known.lastMs, nowMs) + waitMs - nowMs : 0;
    if (leftMs > 0) return leftMs;
    this.#entries.delete(network);
    this.#entries.set(network, { attempts: attempts + 1, lastMs: nowMs });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > ENTRIES_MAX && oldest !== undefined) this.#entries.delete(oldest);
    return 0;
  }

  /** It was right, or came to no answer: it does not count. */
  undo(address: string): void {
    const network = networkOf(address);
    const entry = this.#entries.get(network);
    if (entry === undefined) return;
    entry.attempts--;
    if (entry.attempts <= 0) this.#entries.delete(network);
  }
}
