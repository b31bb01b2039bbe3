/**
 * The configuration that holds: read at the start, again when the folder changes or somebody asks, and
 * appended to every raw partition each time, so that the processor judges by it from there on. Files
 * with mistakes change nothing: the configuration before them goes on.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../log/log.ts';
import type { Configuration } from '../profile.ts';
import type { Clock, Logger } from '../types.ts';
import { RawKind } from '../types.ts';
import { keepConfiguration, keptConfiguration } from './kept.ts';
import type { ProfilesSource } from './load.ts';
import { loadConfiguration, ProfilesInvalid } from './load.ts';
import { loadAside } from './load_aside.ts';
import { encodeConfiguration } from './version.ts';
import { FolderWatch } from './watch.ts';

export interface LiveProfilesOptions {
  source: ProfilesSource;
  /** Where the configuration that held last is kept; its folder need not exist yet. */
  keptFile: string;
  clock: Clock;
  logger: Logger;
  /** For tests. */
  timing?: { publishWaitMs?: number; retryMs?: number; settleMs?: number; lookMs?: number };
}

export type ReloadResult = 'changed' | 'unchanged' | 'refused';

export interface ConfigurationStatus {
  version: string;
  /** When it was read. */
  sinceMs: number;
  profiles: number;
  /** Mistakes of the files as last read, each `file:line: what`; while there are any, an older configuration holds. */
  mistakes: readonly string[];
  /** Not every partition of the log has it yet. */
  pending: boolean;
  /** Since the start. */
  reloads: Readonly<Record<ReloadResult, number>>;
}

/** A log that takes nothing must not keep the collector from starting. */
const PUBLISH_WAIT_MS = 5_000;
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 30_000;
const MISTAKES_LOGGED_MAX = 20;

export class LiveProfiles {
  readonly #options: LiveProfilesOptions;
  readonly #reloads: Record<ReloadResult, number> = { changed: 0, unchanged: 0, refused: 0 };
  readonly #stop = new AbortController();
  #current: Configuration;
  #sinceMs: number;
  #mistakes: readonly string[] = [];
  #log: Pick<Log, 'append' | 'partitionCount'> | undefined;
  #watch: FolderWatch | undefined;
  /** The reload under way, or the last one. */
  #reading: Promise<unknown> = Promise.resolve();
  /** One that has not begun: whoever asks meanwhile is served by it. */
  #waiting: Promise<ReloadResult> | undefined;
  /** Version that each partition has. */
  readonly #published = new Map<number, string>();
  #publishing: Promise<void> | undefined;

  /** Reads the files. Throws ProfilesInvalid when they have mistakes and no configuration was kept. */
  constructor(options: LiveProfilesOptions) {
    const { source, keptFile, clock } = options;
    this.#options = options;
    this.#sinceMs = clock.wallMs();
    try {
      this.#current = loadConfiguration(source);
    } catch (error) {
      if (!(error instanceof ProfilesInvalid)) throw error;
      const kept = keptConfiguration(keptFile, source.retentionMs);
      if (kept === undefined) throw error;
      this.#current = kept;
      this.#refuse(error);
    }
  }

  get current(): Configuration {
    return this.#current;
  }

  status(): ConfigurationStatus {
    return {
      version: this.#current.version,
      sinceMs: this.#sinceMs,
      profiles: Object.keys(this.#current.profiles).length,
      mistakes: this.#mistakes,
      pending: !this.#isPublished(),
      reloads: { ...this.#reloads },
    };
  }

  /**
   * Appends the configuration to every partition and begins to watch the folder. Resolves when the log
   * has it, or after some seconds while the log takes nothing; then it is tried on.
   */
  async start(log: Pick<Log, 'append' | 'partitionCount'>): Promise<void> {
    this.#log = log;
    const { source, timing } = this.#options;
    if (source.profilesDir !== undefined)
      this.#watch = new FolderWatch({
        folder: source.profilesDir,
        onChange: () => void this.reload(),
        ...(timing?.settleMs === undefined ? {} : { settleMs: timing.settleMs }),
        ...(timing?.lookMs === undefined ? {} : { lookMs: timing.lookMs }),
      });
    await this.#watch?.ready;
    await this.#publish();
  }

