/**
 * From a publish to a durable record: bounds what is in flight, gives up waiting in time, and knows
 * whether the log takes records at all (the door).
 */

import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';
import { CollectorError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Logger, RawKind } from '../types.ts';
import type { BrokerMetrics } from './metrics.ts';

export interface IntakeOptions {
  log: Log;
  partitionOf: (gatewayKey: string, partitionCount: number) => number;
  appendTimeoutMs: number;
  maxBytesInFlight: number;
  metrics: BrokerMetrics;
  logger: Logger;
}

type Settled = (error: CollectorError | undefined) => void;

interface Waiting {
  deadlineMs: number;
  settled: Settled;
}

/** How late a wait may be found to be over. */
const CHECK_INTERVAL_MS = 250;
const CHECKS_PER_TIMEOUT = 10;

export class Intake {
  readonly #options: IntakeOptions;
  /** Those whose caller still waits. */
  readonly #waiting = new Set<Waiting>();
  /** Connections that stopped reading until there is room. */
  readonly #stopped = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  /** Counts until the log has answered, also when nobody waits any more: the memory is still taken. */
  #bytesInFlight = 0;
  #open = true;
  #paused = false;
  #idle: (() => void)[] = [];

  constructor(options: IntakeOptions) {
    this.#options = options;
    const checkMs = Math.min(CHECK_INTERVAL_MS, options.appendTimeoutMs / CHECKS_PER_TIMEOUT);
    const intervalMs = Math.max(1, checkMs);
    this.#timer = setInterval(() => this.#expire(), intervalMs);
    this.#timer.unref();
  }

  /** The log takes records, as far as the last append tells. */
  get open(): boolean {
    return this.#open;
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /**
   * Appends one record. `settled` is called once: when it is durable, refused, or after the timeout,
   * which `waitMsMax` may shorten (for a connection whose keepalive is short).
   */
  append(
    gateway: GatewayId,
    kind: RawKind,
    value: Uint8Array,
    settled: Settled,
    waitMsMax = Number.POSITIVE_INFINITY,
  ): void {
    const { log, partitionOf, metrics, appendTimeoutMs } = this.#options;
    const key = gatewayKey(gateway);
    const deadlineMs = performance.now() + Math.min(appendTimeoutMs, waitMsMax);
    const waiting: Waiting = { deadlineMs, settled };
    this.#waiting.add(waiting);
    this.#bytesInFlight += value.length;
    log.append('raw', partitionOf(key, log.partitionCount), { key, kind, value }).then(
      () => {
        metrics.appended(kind, value.length);
        this.#release(value.length);
        this.noteAppend(true);
        this.#settle(waiting, undefined);
      },
      (error: unknown) => {
        this.#release(value.length);
        this.noteAppend(false);
        this.#settle(waiting, asCollectorError(error));
      },
    );
  }

  /** What an append told of the log; also called for appends that others make (ticks). */
  noteAppend(succeeded: boolean): void {
    if (this.#open === succeeded) return;
    this.#open = succeeded;
    if (succeeded) this.#options.logger.info({}, 'the log takes records again');
    else
      this.#options.logger.warn({}, 'the log is unavailable: nothing is taken in until it is back');
  }

  /** False: stop reading, and `resume` is called once when there is room again. */
  roomOr(resume: () => void): boolean {
    if (!this.#paused && this.#bytesInFlight < this.#options.maxBytesInFlight) return true;
    this.#stopped.add(resume);
    return false;
  }

  forget(resume: () => void): void {
    this.#stopped.delete(resume);
  }

  /** From now on nothing more is read. Resolves when no caller waits any more, or after `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    this.#paused = true;
    if (this.#waiting.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stopped.clear();
  }

  #release(bytes: number): void {
    this.#bytesInFlight -= bytes;
    if (this.#stopped.size === 0 || this.#paused) return;
    // Not at each record: with half of it free again everybody who waits gets a turn.
    if (this.#bytesInFlight > this.#options.maxBytesInFlight / 2) return;
    for (const resume of [...this.#stopped]) {
      if (this.#bytesInFlight >= this.#options.maxBytesInFlight) return;
      this.#stopped.delete(resume);
      resume();
    }
  }

  #settle(waiting: Waiting, error: CollectorError | undefined): void {
    if (!this.#waiting.delete(waiting)) return;
    waiting.settled(error);
    if (this.#waiting.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #expire(): void {
    const nowMs = performance.now();
    for (const waiting of this.#waiting) {
      if (waiting.deadlineMs > nowMs) continue;
      this.noteAppend(false);
      const detail = 'the log did not answer in time';
      this.#settle(waiting, new CollectorError('LOG_UNAVAILABLE', detail));
    }
  }
}

function asCollectorError(error: unknown): CollectorError {
  if (error instanceof CollectorError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new CollectorError('LOG_UNAVAILABLE', detail, { cause: error });
}
