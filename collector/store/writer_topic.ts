/**
 * The writer of one partition of an output topic. Gather rows while the insert before runs, declare the
 * intent, insert, commit the position. After any doubt (a new session, a failed insert) the store is told to
 * take nothing more of what was sent before (Store.admit), the rows that are there are read back and only
 * the missing ones inserted.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { CollectorError } from '../errors.ts';
import type { ConsumerSession } from '../log/log.ts';
import type { OutputTopic } from '../types.ts';
import { NewestFeed } from './newest.ts';
import type { Pass, TableName } from './store.ts';
import { BatchPort, WriterBatch } from './writer_batch.ts';
import { Backoff, doesPass, hasCode, isOfStore, pause } from './writer_errors.ts';
import { insertMissing, isSomeMissing } from './writer_heal.ts';
import type { WriterStatus, WritersOptions } from './writer_status.ts';

const CONSUMER = 'writer';
/** Small inserts are gathered for so long: each makes a part that must be merged later. */
const INSERT_INTERVAL_MS: Record<OutputTopic, number> = {
  readings: 200,
  quarantine: 500,
  events: 500,
};
const DEVICES_INTERVAL_MS = 5_000;
/** Of the records written last: are their rows there? */
const TAIL_RECORDS = 16;

/** Where the rows of a topic's records go. */
const TABLES: Record<OutputTopic, readonly TableName[]> = {
  readings: ['readings'],
  quarantine: ['quarantine'],
  events: [
    'events',
    'ledger',
    'gateways',
    'device_states',
    'releases',
    'anomalies',
    'alerts',
    'silences',
    'anomaly_marks',
    'audit',
  ],
};

/** Of one partition of one output topic. */
export class TopicWriter {
  readonly status: WriterStatus;
  readonly #options: WritersOptions;
  readonly #port: BatchPort;
  readonly #newest: NewestFeed;
  #signal = AbortSignal.abort();
  readonly #intervalMs: number;
  readonly #backoff: Backoff;
  /** Rows of records below are to be looked for. */
  #unsureBelow: number | undefined;
  /** With which the store takes inserts; undefined: what was sent with the last one may still come. */
  #pass: Pass | undefined;
  #insertedAtMs = Number.NEGATIVE_INFINITY;
  readonly #damage: Map<OutputTopic, number>;
  /** Of #damage, what this writer has made up for. */
  #damageSeen = 0;

  /** `damage`: how often rows of a topic's tables were lost with damaged files; all writers share it. */
  constructor(
    options: WritersOptions & { damage: Map<OutputTopic, number> },
    topic: OutputTopic,
    partition: number,
  ) {
    this.#options = options;
    this.#damage = options.damage;
    this.#port = new BatchPort(options.log, options.store, topic, partition);
    this.#newest = new NewestFeed(options.store, options.devicesIntervalMs ?? DEVICES_INTERVAL_MS);
    this.#intervalMs = options.insertIntervalMs ?? INSERT_INTERVAL_MS[topic];
    this.#backoff = new Backoff(options.backoffMinMs);
    this.status = {
      topic,
      partition,
      position: 0,
      rowsTotal: 0,
      insertsTotal: 0,
      doubtsTotal: 0,
      healing: true,
      healedRowsTotal: 0,
      insertingSinceMs: undefined,
      lastError: '',
      lastCode: undefined,
    };
  }

  get #admitted(): Pass {
    if (this.#pass === undefined) throw new Error('not admitted');
    return this.#pass;
  }

