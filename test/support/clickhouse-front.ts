/**
 * A ClickHouse server for tests: a process with an HTTP interface before chDB. It answers what
 * @clickhouse/client sends as a server does (settings and parameters of each request, Native bodies,
 * error codes and texts, users, TLS, system.processes and KILL QUERY by the engine, several statements at
 * once), and can be made to fail in the ways of a network and of a server. It is no server: nothing of
 * replication, quotas, grants; and an answer goes out only when the statement has ended.
 *
 *   const front = await startClickHouseFront(t);
 *   const store = await openClickHouseStore({ clickhouse: front.config(), retentionDays: 0 });
 *   await front.fault({ kind: 'lost' });        // the next insert is executed, its answer lost
 *   await front.fault({ kind: 'error', code: 252, times: 0 });  // until front.clear()
 *   await front.refuse(); await front.listen(); // connections are refused, and taken again
 *   await front.kill(); await front.start();    // kill -9, and the same folder and port again
 *   front.freeze(); front.thaw();               // SIGSTOP, SIGCONT
 *
 * Other programs start clickhouse-front-main.ts and switch faults at POST /_fault.
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import type { ClickHouseConfig } from '../../collector/config.ts';
import type { Fault, FrontStatus } from './clickhouse-front-faults.ts';
import type { FrontUser } from './clickhouse-front-request.ts';

const MAIN = join(import.meta.dirname, 'clickhouse-front-main.ts');

export interface FrontOptions {
  /** Default: a temporary one, removed at the end. */
  folder?: string;
  /** Default: user `default` without a password. */
  users?: Record<string, FrontUser>;
  /** Files in PEM. With `clientCa` only clients with a certificate of it are let in. */
  tls?: { cert: string; key: string; clientCa?: string };
  /** 0: any; the same one after a restart. */
  port?: number;
}

/** Started, and ended with the test. */
export async function startClickHouseFront(
  t: Pick<Test, 'teardown'>,
  options: FrontOptions = {},
): Promise<ClickHouseFront> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'fms-front-'));
  const front = new ClickHouseFront(folder, options);
  t.teardown(async () => {
    await front.kill();
    if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
  });
  await front.start();
  return front;
}

export class ClickHouseFront {
  readonly folder: string;
  readonly #options: FrontOptions;
  #child: ChildProcess | undefined;
  #ports: { port: number; control: number };

  constructor(folder: string, options: FrontOptions) {
    this.folder = folder;
    this.#options = options;
    this.#ports = { port: options.port ?? 0, control: 0 };
  }

  get port(): number {
    return this.#ports.port;
  }

  /** Where faults are switched; answers also while the other one refuses. */
  get controlUrl(): string {
    return `http://127.0.0.1:${this.#ports.control}`;
  }

  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}`;
  }

  config(more: Partial<ClickHouseConfig> = {}): ClickHouseConfig {
    const base = { database: 'fms', username: 'default', password: '', tls: undefined };
    return { url: this.url, ...base, ...more };
  }

  async start(): Promise<void> {
    const { users, tls } = this.#options;
    const args = [MAIN, '--with-parent', '--folder', this.folder];
    args.push('--port', String(this.#ports.port), '--control', String(this.#ports.control));
    if (users !== undefined) args.push('--users', JSON.stringify(users));
    if (tls !== undefined) args.push('--tls', JSON.stringify(tls));
    const child = spawn(process.execPath, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, UV_THREADPOOL_SIZE: '32' },
    });
    this.#child = child;
    const lines = createInterface(child.stdout);
    const [line] = (await Promise.race([once(lines, 'line'), once(child, 'exit')])) as [unknown];
    lines.close();
    child.stdout.resume();
    if (typeof line !== 'string') throw new Error(`the front ended with ${String(line)}`);
    this.#ports = JSON.parse(line) as { port: number; control: number };
  }

  /** SIGKILL: what was not synced is still there, but nothing under way ends. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Befalls the next statements that it fits. */
  async fault(fault: Fault): Promise<void> {
    await this.#ask('POST', '/_fault', JSON.stringify(fault));
  }

  /** No faults any more; what is held goes on. */
  async clear(): Promise<void> {
    await this.#ask('DELETE', '/_fault');
  }

  /** What is held goes on; faults stay. */
  async release(): Promise<void> {
    await this.#ask('POST', '/_release');
  }

  /** Connections are cut, and refused from now on. */
  async refuse(): Promise<void> {
    await this.#ask('POST', '/_refuse');
  }

  async listen(): Promise<void> {
    await this.#ask('POST', '/_listen');
  }

  status(): Promise<FrontStatus> {
    return this.#ask('GET', '/_status');
  }

  async #ask(method: string, path: string, body?: string): Promise<FrontStatus> {
    const init = body === undefined ? { method } : { method, body };
    const response = await fetch(`${this.controlUrl}${path}`, init);
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as FrontStatus;
  }
}
