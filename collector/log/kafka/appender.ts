/**
 * Records that stand for themselves: grouped by partition, one request under way for each, durable when
 * all replicas in sync have them. A group that got no answer may be stored all the same.
 */

import type { CollectorError } from '../../errors.ts';
import type { OutRecord } from './batches.ts';
import { encodeBatch, sizeOf } from './batches.ts';
import type { Cluster } from './cluster.ts';
import {
  asLogError,
  BrokerError,
  closedError,
  tooLarge,
  unavailable,
  wentBack,
} from './failures.ts';
import type { Place } from './reading.ts';
import { produce } from './requests.ts';

interface Pending {
  record: OutRecord;
  bytes: number;
  sinceMs: number;
  resolve: (offset: number) => void;
  reject: (error: CollectorError) => void;
}

/** What its stream is known to hold already; a topic made anew would begin below it. */
export interface AppendPlace extends Place {
  end?: number;
}

interface Queue {
  place: AppendPlace;
  pending: Pending[];
  running: boolean;
  /** What the next record gets at least. */
  next: number;
}

export interface AppenderOptions {
  cluster: Cluster;
  wallMs: () => number;
  onStored: (place: Place, next: number, records: number, bytes: number) => void;
  onFailed: (place: Place, error: CollectorError, records: number) => void;
}

const GROUP_BYTES_MAX = 1024 * 1024;
const GROUP_RECORDS_MAX = 10_000;
/** Waiting and under way in this process, all partitions together. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/** The topics' max.message.bytes, less what a batch needs for itself. */
export const RECORD_BYTES_MAX = 16 * 1024 * 1024 - 1024;
/** A record that could not be sent for so long is given back. */
const WAIT_MAX_MS = 6_000;
/** How long the leader waits for the other replicas; less than the request's own bound. */
const REPLICAS_TIMEOUT_MS = 4_000;

export class Appender {
  readonly #options: AppenderOptions;
  readonly #queues = new Map<string, Queue>();
  #waitingBytes = 0;
  #closed = false;
  #idle: (() => void)[] = [];
  #running = 0;

  constructor(options: AppenderOptions) {
    this.#options = options;
  }

  /** Resolves with the record's offset. */
  append(place: AppendPlace, record: OutRecord): Promise<number> {
    if (this.#closed) return Promise.reject(closedError());
    const bytes = sizeOf(record);
    const refusal = this.#refusal(bytes);
    if (refusal !== undefined) {
      this.#options.onFailed(place, refusal, 1);
      return Promise.reject(refusal);
    }
    this.#waitingBytes += bytes;
    const queue = this.#queue(place);
    return new Promise((resolve, reject) => {
      queue.pending.push({ record, bytes, sinceMs: performance.now(), resolve, reject });
      if (queue.running) return;
      queue.running = true;
      this.#running += 1;
      // After the I/O events of this turn: all connections that had something to say share the request.
      setImmediate(() => void this.#run(queue));
    });
  }

  /** Resolves when all that is under way has been answered; later appends are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #refusal(bytes: number): CollectorError | undefined {
    try {
      this.#options.cluster.assertUsable();
    } catch (error) {
      return asLogError(error, 'append');
    }
    if (bytes > RECORD_BYTES_MAX) return tooLarge(bytes, RECORD_BYTES_MAX);
    if (this.#waitingBytes + bytes > WAITING_BYTES_MAX)
      return unavailable(`${WAITING_BYTES_MAX} bytes wait for the brokers already`);
    return undefined;
  }

  #queue(place: AppendPlace): Queue {
    const key = `${place.topic}/${place.partition}`;
    const known = this.#queues.get(key);
    if (known !== undefined) return known;
    const queue: Queue = { place, pending: [], running: false, next: place.end ?? 0 };
    this.#queues.set(key, queue);
    return queue;
  }

  /** Never rejects. */
  async #run(queue: Queue): Promise<void> {
    while (queue.pending.length > 0) {
      const group = takeGroup(queue);
      try {
        await this.#send(queue, group);
      } catch (error) {
        // What waited meanwhile would fare no better, and its callers do not wait for ever.
        const failed = [...group, ...queue.pending.splice(0)];
        this.#fail(queue.place, failed, asLogError(error, `append to ${nameOf(queue)}`));
      }
    }
    queue.running = false;
    this.#running -= 1;
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #send(queue: Queue, group: readonly Pending[]): Promise<void> {
    const { cluster, wallMs, onStored } = this.#options;
    const { topic, partition } = queue.place;
    const batch = encodeBatch(
      group.map(({ record }) => record),
      wallMs(),
      undefined,
    );
    const waitedMs = performance.now() - (group[0]?.sinceMs ?? 0);
    const [stored] = await cluster.atLeader(
      topic,
      partition,
      'append',
      async (connection) => {
        const answer = await produce(connection, [{ topic, partition, batch }], {
          transactionalId: null,
          timeoutMs: REPLICAS_TIMEOUT_MS,
        });
        const error = answer[0]?.error ?? 'UNKNOWN_SERVER_ERROR';
        if (error !== 'NONE') throw new BrokerError(error, answer[0]?.detail);
        return answer;
      },
      WAIT_MAX_MS - waitedMs,
    );
    const base = stored?.baseOffset ?? -1;
    const before = queue.next;
    queue.next = base + group.length;
    if (base < before) await this.#refuseGoingBack(queue, before, base);
    let bytes = 0;
    for (const one of group) bytes += one.bytes;
    this.#waitingBytes -= bytes;
    onStored(queue.place, queue.next, group.length, bytes);
    for (let index = 0; index < group.length; index++) group[index]!.resolve(base + index);
  }

  /** Made anew between two looks at the topics, or a broker came back without what it had acknowledged. */
  async #refuseGoingBack(queue: Queue, before: number, base: number): Promise<never> {
    const { cluster } = this.#options;
    await cluster.refresh();
    cluster.assertUsable();
    throw wentBack(nameOf(queue), before, base);
  }

  #fail(place: Place, failed: readonly Pending[], error: CollectorError): void {
    for (const { bytes } of failed) this.#waitingBytes -= bytes;
    this.#options.onFailed(place, error, failed.length);
    for (const { reject } of failed) reject(error);
  }
}

function takeGroup(queue: Queue): Pending[] {
  const { pending } = queue;
  let count = 0;
  let bytes = 0;
  while (count < pending.length && count < GROUP_RECORDS_MAX) {
    bytes += pending[count]!.bytes;
    if (count > 0 && bytes > GROUP_BYTES_MAX) break;
    count += 1;
  }
  if (count < pending.length) return pending.splice(0, count);
  queue.pending = [];
  return pending;
}

function nameOf({ place: { topic, partition } }: Queue): string {
  return `${topic}/${partition}`;
}
