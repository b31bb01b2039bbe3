/**
 * Checks of profile files without holding up the event loop. The thread lives on for a while: somebody who types asks
 * again and again, and starting one takes longer than most checks.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { CollectorError } from '../../errors.ts';
import type { CheckAsked, Checked } from './check_worker.ts';

const TIMEOUT_MS = 30_000;
const IDLE_MS = 60_000;
const HEAP_MAX_MB = 512;
/** The one under way included. */
const CHECKS_MAX = 4;

export class CheckThread {
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * One after the other. Rejects with API_BUSY when too many wait, with the reason of `signal`, or with what went
   * wrong with the thread.
   */
  async check(asked: CheckAsked, signal: AbortSignal): Promise<Checked> {
    if (this.#waiting >= CHECKS_MAX)
      throw new CollectorError('API_BUSY', `${CHECKS_MAX} checks of profiles are under way`);
    this.#waiting++;
    clearTimeout(this.#idle);
    const checked = this.#last.then(() => this.#check(asked, signal));
    this.#last = checked.catch(() => undefined);
    try {
      return await checked;
    } finally {
      this.#waiting--;
      if (this.#waiting === 0) this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
    }
  }

  async #check(asked: CheckAsked, signal: AbortSignal): Promise<Checked> {
    signal.throwIfAborted();
    const worker = this.#worker ?? this.#start();
    try {
      const answer = once(worker, 'message', {
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      worker.ref();
      worker.postMessage(asked);
      const [checked] = (await answer) as [Checked];
      // Idle, it keeps no program from ending.
      worker.unref();
      return checked;
    } catch (error) {
      // It may be at work on what nobody waits for any more.
      this.#end();
      throw error;
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL('./check_worker.ts', import.meta.url), {
      // Not those of a test runner.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB },
    });
    worker.on('error', () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    this.#worker = worker;
    return worker;
  }

  #end(): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
  }
}
