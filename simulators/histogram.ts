/** Durations in logarithmic buckets: bounded memory, quantiles within 2 %. */

const FLOOR_MS = 0.01;
const GROWTH = 1.02;
const LOG_GROWTH = Math.log(GROWTH);
/** The last bucket ends beyond an hour. */
const BUCKETS = Math.ceil(Math.log(3_600_000 / FLOOR_MS) / LOG_GROWTH) + 1;

export class Histogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  add(ms: number): void {
    const bucket = ms <= FLOOR_MS ? 0 : Math.ceil(Math.log(ms / FLOOR_MS) / LOG_GROWTH);
    this.#counts[Math.min(bucket, BUCKETS - 1)]!++;
    this.#count++;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  /** The duration that the share `q` (0..1) of all does not exceed; 0 when there are none. */
  quantileMs(q: number): number {
    const wanted = Math.ceil(q * this.#count);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS && wanted > 0; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= wanted) return Math.min(FLOOR_MS * GROWTH ** bucket, this.#maxMs);
    }
    return 0;
  }
}
