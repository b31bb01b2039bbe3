/** A log that misbehaves on demand, around one that works. */

import { CollectorError } from '../../collector/errors.ts';
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
} from '../../collector/log/log.ts';

export type AppendFault =
  /** Rejects with LOG_UNAVAILABLE; nothing is stored. */
  | 'refuse'
  /** Rejects with LOG_FULL; nothing is stored. */
  | 'full'
  /** Answers only once `release` is called, and stores only then. */
  | 'hang'
  /** Stores, then rejects with LOG_UNAVAILABLE. */
  | 'fail-after-storing';

export class FaultyLog implements Log {
  readonly inner: Log;
  /** Applies to appends from now on; undefined: none. */
  appendFault: AppendFault | undefined;
  /** Which appends the fault hits. */
  faultHits: (topic: LogTopic, record: NewRecord) => boolean = () => true;
  /** Rejects reads, commits of processors and consumers, and trims with LOG_UNAVAILABLE. */
  refuseRest = false;
  #held: (() => void)[] = [];

  constructor(inner: Log) {
    this.inner = inner;
  }

  get identity(): string {
    return this.inner.identity;
  }

  get partitionCount(): number {
    return this.inner.partitionCount;
  }

  get control(): Control {
    return this.inner.control;
  }

  /** Appends that hang now. */
  get held(): number {
    return this.#held.length;
  }

  /** Lets the appends that hang go on to the real log, in order. */
  release(): void {
    for (const proceed of this.#held.splice(0)) proceed();
  }

  async append(topic: LogTopic, partition: number, record: NewRecord): Promise<number> {
    const fault = this.faultHits(topic, record) ? this.appendFault : undefined;
    if (fault === 'refuse') throw new CollectorError('LOG_UNAVAILABLE', 'refused by the test');
    if (fault === 'full') throw new CollectorError('LOG_FULL', 'full by the test');
    if (fault === 'hang') await new Promise<void>((resolve) => this.#held.push(resolve));
    const offset = await this.inner.append(topic, partition, record);
    if (fault === 'fail-after-storing')
      throw new CollectorError('LOG_UNAVAILABLE', 'stored, then failed by the test');
    return offset;
  }

  async read(
    topic: LogTopic,
    partition: number,
    from: number,
    limits: ReadLimits,
  ): Promise<LogRecord[]> {
    this.#check();
    return this.inner.read(topic, partition, from, limits);
  }

  waitFor(topic: LogTopic, partition: number, offset: number, signal: AbortSignal): Promise<void> {
    return this.inner.waitFor(topic, partition, offset, signal);
  }

  bounds(topic: LogTopic, partition: number): Promise<{ first: number; next: number }> {
    return this.inner.bounds(topic, partition);
  }

  async openProcessor(partition: number): Promise<ProcessorSession> {
    this.#check();
    const session = await this.inner.openProcessor(partition);
    const check = () => this.#check();
    return {
      get position() {
        return session.position;
      },
      get state() {
        return session.state;
      },
      async commit(step) {
        check();
        await session.commit(step);
      },
      close: () => session.close(),
    };
  }

  async openConsumer(name: string, topic: LogTopic, partition: number): Promise<ConsumerSession> {
    this.#check();
    const session = await this.inner.openConsumer(name, topic, partition);
    const check = () => this.#check();
    return {
      get position() {
        return session.position;
      },
      get intent() {
        return session.intent;
      },
      async declareIntent(from, to) {
        check();
        return session.declareIntent(from, to);
      },
      async commitPosition(to) {
        check();
        await session.commitPosition(to);
      },
      close: () => session.close(),
    };
  }

  async trim(nowMs: number): Promise<void> {
    this.#check();
    await this.inner.trim(nowMs);
  }

  stats(): LogStats {
    const stats = this.inner.stats();
    return { ...stats, appendable: stats.appendable && this.appendFault === undefined };
  }

  async close(): Promise<void> {
    this.appendFault = undefined;
    this.release();
    await this.inner.close();
  }

  #check(): void {
    if (this.refuseRest) throw new CollectorError('LOG_UNAVAILABLE', 'refused by the test');
  }
}
