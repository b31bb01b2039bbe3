/**
 * Runs the reader of one device, from start() to stop(). Each device has its own runner, so a slow or dead
 * one delays nobody.
 */

import type { ReaderState } from '../../proto/model.ts';
import { within } from '../scheduler.ts';
import { ReaderFailure } from '../types.ts';
import { CircuitBreaker } from './breaker.ts';
import type {
  ReaderLoop,
  RunnerContext,
  RunnerDeps,
  RunnerSettings,
  RunnerStats,
} from './contract.ts';
import { ReaderHealth } from './health.ts';
import { HeldReader } from './held-reader.ts';
import { PolledLoop } from './polled.ts';
import { PushedLoop } from './pushed.ts';
import { Watchdog } from './watchdog.ts';

const DEFAULTS = {
  pollAtStart: true,
  retryBackoffMs: 250,
  retryBackoffMsMax: 10_000,
  breakerFailures: 5,
  breakerOpenMs: 5_000,
  breakerOpenMsMax: 60_000,
  restartBackoffMs: 1_000,
  restartBackoffMsMax: 60_000,
  graceMs: 1_000,
  stopMs: 4_000,
} as const;

/** Contract: start() once; stop() once, after which nothing of it runs (a hung reader is abandoned). */
export class Runner {
  readonly #context: RunnerContext;
  readonly #stopping = new AbortController();
  readonly #health: ReaderHealth;
  readonly #held: HeldReader;
  readonly #watchdog: Watchdog;
  /** Of a pushed reader it is never used. */
  readonly #breaker: CircuitBreaker;
  readonly #loop: ReaderLoop;
  #loopEnd: Promise<void> = Promise.resolve();
  #running = false;

  constructor(given: RunnerSettings, deps: RunnerDeps) {
    const settings = { ...DEFAULTS, ...given };
    const context = { settings, deps, stopping: this.#stopping.signal };
    this.#context = context;
    const { breakerFailures, breakerOpenMs, breakerOpenMsMax } = settings;
    this.#breaker = new CircuitBreaker({
      failures: breakerFailures,
      openMs: breakerOpenMs,
      openMsMax: Math.max(breakerOpenMs, breakerOpenMsMax),
      random: deps.random,
    });
    this.#health = new ReaderHealth(deps.clock.monoMs());
    this.#held = new HeldReader(context, this.#health);
    this.#watchdog = new Watchdog(context, this.#held);
    this.#loop =
      settings.kind === 'polled'
        ? new PolledLoop(context, this.#held, this.#breaker)
        : new PushedLoop(context, this.#held, this.#watchdog);
  }

  start(): void {
    this.#running = true;
    this.#watchdog.start();
    this.#loopEnd = this.#loop.run().finally(() => this.#rest());
  }

  /** Delivers what was received and closes the reader; resolves within `stopMs` in any case. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#held.abort(new ReaderFailure('the agent is stopping'));
    const end = this.#loopEnd.then(() => this.#loop.delivered()).then(() => this.#held.close());
    const { deps, settings } = this.#context;
    await within(deps.scheduler, settings.stopMs, end, undefined);
    this.#rest();
  }

  state(): ReaderState {
    const { device, reader } = this.#context.settings;
    const { lastGoodMs, errorsTotal, lastError } = this.#health;
    return { device, reader, status: this.#status(), lastGoodMs, errorsTotal, lastError };
  }

  stats(): RunnerStats {
    return { ...this.#health.counters, breaker: this.#breaker.state };
  }

  #status(): ReaderState['status'] {
    if (!this.#running) return 'stopped';
    if (this.#breaker.state !== 'closed') return 'open';
    return this.#health.healthy ? 'ok' : 'failing';
  }

  #rest(): void {
    this.#running = false;
    this.#watchdog.stop();
  }
}
