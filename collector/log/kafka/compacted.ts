/**
 * A compacted partition as a map: the newest committed value of each key. Reads uncommitted and follows
 * the markers itself: a stranger's open transaction would otherwise hide what was committed after it,
 * and with it a position that the reader must not miss.
 */

import type { Batch, InRecord } from './batches.ts';
import type { Cluster } from './cluster.ts';
import { asLogError, unavailable } from './failures.ts';
import { boundsOf, fetchAt } from './reading.ts';
import type { Fetched } from './requests.ts';

const FETCH_BYTES = 4 * 1024 * 1024;
/** The brokers promise more records, and give none. */
const STUCK_AFTER_MS = 10_000;

export type OnEntry = (key: string, value: Uint8Array | undefined) => void;

export class CompactedPartition {
  readonly values = new Map<string, Uint8Array>();
  readonly #cluster: Cluster;
  readonly #topic: string;
  readonly #partition: number;
  readonly #onEntry: OnEntry;
  /** Of transactions that have not ended. */
  readonly #open = new Map<bigint, InRecord[]>();
  #next = -1;
  #turn: Promise<void> = Promise.resolve();

  /** `onEntry` is called for each change, in the order of the log. */
  constructor(
    cluster: Cluster,
    topic: string,
    partition: number,
    onEntry: OnEntry = () => undefined,
  ) {
    this.#cluster = cluster;
    this.#topic = topic;
    this.#partition = partition;
    this.#onEntry = onEntry;
  }

  /** Where it has been read to. */
  get next(): number {
    return this.#next;
  }

  /** Resolves when all that was stored before the call is known. Rejects with an error of the log. */
  catchUp(): Promise<void> {
    const turn = this.#turn.then(() => this.#catchUp());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #catchUp(): Promise<void> {
    const place = { topic: this.#topic, partition: this.#partition };
    try {
      if (this.#next < 0) this.#next = (await boundsOf(this.#cluster, place)).first;
      let end: number | undefined;
      let moved = performance.now();
      do {
        const fetched = await fetchAt(
          this.#cluster,
          'read',
          { ...place, offset: this.#next },
          {
            maxWaitMs: 0,
            partitionMaxBytes: FETCH_BYTES,
            maxBytes: FETCH_BYTES,
            committed: false,
          },
        );
        end ??= fetched.highWatermark;
        this.take(fetched);
        this.#cluster.assertUsable();
        if (fetched.batches.length > 0) moved = performance.now();
        else if (performance.now() - moved > STUCK_AFTER_MS)
          throw unavailable('no end is in sight');
        else if (this.#next < end) await this.#cluster.pause(1);
      } while (this.#next < end);
    } catch (error) {
      throw asLogError(error, `${this.#topic}/${this.#partition}`);
    }
  }

  take({ batches }: Fetched): void {
    for (const batch of batches) {
      if (batch.lastOffset < this.#next) continue;
      this.#fold(batch);
      this.#next = batch.lastOffset + 1;
    }
  }

  #fold(batch: Batch): void {
    const { producerId, marker, transactional } = batch;
    const fresh = batch.records.filter(({ offset }) => offset >= this.#next);
    if (marker !== undefined) {
      const ended = this.#open.get(producerId) ?? [];
      this.#open.delete(producerId);
      if (marker === 'commit') for (const record of ended) this.#put(record);
    } else if (transactional) {
      const records = this.#open.get(producerId);
      if (records === undefined) this.#open.set(producerId, fresh);
      else records.push(...fresh);
    } else {
      for (const record of fresh) this.#put(record);
    }
  }

  #put({ key, value }: InRecord): void {
    // A copy of its own: a part of what was fetched would keep all of that alive.
    const own = value === undefined ? undefined : new Uint8Array(value);
    if (own === undefined) this.values.delete(key);
    else this.values.set(key, own);
    this.#onEntry(key, own);
  }
}
