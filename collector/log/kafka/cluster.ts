/**
 * The brokers and who leads what. Learns anew on a timer and whenever a broker says that it is not the
 * one; every request goes through here, so that each is bounded in time and repeated only where the
 * brokers said that nothing was done.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '@platformatic/kafka';
import { findCoordinatorV4, findErrorBy, metadataV12 } from '@platformatic/kafka';
import type { KafkaConfig } from '../../config.ts';
import type { CollectorError } from '../../errors.ts';
import type { Address, Lane } from './connections.ts';
import { Connections } from './connections.ts';
import { asLogError, closedError, isRepeatable, kindOf, NotConnectedError } from './failures.ts';
import { errorIdOf } from './requests.ts';

export interface TopicInfo {
  name: string;
  id: string;
  partitions: PartitionInfo[];
}

interface PartitionInfo {
  /** -1: nobody leads it at the moment. */
  leader: number;
  epoch: number;
}

type Metadata = Awaited<ReturnType<typeof metadataV12.api.async>>;

const TRANSACTION_COORDINATOR = 1;
const RETRY_MIN_MS = 5;
const RETRY_MAX_MS = 200;
/** Time for a request that may be repeated, all in all. */
export const RETRIES_MS = 8_000;
/** Between two looks that errors ask for. */
const REFRESH_PAUSE_MS = 50;
/** A broker that has just started may not have heard of a topic yet: it is not gone at the first word. */
const MISSING_AFTER_MS = 1_500;
const NO_TOPIC_ID = /^[0-]*$/;

export class Cluster {
  readonly connections: Connections;
  readonly #topicNames: readonly string[];
  readonly #bootstrap: readonly Address[];
  #answering: Address | undefined;
  #brokers = new Map<number, Address>();
  readonly #topics = new Map<string, TopicInfo>();
  readonly #missingSince = new Map<string, number>();
  readonly #coordinators = new Map<string, Address>();
  #refreshing: Promise<void> | undefined;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;
  #checkTopics: (() => CollectorError | undefined) | undefined;
  #invalid: CollectorError | undefined;
  readonly #closing = new AbortController();

  constructor(config: KafkaConfig, topicNames: readonly string[], clientId: string) {
    this.connections = new Connections(config, clientId);
    this.#topicNames = topicNames;
    this.#bootstrap = config.brokers.map(addressOf);
  }

  /** Aborts with close(). */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** As the brokers said last; undefined: they do not know it. */
  topic(name: string): TopicInfo | undefined {
    return this.#topics.get(name);
  }

  /** Why the log must not be used: what `check` found at the last look at the topics. */
  get invalid(): CollectorError | undefined {
    return this.#invalid;
  }

  /** From now on `check` is asked after each look at the topics. */
  watchTopics(check: () => CollectorError | undefined): void {
    this.#checkTopics = check;
    this.#invalid = check();
  }

