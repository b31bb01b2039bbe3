/** What an operator does to topics, for the tests. Speaks to the brokers' internal listener. */

import { setTimeout as delay } from 'node:timers/promises';
import {
  Admin,
  ConfigResourceTypes,
  IncrementalAlterConfigOperationTypes,
} from '@platformatic/kafka';

const REQUEST_TIMEOUT_MS = 5_000;
const POLL_MS = 50;
const LATEST = -1n;

export class KafkaAdmin {
  readonly #addresses: readonly string[];
  readonly #admin: Admin;

  constructor(addresses: readonly string[]) {
    this.#addresses = addresses;
    this.#admin = new Admin({
      clientId: 'fms-test-admin',
      bootstrapBrokers: [...addresses],
      retries: 0,
      connectTimeout: 1_000,
      requestTimeout: REQUEST_TIMEOUT_MS,
    });
  }

  /** How many brokers serve, in the eyes of one that was asked; 0: it does not answer. */
  async brokers(): Promise<number> {
    try {
      return (await this.#admin.metadata({ topics: [], forceUpdate: true })).brokers.size;
    } catch {
      return 0;
    }
  }

  /**
   * `settings` as in `kafka-topics --config`; a replica on each broker. Resolves when all brokers have heard
   * of it: news of topics reach them one after the other.
   */
  async createTopic(
    topic: string,
    partitions: number,
    settings: Record<string, string> = {},
  ): Promise<void> {
    const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
    const replicas = this.#addresses.length;
    await this.#admin.createTopics({ topics: [topic], partitions, replicas, configs });
    await Promise.all(this.#addresses.map((address) => heardOf(address, topic, partitions)));
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.#admin.deleteTopics({ topics: [topic] });
  }

  async topics(): Promise<string[]> {
    return this.#admin.listTopics();
  }

  /** One more, with a replica on each broker. */
  async addPartition(topic: string): Promise<void> {
    const count = (await this.leaders(topic)).length + 1;
    const assignments = [{ brokerIds: this.#addresses.map((_, i) => i + 1) }];
    await this.#admin.createPartitions({ topics: [{ name: topic, count, assignments }] });
  }

  /** The offset that the partition's next record gets. */
  async end(topic: string, partition: number): Promise<bigint | undefined> {
    const partitions = [{ partitionIndex: partition, timestamp: LATEST }];
    const [listed] = await this.#admin.listOffsets({ topics: [{ name: topic, partitions }] });
    return listed?.partitions[0]?.offset;
  }

  async set(topic: string, name: string, value: string): Promise<void> {
    const { SET } = IncrementalAlterConfigOperationTypes;
    await this.#admin.incrementalAlterConfigs({
      resources: [
        {
          resourceType: ConfigResourceTypes.TOPIC,
          resourceName: topic,
          configs: [{ name, configOperation: SET, value }],
        },
      ],
    });
  }

  /** Removes what is below the offset. */
  async trim(topic: string, partition: number, offset: number): Promise<void> {
    const partitions = [{ partition, offset: BigInt(offset) }];
    await this.#admin.deleteRecords({ topics: [{ name: topic, partitions }] });
  }

  /** Node ids of the partitions' leaders; -1: none. */
  async leaders(topic: string): Promise<number[]> {
    const metadata = await this.#admin.metadata({ topics: [topic], forceUpdate: true });
    return metadata.topics.get(topic)?.partitions.map((partition) => partition.leader) ?? [];
  }

  /** How many copies of each partition are whole. */
  async copies(topic: string): Promise<number[]> {
    const metadata = await this.#admin.metadata({ topics: [topic], forceUpdate: true });
    return metadata.topics.get(topic)?.partitions.map((partition) => partition.isr.length) ?? [0];
  }

  async close(): Promise<void> {
    await this.#admin.close();
  }
}

async function heardOf(address: string, topic: string, partitions: number): Promise<void> {
  const admin = new KafkaAdmin([address]);
  try {
    for (;;) {
      const leaders = await admin.leaders(topic).catch((): number[] => []);
      if (leaders.length === partitions && !leaders.includes(-1)) return;
      await delay(POLL_MS);
    }
  } finally {
    await admin.close();
  }
}
