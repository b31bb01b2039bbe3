/**
 * Calls an address again and again while the collector is well, so that whoever listens there (a dead man's
 * switch) notices a collector that is dead, cut off or not well.
 */

import type { Logger } from '../types.ts';
import { request } from './http.ts';
import { asNotifyError } from './notifier.ts';

export interface HeartbeatSettings {
  url: string;
  intervalMs: number;
}

export interface HeartbeatOptions extends HeartbeatSettings {
  /** Nothing is sent while this is false. */
  isWell: () => boolean;
  logger: Logger;
}

export class Heartbeat {
  /** Calls by how they ended. */
  readonly outcomes = { sent: 0, failed: 0 };
  readonly #options: HeartbeatOptions;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();
  #isFailing = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  start(): void {
    this.#beat();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#beating;
  }

  #beat(): void {
    this.#beating = this.#call().then(() => {
      if (this.#stop.signal.aborted) return;
      this.#timer = setTimeout(() => this.#beat(), this.#options.intervalMs);
    });
  }

  async #call(): Promise<void> {
    const { url, isWell, logger } = this.#options;
    if (!isWell()) return;
    try {
      await request({ url, method: 'GET', signal: this.#stop.signal });
      this.outcomes.sent += 1;
      this.#isFailing = false;
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.outcomes.failed += 1;
      const { code, hint, message } = asNotifyError(error);
      if (!this.#isFailing) logger.warn({ code, hint }, `the heartbeat is not heard: ${message}`);
      this.#isFailing = true;
    }
  }
}
