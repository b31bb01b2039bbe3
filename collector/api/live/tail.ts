/** Follows one partition of an output topic of the log, for views that live in memory. */

import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { CollectorError } from '../../errors.ts';
import type { Log, LogRecord } from '../../log/log.ts';
import type { OutputTopic } from '../../types.ts';

const READ = { maxRecords: 64, maxBytes: 4 * 1024 * 1024 };
const RETRY_MS = 1_000;
/** A log in this process answers at once: without a pause a backlog would hold everything else. */
const SLICE_MS = 10;

export interface TailOptions {
  log: Pick<Log, 'read' | 'waitFor' | 'bounds'>;
  topic: OutputTopic;
  partition: number;
  /** First offset wanted. */
  from: number;
  /** Called in order. Must not throw. */
  onRecord: (record: LogRecord) => void;
  /** Records from `from` up to `to` were trimmed before they were read. */
  onSkipped: (from: number, to: number) => void;
  /** A read failed and will be tried again; called once until one succeeds. */
  onError: (error: unknown) => void;
  signal: AbortSignal;
}

/** Runs until the signal aborts or the log closes. Never rejects. */
export async function followTopic(options: TailOptions): Promise<void> {
  const { log, topic, partition, signal } = options;
  let next = options.from;
  let failing = false;
  while (!signal.aborted) {
    try {
      const records = await log.read(topic, partition, next, READ);
      failing = false;
      let sliceStartMs = performance.now();
      for (const record of records) {
        options.onRecord(record);
        next = record.offset + 1;
        if (performance.now() - sliceStartMs < SLICE_MS) continue;
        await turn();
        sliceStartMs = performance.now();
      }
      await turn();
      if (records.length === 0) await log.waitFor(topic, partition, next, signal);
    } catch (error) {
      if (signal.aborted || isCode(error, 'LOG_CLOSED')) return;
      if (isCode(error, 'LOG_POSITION_OUTSIDE')) {
        const moved = await reposition(options, next);
        if (moved !== undefined) {
          next = moved;
          continue;
        }
      }
      if (!failing) options.onError(error);
      failing = true;
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

async function reposition(options: TailOptions, next: number): Promise<number | undefined> {
  const bounds = await options.log.bounds(options.topic, options.partition).catch(() => undefined);
  if (bounds === undefined) return undefined;
  const to = next < bounds.first ? bounds.first : bounds.next;
  if (to === next) return undefined;
  options.onSkipped(next, to);
  return to;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof CollectorError && error.code === code;
}
