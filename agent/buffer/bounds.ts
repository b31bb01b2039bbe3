/** How large the buffer may be now, and when it will be full. Pure. */

import { GapReason } from '../../proto/model.ts';

const MIB = 1024 * 1024;
/** Below the free-disk floor the buffer shrinks to this at most: a disk that is always low keeps a buffer. */
const KEEP_BYTES = 64 * MIB;
/** The buffer stops growing while the disk has this much left, so that its own commits never fill it. */
const DISK_RESERVE_BYTES = MIB;
export const MAX_BYTES_MIN = MIB;

export interface Cap {
  bytes: number;
  /** What an eviction for this cap is declared as. */
  reason: typeof GapReason.EVICTED_BYTES | typeof GapReason.EVICTED_DISK;
}

/**
 * The cap on file and WAL. `max_bytes` if the disk has room; below the free-disk floor what restores the
 * floor, but not less than KEEP_BYTES (or a quarter of max_bytes); and never more than the disk can give.
 */
export function capOf(
  maxBytes: number,
  usedBytes: number,
  freeBytes: number,
  minFreeBytes: number,
): Cap {
  const keepBytes = Math.min(KEEP_BYTES, maxBytes / 4);
  const bytes = Math.min(
    maxBytes,
    Math.max(keepBytes, usedBytes + freeBytes - minFreeBytes),
    usedBytes + Math.max(0, freeBytes - DISK_RESERVE_BYTES),
  );
  const reason = bytes < maxBytes ? GapReason.EVICTED_DISK : GapReason.EVICTED_BYTES;
  return { bytes, reason };
}

/** Size to which the WAL is kept allocated; it is checkpointed at half of it. */
export function walBytesFor(maxBytes: number): number {
  return Math.min(MIB, Math.max(64 * 1024, Math.floor(maxBytes / 8)));
}

/** Net growth of the buffer, smoothed over about half a minute. */
export class FillRate {
  #bytesPerSecond = 0;
  #lastMonoMs: number | undefined;
  #bytes = 0;

  /** Appended (positive) or delivered (negative) bytes. Evictions do not count: they are what is predicted. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Called about every second. */
  tick(monoMs: number): void {
    if (this.#lastMonoMs !== undefined && monoMs <= this.#lastMonoMs) return;
    if (this.#lastMonoMs !== undefined) {
      const seconds = (monoMs - this.#lastMonoMs) / 1000;
      const weight = 1 - Math.exp(-seconds / 30);
      this.#bytesPerSecond += weight * (this.#bytes / seconds - this.#bytesPerSecond);
    }
    this.#bytes = 0;
    this.#lastMonoMs = monoMs;
  }

  /** Seconds until `roomBytes` are used up or `ageLeftMs` has passed; -1 when the buffer is not filling. */
  secondsUntilEviction(roomBytes: number, ageLeftMs: number): number {
    if (this.#bytesPerSecond < 0.5) return -1;
    return Math.max(0, Math.min(roomBytes / this.#bytesPerSecond, ageLeftMs / 1000));
  }
}
