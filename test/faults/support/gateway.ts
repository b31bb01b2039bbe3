/**
 * One more gateway of a plant: a real agent process with a configuration, a data folder and a machine of
 * its own, reading some of the plant's simulated devices. For tests with several gateways, which do not
 * use the plant's own agent.
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { StatusJson } from '../../../agent/status/status.ts';
import { agentCommand } from '../../support/agent-command.ts';
import { freePort } from '../../support/free-port.ts';
import type { LedgerItem, Plant } from '../../support/plant.ts';
import { repository, until } from '../../support/plant.ts';

/** For the collector's list of gateways: they all have this token. */
export const TOKEN = 'token-of-the-test';

export interface GatewayOptions {
  plant: Plant;
  /** Of its files; one a process. */
  name: string;
  /** Whom it says it is; two of the same name are clones. */
  gateway: string;
  /** Of the plant's devices, D01 on. */
  devices: readonly string[];
}

/** The section `gateways` of collector.yaml. */
export function allowed(gateways: readonly string[]): Record<string, unknown> {
  const token_sha256 = createHash('sha256').update(TOKEN).digest('hex');
  return { gateways: gateways.map((gateway) => ({ site: 'test', gateway, token_sha256 })) };
}

export class Gateway {
  readonly name: string;
  readonly #options: GatewayOptions;
  #statusPort = 0;
  #child: ChildProcess | undefined;
  #died = { askedMs: 0, deadMs: 0 };

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.name = options.name;
  }

  get dataFolder(): string {
    return join(this.#options.plant.folder, this.name);
  }

  /** Resolves when its status page answers. Its configuration is the plant's agent's, under its own name. */
  async start(): Promise<void> {
    const { plant } = this.#options;
    this.#statusPort ||= await freePort();
    this.#configure();
    const log = createWriteStream(join(plant.folder, `${this.name}.log`), { flags: 'a' });
    const [program, ...first] = agentCommand();
    const child = spawn(program, [...first, 'run', '--config', this.#configuration], {
      cwd: repository,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FMS_AGENT_MACHINE_ID: `machine-of-${this.name}` },
    });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    this.#child = child;
    await until(`${this.name} to be ready (see ${plant.folder})`, 300_000, async () => {
      if (child.exitCode !== null) throw new Error(`${this.name} exited with ${child.exitCode}`);
      return (await this.status()).pid === child.pid;
    });
  }

  async status(): Promise<StatusJson> {
    const response = await fetch(`http://127.0.0.1:${this.#statusPort}/status`, {
      signal: AbortSignal.timeout(60_000),
    });
    return (await response.json()) as StatusJson;
  }

  /** One metric without labels of /metrics. */
  async metric(name: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.#statusPort}/metrics`, {
      signal: AbortSignal.timeout(60_000),
    });
    const line = (await response.text()).split('\n').find((text) => text.startsWith(`${name} `));
    if (line === undefined) throw new Error(`no metric ${name}`);
    return Number(line.slice(name.length));
  }

  /**
   * SIGTERM. An answer that was on its way at that moment may have been emitted and not read: the plant
   * is told, as it is of a kill.
   */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    // What was read before is committed: half a second covers what was on its way.
    const askedMs = Date.now() + 1_000;
    child.kill('SIGTERM');
    await gone;
    this.#options.plant.kills.push({ askedMs, deadMs: Date.now(), buffered: new Set() });
    if (child.exitCode !== 0) throw new Error(`${this.name} ended with ${child.exitCode}`);
  }

  /** kill -9. What its buffer holds then must arrive: the plant is told. */
  async kill(): Promise<void> {
    await this.abandon();
    const { plant } = this.#options;
    const buffered = await plant.bufferedReadings(this.dataFolder, this.#configuration);
    plant.kills.push({ ...this.#died, buffered });
  }

  /** Ends it at once, whatever it does. */
  async abandon(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    const askedMs = Date.now();
    child.kill('SIGKILL');
    await gone;
    this.#died = { askedMs, deadMs: Date.now() };
  }

  get #configuration(): string {
    return join(this.#options.plant.folder, `${this.name}.yaml`);
  }

  #configure(): void {
    const { plant, gateway, devices } = this.#options;
    mkdirSync(this.dataFolder, { recursive: true });
    const base = parse(readFileSync(join(plant.folder, 'agent.yaml'), 'utf8')) as {
      devices: { name: string }[];
    };
    const own = {
      ...base,
      gateway,
      data_dir: this.dataFolder,
      status: { host: '127.0.0.1', port: this.#statusPort },
      devices: base.devices.filter(({ name }) => devices.includes(name)),
    };
    writeFileSync(this.#configuration, stringify(own));
  }
}

/** Like `plant.settle()`, for the gateways that still run. */
export async function settleGateways(
  plant: Plant,
  gateways: readonly Gateway[],
  timeoutMs = 300_000,
): Promise<LedgerItem[]> {
  const buffered = async (chunksMax: number) => {
    for (const gateway of gateways) {
      if ((await gateway.status()).buffer.chunks > chunksMax) return false;
    }
    return true;
  };
  await until('the gateways to deliver their buffers', timeoutMs, () => buffered(3));
  await plant.stop('sim');
  await until('the last readings to be delivered', timeoutMs, () => buffered(0));
  for (const gateway of gateways) await gateway.stop();
  return await plant.settleCollector(timeoutMs);
}
