/** A collector as a process of its own, in a folder of its own, and its commands. */

import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { stringify } from 'yaml';
import { pollPauseMs } from './poll-pause.ts';
import type { PublisherOptions } from './publisher.ts';
import { Publisher } from './publisher.ts';

const MAIN = join(import.meta.dirname, '../../collector/main.ts');
/** For tests that wait for complete roll-ups. */
export const QUICK_COLLECTOR = join(import.meta.dirname, 'quick-collector.ts');
const TOKEN = 'token-of-every-gateway';
const READY_TIMEOUT_MS = 300_000;

export interface CommandResult {
  code: number | null;
  output: string;
}

/** Runs fms-collector to its end. */
export async function fmsCollector(t: Test, ...args: string[]): Promise<CommandResult> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      output += data.toString();
    });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

export class CollectorProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'fms-collector-'));
  readonly configFile = join(this.folder, 'collector.yaml');
  readonly dataDir = join(this.folder, 'data');
  /** Of the process that runs now. */
  output = '';
  readonly #t: Test;
  readonly #program: string;
  #child: ChildProcess | undefined;
  #ports = { mqtt: 0, http: 0 };

  /**
   * Gateways gw1, gw2 and gw3 of site demo may connect. `more`: further content of the configuration.
   * `program`: run instead of the collector's own main, with the same arguments.
   */
  constructor(t: Test, more: Record<string, unknown> = {}, program = MAIN) {
    this.#t = t;
    this.#program = program;
    this.configure(more);
    t.teardown(async () => {
      await this.stop('SIGKILL');
      if (t.passing()) rmSync(this.folder, { recursive: true, force: true });
    });
  }

  /** Holds from the next start on. */
  configure(more: Record<string, unknown> = {}): void {
    const content = {
      data_dir: './data',
      mqtt: { port: 0 },
      http: { port: 0 },
      access: { this_machine: 'admin' },
      gateways: ['gw1', 'gw2', 'gw3'].map((gateway) => ({ site: 'demo', gateway, token: TOKEN })),
      ...more,
    };
    writeFileSync(this.configFile, stringify(content));
  }

  get base(): string {
    return `http://127.0.0.1:${this.#ports.http}`;
  }

  get child(): ChildProcess | undefined {
    return this.#child;
  }

  /** Resolves when it takes readings and, unless told otherwise, when every part works. */
  async start(untilReady = true): Promise<void> {
    this.output = '';
    const args = [this.#program, 'run', '--config', this.configFile];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        this.output += data.toString();
      });
    await this.until('it runs', async () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${this.output}`);
      // To the end of the line: it is read as a whole.
      return /collector is running.*\n/.test(this.output);
    });
    const line = this.output.split('\n').find((one) => one.includes('collector is running'));
    const { mqtt, pages } = JSON.parse(line ?? '{}') as { mqtt: string; pages: string };
    this.#ports = { mqtt: Number(new URL(mqtt).port), http: Number(new URL(pages).port) };
    if (!untilReady) return;
    await this.until('it is ready', async () => (await fetch(`${this.base}/readyz`)).ok);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'close');
    child.kill(signal);
    await ended;
  }

  publisher(gateway: 'gw1' | 'gw2' | 'gw3'): Promise<Publisher> {
    return Publisher.connect(this.login(gateway));
  }

  /** How a gateway connects; the port holds until the next start, unless the configuration fixes it. */
  login(gateway: 'gw1' | 'gw2' | 'gw3'): PublisherOptions {
    return { port: this.#ports.mqtt, site: 'demo', gateway, token: TOKEN };
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(this.base + path, { signal: AbortSignal.timeout(60_000) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Rows of its tables; it must not run. */
  storeRows<Row>(sql: string): Row[] {
    const args = [join(import.meta.dirname, 'store-query.ts'), join(this.dataDir, 'store'), sql];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Row[];
  }

  /** The command's answer, about this collector. */
  command(name: string, ...args: string[]): Promise<CommandResult> {
    const url = name === 'backup' || name === 'ledger' ? ['--url', this.base] : [];
    return fmsCollector(this.#t, name, ...args, '--config', this.configFile, ...url);
  }

  /** Asks until it is so. Fails when the collector ended or after five minutes. */
  async until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const beganMs = performance.now();
    const endMs = beganMs + READY_TIMEOUT_MS;
    for (;;) {
      if (this.#child?.exitCode != null) throw new Error(`it ended: ${this.output}`);
      if (await isSo().catch(() => false)) return;
      if (performance.now() > endMs)
        throw new Error(`not within five minutes: ${what}\n${this.output}`);
      await delay(pollPauseMs(beganMs));
    }
  }
}
