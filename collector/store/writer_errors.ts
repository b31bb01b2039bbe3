/** Which errors a writer waits out, and how long. */

import { setTimeout as delay } from 'node:timers/promises';
import type { CollectorErrorCode } from '../errors.ts';
import { CollectorError } from '../errors.ts';

const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 15_000;
const PASSING: readonly CollectorErrorCode[] = [
  'LOG_UNAVAILABLE',
  'LOG_FULL',
  'STORE_UNAVAILABLE',
  'STORE_BUSY',
  'STORE_READ_ONLY',
  'STORE_REFUSED',
  'STORE_PASS_REPLACED',
  'STORE_PART_DAMAGED',
];
/** What does not pass in a moment is tried less often: this many times the wait, up to twice the longest. */
const SLOW: readonly CollectorErrorCode[] = ['STORE_BUSY', 'STORE_READ_ONLY', 'STORE_REFUSED'];
const SLOW_FACTOR = 8;

export function hasCode(error: unknown, code: CollectorErrorCode): error is CollectorError {
  return error instanceof CollectorError && error.code === code;
}

export function isOfStore(error: unknown): boolean {
  return error instanceof CollectorError && error.code.startsWith('STORE_');
}

export function doesPass({ code }: CollectorError): boolean {
  return PASSING.includes(code);
}

/** Waits that double from one failure to the next. */
export class Backoff {
  readonly #minMs: number;
  #nextMs: number;

  constructor(minMs = BACKOFF_MIN_MS) {
    this.#minMs = minMs;
    this.#nextMs = minMs;
  }

  reset(): void {
    this.#nextMs = this.#minMs;
  }

  /** How long to wait now, after this error; writers that failed together do not come back together. */
  next(code: CollectorErrorCode): number {
    const isSlow = SLOW.includes(code);
    const ms = isSlow
      ? Math.min(this.#nextMs * SLOW_FACTOR, BACKOFF_MAX_MS * 2)
      : Math.min(this.#nextMs, BACKOFF_MAX_MS);
    this.#nextMs = Math.min(this.#nextMs * 2, BACKOFF_MAX_MS);
    return Math.ceil(ms * (0.5 + Math.random() / 2));
  }
}

/** Never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return delay(ms, undefined, { signal }).catch(() => undefined);
}
