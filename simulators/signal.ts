/** What a simulated channel measures: a random walk around a mean that looks like a machine. */

import type { Random } from './random.ts';

export interface NumberSignal {
  type: 'number';
  mean: number;
  stddev: number;
  /** Ordinary values are held within min..max; outliers and -1 are not. */
  min: number;
  max: number;
  decimals: number;
  /** Correlation of a sample with the one before, 0 (noise) to just below 1 (slow). */
  autocorrelation: number;
  outlierProbability: number;
  /** An outlier lies at least this many standard deviations from the mean. */
  outlierSigmas: number;
  /** Probability of -1, which FMS devices send when a sensor has no value. */
  minusOneProbability: number;
}

export interface BooleanSignal {
  type: 'boolean';
  /** Share of samples that are true. */
  probability: number;
  /** How long a state lasts: correlation of a sample with the one before. */
  autocorrelation: number;
}

export type Signal = NumberSignal | BooleanSignal;

export interface Drawn {
  value: number | boolean;
  mark: 'outlier' | 'minus_one' | undefined;
}

/** One channel's stream. Every draw uses the same count of random numbers, whatever happens in it. */
export class SignalSource {
  readonly signal: Signal;
  readonly #random: Random;
  #deviation = 0;
  #state = false;
  #started = false;

  constructor(signal: Signal, random: Random) {
    this.signal = signal;
    this.#random = random;
  }

  draw(): Drawn {
    const signal = this.signal;
    return signal.type === 'number' ? this.#number(signal) : this.#boolean(signal);
  }

  /** AR(1) whose stationary distribution is normal(mean, stddev): the first sample is drawn from it. */
  #number(signal: NumberSignal): Drawn {
    const random = this.#random;
    const r = this.#started ? signal.autocorrelation : 0;
    this.#started = true;
    this.#deviation = r * this.#deviation + Math.sqrt(1 - r * r) * random.gaussian();
    const isOutlier = random.next() < signal.outlierProbability;
    const side = random.next() < 0.5 ? -1 : 1;
    const excess = Math.abs(random.gaussian());
    const isMinusOne = random.next() < signal.minusOneProbability;
    if (isMinusOne) return { value: -1, mark: 'minus_one' };
    if (isOutlier) {
      const value = signal.mean + side * signal.stddev * (signal.outlierSigmas + excess);
      return { value: round(value, signal.decimals), mark: 'outlier' };
    }
    const value = signal.mean + signal.stddev * this.#deviation;
    const held = Math.min(signal.max, Math.max(signal.min, value));
    return { value: round(held, signal.decimals), mark: undefined };
  }

  /** Two states: with the probability `autocorrelation` the last one stays, otherwise it is drawn anew. */
  #boolean(signal: BooleanSignal): Drawn {
    const isKept = this.#random.next() < signal.autocorrelation && this.#started;
    const isTrue = this.#random.next() < signal.probability;
    this.#started = true;
    if (!isKept) this.#state = isTrue;
    return { value: this.#state, mark: undefined };
  }
}

export function round(value: number, decimals: number): number {
  const factor = 10 ** decimals;
  const rounded = Math.round(value * factor) / factor;
  return rounded === 0 ? 0 : rounded;
}
