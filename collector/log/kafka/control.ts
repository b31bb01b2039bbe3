/** Topic `control`: one partition, followed by one reader for all followers of this process. */

import type { Control } from '../log.ts';
import type { Appender } from './appender.ts';
import type { Cluster } from './cluster.ts';
import { CompactedPartition } from './compacted.ts';
import { LONG_POLL_MS } from './connections.ts';
import { fetchAt } from './reading.ts';
import { LOG_KEY } from './topics.ts';

type Listener = (key: string, value: Uint8Array | undefined) => void;

const POLL_BYTES = 1024 * 1024;
const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 1_000;

export class KafkaControl implements Control {
  readonly #cluster: Cluster;
  readonly #topic: string;
  readonly #appender: Appender;
  readonly #view: CompactedPartition;
  readonly #listeners = new Set<Listener>();
  #polling = false;

  constructor(cluster: Cluster, topic: string, appender: Appender) {
    this.#cluster = cluster;
    this.#topic = topic;
    this.#appender = appender;
    this.#view = new CompactedPartition(cluster, topic, 0, (key, value) => {
      if (key === LOG_KEY) return;
      for (const listener of [...this.#listeners]) listener(key, value);
    });
  }

  async put(key: string, value: Uint8Array | null): Promise<void> {
    if (key === LOG_KEY) throw new RangeError(`key ${LOG_KEY} is the log's own`);
    const record = { key: Buffer.from(key), kind: undefined, value };
    await this.#appender.append({ topic: this.#topic, partition: 0 }, record);
  }

  async follow(onEntry: Listener, signal: AbortSignal): Promise<void> {
    this.#cluster.assertUsable();
    await this.#view.catchUp();
    if (signal.aborted) return;
    // No turn of the event loop lies between: no change is missed or told before what it changes.
    for (const [key, value] of this.#view.values) if (key !== LOG_KEY) onEntry(key, value);
    this.#listeners.add(onEntry);
    signal.addEventListener('abort', () => this.#listeners.delete(onEntry), { once: true });
    if (!this.#polling) void this.#poll();
  }

  /** Runs while somebody follows. Never rejects. */
  async #poll(): Promise<void> {
    this.#polling = true;
    let backoffMs = BACKOFF_MIN_MS;
    while (this.#listeners.size > 0 && !this.#cluster.signal.aborted) {
      try {
        await this.#pollOnce();
        backoffMs = BACKOFF_MIN_MS;
      } catch {
        // Whoever appends or reads says what is wrong; a follower waits until it is well again.
        await this.#cluster.pause(backoffMs);
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
      }
    }
    this.#polling = false;
  }

  async #pollOnce(): Promise<void> {
    const place = { topic: this.#topic, partition: 0, offset: this.#view.next };
    const fetched = await fetchAt(this.#cluster, 'wait:control', place, {
      maxWaitMs: LONG_POLL_MS,
      partitionMaxBytes: POLL_BYTES,
      maxBytes: POLL_BYTES,
      committed: false,
    });
    this.#view.take(fetched);
  }
}
