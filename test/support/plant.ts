/**
 * A whole plant of real processes for the fault tests: simulated devices, an agent, a collector, each
 * started, killed and started again as the test says, in a folder of its own. At the end `account()`
 * compares the store with the simulator's truth file.
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  cpSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { agentCommand } from './agent-command.ts';
import { freePort } from './free-port.ts';
import { pollPauseMs } from './poll-pause.ts';

export const repository = join(import.meta.dirname, '../..');

/** A seeded generator (mulberry32) of numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The seed of this run: `--seed N`, FMS_TEST_SEED, or a random one. Printed by every fault test. */
export function seedOfRun(): number {
  const position = process.argv.indexOf('--seed');
  const given = position >= 0 ? process.argv[position + 1] : process.env.FMS_TEST_SEED;
  const inline = process.argv.find((argument) => argument.startsWith('--seed='))?.slice(7);
  const chosen = inline ?? given;
  return chosen === undefined ? randomBytes(4).readUInt32LE() : Number(chosen) >>> 0;
}

/** Waits until `condition` answers something other than undefined or false. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const beganMs = performance.now();
  const deadline = beganMs + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const answer = await condition();
      if (answer !== undefined && answer !== false) return answer;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: lastError });
    }
    await new Promise((resolve) => setTimeout(resolve, pollPauseMs(beganMs)));
  }
}

export type Table = 'readings' | 'quarantine' | 'events' | 'releases';

export type Part = 'sim' | 'collector' | 'agent';

export interface PlantOptions {
  name: string;
  seed: number;
  devices?: number;
  intervalMs?: number;
  /** Of a device's answer; default 10 s: on a busy machine none of them may count as unread. */
  timeoutMs?: number;
  /** Where data_dir of agent and collector are; default: in the plant's folder. */
  agentDataFolder?: string;
  collectorDataFolder?: string;
  /** Merged into the sections of agent.yaml and collector.yaml. */
  agent?: Record<string, unknown>;
  collector?: Record<string, unknown>;
  /** Run instead of collector/main.ts, with the same arguments. */
  collectorProgram?: string;
}

export interface Kill {
  /** Between the two it died: a busy machine may take a while over it. */
  askedMs: number;
  deadMs: number;
  /** `device channel time_ms` of readings that were committed to the agent's buffer and not yet deleted. */
  buffered: Set<string>;
}

export interface LedgerItem {
  site: string;
  gateway: string;
  epoch: string;
  last_seq: number;
  stored: number;
  quarantined: number;
  duplicates: number;
  gaps: Record<string, number>;
  gap_readings: number;
  in_flight: number;
  balance: number;
}

/** What the tests use of the agent's /status. */
export interface AgentStatus {
  epoch: string | null;
  last_seq: number;
  buffer: { readings: number; chunks: number };
}

export class Plant {
  readonly folder: string;
  readonly options: Required<Pick<PlantOptions, 'name' | 'seed' | 'devices' | 'intervalMs'>> &
    PlantOptions;
  readonly random: () => number;
  readonly kills: Kill[] = [];
  ports = { sim: 0, mqtt: 0, http: 0, status: 0 };
  readonly #children = new Map<Part, ChildProcess>();
  #starts = 0;

  constructor(options: PlantOptions) {
    this.options = { devices: 5, intervalMs: 100, ...options };
    this.random = seededRandom(options.seed);
    this.folder = mkdtempSync(join(tmpdir(), `fms-${options.name}-`));
  }

  get truthFile(): string {
    return join(this.folder, 'truth.jsonl');
  }

  get agentDataFolder(): string {
    return this.options.agentDataFolder ?? join(this.folder, 'agent');
  }

  get collectorDataFolder(): string {
    return this.options.collectorDataFolder ?? join(this.folder, 'collector');
  }

  async configure(): Promise<void> {
    this.ports = {
      sim: await freePort(),
      mqtt: await freePort(),
      http: await freePort(),
      status: await freePort(),
    };
    this.writeConfigurations();
  }

