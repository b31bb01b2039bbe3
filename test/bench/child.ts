/** Programs that benches start and watch: CPU and memory from /proc, an end that is certain. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** /proc counts CPU in these, on every Linux that Node runs on. */
const TICKS_PER_S = 100;
const OUTPUT_KEPT = 8_000;
const STOP_MS = 15_000;

/** User and system time since the start of a process; NaN when it has ended. */
export function cpuSecondsOf(pid: number): number {
  const stat = proc(pid, 'stat');
  // After the command, which is in brackets and may hold anything, come state and 10 more fields.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

function proc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

export class Child {
  readonly process: ChildProcess;
  #output = '';

  /** Runs this Node, or another `program`, with `args`. */
  constructor(
    args: readonly string[],
    env: Record<string, string> = {},
    program = process.execPath,
  ) {
    this.process = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.#output = (this.#output + data.toString()).slice(-OUTPUT_KEPT);
      });
    }
    // Whatever ends the bench ends its programs.
    const end = (): void => void this.process.kill('SIGKILL');
    process.once('exit', end);
    this.process.once('exit', () => process.off('exit', end));
  }

  get output(): string {
    return this.#output;
  }

  /** User and system time since the start; NaN when it has ended. */
  cpuSeconds(): number {
    return cpuSecondsOf(this.pid);
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  rssMb(): number {
    return Number(/^VmRSS:\s+(\d+)/m.exec(proc(this.pid, 'status'))?.[1] ?? Number.NaN) / 1024;
  }

  /** The first match in what it prints; rejects when it ends or `timeoutMs` pass before. */
  async line(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    const untilMs = performance.now() + timeoutMs;
    for (;;) {
      const match = pattern.exec(this.#output);
      if (match !== null) return match;
      const ended = this.process.exitCode !== null || this.process.signalCode !== null;
      if (ended || performance.now() > untilMs) {
        throw new Error(`${ended ? 'it ended' : 'no sign of life'}: ${this.#output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Resolves when it has ended by itself with exit code 0; else rejects with what it said. */
  async ended(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.process.kill('SIGKILL'), timeoutMs);
    if (this.process.exitCode === null && this.process.signalCode === null)
      await once(this.process, 'close');
    clearTimeout(timer);
    const { exitCode, signalCode } = this.process;
    if (exitCode !== 0) throw new Error(`it ended with ${exitCode ?? signalCode}: ${this.#output}`);
  }

  /** SIGTERM, and SIGKILL if that does not end it. */
  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(timer);
  }
}
