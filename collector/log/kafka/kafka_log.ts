/** The Log contract over the topics of a Kafka cluster. */

import { CollectorError } from '../../errors.ts';
import type { Clock, Logger } from '../../types.ts';
import type {
  ConsumerSession,
  Control,
  Log,
  LogRecord,
  LogStats,
  LogTopic,
  NewRecord,
  ProcessorSession,
  ReadLimits,
} from '../log.ts';
import { Appender } from './appender.ts';
import type { Cluster } from './cluster.ts';
import { KafkaControl } from './control.ts';
import { asLogError, closedError } from './failures.ts';
import { Positions } from './positions.ts';
import type { Place } from './reading.ts';
import { endsOf } from './reading.ts';
import type { SessionHost } from './sessions.ts';
import { openConsumer, openProcessor, outRecordOf } from './sessions.ts';
import { Space } from './space.ts';
import { Stream } from './stream.ts';
import type { TopicNames } from './topics.ts';
import type { TransactionalProducer } from './transactions.ts';
import { trimLog } from './trim.ts';

export interface KafkaLogOptions {
  cluster: Cluster;
  names: TopicNames;
  identity: string;
  partitions: number;
  maxBytes: number;
  retentionBytes: number;
  retentionMs: number;
  clock: Clock;
  log: Logger;
}

const LOG_TOPICS: readonly LogTopic[] = ['raw', 'readings', 'quarantine', 'events'];
/** How often topics, ends and positions are looked at; the disks every second time. */
const WATCH_INTERVAL_MS = 5_000;
const WATCHES_PER_MEASURE = 2;
/** Between two trims that a full log asks for. */
const TRIM_INTERVAL_MS = 1_000;
const LOOK = 'look';
/** A failed append to a partition that nobody appends to any more says nothing after this. */
const FAILURE_HOLDS_MS = 10_000;

export class KafkaLog implements Log, SessionHost {
  readonly identity: string;
  readonly partitionCount: number;
  readonly control: Control;
  readonly cluster: Cluster;
  readonly names: TopicNames;
  readonly positions: Positions;
  readonly producers = new Map<string, TransactionalProducer>();
  readonly #options: KafkaLogOptions;
  readonly #streams: readonly (readonly [LogTopic, Stream])[];
  readonly #space: Space;
  readonly #appender: Appender;
  #closed: Promise<void> | undefined;
  #watching: Promise<void> | undefined;
  #watchTimer: NodeJS.Timeout | undefined;
  #watches = 0;
  #trimming: Promise<void> | undefined;
  #trimmedAtMs = Number.NEGATIVE_INFINITY;
  /** Where the last append failed, or the last look at the brokers did (LOOK). */
  readonly #failures = new Map<string, { error: CollectorError; atMs: number }>();
  #appendedTotal = 0;
  #appendErrorsTotal = 0;
  #commitsTotal = 0;

