/** Has a reader made anew that has given no good sample for too long, whatever else it does. */

import { ReaderFailure } from '../types.ts';
import type { RunnerContext } from './contract.ts';
import type { HeldReader } from './held-reader.ts';

export class Watchdog {
  readonly #context: RunnerContext;
  readonly #held: HeldReader;
  #fromMonoMs = 0;
  #cancel: () => void = () => {};

  constructor(context: RunnerContext, held: HeldReader) {
    this.#context = context;
    this.#held = held;
  }

  start(): void {
    this.reset();
    this.#look();
  }

  stop(): void {
    this.#cancel();
  }

  /** A new reader begins now: it gets the whole time. */
  reset(): void {
    this.#fromMonoMs = this.#context.deps.clock.monoMs();
  }

  /** Now, and again when the last good sample will be too old. */
  #look(): void {
    const { watchdogMs, kind, intervalMs } = this.#context.settings;
    if (watchdogMs <= 0) return;
    const { clock, scheduler } = this.#context.deps;
    const limitMs = kind === 'polled' ? Math.max(watchdogMs, 2 * intervalMs) : watchdogMs;
    const monoMs = clock.monoMs();
    const { lastGoodMonoMs } = this.#held.health;
    const ageMs = monoMs - Math.max(lastGoodMonoMs, this.#fromMonoMs);
    if (ageMs >= limitMs) {
      this.#fromMonoMs = monoMs;
      // A full disk holds everything back; a new reader would not help.
      if (!this.#held.isDelivering) {
        const error = `no good sample for ${Math.round(monoMs - lastGoodMonoMs)} ms`;
        this.#held.renew({ reason: 'watchdog', error });
        this.#held.abort(new ReaderFailure(error));
      }
    }
    const waitMs = ageMs >= limitMs ? limitMs : limitMs - ageMs;
    this.#cancel = scheduler.after(waitMs, () => this.#look());
  }
}
