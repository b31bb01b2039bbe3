/**
 * Processors and consumers: each has a transactional id, so that whoever opens it last is the only one
 * who can commit.
 */

import { CollectorError } from '../../errors.ts';
import type { ConsumerSession, LogTopic, NewRecord, ProcessorSession } from '../log.ts';
import { RECORD_BYTES_MAX } from './appender.ts';
import type { OutRecord } from './batches.ts';
import { sizeOf } from './batches.ts';
import type { Cluster } from './cluster.ts';
import { CompactedPartition } from './compacted.ts';
import { tooLarge } from './failures.ts';
import type { Position, Positions } from './positions.ts';
import { consumerKey, encodePosition, PROCESSOR_KEY } from './positions.ts';
import type { Stream } from './stream.ts';
import type { TopicNames } from './topics.ts';
import type { TransactionPart } from './transactions.ts';
import { TransactionalProducer } from './transactions.ts';

/** What sessions need of the log that they belong to. */
export interface SessionHost {
  readonly cluster: Cluster;
  readonly names: TopicNames;
  readonly positions: Positions;
  stream(topic: LogTopic, partition: number): Stream;
  wallMs(): number;
  /** Throws LOG_CLOSED. */
  assertOpen(): void;
  noteCommit(bytes: number): void;
  /** Of this process' sessions, the newest of each transactional id. */
  readonly producers: Map<string, TransactionalProducer>;
}

type Step = Parameters<ProcessorSession['commit']>[0];

export async function openProcessor(
  host: SessionHost,
  partition: number,
): Promise<ProcessorSession> {
  const stream = host.stream('raw', partition);
  host.assertOpen();
  const { cluster, names } = host;
  const id = `${names.prefix}.process.${partition}`;
  const producer = await takeOver(host, id);
  const state = new CompactedPartition(cluster, names.of('state'), partition);
  const [bounds] = await Promise.all([
    stream.bounds(),
    state.catchUp(),
    host.positions.catchUp(partition),
  ]);
  host.assertOpen();
  const stored = host.positions.stored(partition, PROCESSOR_KEY);
  if (stored === undefined && state.values.size > 0) {
    const detail = `raw/${partition} has processor state but no position`;
    throw new CollectorError('LOG_POSITION_OUTSIDE', detail);
  }
  const position = stored ?? { position: bounds.first };
  checkInside(PROCESSOR_KEY, stream, position.position, bounds);
  host.positions.note(partition, PROCESSOR_KEY, position);
  return new Processor(host, { producer, stream, key: PROCESSOR_KEY }, position, state.values);
}

export async function openConsumer(
  host: SessionHost,
  name: string,
  topic: LogTopic,
  partition: number,
): Promise<ConsumerSession> {
  const stream = host.stream(topic, partition);
  if (topic === 'raw') throw new RangeError('raw is read by processors');
  host.assertOpen();
  const { names } = host;
  const key = consumerKey(name, topic);
  const id = `${names.prefix}.${name}.${topic}.${partition}`;
  const producer = await takeOver(host, id);
  const [bounds] = await Promise.all([stream.bounds(), host.positions.catchUp(partition)]);
  host.assertOpen();
  const stored = host.positions.stored(partition, key);
  const position = stored ?? { position: bounds.first };
  checkInside(name, stream, position.position, bounds);
  const session = new Consumer(host, { producer, stream, key }, position);
  // From now on nothing is trimmed that it has not read.
  if (stored === undefined) await session.declare();
  else host.positions.note(partition, key, position);
  return session;
}

async function takeOver(host: SessionHost, id: string): Promise<TransactionalProducer> {
  const producer = await TransactionalProducer.open(host.cluster, id);
  // The brokers would tell it at its next commit; it need not ask.
  host.producers.get(id)?.fence();
  host.producers.set(id, producer);
  return producer;
}

function checkInside(
  name: string,
  { topic, partition }: Stream,
  position: number,
  { first, next }: { first: number; next: number },
): void {
  if (Number.isInteger(position) && position >= first && position <= next) return;
  const detail = `${name} of ${topic}/${partition}: ${position} is outside ${first}..${next}`;
  throw new CollectorError('LOG_POSITION_OUTSIDE', detail);
}

interface SessionParts {
  producer: TransactionalProducer;
  stream: Stream;
  /** In topic positions. */
  key: string;
}

abstract class Session {
  protected readonly host: SessionHost;
  protected readonly parts: SessionParts;
  /** As committed. */
  protected row: Position;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(host: SessionHost, parts: SessionParts, row: Position) {
    this.host = host;
    this.parts = parts;
    this.row = row;
  }

  get position(): number {
    return this.row.position;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn.catch(() => undefined);
  }

