/**
 * One transactional id: opening it fences whoever had it, and a commit makes records of several
 * partitions durable together. After a failure within a commit nothing is known of it, and the session
 * is of no use any more: opening it anew settles what became of it.
 */

import { addPartitionsToTxnV3, endTxnV3, initProducerIdV4 } from '@platformatic/kafka';
import { CollectorError } from '../../errors.ts';
import type { OutRecord } from './batches.ts';
import { encodeBatch, sizeOf } from './batches.ts';
import type { Cluster } from './cluster.ts';
import { RETRIES_MS } from './cluster.ts';
import { asLogError, BrokerError, wentBack } from './failures.ts';
import type { Place } from './reading.ts';
import type { Produced } from './requests.ts';
import { produce } from './requests.ts';

export interface TransactionPart extends Place {
  /** Where the partition ended, as far as is known: what is written comes after it, or it is another one. */
  end?: number;
  records: readonly OutRecord[];
}

/** A transaction that nobody ends, for its process froze, is undone after this. */
const TRANSACTION_TIMEOUT_MS = 15_000;
const OPEN_TIMEOUT_MS = 20_000;
const PRODUCE_TIMEOUT_MS = 4_500;
const BATCH_BYTES_MAX = 2 * 1024 * 1024;
interface Send extends Place {
  index: number;
  batch: Buffer;
  count: number;
  end: number;
}

const SEQUENCE_LIMIT = 2 ** 31;

export class TransactionalProducer {
  readonly #cluster: Cluster;
  readonly #id: string;
  readonly #producerId: bigint;
  readonly #epoch: number;
  readonly #sequences = new Map<string, number>();
  #useless: CollectorError | undefined;

  private constructor(cluster: Cluster, id: string, producerId: bigint, epoch: number) {
    this.#cluster = cluster;
    this.#id = id;
    this.#producerId = producerId;
    this.#epoch = epoch;
  }

  /** Fences earlier ones and waits until the last transaction of theirs has ended. Rejects with an error of the log. */
  static async open(cluster: Cluster, id: string): Promise<TransactionalProducer> {
    try {
      const { producerId, producerEpoch } = await cluster.repeat(OPEN_TIMEOUT_MS, () =>
        cluster.atCoordinator(id, (connection) =>
          initProducerIdV4.api.async(connection, id, TRANSACTION_TIMEOUT_MS, -1n, -1),
        ),
      );
      return new TransactionalProducer(cluster, id, producerId, producerEpoch);
    } catch (error) {
      throw asLogError(error, `taking over ${id}`);
    }
  }

  /** Why it can do nothing more. */
  get useless(): CollectorError | undefined {
    return this.#useless;
  }

  /** Another one of this process took over. */
  fence(): void {
    this.#useless ??= new CollectorError('LOG_FENCED', this.#id);
  }

  /** Resolves with the offset after the last record of each part. One at a time. */
  async commit(parts: readonly TransactionPart[], wallMs: number): Promise<number[]> {
    if (this.#useless !== undefined) throw this.#useless;
    try {
      await this.#begin(parts);
      const ends = await this.#produceAll(parts, wallMs);
      await this.#end();
      return ends;
    } catch (error) {
      this.#useless ??= asLogError(error, this.#id);
      throw this.#useless;
    }
  }

  async #begin(parts: readonly TransactionPart[]): Promise<void> {
    const topics = [...Map.groupBy(parts, ({ topic }) => topic)].map(([name, led]) => ({
      name,
      partitions: led.map(({ partition }) => partition),
    }));
    const transaction = {
      transactionalId: this.#id,
      producerId: this.#producerId,
      producerEpoch: this.#epoch,
      verifyOnly: false,
      topics,
    };
    // The markers of the transaction before may still be on their way: CONCURRENT_TRANSACTIONS.
    await this.#cluster.repeat(RETRIES_MS, () =>
      this.#cluster.atCoordinator(this.#id, (connection) =>
        addPartitionsToTxnV3.api.async(connection, [transaction]),
      ),
    );
  }

  async #end(): Promise<void> {
    await this.#cluster.repeat(RETRIES_MS, () =>
      this.#cluster.atCoordinator(this.#id, (connection) =>
        endTxnV3.api.async(connection, this.#id, this.#producerId, this.#epoch, true),
      ),
    );
  }

  async #produceAll(parts: readonly TransactionPart[], wallMs: number): Promise<number[]> {
    const ends = parts.map(() => 0);
    const batches = parts.map(({ records }) => splitBatches(records));
    const rounds = Math.max(...batches.map((some) => some.length));
    for (let round = 0; round < rounds; round++) {
      const due = parts.flatMap((part, index) => {
        const records = batches[index]?.[round];
        return records === undefined ? [] : [{ part, index, records }];
      });
      const sends = due.map(({ part: { topic, partition, end }, index, records }) => {
        const firstSequence = this.#takeSequence(topic, partition, records.length);
        const producer = { producerId: this.#producerId, epoch: this.#epoch, firstSequence };
        const batch = encodeBatch(records, wallMs, producer);
        return { topic, partition, index, batch, count: records.length, end: end ?? 0 };
      });
      await this.#produceRound(sends, ends);
    }
    return ends;
  }

  /** One request a leader; what a leader refused since it is none is sent again. */
  async #produceRound(sends: readonly Send[], ends: number[]): Promise<void> {
    let rest = sends;
    await this.#cluster.repeat(RETRIES_MS, async () => {
      const led = this.#cluster.byLeader(rest);
      const requests = [...led].map(([leader, some]) =>
        this.#cluster.atBroker(leader, 'commit', (connection) =>
          produce(connection, some, {
            transactionalId: this.#id,
            timeoutMs: PRODUCE_TIMEOUT_MS,
          }),
        ),
      );
      const answers = await Promise.allSettled(requests);
      const stored = new Map<string, Produced>();
      const errors: unknown[] = [];
      for (const answer of answers) {
        if (answer.status === 'rejected') errors.push(answer.reason);
        else for (const one of answer.value) stored.set(`${one.topic}/${one.partition}`, one);
      }
      rest = rest.filter(({ topic, partition, index, count, end }) => {
        const one = stored.get(`${topic}/${partition}`);
        if (one === undefined) return true;
        if (one.error === 'NONE' && one.baseOffset < end)
          throw wentBack(`${topic}/${partition}`, end, one.baseOffset);
        if (one.error === 'NONE' || one.error === 'DUPLICATE_SEQUENCE_NUMBER') {
          ends[index] = Math.max(ends[index] ?? 0, one.baseOffset + count);
          return false;
        }
        errors.push(new BrokerError(one.error, `${topic}/${partition} ${one.detail}`));
        return true;
      });
      if (errors.length > 0) throw new AggregateError(errors);
      if (rest.length > 0) throw new BrokerError('LEADER_NOT_AVAILABLE');
    });
  }

  #takeSequence(topic: string, partition: number, count: number): number {
    const key = `${topic}/${partition}`;
    const first = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, (first + count) % SEQUENCE_LIMIT);
    return first;
  }
}

function splitBatches(records: readonly OutRecord[]): OutRecord[][] {
  const batches: OutRecord[][] = [];
  let batch: OutRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = sizeOf(record);
    if (batch.length > 0 && bytes + size > BATCH_BYTES_MAX) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += size;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