  /** Throws LOG_CLOSED or what is wrong with the topics. */
  assertUsable(): void {
    if (this.#closing.signal.aborted) throw closedError();
    if (this.#invalid !== undefined) throw this.#invalid;
  }

  /** Asks for the topics anew; shares what is under way. Rejects when no broker answers. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** Runs a request at the partition's leader, again and again while it is repeatable. */
  async atLeader<Result>(
    topic: string,
    partition: number,
    lane: Lane,
    request: (connection: Connection, leaderEpoch: number) => Promise<Result>,
    timeoutMs = RETRIES_MS,
  ): Promise<Result> {
    return await this.repeat(timeoutMs, async () => {
      const { leader, epoch } = this.leaderOf(topic, partition);
      return await this.atBroker(leader, lane, (connection) => request(connection, epoch));
    });
  }

  leaderOf(topic: string, partition: number): PartitionInfo {
    const info = this.#topics.get(topic)?.partitions[partition];
    if (info === undefined) throw new NotConnectedError(`no partition ${topic}/${partition}`);
    if (info.leader < 0) throw new NotConnectedError(`nobody leads ${topic}/${partition}`);
    return info;
  }

  async atBroker<Result>(
    nodeId: number,
    lane: Lane,
    request: (connection: Connection) => Promise<Result>,
  ): Promise<Result> {
    const address = this.#brokers.get(nodeId);
    if (address === undefined) throw new NotConnectedError(`broker ${nodeId} is not there`);
    return await this.connections.run(address, lane, request);
  }

  /** At whichever broker answers. */
  async atAny<Result>(
    request: (connection: Connection) => Promise<Result>,
    lane: Lane = 'meta',
  ): Promise<Result> {
    let last: unknown = new NotConnectedError('no broker is configured');
    for (const address of this.#addresses()) {
      try {
        const result = await this.connections.run(address, lane, request);
        this.#answering = address;
        return result;
      } catch (error) {
        if (this.signal.aborted) throw closedError();
        last = error;
      }
    }
    throw last;
  }

  /** Partitions by who leads them; those that nobody leads are left out. */
  byLeader<Part extends { topic: string; partition: number }>(
    parts: readonly Part[],
  ): Map<number, Part[]> {
    const led = parts.filter(({ topic, partition }) => {
      const info = this.#topics.get(topic)?.partitions[partition];
      return info !== undefined && info.leader >= 0;
    });
    return Map.groupBy(led, ({ topic, partition }) => this.leaderOf(topic, partition).leader);
  }

  nodeIds(): number[] {
    return [...this.#brokers.keys()];
  }

  /** Runs a request at the broker that coordinates the transactional id. */
  async atCoordinator<Result>(
    transactionalId: string,
    request: (connection: Connection) => Promise<Result>,
  ): Promise<Result> {
    const address = await this.#coordinator(transactionalId);
    try {
      return await this.connections.run(address, 'commit', request);
    } catch (error) {
      if (kindOf(error) !== 'busy') this.#coordinators.delete(transactionalId);
      throw error;
    }
  }

  async #coordinator(transactionalId: string): Promise<Address> {
    const known = this.#coordinators.get(transactionalId);
    if (known !== undefined) return known;
    const { coordinators } = await this.atAny((connection) =>
      findCoordinatorV4.api.async(connection, TRANSACTION_COORDINATOR, [transactionalId]),
    );
    const [found] = coordinators;
    if (found === undefined) throw new NotConnectedError('nobody coordinates transactions');
    const address = { host: found.host, port: found.port };
    this.#coordinators.set(transactionalId, address);
    return address;
  }

  /**
   * Repeats while the brokers say that nothing was done and it may work later. Rejects with an error of
   * the log, at the latest when a request that ends after `timeoutMs` has failed.
   */
  async repeat<Result>(timeoutMs: number, attempt: () => Promise<Result>): Promise<Result> {
    const deadlineMs = performance.now() + timeoutMs;
    let pauseMs = RETRY_MIN_MS;
    for (;;) {
      this.assertUsable();
      try {
        return await attempt();
      } catch (error) {
        if (this.signal.aborted) throw closedError();
        if (!isRepeatable(error) || performance.now() + pauseMs > deadlineMs) throw error;
        if (kindOf(error) === 'stale') await this.refreshSoon();
        await this.pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS);
      }
    }
  }

  /** Shorter if the log closes. */
  async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.signal }).catch(() => undefined);
  }

  /** Never rejects: who needs to know finds out by the next request. */
  async refreshSoon(): Promise<void> {
    if (performance.now() - this.#refreshedAtMs < REFRESH_PAUSE_MS) return;
    await this.refresh().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.connections.close();
    await this.#refreshing?.catch(() => undefined);
  }

  /** First the one that answered last: to find out that another is cut off takes seconds. */
  #addresses(): Address[] {
    const first = this.#answering === undefined ? [] : [this.#answering];
    const all = [...first, ...this.#brokers.values(), ...this.#bootstrap];
    return [...new Map(all.map((one) => [`${one.host}:${one.port}`, one])).values()];
  }

  async #refresh(): Promise<void> {
    if (this.signal.aborted) throw closedError();
    try {
      this.#take(await this.atAny((connection) => this.#ask(connection)));
    } catch (error) {
      throw asLogError(error, 'topics of the log');
    } finally {
      this.#refreshedAtMs = performance.now();
    }
    this.#invalid = this.#checkTopics?.();
  }

  async #ask(connection: Connection): Promise<Metadata> {
    try {
      return await metadataV12.api.async(connection, [...this.#topicNames], false);
    } catch (error) {
      // An error of one topic fails the whole call; the answer says which, and the rest of it holds.
      const response = error instanceof Error && findErrorBy(error, 'code', 'PLT_KFK_RESPONSE');
      if (response && typeof response.response === 'object') return response.response as Metadata;
      throw error;
    }
  }

  #take({ brokers, topics }: Metadata): void {
    if (brokers.length > 0)
      this.#brokers = new Map(brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    for (const { name, topicId, errorCode, partitions } of topics) {
      if (name === null || name === undefined) continue;
      const error = errorIdOf(errorCode);
      if (error === 'UNKNOWN_TOPIC_OR_PARTITION') this.#missing(name);
      if (error !== 'NONE' || NO_TOPIC_ID.test(topicId)) continue;
      this.#missingSince.delete(name);
      const id = topicId.replaceAll('-', '');
      const before = this.#topics.get(name);
      const infos: PartitionInfo[] = [];
      for (const { partitionIndex, leaderId, leaderEpoch } of partitions) {
        const old = before?.id === id ? before.partitions[partitionIndex] : undefined;
        // A broker that lags behind may still name a leader who was deposed.
        infos[partitionIndex] =
          old !== undefined && old.epoch > leaderEpoch
            ? old
            : { leader: leaderId, epoch: leaderEpoch };
      }
      this.#topics.set(name, { name, id, partitions: infos });
    }
  }

  #missing(name: string): void {
    const nowMs = performance.now();
    const sinceMs = this.#missingSince.get(name) ?? nowMs;
    this.#missingSince.set(name, sinceMs);
    if (nowMs - sinceMs >= MISSING_AFTER_MS) this.#topics.delete(name);
  }
}

/** `host:port`, and `[::1]:9092`. */
function addressOf(broker: string): Address {
  const end = broker.lastIndexOf(':');
  const host = broker.slice(0, end).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(broker.slice(end + 1)) };
}
