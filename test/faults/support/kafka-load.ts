/** A log on a Kafka under load, for the tests of what happens to Kafka. */

import type { Test } from 'tap';
import { openKafkaLog } from '../../../collector/log/kafka.ts';
import type { Log } from '../../../collector/log/log.ts';
import type { KafkaCluster } from '../../support/kafka.ts';
import { seededRandom, until } from '../../support/plant.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { LogPipeline } from './log-pipeline.ts';

export const PARTITIONS = 2;
/** The collector's broker waits so long for the log before it closes a connection. */
export const REFUSED_WITHIN_MS = 10_000;
export const GO_ON_WITHIN_MS = 300_000;

export async function logOn(t: Test, kafka: KafkaCluster, prefix: string): Promise<Log> {
  const log = await openKafkaLog({
    kafka: kafka.config(prefix),
    partitions: PARTITIONS,
    maxBytes: Number.MAX_SAFE_INTEGER,
    retentionBytes: Number.MAX_SAFE_INTEGER,
    retentionMs: Number.MAX_SAFE_INTEGER,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
  t.teardown(() => log.close());
  return log;
}

export interface UnderLoad {
  log: Log;
  pipeline: LogPipeline;
}

/** Resolves once records flow. */
export async function underLoad(
  t: Test,
  kafka: KafkaCluster,
  prefix: string,
  seed: number,
): Promise<UnderLoad> {
  const log = await logOn(t, kafka, prefix);
  const pipeline = new LogPipeline(log, { partitions: PARTITIONS, random: seededRandom(seed) });
  t.teardown(() => pipeline.stop());
  pipeline.start();
  await pipeline.more(200);
  return { log, pipeline };
}

/** The next refusals come, each in time. */
export async function refusedInTime(t: Test, pipeline: LogPipeline): Promise<void> {
  const before = pipeline.refusals.length;
  await until('refusals', GO_ON_WITHIN_MS, () => pipeline.refusals.length > before + 4);
  const since = pipeline.refusals.slice(before);
  const codes = [...new Set(since.map((refusal) => refusal.code))];
  t.same(codes, ['LOG_UNAVAILABLE'], 'refused as unavailable');
  const slowest = Math.max(...since.map((refusal) => refusal.tookMs));
  t.ok(slowest < REFUSED_WITHIN_MS, `refused after ${Math.round(slowest)} ms at most`);
}
