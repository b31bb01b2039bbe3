/**
 * What a channel is like as a rule: a slow reference, learnt from the device's running state. Values of 0
 * are not running and teach nothing. First the median of BASELINE_READINGS values that agree; from then on
 * it follows with BASELINE_TAU_MS, each value counting for no more than a small step. While a condition
 * that asks for it holds, nobody tells it of values: it does not follow a fault.
 */

import {
  BASELINE_READINGS,
  BASELINE_SPREAD,
  BASELINE_STEP,
  BASELINE_TAU_MS,
  FRESH_MS,
} from './limits.ts';

/** [time of the newest value, value], or [time, null, values that are to agree]. */
export type EncodedBaseline = readonly [number, number | null, ...number[]];

export class Baseline {
  /** NaN: not learnt yet. */
  value = Number.NaN;
  #lastMs = Number.NaN;
  /** The latest running values, until they agree. */
  #learning: number[] = [];

  /** A good value. */
  learn(value: number, timeMs: number): void {
    if (value === 0) return;
    // A gap is not a time of running; nor is a clock that was set back.
    const elapsedMs = Math.max(0, Math.min(timeMs - this.#lastMs, FRESH_MS)) || 0;
    this.#lastMs = timeMs;
    if (!Number.isNaN(this.value)) {
      const most = Math.abs(this.value) * BASELINE_STEP;
      const off = Math.max(-most, Math.min(most, value - this.value));
      this.value += (off * elapsedMs) / BASELINE_TAU_MS;
      return;
    }
    this.#learning.push(value);
    if (this.#learning.length < BASELINE_READINGS) return;
    const sorted = Float64Array.from(this.#learning).sort();
    const quarter = Math.floor(sorted.length / 4);
    const median = (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
    const spread = sorted[sorted.length - 1 - quarter]! - sorted[quarter]!;
    if (spread <= BASELINE_SPREAD * Math.abs(median)) {
      this.value = median;
      this.#learning = [];
    } else {
      this.#learning.splice(0, BASELINE_READINGS / 6);
    }
  }

  forget(): void {
    this.value = Number.NaN;
    this.#learning = [];
  }

  /** Undefined: nothing was learnt. */
  encode(): EncodedBaseline | undefined {
    if (Number.isNaN(this.#lastMs)) return undefined;
    if (!Number.isNaN(this.value)) return [this.#lastMs, this.value];
    return [this.#lastMs, null, ...this.#learning];
  }

  static decode(encoded: EncodedBaseline | undefined): Baseline {
    const baseline = new Baseline();
    if (encoded === undefined) return baseline;
    const [lastMs, value, ...learning] = encoded;
    baseline.#lastMs = lastMs;
    baseline.value = value ?? Number.NaN;
    baseline.#learning = learning;
    return baseline;
  }
}
