/** The log for many machines: topics of a Kafka cluster that all processes of a collector share. */

import type { KafkaConfig } from '../config.ts';
import { CollectorError } from '../errors.ts';
import type { Clock, Logger } from '../types.ts';
import { Cluster } from './kafka/cluster.ts';
import { asLogError } from './kafka/failures.ts';
import { KafkaLog } from './kafka/kafka_log.ts';
import { invalidityOf, setUp, TopicNames } from './kafka/topics.ts';
import type { Log } from './log.ts';

export interface OpenKafkaLogOptions {
  kafka: KafkaConfig;
  /** Recorded when the log is made; another count later is refused. */
  partitions: number;
  /** Appends are refused while the log keeps more than this. */
  maxBytes: number;
  /** Consumed records are trimmed, oldest first, until the log keeps no more than this. */
  retentionBytes: number;
  /** Consumed records older than this are trimmed. */
  retentionMs: number;
  clock: Clock;
  log: Logger;
  /** Gives up opening. */
  signal?: AbortSignal;
}

const CLIENT_ID = 'fms-collector';
const OPEN_WITHIN_MS = 30_000;

/**
 * Makes the topics at the first call. Rejects within half a minute: LOG_UNAVAILABLE (try again),
 * LOG_REFUSED, LOG_TOPIC_INVALID, LOG_PARTITIONS_CHANGED, or LOG_CLOSED after `signal`.
 */
export async function openKafkaLog(options: OpenKafkaLogOptions): Promise<Log> {
  const { kafka, signal, ...settings } = options;
  const { partitions, clock } = options;
  if (!Number.isInteger(partitions) || partitions < 1)
    throw new RangeError(`partitions: ${partitions}`);
  const names = new TopicNames(kafka.topicPrefix);
  const cluster = new Cluster(kafka, names.all, CLIENT_ID);
  const timeout = AbortSignal.timeout(OPEN_WITHIN_MS);
  const giveUp = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const end = (): void => void cluster.close();
  if (signal?.aborted) end();
  giveUp.addEventListener('abort', end, { once: true });
  try {
    const wallMs = (): number => clock.wallMs();
    const record = await setUp({ cluster, names, config: kafka, partitions, wallMs });
    cluster.watchTopics(() => invalidityOf(cluster, names, record));
    const log = new KafkaLog({ ...settings, cluster, names, identity: record.identity });
    await log.start();
    giveUp.throwIfAborted();
    return log;
  } catch (error) {
    await cluster.close();
    if (timeout.aborted && signal?.aborted !== true)
      throw new CollectorError('LOG_UNAVAILABLE', 'the brokers took too long', { cause: error });
    throw asLogError(error, `opening ${names.prefix}.*`);
  } finally {
    giveUp.removeEventListener('abort', end);
  }
}
