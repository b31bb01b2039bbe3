/**
 * Which partitions of a piece of work are this process', and running the work on them. Who has what is
 * agreed on loosely (membership.ts): for a moment two processes may both think that a partition is theirs,
 * or none. Nothing rests on it: the log's sessions fence, and the one that was fenced waits.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { CollectorError } from './errors.ts';

export interface Share {
  /** No other process ever works on the same log: to be fenced means a mistake, and ends the work for good. */
  readonly exclusive: boolean;
  /** The partitions that are this process' now. */
  owned(): ReadonlySet<number>;
  /** Calls `listener` after each change, until the answer is called. */
  onChange(listener: () => void): () => void;
}

/** All partitions, for ever: the only process of its log. */
export function wholeShare(partitionCount: number): Share {
  const all = new Set(Array.from({ length: partitionCount }, (_, partition) => partition));
  return { exclusive: true, owned: () => all, onChange: () => () => undefined };
}

/**
 * Work on one partition until `signal` aborts. Resolves with undefined then, and otherwise with what it
 * cannot get over.
 */
export type PartitionWork = (
  partition: number,
  signal: AbortSignal,
) => Promise<CollectorError | undefined>;

export interface SharedRun {
  /** Resolves with the first error that ended a partition's work for good; with undefined after stop(). */
  readonly failed: Promise<CollectorError | undefined>;
  /** Ends all work and waits for it. */
  stop(): Promise<void>;
}

/** A process that was fenced leaves the other one so long before it tries again. */
const FENCED_WAIT_MS = 3_000;

interface Running {
  controller: AbortController;
  ended: Promise<void>;
}

/**
 * Starts `work` for each partition of the share as it comes, and ends it as it goes. Waits for nothing. `onFenced`
 * hears that another process has taken a partition over that this one still took for its own.
 */
export function runShare(
  share: Share,
  work: PartitionWork,
  waitMs = FENCED_WAIT_MS,
  onFenced: (partition: number, error: CollectorError) => void = () => undefined,
): SharedRun {
  const stopped = new AbortController();
  const running = new Map<number, Running>();
  const { promise: failed, resolve: resolveFailed } = Promise.withResolvers<
    CollectorError | undefined
  >();

  const runOne = async (partition: number, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const error = await work(partition, signal);
      if (signal.aborted || error === undefined) return;
      if (error.code !== 'LOG_FENCED' || share.exclusive) {
        resolveFailed(error);
        return;
      }
      onFenced(partition, error);
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  };

  const look = (): void => {
    if (stopped.signal.aborted) return;
    const owned = share.owned();
    for (const [partition, { controller }] of running)
      if (!owned.has(partition)) controller.abort();
    for (const partition of owned) {
      const known = running.get(partition);
      if (known !== undefined && !known.controller.signal.aborted) continue;
      const controller = new AbortController();
      // One that was let go and comes back begins when its former work has ended.
      const before = known?.ended ?? Promise.resolve();
      const ended = before
        .then(() => runOne(partition, controller.signal))
        .then(() => {
          if (running.get(partition)?.controller === controller && controller.signal.aborted)
            running.delete(partition);
        });
      running.set(partition, { controller, ended });
    }
  };

  const unsubscribe = share.onChange(look);
  look();
  return {
    failed,
    stop: async () => {
      stopped.abort();
      unsubscribe();
      for (const { controller } of running.values()) controller.abort();
      await Promise.all([...running.values()].map(({ ended }) => ended));
      resolveFailed(undefined);
    },
  };
}
