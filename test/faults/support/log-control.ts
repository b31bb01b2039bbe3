/** Switches the log of a collector that runs as faulty-collector.ts. */

import { freePort } from '../../support/free-port.ts';

/** `refuse-batches`: only batches; states and ticks are taken. */
export type LogMode = 'none' | 'refuse' | 'refuse-batches' | 'hang' | 'fail-after-storing';

export const FAULTY_COLLECTOR = 'test/faults/support/faulty-collector.ts';

export class LogControl {
  readonly #port: number;

  static async create(): Promise<LogControl> {
    return new LogControl(await freePort());
  }

  constructor(port: number) {
    this.#port = port;
  }

  /** For `plant.start('collector', { env })`. */
  get env(): NodeJS.ProcessEnv {
    return { FMS_TEST_CONTROL_PORT: String(this.#port) };
  }

  async switchTo(mode: LogMode): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/${mode}`, { method: 'POST' });
    if (!response.ok) throw new Error(await response.text());
  }

  /** Appends that hang now. */
  async held(): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/`);
    return ((await response.json()) as { held: number }).held;
  }
}
