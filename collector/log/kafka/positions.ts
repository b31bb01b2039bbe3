/**
 * Topic `positions`: how far processors and consumers have come, as records, so that none expires. What
 * the records say, and what sessions of this process have committed since.
 */

import type { LogTopic } from '../log.ts';
import type { Cluster } from './cluster.ts';
import { CompactedPartition } from './compacted.ts';

export interface Position {
  position: number;
  /** Of a processor: records of raw from there on stay. */
  keepFrom?: number;
  /** Of a consumer: what it was writing. */
  intent?: { from: number; to: number };
  attempt?: number;
}

export const PROCESSOR_KEY = 'processor';

export function consumerKey(name: string, topic: LogTopic): string {
  return `${name}/${topic}`;
}

export function encodePosition(position: Position): Buffer {
  return Buffer.from(JSON.stringify(position));
}

export class Positions {
  readonly #partitions: { view: CompactedPartition; known: Map<string, Position> }[];

  constructor(cluster: Cluster, topic: string, partitions: number) {
    this.#partitions = Array.from({ length: partitions }, (_, partition) => {
      const known = new Map<string, Position>();
      const view = new CompactedPartition(cluster, topic, partition, (key, value) => {
        const position = value === undefined ? undefined : decodePosition(value);
        const before = known.get(key)?.position ?? -1;
        // What a session of this process committed may be ahead of what has been read.
        if (position !== undefined && position.position >= before) known.set(key, position);
      });
      return { view, known };
    });
  }

  /** Reads what is new. Rejects with an error of the log. */
  async catchUp(partition: number): Promise<void> {
    await this.#partitions[partition]?.view.catchUp();
  }

  async catchUpAll(): Promise<void> {
    await Promise.all(this.#partitions.map(({ view }) => view.catchUp()));
  }

  /** As durable when it was read last. */
  stored(partition: number, key: string): Position | undefined {
    const value = this.#partitions[partition]?.view.values.get(key);
    return value === undefined ? undefined : decodePosition(value);
  }

  /** A session of this process has it, or committed it. */
  note(partition: number, key: string, position: Position): void {
    this.#partitions[partition]?.known.set(key, position);
  }

  of(partition: number, key: string): Position | undefined {
    return this.#partitions[partition]?.known.get(key);
  }

  /** Names of the consumers of a topic's partition, with what is known of each. */
  consumers(partition: number, topic: LogTopic): [string, Position][] {
    const known = this.#partitions[partition]?.known ?? new Map<string, Position>();
    const end = `/${topic}`;
    return [...known]
      .filter(([key]) => key.endsWith(end))
      .map(([key, position]) => [key.slice(0, -end.length), position]);
  }

  /** Below this offset nobody needs the records; 0 when nobody has read them yet. */
  consumedBelow(topic: LogTopic, partition: number): number {
    if (topic !== 'raw') {
      const all = this.consumers(partition, topic).map(([, { position }]) => position);
      return all.length === 0 ? 0 : Math.min(...all);
    }
    const processor = this.of(partition, PROCESSOR_KEY);
    if (processor === undefined) return 0;
    return Math.min(processor.position, processor.keepFrom ?? processor.position);
  }
}

function decodePosition(value: Uint8Array): Position | undefined {
  try {
    const content: unknown = JSON.parse(Buffer.from(value).toString());
    if (typeof content !== 'object' || content === null) return undefined;
    const { position } = content as { position?: unknown };
    return Number.isSafeInteger(position) ? (content as Position) : undefined;
  } catch {
    return undefined;
  }
}
