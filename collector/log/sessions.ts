/**
 * Positions in the log: processors of raw partitions and consumers of output partitions. Opening a
 * session raises its generation in the file; every write checks it inside the transaction, so a session
 * that was taken over can do nothing more.
 */

import { CollectorError } from '../errors.ts';
import type { LogCore } from './core.ts';
import type { ConsumerSession, LogTopic, ProcessorSession } from './log.ts';
import type { SessionRow } from './sqlite_file.ts';
import type { Stream } from './streams.ts';

/** Processors are the consumers of topic raw by this name. */
const PROCESSOR = 'processor';
/** Stands beside the processor where raw must not be trimmed although it is processed. */
const KEEPER = 'keeper';

/** State that is read at once: some milliseconds, in which nothing is appended and no gateway is let in. */
const STATE_PIECE_BYTES = 4 * 1024 * 1024;

type Step = Parameters<ProcessorSession['commit']>[0];

function rowKey(name: string, topic: LogTopic, partition: number): string {
  return `${topic}/${partition}/${name}`;
}

function outside(row: SessionRow, stream: Stream, position: number): CollectorError {
  return new CollectorError(
    'LOG_POSITION_OUTSIDE',
    `${row.name} of ${row.topic}/${row.partition}: ${position} is outside ` +
      `${stream.first}..${stream.next}`,
  );
}

export class Sessions {
  readonly log: LogCore;
  /** As committed. */
  readonly #rows = new Map<string, SessionRow>();
  /** What the transaction under way changed. */
  readonly #pending = new Map<string, SessionRow>();

  constructor(log: LogCore) {
    this.log = log;
    for (const row of log.file.sessions())
      this.#rows.set(rowKey(row.name, row.topic, row.partition), row);
  }

  async openProcessor(partition: number): Promise<ProcessorSession> {
    const stream = this.log.streams.get('raw', partition);
    const row = await this.log.enqueue({
      write: () => {
        const known = this.#rows.has(rowKey(PROCESSOR, 'raw', partition));
        if (!known && this.log.file.hasState(partition))
          throw new CollectorError(
            'LOG_POSITION_OUTSIDE',
            `raw/${partition} has processor state but no position`,
          );
        return this.#takeOver(PROCESSOR, stream);
      },
    });
    return new Processor(this, row, await this.#stateOf(row));
  }

  /**
   * Piece by piece, because it can be large. Whoever had it before can change it no more; should another
   * session take over meanwhile, it rejects with LOG_FENCED.
   */
  async #stateOf(row: SessionRow): Promise<Map<string, Uint8Array>> {
    const { file } = this.log;
    const state = new Map<string, Uint8Array>();
    let from: string | undefined = '';
    while (from !== undefined) {
      const begin: string = from;
      from = await this.log.enqueue({
        bytes: STATE_PIECE_BYTES,
        write: () => {
          this.#checkOwner(row);
          return file.stateFrom(row.partition, begin, STATE_PIECE_BYTES, state);
        },
      });
    }
    return state;
  }

  openConsumer(name: string, topic: LogTopic, partition: number): Promise<ConsumerSession> {
    const stream = this.log.streams.get(topic, partition);
    if (topic === 'raw') return Promise.reject(new RangeError('raw is read by processors'));
    return this.log.enqueue({ write: () => new Consumer(this, this.#takeOver(name, stream)) });
  }

  #takeOver(name: string, stream: Stream): SessionRow {
    const { topic, partition } = stream;
    const before = this.#current(name, topic, partition);
    const row: SessionRow = {
      name,
      topic,
      partition,
      generation: (before?.generation ?? 0) + 1,
      position: before?.position ?? stream.first,
      intentFrom: before?.intentFrom ?? null,
      intentTo: before?.intentTo ?? null,
      intentAttempt: before?.intentAttempt ?? null,
    };
    if (row.position < stream.first || row.position > stream.next)
      throw outside(row, stream, row.position);
    this.#put(row);
    return row;
  }

  /** Inside the transaction: the row as this transaction would leave it. */
  #current(name: string, topic: LogTopic, partition: number): SessionRow | undefined {
    const key = rowKey(name, topic, partition);
    return this.#pending.get(key) ?? this.#rows.get(key);
  }

  #put(row: SessionRow): void {
    this.log.file.putSession(row);
    this.#pending.set(rowKey(row.name, row.topic, row.partition), row);
  }

  /** Inside the transaction. Throws LOG_FENCED unless the session of `own` still is the newest. */
  update(own: SessionRow, change: (row: SessionRow) => SessionRow): SessionRow {
    const changed = change(this.#checkOwner(own));
    this.#put(changed);
    return changed;
  }

  /** Inside the transaction: the row as it would be left. Throws LOG_FENCED as update() does. */
  #checkOwner({ name, topic, partition, generation }: SessionRow): SessionRow {
    const row = this.#current(name, topic, partition);
    const newest = this.log.file.generation(name, topic, partition);
    if (row === undefined || newest !== generation)
      throw new CollectorError('LOG_FENCED', `${name} of ${topic}/${partition}`);
    return row;
  }

