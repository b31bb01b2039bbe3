/** A whole collector in this process, on free ports, with its data in the test's folder. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { RunningCollector } from '../../collector/collector.ts';
import { startCollector } from '../../collector/collector.ts';
import { loadConfig } from '../../collector/config.ts';
import type { OpenLog } from '../../collector/parts/open_log.ts';
import type { Clock } from '../../collector/types.ts';
import { QUICK } from './api-context.ts';
import { pollPauseMs } from './poll-pause.ts';
import { Publisher } from './publisher.ts';
import { silentLogger } from './silent-logger.ts';

export const TOKENS = { gw1: 'token-of-gateway-1', gw2: 'token-of-gateway-2' };

export class TestCollector {
  readonly folder = mkdtempSync(join(tmpdir(), 'fms-collector-'));
  #running: RunningCollector | undefined;
  #ports = { mqtt: 0, mqttTls: 0, http: 0 };
  readonly #more: Record<string, unknown>;

  readonly #tls: Record<string, unknown> | undefined;
  readonly #clock: Clock;
  readonly #openLog: OpenLog | undefined;

  /** `more`: further sections of its configuration. `tls`: what mqtt.tls holds; left out, there is none. */
  constructor(
    more: Record<string, unknown> = {},
    {
      tls,
      clock,
      openLog,
    }: { tls?: Record<string, unknown>; clock?: Clock; openLog?: OpenLog } = {},
  ) {
    this.#more = more;
    this.#tls = tls;
    this.#openLog = openLog;
    this.#clock = clock ?? { wallMs: () => Date.now() };
  }

  get clickhousePort(): number {
    return this.#running?.clickhousePort ?? 0;
  }

  get base(): string {
    return `http://127.0.0.1:${this.#ports.http}`;
  }

  get mqttPort(): number {
    return this.#ports.mqtt;
  }

  /** With `tls`. */
  get mqttTlsPort(): number {
    return this.#ports.mqttTls;
  }

  /** Keeps its ports from start to start. Resolves when it is ready. */
  async start(): Promise<void> {
    await this.begin();
    await until(async () => (await fetch(`${this.base}/readyz`)).ok);
  }

  /** Resolves when it runs, whatever it still waits for. */
  async begin(): Promise<void> {
    const file = join(this.folder, 'collector.yaml');
    const gateways = Object.entries(TOKENS).map(([gateway, token]) => ({
      site: 'demo',
      gateway,
      token,
    }));
    const content = {
      data_dir: './data',
      mqtt: { port: this.#ports.mqtt },
      http: { port: this.#ports.http },
      access: { this_machine: 'admin' },
      sites: { demo: { time_zone: 'Asia/Seoul' } },
      gateways,
      ...this.#more,
      ...(this.#tls && {
        mqtt: {
          port: this.#ports.mqtt,
          tls: { host: '127.0.0.1', port: this.#ports.mqttTls, ...this.#tls },
        },
      }),
    };
    writeFileSync(file, stringify(content));
    this.#running = await startCollector(loadConfig(file), {
      clock: this.#clock,
      logger: silentLogger,
      version: '0.0.0-test',
      passwordCost: QUICK,
      ...(this.#openLog === undefined ? {} : { openLog: this.#openLog }),
    });
    const { mqttPort: mqtt, mqttTlsPort: mqttTls, httpPort: http } = this.#running;
    this.#ports = { mqtt, mqttTls, http };
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  publisher(gateway: keyof typeof TOKENS): Promise<Publisher> {
    const token = TOKENS[gateway];
    return Publisher.connect({ port: this.mqttPort, site: 'demo', gateway, token });
  }

  async get(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(this.base + path, { signal: AbortSignal.timeout(60_000) });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }
}

/** Asks until the answer is true or five minutes are over. Errors count as not yet. */
export async function until(isDone: () => Promise<boolean>): Promise<void> {
  const beganMs = performance.now();
  const endMs = beganMs + 300_000;
  while (!(await isDone().catch(() => false))) {
    if (performance.now() > endMs) throw new Error(`still not so after five minutes: ${isDone}`);
    await delay(pollPauseMs(beganMs));
  }
}
