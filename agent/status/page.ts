/**
 * The agent's status page beside the agent: opened, tried again while its port is taken, and found by the
 * commands of this machine. What serves it is loaded when it is needed.
 */

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentConfig } from '../config/values.ts';
import type { Log } from '../log.ts';
import { errorFields } from '../log.ts';
import type { AgentSnapshot } from './snapshot.ts';
import type { StatusServer } from './status.ts';

/** Where the status page is, in data_dir, for when the port is chosen by the system. */
export const STATUS_FILE = 'status.json';

const RETRY_MS = 30_000;

export interface StatusPageOptions {
  dataDir: string;
  snapshot: () => AgentSnapshot;
  log: Log;
}

/** Contract: open() any number of times, giveUp() and then close() once. */
export class StatusPage {
  readonly #options: StatusPageOptions;
  #server: StatusServer | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isGivenUp = false;

  constructor(options: StatusPageOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#server !== undefined;
  }

  /** In place of what was open before. Without it the agent goes on: readings matter more. Never rejects. */
  async open(settings: AgentConfig['status']): Promise<void> {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    await this.#server?.close();
    this.#server = undefined;
    if (settings.enabled) await this.#try(settings);
  }

  /** What is open stays so; nothing is opened any more. */
  giveUp(): void {
    this.#isGivenUp = true;
    clearTimeout(this.#retry);
  }

  async close(): Promise<void> {
    await this.#server?.close();
    rmSync(join(this.#options.dataDir, STATUS_FILE), { force: true });
  }

  async #try(settings: AgentConfig['status']): Promise<void> {
    const { dataDir, snapshot, log } = this.#options;
    const { host, port } = settings;
    const { startStatus } = await import('./status.ts');
    if (this.#isGivenUp) return;
    try {
      this.#server = await startStatus({ host, port, snapshot });
      const address = { host, port: this.#server.port, pid: process.pid };
      writeFileSync(join(dataDir, STATUS_FILE), `${JSON.stringify(address)}\n`);
      log.info('status page', { url: `http://${host}:${address.port}/status` });
    } catch (error) {
      if (this.#retry === undefined) {
        log.warn('no status page; the agent works without it', errorFields(error));
      }
      this.#retry = setTimeout(() => void this.#try(settings), RETRY_MS);
    }
  }
}
