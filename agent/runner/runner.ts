/**
 * Runs the reader of one device: schedule, timeout, retries, circuit breaker, watchdog, back-pressure,
 * health. Each device has its own runner, so a slow or dead one delays nobody.
 */

import type { ReaderState } from '../../proto/model.ts';
import type { Scheduler } from '../scheduler.ts';
import { sleep, within } from '../scheduler.ts';
import type { Clock, PolledReader, PushedReader, Reader, ReaderOutput, Sink } from '../types.ts';
import { ReaderFailure } from '../types.ts';
import type { BreakerState } from './breaker.ts';
import { CircuitBreaker } from './breaker.ts';
import type { RunnerCounters } from './health.ts';
import { ReaderHealth } from './health.ts';
import type { Tick } from './schedule.ts';
import { AlignedSchedule, backoffMs } from './schedule.ts';

export interface RunnerSettings {
  device: string;
  /** The reader's registry name, for the state. */
  reader: string;
  kind: Reader['kind'];
  /** Polled readers are asked at the wall clock's multiples of this, plus up to `jitterMs`. */
  intervalMs: number;
  jitterMs: number;
  /** How long one poll may take. */
  timeoutMs: number;
  /** Further attempts after a failed poll, with backoff, as far as they fit before the next tick. */
  retries: number;
  /**
   * Age of the last good sample at which the reader is closed and made anew; 0: never. Of a polled
   * reader at least two intervals.
   */
  watchdogMs: number;
  /** Ask once at the start instead of waiting for the first tick; default true. */
  pollAtStart?: boolean;
  retryBackoffMs?: number;
  retryBackoffMsMax?: number;
  /** Failed ticks in a row that open the circuit breaker. */
  breakerFailures?: number;
  breakerOpenMs?: number;
  breakerOpenMsMax?: number;
  /** Pause before a pushed reader that ended or failed is started again; doubles up to the maximum. */
  restartBackoffMs?: number;
  restartBackoffMsMax?: number;
  /** How long after an abort a polled reader may take to settle before it is abandoned. */
  graceMs?: number;
  /** Bound of stop(), and of a pushed reader's end after its abort. */
  stopMs?: number;
}

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

/** Polls of one device that may wait for their commit at once. */
const DELIVERIES_MAX = 1_024;
/** Longest Retry-After that is obeyed. */
const RETRY_AFTER_MS_MAX = 3_600_000;
/** While waiting for a tick, the wall clock is looked at this often. */
const STEP_CHECK_MS = 10_000;

interface Restart {
  reason: 'watchdog' | 'hung' | 'ended';
  error: string;
}

export type RunnerEvent =
  | { type: 'recovered' }
  | { type: 'failing'; error: string }
  | { type: 'breaker_open'; error: string }
  | ({ type: 'restarted' } & Restart)
  | { type: 'finished' };

/** Hooks for metrics and the log; they must not throw. */
export interface RunnerObserver {
  /** A poll settled: from the question to the answer, accepting not included. */
  polled?(durationMs: number, outcome: 'ok' | 'bad' | 'failed' | 'timeout'): void;
  event?(event: RunnerEvent): void;
}

export interface RunnerDeps {
  /** Called at the start and for each restart. */
  createReader(): Reader;
  sink: Sink;
  clock: Clock;
  scheduler: Scheduler;
  /** Uniform in [0, 1). */
  random(): number;
  observer?: RunnerObserver;
}

export interface RunnerStats extends RunnerCounters {
  breaker: BreakerState;
}

const HUNG = Symbol('hung');

/** Contract: start() once; stop() once, after which nothing of it runs (a hung reader is abandoned). */
export class Runner {
  readonly #settings: Required<RunnerSettings>;
  readonly #deps: RunnerDeps;
  readonly #breaker: CircuitBreaker;
  readonly #schedule: AlignedSchedule;
  readonly #health: ReaderHealth;
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #reader: Reader | undefined;
  /** Aborts what the reader is doing now. */
  #current: AbortController | undefined;
  /** Why the reader is to be made anew before it is used again. */
  #restart: Restart | undefined;
  #accepting = 0;
  /** Of a polled reader: handed over, not yet committed. */
  readonly #deliveries = new Set<Promise<void>>();
  #running = false;
  #watchdogFromMonoMs = 0;
  #cancelWatchdog: () => void = () => {};

