/** What a runner is given, tells and counts. */

import type { Scheduler } from '../scheduler.ts';
import type { Clock, Reader, Sink } from '../types.ts';
import type { BreakerState } from './breaker.ts';
import type { RunnerCounters } from './health.ts';

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

/** Why a reader is made anew. */
export interface Restart {
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

/** What a runner's parts work with. */
export interface RunnerContext {
  settings: Required<RunnerSettings>;
  deps: RunnerDeps;
  /** Aborts when the runner stops. */
  stopping: AbortSignal;
}

/** How a kind of reader is kept at work. */
export interface ReaderLoop {
  /** Until the runner stops, or there is nothing more to read. Never rejects. */
  run(): Promise<void>;
  /** What it handed over is committed, or refused. */
  delivered(): Promise<void>;
}
