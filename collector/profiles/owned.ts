/**
 * Brings the configuration that holds into each raw partition of this process: a partition whose last
 * CONFIGURATION record is another one gets it appended.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../log/log.ts';
import type { Share } from '../shares.ts';
import type { Logger } from '../types.ts';
import { RawKind } from '../types.ts';

const RETRY_MS = 2_000;

export interface OwnedConfigurationOptions {
  log: Pick<Log, 'append'>;
  share: Share;
  /** The value of a CONFIGURATION record; undefined: none is known yet. */
  wanted: () => Uint8Array | undefined;
  logger: Logger;
  signal: AbortSignal;
}

export class OwnedConfiguration {
  readonly #options: OwnedConfigurationOptions;
  /** What each partition had last, of those that have been opened. */
  readonly #had = new Map<number, Uint8Array | undefined>();
  #working = false;

  constructor(options: OwnedConfigurationOptions) {
    this.#options = options;
  }

  /** Its processor has been opened: this is the last configuration that it has taken. */
  opened(partition: number, configuration: Uint8Array | undefined): void {
    this.#had.set(partition, configuration);
    this.look();
  }

  /** Another one holds, or other partitions are this process'. Waits for nothing. */
  look(): void {
    if (!this.#working) void this.#work();
  }

  /** Some partition of this process does not have it yet. */
  get pending(): boolean {
    return this.#next() !== undefined;
  }

  #next(): { partition: number; value: Uint8Array } | undefined {
    const value = this.#options.wanted();
    if (value === undefined) return undefined;
    for (const partition of this.#options.share.owned())
      if (this.#had.has(partition) && !isSame(this.#had.get(partition), value))
        return { partition, value };
    return undefined;
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    const { log, logger, signal } = this.#options;
    this.#working = true;
    for (let next = this.#next(); next !== undefined && !signal.aborted; next = this.#next()) {
      const { partition, value } = next;
      try {
        await log.append('raw', partition, { key: '', kind: RawKind.CONFIGURATION, value });
        this.#had.set(partition, value);
      } catch (error) {
        if (signal.aborted) break;
        logger.warn(
          { error: String(error), partition, retry_ms: RETRY_MS },
          'the log does not take the configuration yet; it is tried again',
        );
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    this.#working = false;
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}
