/** Timers, passed in so that tests run on virtual time. */

export interface Scheduler {
  /** Calls `run` once, no sooner than `delayMs` from now. The returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/** Longest delay that setTimeout takes; a longer one would fire at once. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

export const systemScheduler: Scheduler = {
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(Math.max(0, delayMs), TIMEOUT_MS_MAX));
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or as soon as `signal` aborts. Never rejects. */
export function sleep(scheduler: Scheduler, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      cancel();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = scheduler.after(delayMs, finish);
    signal.addEventListener('abort', finish);
  });
}

/** What `promise` gives, or `fallback` when it takes longer than `delayMs`; a late rejection is swallowed. */
export function within<T, F>(
  scheduler: Scheduler,
  delayMs: number,
  promise: Promise<T>,
  fallback: F,
): Promise<T | F> {
  return new Promise((resolve, reject) => {
    const cancel = scheduler.after(delayMs, () => resolve(fallback));
    promise.then(resolve, reject).finally(cancel);
  });
}
