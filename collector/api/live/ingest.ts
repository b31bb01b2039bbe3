/**
 * How many readings came in, by site and time of receipt, in memory: the rate that a wall shows. Counted from the
 * log's readings as they pass the live view, so a new process begins without a past.
 */

import type { LiveRecord } from './records.ts';

export const INGEST_STEP_MS = 10_000;
const MINUTE_MS = 60_000;
/** Kept: an hour, the step that fills now, and one for what is late. */
const STEPS = 362;
/** More sites are counted as one without a name. */
const SITES_MAX = 1_000;

interface Ring {
  /** Readings of step n at n % STEPS. */
  counts: Float64Array;
  /** Number of the newest step. */
  newest: number;
}

export class LiveIngest {
  readonly #bySite = new Map<string, Ring>();
  #sinceMs = Number.POSITIVE_INFINITY;

  add(record: Pick<LiveRecord, 'site' | 'receivedMs'>, readings: number): void {
    const { site, receivedMs } = record;
    this.#sinceMs = Math.min(this.#sinceMs, receivedMs);
    const known = this.#bySite.get(site);
    const name = known === undefined && this.#bySite.size >= SITES_MAX ? '' : site;
    const ring = this.#bySite.get(name) ?? { counts: new Float64Array(STEPS), newest: 0 };
    this.#bySite.set(name, ring);
    const step = Math.floor(receivedMs / INGEST_STEP_MS);
    advance(ring, step);
    if (step > ring.newest - STEPS)
      ring.counts[step % STEPS] = (ring.counts[step % STEPS] ?? 0) + readings;
  }

  /** Readings a second in the last three whole steps; null: not counted for that long yet. */
  perSecond(site: string, nowMs: number): number | null {
    const end = Math.floor(nowMs / INGEST_STEP_MS);
    if (this.#sinceMs > (end - 3) * INGEST_STEP_MS) return null;
    return this.#sum(site, end - 3, end) / (3 * (INGEST_STEP_MS / 1_000));
  }

  /** Readings a second of each of `minutes` whole minutes before `endMs`, oldest first; null: before this began to count. */
  byMinute(site: string, endMs: number, minutes: number): (number | null)[] {
    const steps = MINUTE_MS / INGEST_STEP_MS;
    return Array.from({ length: minutes }, (_, i) => {
      const fromMs = endMs - (minutes - i) * MINUTE_MS;
      if (this.#sinceMs > fromMs) return null;
      const from = Math.floor(fromMs / INGEST_STEP_MS);
      return this.#sum(site, from, from + steps) / 60;
    });
  }

  #sum(site: string, from: number, to: number): number {
    const ring = this.#bySite.get(site);
    if (ring === undefined) return 0;
    let sum = 0;
    for (let step = from; step < to; step++)
      if (step <= ring.newest && step > ring.newest - STEPS) sum += ring.counts[step % STEPS] ?? 0;
    return sum;
  }
}

/** Makes `step` the newest one, unless it is already over; what falls out of the ring is forgotten. */
function advance(ring: Ring, step: number): void {
  if (step <= ring.newest) return;
  if (step - ring.newest >= STEPS) ring.counts.fill(0);
  else for (let next = ring.newest + 1; next <= step; next++) ring.counts[next % STEPS] = 0;
  ring.newest = step;
}