  /**
   * Reads the files as they are from now on, one reload after the other. Never rejects; `changed`
   * resolves when the log has it, as start() does.
   */
  reload(): Promise<ReloadResult> {
    if (this.#waiting !== undefined) return this.#waiting;
    const read = this.#reading.then(() => {
      this.#waiting = undefined;
      return this.#read();
    });
    this.#reading = read;
    this.#waiting = read.then(async (result) => {
      if (result === 'changed') await this.#publish();
      return result;
    });
    return this.#waiting;
  }

  /** An append under way is not waited for: it ends with the log. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watch?.close();
    await this.#reading;
  }

  async #read(): Promise<ReloadResult> {
    const { source, logger } = this.#options;
    let result: ReloadResult = 'refused';
    try {
      result = this.#take(await loadAside(source, this.#stop.signal));
    } catch (error) {
      if (error instanceof ProfilesInvalid) this.#refuse(error);
      else if (!this.#stop.signal.aborted)
        logger.error({ error: String(error) }, 'the profiles could not be read');
    }
    this.#reloads[result]++;
    return result;
  }

  #take(configuration: Configuration): ReloadResult {
    const { logger, clock } = this.#options;
    const { version, profiles, assignments } = configuration;
    this.#mistakes = [];
    if (version === this.#current.version) {
      logger.info({ version }, 'profiles read again: nothing changed');
      return 'unchanged';
    }
    this.#current = configuration;
    this.#sinceMs = clock.wallMs();
    const counts = { profiles: Object.keys(profiles).length, assignments: assignments.length };
    logger.info({ version, ...counts }, 'profiles changed');
    return 'changed';
  }

  #refuse({ code, hint, mistakes }: ProfilesInvalid): void {
    this.#mistakes = mistakes;
    this.#options.logger.error(
      { code, hint, mistakes: mistakes.slice(0, MISTAKES_LOGGED_MAX), count: mistakes.length },
      'the profiles have mistakes; those before them go on',
    );
  }

  async #publish(): Promise<void> {
    if (this.#log === undefined || this.#isPublished()) return;
    this.#publishing ??= this.#publishUntilDone(this.#log);
    const waitMs = this.#options.timing?.publishWaitMs ?? PUBLISH_WAIT_MS;
    const enough = new AbortController();
    await Promise.race([
      this.#publishing,
      delay(waitMs, undefined, { signal: enough.signal }).catch(() => undefined),
    ]);
    enough.abort();
  }

  #isPublished(): boolean {
    const partitions = this.#log?.partitionCount ?? Number.POSITIVE_INFINITY;
    const { version } = this.#current;
    return (
      this.#published.size >= partitions &&
      [...this.#published.values()].every((v) => v === version)
    );
  }

  /** Goes on with the newest configuration when one more was read meanwhile. Never rejects. */
  async #publishUntilDone(log: Pick<Log, 'append' | 'partitionCount'>): Promise<void> {
    let retryMs = this.#options.timing?.retryMs ?? RETRY_MIN_MS;
    const { signal } = this.#stop;
    while (!this.#isPublished() && !signal.aborted) {
      const configuration = this.#current;
      try {
        await this.#append(log, configuration);
        if (!signal.aborted) this.#keep(configuration);
      } catch (error) {
        if (signal.aborted) break;
        this.#options.logger.warn(
          { error: String(error), version: configuration.version, retry_ms: retryMs },
          'the log does not take the configuration yet; it is tried again',
        );
        await delay(retryMs, undefined, { signal }).catch(() => undefined);
        retryMs = Math.min(2 * retryMs, RETRY_MAX_MS);
      }
    }
    // Without a step in between: what is read from now on is published anew.
    this.#publishing = undefined;
  }

  async #append(
    log: Pick<Log, 'append' | 'partitionCount'>,
    configuration: Configuration,
  ): Promise<void> {
    const record = {
      key: '',
      kind: RawKind.CONFIGURATION,
      value: encodeConfiguration(configuration),
    };
    for (let partition = 0; partition < log.partitionCount; partition++) {
      if (this.#published.get(partition) === configuration.version) continue;
      await log.append('raw', partition, record);
      this.#published.set(partition, configuration.version);
    }
  }

  #keep(configuration: Configuration): void {
    try {
      keepConfiguration(this.#options.keptFile, configuration);
    } catch (error) {
      this.#options.logger.warn(
        { error: String(error), file: this.#options.keptFile },
        'the configuration could not be kept for a start with mistakes',
      );
    }
  }
}