  constructor(options: KafkaLogOptions) {
    const { cluster, names, partitions } = options;
    this.#options = options;
    this.identity = options.identity;
    this.partitionCount = partitions;
    this.cluster = cluster;
    this.names = names;
    this.#streams = LOG_TOPICS.flatMap((topic) =>
      Array.from(
        { length: partitions },
        (_, partition) => [topic, new Stream(cluster, names.of(topic), topic, partition)] as const,
      ),
    );
    this.positions = new Positions(cluster, names.of('positions'), partitions);
    this.#space = new Space(cluster, options.maxBytes, [
      { topic: names.of('state'), partitions },
      { topic: names.of('positions'), partitions },
      { topic: names.of('control'), partitions: 1 },
    ]);
    this.#appender = new Appender({
      cluster,
      wallMs: () => this.wallMs(),
      onStored: (place, next, records, bytes) => this.#noteStored(place, next, records, bytes),
      onFailed: (place, error, records) => this.#noteFailed(place, error, records),
    });
    this.control = new KafkaControl(cluster, names.of('control'), this.#appender);
  }

  /** Learns what stats() tells, and keeps it fresh from then on. Rejects with an error of the log. */
  async start(): Promise<void> {
    await Promise.all(this.#streams.map(([, stream]) => stream.bounds()));
    await this.positions.catchUpAll();
    await this.#space.measure(this.#streams.map(([, stream]) => stream)).catch((error: unknown) => {
      throw asLogError(error, 'sizes of the topics');
    });
    this.#watchTimer = setInterval(() => {
      this.#watching ??= this.#watch().finally(() => {
        this.#watching = undefined;
      });
    }, WATCH_INTERVAL_MS);
    this.#watchTimer.unref();
  }

  append(topic: LogTopic, partition: number, record: NewRecord): Promise<number> {
    const stream = this.stream(topic, partition);
    if (this.#closed !== undefined) return Promise.reject(closedError());
    if (this.#space.full) {
      const error = new CollectorError(
        'LOG_FULL',
        `${this.#space.usedBytes} of ${this.#options.maxBytes} bytes are kept`,
      );
      this.#noteFailed(stream, error, 1);
      return Promise.reject(error);
    }
    return this.#appender.append(stream, outRecordOf(record));
  }

  async read(
    topic: LogTopic,
    partition: number,
    from: number,
    limits: ReadLimits,
  ): Promise<LogRecord[]> {
    const stream = this.stream(topic, partition);
    this.assertOpen();
    return await stream.read(from, limits);
  }

  async waitFor(
    topic: LogTopic,
    partition: number,
    offset: number,
    signal: AbortSignal,
  ): Promise<void> {
    await this.stream(topic, partition).waitFor(offset, signal);
  }

  async bounds(topic: LogTopic, partition: number): Promise<{ first: number; next: number }> {
    const stream = this.stream(topic, partition);
    this.assertOpen();
    return await stream.bounds();
  }

  async openProcessor(partition: number): Promise<ProcessorSession> {
    return await openProcessor(this, partition);
  }

  async openConsumer(name: string, topic: LogTopic, partition: number): Promise<ConsumerSession> {
    return await openConsumer(this, name, topic, partition);
  }

  async trim(nowMs: number): Promise<void> {
    this.assertOpen();
    // One at a time; a caller that comes in between waits for the one under way.
    this.#trimming ??= this.#trim(nowMs).finally(() => {
      this.#trimming = undefined;
    });
    await this.#trimming;
  }

  stats(): LogStats {
    const consumerLagRecords: Record<string, number> = {};
    let processorLagRecords = 0;
    for (const [topic, stream] of this.#streams) {
      const { partition } = stream;
      if (topic === 'raw') {
        const position = this.positions.of(partition, 'processor')?.position ?? stream.first;
        processorLagRecords += stream.recordsAfter(position);
        continue;
      }
      for (const [name, { position }] of this.positions.consumers(partition, topic))
        consumerLagRecords[name] = (consumerLagRecords[name] ?? 0) + stream.recordsAfter(position);
    }
    return {
      appendable: this.#isAppendable(),
      bytes: this.#space.usedBytes,
      maxBytes: this.#options.maxBytes,
      processorLagRecords,
      consumerLagRecords,
      appendedTotal: this.#appendedTotal,
      appendErrorsTotal: this.#appendErrorsTotal,
      commitsTotal: this.#commitsTotal,
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearInterval(this.#watchTimer);
    await this.#appender.close();
    for (const [, stream] of this.#streams) stream.close();
    await this.cluster.close();
    await this.#trimming?.catch(() => undefined);
    await this.#watching;
  }

  /** Throws a RangeError for a topic or partition that there is not. */
  stream(topic: LogTopic, partition: number): Stream {
    const isInside =
      Number.isInteger(partition) && partition >= 0 && partition < this.partitionCount;
    const entry = this.#streams[LOG_TOPICS.indexOf(topic) * this.partitionCount + partition];
    if (!isInside || entry === undefined || entry[0] !== topic)
      throw new RangeError(`no partition ${partition} of topic ${topic}`);
    return entry[1];
  }

  wallMs(): number {
    return this.#options.clock.wallMs();
  }

  assertOpen(): void {
    if (this.#closed !== undefined) throw closedError();
    this.cluster.assertUsable();
  }

  noteCommit(bytes: number): void {
    this.#commitsTotal += 1;
    this.#space.noteWritten(bytes);
  }

  #isAppendable(): boolean {
    if (this.#closed !== undefined || this.cluster.invalid !== undefined) return false;
    return !this.#space.full && this.#failures.size === 0;
  }

  #noteStored(place: Place, next: number, records: number, bytes: number): void {
    this.#appendedTotal += records;
    this.#commitsTotal += 1;
    this.#space.noteWritten(bytes);
    if (place instanceof Stream) place.noteWritten(next);
    this.#noteWell(LOOK);
    this.#noteWell(placeOf(place));
  }

  #noteWell(place: string): void {
    if (!this.#failures.delete(place) || this.#failures.size > 0) return;
    this.#options.log.info({}, 'the log takes records again');
  }

  #noteFailed(place: Place, error: CollectorError, records: number): void {
    this.#appendErrorsTotal += records;
    if (error.code === 'LOG_FULL') this.#trimSoon();
    // It is the record that is wrong, not the log.
    if (error.code === 'LOG_RECORD_TOO_LARGE' || error.code === 'LOG_CLOSED') return;
    this.#noteFailure(placeOf(place), error);
  }

  #noteFailure(place: string, error: CollectorError): void {
    const isKnown = [...this.#failures.values()].some((one) => one.error.code === error.code);
    this.#failures.set(place, { error, atMs: performance.now() });
    if (isKnown) return;
    this.#options.log.error(
      { code: error.code, hint: error.hint },
      `the log refuses records: ${error.message}`,
    );
  }

  /** The cap was met: what was consumed makes room now, not when the timer comes. */
  #trimSoon(): void {
    if (performance.now() - this.#trimmedAtMs < TRIM_INTERVAL_MS) return;
    this.#trimmedAtMs = performance.now();
    void this.trim(this.wallMs()).catch(() => undefined);
  }

  async #trim(nowMs: number): Promise<void> {
    const { retentionBytes, retentionMs, maxBytes } = this.#options;
    try {
      await trimLog({
        cluster: this.cluster,
        positions: this.positions,
        space: this.#space,
        streams: this.#streams,
        // A full log gives more than its last byte, or it would be full again at once.
        retentionBytes: Math.min(retentionBytes, maxBytes * 0.9),
        notBeforeMs: nowMs - retentionMs,
      });
    } catch (error) {
      throw asLogError(error, 'trim');
    }
  }

  /** Never rejects: what fails is tried again in a moment, and noted if it is the brokers themselves. */
  async #watch(): Promise<void> {
    this.#watches += 1;
    try {
      await this.cluster.refresh();
      if (this.cluster.invalid !== undefined) return this.#noteFailure(LOOK, this.cluster.invalid);
      const ends = await endsOf(
        this.cluster,
        this.#streams.map(([, stream]) => stream),
      );
      const byPlace = new Map(ends.map((end) => [`${end.topic}/${end.partition}`, end.next]));
      for (const [, stream] of this.#streams)
        stream.noteEnd(byPlace.get(`${stream.topic}/${stream.partition}`) ?? 0);
      await this.positions.catchUpAll();
      if (this.#watches % WATCHES_PER_MEASURE === 0)
        await this.#space.measure(this.#streams.map(([, stream]) => stream));
      if (ends.length < this.#streams.length) return;
      const oldMs = performance.now() - FAILURE_HOLDS_MS;
      for (const [place, { atMs }] of this.#failures)
        if (place === LOOK || atMs < oldMs) this.#noteWell(place);
    } catch (error) {
      if (this.#closed !== undefined) return;
      const failure = asLogError(error, 'looking at the log');
      if (failure.code !== 'LOG_CLOSED') this.#noteFailure(LOOK, failure);
    }
  }
}

function placeOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`;
}
