/**
 * The contract of agent/types.ts that every reader keeps. A harness drives a real source; the suite
 * only asks what a runner may rely on.
 */

import type { Test } from 'tap';
import type { ReaderType } from '../../agent/readers/spec.ts';
import type { Clock, Reader, ReaderOutput } from '../../agent/types.ts';
import { ReaderFailure } from '../../agent/types.ts';
import { hasValue, Quality, Severity, severityOf } from '../../proto/model.ts';

/** A source with the channels `a` and `b`, both numbers, as the reader's harness configures them. */
export interface ReaderHarness {
  type: ReaderType;
  create(): Reader;
  /** From now on: a = 1.5 and b = 2, without end. */
  sayGood(): Promise<void>;
  /** From now on: `a` is bad in a way that this source knows, b = 2. */
  sayHalfBad(): Promise<void>;
  /** From now on it accepts, or starts, and says nothing. */
  saySilence(): Promise<void>;
  /** From now on it is not there, or ends with an error. */
  vanish(): Promise<void>;
  /** Connections or processes that the reader holds, once they are `wanted`, else after a moment. */
  held(wanted: number): Promise<number>;
  dispose(): Promise<void>;
}

export const realClock: Clock = { wallMs: () => Date.now(), monoMs: () => performance.now() };

/** The first `count` outputs of a reader, then its end. */
async function take(reader: Reader, count: number): Promise<ReaderOutput[]> {
  const outputs: ReaderOutput[] = [];
  const abort = new AbortController();
  if (reader.kind === 'polled') {
    while (outputs.length < count) outputs.push(await reader.poll(abort.signal));
    return outputs;
  }
  await reader.run(async (output) => {
    outputs.push(output);
    if (outputs.length >= count) abort.abort();
  }, abort.signal);
  return outputs.slice(0, count);
}

/** One poll, or one life. */
function ask(reader: Reader, signal: AbortSignal): Promise<unknown> {
  return reader.kind === 'polled' ? reader.poll(signal) : reader.run(async () => {}, signal);
}

async function close(reader: Reader): Promise<void> {
  if (reader.kind === 'polled') await reader.close();
}

/** What a sink may rely on, for each sample. */
function assertWellFormed(t: Test, outputs: readonly ReaderOutput[]): void {
  const samples = outputs.flatMap((output) => output.samples);
  const isNumber = (time: number | undefined): boolean =>
    time === undefined || Number.isFinite(time);
  t.ok(
    samples.every(({ values }) => values.length > 0),
    'samples have values',
  );
  t.ok(
    samples.every(({ sourceTimeMs }) => isNumber(sourceTimeMs)),
    'times are numbers',
  );
  t.ok(
    samples.every(({ values }) =>
      values.every(({ value, quality }) => (value === null) === !hasValue(quality)),
    ),
    'null exactly when the quality says so',
  );
}

