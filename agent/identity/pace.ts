/** How often an enrolled gateway asks its collector for something. Pure. */

/** Milliseconds. */
export interface Pace {
  timeEveryMs: number;
  timeRetryMs: number;
  timeRetryMaxMs: number;
  renewRetryMs: number;
  renewRetryMaxMs: number;
  /** From one that worked to the next one, whatever the clock says. */
  renewPauseMs: number;
  /** For one question and its answer. */
  answerMs: number;
}

export const PACE: Pace = {
  timeEveryMs: 3_600_000,
  timeRetryMs: 1_000,
  timeRetryMaxMs: 300_000,
  renewRetryMs: 60_000,
  renewRetryMaxMs: 6 * 3_600_000,
  renewPauseMs: 6 * 3_600_000,
  answerMs: 15_000,
};

/** The pause after the failure with this number, from 0; each one is twice as long as the one before. */
export function backoff(baseMs: number, maxMs: number, failures: number): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30));
}

/** 0.75 to 1.25 of it. `random` is in [0, 1). */
export function jittered(pauseMs: number, random: () => number): number {
  return pauseMs * (0.75 + random() / 2);
}
