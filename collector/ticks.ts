/**
 * Time for the processor: one tick a second and partition, appended by the process that the partition
 * belongs to. Beside that a tick is the probe that finds out that a log which refused records takes them
 * again.
 */

import type { Log } from './log/log.ts';
import type { Share } from './shares.ts';
import { RawKind } from './types.ts';

export interface TicksOptions {
  log: Log;
  /** Default: all partitions. */
  share?: Pick<Share, 'owned'>;
  intervalMs?: number;
  /** A tick that the log has not answered after this no longer holds back the next one. */
  timeoutMs?: number;
  /** How each tick's append ended. A tick that is late counts as failed, and may still succeed. */
  onAppend?: (succeeded: boolean) => void;
}

export interface Ticks {
  /** No tick is appended after this. */
  close(): void;
}

const UNANSWERED_MAX = 4;
const VALUE = Buffer.from('{}');

/** Ticks of one partition: at most one that waits, or a few when the log lost some. */
class PartitionTicks {
  readonly #append: () => Promise<number>;
  readonly #timeoutMs: number;
  readonly #onAppend: (succeeded: boolean) => void;
  #unanswered = 0;
  #lastSentMs = Number.NEGATIVE_INFINITY;

  constructor(
    append: () => Promise<number>,
    timeoutMs: number,
    onAppend: (succeeded: boolean) => void,
  ) {
    this.#append = append;
    this.#timeoutMs = timeoutMs;
    this.#onAppend = onAppend;
  }

  tick(nowMs: number): void {
    if (this.#unanswered > 0) {
      if (nowMs - this.#lastSentMs < this.#timeoutMs) return;
      this.#onAppend(false);
      if (this.#unanswered >= UNANSWERED_MAX) return;
    }
    this.#unanswered += 1;
    this.#lastSentMs = nowMs;
    this.#append().then(
      () => this.#answered(true),
      () => this.#answered(false),
    );
  }

  #answered(succeeded: boolean): void {
    this.#unanswered -= 1;
    this.#onAppend(succeeded);
  }
}

export function startTicks(options: TicksOptions): Ticks {
  const {
    log,
    share,
    intervalMs = 1_000,
    timeoutMs = 10_000,
    onAppend = () => undefined,
  } = options;
  const record = { key: '', kind: RawKind.TICK, value: VALUE };
  const partitions = Array.from(
    { length: log.partitionCount },
    (_, partition) =>
      new PartitionTicks(() => log.append('raw', partition, record), timeoutMs, onAppend),
  );
  const timer = setInterval(() => {
    const now = performance.now();
    const owned = share?.owned();
    for (const [number, partition] of partitions.entries())
      if (owned?.has(number) ?? true) partition.tick(now);
  }, intervalMs);
  return {
    close: () => clearInterval(timer),
  };
}

const NONE: ReadonlySet<number> = new Set();

/**
 * For a process that takes in and does not tick: while it turns gateways away, ticks of any partition find
 * out whether the log takes records again.
 */
export function startProbe(options: {
  log: Log;
  isAccepting: () => boolean;
  onAppend: (succeeded: boolean) => void;
}): Ticks {
  const { log, isAccepting, onAppend } = options;
  const all = new Set(Array.from({ length: log.partitionCount }, (_, partition) => partition));
  return startTicks({ log, share: { owned: () => (isAccepting() ? NONE : all) }, onAppend });
}
