/** A clock and timers that only move when told to: tests of schedules need no sleeping. */

import type { Scheduler } from '../../agent/scheduler.ts';
import type { Clock } from '../../agent/types.ts';

interface Timer {
  dueMs: number;
  run: () => void;
}

export class VirtualTime {
  #monoMs = 0;
  /** wall = mono + offset. */
  #offsetMs: number;
  #timers = new Set<Timer>();

  constructor(wallMs: number) {
    this.#offsetMs = wallMs;
  }

  readonly clock: Clock = {
    wallMs: () => this.#monoMs + this.#offsetMs,
    monoMs: () => this.#monoMs,
  };

  readonly scheduler: Scheduler = {
    after: (delayMs, run) => {
      const timer = { dueMs: this.#monoMs + Math.max(0, delayMs), run };
      this.#timers.add(timer);
      return () => this.#timers.delete(timer);
    },
  };

  get pendingTimers(): number {
    return this.#timers.size;
  }

  stepWall(ms: number): void {
    this.#offsetMs += ms;
  }

  /** Resolves after `ms` of virtual time. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.scheduler.after(ms, resolve));
  }

  /** Runs what is due within `ms`, in order; between timers all promises settle. */
  async advance(ms: number): Promise<void> {
    const targetMs = this.#monoMs + ms;
    for (;;) {
      await settle();
      const next = [...this.#timers].sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined || next.dueMs > targetMs) break;
      this.#monoMs = Math.max(this.#monoMs, next.dueMs);
      this.#timers.delete(next);
      next.run();
    }
    this.#monoMs = targetMs;
    await settle();
  }
}

/** Lets chains of promises run to their end; none of them waits for anything but virtual time. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