  /** Writes both files anew from options and ports. */
  writeConfigurations(): void {
    const token = 'token-of-the-test';
    const names = Array.from(
      { length: this.options.devices },
      (_, index) => `D${String(index + 1).padStart(2, '0')}`,
    );
    const channels = {
      sensor1: { field: 'sensor1', type: 'number' },
      sensor2: { field: 'sensor2', type: 'number' },
      sensor3: { field: 'sensor3', type: 'number' },
      motor1: { field: 'motor1', type: 'number' },
      motor2: { field: 'motor2', type: 'number' },
      motor3: { field: 'motor3', type: 'number' },
      isFail: { field: 'isFail', type: 'boolean' },
    };
    const agent: Record<string, unknown> = {
      site: 'test',
      gateway: 'gw1',
      data_dir: this.agentDataFolder,
      collector: { url: `mqtt://127.0.0.1:${this.ports.mqtt}`, token },
      forwarder: { backoff_max_ms: 2_000, state_interval_ms: 1_000 },
      status: { host: '127.0.0.1', port: this.ports.status },
      devices: names.map((name) => ({
        name,
        reader: 'http',
        interval_ms: this.options.intervalMs,
        timeout_ms: this.options.timeoutMs ?? 10_000,
        http: {
          url: `http://127.0.0.1:${this.ports.sim}/${name}/`,
          time_field: 'time',
          device_field: 'DeviceId',
        },
        channels,
      })),
    };
    const collector: Record<string, unknown> = {
      data_dir: this.collectorDataFolder,
      mqtt: { host: '127.0.0.1', port: this.ports.mqtt },
      http: { host: '127.0.0.1', port: this.ports.http },
      access: { this_machine: 'admin' },
      gateways: [
        {
          site: 'test',
          gateway: 'gw1',
          token_sha256: createHash('sha256').update(token).digest('hex'),
        },
      ],
    };
    const merge = (base: Record<string, unknown>, over: Record<string, unknown> | undefined) => {
      for (const [key, value] of Object.entries(over ?? {})) {
        const present = base[key];
        base[key] =
          typeof present === 'object' && present !== null && !Array.isArray(present)
            ? { ...present, ...(value as object) }
            : value;
      }
      return base;
    };
    mkdirSync(this.agentDataFolder, { recursive: true });
    mkdirSync(this.collectorDataFolder, { recursive: true });
    writeFileSync(join(this.folder, 'agent.yaml'), stringify(merge(agent, this.options.agent)));
    writeFileSync(
      join(this.folder, 'collector.yaml'),
      stringify(merge(collector, this.options.collector)),
    );
  }

