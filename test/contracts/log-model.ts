/**
 * Random histories of a log against a model of it in memory: appends, sessions and takeovers, commits,
 * trims, reopenings. What the log says must be what the model says, at every step.
 */

import fc from 'fast-check';
import type { ConsumerSession, Log, LogTopic, ProcessorSession } from '../../collector/log/log.ts';
import { recordOf, textsOf } from './log.ts';

export type Step =
  | { kind: 'append'; topic: LogTopic; partition: number; count: number }
  | { kind: 'open-processor'; partition: number }
  | {
      kind: 'process';
      partition: number;
      stale: boolean;
      advance: number;
      outputs: number;
      key: number;
      /** How far behind the position raw is kept; undefined: nothing is said. */
      kept: number | undefined;
    }
  | { kind: 'open-consumer'; partition: number }
  | { kind: 'consume'; partition: number; stale: boolean; advance: number; intent: boolean }
  | { kind: 'trim'; partition: number }
  | { kind: 'reopen' };

export const PARTITIONS = 2;
const partition = fc.nat({ max: PARTITIONS - 1 });
const advance = fc.integer({ min: -1, max: 6 });

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        topic: fc.constantFrom('raw' as const, 'raw' as const, 'readings' as const),
        partition,
        count: fc.integer({ min: 1, max: 5 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('open-processor' as const), partition }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('process' as const),
        partition,
        stale: fc.boolean(),
        advance,
        outputs: fc.nat({ max: 3 }),
        key: fc.nat({ max: 2 }),
        kept: fc.option(fc.nat({ max: 4 }), { nil: undefined }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('open-consumer' as const), partition }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('consume' as const),
        partition,
        stale: fc.boolean(),
        advance,
        intent: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('trim' as const), partition }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  ),
  { minLength: 10, maxLength: 40 },
);

interface ModelStream {
  first: number;
  texts: string[];
}

interface ModelPosition {
  position: number;
  intent: { from: number; to: number; attempt: number } | undefined;
}

interface Opened<Session> {
  current: Session;
  stale: Session | undefined;
}

const code = (error: unknown): unknown => (error as { code?: unknown }).code;

/** Runs a history; throws at the first difference. `reopen` closes the log and opens it again. */
export class LogModel {
  #log: Log;
  readonly #reopen: () => Promise<Log>;
  readonly #streams = new Map<string, ModelStream>();
  readonly #processors = new Map<number, Opened<ProcessorSession>>();
  readonly #consumers = new Map<number, Opened<ConsumerSession>>();
  readonly #positions = new Map<string, ModelPosition>();
  readonly #state = new Map<number, Map<string, string>>();
  readonly #kept = new Map<number, number>();
  #serial = 0;

  constructor(log: Log, reopen: () => Promise<Log>) {
    this.#log = log;
    this.#reopen = reopen;
  }

  async run(history: readonly Step[]): Promise<void> {
    for (const step of history) {
      await this.#step(step);
      await this.#compare();
    }
  }

