/** A circuit breaker: stops asking a device that does not answer, and probes it now and then. Pure. */

import { backoffMs } from './schedule.ts';

export interface BreakerOptions {
  /** Failed ticks in a row that open it. */
  failures: number;
  /** First pause; each failed probe doubles it up to the maximum. */
  openMs: number;
  openMsMax: number;
  random: () => number;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

export class CircuitBreaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #probes = 0;
  #state: BreakerState = 'closed';
  #notBeforeMonoMs = Number.NEGATIVE_INFINITY;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Monotonic time before which nothing may be asked. */
  get notBeforeMonoMs(): number {
    return this.#notBeforeMonoMs;
  }

  /** May the device be asked now? From open, yes means: this is the probe. */
  allows(monoMs: number): boolean {
    if (monoMs < this.#notBeforeMonoMs) return false;
    if (this.#state === 'open') this.#state = 'half_open';
    return true;
  }

  succeed(): void {
    this.#failures = 0;
    this.#probes = 0;
    this.#state = 'closed';
    this.#notBeforeMonoMs = Number.NEGATIVE_INFINITY;
  }

  /** `retryAfterMs`: what the device asked for; it holds in any state. */
  fail(monoMs: number, retryAfterMs = 0): void {
    this.#failures += 1;
    let pauseMs = retryAfterMs;
    if (this.#state === 'half_open' || this.#failures >= this.#options.failures) {
      const { openMs: baseMs, openMsMax: maxMs, random } = this.#options;
      pauseMs = Math.max(pauseMs, backoffMs(this.#probes, { baseMs, maxMs, random }));
      this.#probes += 1;
      this.#state = 'open';
    }
    this.#notBeforeMonoMs = monoMs + pauseMs;
  }
}