  /** Starts a part and resolves when it is ready (collector: /readyz, or `ready: false`: at once). */
  async start(
    part: Part,
    wait: { ready?: boolean; env?: NodeJS.ProcessEnv } = {},
  ): Promise<ChildProcess> {
    const commands: Record<Part, string[]> = {
      sim: [
        'simulators/main.ts',
        'devices',
        '--port',
        String(this.ports.sim),
        '--devices',
        String(this.options.devices),
        '--seed',
        String(this.options.seed),
        '--truth',
        this.truthFile,
      ],
      collector: [
        this.options.collectorProgram ?? 'collector/main.ts',
        'run',
        '--config',
        join(this.folder, 'collector.yaml'),
      ],
      agent: ['run', '--config', join(this.folder, 'agent.yaml')],
    };
    this.#starts += 1;
    const log = createWriteStream(join(this.folder, `${part}.log`), { flags: 'a' });
    const [program, ...first] = part === 'agent' ? agentCommand() : [process.execPath];
    const child = spawn(program, [...first, ...commands[part]], {
      cwd: repository,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FMS_AGENT_MACHINE_ID: 'machine-of-the-test', ...wait.env },
    });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    this.#children.set(part, child);
    if (wait.ready !== false) await this.ready(part);
    return child;
  }

  /** Devices, collector and agent, each ready before the next. Call configure() first. */
  async startAll(): Promise<void> {
    for (const part of ['sim', 'collector', 'agent'] as const) await this.start(part);
  }

  async ready(part: Part, timeoutMs = 300_000): Promise<void> {
    const url = {
      sim: `http://127.0.0.1:${this.ports.sim}/`,
      collector: `http://127.0.0.1:${this.ports.http}/readyz`,
      agent: `http://127.0.0.1:${this.ports.status}/healthz`,
    }[part];
    const child = this.child(part);
    await until(`${part} to be ready (see ${this.folder}/${part}.log)`, timeoutMs, async () => {
      if (child.exitCode !== null) throw new Error(`${part} exited with ${child.exitCode}`);
      const response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
      await response.arrayBuffer();
      return response.ok;
    });
  }

  child(part: Part): ChildProcess {
    const child = this.#children.get(part);
    if (child === undefined) throw new Error(`${part} was never started`);
    return child;
  }

  isRunning(part: Part): boolean {
    const child = this.#children.get(part);
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** kill -9. Of an agent's buffer a copy is read at once: what is committed must arrive. */
  async kill(part: Part): Promise<void> {
    const child = this.child(part);
    if (!this.isRunning(part))
      throw new Error(`${part} is not running: ${child.exitCode} ${child.signalCode}`);
    const gone = once(child, 'exit');
    const askedMs = Date.now();
    child.kill('SIGKILL');
    await gone;
    const deadMs = Date.now();
    if (part === 'agent')
      this.kills.push({ askedMs, deadMs, buffered: await this.bufferedReadings() });
  }

  /** SIGTERM; returns exit code and the time that it took. */
  async stop(part: Part): Promise<{ code: number | null; ms: number }> {
    const child = this.child(part);
    if (!this.isRunning(part)) return { code: child.exitCode, ms: 0 };
    const began = performance.now();
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
    return { code: child.exitCode, ms: performance.now() - began };
  }

  /** Ends all that still runs, at once. */
  async abandon(): Promise<void> {
    for (const [part, child] of this.#children) {
      if (this.isRunning(part)) {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }
    }
  }

  /** Removes the folder; call it only after success. */
  discard(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Readings that an agent's buffer file holds, read from a copy with the agent's own export. */
  async bufferedReadings(
    dataFolder: string = this.agentDataFolder,
    configurationOf: string = join(this.folder, 'agent.yaml'),
  ): Promise<Set<string>> {
    const copy = join(this.folder, 'buffer-copy');
    rmSync(copy, { recursive: true, force: true });
    if (!existsSync(dataFolder)) return new Set();
    cpSync(dataFolder, copy, { recursive: true });
    const configuration = join(this.folder, 'agent-copy.yaml');
    writeFileSync(
      configuration,
      readFileSync(configurationOf, 'utf8').replace(/^data_dir: .*$/m, `data_dir: ${copy}`),
    );
    const output = await run(['agent/main.ts', 'buffer', 'export', '--config', configuration]);
    const keys = output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { device: string; channel: string; time_ms: number })
      .filter((entry) => entry.channel !== undefined)
      .map((entry) => `${entry.device} ${entry.channel} ${entry.time_ms}`);
    return new Set(keys);
  }

  async api<T>(path: string): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${this.ports.http}/api/v1/${path}`, {
      signal: AbortSignal.timeout(60_000),
    });
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  async ledger(): Promise<LedgerItem[]> {
    return (await this.api<{ items: LedgerItem[] }>('ledger?limit=1000')).items;
  }

  async agentStatus(): Promise<AgentStatus> {
    const response = await fetch(`http://127.0.0.1:${this.ports.status}/status`, {
      signal: AbortSignal.timeout(60_000),
    });
    return (await response.json()) as AgentStatus;
  }

  /** All rows of a table, read by a process of its own from a store at rest. */
  async dump<Row>(table: Table): Promise<Row[]> {
    const { [table]: rows } = await this.dumpAll([table]);
    return rows as Row[];
  }

  /** The same of several, by one process. */
  async dumpAll<Name extends Table>(tables: readonly Name[]): Promise<Record<Name, unknown[]>> {
    const store = join(this.collectorDataFolder, 'store');
    const output = await run(['test/support/store-dump.ts', store, ...tables]);
    const rows = Object.fromEntries(tables.map((name) => [name, [] as unknown[]]));
    // Of one table there is no heading.
    let of: unknown[] = rows[tables[0] ?? ''] ?? [];
    for (const line of output.split('\n')) {
      if (line.startsWith('table ')) of = rows[line.slice('table '.length)] ?? [];
      else if (line !== '') of.push(JSON.parse(line));
    }
    return rows as Record<Name, unknown[]>;
  }

  /** Sum of a metric over its labels. Throws when there is none of this name. */
  async metric(part: 'agent' | 'collector', name: string): Promise<number> {
    const port = part === 'agent' ? this.ports.status : this.ports.http;
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
      signal: AbortSignal.timeout(60_000),
    });
    const lines = (await response.text())
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    if (lines.length === 0) throw new Error(`${part} has no metric ${name}`);
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  /**
   * Stops the agent in order, lets the collector finish what it has, compares the ledger with the tables,
   * and stops it: afterwards the store is at rest. The simulator is stopped too.
   */
  async settle(timeoutMs = 300_000): Promise<LedgerItem[]> {
    await this.stopAgent(timeoutMs);
    return await this.settleCollector(timeoutMs);
  }

  /** The first half of settle(): all that was read has been acknowledged. */
  async stopAgent(timeoutMs = 300_000): Promise<void> {
    await until('the agent to deliver its buffer', timeoutMs, async () => {
      const status = await this.agentStatus();
      // Live readings keep coming: a nearly empty buffer is enough, the clean end delivers the rest.
      return status.buffer.chunks <= 3;
    });
    await this.stop('sim');
    await until('the last readings to be delivered', timeoutMs, async () => {
      return (await this.agentStatus()).buffer.chunks === 0;
    });
    await this.stop('agent');
  }

  /** The second half of settle(), once no agent runs any more. */
  async settleCollector(timeoutMs: number): Promise<LedgerItem[]> {
    // Ledger rows follow within a second of the log's time: an epoch may be known by its readings only.
    const reportedAtSeconds = Date.now() / 1_000 + 2;
    await until('the processor to be past the last batch', timeoutMs, async () => {
      return (
        (await this.metric('collector', 'fms_collector_processor_time_seconds')) > reportedAtSeconds
      );
    });
    const ledger = await until('the ledger to show nothing in flight', timeoutMs, async () => {
      const items = await this.ledger();
      return items.length > 0 && items.every((item) => item.in_flight === 0) ? items : undefined;
    });
    const stored = ledger.reduce((sum, item) => sum + item.stored, 0);
    await until(`the store to hold ${stored} readings`, timeoutMs, async () => {
      const answer = await this.api<{ totals?: { rows_in_store?: number } }>(
        'ledger?limit=1&count_rows=true',
      );
      return answer.totals?.rows_in_store === undefined || answer.totals.rows_in_store >= stored;
    });
    await this.deepCheck();
    await this.stop('collector');
    return ledger;
  }

  /** `fms-collector ledger --deep` of the running collector; throws what it prints unless all is right. */
  async deepCheck(): Promise<string> {
    const config = join(this.folder, 'collector.yaml');
    return await run(['collector/main.ts', 'ledger', '--deep', '--epochs', '--config', config]);
  }
}

/** Runs a command of the repository to its end and returns its stdout. */
export async function run(argv: string[]): Promise<string> {
  const child = spawn(process.execPath, argv, {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${argv.join(' ')} exited with ${code}: ${errors}\n${output}`);
  return output;
}
