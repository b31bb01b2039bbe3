/**
 * A whole collector (broker, log, processor, writer, store, API) as a process of its own, or as several with
 * some components each, and beside it what a bench needs: simulated devices and agents, also processes of
 * their own. In a folder that `close()` removes.
 */

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { Component } from '../../collector/config.ts';
import { COMPONENTS } from '../../collector/config.ts';
import type { FleetOptions } from '../../simulators/fleet-options.ts';
import { fleetDefaults } from '../../simulators/fleet-options.ts';
import { freePort } from '../support/free-port.ts';
import { Child } from './child.ts';

const START_TIMEOUT_MS = 60_000;
const ASK_TIMEOUT_MS = 30_000;
const SITE = 'demo';
/** The gateway of the real agent; the fleet's are fleet1, fleet2, … */
const AGENT_GATEWAY = 'bench';

function mainOf(program: 'agent' | 'collector' | 'simulators'): string {
  return fileURLToPath(new URL(`../../${program}/main.ts`, import.meta.url));
}

export interface RigOptions {
  /** Names the folder. */
  name: string;
  dataDir: string | undefined;
  /** Gateways of a fleet that may connect. */
  fleet?: number;
  /** More sections of collector.yaml. */
  collector?: Record<string, unknown>;
  /** The processes of the collector by name, each with its components; default: one with all. */
  processes?: Readonly<Record<string, readonly Component[]>>;
}

const WHOLE = { collector: COMPONENTS };

export interface AgentLoad {
  /** Of `startDevices`. */
  devicesPort: number;
  devices: number;
  intervalMs: number;
}

export interface LedgerTotals {
  sent: number;
  stored: number;
  quarantined: number;
  duplicates: number;
  gap_readings: number;
  in_flight: number;
  balance: number;
  rows_in_store: number;
}

export class Rig {
  readonly folder: string;
  readonly token = randomBytes(24).toString('hex');
  readonly #options: RigOptions;
  readonly #others: Child[] = [];
  readonly #processes = new Map<string, Child>();
  /** Of each process. */
  readonly #httpPorts = new Map<string, number>();
  #mqttPort = 0;

  constructor(options: RigOptions) {
    this.#options = options;
    this.folder = mkdtempSync(join(options.dataDir ?? tmpdir(), `fms-${options.name}-`));
  }

  /** The one process that there is unless others were asked for. */
  get collector(): Child {
    return this.process('collector');
  }

  process(name: string): Child {
    const child = this.#processes.get(name);
    if (child === undefined) throw new Error(`${name} was not started`);
    return child;
  }

