/** How a reader that speaks by itself is kept at work: started, and started again with growing pauses. */

import { sleep } from '../scheduler.ts';
import type { PushedReader, ReaderOutput } from '../types.ts';
import { ReaderFailure } from '../types.ts';
import type { ReaderLoop, RunnerContext } from './contract.ts';
import type { HeldReader } from './held-reader.ts';
import { asFailure } from './held-reader.ts';
import { backoffMs, obeyedMs } from './schedule.ts';
import type { Watchdog } from './watchdog.ts';

export class PushedLoop implements ReaderLoop {
  readonly #context: RunnerContext;
  readonly #held: HeldReader;
  readonly #watchdog: Watchdog;

  constructor(context: RunnerContext, held: HeldReader, watchdog: Watchdog) {
    this.#context = context;
    this.#held = held;
    this.#watchdog = watchdog;
  }

  async run(): Promise<void> {
    const { settings, deps, stopping } = this.#context;
    const { restartBackoffMs: baseMs, restartBackoffMsMax: maxMs } = settings;
    const { health } = this.#held;
    for (let failures = 0; !stopping.aborted; ) {
      const goodBeforeMonoMs = health.lastGoodMonoMs;
      const end = await this.#runOnce();
      if (stopping.aborted) return;
      if (end === 'finished') {
        this.#held.emit({ type: 'finished' });
        return;
      }
      failures = health.lastGoodMonoMs > goodBeforeMonoMs ? 0 : failures + 1;
      const pauseMs = backoffMs(Math.max(0, failures - 1), { baseMs, maxMs, random: deps.random });
      const waitMs = Math.max(pauseMs, obeyedMs(end?.retryAfterMs));
      await sleep(deps.scheduler, waitMs, stopping);
      if (stopping.aborted) return;
      this.#watchdog.reset();
      if (this.#held.restart === undefined) {
        this.#held.renew({ reason: 'ended', error: end?.message ?? '' });
      }
    }
  }

  /** Such a reader waits for each commit before it gives more. */
  delivered(): Promise<void> {
    return Promise.resolve();
  }

  /** One life of the reader. Undefined: it ended by itself and wants to be started again. */
  async #runOnce(): Promise<ReaderFailure | 'finished' | undefined> {
    const abort = new AbortController();
    let isOver = false;
    const emit = async (output: ReaderOutput): Promise<void> => {
      if (isOver) throw new ReaderFailure('this reader was abandoned');
      this.#held.receive(output);
      await this.#held.deliver(output);
    };
    try {
      const reader = (await this.#held.open()) as PushedReader;
      await this.#held.settle(reader.run(emit, abort.signal), abort);
      return !abort.signal.aborted && reader.restartAtEnd === false ? 'finished' : undefined;
    } catch (error) {
      const failure = asFailure(error);
      if (!this.#context.stopping.aborted) this.#held.fail(failure, false);
      return failure;
    } finally {
      isOver = true;
      this.#held.forget();
    }
  }
}
