/**
 * Something to put a log under load, and to judge it by: for each partition callers that append, a
 * processor that copies raw to readings with a sum in its state, and a consumer that writes readings to a
 * store with intents, as the collector's writer does. It keeps its own record of what was sent and
 * acknowledged, goes on by itself after any error, and compares all of it at the end.
 */

import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { CollectorError } from '../../../collector/errors.ts';
import type {
  ConsumerSession,
  Log,
  LogRecord,
  ProcessorSession,
} from '../../../collector/log/log.ts';
import { until } from '../../support/plant.ts';

const PAYLOAD_BYTES_MAX = 4_096;
const PAUSE_AFTER_ERROR_MS = 100;
/** So that the log is under load, and the machine is not. */
const PAUSE_AFTER_APPEND_MS = 5;
const BATCH = { maxRecords: 500, maxBytes: 4 << 20 };
const STATE_KEY = 'sum';
const CAUGHT_UP_TIMEOUT_MS = 300_000;

interface Sent {
  partition: number;
  value: Buffer;
  /** Undefined: not acknowledged. */
  offset?: number;
}

export interface Refusal {
  code: string;
  /** From the call to the answer. */
  tookMs: number;
}

/** What one partition has come to, by the answers of the log. */
interface Told {
  processor: number;
  consumer: number;
}

export interface PipelineOptions {
  partitions: number;
  /** Appends under way in each partition; default 4. */
  callers?: number;
  random: () => number;
}

export class LogPipeline {
  readonly #log: Log;
  readonly #options: PipelineOptions;
  readonly #sent: Sent[] = [];
  readonly #told: Told[];
  /** By partition: offset in readings → what stands there. */
  readonly #store: Map<number, string>[];
  readonly #stopped = new AbortController();
  readonly #appending = new AbortController();
  readonly #appenders: Promise<void>[] = [];
  readonly #others: Promise<void>[] = [];
  readonly refusals: Refusal[] = [];
  /** Errors of sessions, by code. */
  readonly sessionErrors = new Map<string, number>();
  /** What must never be: said in words. */
  readonly #wrong: string[] = [];
  acknowledged = 0;

  constructor(log: Log, options: PipelineOptions) {
    this.#log = log;
    this.#options = options;
    const each = Array.from({ length: options.partitions });
    this.#told = each.map(() => ({ processor: 0, consumer: 0 }));
    this.#store = each.map(() => new Map());
  }

