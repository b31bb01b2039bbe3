/** The Log contract over one SQLite file and one group-commit loop. */

import { CollectorError } from '../errors.ts';
import type { Clock, Logger } from '../types.ts';
import type { LogCore } from './core.ts';
import type { Operation, Transactions } from './group_commit.ts';
import { GroupCommit } from './group_commit.ts';
import type {
  ConsumerSession,
  Control,
  HeldFile,
  Log,
  LogRecord,
  LogStats,
  LogTopic,
  NewRecord,
  ProcessorSession,
  ReadLimits,
} from './log.ts';
import { Sessions } from './sessions.ts';
import { Space } from './space.ts';
import { SqliteControl } from './sqlite_control.ts';
import type { SqliteFile } from './sqlite_file.ts';
import type { Stream } from './streams.ts';
import { Streams } from './streams.ts';
import { trimLog } from './trim.ts';

export interface SqliteLogOptions {
  partitions: number;
  maxBytes: number;
  /** Of consumed records, the newest that fit are kept; the others go at the next trim. */
  retentionBytes: number;
  /** Consumed records older than this go at the next trim. */
  retentionMs: number;
  clock: Clock;
  log: Logger;
}

/** The WAL is moved into the file once it holds about this much: a few milliseconds each time. */
const WAL_BYTES_BEFORE_CHECKPOINT = 4 * 1024 * 1024;
/** Between two trims that a full log asks for. */
const TRIM_INTERVAL_MS = 1_000;
const COMMIT_OVERHEAD_BYTES = 4 * 16_384;

class Append implements Operation {
  readonly givesWay = true;
  readonly bytes: number;
  readonly #log: SqliteLog;
  readonly #stream: Stream;
  readonly #record: NewRecord;
  readonly #resolve: (offset: number) => void;
  readonly #reject: (error: CollectorError) => void;
  #offset = -1;

  constructor(
    log: SqliteLog,
    stream: Stream,
    record: NewRecord,
    settle: { resolve: (offset: number) => void; reject: (error: CollectorError) => void },
  ) {
    this.bytes = record.value.length;
    this.#log = log;
    this.#stream = stream;
    this.#record = record;
    this.#resolve = settle.resolve;
    this.#reject = settle.reject;
  }

  write(): void {
    this.#offset = this.#log.writeAppend(this.#stream, this.#record);
  }

  committed(): void {
    this.#log.noteAppended();
    this.#resolve(this.#offset);
  }

  failed(error: CollectorError): void {
    this.#log.noteAppendFailed(error);
    this.#reject(error);
  }
}

export class SqliteLog implements Log, LogCore {
  readonly identity: string;
  readonly partitionCount: number;
  readonly file: SqliteFile;
  readonly options: SqliteLogOptions;
  readonly streams: Streams;
  readonly space: Space;
  readonly control: Control;
  readonly #sessions: Sessions;
  readonly #commits: GroupCommit;
  #groupWallMs = 0;
  #walBytes = 0;
  #groupBytes = 0;
  #closed: Promise<void> | undefined;
  /** The file must not change: another process copies it. */
  #held = false;
  #trimming: Promise<void> | undefined;
  #trimmedAt = Number.NEGATIVE_INFINITY;
  #lastFailure: CollectorError | undefined;
  #appendedTotal = 0;
  #appendErrorsTotal = 0;
  #commitsTotal = 0;

  constructor(file: SqliteFile, options: SqliteLogOptions) {
    this.file = file;
    this.options = options;
    this.identity = file.identity;
    this.partitionCount = options.partitions;
    this.streams = new Streams(options.partitions, (index) => file.bounds(index));
    this.space = new Space(file.maxPages, file.pageBytes);
    this.space.refresh(file.pages());
    this.#commits = new GroupCommit(this.#transactions(), () => this.#afterGroup());
    this.#sessions = new Sessions(this);
    this.control = new SqliteControl(
      file,
      (work) => this.enqueue(work),
      () => (this.#closed === undefined ? undefined : closedError()),
    );
  }

  append(topic: LogTopic, partition: number, record: NewRecord): Promise<number> {
    const stream = this.streams.get(topic, partition);
    if (this.#closed !== undefined) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#commits.add(new Append(this, stream, record, { resolve, reject }));
    });
  }

  /** Inside the transaction. */
  writeAppend(stream: Stream, record: NewRecord): number {
    this.space.takeForAppend(record.value.length);
    return this.insert(stream, record);
  }

