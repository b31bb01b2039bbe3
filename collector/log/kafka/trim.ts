/**
 * Retention: removes the oldest records that everybody has read. Rests on the committed positions alone,
 * which only grow, so that several processes may do it at once.
 */

import { deleteRecordsV2 } from '@platformatic/kafka';
import type { LogTopic } from '../log.ts';
import type { Cluster } from './cluster.ts';
import { BrokerError } from './failures.ts';
import type { Positions } from './positions.ts';
import { offsetOfTime } from './reading.ts';
import { errorIdOf } from './requests.ts';
import type { Space } from './space.ts';
import type { Stream } from './stream.ts';

export interface TrimOptions {
  cluster: Cluster;
  positions: Positions;
  space: Space;
  streams: readonly (readonly [LogTopic, Stream])[];
  /** Bytes that the log is brought down to, as far as what is in it was consumed. */
  retentionBytes: number;
  /** Records appended before this are not kept. */
  notBeforeMs: number;
}

const DELETE_TIMEOUT_MS = 4_000;

export async function trimLog(options: TrimOptions): Promise<void> {
  const { positions, space, streams } = options;
  await Promise.all(streams.map(([, stream]) => stream.bounds()));
  await positions.catchUpAll();
  await space.measure(streams.map(([, stream]) => stream));
  const removable = streams
    .map(([topic, stream]) => {
      const consumed = positions.consumedBelow(topic, stream.partition);
      const below = Math.min(consumed, stream.end);
      return { stream, below, bytes: space.bytesOf(stream) - space.bytesOf(stream, below) };
    })
    .filter(({ stream, below }) => below > stream.first);
  const removableBytes = removable.reduce((sum, { bytes }) => sum + bytes, 0);
  const excessBytes = space.usedBytes - options.retentionBytes;
  // All give the same part of theirs: a rough 'oldest first' that needs no look at single records.
  const part = excessBytes <= 0 ? 0 : Math.min(1, excessBytes / Math.max(removableBytes, 1));
  await Promise.all(
    removable.map(async ({ stream, below }) => {
      const byBytes = stream.first + Math.ceil((below - stream.first) * part);
      const byAge = byBytes >= below ? below : await olderThan(options, stream, below);
      const target = Math.max(byBytes, byAge);
      if (target > stream.first) await remove(options.cluster, stream, target);
    }),
  );
  space.refresh();
}

/** Up to where, and no further than `below`, all are older than the retention. */
async function olderThan(
  { cluster, notBeforeMs }: TrimOptions,
  stream: Stream,
  below: number,
): Promise<number> {
  if (notBeforeMs <= 0) return 0;
  return Math.min(below, (await offsetOfTime(cluster, stream, notBeforeMs)) ?? below);
}

async function remove(cluster: Cluster, stream: Stream, below: number): Promise<void> {
  const { topic, partition } = stream;
  await cluster.atLeader(topic, partition, 'admin', async (connection) => {
    const { topics } = await deleteRecordsV2.api.async(
      connection,
      [{ name: topic, partitions: [{ partitionIndex: partition, offset: BigInt(below) }] }],
      DELETE_TIMEOUT_MS,
    );
    const error = errorIdOf(topics[0]?.partitions[0]?.errorCode ?? 0);
    if (error !== 'NONE') throw new BrokerError(error);
  });
  stream.noteFirst(below);
}
