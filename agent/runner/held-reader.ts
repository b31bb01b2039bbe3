/**
 * The reader of one device, in the hands of its runner: made when it is needed, abandoned when it hangs,
 * made anew, closed. What it gives is judged and delivered.
 */

import { within } from '../scheduler.ts';
import type { Reader, ReaderOutput } from '../types.ts';
import { ReaderFailure } from '../types.ts';
import type { Restart, RunnerContext, RunnerEvent } from './contract.ts';
import type { ReaderHealth } from './health.ts';

const HUNG = Symbol('hung');

export class HeldReader {
  readonly health: ReaderHealth;
  readonly #context: RunnerContext;
  #reader: Reader | undefined;
  /** Aborts what the reader is doing now. */
  #current: AbortController | undefined;
  /** Why the reader is to be made anew before it is used again. */
  #restart: Restart | undefined;
  #accepting = 0;

  constructor(context: RunnerContext, health: ReaderHealth) {
    this.#context = context;
    this.health = health;
  }

  /** The sink has not taken everything yet. */
  get isDelivering(): boolean {
    return this.#accepting > 0;
  }

  get restart(): Restart | undefined {
    return this.#restart;
  }

  /** It is made anew before it is used again. */
  renew(restart: Restart): void {
    this.#restart = restart;
  }

  /** Ends what it is doing now, if anything. */
  abort(reason: ReaderFailure): void {
    this.#current?.abort(reason);
  }

  async open(): Promise<Reader> {
    if (this.#restart !== undefined) {
      await this.close();
      this.health.counters.restartsTotal += 1;
      this.emit({ type: 'restarted', ...this.#restart });
      this.#restart = undefined;
    }
    this.#reader ??= this.#context.deps.createReader();
    return this.#reader;
  }

  /** Its work is over; the next one is another. */
  forget(): void {
    this.#reader = undefined;
  }

  /** Never rejects; a reader that does not close in time is abandoned. */
  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader?.kind !== 'polled') return;
    const { deps, settings } = this.#context;
    const closed = reader.close().catch((error: unknown) => this.health.note(asFailure(error)));
    await within(deps.scheduler, settings.graceMs, closed, undefined);
  }

  /** Waits for a reader's promise; one that does not settle in time after its abort is abandoned. */
  async settle<T>(work: Promise<T>, abort: AbortController): Promise<T> {
    this.#current = abort;
    const { settings, stopping } = this.#context;
    // stop() may have come before there was anything to abort.
    if (stopping.aborted) abort.abort(new ReaderFailure('the agent is stopping'));
    const boundMs = settings.kind === 'polled' ? settings.graceMs : settings.stopMs;
    try {
      const result = await this.#unlessHung(work, abort.signal, boundMs);
      if (result !== HUNG) return result as T;
    } finally {
      this.#current = undefined;
    }
    const error = `the reader did not settle within ${boundMs} ms after its abort`;
    this.#restart = { reason: 'hung', error };
    throw new ReaderFailure(error);
  }

  #unlessHung<T>(work: Promise<T>, signal: AbortSignal, boundMs: number): Promise<T | typeof HUNG> {
    return new Promise((resolve, reject) => {
      let cancel = (): void => {};
      const onAbort = (): void => {
        cancel = this.#context.deps.scheduler.after(boundMs, () => resolve(HUNG));
      };
      const settled = (): void => {
        cancel();
        signal.removeEventListener('abort', onAbort);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort);
      work.then(resolve, reject).finally(settled);
    });
  }

  /** Resolves once the sink has it; rejects when the sink refuses, which is noted here. */
  async deliver(output: ReaderOutput): Promise<void> {
    if (output.samples.length === 0 && output.rejects.length === 0) return;
    const { deps, settings } = this.#context;
    this.#accepting += 1;
    try {
      await deps.sink.accept(settings.device, output);
    } catch (error) {
      this.health.note(asFailure(error));
      throw error;
    } finally {
      this.#accepting -= 1;
    }
  }

  /** It gave something. */
  receive(output: ReaderOutput): void {
    const { clock } = this.#context.deps;
    const wasHealthy = this.health.healthy;
    this.health.receive(output, clock.wallMs(), clock.monoMs());
    this.#emitTurn(wasHealthy);
  }

  /** It failed. */
  fail(failure: ReaderFailure, timedOut: boolean): void {
    const wasHealthy = this.health.healthy;
    this.health.fail(failure, timedOut);
    this.#emitTurn(wasHealthy);
  }

  emit(event: RunnerEvent): void {
    this.#context.deps.observer?.event?.(event);
  }

  #emitTurn(wasHealthy: boolean): void {
    const { healthy, lastError } = this.health;
    if (healthy && !wasHealthy) this.emit({ type: 'recovered' });
    if (!healthy && wasHealthy) this.emit({ type: 'failing', error: lastError });
  }
}

/** What a reader threw, as what it should have thrown. */
export function asFailure(error: unknown): ReaderFailure {
  if (error instanceof ReaderFailure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ReaderFailure(message, { cause: error });
}