export function readerContract(t: Test, name: string, open: () => Promise<ReaderHarness>): void {
  t.test(`reader contract: ${name}`, async (t) => {
    let harness: ReaderHarness;
    t.beforeEach(async () => {
      harness = await open();
    });
    t.afterEach(() => harness.dispose());

    t.test('its kind is the one in the registry, and its end is known', async (t) => {
      const reader = harness.create();
      t.equal(reader.kind, harness.type.kind);
      await close(reader);
      t.equal(await harness.held(0), 0, 'creating and closing opens nothing');
    });

    t.test('good values', async (t) => {
      await harness.sayGood();
      const reader = harness.create();
      const outputs = await take(reader, 3);
      assertWellFormed(t, outputs);
      const { samples, rejects } = outputs[0] as ReaderOutput;
      t.same(rejects, []);
      t.same(samples[0]?.values, [
        { channel: 'a', value: 1.5, quality: Quality.GOOD },
        { channel: 'b', value: 2, quality: Quality.GOOD },
      ]);
      await close(reader);
    });

    t.test('a bad channel does not cost its neighbour', async (t) => {
      await harness.sayHalfBad();
      const reader = harness.create();
      const outputs = await take(reader, 3);
      assertWellFormed(t, outputs);
      for (const output of outputs) {
        const [a, b] = output.samples[0]?.values ?? [];
        t.equal(severityOf(a?.quality ?? 0), Severity.BAD);
        t.same(b, { channel: 'b', value: 2, quality: Quality.GOOD });
      }
      await close(reader);
    });

    t.test('a source that is not there is a ReaderFailure', async (t) => {
      await harness.vanish();
      const reader = harness.create();
      await t.rejects(ask(reader, new AbortController().signal), {
        name: 'ReaderFailure',
        message: /.{6}/,
      });
      await close(reader);
      t.equal(await harness.held(0), 0);
    });

    t.test('a silent source is left soon after the abort', async (t) => {
      await harness.saySilence();
      const reader = harness.create();
      const abort = new AbortController();
      const end = ask(reader, abort.signal).then(
        () => 'resolved',
        (error: unknown) => error,
      );
      t.equal(await harness.held(1), 1, 'it listens');
      abort.abort(new ReaderFailure('enough'));
      const result = await end;
      if (reader.kind === 'polled') t.match(result, { name: 'ReaderFailure', message: 'enough' });
      else t.equal(result, 'resolved');
      await close(reader);
      t.equal(await harness.held(0), 0, 'nothing of it runs on');
    });

    t.test('an abort that came before is obeyed', async (t) => {
      await harness.sayGood();
      const reader = harness.create();
      const end = await ask(reader, AbortSignal.abort(new ReaderFailure('too late'))).then(
        () => 'resolved',
        (error: unknown) => error,
      );
      if (reader.kind === 'polled') t.match(end, { message: 'too late' });
      else t.equal(end, 'resolved');
      await close(reader);
      t.equal(await harness.held(0), 0);
    });

    t.test('it finds its source again', async (t) => {
      await harness.sayGood();
      const reader = harness.create();
      await take(reader, 1);
      await harness.vanish();
      const signal = new AbortController().signal;
      for (let i = 0; i < 2; i++) {
        await t.rejects(ask(reader, signal), { name: 'ReaderFailure' });
      }
      await harness.sayGood();
      const [output] = await take(reader, 1);
      t.equal(output?.samples[0]?.values[0]?.value, 1.5);
      await close(reader);
    });

    t.test('a fresh one takes over from a closed one', async (t) => {
      await harness.sayGood();
      for (let i = 0; i < 5; i++) {
        const reader = harness.create();
        await take(reader, 1);
        await close(reader);
        await close(reader);
      }
      t.equal(await harness.held(0), 0);
    });

    t.test('many questions hold one connection or process', async (t) => {
      await harness.sayGood();
      const reader = harness.create();
      if (reader.kind === 'polled') {
        await take(reader, 25);
        t.equal(await harness.held(1), 1, 'reused');
      } else {
        t.equal((await take(reader, 25)).length, 25);
      }
      await close(reader);
      t.equal(await harness.held(0), 0);
    });

    t.test('a pushed reader waits for the buffer', async (t) => {
      await harness.sayGood();
      const reader = harness.create();
      if (reader.kind === 'polled') return close(reader);
      const abort = new AbortController();
      let values = 0;
      let pending = 0;
      let release = (): void => {};
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      const end = reader.run(async (output) => {
        for (const sample of output.samples) values += sample.values.length;
        pending += 1;
        await gate;
        pending -= 1;
      }, abort.signal);
      // It stops taking once its bound is reached: two looks, the same number.
      let before = -1;
      while (values !== before || values === 0) {
        before = values;
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
      t.ok(values < 300_000, `${values} values wait in memory`);
      abort.abort();
      release();
      await end;
      t.equal(pending, 0, 'resolved after all was delivered');
      t.equal(await harness.held(0), 0);
    });
  });
}
