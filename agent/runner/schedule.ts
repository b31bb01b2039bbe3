/** When a device is asked: at the wall clock's multiples of its interval; how long after a failure. Pure. */

/** A planned question. */
export interface Tick {
  /** The multiple of the interval, UTC milliseconds. */
  slotMs: number;
  /** Monotonic time of the slot itself, and of the question (slot plus jitter). */
  slotMonoMs: number;
  dueMonoMs: number;
}

/** A wall clock that moved this much against the monotonic one was stepped, not slewed. */
const STEP_MS = 500;

/**
 * Plans one tick after another. Waiting is done on the monotonic clock; `isStale` tells when the wall
 * clock was stepped meanwhile and the tick must be planned anew. The wait is never longer than one
 * interval plus jitter (two, when the last tick came a moment early).
 */
export class AlignedSchedule {
  readonly #intervalMs: number;
  readonly #jitterMs: number;
  readonly #random: () => number;
  #last: Tick | undefined;

  constructor(options: { intervalMs: number; jitterMs: number; random: () => number }) {
    this.#intervalMs = options.intervalMs;
    this.#jitterMs = Math.min(options.jitterMs, options.intervalMs);
    this.#random = options.random;
  }

  /** The next slot strictly after now. */
  plan(wallMs: number, monoMs: number): Tick {
    let slotMs = (Math.floor(wallMs / this.#intervalMs) + 1) * this.#intervalMs;
    const last = this.#last;
    // A slewed clock may still stand a little before the slot that was just served.
    const early = Math.min(STEP_MS, this.#intervalMs / 2);
    if (last !== undefined && slotMs === last.slotMs && last.slotMs - wallMs <= early) {
      slotMs += this.#intervalMs;
    }
    const slotMonoMs = monoMs + (slotMs - wallMs);
    return { slotMs, slotMonoMs, dueMonoMs: slotMonoMs + this.#jitterMs * this.#random() };
  }

  isStale(tick: Tick, wallMs: number, monoMs: number): boolean {
    return Math.abs(tick.slotMs - wallMs - (tick.slotMonoMs - monoMs)) > STEP_MS;
  }

  /** Notes that `tick` is being served; answers how many slots went by unserved since the one before. */
  serve(tick: Tick): number {
    const last = this.#last;
    this.#last = tick;
    if (last === undefined) return 0;
    const slots = Math.round((tick.slotMonoMs - last.slotMonoMs) / this.#intervalMs);
    return Math.max(0, slots - 1);
  }
}

/** Exponential backoff with jitter: between half of and all of min(max, base × 2^attempt); attempts from 0. */
export function backoffMs(
  attempt: number,
  options: { baseMs: number; maxMs: number; random: () => number },
): number {
  const full = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 40));
  return full * (0.5 + options.random() / 2);
}

/** Longest Retry-After that is obeyed. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/** The pause that a failure asked for, as far as it is obeyed; 0: none. */
export function obeyedMs(retryAfterMs: number | undefined): number {
  return Math.min(retryAfterMs ?? 0, RETRY_AFTER_MS_MAX);
}