  /** Inside the transaction. */
  insert(stream: Stream, record: NewRecord): number {
    const { offset, atMs } = stream.take(this.#groupWallMs);
    this.file.insert(stream.index, offset, atMs, record);
    this.#groupBytes += record.value.length;
    return offset;
  }

  noteAppended(): void {
    this.#appendedTotal += 1;
    if (this.#lastFailure === undefined) return;
    this.#lastFailure = undefined;
    this.options.log.info({}, 'the log takes records again');
  }

  noteAppendFailed(error: CollectorError): void {
    this.#appendErrorsTotal += 1;
    if (error.code === 'LOG_FULL') this.#trimSoon();
    if (this.#lastFailure?.code === error.code) return;
    this.#lastFailure = error;
    this.options.log.error(
      { code: error.code, hint: error.hint },
      `the log refuses records: ${error.message}`,
    );
  }

  /** Runs `write` in the next group. Its result resolves the promise after the commit. */
  enqueue<T>(work: {
    write: () => T;
    committed?: (result: T) => void;
    bytes?: number;
  }): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      let result: T;
      this.#commits.add({
        bytes: work.bytes ?? 0,
        givesWay: false,
        write: () => {
          result = work.write();
        },
        committed: () => {
          work.committed?.(result);
          resolve(result);
        },
        failed: (error) => {
          if (error.code === 'LOG_FULL') this.#trimSoon();
          reject(error);
        },
      });
    });
  }

  async read(
    topic: LogTopic,
    partition: number,
    from: number,
    limits: ReadLimits,
  ): Promise<LogRecord[]> {
    const stream = this.streams.get(topic, partition);
    if (this.#closed !== undefined) throw closedError();
    if (!(from >= stream.first && from <= stream.next))
      throw new CollectorError(
        'LOG_POSITION_OUTSIDE',
        `${topic}/${partition}: ${from} is outside ${stream.first}..${stream.next}`,
      );
    if (from === stream.next) return [];
    try {
      return this.file.read(stream.index, from, limits).map((record) => ({
        topic,
        partition,
        offset: record.offset,
        appendedAtMs: record.at,
        key: record.key,
        kind: record.kind,
        value: record.value,
      }));
    } catch (error) {
      throw this.file.asLogError(error);
    }
  }

  async waitFor(
    topic: LogTopic,
    partition: number,
    offset: number,
    signal: AbortSignal,
  ): Promise<void> {
    const stream = this.streams.get(topic, partition);
    if (this.#closed === undefined) await stream.waitFor(offset, signal);
  }

  async bounds(topic: LogTopic, partition: number): Promise<{ first: number; next: number }> {
    const { first, next } = this.streams.get(topic, partition);
    return { first, next };
  }

  openProcessor(partition: number): Promise<ProcessorSession> {
    return this.#sessions.openProcessor(partition);
  }

  openConsumer(name: string, topic: LogTopic, partition: number): Promise<ConsumerSession> {
    return this.#sessions.openConsumer(name, topic, partition);
  }

  async trim(nowMs: number): Promise<void> {
    if (this.#closed !== undefined) throw closedError();
    // One at a time; a caller that comes in between waits for the one under way.
    this.#trimming ??= trimLog(this, this.#sessions, {
      bytes: this.space.trimTarget(this.options.retentionBytes),
      notBeforeMs: nowMs - this.options.retentionMs,
    })
      .catch((error: unknown) => {
        throw this.file.asLogError(error);
      })
      .finally(() => {
        this.#trimming = undefined;
      });
    await this.#trimming;
  }

  /** The cap was met: what was consumed makes room now, not when the timer comes. */
  #trimSoon(): void {
    const now = performance.now();
    if (now - this.#trimmedAt < TRIM_INTERVAL_MS || this.#closed !== undefined) return;
    this.#trimmedAt = now;
    // A failure shows in the appends that stay refused.
    void this.trim(this.options.clock.wallMs()).catch(() => undefined);
  }

  async hold(): Promise<HeldFile> {
    if (this.#closed !== undefined) throw closedError();
    if (this.#held) throw new CollectorError('LOG_UNAVAILABLE', 'the file is being copied already');
    this.file.hold();
    this.#held = true;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      this.#held = false;
      if (this.#closed === undefined) {
        this.file.release();
        this.#checkpoint();
      }
    };
    const { path } = this.file;
    return { path, besideBytes: () => this.file.walBytes(), release };
  }

  stats(): LogStats {
    return {
      appendable: this.#closed === undefined && !this.space.full && this.#lastFailure === undefined,
      bytes: this.space.usedBytes,
      maxBytes: this.options.maxBytes,
      ...this.#sessions.lags(),
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
    await this.#commits.drain();
    await this.#trimming?.catch(() => undefined);
    this.streams.releaseWaiters();
    this.file.close();
  }

  #transactions(): Transactions {
    return {
      begin: () => {
        this.#groupWallMs = this.options.clock.wallMs();
        this.#groupBytes = 0;
        this.file.begin();
      },
      commit: () => {
        this.file.commit();
        this.#sessions.keep();
        this.streams.keep();
        this.#commitsTotal += 1;
        this.#walBytes += this.#groupBytes + COMMIT_OVERHEAD_BYTES;
      },
      rollback: () => {
        this.#sessions.drop();
        this.streams.drop();
        try {
          this.file.rollback();
        } catch {
          // SQLite has most likely rolled back already; if not, begin() tries again and says why.
        }
      },
      isRefusal: (error): error is CollectorError => error instanceof CollectorError,
      asLogError: (error) => this.file.asLogError(error),
    };
  }

  #afterGroup(): void {
    try {
      this.space.refresh(this.file.pages());
    } catch {
      // A disk that cannot even be read: the next group reports it.
    }
    if (this.#walBytes > WAL_BYTES_BEFORE_CHECKPOINT) {
      this.#walBytes = 0;
      // After this group's promises have been answered.
      setImmediate(() => this.#checkpoint());
    }
  }

  #checkpoint(): void {
    if (this.#closed !== undefined || this.#held) return;
    try {
      this.file.checkpoint('PASSIVE');
    } catch {
      // The WAL grows up to its own limit and the next commit says what is wrong.
    }
  }
}

function closedError(): CollectorError {
  return new CollectorError('LOG_CLOSED', 'the log is closed');
}
