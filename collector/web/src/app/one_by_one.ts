/** The same deed for many things, one after the other, with progress, until it is cancelled. */

import { ApiFailure } from '../api/client.ts';

/** Answered 429 or 503: it is asked again after what the answer says, or this long. */
const WAIT_MS = 2_000;
const WAIT_MAX_MS = 60_000;
/** How often one thing is asked again before it counts as failed. */
const AGAIN_MAX = 5;

export interface Failed<T> {
  item: T;
  error: unknown;
}

export interface OneByOneOptions<T> {
  deed: (item: T) => Promise<unknown>;
  onProgress: (done: number) => void;
  /** Aborted: what is under way is finished, the rest is left. */
  signal: AbortSignal;
  /** Injected by tests. */
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Resolves with what failed, whatever it was; never rejects. */
export async function oneByOne<T>(
  items: readonly T[],
  { deed, onProgress, signal, wait = pause }: OneByOneOptions<T>,
): Promise<Failed<T>[]> {
  const failed: Failed<T>[] = [];
  for (const [index, item] of items.entries()) {
    if (signal.aborted) break;
    onProgress(index);
    for (let again = 0; ; again++) {
      try {
        await deed(item);
      } catch (error) {
        const waitMs = waitOf(error);
        if (waitMs !== undefined && again < AGAIN_MAX && !signal.aborted) {
          await wait(waitMs, signal);
          continue;
        }
        failed.push({ item, error });
      }
      break;
    }
  }
  return failed;
}

/** Undefined: asking again would change nothing. */
function waitOf(error: unknown): number | undefined {
  if (!(error instanceof ApiFailure) || (error.status !== 429 && error.status !== 503))
    return undefined;
  const { retryAfterSeconds } = error;
  return retryAfterSeconds === undefined
    ? WAIT_MS
    : Math.min(retryAfterSeconds * 1_000, WAIT_MAX_MS);
}

/** Shorter when it is cancelled. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
