/**
 * The topics of a log: their names, what they must be like, and the record in topic `control` by which
 * one log is told from another.
 */

import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigResourceTypes, createTopicsV7, describeConfigsV4 } from '@platformatic/kafka';
import type { KafkaConfig } from '../../config.ts';
import { CollectorError } from '../../errors.ts';
import type { Cluster } from './cluster.ts';
import { CompactedPartition } from './compacted.ts';
import { apiIdsOf, asLogError, BrokerError, unavailable } from './failures.ts';
import { boundsOf } from './reading.ts';
import { errorIdOf } from './requests.ts';
import { TransactionalProducer } from './transactions.ts';

export type KafkaTopic =
  | 'raw'
  | 'readings'
  | 'quarantine'
  | 'events'
  | 'state'
  | 'positions'
  | 'control';

export const KAFKA_TOPICS: readonly KafkaTopic[] = [
  'raw',
  'readings',
  'quarantine',
  'events',
  'state',
  'positions',
  'control',
];

/** The key in topic `control` that is the log's own. */
export const LOG_KEY = 'log';
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** What was trimmed leaves the disk by whole segments. */
const SEGMENT_BYTES = 32 * 1024 * 1024;
/**
 * Taking over reads these topics, and only whole segments are compacted: as small as they may be. A
 * segment must hold the largest batch.
 */
const COMPACTED_SEGMENT_BYTES = { state: 17, control: 17, positions: 4 };
const MEBIBYTE = 1024 * 1024;
const COMPACTED_SEGMENT_MS = 3_600_000;
/**
 * How long the ends of transactions and deletions stay at least: longer than anybody takes to read the
 * topic. A process that froze may follow `control` after longer than that, and has to hear of deletions.
 */
const DELETED_STAYS_MS = { state: 600_000, positions: 600_000, control: 86_400_000 };
const CREATE_TIMEOUT_MS = 12_000;
const CREATED_WITHIN_MS = 15_000;
const FENCED_PAUSE_MS = 300;

function isCompacted(topic: KafkaTopic): topic is 'state' | 'positions' | 'control' {
  return topic === 'state' || topic === 'positions' || topic === 'control';
}

export class TopicNames {
  readonly prefix: string;
  readonly all: readonly string[];

  constructor(prefix: string) {
    this.prefix = prefix;
    this.all = KAFKA_TOPICS.map((topic) => this.of(topic));
  }

  of(topic: KafkaTopic): string {
    return `${this.prefix}.${topic}`;
  }
}

/** What was recorded when the log was made. */
export interface LogRecordOfTopics {
  identity: string;
  partitions: number;
  /** By the topic's name without prefix. */
  topicIds: Record<string, string>;
  createdMs: number;
}

export interface SetupOptions {
  cluster: Cluster;
  names: TopicNames;
  config: KafkaConfig;
  partitions: number;
  wallMs: () => number;
}

/**
 * Makes the log at the first call, else checks that it is the one that was made. Rejects with
 * LOG_TOPIC_INVALID, LOG_PARTITIONS_CHANGED, LOG_REFUSED or LOG_UNAVAILABLE.
 */
export async function setUp(options: SetupOptions): Promise<LogRecordOfTopics> {
  const { cluster, names } = options;
  await cluster.refresh();
  const missing = KAFKA_TOPICS.filter((topic) => cluster.topic(names.of(topic)) === undefined);
  const before = missing.includes('control') ? undefined : await readRecord(options);
  if (before === undefined && missing.length > 0) await create(options, missing);
  const record = before ?? (await readRecord(options)) ?? (await writeRecord(options));
  if (record.partitions !== options.partitions)
    throw new CollectorError(
      'LOG_PARTITIONS_CHANGED',
      `the log has ${record.partitions} partitions, the configuration says ${options.partitions}`,
    );
  const invalid = invalidityOf(cluster, names, record);
  if (invalid !== undefined) throw invalid;
  await checkSettings(options);
  return record;
}

/** What is wrong with the topics, as the brokers described them last. */
export function invalidityOf(
  cluster: Cluster,
  names: TopicNames,
  record: LogRecordOfTopics,
): CollectorError | undefined {
  for (const topic of KAFKA_TOPICS) {
    const name = names.of(topic);
    const info = cluster.topic(name);
    if (info === undefined) return invalid(`topic ${name} is missing`);
    if (info.id !== record.topicIds[topic])
      return invalid(`topic ${name} was deleted and made anew: it is not the log's any more`);
    const wanted = topic === 'control' ? 1 : record.partitions;
    if (info.partitions.length !== wanted)
      return new CollectorError(
        'LOG_PARTITIONS_CHANGED',
        `topic ${name} has ${info.partitions.length} partitions, the log was made with ${wanted}`,
      );
  }
  return undefined;
}

