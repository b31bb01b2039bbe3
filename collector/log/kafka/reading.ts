/** Looking at partitions: fetches at explicit offsets, and where a partition begins and ends. */

import { listOffsetsV7 } from '@platformatic/kafka';
import type { Cluster } from './cluster.ts';
import type { Lane } from './connections.ts';
import { BrokerError, NotConnectedError } from './failures.ts';
import type { Fetched, FetchLimits } from './requests.ts';
import { fetch } from './requests.ts';

export interface Place {
  topic: string;
  partition: number;
}

const EARLIEST = -2n;
const LATEST = -1n;
const NO_REPLICA = -1;

/** One fetch. Rejects with BrokerError, OFFSET_OUT_OF_RANGE for one. */
export async function fetchAt(
  cluster: Cluster,
  lane: Lane,
  place: Place & { offset: number },
  limits: FetchLimits,
): Promise<Fetched> {
  const { topic, partition, offset } = place;
  return await cluster.atLeader(topic, partition, lane, async (connection, leaderEpoch) => {
    const topicId = cluster.topic(topic)?.id;
    if (topicId === undefined) throw new NotConnectedError(`no topic ${topic}`);
    const part = { topicId, partition, leaderEpoch, offset };
    const [fetched] = await fetch(connection, [part], limits);
    if (fetched === undefined) throw new NotConnectedError(`no answer for ${topic}/${partition}`);
    if (fetched.error !== 'NONE')
      throw new BrokerError(fetched.error, `${topic}/${partition} at ${offset}`);
    return fetched;
  });
}

/** `next`: the last stable offset, below which every transaction has ended. */
export async function boundsOf(
  cluster: Cluster,
  place: Place,
): Promise<{ first: number; next: number }> {
  const [first, next] = await Promise.all([
    offsetAt(cluster, place, EARLIEST),
    offsetAt(cluster, place, LATEST),
  ]);
  return { first: Number(first), next: Math.max(Number(next), Number(first)) };
}

/** Offset of the first record at or after `timeMs`; undefined: all are older. */
export async function offsetOfTime(
  cluster: Cluster,
  place: Place,
  timeMs: number,
): Promise<number | undefined> {
  const offset = await offsetAt(cluster, place, BigInt(Math.max(0, timeMs)));
  return offset < 0n ? undefined : Number(offset);
}

async function offsetAt(
  cluster: Cluster,
  { topic, partition }: Place,
  timestamp: bigint,
): Promise<bigint> {
  return await cluster.atLeader(topic, partition, 'read', async (connection, leaderEpoch) => {
    const asked = { partitionIndex: partition, currentLeaderEpoch: leaderEpoch, timestamp };
    const { topics } = await listOffsetsV7.api.async(connection, NO_REPLICA, 1, [
      { name: topic, partitions: [asked] },
    ]);
    const offset = topics[0]?.partitions[0]?.offset;
    if (offset === undefined) throw new NotConnectedError(`no answer for ${topic}/${partition}`);
    return offset;
  });
}

/** Where many partitions end, with one request a broker. Those whose leader does not answer are left out. */
export async function endsOf(
  cluster: Cluster,
  places: readonly Place[],
): Promise<(Place & { next: number })[]> {
  const asked = [...cluster.byLeader(places)].map(async ([leader, led]) => {
    const topics = [...Map.groupBy(led, ({ topic }) => topic)].map(([name, parts]) => ({
      name,
      partitions: parts.map(({ topic, partition }) => ({
        partitionIndex: partition,
        currentLeaderEpoch: cluster.leaderOf(topic, partition).epoch,
        timestamp: LATEST,
      })),
    }));
    const answer = await cluster.atBroker(leader, 'read', (connection) =>
      listOffsetsV7.api.async(connection, NO_REPLICA, 1, topics),
    );
    return answer.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, offset }) => ({
        topic: name,
        partition: partitionIndex,
        next: Number(offset),
      })),
    );
  });
  const settled = await Promise.allSettled(asked);
  return settled.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
}
