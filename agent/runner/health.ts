/** What is known of a device's reader: counters, its last good sample, its last error. Pure. */

import { Severity, severityOf } from '../../proto/model.ts';
import type { ReaderOutput } from '../types.ts';

/** Counters since the start; all only grow. */
export interface RunnerCounters {
  pollsTotal: number;
  retriesTotal: number;
  failuresTotal: number;
  timeoutsTotal: number;
  /** Ticks that went by because the poll before, or its commit, was still running. */
  skippedTotal: number;
  /** Ticks that the circuit breaker or a Retry-After held back. */
  deferredTotal: number;
  restartsTotal: number;
  samplesTotal: number;
  valuesTotal: number;
  rejectsTotal: number;
}

const LAST_ERROR_LENGTH_MAX = 256;

export class ReaderHealth {
  readonly counters: RunnerCounters = {
    pollsTotal: 0,
    retriesTotal: 0,
    failuresTotal: 0,
    timeoutsTotal: 0,
    skippedTotal: 0,
    deferredTotal: 0,
    restartsTotal: 0,
    samplesTotal: 0,
    valuesTotal: 0,
    rejectsTotal: 0,
  };
  /** Did the last answer hold a value that is not bad? True until the first answer. */
  healthy = true;
  /** Wall and monotonic time of the last sample with a value that is not bad. */
  lastGoodMs = 0;
  lastGoodMonoMs: number;
  /** Failures, rejects, and outputs that the sink refused. */
  errorsTotal = 0;
  lastError = '';

  constructor(startMonoMs: number) {
    this.lastGoodMonoMs = startMonoMs;
  }

  /** Counts an answer and judges by it. An answer of nothing at all changes nothing. */
  receive(output: ReaderOutput, wallMs: number, monoMs: number): void {
    let values = 0;
    let good = false;
    for (const sample of output.samples) {
      values += sample.values.length;
      good ||= sample.values.some((value) => severityOf(value.quality) !== Severity.BAD);
    }
    this.counters.samplesTotal += output.samples.length;
    this.counters.valuesTotal += values;
    this.counters.rejectsTotal += output.rejects.length;
    this.errorsTotal += output.rejects.length;
    const reject = output.rejects.at(-1);
    if (reject !== undefined) this.#setLastError(`${reject.reason}: ${reject.detail}`);
    if (good) {
      this.lastGoodMs = wallMs;
      this.lastGoodMonoMs = monoMs;
      this.healthy = true;
    } else if (values > 0 || reject !== undefined) {
      if (reject === undefined) this.#setLastError('every value of the answer is bad');
      this.healthy = false;
    }
  }

  /** Nothing was received. */
  fail(error: Error, timedOut: boolean): void {
    this.counters.failuresTotal += 1;
    if (timedOut) this.counters.timeoutsTotal += 1;
    this.note(error);
    this.healthy = false;
  }

  note(error: Error): void {
    this.errorsTotal += 1;
    this.#setLastError(error.message);
  }

  #setLastError(text: string): void {
    this.lastError = text.slice(0, LAST_ERROR_LENGTH_MAX);
  }
}
