/** The life of a collector from its start to its end: what ends it, and what may end while the rest goes on. */

import { CollectorError } from '../errors.ts';
import type { Clock, Logger } from '../types.ts';

export class Lifetime {
  /** Resolves when a part ended that the collector cannot do without; with undefined after ended(). */
  readonly failed: Promise<CollectorError | undefined>;
  readonly startedMs: number;
  readonly #resolveFailed: (error: CollectorError | undefined) => void;
  readonly #logger: Logger;
  readonly #ending = new AbortController();
  readonly #dead = new Map<string, CollectorError>();

  constructor({ clock, logger }: { clock: Clock; logger: Logger }) {
    this.startedMs = clock.wallMs();
    this.#logger = logger;
    const { promise, resolve } = Promise.withResolvers<CollectorError | undefined>();
    this.failed = promise;
    this.#resolveFailed = resolve;
  }

  /** Aborts when the end begins. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Parts that ended for good while the others go on; by name. */
  get dead(): ReadonlyMap<string, CollectorError> {
    return this.#dead;
  }

  /** Goes on beside the start, which does not wait for it. What it cannot get over ends the collector. */
  later(starting: Promise<void>): void {
    starting.catch((error: unknown) => {
      if (this.signal.aborted) return;
      this.#resolveFailed(
        error instanceof CollectorError
          ? error
          : new CollectorError('COLLECTOR_CRASHED', String(error), { cause: error }),
      );
    });
  }

  /**
   * `failed`: resolves with why the part ended for good, or with undefined after a clean end. Such a part does
   * not take intake with it, unless another process has the data.
   */
  watch(name: string, failed: Promise<CollectorError | undefined>): void {
    void failed.then((error) => {
      if (error === undefined || this.signal.aborted) return;
      this.#dead.set(name, error);
      if (error.code === 'LOG_FENCED') this.#resolveFailed(error);
      else
        this.#logger.error(
          { code: error.code, hint: error.hint, part: name },
          `${name} stopped; intake goes on: ${error.message}`,
        );
    });
  }

  /** The end begins: what fails from now on is no failure. */
  end(): void {
    this.#ending.abort();
  }

  /** All parts have ended. */
  ended(): void {
    this.#resolveFailed(undefined);
  }
}