  /** After the commit. */
  keep(): void {
    for (const [key, row] of this.#pending) this.#rows.set(key, row);
    this.#pending.clear();
  }

  /** After the rollback. */
  drop(): void {
    this.#pending.clear();
  }

  checkPosition(row: SessionRow, to: number): void {
    const stream = this.log.streams.get(row.topic, row.partition);
    if (!Number.isInteger(to) || to < row.position || to > stream.next)
      throw outside(row, stream, to);
  }

  /** Inside the transaction: raw is kept from `keepFrom` on, as the processor with this row says. */
  keepFrom(row: SessionRow, keepFrom: number): void {
    const none = { intentFrom: null, intentTo: null, intentAttempt: null };
    this.#put({ ...row, ...none, name: KEEPER, position: keepFrom });
  }

  /** Below this offset nobody needs the records of a stream; 0 when nobody has read it yet. */
  consumedBelow(stream: Stream): number {
    let lowest: number | undefined;
    for (const row of this.#rows.values()) {
      if (row.topic === stream.topic && row.partition === stream.partition)
        lowest = Math.min(lowest ?? row.position, row.position);
    }
    return lowest ?? 0;
  }

  lags(): { processorLagRecords: number; consumerLagRecords: Record<string, number> } {
    const consumerLagRecords: Record<string, number> = {};
    for (const row of this.#rows.values()) {
      if (row.topic === 'raw') continue;
      const { next } = this.log.streams.get(row.topic, row.partition);
      consumerLagRecords[row.name] = (consumerLagRecords[row.name] ?? 0) + next - row.position;
    }
    let processorLagRecords = 0;
    for (let partition = 0; partition < this.log.partitionCount; partition++) {
      const { first, next } = this.log.streams.get('raw', partition);
      const row = this.#rows.get(rowKey(PROCESSOR, 'raw', partition));
      processorLagRecords += next - (row?.position ?? first);
    }
    return { processorLagRecords, consumerLagRecords };
  }
}

abstract class Session {
  protected readonly sessions: Sessions;
  protected row: SessionRow;
  #closed = false;

  constructor(sessions: Sessions, row: SessionRow) {
    this.sessions = sessions;
    this.row = row;
  }

  get position(): number {
    return this.row.position;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** Lets `change` write and say what the row becomes, if this session was not taken over. */
  protected update(
    change: (row: SessionRow) => SessionRow,
    options: { committed?: () => void; bytes?: number } = {},
  ): Promise<SessionRow> {
    if (this.#closed)
      return Promise.reject(new CollectorError('LOG_CLOSED', 'the session is closed'));
    return this.sessions.log.enqueue({
      bytes: options.bytes ?? 0,
      write: () => this.sessions.update(this.row, change),
      committed: (row) => {
        this.row = row;
        options.committed?.();
      },
    });
  }
}

class Processor extends Session implements ProcessorSession {
  readonly state: Map<string, Uint8Array>;

  constructor(sessions: Sessions, row: SessionRow, state: Map<string, Uint8Array>) {
    super(sessions, row);
    this.state = state;
  }

  async commit(step: Step): Promise<void> {
    const { log } = this.sessions;
    const { partition } = this.row;
    const outputs = step.outputs.map(({ topic, record }) => ({
      stream: log.streams.get(topic, partition),
      record,
    }));
    const sizes = [
      ...outputs.map(({ record }) => record.value.length),
      ...[...step.state.values()].map((value) => value?.length ?? 0),
    ];
    const write = (row: SessionRow): SessionRow => {
      // All refusals come before the first write.
      this.sessions.checkPosition(row, step.position);
      const keepFrom = step.keepFrom ?? step.position;
      if (!Number.isInteger(keepFrom) || keepFrom < 0 || keepFrom > step.position)
        throw new CollectorError('LOG_POSITION_OUTSIDE', `keep raw/${partition} from ${keepFrom}`);
      if (outputs.length > 0) log.space.takeForOutputs(sizes);
      for (const { stream, record } of outputs) log.insert(stream, record);
      for (const [key, value] of step.state) log.file.putState(partition, key, value);
      if (step.keepFrom !== undefined) this.sessions.keepFrom(row, keepFrom);
      return { ...row, position: step.position };
    };
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    await this.update(write, { committed: () => this.#keepState(step), bytes });
  }

  #keepState(step: Step): void {
    for (const [key, value] of step.state) {
      if (value === null) this.state.delete(key);
      // A copy of its own: a small buffer may be a slice of a pool, all of which it would keep alive.
      else this.state.set(key, isWhole(value) ? value : new Uint8Array(value));
    }
  }
}

function isWhole({ byteLength, buffer }: Uint8Array): boolean {
  return byteLength === buffer.byteLength;
}

class Consumer extends Session implements ConsumerSession {
  get intent(): { from: number; to: number; attempt: number } | undefined {
    const { intentFrom, intentTo, intentAttempt } = this.row;
    if (intentFrom === null || intentTo === null) return undefined;
    return { from: intentFrom, to: intentTo, attempt: intentAttempt ?? 1 };
  }

  async declareIntent(from: number, to: number): Promise<{ attempt: number }> {
    if (!(from < to)) throw new RangeError(`an intent of no records: ${from}..${to}`);
    const row = await this.update((row) => {
      this.sessions.checkPosition(row, from);
      this.sessions.checkPosition(row, to);
      // Raised for another range too: what (from, to, attempt) names must never be said twice.
      const attempt = (row.intentAttempt ?? 0) + 1;
      return { ...row, intentFrom: from, intentTo: to, intentAttempt: attempt };
    });
    return { attempt: row.intentAttempt ?? 1 };
  }

  async commitPosition(to: number): Promise<void> {
    await this.update((row) => {
      this.sessions.checkPosition(row, to);
      return { ...row, position: to, intentFrom: null, intentTo: null, intentAttempt: null };
    });
  }
}
