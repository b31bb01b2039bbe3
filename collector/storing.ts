/**
 * The second half of the collector: the store, and what works on it. The store may be away: it is tried
 * again and again, and once it is there the writers start, then roll-ups and jobs, as far as the components
 * of this process go.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Component } from './config.ts';
import type { DataVersions } from './data_versions.ts';
import { writeDataVersions } from './data_versions.ts';
import { CollectorError } from './errors.ts';
import type { Gate } from './gate.ts';
import type { Jobs } from './jobs/jobs.ts';
import { startJobs } from './jobs/jobs.ts';
import { jobs } from './jobs/registry.ts';
import type { Log } from './log/log.ts';
import type { Configuration } from './profile.ts';
import type { Share } from './shares.ts';
import type { SiteCalendar } from './site_time.ts';
import type { Rollups, RollupsOptions } from './store/rollups.ts';
import { startRollups } from './store/rollups.ts';
import type { Store } from './store/store.ts';
import type { Writers } from './store/writer.ts';
import { startWriters } from './store/writer.ts';
import type { Clock, Logger } from './types.ts';

export interface StoringOptions {
  dataDir: string;
  components: ReadonlySet<Component>;
  /** Rejects as long as it is away. */
  openStore: () => Promise<Store>;
  sites: ReadonlyMap<string, SiteCalendar>;
  reportsDir: string;
  versions: DataVersions;
  configuration: () => Configuration | undefined;
  /** The view is filled from the tables, once. */
  fill: (store: Store) => Promise<void>;
  /** Jobs run in another process now and then: they are started and ended with a lease. */
  jobsBy?: (startJobs: (renew: () => Promise<void>) => Jobs) => JobsElsewhere;
  /** A part has started; `failed` as in Writers. */
  onPart: (name: string, failed: Promise<CollectorError | undefined>) => void;
  gate: Gate;
  /** Default: that of the roll-ups. */
  rollupPace?: NonNullable<RollupsOptions['pace']>;
  clock: Clock;
  logger: Logger;
  /** Aborts when the collector ends. */
  signal: AbortSignal;
}

/** Jobs that run here only now and then. */
export interface JobsElsewhere {
  /** Undefined while they do not. */
  readonly jobs: Jobs | undefined;
  stop(): Promise<void>;
}

const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 30_000;

export class Storing {
  readonly #options: StoringOptions;
  #store: Store | undefined;
  #opening: Promise<Store> | undefined;
  #problem = 'the store is being opened';
  #writers: Writers | undefined;
  #rollups: Rollups | undefined;
  #jobs: Jobs | undefined;
  #jobsLease: JobsElsewhere | undefined;
  #started: Promise<void> = Promise.resolve();

  constructor(options: StoringOptions) {
    this.#options = options;
  }

  /** Undefined while it is not open. */
  get store(): Store | undefined {
    return this.#store;
  }

  /** Why the store is not in use, for people; '' when it is. */
  get problem(): string {
    return this.#problem;
  }

  get writers(): Writers | undefined {
    return this.#writers;
  }

  get rollups(): Rollups | undefined {
    return this.#rollups;
  }

  get jobs(): Jobs | undefined {
    return this.#jobs ?? this.#jobsLease?.jobs;
  }

  /** Waits for nothing. `share`: the partitions that are this process' to write. */
  start(log: Log, share: Share): void {
    const { components, fill, jobsBy } = this.#options;
    this.#started = this.untilOpen(async (store) => {
      if (components.has('write')) {
        this.#writers ??= this.#startWriters(log, store, share);
        this.#rollups ??= this.#startRollups(log, store, share, this.#writers);
      }
      if (!components.has('serve')) return;
      await fill(store);
      if (jobsBy === undefined) this.#jobs ??= this.#startJobs(store);
      else this.#jobsLease ??= jobsBy((renew) => this.#startJobs(store, renew));
    });
  }

  /** Tries until the store is open and `run` has succeeded with it. Undefined: the collector ends. */
  async untilOpen<T>(run: (store: Store) => Promise<T>): Promise<T | undefined> {
    const { signal } = this.#options;
    let retryMs = RETRY_MIN_MS;
    while (!signal.aborted) {
      try {
        this.#opening ??= this.#open();
        const store = await this.#opening;
        if (signal.aborted) return undefined;
        const result = await run(store);
        this.#problem = '';
        return result;
      } catch (error) {
        this.#opening = undefined;
        this.#note(error, retryMs);
      }
      await delay(retryMs, undefined, { signal }).catch(() => undefined);
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }
    return undefined;
  }

  /** Open and migrated. One at a time. */
  async #open(): Promise<Store> {
    const { dataDir, openStore, versions } = this.#options;
    this.#store ??= await openStore();
    await this.#store.migrate();
    // For people: nothing depends on it.
    await writeDataVersions(dataDir, versions).catch(() => undefined);
    return this.#store;
  }

  /** After `signal` has aborted. The store itself stays open: queries may still be under way. */
  async stop(): Promise<void> {
    const stopAll = () =>
      Promise.all([
        this.#writers?.stop(),
        this.#rollups?.stop(),
        this.#jobs?.stop(),
        this.#jobsLease?.stop(),
      ]);
    await Promise.all([stopAll(), this.#started]);
    // One may have started while the store was still being opened.
    await stopAll();
  }

  #startWriters(log: Log, store: Store, share: Share): Writers {
    const { logger, gate, onPart } = this.#options;
    const writers = startWriters({ log, store, share, logger, gate });
    onPart('writers', writers.failed);
    return writers;
  }

  #startRollups(log: Log, store: Store, share: Share, writers: Writers): Rollups {
    const { clock, logger, gate, sites, onPart, rollupPace } = this.#options;
    const rollups = startRollups({
      log,
      store,
      share,
      sites,
      written: (partition) =>
        writers.status().find((one) => one.topic === 'readings' && one.partition === partition),
      clock,
      logger,
      gate,
      ...(rollupPace === undefined ? {} : { pace: rollupPace }),
    });
    onPart('rollups', rollups.failed);
    return rollups;
  }

  #startJobs(store: Store, beforeUnit?: () => Promise<void>): Jobs {
    const { clock, logger, sites, configuration, reportsDir } = this.#options;
    const context = { clock, store, sites, configuration, reportsDir };
    const guard = beforeUnit === undefined ? {} : { beforeUnit };
    return startJobs({ ...context, ...guard, jobs, logger });
  }

  /** Once for each new problem, not once for each attempt. */
  #note(error: unknown, retryMs: number): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message === this.#problem || this.#options.signal.aborted) return;
    this.#problem = message;
    const coded = error instanceof CollectorError ? { code: error.code, hint: error.hint } : {};
    this.#options.logger.error(
      { ...coded, retry_ms: retryMs },
      `the store cannot be opened; intake goes on: ${message}`,
    );
  }
}
