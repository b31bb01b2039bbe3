/** Opens the log of the configuration: a file of this process, or brokers that may be away. */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { CollectorConfig } from '../config.ts';
import type { CollectorErrorCode } from '../errors.ts';
import { CollectorError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { openSqliteLog } from '../log/sqlite.ts';
import type { Clock, Logger } from '../types.ts';

const HOUR_MS = 3_600_000;
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 10_000;
/** An operator has to do something first. */
const RETRY_INVALID_MS = 5_000;

/** The brokers are away, or say what an operator can set right while this process waits. */
const PASSING: readonly CollectorErrorCode[] = [
  'LOG_UNAVAILABLE',
  'LOG_REFUSED',
  'LOG_TOPIC_INVALID',
  'LOG_PARTITIONS_CHANGED',
  // Processes that start at once fence each other until one has recorded whose topics these are.
  'LOG_FENCED',
];
const INVALID: readonly CollectorErrorCode[] = ['LOG_TOPIC_INVALID', 'LOG_PARTITIONS_CHANGED'];

export type OpenLog = typeof openSqliteLog;

export interface OpenLogOptions {
  config: CollectorConfig;
  clock: Clock;
  logger: Logger;
  /** In place of what the configuration says; for tests. */
  open: OpenLog | undefined;
  /** What it waits for, for people. */
  onProblem: (reason: string) => void;
  signal: AbortSignal;
}

/**
 * A file is opened or not: rejects with its coded error. Brokers are asked until they answer; undefined
 * when `signal` aborts before.
 */
export async function openLog(options: OpenLogOptions): Promise<Log | undefined> {
  const { config, logger, signal, onProblem } = options;
  if (config.log.kafka === undefined) return await openOnce(options);
  let retryMs = RETRY_MIN_MS;
  let problem = '';
  while (!signal.aborted) {
    try {
      return await openOnce(options);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof CollectorError) || !PASSING.includes(error.code)) throw error;
      const { code, hint, message } = error;
      if (INVALID.includes(code)) retryMs = RETRY_INVALID_MS;
      onProblem(message);
      // Once for each new problem, not once for each attempt.
      if (message !== problem)
        logger.error({ code, hint, retry_ms: retryMs }, `the log cannot be used yet: ${message}`);
      problem = message;
    }
    await delay(retryMs, undefined, { signal }).catch(() => undefined);
    retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
  }
  return undefined;
}

async function openOnce({ config, clock, logger, open, signal }: OpenLogOptions): Promise<Log> {
  const { dataDir, log } = config;
  const common = {
    partitions: log.partitions,
    maxBytes: log.maxBytes,
    retentionBytes: log.retentionBytes,
    retentionMs: log.retentionHours * HOUR_MS,
    clock,
    log: logger,
  };
  const path = join(dataDir, 'log.sqlite');
  if (open !== undefined) return await open({ ...common, path });
  if (log.kafka !== undefined) {
    const { openKafkaLog } = await import('../log/kafka.ts');
    return await openKafkaLog({ ...common, kafka: log.kafka, signal });
  }
  const { openSqliteLog } = await import('../log/sqlite.ts');
  return await openSqliteLog({ ...common, path });
}
