/** A program in a process group of its own: its output, its last words, its end. */

import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { LineSplitter } from './lines.ts';

export interface ProgramOptions {
  program: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** From SIGTERM to SIGKILL. */
  stopMs: number;
}

const STDERR_LINES_MAX = 5;
const STDERR_LINE_BYTES = 512;
/** How long standard output may stay open after a SIGKILL, when a process that left the group holds it. */
const ORPHANED_OUTPUT_MS = 500;

/** Process groups are POSIX; elsewhere only the program itself is ended. */
const hasGroups = process.platform !== 'win32';

export class Program {
  readonly #child: ChildProcess;
  readonly #stopMs: number;
  readonly #stderr: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;
  /** Undefined while it runs; '' after an exit with code 0; else how it ended. */
  #end: string | undefined;
  /** Resolves with how it ended; never rejects. */
  readonly ended: Promise<string>;

  constructor({ program, args, cwd, env, stopMs }: ProgramOptions) {
    this.#stopMs = stopMs;
    // Standard input stays open as long as the agent lives: a program can tell its death by it.
    // Loaded by the first program: agents without command readers save 3 MB.
    const { spawn } = process.getBuiltinModule('node:child_process');
    this.#child = spawn(program, args, { cwd, env, stdio: 'pipe', detached: hasGroups });
    this.ended = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve(this.#finish(error.message)));
      this.#child.on('exit', (code, signal) => resolve(this.#finish(describeEnd(code, signal))));
    });
    // Writing is not ours to do; an error here only repeats that the program has gone.
    this.#child.stdin?.on('error', () => {});
    const splitter = new LineSplitter(STDERR_LINE_BYTES);
    this.#child.stderr?.on('data', (chunk: Buffer) =>
      splitter.push(chunk, ({ bytes }) => {
        this.#stderr.push(Buffer.from(bytes).toString('utf8').slice(0, STDERR_LINE_BYTES));
        if (this.#stderr.length > STDERR_LINES_MAX) this.#stderr.shift();
      }),
    );
  }

  get stdout(): Readable {
    return this.#child.stdout as Readable;
  }

  /** The last lines of standard error, oldest first. */
  get lastWords(): readonly string[] {
    return this.#stderr;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** SIGTERM now, SIGKILL after the time to stop, the end of its output in any case. */
  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#child.stdin?.destroy();
    if (this.hasEnded) return;
    this.#signal('SIGTERM');
    this.#timer = setTimeout(() => {
      // The number of a group that has ended may be another's by now.
      if (!this.hasEnded) this.#signal('SIGKILL');
      this.#timer = setTimeout(() => this.stdout.destroy(), ORPHANED_OUTPUT_MS);
    }, this.#stopMs);
  }

  /** Nothing of it may fire later. */
  release(): void {
    clearTimeout(this.#timer);
    this.#child.stdin?.destroy();
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  #finish(end: string): string {
    // What the program started and left behind would run on beside the next one.
    if (this.#end === undefined) this.#signal('SIGKILL');
    this.#end ??= end;
    return this.#end;
  }

  #signal(name: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      if (hasGroups) process.kill(-pid, name);
      else this.#child.kill(name);
    } catch {
      // ESRCH: all of them have ended.
    }
  }
}

function describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `ended by ${signal}`;
  return code === 0 ? '' : `ended with code ${code}`;
}