  get #damageKnown(): number {
    return this.#damage.get(this.status.topic) ?? 0;
  }

  /** Resolves when stopped, or with what it cannot get over. May be called again then. */
  async run(signal: AbortSignal): Promise<CollectorError | undefined> {
    this.#signal = signal;
    while (!this.#signal.aborted) {
      try {
        await this.#session();
      } catch (error) {
        if (this.#signal.aborted) break;
        if (hasCode(error, 'STORE_PART_DAMAGED'))
          this.#damage.set(this.status.topic, this.#damageKnown + 1);
        const failure = this.#fenced(error) ?? (await this.#passing(error));
        if (failure !== undefined) return failure;
      }
    }
    return undefined;
  }

  /** Another process is at work here: not to be fought over by taking the session back at once. */
  #fenced(error: unknown): CollectorError | undefined {
    const { topic, partition } = this.status;
    if (this.#options.share.exclusive || !hasCode(error, 'STORE_PASS_REPLACED')) return undefined;
    this.status.lastError = error.message;
    return new CollectorError('LOG_FENCED', `writer of ${topic}/${partition}`, { cause: error });
  }

  /** Waits if trying again may help; answers the error if not. */
  async #passing(error: unknown): Promise<CollectorError | undefined> {
    const { topic, partition } = this.status;
    const failure =
      error instanceof CollectorError
        ? error
        : new CollectorError('COLLECTOR_CRASHED', `writing ${topic}/${partition}: ${error}`, {
            cause: error,
          });
    const { code, message } = failure;
    this.status.lastError = message;
    this.status.lastCode = code;
    if (!doesPass(failure)) return failure;
    const retryMs = this.#backoff.next(code);
    this.#options.logger.warn({ code, topic, partition, retry_ms: retryMs }, message);
    await pause(retryMs, this.#signal);
    return undefined;
  }

  async #session(): Promise<void> {
    const { topic, partition } = this.status;
    const session = await this.#options.log.openConsumer(CONSUMER, topic, partition);
    try {
      const { position, intent } = session;
      this.status.position = position;
      await this.#admit(async () => {
        if (intent === undefined) await session.commitPosition(position);
        else await session.declareIntent(intent.from, intent.to);
      });
      await this.#heal(position);
      this.status.healing = false;
      if (topic === 'readings') await this.#newest.catchUp(partition);
      if (intent !== undefined) await this.#resume(session, intent);
      let batch = await this.#gather(this.status.position, undefined, this.#signal);
      while (batch !== undefined && this.#damageSeen === this.#damageKnown) {
        batch = await this.#writeAndGather(session, batch);
        if (this.#unsureBelow !== undefined) await this.#heal(this.#unsureBelow);
      }
      if (this.#options.gate?.open ?? true) await this.#newest.feed();
    } finally {
      this.status.healing = true;
      await session.close().catch(() => undefined);
    }
  }

  /**
   * From now on the store takes nothing that was sent before. `prove` does something in the log that
   * another process' session would have fenced: a process that was asleep since before it was taken over
   * must not go on with the pass that it has just got.
   */
  async #admit<Result>(prove: () => Promise<Result>): Promise<Result> {
    const pass = this.#port.newPass();
    await this.#options.store.admit(pass);
    const result = await prove();
    this.#pass = pass;
    return result;
  }

  /** Writes the batch and gathers the next one while the engine works. */
  async #writeAndGather(
    session: ConsumerSession,
    batch: WriterBatch,
  ): Promise<WriterBatch | undefined> {
    const failed = new AbortController();
    const writing = this.#write(session, batch, false);
    const next = this.#gather(batch.to, writing, AbortSignal.any([this.#signal, failed.signal]));
    // It may fail long before anybody waits for it.
    next.catch(() => undefined);
    try {
      await writing;
    } catch (error) {
      // The session is over: what was gathered is read again in the next one.
      failed.abort();
      await next.catch(() => undefined);
      throw error;
    }
    return await next;
  }

  /**
   * A store that was restored, deleted or lost its tail lacks rows that were written once: then all that
   * the log still holds is compared, and what is missing is inserted. Without intents, and the end last: a
   * process that dies meanwhile finds the end missing again.
   */
  async #heal(position: number): Promise<void> {
    const { topic, partition } = this.status;
    const { first } = await this.#options.log.bounds(topic, partition);
    const tail = Math.max(first, position - TAIL_RECORDS);
    const damage = this.#damageKnown;
    const asker = `writer ${this.#options.log.identity}/${topic}/${partition}`;
    const { setAside } = this.#options.store;
    const damagedParts = await setAside.unknownTo(asker, TABLES[topic]);
    const isDue =
      damage !== this.#damageSeen ||
      damagedParts.length > 0 ||
      (await isSomeMissing(this.#port, tail, position));
    this.#unsureBelow = undefined;
    if (!isDue) return;
    const fields = { topic, partition, from: first, to: position, damaged_parts: damagedParts };
    this.#options.logger.warn(
      fields,
      'rows are missing in the store: what the log holds is compared',
    );
    const rows = await insertMissing(
      this.#port,
      this.#admitted,
      [first, tail, position],
      (insert) => {
        this.#signal.throwIfAborted();
        return this.#guarded(insert);
      },
    );
    await setAside.madeUpFor(asker, damagedParts);
    this.#damageSeen = damage;
    this.status.healedRowsTotal += rows;
    this.#options.logger.warn(
      { ...fields, rows },
      'the rows that were missing are in the store again',
    );
  }

  /** Inside the gate. Throws when stopped before it opens. */
  async #guarded<Result>(write: () => Promise<Result>): Promise<Result> {
    const leave = await this.#options.gate?.enter(this.#signal);
    try {
      this.#signal.throwIfAborted();
      return await write();
    } finally {
      leave?.();
    }
  }

  /** What an earlier process was writing when it died. */
  async #resume(session: ConsumerSession, intent: { from: number; to: number }): Promise<void> {
    const batch = new WriterBatch(intent.from);
    while (batch.to < intent.to) {
      const read = await this.#port.read(batch, intent.to, true);
      if (read === 0) {
        const { topic, partition } = this.status;
        const detail = `${topic}/${partition}: the intent ends at ${intent.to}, the log at ${batch.to}`;
        throw new CollectorError('LOG_POSITION_OUTSIDE', detail);
      }
    }
    await this.#write(session, batch, true);
  }

  /**
   * Rows from `from` on: until the batch is full, or `writing` has ended, there is at least one, and the
   * last insert is long enough ago. Undefined when `signal` aborts.
   */
  async #gather(
    from: number,
    writing: Promise<void> | undefined,
    signal: AbortSignal,
  ): Promise<WriterBatch | undefined> {
    const { topic, partition } = this.status;
    const { log } = this.#options;
    const batch = new WriterBatch(from);
    const ended = new AbortController();
    let isWriting = writing !== undefined;
    const end = (): void => {
      isWriting = false;
      ended.abort();
    };
    writing?.then(end, end);
    const endedOrAborted = AbortSignal.any([signal, ended.signal]);
    while (!signal.aborted) {
      const read = await this.#port.read(batch, Number.POSITIVE_INFINITY);
      if (batch.full) return batch;
      if (read > 0) continue;
      if (isWriting) {
        await log.waitFor(topic, partition, batch.to, endedOrAborted);
      } else if (batch.to === from) {
        await this.#waitForRecords(batch.to, signal);
      } else {
        const waitMs = this.#insertedAtMs + this.#intervalMs - performance.now();
        if (waitMs <= 0) return batch;
        await delay(waitMs, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  /** Nothing is being written: the time to feed the newest readings, when that is due. */
  async #waitForRecords(from: number, signal: AbortSignal): Promise<void> {
    const { topic, partition } = this.status;
    const { dueInMs } = this.#newest;
    const due = new AbortController();
    const timer = dueInMs === undefined ? undefined : setTimeout(() => due.abort(), dueInMs);
    await this.#options.log.waitFor(topic, partition, from, AbortSignal.any([signal, due.signal]));
    clearTimeout(timer);
    if (due.signal.aborted && !signal.aborted) await this.#guarded(() => this.#newest.feed());
  }

  /** Until every row of the batch is in the store and the position behind it. */
  async #write(session: ConsumerSession, batch: WriterBatch, doubtful: boolean): Promise<void> {
    await this.#guarded(async () => {
      await this.#insertAndCommit(session, batch, doubtful);
      this.#newest.note(batch.gathered.readings);
      if (this.#newest.dueInMs === 0) await this.#newest.feed();
    });
    this.status.position = batch.to;
    this.status.rowsTotal += batch.count;
    this.status.lastError = '';
    this.status.lastCode = undefined;
    this.#backoff.reset();
  }

  async #insertAndCommit(
    session: ConsumerSession,
    batch: WriterBatch,
    doubtful: boolean,
  ): Promise<void> {
    const declare = () => session.declareIntent(batch.from, batch.to);
    let doubt = doubtful;
    for (;;) {
      // Also tells a process that was taken over, before it disturbs the other one.
      let { attempt } = await declare();
      try {
        if (this.#pass === undefined) ({ attempt } = await this.#admit(declare));
        await this.#insert(batch, attempt, doubt);
        break;
      } catch (error) {
        if (this.#signal.aborted) throw error;
        // A session that fails may be of no use any more. And rows of earlier batches may be gone with
        // damaged parts: only a new session looks for those.
        if (!isOfStore(error) || hasCode(error, 'STORE_PART_DAMAGED')) throw error;
        const failure = await this.#passing(error);
        if (failure !== undefined) throw failure;
        if (this.#signal.aborted) throw error;
        doubt = true;
        this.#pass = undefined;
      }
    }
    await session.commitPosition(batch.to);
    // The store was away: what it had before may have changed meanwhile.
    if (doubt && !doubtful) this.#unsureBelow = batch.from;
  }

  async #insert(batch: WriterBatch, attempt: number, doubt: boolean): Promise<void> {
    this.status.insertingSinceMs = performance.now();
    this.#insertedAtMs = this.status.insertingSinceMs;
    if (doubt) this.status.doubtsTotal++;
    try {
      await this.#port.insert(batch, this.#admitted, String(attempt), doubt);
      this.status.insertsTotal++;
    } finally {
      this.status.insertingSinceMs = undefined;
    }
  }
}