function invalid(detail: string): CollectorError {
  return new CollectorError('LOG_TOPIC_INVALID', detail);
}

async function create(options: SetupOptions, missing: readonly KafkaTopic[]): Promise<void> {
  const { cluster, names, config } = options;
  const topics = missing.map((topic) => ({
    name: names.of(topic),
    numPartitions: topic === 'control' ? 1 : options.partitions,
    replicationFactor: config.replication,
    assignments: [],
    configs: Object.entries(settingsOf(topic, config)).map(([name, value]) => ({ name, value })),
  }));
  try {
    await cluster.repeat(CREATED_WITHIN_MS, () =>
      cluster.atAny(
        (connection) => createTopicsV7.api.async(connection, topics, CREATE_TIMEOUT_MS, false),
        'admin',
      ),
    );
  } catch (error) {
    const ids = apiIdsOf(error);
    const isMadeByOther = ids.length > 0 && ids.every((id) => id === 'TOPIC_ALREADY_EXISTS');
    // Another process made them in the same moment: what it made is checked like everything else.
    if (!isMadeByOther) throw asLogError(error, `creating topics ${names.prefix}.*`);
  }
  await untilLed(cluster, names);
}

async function untilLed(cluster: Cluster, names: TopicNames): Promise<void> {
  const deadlineMs = performance.now() + CREATED_WITHIN_MS;
  for (;;) {
    await cluster.refresh();
    const isLed = names.all.every((name) => {
      const partitions = cluster.topic(name)?.partitions ?? [];
      return partitions.length > 0 && partitions.every(({ leader }) => leader >= 0);
    });
    if (isLed) return;
    if (performance.now() > deadlineMs) throw unavailable('the new topics have no leaders yet');
    await delay(20);
  }
}

function settingsOf(topic: KafkaTopic, config: KafkaConfig): Record<string, string> {
  const common = {
    'message.timestamp.type': 'LogAppendTime',
    'max.message.bytes': String(MESSAGE_BYTES_MAX),
    'min.insync.replicas': String(config.minInsync),
    'unclean.leader.election.enable': 'false',
    'compression.type': 'producer',
  };
  if (isCompacted(topic))
    return {
      ...common,
      'cleanup.policy': 'compact',
      'segment.bytes': String(COMPACTED_SEGMENT_BYTES[topic] * MEBIBYTE),
      'segment.ms': String(COMPACTED_SEGMENT_MS),
      'min.cleanable.dirty.ratio': '0.1',
      'max.compaction.lag.ms': String(COMPACTED_SEGMENT_MS),
      'delete.retention.ms': String(DELETED_STAYS_MS[topic]),
    };
  return {
    ...common,
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'segment.bytes': String(SEGMENT_BYTES),
  };
}

/** What would lose or falsify records if it were otherwise; the rest is up to the operator. */
function requirementsOf(
  topic: KafkaTopic,
  config: KafkaConfig,
): [name: string, needed: string, holds: (value: string) => boolean][] {
  const policy = isCompacted(topic) ? 'compact' : 'delete';
  const checks: ReturnType<typeof requirementsOf> = [
    ['cleanup.policy', policy, (value) => value === policy],
    ['message.timestamp.type', 'LogAppendTime', (value) => value === 'LogAppendTime'],
    [
      'max.message.bytes',
      `at least ${MESSAGE_BYTES_MAX}`,
      (value) => Number(value) >= MESSAGE_BYTES_MAX,
    ],
    [
      'min.insync.replicas',
      `at least ${config.minInsync}`,
      (value) => Number(value) >= config.minInsync,
    ],
    ['unclean.leader.election.enable', 'false', (value) => value === 'false'],
    ['compression.type', 'producer', (value) => value === 'producer' || value === 'uncompressed'],
  ];
  if (policy === 'delete')
    checks.push(
      ['retention.ms', '-1', (value) => value === '-1'],
      ['retention.bytes', '-1', (value) => value === '-1'],
    );
  return checks;
}

