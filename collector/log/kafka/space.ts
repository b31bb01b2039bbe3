/**
 * How much the log takes. Brokers free the disk by whole segments and minutes after a trim, so what
 * counts is an estimate of what is kept: the partition's bytes on disk, by the part of it not trimmed.
 */

import { describeLogDirsV4 } from '@platformatic/kafka';
import type { Cluster } from './cluster.ts';
import type { Stream } from './stream.ts';

interface Measured {
  /** On the disk of the leader, as measured last. */
  diskBytes: number;
  /** The disk holds about the offsets from here on. */
  base: number;
  /** Where the stream ended then. */
  end: number;
}

export class Space {
  readonly maxBytes: number;
  readonly #cluster: Cluster;
  readonly #otherTopics: readonly { topic: string; partitions: number }[];
  readonly #measured = new Map<Stream, Measured>();
  #keptBytes = 0;
  /** Of the compacted topics. */
  #otherBytes = 0;
  /** Written by this process since. */
  #writtenBytes = 0;

  constructor(
    cluster: Cluster,
    maxBytes: number,
    otherTopics: readonly { topic: string; partitions: number }[],
  ) {
    this.#cluster = cluster;
    this.maxBytes = maxBytes;
    this.#otherTopics = otherTopics;
  }

  get full(): boolean {
    return this.usedBytes >= this.maxBytes;
  }

  get usedBytes(): number {
    return Math.round(this.#keptBytes + this.#writtenBytes);
  }

  /** After something was trimmed. */
  refresh(): void {
    let bytes = this.#otherBytes;
    for (const stream of this.#measured.keys()) bytes += this.bytesOf(stream);
    this.#keptBytes = bytes;
  }

  noteWritten(bytes: number): void {
    this.#writtenBytes += bytes;
  }

  /** Of the stream's records from `from` to where it ended when it was measured. */
  bytesOf(stream: Stream, from = stream.first): number {
    const measured = this.#measured.get(stream);
    if (measured === undefined || measured.end <= measured.base) return 0;
    const { diskBytes, base, end } = measured;
    const kept = Math.max(0, end - Math.max(from, base));
    return (diskBytes * kept) / (end - base);
  }

  /** Bytes and ends of all streams. Rejects when the brokers do not answer. */
  async measure(streams: readonly Stream[]): Promise<void> {
    const byName = Map.groupBy(streams, ({ topic }) => topic);
    const topics = [
      ...[...byName].map(([name, some]) => ({
        name,
        partitions: some.map(({ partition }) => partition),
      })),
      ...this.#otherTopics.map(({ topic, partitions }) => ({
        name: topic,
        partitions: Array.from({ length: partitions }, (_, partition) => partition),
      })),
    ];
    const written = this.#writtenBytes;
    const sizes = await this.#diskBytes(topics);
    let otherBytes = 0;
    for (const [place, bytes] of sizes)
      if (this.#otherTopics.some(({ topic }) => place.startsWith(`${topic}/`))) otherBytes += bytes;
    for (const stream of streams) {
      const bytes = sizes.get(`${stream.topic}/${stream.partition}`);
      if (bytes !== undefined) this.#note(stream, bytes);
    }
    this.#otherBytes = otherBytes;
    this.#writtenBytes -= written;
    this.refresh();
  }

  #note(stream: Stream, diskBytes: number): void {
    const before = this.#measured.get(stream);
    let base = before?.base ?? stream.first;
    const { first, end } = stream;
    if (before !== undefined && diskBytes < before.diskBytes && end > first) {
      // Segments are gone: the part that is kept has as many bytes as before, of fewer.
      const kept = this.bytesOf(stream) || diskBytes;
      base = Math.min(first, Math.max(base, end - ((end - first) * diskBytes) / kept));
    }
    this.#measured.set(stream, { diskBytes, base, end });
  }

  /** Of each partition, by `topic/partition`; the largest of its replicas. */
  async #diskBytes(topics: { name: string; partitions: number[] }[]): Promise<Map<string, number>> {
    const answers = await Promise.allSettled(
      this.#cluster
        .nodeIds()
        .map((node) =>
          this.#cluster.atBroker(node, 'admin', (connection) =>
            describeLogDirsV4.api.async(connection, topics),
          ),
        ),
    );
    const sizes = new Map<string, number>();
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (failed !== undefined && answers.every(({ status }) => status === 'rejected'))
      throw failed.reason;
    for (const answer of answers) {
      if (answer.status === 'rejected') continue;
      for (const { topics: described } of answer.value.results) {
        for (const { name, partitions } of described) {
          for (const { partitionIndex, partitionSize } of partitions) {
            const place = `${name}/${partitionIndex}`;
            sizes.set(place, Math.max(sizes.get(place) ?? 0, Number(partitionSize)));
          }
        }
      }
    }
    return sizes;
  }
}
