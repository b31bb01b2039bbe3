/** A program of the demo as a child process: its log, its readiness, its restarts, its end. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { SimError } from '../errors.ts';
import { LogFile, warningOf } from './log-file.ts';

export interface ProgramOptions {
  /** `devices`, `collector`, `agent`. */
  name: string;
  argv: readonly string[];
  env: NodeJS.ProcessEnv;
  logPath: string;
  /** Answers 2xx when the program is ready. */
  readyUrl: string;
  /** One line for the terminal. */
  say: (line: string) => void;
  /** Each line that it writes; true: it has been dealt with. */
  hear?: (line: string) => boolean;
  /** It kept dying: nothing more is tried. */
  onGivenUp: () => void;
}

const READY_POLL_MS = 100;
const READY_TIMEOUT_MS = 60_000;
const RESTARTS_MAX = 5;
/** After so long without dying the restarts are counted anew. */
const STABLE_MS = 60_000;
const WARNINGS_SHOWN = 5;
const WARNINGS_SPAN_MS = 30_000;
const LAST_LINES = 10;

export class Program {
  readonly #options: ProgramOptions;
  readonly #log: LogFile;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #isEnding = false;
  #isReady = false;
  #restarts = 0;
  #startedMs = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #warningsFromMs = 0;
  #warnings = 0;

  constructor(options: ProgramOptions) {
    this.#options = options;
    this.#log = new LogFile(options.logPath, (line) => this.#hear(line));
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it is ready. Throws SimError SIM_DEMO_FAILED with its last log lines when it is not to be. */
  async start(): Promise<void> {
    this.#spawn();
    const { name, readyUrl } = this.#options;
    const deadlineMs = performance.now() + READY_TIMEOUT_MS;
    while (!(await isAnswering(readyUrl))) {
      if (this.#isEnding) return;
      if (!this.#isRunning()) throw this.#failure(`${name} ended before it was ready`);
      if (performance.now() > deadlineMs)
        throw this.#failure(`${name} was not ready after ${READY_TIMEOUT_MS / 1_000} s`);
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
    this.#isReady = true;
  }

  /** SIGTERM, and SIGKILL if it takes longer than this. Resolves when it has ended. */
  async end(withinMs: number): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (child !== undefined && this.#isRunning()) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => {
        this.#options.say(`did not end within ${withinMs / 1_000} s and is killed`);
        this.kill();
      }, withinMs);
      await this.#ended;
      clearTimeout(timer);
    }
    this.#log.close();
  }

  /** Kills it and everything that it started, at once. */
  kill(): void {
    this.#isEnding = true;
    clearTimeout(this.#restartTimer);
    const pid = this.#child?.pid;
    if (pid === undefined || !this.#isRunning()) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      this.#child?.kill('SIGKILL');
    }
  }

  #isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * In a process group of its own: Ctrl-C in the terminal then reaches only the demo, which ends its
   * programs in the right order.
   */
  #spawn(): void {
    const { argv, env } = this.#options;
    this.#startedMs = Date.now();
    const child = spawn(process.execPath, argv, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => this.#log.write(text));
    }
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#log.write(`${error.message}\n`);
        resolve();
      });
      child.once('close', (code, signal) => {
        resolve();
        this.#died(code, signal);
      });
    });
  }

  #died(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#isEnding || !this.#isReady) return;
    const { say, onGivenUp } = this.#options;
    if (Date.now() - this.#startedMs > STABLE_MS) this.#restarts = 0;
    say(`ended unexpectedly (${signal ?? `exit code ${code}`}). Its last lines:`);
    for (const line of this.#log.lastLines(LAST_LINES)) say(`  | ${line}`);
    if (this.#restarts >= RESTARTS_MAX) {
      say(`ended ${RESTARTS_MAX + 1} times in a row: everything is stopped`);
      onGivenUp();
      return;
    }
    const delayMs = 1_000 * 2 ** this.#restarts++;
    say(`started again in ${delayMs / 1_000} s`);
    this.#restartTimer = setTimeout(() => this.#spawn(), delayMs);
  }

  #failure(what: string): SimError {
    const lines = this.#log.lastLines(LAST_LINES).map((line) => `\n  | ${line}`);
    return new SimError(
      'SIM_DEMO_FAILED',
      `${what}; last lines of ${this.#log.path}:${lines.join('')}`,
    );
  }

  /** Warnings reach the terminal, but never flood it. */
  #hear(line: string): void {
    if (this.#options.hear?.(line) === true) return;
    const warning = warningOf(line);
    if (warning === undefined || this.#isEnding || !this.#isReady) return;
    const nowMs = Date.now();
    if (nowMs - this.#warningsFromMs > WARNINGS_SPAN_MS) {
      const left = this.#warnings - WARNINGS_SHOWN;
      if (left > 0) this.#options.say(`(${left} more in ${this.#log.path})`);
      this.#warningsFromMs = nowMs;
      this.#warnings = 0;
    }
    if (++this.#warnings <= WARNINGS_SHOWN) this.#options.say(warning);
  }
}

async function isAnswering(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