  constructor(settings: RunnerSettings, deps: RunnerDeps) {
    this.#settings = { ...DEFAULTS, ...settings };
    this.#deps = deps;
    const { random } = deps;
    const { breakerFailures, breakerOpenMs, breakerOpenMsMax } = this.#settings;
    this.#breaker = new CircuitBreaker({
      failures: breakerFailures,
      openMs: breakerOpenMs,
      openMsMax: Math.max(breakerOpenMs, breakerOpenMsMax),
      random,
    });
    this.#schedule = new AlignedSchedule({ ...this.#settings, random });
    this.#health = new ReaderHealth(deps.clock.monoMs());
  }

  start(): void {
    this.#running = true;
    this.#watchdogFromMonoMs = this.#deps.clock.monoMs();
    this.#watch();
    const loop = this.#settings.kind === 'polled' ? this.#runPolled() : this.#runPushed();
    this.#loop = loop.finally(() => {
      this.#running = false;
      this.#cancelWatchdog();
    });
  }

  /** Delivers what was received and closes the reader; resolves within `stopMs` in any case. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#current?.abort(new ReaderFailure('the agent is stopping'));
    const end = this.#loop
      .then(() => Promise.all(this.#deliveries))
      .then(() => this.#closeReader());
    await within(this.#deps.scheduler, this.#settings.stopMs, end, undefined);
    this.#running = false;
    this.#cancelWatchdog();
  }

  state(): ReaderState {
    const { device, reader } = this.#settings;
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

  // Polled readers

  async #runPolled(): Promise<void> {
    const { pollAtStart, jitterMs, intervalMs } = this.#settings;
    const { clock, random } = this.#deps;
    if (pollAtStart) {
      await this.#sleep(jitterMs * random());
      if (!this.#stopping.signal.aborted) await this.#ask(clock.monoMs() + intervalMs);
    }
    while (!this.#stopping.signal.aborted) {
      const tick = await this.#waitForTick();
      if (tick === undefined) return;
      this.#health.counters.skippedTotal += this.#schedule.serve(tick);
      if (this.#breaker.allows(clock.monoMs())) await this.#ask(tick.slotMonoMs + intervalMs);
      else this.#health.counters.deferredTotal += 1;
    }
  }

  /** Undefined: stopping. Waits on the monotonic clock and plans anew when the wall clock is stepped. */
  async #waitForTick(): Promise<Tick | undefined> {
    const { clock } = this.#deps;
    let tick = this.#schedule.plan(clock.wallMs(), clock.monoMs());
    for (;;) {
      const remainingMs = tick.dueMonoMs - clock.monoMs();
      if (remainingMs <= 0) return tick;
      await this.#sleep(Math.min(remainingMs, STEP_CHECK_MS));
      if (this.#stopping.signal.aborted) return undefined;
      if (this.#schedule.isStale(tick, clock.wallMs(), clock.monoMs())) {
        tick = this.#schedule.plan(clock.wallMs(), clock.monoMs());
      }
    }
  }

  /** One tick: asks, retries while there is time before the next slot, delivers. */
  async #ask(untilMonoMs: number): Promise<void> {
    const { clock, random } = this.#deps;
    const { retries, retryBackoffMs: baseMs, retryBackoffMsMax: maxMs } = this.#settings;
    const attemptsMax = this.#breaker.state === 'half_open' ? 1 : 1 + retries;
    for (let attempt = 1; ; attempt++) {
      const result = await this.#attempt();
      if (!(result instanceof ReaderFailure)) {
        this.#breaker.succeed();
        await this.#handOver(result);
        return;
      }
      if (this.#stopping.signal.aborted) return;
      const waitMs = backoffMs(attempt - 1, { baseMs, maxMs, random });
      const isUseless = !result.retryable || result.retryAfterMs !== undefined;
      if (isUseless || attempt >= attemptsMax || clock.monoMs() + waitMs >= untilMonoMs) {
        this.#giveUp(result);
        return;
      }
      await this.#sleep(waitMs);
      if (this.#stopping.signal.aborted) return;
      this.#health.counters.retriesTotal += 1;
    }
  }

  /**
   * Delivers without waiting for the commit: a long commit interval or a failing disk must not cost
   * polls, and the buffer bounds its memory itself. At the bound the device is asked no further until
   * the oldest delivery is through.
   */
  async #handOver(output: ReaderOutput): Promise<void> {
    // The sink refusing is noted in #deliver; the device has nothing to do with it.
    const delivery = this.#deliver(output).catch(() => {});
    this.#deliveries.add(delivery);
    void delivery.then(() => this.#deliveries.delete(delivery));
    if (this.#deliveries.size >= DELIVERIES_MAX) await Promise.race(this.#deliveries);
  }

  #giveUp(failure: ReaderFailure): void {
    const before = this.#breaker.state;
    const retryAfterMs = Math.min(failure.retryAfterMs ?? 0, RETRY_AFTER_MS_MAX);
    this.#breaker.fail(this.#deps.clock.monoMs(), retryAfterMs);
    if (before === 'closed' && this.#breaker.state === 'open') {
      this.#emit({ type: 'breaker_open', error: failure.message });
    }
  }

  /** Asks once. */
  async #attempt(): Promise<ReaderOutput | ReaderFailure> {
    const { clock, scheduler, observer } = this.#deps;
    const { timeoutMs } = this.#settings;
    const startMonoMs = clock.monoMs();
    const abort = new AbortController();
    // Made only when it is needed: an error with its stack costs more than the rest of an attempt.
    const late: { timeout?: ReaderFailure } = {};
    const cancelTimeout = scheduler.after(timeoutMs, () => {
      late.timeout = new ReaderFailure(`no answer within ${timeoutMs} ms`);
      abort.abort(late.timeout);
    });
    this.#health.counters.pollsTotal += 1;
    try {
      const reader = (await this.#openReader()) as PolledReader;
      const output = await this.#settle(reader.poll(abort.signal), abort);
      this.#receive(output);
      observer?.polled?.(clock.monoMs() - startMonoMs, this.#health.healthy ? 'ok' : 'bad');
      return output;
    } catch (error) {
      const { timeout } = late;
      const timedOut = timeout !== undefined && abort.signal.reason === timeout;
      const failure = timedOut ? timeout : asFailure(error);
      if (!this.#stopping.signal.aborted) this.#fail(failure, timedOut);
      observer?.polled?.(clock.monoMs() - startMonoMs, timedOut ? 'timeout' : 'failed');
      return failure;
    } finally {
      cancelTimeout();
    }
  }

  // Pushed readers

  async #runPushed(): Promise<void> {
    const { restartBackoffMs: baseMs, restartBackoffMsMax: maxMs } = this.#settings;
    const { clock, random } = this.#deps;
    for (let failures = 0; !this.#stopping.signal.aborted; ) {
      const goodBeforeMonoMs = this.#health.lastGoodMonoMs;
      const end = await this.#runOnce();
      if (this.#stopping.signal.aborted) return;
      if (end === 'finished') {
        this.#emit({ type: 'finished' });
        return;
      }
      failures = this.#health.lastGoodMonoMs > goodBeforeMonoMs ? 0 : failures + 1;
      const retryAfterMs = Math.min(end?.retryAfterMs ?? 0, RETRY_AFTER_MS_MAX);
      const pauseMs = backoffMs(Math.max(0, failures - 1), { baseMs, maxMs, random });
      await this.#sleep(Math.max(pauseMs, retryAfterMs));
      if (this.#stopping.signal.aborted) return;
      this.#watchdogFromMonoMs = clock.monoMs();
      this.#restart ??= { reason: 'ended', error: end?.message ?? '' };
    }
  }

  /** One life of a pushed reader. Undefined: it ended by itself and wants to be started again. */
  async #runOnce(): Promise<ReaderFailure | 'finished' | undefined> {
    const abort = new AbortController();
    let isOver = false;
    const emit = async (output: ReaderOutput): Promise<void> => {
      if (isOver) throw new ReaderFailure('this reader was abandoned');
      this.#receive(output);
      await this.#deliver(output);
    };
    try {
      const reader = (await this.#openReader()) as PushedReader;
      await this.#settle(reader.run(emit, abort.signal), abort);
      return !abort.signal.aborted && reader.restartAtEnd === false ? 'finished' : undefined;
    } catch (error) {
      const failure = asFailure(error);
      if (!this.#stopping.signal.aborted) this.#fail(failure, false);
      return failure;
    } finally {
      isOver = true;
      this.#reader = undefined;
    }
  }

  // Both

  async #openReader(): Promise<Reader> {
    if (this.#restart !== undefined) {
      await this.#closeReader();
      this.#health.counters.restartsTotal += 1;
      this.#emit({ type: 'restarted', ...this.#restart });
      this.#restart = undefined;
    }
    this.#reader ??= this.#deps.createReader();
    return this.#reader;
  }

  async #closeReader(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader?.kind !== 'polled') return;
    const closed = reader.close().catch((error: unknown) => this.#health.note(asFailure(error)));
    await within(this.#deps.scheduler, this.#settings.graceMs, closed, undefined);
  }

  /** Waits for a reader's promise; one that does not settle in time after its abort is abandoned. */
  async #settle<T>(work: Promise<T>, abort: AbortController): Promise<T> {
    this.#current = abort;
    // stop() may have come before there was anything to abort.
    if (this.#stopping.signal.aborted) abort.abort(new ReaderFailure('the agent is stopping'));
    const { graceMs, stopMs, kind } = this.#settings;
    const boundMs = kind === 'polled' ? graceMs : stopMs;
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
        cancel = this.#deps.scheduler.after(boundMs, () => resolve(HUNG));
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

  async #deliver(output: ReaderOutput): Promise<void> {
    if (output.samples.length === 0 && output.rejects.length === 0) return;
    this.#accepting += 1;
    try {
      await this.#deps.sink.accept(this.#settings.device, output);
    } catch (error) {
      this.#health.note(asFailure(error));
      throw error;
    } finally {
      this.#accepting -= 1;
    }
  }

  #receive(output: ReaderOutput): void {
    const wasHealthy = this.#health.healthy;
    this.#health.receive(output, this.#deps.clock.wallMs(), this.#deps.clock.monoMs());
    this.#emitTurn(wasHealthy);
  }

  #fail(failure: ReaderFailure, timedOut: boolean): void {
    const wasHealthy = this.#health.healthy;
    this.#health.fail(failure, timedOut);
    this.#emitTurn(wasHealthy);
  }

  #emitTurn(wasHealthy: boolean): void {
    const { healthy, lastError } = this.#health;
    if (healthy && !wasHealthy) this.#emit({ type: 'recovered' });
    if (!healthy && wasHealthy) this.#emit({ type: 'failing', error: lastError });
  }

  /** The watchdog: looks now, and again when the last good sample will be too old. */
  #watch(): void {
    const { watchdogMs, kind, intervalMs } = this.#settings;
    if (watchdogMs <= 0) return;
    const { clock, scheduler } = this.#deps;
    const limitMs = kind === 'polled' ? Math.max(watchdogMs, 2 * intervalMs) : watchdogMs;
    const monoMs = clock.monoMs();
    const ageMs = monoMs - Math.max(this.#health.lastGoodMonoMs, this.#watchdogFromMonoMs);
    if (ageMs >= limitMs) {
      this.#watchdogFromMonoMs = monoMs;
      // A full disk holds everything back; a new reader would not help.
      if (this.#accepting === 0) {
        const error = `no good sample for ${Math.round(monoMs - this.#health.lastGoodMonoMs)} ms`;
        this.#restart = { reason: 'watchdog', error };
        this.#current?.abort(new ReaderFailure(error));
      }
    }
    const waitMs = ageMs >= limitMs ? limitMs : limitMs - ageMs;
    this.#cancelWatchdog = scheduler.after(waitMs, () => this.#watch());
  }

  #emit(event: RunnerEvent): void {
    this.#deps.observer?.event?.(event);
  }

  #sleep(delayMs: number): Promise<void> {
    return sleep(this.#deps.scheduler, delayMs, this.#stopping.signal);
  }
}

function asFailure(error: unknown): ReaderFailure {
  if (error instanceof ReaderFailure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ReaderFailure(message, { cause: error });
}
