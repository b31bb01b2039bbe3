/**
 * What to recompute when the log does not tell: after an upgrade of a store that had no roll-ups, when the
 * log was replaced, when it was trimmed past the roll-ups' position.
 */

import type { Store } from '../store.ts';
import type { Touch } from './records.ts';
import type { MinuteRange, Touched } from './touched.ts';

const LIMITS = { timeoutMs: 300_000, maxRows: 1_000_000, maxMemoryBytes: 1024 * 1024 * 1024 };
const DAY_MS = 86_400_000;
const DAY_MINUTES = 1_440;

/** So many ranges of minutes wait at a time. */
const RANGES_MAX = 256;

export class Rebuild {
  readonly #store: Pick<Store, 'query'>;
  readonly #signal: AbortSignal;
  /** Readings received since then may lack their roll-ups; +Infinity: none. */
  #askedSinceMs = Number.POSITIVE_INFINITY;
  #underWay: { sinceMs: number; touches: AsyncGenerator<Touch> } | undefined;

  constructor(store: Pick<Store, 'query'>, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
  }

  get active(): boolean {
    return this.#underWay !== undefined || this.#askedSinceMs !== Number.POSITIVE_INFINITY;
  }

  /** Asks for all that was received since; it is gone through after what is under way. */
  since(receivedMs: number): void {
    this.#askedSinceMs = Math.min(this.#askedSinceMs, receivedMs);
  }

  /** Adds the next devices once those before are done. Rejects as Store.query does, and then begins anew. */
  async feed(touched: Touched): Promise<void> {
    if (!this.active || !touched.empty) return;
    const { sinceMs, touches } = this.#underWay ?? this.#begin();
    try {
      while (touched.ranges < RANGES_MAX) {
        const { value, done } = await touches.next();
        if (done) {
          this.#underWay = undefined;
          return;
        }
        const { site, device, channels, ranges } = value;
        for (const range of ranges) touched.put(site, device, channels, range);
      }
    } catch (error) {
      this.since(sinceMs);
      this.#underWay = undefined;
      throw error;
    }
  }

  #begin(): { sinceMs: number; touches: AsyncGenerator<Touch> } {
    const sinceMs = this.#askedSinceMs;
    this.#askedSinceMs = Number.POSITIVE_INFINITY;
    this.#underWay = { sinceMs, touches: touchesSince(this.#store, sinceMs, this.#signal) };
    return this.#underWay;
  }
}

/** Device by device: the days of which readings were received at `sinceMs` or later. */
async function* touchesSince(
  store: Pick<Store, 'query'>,
  sinceMs: number,
  signal: AbortSignal,
): AsyncGenerator<Touch> {
  const devices = await store.query<{ site: string; device: string; channels: number }>(
    `SELECT site, device, uniqExact(channel) AS channels FROM readings
WHERE received_ms >= {since:Int64} GROUP BY site, device ORDER BY site, device`,
    { since: sinceMs },
    LIMITS,
    signal,
  );
  for (const { site, device, channels } of devices) {
    const days = await store.query<{ day: number }>(
      `SELECT DISTINCT toInt64(floor(time_ms / ${DAY_MS})) AS day FROM readings
WHERE site = {site:String} AND device = {device:String} AND received_ms >= {since:Int64}
ORDER BY day`,
      { site, device, since: sinceMs },
      LIMITS,
      signal,
    );
    const ranges = rangesOf(days.map(({ day }) => Number(day)));
    yield { site, device, channels: Number(channels), ranges };
  }
}

/** Ascending days → minutes. */
function rangesOf(days: readonly number[]): MinuteRange[] {
  const ranges: MinuteRange[] = [];
  for (const day of days) {
    const from = day * DAY_MINUTES;
    const last = ranges.at(-1);
    if (last !== undefined && last.to === from) last.to += DAY_MINUTES;
    else ranges.push({ from, to: from + DAY_MINUTES });
  }
  return ranges;
}
