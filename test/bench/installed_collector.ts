/** A collector as a process with its own authority, which takes gateways by certificate only. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { GatewayId } from '../../proto/topics.ts';
import { freePort } from '../support/free-port.ts';
import { invite } from '../support/trust.ts';
import { Child } from './child.ts';

const MAIN = fileURLToPath(new URL('../../collector/main.ts', import.meta.url));
const START_TIMEOUT_MS = 180_000;

export class TlsCollector {
  readonly url: string;
  /** Of the API. */
  readonly base: string;
  readonly #config: string;
  #child: Child | undefined;

  /** Started. Its ports stay the same over restarts. */
  static async start(folder: string): Promise<TlsCollector> {
    const ports = { mqtt: await freePort(), http: await freePort() };
    const collector = new TlsCollector(folder, ports);
    await collector.start();
    return collector;
  }

  private constructor(folder: string, ports: { mqtt: number; http: number }) {
    this.url = `mqtts://127.0.0.1:${ports.mqtt}`;
    this.base = `http://127.0.0.1:${ports.http}`;
    this.#config = join(folder, 'collector.yaml');
    mkdirSync(folder, { recursive: true });
    const tls = { host: '127.0.0.1', port: ports.mqtt, names: ['127.0.0.1'] };
    const content = {
      data_dir: './collector',
      mqtt: { plain: false, tls },
      http: { host: '127.0.0.1', port: ports.http },
      access: { this_machine: 'admin' },
      sites: { demo: { time_zone: 'Asia/Seoul' } },
    };
    writeFileSync(this.#config, stringify(content));
  }

  get child(): Child {
    if (this.#child === undefined) throw new Error('the collector does not run');
    return this.#child;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const child = new Child([MAIN, 'run', '--config', this.#config]);
    this.#child = child;
    const untilMs = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const ready = await fetch(`${this.base}/readyz`).catch(() => undefined);
      if (ready?.ok === true) return;
      if (performance.now() > untilMs || child.process.exitCode !== null)
        throw new Error(`the collector did not get ready: ${child.output}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  /** One-time tokens, in the order of `names`. */
  async tokens(names: readonly GatewayId[]): Promise<string[]> {
    return (await invite(this.base, names)).map(({ token }) => token);
  }

  /** Sums of the whole ledger. */
  async ledger(): Promise<{ stored: number; in_flight: number; balance: number }> {
    const response = await fetch(`${this.base}/api/v1/ledger?limit=1`);
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    const { totals } = (await response.json()) as {
      totals: { stored: number; in_flight: number; balance: number };
    };
    return totals;
  }
}
