/** Runs a program and reads one JSON object a line from it, for any sensor that has a script. */

import type { PushedReader, ReaderOutput } from '../../types.ts';
import { ReaderFailure } from '../../types.ts';
import type { ReaderDeps, ReaderSpec, ReaderType } from '../spec.ts';
import { LineSplitter } from './lines.ts';
import type { CommandOptions } from './options.ts';
import { checkOptions, readOptions } from './options.ts';
import { Program } from './process.ts';
import { translateLine } from './row.ts';
import { channelSchema, deviceSchema } from './schema.ts';

/** What may wait for the buffer before the program's output is left in its pipe. */
const PENDING_EMITS_MAX = 1_024;
const PENDING_VALUES_MAX = 65_536;

type Emit = (output: ReaderOutput) => Promise<void>;

class CommandReader implements PushedReader {
  readonly kind = 'pushed';
  readonly restartAtEnd: boolean;
  readonly #options: CommandOptions;
  readonly #deps: ReaderDeps;

  constructor(spec: ReaderSpec, deps: ReaderDeps) {
    this.#options = readOptions(spec, deps.env);
    this.#deps = deps;
    this.restartAtEnd = this.#options.restart === 'always';
  }

  async run(emit: Emit, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const outbox = new Outbox(emit);
    const program = start(this.#options);
    const stop = (): void => program.stop();
    signal.addEventListener('abort', stop);
    try {
      await this.#readAll(program, outbox, signal);
      // A program that closes its output and runs on has nothing more to say.
      program.stop();
      const end = await program.ended;
      await outbox.drained();
      if (end !== '' && !signal.aborted) throw new ReaderFailure(lastWords(end, program));
    } finally {
      signal.removeEventListener('abort', stop);
      program.stop();
      await program.ended;
      program.release();
    }
  }

  /** Until the end of the output. Resolves when all was handed over, not when it is in the buffer. */
  async #readAll(program: Program, outbox: Outbox, signal: AbortSignal): Promise<void> {
    const splitter = new LineSplitter(this.#options.maxLineBytes);
    const silence = new SilenceAfterEnd(program);
    try {
      for await (const chunk of program.stdout) {
        silence.isWaiting = false;
        const output: ReaderOutput = { samples: [], rejects: [] };
        const nowMs = this.#deps.clock.wallMs();
        splitter.push(chunk as Buffer, (line) => translateLine(line, this.#options, nowMs, output));
        await outbox.send(output);
        silence.isWaiting = true;
      }
    } catch (error) {
      // Destroyed because a process that we cannot end holds it: what came is all that there is.
      if (!isPrematureClose(error)) throw error;
    } finally {
      silence.isWaiting = false;
    }
    this.#translateRest(splitter.flush(), outbox, signal);
  }

  /** A last line without a newline is a line if it is whole, which JSON shows. */
  #translateRest(bytes: Uint8Array | undefined, outbox: Outbox, signal: AbortSignal): void {
    if (bytes === undefined) return;
    const output: ReaderOutput = { samples: [], rejects: [] };
    const nowMs = this.#deps.clock.wallMs();
    translateLine({ bytes, isCut: false }, this.#options, nowMs, output);
    // We cut it off ourselves: half a line is not the program's fault.
    if (signal.aborted) output.rejects = [];
    void outbox.send(output);
  }
}

/** How long the output may stay open, silent, after the program has ended. */
const SILENCE_MS = 2_000;

/** Gives the output up when the program has ended and a process that left its group holds the pipe. */
class SilenceAfterEnd {
  readonly #program: Program;
  #timer: NodeJS.Timeout | undefined;
  #isWaiting = true;

  constructor(program: Program) {
    this.#program = program;
    void program.ended.then(() => this.#arm());
  }

  /** Is it the program that we wait for, and not the buffer? */
  set isWaiting(isWaiting: boolean) {
    this.#isWaiting = isWaiting;
    clearTimeout(this.#timer);
    this.#arm();
  }

  #arm(): void {
    if (!this.#isWaiting || !this.#program.hasEnded) return;
    this.#timer = setTimeout(() => {
      // After a blocked event loop timers come first: what stands in the pipe gets its turn before.
      setImmediate(() => {
        if (this.#isWaiting) this.#program.stdout.destroy();
      });
    }, SILENCE_MS);
  }
}

/**
 * Hands outputs over in order, several at a time: the buffer commits a few times a second, and waiting
 * for each commit would hold a fast program to one pipeful a commit.
 */
class Outbox {
  readonly #emit: Emit;
  readonly #pending = new Set<Promise<void>>();
  #pendingValues = 0;
  #error: { cause: unknown } | undefined;

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  /** Resolves when there is room for more. Throws what an earlier emit threw. */
  async send(output: ReaderOutput): Promise<void> {
    if (output.samples.length > 0 || output.rejects.length > 0) this.#start(output);
    while (this.#pending.size >= PENDING_EMITS_MAX || this.#pendingValues >= PENDING_VALUES_MAX) {
      // The oldest: commits come in order.
      for (const oldest of this.#pending) {
        await oldest;
        break;
      }
    }
    this.#throwError();
  }

  async drained(): Promise<void> {
    await Promise.all(this.#pending);
    this.#throwError();
  }

  #start(output: ReaderOutput): void {
    let values = output.rejects.length;
    for (const sample of output.samples) values += sample.values.length;
    this.#pendingValues += values;
    const done = this.#emit(output)
      .catch((cause: unknown) => {
        this.#error ??= { cause };
      })
      .finally(() => {
        this.#pendingValues -= values;
        this.#pending.delete(done);
      });
    this.#pending.add(done);
  }

  #throwError(): void {
    if (this.#error !== undefined) throw this.#error.cause;
  }
}

function start(options: CommandOptions): Program {
  try {
    return new Program(options);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ReaderFailure(message, { cause: error });
  }
}

function lastWords(end: string, program: Program): string {
  return [end, ...program.lastWords].join('; ');
}

function isPrematureClose(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
}

export const commandReader: ReaderType = {
  kind: 'pushed',
  title: 'a program that prints one JSON object a line',
  deviceSchema,
  channelSchema,
  channelsRequired: false,
  check: checkOptions,
  create: (spec, deps) => new CommandReader(spec, deps),
};