  /** One after the other, in the order of the calls. */
  protected inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    if (this.#closed)
      return Promise.reject(new CollectorError('LOG_CLOSED', 'the session is closed'));
    const turn = this.#turn.then(() => {
      this.host.assertOpen();
      return run();
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Refuses a position before the last one, or beyond the end of the topic. */
  protected async checkPosition(to: number): Promise<void> {
    const { producer, stream, key } = this.parts;
    // One that was taken over says so, whatever it is asked for.
    if (producer.useless !== undefined) throw producer.useless;
    const first = this.row.position;
    if (to >= first && to <= stream.end) return checkInside(key, stream, to, { first, next: to });
    const next = to < first ? stream.end : (await stream.bounds()).next;
    checkInside(key, stream, to, { first, next: Math.max(next, first) });
  }

  /** Commits the position and what belongs to it; a failure ends the session. */
  protected async commitRow(row: Position, others: readonly TransactionPart[]): Promise<number[]> {
    const { producer, stream, key } = this.parts;
    const { partition } = stream;
    const own: OutRecord = {
      key: Buffer.from(key),
      kind: 'position',
      value: encodePosition(row),
    };
    const place = { topic: this.host.names.of('positions'), partition };
    const parts = [...others, { ...place, records: [own] }];
    const ends = await producer.commit(parts, this.host.wallMs());
    this.row = row;
    this.host.positions.note(partition, key, row);
    return ends;
  }
}

class Processor extends Session implements ProcessorSession {
  readonly state: Map<string, Uint8Array>;

  constructor(
    host: SessionHost,
    parts: SessionParts,
    row: Position,
    state: Map<string, Uint8Array>,
  ) {
    super(host, parts, row);
    this.state = state;
  }

  commit(step: Step): Promise<void> {
    return this.inTurn(() => this.#commit(step));
  }

  async #commit(step: Step): Promise<void> {
    await this.checkPosition(step.position);
    const { partition } = this.parts.stream;
    const keepFrom = step.keepFrom ?? this.row.keepFrom;
    if (step.keepFrom !== undefined) {
      const isInside =
        Number.isInteger(step.keepFrom) && step.keepFrom >= 0 && step.keepFrom <= step.position;
      if (!isInside)
        throw new CollectorError(
          'LOG_POSITION_OUTSIDE',
          `keep raw/${partition} from ${step.keepFrom}`,
        );
    }
    const { streams, parts } = this.#partsOf(step);
    const bytes = checkSizes(parts);
    const row =
      keepFrom === undefined ? { position: step.position } : { position: step.position, keepFrom };
    const ends = await this.commitRow(row, parts);
    for (const [index, stream] of streams.entries()) stream?.noteWritten(ends[index] ?? 0);
    this.host.noteCommit(bytes);
    this.#keepState(step);
  }

  #partsOf({ outputs, state }: Step): {
    streams: (Stream | undefined)[];
    parts: TransactionPart[];
  } {
    const { partition } = this.parts.stream;
    const streams: (Stream | undefined)[] = [];
    const parts: TransactionPart[] = [];
    for (const [topic, some] of Map.groupBy(outputs, (output) => output.topic)) {
      const stream = this.host.stream(topic, partition);
      streams.push(stream);
      const records = some.map(({ record }) => outRecordOf(record));
      parts.push({ topic: stream.topic, partition, records, end: stream.end });
    }
    if (state.size > 0) {
      const records = [...state].map(([key, value]) => ({
        key: Buffer.from(key),
        kind: undefined,
        value,
      }));
      parts.push({ topic: this.host.names.of('state'), partition, records });
    }
    return { streams, parts };
  }

  #keepState({ state }: Step): void {
    for (const [key, value] of state) {
      if (value === null) this.state.delete(key);
      // A copy of its own: a small buffer may be a slice of a pool, all of which it would keep alive.
      else this.state.set(key, new Uint8Array(value));
    }
  }
}

export function outRecordOf({ key, kind, value }: NewRecord): OutRecord {
  return { key: Buffer.from(key), kind, value };
}

/** Throws LOG_RECORD_TOO_LARGE before anything was begun. */
function checkSizes(parts: readonly TransactionPart[]): number {
  let bytes = 0;
  for (const { records } of parts) {
    for (const record of records) {
      const size = sizeOf(record);
      if (size > RECORD_BYTES_MAX) throw tooLarge(size, RECORD_BYTES_MAX);
      bytes += size;
    }
  }
  return bytes;
}

class Consumer extends Session implements ConsumerSession {
  get intent(): { from: number; to: number; attempt: number } | undefined {
    const { intent, attempt } = this.row;
    return intent === undefined ? undefined : { ...intent, attempt: attempt ?? 1 };
  }

  /** Makes the position known, as it is. */
  async declare(): Promise<void> {
    await this.inTurn(() => this.commitRow(this.row, []));
  }

  async declareIntent(from: number, to: number): Promise<{ attempt: number }> {
    if (!(from < to)) throw new RangeError(`an intent of no records: ${from}..${to}`);
    return await this.inTurn(async () => {
      await this.checkPosition(from);
      await this.checkPosition(to);
      // Raised for another range too: what (from, to, attempt) names must never be said twice.
      const attempt = (this.row.attempt ?? 0) + 1;
      await this.commitRow({ position: this.row.position, intent: { from, to }, attempt }, []);
      return { attempt };
    });
  }

  commitPosition(to: number): Promise<void> {
    return this.inTurn(async () => {
      await this.checkPosition(to);
      await this.commitRow({ position: to }, []);
    });
  }
}