  get #httpPort(): number {
    for (const [name, components] of Object.entries(this.#options.processes ?? WHOLE))
      if (components.includes('serve')) return this.#httpPorts.get(name) ?? 0;
    throw new Error('no process serves');
  }

  /** Where the pages are. */
  get url(): string {
    return `http://127.0.0.1:${this.#httpPort}`;
  }

  /** Options of `runFleet` for this collector. */
  get fleet(): FleetOptions {
    return {
      ...fleetDefaults,
      site: SITE,
      url: `mqtt://127.0.0.1:${this.#mqttPort}`,
      tokenOf: () => this.token,
      gateways: this.#options.fleet ?? 0,
    };
  }

  /** Starts the collector; resolves when each /readyz says yes. Its ports stay the same over a restart. */
  async start(): Promise<void> {
    if (this.#mqttPort === 0) await this.#configure();
    const file = join(this.folder, 'collector.yaml');
    const untilMs = performance.now() + START_TIMEOUT_MS;
    for (const [name, components] of Object.entries(this.#options.processes ?? WHOLE)) {
      const own = {
        FMS_COLLECTOR_COMPONENTS: components.join(','),
        FMS_COLLECTOR_HTTP__PORT: String(this.#httpPorts.get(name)),
        FMS_COLLECTOR_DATA_DIR: `./data-${name}`,
      };
      this.#processes.set(name, new Child([mainOf('collector'), 'run', '--config', file], own));
    }
    for (const [name, child] of this.#processes) {
      while (!(await this.isReady(name))) {
        if (child.process.exitCode !== null || performance.now() > untilMs)
          throw new Error(
            `${name} did not get ready: ${await this.#notReady(name)} ${child.output}`,
          );
        await delay(20);
      }
    }
  }

  async isReady(name = 'collector'): Promise<boolean> {
    return fetch(`http://127.0.0.1:${this.#httpPorts.get(name)}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async #notReady(name: string): Promise<string> {
    return fetch(`http://127.0.0.1:${this.#httpPorts.get(name)}/readyz`).then(
      (response) => response.text(),
      String,
    );
  }

  /** The sum of a metric of one process over its labels; NaN when it has none. */
  async metric(name: string, metric: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.#httpPorts.get(name)}/metrics`);
    const lines = (await response.text())
      .split('\n')
      .filter((line) => line.startsWith(`${metric} `) || line.startsWith(`${metric}{`));
    if (lines.length === 0) return Number.NaN;
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    const gone = once(this.collector.process, 'exit');
    this.collector.process.kill('SIGKILL');
    await gone;
  }

  async api<Answer>(path: string): Promise<Answer> {
    const response = await fetch(`http://127.0.0.1:${this.#httpPort}/api/v1/${path}`, {
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Answer;
  }

  /** Of all gateways, with the rows that a query of the store finds now. */
  async totals(): Promise<LedgerTotals> {
    const answer = await this.api<{ totals: LedgerTotals }>('ledger?limit=1&count_rows=true');
    return answer.totals;
  }

  /** Until the store has so many readings; the last totals, in any case. `seen` hears of each answer. */
  async untilStored(
    readings: number,
    timeoutMs: number,
    seen: (totals: LedgerTotals) => void = () => {},
  ): Promise<LedgerTotals> {
    const untilMs = performance.now() + timeoutMs;
    for (;;) {
      const totals = await this.totals();
      seen(totals);
      if (totals.rows_in_store + totals.quarantined >= readings || performance.now() > untilMs)
        return totals;
      await delay(50);
    }
  }

  /** Until the ledger has nothing in flight and agrees with the store; the last totals, in any case. */
  async settled(timeoutMs: number): Promise<LedgerTotals> {
    const untilMs = performance.now() + timeoutMs;
    for (;;) {
      const totals = await this.totals();
      const agree = totals.in_flight === 0 && totals.stored === totals.rows_in_store;
      if (agree || performance.now() > untilMs) return totals;
      await delay(250);
    }
  }

  /** Compares ledger and tables; seconds that it took, and what it found wrong. */
  async deepCheck(): Promise<{ ledger_deep: string; ledger_deep_s: number }> {
    const beganMs = performance.now();
    const response = await fetch(`http://127.0.0.1:${this.#httpPort}/api/v1/ledger/deep`);
    const lines = (await response.text()).trimEnd().split('\n');
    const last = JSON.parse(lines.at(-1) ?? '{}') as { ok?: boolean };
    const wrong = lines.filter((line) => !line.startsWith('{"type":"progress"'));
    const ledger_deep = last.ok === true ? 'ok' : wrong.slice(0, 5).join(' ');
    return { ledger_deep, ledger_deep_s: round((performance.now() - beganMs) / 1_000) };
  }

  /** The simulated FMS devices D01, D02, …; answers their port. */
  async startDevices(devices: number): Promise<number> {
    const port = await freePort();
    const argv = ['devices', '--port', String(port), '--devices', String(devices), '--seed', '1'];
    this.#others.push(new Child([mainOf('simulators'), ...argv]));
    await answers(`http://127.0.0.1:${port}/`);
    return port;
  }

  /**
   * A real agent with default settings that reads the first so many devices; resolves when its status
   * page answers. Its buffer is in the folder `agentFolder`.
   */
  async startAgent({ devicesPort, devices, intervalMs }: AgentLoad): Promise<Child> {
    const statusPort = await freePort();
    const names = Array.from({ length: devices }, (_, i) => `D${String(i + 1).padStart(2, '0')}`);
    const number = { type: 'number' };
    const channels = Object.fromEntries(
      ['sensor1', 'sensor2', 'sensor3', 'motor1', 'motor2', 'motor3'].map((channel) => [
        channel,
        { field: channel, ...number },
      ]),
    );
    mkdirSync(this.agentFolder, { recursive: true });
    const file = join(this.folder, 'agent.yaml');
    const content = {
      site: SITE,
      gateway: AGENT_GATEWAY,
      data_dir: this.agentFolder,
      collector: { url: `mqtt://127.0.0.1:${this.#mqttPort}`, token: this.token },
      status: { host: '127.0.0.1', port: statusPort },
      devices: names.map((name) => ({
        name,
        reader: 'http',
        interval_ms: intervalMs,
        http: {
          url: `http://127.0.0.1:${devicesPort}/${name}/`,
          time_field: 'time',
          device_field: 'DeviceId',
        },
        channels: { ...channels, isFail: { field: 'isFail', type: 'boolean' } },
      })),
    };
    writeFileSync(file, stringify(content));
    const child = new Child([mainOf('agent'), 'run', '--config', file]);
    this.#others.push(child);
    await answers(`http://127.0.0.1:${statusPort}/healthz`);
    return child;
  }

  get agentFolder(): string {
    return join(this.folder, 'agent');
  }

  /** Ends all of it and removes the folder. */
  async close(): Promise<void> {
    await Promise.all([...this.#others, ...this.#processes.values()].map((child) => child.stop()));
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #configure(): Promise<void> {
    this.#mqttPort = await freePort();
    for (const name of Object.keys(this.#options.processes ?? WHOLE))
      this.#httpPorts.set(name, await freePort());
    const token_sha256 = createHash('sha256').update(this.token).digest('hex');
    const fleet = Array.from({ length: this.#options.fleet ?? 0 }, (_, i) => `fleet${i + 1}`);
    const content = {
      mqtt: { host: '127.0.0.1', port: this.#mqttPort },
      http: { host: '127.0.0.1' },
      access: { this_machine: 'admin' },
      sites: { [SITE]: { time_zone: 'Asia/Seoul' } },
      gateways: [...fleet, AGENT_GATEWAY].map((gateway) => ({ site: SITE, gateway, token_sha256 })),
      ...this.#options.collector,
    };
    writeFileSync(join(this.folder, 'collector.yaml'), stringify(content));
  }
}

async function answers(url: string): Promise<void> {
  const untilMs = performance.now() + START_TIMEOUT_MS;
  while (
    !(await fetch(url).then(
      () => true,
      () => false,
    ))
  ) {
    if (performance.now() > untilMs) throw new Error(`${url} does not answer`);
    await delay(20);
  }
}

/** Three significant digits. */
export function round(value: number): number {
  return Number(value.toPrecision(3));
}

/** `q` of 0 to 1, of values in any order; NaN of none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
