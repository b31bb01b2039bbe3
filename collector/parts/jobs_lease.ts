/**
 * Jobs run in one process at a time: the first of those that have component serve, under a lease in the
 * log, which fences a former one. The lease is the position of a consumer that reads nothing: it moves on
 * so that the log may trim.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { CollectorError } from '../errors.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { ConsumerSession, Log } from '../log/log.ts';
import type { SharedRun } from '../shares.ts';
import { runShare } from '../shares.ts';
import type { Logger } from '../types.ts';
import type { Team } from './team.ts';

const NAME = 'jobs';
/** Not events: of those there are always new ones, which would pile up while nobody has the lease. */
const TOPIC = 'quarantine';
const PARTITION = 0;
const RENEW_MS = 5_000;
const RETRY_MS = 3_000;

export interface JobsLeaseOptions {
  log: Log;
  team: Pick<Team, 'isFirst' | 'onChange'>;
  /** `renew` rejects when another process has the lease: to be called before anything is stored. */
  startJobs: (renew: () => Promise<void>) => Jobs;
  logger: Logger;
}

export class JobsLease {
  readonly #options: JobsLeaseOptions;
  readonly #run: SharedRun;
  #jobs: Jobs | undefined;

  constructor(options: JobsLeaseOptions) {
    this.#options = options;
    const { team } = options;
    const share = {
      exclusive: false,
      owned: () => new Set(team.isFirst('serve') ? [PARTITION] : []),
      onChange: (listener: () => void) => team.onChange(listener),
    };
    this.#run = runShare(share, (_, signal) => this.#lead(signal));
  }

  /** Undefined: they run in another process, or in none yet. */
  get jobs(): Jobs | undefined {
    return this.#jobs;
  }

  async stop(): Promise<void> {
    await this.#run.stop();
  }

  /** Answers LOG_FENCED; all else is tried again. */
  async #lead(signal: AbortSignal): Promise<CollectorError | undefined> {
    const { logger } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#hold(signal);
      } catch (error) {
        if (signal.aborted) return undefined;
        if (error instanceof CollectorError && error.code === 'LOG_FENCED') return error;
        logger.warn({ error: String(error), retry_ms: RETRY_MS }, 'no jobs run for the moment');
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  async #hold(signal: AbortSignal): Promise<void> {
    const { log, startJobs, logger } = this.#options;
    const session = await log.openConsumer(NAME, TOPIC, PARTITION);
    try {
      await renew(log, session);
      if (signal.aborted) return;
      logger.info({}, 'this process runs the jobs');
      this.#jobs = startJobs(() => renew(log, session));
      while (!signal.aborted) {
        await delay(RENEW_MS, undefined, { signal }).catch(() => undefined);
        if (!signal.aborted) await renew(log, session);
      }
    } finally {
      const jobs = this.#jobs;
      this.#jobs = undefined;
      await jobs?.stop();
      await session.close().catch(() => undefined);
    }
  }
}

async function renew(log: Log, session: ConsumerSession): Promise<void> {
  const { next } = await log.bounds(TOPIC, PARTITION);
  await session.commitPosition(Math.max(next, session.position));
}