  async #step(step: Step): Promise<void> {
    switch (step.kind) {
      case 'append':
        return this.#append(step);
      case 'open-processor':
        return this.#openProcessor(step.partition);
      case 'process':
        return this.#process(step);
      case 'open-consumer':
        return this.#openConsumer(step.partition);
      case 'consume':
        return this.#consume(step);
      case 'trim':
        return this.#trim();
      case 'reopen':
        this.#log = await this.#reopen();
        this.#processors.clear();
        this.#consumers.clear();
    }
  }

  #stream(topic: LogTopic, partition: number): ModelStream {
    const key = `${topic}/${partition}`;
    const stream = this.#streams.get(key) ?? { first: 0, texts: [] };
    this.#streams.set(key, stream);
    return stream;
  }

  #next(topic: LogTopic, partition: number): number {
    const { first, texts } = this.#stream(topic, partition);
    return first + texts.length;
  }

  async #append({ topic, partition, count }: Extract<Step, { kind: 'append' }>): Promise<void> {
    const texts = Array.from({ length: count }, () => `v${this.#serial++}`);
    const next = this.#next(topic, partition);
    const offsets = await Promise.all(
      texts.map((text) => this.#log.append(topic, partition, recordOf(text))),
    );
    this.#stream(topic, partition).texts.push(...texts);
    same(
      offsets,
      texts.map((_, index) => next + index),
      'offsets of appends',
    );
  }

  async #openProcessor(partition: number): Promise<void> {
    const session = await this.#log.openProcessor(partition);
    const key = `processor/${partition}`;
    const model = this.#positions.get(key) ?? {
      position: this.#stream('raw', partition).first,
      intent: undefined,
    };
    this.#positions.set(key, model);
    same(session.position, model.position, 'position of a processor');
    same(
      [...session.state].map(([name, value]) => [name, Buffer.from(value).toString()]).sort(),
      [...(this.#state.get(partition) ?? [])].sort(),
      'state of a processor',
    );
    const stale = this.#processors.get(partition)?.current;
    this.#processors.set(partition, { current: session, stale });
  }

  async #process(step: Extract<Step, { kind: 'process' }>): Promise<void> {
    const { partition } = step;
    const opened = this.#processors.get(partition);
    const session = step.stale ? opened?.stale : opened?.current;
    const model = this.#positions.get(`processor/${partition}`);
    if (session === undefined || model === undefined) return;
    const position = model.position + step.advance;
    const texts = Array.from({ length: step.outputs }, () => `o${this.#serial++}`);
    const name = `k${step.key}`;
    const value = texts.length === 0 ? null : `s${this.#serial++}`;
    const keepFrom = step.kept === undefined ? undefined : Math.max(0, position - step.kept);
    const outcome = await session
      .commit({
        position,
        state: new Map([[name, value === null ? null : Buffer.from(value)]]),
        outputs: texts.map((text) => ({ topic: 'readings', record: recordOf(text) })),
        ...(keepFrom === undefined ? {} : { keepFrom }),
      })
      .catch(code);
    const outside = step.advance < 0 || position > this.#next('raw', partition);
    same(
      outcome,
      step.stale ? 'LOG_FENCED' : outside ? 'LOG_POSITION_OUTSIDE' : undefined,
      'outcome of a commit',
    );
    if (outcome !== undefined) return;
    model.position = position;
    if (keepFrom !== undefined) this.#kept.set(partition, keepFrom);
    this.#stream('readings', partition).texts.push(...texts);
    const state = this.#state.get(partition) ?? new Map<string, string>();
    this.#state.set(partition, state);
    if (value === null) state.delete(name);
    else state.set(name, value);
  }

  async #openConsumer(partition: number): Promise<void> {
    const session = await this.#log.openConsumer('store', 'readings', partition);
    const key = `consumer/${partition}`;
    const model = this.#positions.get(key) ?? {
      position: this.#stream('readings', partition).first,
      intent: undefined,
    };
    this.#positions.set(key, model);
    same(session.position, model.position, 'position of a consumer');
    same(session.intent, model.intent, 'intent of a consumer');
    const stale = this.#consumers.get(partition)?.current;
    this.#consumers.set(partition, { current: session, stale });
  }

  async #consume(step: Extract<Step, { kind: 'consume' }>): Promise<void> {
    const { partition } = step;
    const opened = this.#consumers.get(partition);
    const session = step.stale ? opened?.stale : opened?.current;
    const model = this.#positions.get(`consumer/${partition}`);
    if (session === undefined || model === undefined) return;
    const to = model.position + step.advance;
    if (step.intent && step.advance <= 0) return;
    const outside = step.advance < 0 || to > this.#next('readings', partition);
    const expected = step.stale ? 'LOG_FENCED' : outside ? 'LOG_POSITION_OUTSIDE' : undefined;
    if (step.intent) {
      const attempt = (model.intent?.attempt ?? 0) + 1;
      const outcome = await session.declareIntent(model.position, to).catch(code);
      same(outcome, expected ?? { attempt }, 'outcome of an intent');
      if (expected === undefined) model.intent = { from: model.position, to, attempt };
    } else {
      same(await session.commitPosition(to).catch(code), expected, 'outcome of a position');
      if (expected === undefined) {
        model.position = to;
        model.intent = undefined;
      }
    }
  }

  /** With a retention of nothing: all that was consumed goes. */
  async #trim(): Promise<void> {
    await this.#log.trim(Number.MAX_SAFE_INTEGER);
    for (let index = 0; index < PARTITIONS; index++) {
      for (const [topic, owner] of [
        ['raw', 'processor'],
        ['readings', 'consumer'],
      ] as const) {
        const stream = this.#stream(topic, index);
        const consumed = this.#positions.get(`${owner}/${index}`)?.position ?? 0;
        const kept = topic === 'raw' ? (this.#kept.get(index) ?? consumed) : consumed;
        const below = Math.min(consumed, kept);
        stream.texts.splice(0, Math.max(0, below - stream.first));
        stream.first = Math.max(stream.first, below);
      }
    }
  }

  async #compare(): Promise<void> {
    for (let index = 0; index < PARTITIONS; index++) {
      for (const topic of ['raw', 'readings'] as const) {
        const { first, texts } = this.#stream(topic, index);
        const bounds = { first, next: first + texts.length };
        same(await this.#log.bounds(topic, index), bounds, `bounds of ${topic}/${index}`);
        const limits = { maxRecords: 1_000, maxBytes: 1_000_000 };
        const records = await this.#log.read(topic, index, first, limits);
        same(textsOf(records), texts, `records of ${topic}/${index}`);
      }
    }
  }
}

function same(found: unknown, wanted: unknown, what: string): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: found ${a}, wanted ${b}`);
}
