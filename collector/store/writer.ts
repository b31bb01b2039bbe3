/**
 * Moves the output topics into the store, each row once, whatever other processes do: writer_topic.ts for one
 * partition, docs/decisions/0022 for why. While the store is away the records wait in the log; memory holds
 * two batches of a partition at most.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { CollectorError } from '../errors.ts';
import { runShare } from '../shares.ts';
import type { OutputTopic } from '../types.ts';
import type { WriterStatus, WritersOptions } from './writer_status.ts';
import { TopicWriter } from './writer_topic.ts';

export type { WriterStatus, WritersOptions } from './writer_status.ts';

/** How long stop() waits for an insert; what it then leaves open, the next start clears up. */
const STOP_TIMEOUT_MS = 3_000;
const TOPICS: readonly OutputTopic[] = ['readings', 'quarantine', 'events'];

export interface Writers {
  /** Resolves with the first error that stopped a writer for good; with undefined after stop(). */
  readonly failed: Promise<CollectorError | undefined>;
  /** Of the partitions that are this process' now. */
  status(): WriterStatus[];
  /** Ends after the batch under way, but waits no longer than 3 s for the store. */
  stop(): Promise<void>;
}

/** Runs a writer for each output topic and partition of the share; waits for nothing. */
export function startWriters(options: WritersOptions): Writers {
  const { share } = options;
  const damage = new Map<OutputTopic, number>();
  const writers = new Map<string, TopicWriter>();
  /** Kept when the partition goes to another process: it may come back. */
  const writerOf = (topic: OutputTopic, partition: number): TopicWriter => {
    const key = `${topic}/${partition}`;
    let writer = writers.get(key);
    if (writer === undefined) {
      writer = new TopicWriter({ ...options, damage }, topic, partition);
      writers.set(key, writer);
    }
    return writer;
  };
  const running = TOPICS.map((topic) =>
    runShare(
      share,
      (partition, signal) => writerOf(topic, partition).run(signal),
      options.fencedWaitMs,
      (partition, { code, message }) => options.logger.warn({ code, topic, partition }, message),
    ),
  );
  const failed = Promise.race([
    ...running.map((run) =>
      run.failed.then((error) => error ?? new Promise<never>(() => undefined)),
    ),
    Promise.all(running.map((run) => run.failed)).then(() => undefined),
  ]);
  return {
    failed,
    status: () => {
      const owned = [...share.owned()].sort((a, b) => a - b);
      return TOPICS.flatMap((topic) => owned.map((partition) => writerOf(topic, partition).status));
    },
    stop: async () => {
      const timeout = new AbortController();
      const tooLong = delay(options.stopTimeoutMs ?? STOP_TIMEOUT_MS, undefined, {
        signal: timeout.signal,
      });
      await Promise.race([Promise.all(running.map((run) => run.stop())), tooLong]);
      timeout.abort();
      await tooLong.catch(() => undefined);
    },
  };
}