async function checkSettings({ cluster, names, config }: SetupOptions): Promise<void> {
  const resources = KAFKA_TOPICS.map((topic) => ({
    resourceType: ConfigResourceTypes.TOPIC,
    resourceName: names.of(topic),
    configurationKeys: requirementsOf(topic, config).map(([name]) => name),
  }));
  let results: Awaited<ReturnType<typeof describeConfigsV4.api.async>>['results'];
  try {
    ({ results } = await cluster.repeat(CREATED_WITHIN_MS, async () => {
      const answer = await cluster.atAny((connection) =>
        describeConfigsV4.api.async(connection, resources, false, false),
      );
      const failed = answer.results.find(({ errorCode }) => errorCode !== 0);
      if (failed !== undefined) throw new BrokerError(errorIdOf(failed.errorCode));
      return answer;
    }));
  } catch (error) {
    throw asLogError(error, 'settings of the topics');
  }
  for (const topic of KAFKA_TOPICS) {
    const name = names.of(topic);
    const configs = results.find(({ resourceName }) => resourceName === name)?.configs ?? [];
    for (const [setting, needed, holds] of requirementsOf(topic, config)) {
      const value = configs.find((one) => one.name === setting)?.value ?? 'nothing';
      if (!holds(value))
        throw invalid(`topic ${name}: ${setting} is ${value}; needed is ${needed}`);
    }
  }
}

async function readRecord(options: SetupOptions): Promise<LogRecordOfTopics | undefined> {
  const { cluster, names } = options;
  const control = new CompactedPartition(cluster, names.of('control'), 0);
  await control.catchUp();
  const value = control.values.get(LOG_KEY);
  if (value === undefined) return undefined;
  const content: unknown = JSON.parse(Buffer.from(value).toString());
  if (!isRecord(content))
    throw invalid(`topic ${names.of('control')}: record ${LOG_KEY} is unreadable`);
  return content;
}

function isRecord(content: unknown): content is LogRecordOfTopics {
  if (typeof content !== 'object' || content === null) return false;
  const { identity, partitions, topicIds } = content as Record<string, unknown>;
  return (
    typeof identity === 'string' &&
    Number.isInteger(partitions) &&
    typeof topicIds === 'object' &&
    topicIds !== null
  );
}

/** Of several processes that start at once, one writes it; those that it fenced find it written. */
async function writeRecord(options: SetupOptions): Promise<LogRecordOfTopics> {
  const deadlineMs = performance.now() + CREATED_WITHIN_MS;
  for (;;) {
    try {
      return await writeRecordOnce(options);
    } catch (error) {
      const isFenced = error instanceof CollectorError && error.code === 'LOG_FENCED';
      if (!isFenced || performance.now() > deadlineMs) throw error;
      await options.cluster.pause(Math.random() * FENCED_PAUSE_MS);
    }
  }
}

async function writeRecordOnce(options: SetupOptions): Promise<LogRecordOfTopics> {
  const { cluster, names, partitions } = options;
  const producer = await TransactionalProducer.open(cluster, `${names.prefix}.setup`);
  const other = await readRecord(options);
  if (other !== undefined) return other;
  await assertEmpty(options);
  const topicIds: Record<string, string> = {};
  for (const topic of KAFKA_TOPICS) {
    const info = cluster.topic(names.of(topic));
    if (info === undefined) throw unavailable(`topic ${names.of(topic)} is not there yet`);
    topicIds[topic] = info.id;
  }
  const actual = cluster.topic(names.of('raw'))?.partitions.length ?? 0;
  const createdMs = options.wallMs();
  const record = { identity: randomBytes(16).toString('hex'), partitions, topicIds, createdMs };
  if (actual !== partitions)
    throw new CollectorError(
      'LOG_PARTITIONS_CHANGED',
      `topic ${names.of('raw')} has ${actual} partitions, the configuration says ${partitions}`,
    );
  const value = Buffer.from(JSON.stringify(record));
  const out = { key: Buffer.from(LOG_KEY), kind: 'log', value };
  await producer.commit([{ topic: names.of('control'), partition: 0, records: [out] }], createdMs);
  return record;
}

/** Records without the record of their log: topic control was lost, and with it what they belong to. */
async function assertEmpty({ cluster, names }: SetupOptions): Promise<void> {
  const topics = KAFKA_TOPICS.filter((topic) => topic !== 'control').map((topic) =>
    names.of(topic),
  );
  const places = topics.flatMap((topic) =>
    (cluster.topic(topic)?.partitions ?? []).map((_, partition) => ({ topic, partition })),
  );
  const all = await Promise.all(
    places.map(async (place) => ({ ...place, ...(await boundsOf(cluster, place)) })),
  ).catch((error: unknown) => {
    throw asLogError(error, 'looking at the topics');
  });
  const used = all.find(({ next }) => next > 0);
  if (used !== undefined)
    throw invalid(
      `topic ${used.topic} holds records, and topic ${names.of('control')} does not know them`,
    );
}
