/** How a reader that is asked is kept at work: schedule, timeout, retries, circuit breaker, back-pressure. */

import { sleep } from '../scheduler.ts';
import type { PolledReader, ReaderOutput } from '../types.ts';
import { ReaderFailure } from '../types.ts';
import type { CircuitBreaker } from './breaker.ts';
import type { ReaderLoop, RunnerContext } from './contract.ts';
import type { HeldReader } from './held-reader.ts';
import { asFailure } from './held-reader.ts';
import type { Tick } from './schedule.ts';
import { AlignedSchedule, backoffMs, obeyedMs } from './schedule.ts';

/** Polls of one device that may wait for their commit at once. */
const DELIVERIES_MAX = 1_024;
/** While waiting for a tick, the wall clock is looked at this often. */
const STEP_CHECK_MS = 10_000;

export class PolledLoop implements ReaderLoop {
  readonly #context: RunnerContext;
  readonly #held: HeldReader;
  readonly #breaker: CircuitBreaker;
  readonly #schedule: AlignedSchedule;
  /** Handed over, not yet committed. */
  readonly #deliveries = new Set<Promise<void>>();

  constructor(context: RunnerContext, held: HeldReader, breaker: CircuitBreaker) {
    this.#context = context;
    this.#held = held;
    this.#breaker = breaker;
    const { random } = context.deps;
    this.#schedule = new AlignedSchedule({ ...context.settings, random });
  }

  async run(): Promise<void> {
    const { settings, deps, stopping } = this.#context;
    const { pollAtStart, jitterMs, intervalMs } = settings;
    const { clock, random } = deps;
    if (pollAtStart) {
      await this.#sleep(jitterMs * random());
      if (!stopping.aborted) await this.#ask(clock.monoMs() + intervalMs);
    }
    while (!stopping.aborted) {
      const tick = await this.#waitForTick();
      if (tick === undefined) return;
      const { counters } = this.#held.health;
      counters.skippedTotal += this.#schedule.serve(tick);
      if (this.#breaker.allows(clock.monoMs())) await this.#ask(tick.slotMonoMs + intervalMs);
      else counters.deferredTotal += 1;
    }
  }

  async delivered(): Promise<void> {
    await Promise.all(this.#deliveries);
  }

  /** Undefined: stopping. Waits on the monotonic clock and plans anew when the wall clock is stepped. */
  async #waitForTick(): Promise<Tick | undefined> {
    const { clock } = this.#context.deps;
    let tick = this.#schedule.plan(clock.wallMs(), clock.monoMs());
    for (;;) {
      const remainingMs = tick.dueMonoMs - clock.monoMs();
      if (remainingMs <= 0) return tick;
      await this.#sleep(Math.min(remainingMs, STEP_CHECK_MS));
      if (this.#context.stopping.aborted) return undefined;
      if (this.#schedule.isStale(tick, clock.wallMs(), clock.monoMs())) {
        tick = this.#schedule.plan(clock.wallMs(), clock.monoMs());
      }
    }
  }

  /** One tick: asks, retries while there is time before the next slot, delivers. */
  async #ask(untilMonoMs: number): Promise<void> {
    const { settings, deps, stopping } = this.#context;
    const { clock, random } = deps;
    const { retries, retryBackoffMs: baseMs, retryBackoffMsMax: maxMs } = settings;
    const attemptsMax = this.#breaker.state === 'half_open' ? 1 : 1 + retries;
    for (let attempt = 1; ; attempt++) {
      const result = await this.#attempt();
      if (!(result instanceof ReaderFailure)) {
        this.#breaker.succeed();
        await this.#handOver(result);
        return;
      }
      if (stopping.aborted) return;
      const waitMs = backoffMs(attempt - 1, { baseMs, maxMs, random });
      const isUseless = !result.retryable || result.retryAfterMs !== undefined;
      if (isUseless || attempt >= attemptsMax || clock.monoMs() + waitMs >= untilMonoMs) {
        this.#giveUp(result);
        return;
      }
      await this.#sleep(waitMs);
      if (stopping.aborted) return;
      this.#held.health.counters.retriesTotal += 1;
    }
  }

  /**
   * Delivers without waiting for the commit: a long commit interval or a failing disk must not cost
   * polls, and the buffer bounds its memory itself. At the bound the device is asked no further until
   * the oldest delivery is through.
   */
  async #handOver(output: ReaderOutput): Promise<void> {
    // The sink refusing is noted where it is delivered; the device has nothing to do with it.
    const delivery = this.#held.deliver(output).catch(() => {});
    this.#deliveries.add(delivery);
    void delivery.then(() => this.#deliveries.delete(delivery));
    if (this.#deliveries.size >= DELIVERIES_MAX) await Promise.race(this.#deliveries);
  }

  #giveUp(failure: ReaderFailure): void {
    const before = this.#breaker.state;
    this.#breaker.fail(this.#context.deps.clock.monoMs(), obeyedMs(failure.retryAfterMs));
    if (before === 'closed' && this.#breaker.state === 'open') {
      this.#held.emit({ type: 'breaker_open', error: failure.message });
    }
  }

  /** Asks once. */
  async #attempt(): Promise<ReaderOutput | ReaderFailure> {
    const { clock, scheduler, observer } = this.#context.deps;
    const { timeoutMs } = this.#context.settings;
    const { health } = this.#held;
    const startMonoMs = clock.monoMs();
    const abort = new AbortController();
    // Made only when it is needed: an error with its stack costs more than the rest of an attempt.
    const late: { timeout?: ReaderFailure } = {};
    const cancelTimeout = scheduler.after(timeoutMs, () => {
      late.timeout = new ReaderFailure(`no answer within ${timeoutMs} ms`);
      abort.abort(late.timeout);
    });
    health.counters.pollsTotal += 1;
    try {
      const reader = (await this.#held.open()) as PolledReader;
      const output = await this.#held.settle(reader.poll(abort.signal), abort);
      this.#held.receive(output);
      observer?.polled?.(clock.monoMs() - startMonoMs, health.healthy ? 'ok' : 'bad');
      return output;
    } catch (error) {
      const { timeout } = late;
      const timedOut = timeout !== undefined && abort.signal.reason === timeout;
      const failure = timedOut ? timeout : asFailure(error);
      if (!this.#context.stopping.aborted) this.#held.fail(failure, timedOut);
      observer?.polled?.(clock.monoMs() - startMonoMs, timedOut ? 'timeout' : 'failed');
      return failure;
    } finally {
      cancelTimeout();
    }
  }

  #sleep(delayMs: number): Promise<void> {
    return sleep(this.#context.deps.scheduler, delayMs, this.#context.stopping);
  }
}
