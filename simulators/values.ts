/** The channel values of one simulated device, and the faults that change them. */

import type { Strike } from './faults.ts';
import type { Random } from './random.ts';
import type { SignalSource } from './signal.ts';
import { round } from './signal.ts';

export class DeviceValues {
  readonly channels: readonly string[];
  readonly #sources: ReadonlyMap<string, SignalSource>;
  readonly #random: Random;
  readonly #last = new Map<string, unknown>();
  readonly #held = new Map<string, unknown>();

  /** `random` draws what faults leave open. */
  constructor(sources: ReadonlyMap<string, SignalSource>, random: Random) {
    this.channels = [...sources.keys()];
    this.#sources = sources;
    this.#random = random;
  }

  /**
   * A fresh value of each of the channels (all when left out), in their order. What is special about a
   * value is added to `marks`: `outlier:sensor1`, `stuck:motor2`.
   */
  draw(
    strikes: readonly Strike[],
    marks: string[],
    channels: readonly string[] = this.channels,
  ): Map<string, unknown> {
    const values = new Map<string, unknown>();
    for (const channel of channels) {
      const drawn = this.#sources.get(channel)?.draw();
      if (drawn === undefined) continue;
      if (drawn.mark !== undefined) marks.push(`${drawn.mark}:${channel}`);
      values.set(channel, drawn.value);
    }
    this.#strike(values, strikes, marks);
    return values;
  }

  /** Faults that change numbers; what a stuck channel repeats is what it last sent. */
  #strike(values: Map<string, unknown>, strikes: readonly Strike[], marks: string[]): void {
    const stuck = new Set<string>();
    for (const strike of strikes) {
      const { fault } = strike.order;
      if (fault === 'isFail' && values.has('isFail')) {
        values.set('isFail', true);
        marks.push('isFail');
      }
      if (fault === 'drift' || fault === 'spike' || fault === 'minus_one') {
        this.#strikeNumber(values, strike, marks);
      }
      if (fault !== 'stuck') continue;
      const channel = strike.order.channel ?? '';
      stuck.add(channel);
      if (!values.has(channel)) continue;
      if (!this.#held.has(channel))
        this.#held.set(channel, this.#last.get(channel) ?? values.get(channel));
      values.set(channel, this.#held.get(channel));
      marks.push(`stuck:${channel}`);
    }
    for (const channel of this.#held.keys()) if (!stuck.has(channel)) this.#held.delete(channel);
    for (const [channel, value] of values) this.#last.set(channel, value);
  }

  #strikeNumber(values: Map<string, unknown>, strike: Strike, marks: string[]): void {
    const numbers = [...values.keys()].filter((c) => typeof values.get(c) === 'number');
    if (numbers.length === 0) return;
    const channel = strike.order.channel ?? this.#random.pick(numbers);
    const signal = this.#sources.get(channel)?.signal;
    const value = values.get(channel);
    if (signal?.type !== 'number' || typeof value !== 'number') return;
    marks.push(`${strike.order.fault}:${channel}`);
    const { sigmas } = strike.order;
    if (strike.order.fault === 'minus_one') values.set(channel, -1);
    else if (strike.order.fault === 'spike')
      values.set(channel, round(signal.mean + (sigmas ?? 12) * signal.stddev, signal.decimals));
    else {
      const drift = (sigmas ?? 0.1) * signal.stddev * strike.strikes;
      values.set(channel, round(value + drift, signal.decimals));
    }
  }
}
