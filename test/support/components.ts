/**
 * A collector of several processes over Kafka and a ClickHouse server: each with a configuration, a data
 * folder and an HTTP port of its own, all with the same log and store. Processes are known by a name and can be
 * started, ended, killed and frozen one by one.
 *
 *   const kafka = await KafkaCluster.start();
 *   const front = await startClickHouseFront(t);
 *   const components = new Components(t, { kafka: kafka.config('e2e'), clickhouse: front.config() });
 *   const intake = await components.add('intake-1', ['intake']);
 *   await intake.start();
 *   await intake.untilReady();
 *   intake.freeze();
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { stringify } from 'yaml';
import type {
  ClickHouseConfig,
  Component,
  KafkaConfig,
  TlsConfig,
} from '../../collector/config.ts';
import type { CommandResult } from './collector-process.ts';
import { fmsCollector } from './collector-process.ts';
import { freePort } from './free-port.ts';
import { pollPauseMs } from './poll-pause.ts';

const MAIN = join(import.meta.dirname, '../../collector/main.ts');
export const SITE = 'demo';
export const TOKEN = 'token-of-every-gateway';
const UNTIL_MS = 300_000;
const ASK_TIMEOUT_MS = 30_000;

export interface ComponentsOptions {
  kafka: KafkaConfig;
  /** Undefined: chDB in the folder of the process that has `write` and `serve`. */
  clickhouse: ClickHouseConfig | undefined;
  /** Default 4. */
  partitions?: number;
  /** Gateways of site `demo`; default gw1 to gw4. They all have TOKEN. */
  gateways?: readonly string[];
  /** Further content of every configuration; sections are merged key by key. */
  more?: Record<string, unknown>;
  /** Run instead of the collector's own main, with the same arguments. */
  program?: string;
}

export interface ReadyAnswer {
  ready: boolean;
  checks: { name: string; ready: boolean; reason: string }[];
}

export class Components {
  readonly folder = mkdtempSync(join(tmpdir(), 'fms-components-'));
  readonly processes: ComponentProcess[] = [];
  readonly #t: Test;
  readonly #options: ComponentsOptions;

  constructor(t: Test, options: ComponentsOptions) {
    this.#t = t;
    this.#options = options;
    t.teardown(async () => {
      await Promise.all(this.processes.map((process) => process.kill()));
      if (t.passing()) rmSync(this.folder, { recursive: true, force: true });
      else t.comment(`folder kept: ${this.folder}`);
    });
  }

  get gateways(): readonly string[] {
    return this.#options.gateways ?? ['gw1', 'gw2', 'gw3', 'gw4'];
  }

  /** Not started yet. `more`: as of ComponentsOptions, for this one. */
  async add(
    name: string,
    components: readonly Component[],
    more: Record<string, unknown> = {},
  ): Promise<ComponentProcess> {
    const ports = { http: await freePort(), mqtt: await freePort() };
    const folder = join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    const content = merged(
      this.#content(folder, components, ports),
      this.#options.more ?? {},
      more,
    );
    const { program = MAIN } = this.#options;
    const process = new ComponentProcess(this.#t, { name, folder, ports, program }, content);
    this.processes.push(process);
    return process;
  }

  /** The one of this name. */
  named(name: string): ComponentProcess {
    const found = this.processes.find((process) => process.name === name);
    if (found === undefined) throw new Error(`no process ${name}`);
    return found;
  }

  #content(
    folder: string,
    components: readonly Component[],
    ports: { http: number; mqtt: number },
  ): Record<string, unknown> {
    const { kafka, clickhouse, partitions = 4 } = this.#options;
    return {
      data_dir: './data',
      components: [...components],
      mqtt: { port: ports.mqtt },
      http: { port: ports.http },
      access: { this_machine: 'admin' },
      log: { partitions, kafka: kafkaContent(folder, kafka) },
      ...(clickhouse === undefined
        ? {}
        : { store: { clickhouse: storeContent(folder, clickhouse) } }),
      gateways: this.gateways.map((gateway) => ({ site: SITE, gateway, token: TOKEN })),
    };
  }
}

interface ComponentOfTest {
  name: string;
  folder: string;
  ports: { http: number; mqtt: number };
  program: string;
}

export class ComponentProcess {
  readonly name: string;
  readonly folder: string;
  readonly httpPort: number;
  readonly mqttPort: number;
  readonly configFile: string;
  /** Of all its starts. */
  output = '';
  readonly #t: Test;
  readonly #program: string;
  #child: ChildProcess | undefined;

  constructor(
    t: Test,
    { name, folder, ports, program }: ComponentOfTest,
    content: Record<string, unknown>,
  ) {
    this.#t = t;
    this.#program = program;
    this.name = name;
    this.folder = folder;
    this.httpPort = ports.http;
    this.mqttPort = ports.mqtt;
    this.configFile = join(folder, 'collector.yaml');
    writeFileSync(this.configFile, stringify(content));
  }