  start(): void {
    for (let p = 0; p < this.#options.partitions; p++) {
      for (let i = 0; i < (this.#options.callers ?? 4); i++)
        this.#appenders.push(this.#append(p, i));
      this.#others.push(this.#again(() => this.#process(p)));
      this.#others.push(this.#again(() => this.#consume(p)));
    }
  }

  /** Resolves when so many more have been acknowledged. */
  async more(count: number, timeoutMs = 300_000): Promise<void> {
    const target = this.acknowledged + count;
    await until(`${count} more acknowledged`, timeoutMs, () => this.acknowledged >= target);
  }

  /** Resolves when all that is in raw has been processed, stored, and its position kept. */
  async caughtUp(): Promise<void> {
    for (let p = 0; p < this.#options.partitions; p++) {
      const told = this.told(p);
      const { next } = await this.#log.bounds('raw', p);
      await until(`raw ${p} processed`, CAUGHT_UP_TIMEOUT_MS, () => told.processor >= next);
      const end = ((await readAll(this.#log, 'readings', p)).at(-1)?.offset ?? -1) + 1;
      await until(`readings ${p} stored`, CAUGHT_UP_TIMEOUT_MS, () => told.consumer >= end);
    }
  }

  told(partition: number): Told {
    const told = this.#told[partition];
    if (told === undefined) throw new Error(`no partition ${partition}`);
    return told;
  }

  /** No more appends; resolves when those under way were answered. */
  async stopAppending(): Promise<void> {
    this.#appending.abort();
    await Promise.all(this.#appenders);
  }

  async stop(): Promise<void> {
    await this.stopAppending();
    this.#stopped.abort();
    await Promise.all(this.#others);
  }

  /**
   * Ends the load, waits until all is processed, and compares: what was acknowledged is in raw where the
   * log said, each raw record has one output in order, the state is the sum of them, the store has each
   * output once, and no position that the log took was lost.
   */
  async settle(t: Test): Promise<void> {
    await this.stopAppending();
    await this.caughtUp();
    await this.stop();
    t.same(this.#wrong, [], 'no session found what must not be');
    let repeated = 0;
    for (let p = 0; p < this.#options.partitions; p++) repeated += await this.#compare(t, p);
    const slowest = Math.max(0, ...this.refusals.map((refusal) => refusal.tookMs));
    t.comment(
      `${this.#sent.length} sent, ${this.acknowledged} acknowledged, ${this.refusals.length} refused ` +
        `(the slowest after ${Math.round(slowest)} ms), ${repeated} stored twice in raw, session ` +
        `errors: ${JSON.stringify(Object.fromEntries(this.sessionErrors))}`,
    );
  }

  async #compare(t: Test, p: number): Promise<number> {
    const raw = await readAll(this.#log, 'raw', p);
    const byOffset = new Map(raw.map((record) => [record.offset, Buffer.from(record.value)]));
    const sent = this.#sent.filter((one) => one.partition === p);
    const lost = sent.filter(
      ({ offset, value }) => offset !== undefined && !byOffset.get(offset)?.equals(value),
    );
    t.same(lost, [], `${p}: what was acknowledged is in raw, where the log said`);
    const known = new Set(sent.map(({ value }) => hashOf(value)));
    const foreign = raw.filter((record) => !known.has(hashOf(record.value)));
    t.same(foreign, [], `${p}: nothing else is in raw`);

    const outputs = await readAll(this.#log, 'readings', p);
    t.same(outputs.map(textOf), raw.map(outputOf), `${p}: one output a raw record, in order`);
    t.same(
      [...(this.#store[p] ?? [])].sort(([a], [b]) => a - b),
      outputs.map((record) => [record.offset, textOf(record)]),
      `${p}: each output is in the store once`,
    );
    const session = await this.#log.openProcessor(p);
    const sum = raw.reduce((before, record) => sumOf(before, record), '');
    t.equal(textOf({ value: session.state.get(STATE_KEY) ?? Buffer.alloc(0) }), sum);
    await session.close();
    return raw.length - new Set(raw.map((record) => hashOf(record.value))).size;
  }

  async #append(p: number, caller: number): Promise<void> {
    for (let n = 0; !this.#appending.signal.aborted; n++) {
      const size = Math.floor(this.#options.random() * PAYLOAD_BYTES_MAX);
      const value = Buffer.concat([Buffer.from(`${p}/${caller}/${n}/`), Buffer.alloc(size, n)]);
      const sent: Sent = { partition: p, value };
      this.#sent.push(sent);
      const begunMs = performance.now();
      try {
        sent.offset = await this.#log.append('raw', p, {
          key: `s/g${caller}`,
          kind: 'batch',
          value,
        });
        this.acknowledged++;
        await delay(PAUSE_AFTER_APPEND_MS);
      } catch (error) {
        this.refusals.push({ code: codeOf(error), tookMs: performance.now() - begunMs });
        await delay(PAUSE_AFTER_ERROR_MS);
      }
    }
  }

  /** One session after the other, each until it fails. */
  async #again(session: () => Promise<void>): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        await session();
      } catch (error) {
        const code = codeOf(error);
        this.sessionErrors.set(code, (this.sessionErrors.get(code) ?? 0) + 1);
        await delay(PAUSE_AFTER_ERROR_MS);
      }
    }
  }

  async #process(p: number): Promise<void> {
    const session = await this.#log.openProcessor(p);
    try {
      const told = this.told(p);
      if (session.position < told.processor)
        this.#wrong.push(`processor ${p} is back at ${session.position} from ${told.processor}`);
      await this.#processIn(session, p, told);
    } finally {
      await session.close().catch(() => undefined);
    }
  }

  async #processIn(session: ProcessorSession, p: number, told: Told): Promise<void> {
    let { position } = session;
    let sum = textOf({ value: session.state.get(STATE_KEY) ?? Buffer.alloc(0) });
    while (!this.#stopped.signal.aborted) {
      await this.#log.waitFor('raw', p, position, this.#stopped.signal);
      const records = await this.#log.read('raw', p, position, BATCH);
      const last = records.at(-1);
      if (last === undefined) continue;
      for (const record of records) sum = sumOf(sum, record);
      await session.commit({
        position: last.offset + 1,
        state: new Map([[STATE_KEY, Buffer.from(sum)]]),
        outputs: records.map((record) => ({
          topic: 'readings',
          record: { key: record.key, kind: 'readings', value: Buffer.from(outputOf(record)) },
        })),
      });
      position = last.offset + 1;
      told.processor = position;
    }
  }

  async #consume(p: number): Promise<void> {
    const session = await this.#log.openConsumer('store', 'readings', p);
    try {
      const told = this.told(p);
      if (session.position < told.consumer)
        this.#wrong.push(`consumer ${p} is back at ${session.position} from ${told.consumer}`);
      await this.#consumeIn(session, p, told);
    } finally {
      await session.close().catch(() => undefined);
    }
  }

  async #consumeIn(session: ConsumerSession, p: number, told: Told): Promise<void> {
    const store = this.#store[p] ?? new Map<number, string>();
    let { position } = session;
    while (!this.#stopped.signal.aborted) {
      await this.#log.waitFor('readings', p, position, this.#stopped.signal);
      const records = await this.#log.read('readings', p, position, BATCH);
      const last = records.at(-1);
      if (last === undefined) continue;
      const to = last.offset + 1;
      await session.declareIntent(position, to);
      for (const record of records) {
        const before = store.get(record.offset);
        if (before !== undefined && before !== textOf(record))
          this.#wrong.push(`readings ${p} offset ${record.offset} was another record before`);
        store.set(record.offset, textOf(record));
      }
      await session.commitPosition(to);
      position = to;
      told.consumer = position;
    }
  }
}

/** All records that the partition has. */
export async function readAll(
  log: Log,
  topic: 'raw' | 'readings',
  partition: number,
): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  let { first: from } = await log.bounds(topic, partition);
  for (;;) {
    const records = await log.read(topic, partition, from, {
      maxRecords: 5_000,
      maxBytes: 32 << 20,
    });
    const last = records.at(-1);
    if (last === undefined) return all;
    for (const record of records) all.push(record);
    from = last.offset + 1;
  }
}

function outputOf(record: LogRecord): string {
  return `${record.offset}:${hashOf(record.value)}`;
}

function sumOf(before: string, record: LogRecord): string {
  return hashOf(Buffer.from(before + outputOf(record)));
}

function hashOf(value: Uint8Array): string {
  return createHash('sha1').update(value).digest('base64');
}

function textOf({ value }: { value: Uint8Array }): string {
  return Buffer.from(value).toString();
}

function codeOf(error: unknown): string {
  return error instanceof CollectorError ? error.code : String(error);
}
