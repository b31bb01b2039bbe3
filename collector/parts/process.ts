/** Component process: processors, time and trimming of the partitions that are this process'. */

import type { CollectorError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { PartitionStatus, Processing } from '../processing.ts';
import { startProcessing } from '../processing.ts';
import { OwnedConfiguration } from '../profiles/owned.ts';
import type { Share } from '../shares.ts';
import type { Ticks } from '../ticks.ts';
import { startTicks } from '../ticks.ts';
import type { Clock, Logger } from '../types.ts';

const TRIM_INTERVAL_MS = 10_000;

export interface ProcessPartOptions {
  log: Log;
  share: Share;
  /** The configuration that all processes agree on; undefined: it is appended elsewhere. */
  configuration: (() => Uint8Array | undefined) | undefined;
  /** How each tick's append ended. */
  onAppend: (succeeded: boolean) => void;
  /** Default: that of the processing. */
  snapshotIntervalMs?: number;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
}

export class ProcessPart {
  readonly #options: ProcessPartOptions;
  readonly #processing: Processing;
  readonly #configuration: OwnedConfiguration | undefined;
  #ticks: Ticks | undefined;
  #trimTimer: NodeJS.Timeout | undefined;
  #unsubscribe: () => void = () => undefined;

  /** Starts the processors. */
  constructor(options: ProcessPartOptions) {
    this.#options = options;
    const { log, share, logger, configuration, snapshotIntervalMs, signal } = options;
    if (configuration !== undefined) {
      const owned = new OwnedConfiguration({ log, share, wanted: configuration, logger, signal });
      this.#configuration = owned;
      this.#unsubscribe = share.onChange(() => owned.look());
    }
    this.#processing = startProcessing({
      log,
      share,
      logger,
      onOpened: (partition, value) => this.#configuration?.opened(partition, value),
      ...(snapshotIntervalMs === undefined ? {} : { snapshotIntervalMs }),
    });
  }

  get failed(): Promise<CollectorError | undefined> {
    return this.#processing.failed;
  }

  /** Starts ticks and trimming. */
  start(): void {
    const { log, share, onAppend } = this.#options;
    this.#ticks = startTicks({ log, share, onAppend });
    this.#trimTimer = setInterval(() => this.#trim(), TRIM_INTERVAL_MS);
  }

  /** Another configuration holds. */
  configurationChanged(): void {
    this.#configuration?.look();
  }

  status(): PartitionStatus[] {
    return this.#processing.status();
  }

  async stop(): Promise<void> {
    this.#ticks?.close();
    clearInterval(this.#trimTimer);
    this.#unsubscribe();
    await this.#processing.stop();
  }

  #trim(): void {
    const { log, clock, logger, signal } = this.#options;
    log.trim(clock.wallMs()).catch((error: unknown) => {
      if (signal.aborted) return;
      logger.warn({ error: String(error) }, 'the log could not be trimmed');
    });
  }
}