  get base(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  get running(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when its HTTP server answers. `program`: this time instead of the one of the options. */
  async start(how: { program?: string; env?: NodeJS.ProcessEnv } = {}): Promise<void> {
    if (this.running) throw new Error(`${this.name} runs already`);
    const args = [how.program ?? this.#program, 'run', '--config', this.configFile];
    const env = { ...process.env, ...how.env };
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        this.output += data.toString();
        appendFileSync(join(this.folder, 'messages.jsonl'), data);
      });
    await this.until('its HTTP server answers', async () => (await this.fetch('/healthz')).ok);
  }

  /** As it is now; rejects when it does not answer. */
  async readiness(): Promise<ReadyAnswer> {
    return (await (await this.fetch('/readyz')).json()) as ReadyAnswer;
  }

  async untilReady(): Promise<void> {
    let last: ReadyAnswer | undefined;
    const isReady = async (): Promise<boolean> => {
      last = await this.readiness();
      return last.ready;
    };
    await this.until('it is ready', isReady, () => JSON.stringify(last));
  }

  /** Resolves with its exit code: null after a signal that killed it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || !this.running) return null;
    const ended = once(child, 'close');
    child.kill(signal);
    const [code] = (await ended) as [number | null];
    return code;
  }

  /** kill -9, frozen or not. */
  async kill(): Promise<void> {
    await this.stop('SIGKILL');
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.base + path, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS), ...init });
  }

  async get<T>(path: string): Promise<T> {
    const response = await this.fetch(path, { signal: AbortSignal.timeout(60_000) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** A metric of /metrics; `name` with its labels as they stand there. */
  async metric(name: string): Promise<number> {
    const text = await (await this.fetch('/metrics')).text();
    const line = text.split('\n').find((one) => one.startsWith(`${name} `));
    if (line === undefined) throw new Error(`${this.name}: no metric ${name}`);
    return Number(line.slice(name.length));
  }

  /** A command of fms-collector, about this process. */
  command(...args: string[]): Promise<CommandResult> {
    return fmsCollector(this.#t, ...args, '--config', this.configFile, '--url', this.base);
  }

  /** Asks until it is so; errors count as not yet. Fails when the process ended, or after `withinMs`. */
  async until(
    what: string,
    isSo: () => Promise<boolean>,
    more: () => string = () => '',
    withinMs = UNTIL_MS,
  ): Promise<void> {
    const beganMs = performance.now();
    const endMs = beganMs + withinMs;
    for (;;) {
      if (this.#child !== undefined && !this.running)
        throw new Error(`${this.name} ended: ${this.output.slice(-4_000)}`);
      if (await isSo().catch(() => false)) return;
      if (performance.now() > endMs)
        throw new Error(
          `${this.name}: not within ${withinMs / 1_000} s: ${what}; ${more()}\n${this.output.slice(-4_000)}`,
        );
      await delay(pollPauseMs(beganMs));
    }
  }
}

function kafkaContent(folder: string, kafka: KafkaConfig): Record<string, unknown> {
  const { brokers, topicPrefix, replication, minInsync, tls, sasl } = kafka;
  return {
    brokers,
    topic_prefix: topicPrefix,
    replication,
    min_insync: minInsync,
    ...(tls === undefined ? {} : { tls: tlsContent(folder, 'kafka', tls) }),
    ...(sasl === undefined
      ? {}
      : {
          sasl: {
            mechanism: sasl.mechanism,
            username: sasl.username,
            password_file: fileOf(folder, 'kafka-password', sasl.password),
          },
        }),
  };
}

function storeContent(folder: string, clickhouse: ClickHouseConfig): Record<string, unknown> {
  const { url, database, username, password, tls } = clickhouse;
  return {
    url,
    database,
    username,
    ...(password === '' ? {} : { password_file: fileOf(folder, 'clickhouse-password', password) }),
    ...(tls === undefined ? {} : { tls: tlsContent(folder, 'clickhouse', tls) }),
  };
}

function tlsContent(folder: string, name: string, tls: TlsConfig): Record<string, string> {
  const content: Record<string, string> = {};
  if (tls.ca !== undefined) content.ca_file = fileOf(folder, `${name}-ca.pem`, tls.ca);
  if (tls.cert !== undefined) content.cert_file = fileOf(folder, `${name}-cert.pem`, tls.cert);
  if (tls.key !== undefined) content.key_file = fileOf(folder, `${name}-key.pem`, tls.key);
  return content;
}

function fileOf(folder: string, name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return `./${name}`;
}

/** Maps are merged, all else is replaced. */
function merged(...contents: Record<string, unknown>[]): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const content of contents) {
    for (const [key, value] of Object.entries(content)) {
      const before = result[key];
      result[key] = isMap(before) && isMap(value) ? merged(before, value) : value;
    }
  }
  return result;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
