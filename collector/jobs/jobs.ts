/**
 * Runs jobs: on their schedule, after the start whatever was missed, and by hand. One at a time: they read
 * much, and queries of people come first.
 */

import { CollectorError } from '../errors.ts';
import type { PeriodKind } from '../site_time.ts';
import type { Logger } from '../types.ts';
import type { Asked } from './due.ts';
import { dueUnits, noteMade } from './due.ts';
import type { Job, JobContext } from './job.ts';
import type { Schedule } from './schedule.ts';
import { startSchedule } from './schedule.ts';

export interface JobProgress {
  job: string;
  /** Units made, and of how many. */
  done: number;
  total: number;
  /** The unit that was made last; '' before the first. */
  site: string;
  label: string;
  /** Its content was made before and is another now. */
  revised: boolean;
}

export interface JobStatus {
  name: string;
  period: PeriodKind;
  title: { en: string; ko: string };
  running: boolean;
  /** UTC ms; 0: not since the start of the collector. */
  lastStartedMs: number;
  lastEndedMs: number;
  /** Units made in the last run. */
  lastUnits: number;
  /** '' when the last run ended well. */
  lastError: string;
}

export interface Jobs {
  status(): JobStatus[];
  /**
   * Runs a job now; answers how many units it made. Rejects with JOB_UNKNOWN, JOB_BUSY (another run is
   * under way), the store's errors, or what `signal` was aborted with.
   */
  run(
    name: string,
    asked: Asked,
    onProgress: (progress: JobProgress) => void,
    signal: AbortSignal,
  ): Promise<number>;
  stop(): Promise<void>;
}

export interface JobsOptions extends JobContext {
  jobs: readonly Job[];
  logger: Logger;
  /** Tests start jobs by hand. */
  scheduled?: boolean;
  /** Called before each unit; when it rejects, the run ends. Another process may have taken over. */
  beforeUnit?: () => Promise<void>;
}

/** Waits for nothing: what was missed is made in the background. */
export function startJobs(options: JobsOptions): Jobs {
  const runner = new Runner(options);
  if (options.scheduled !== false) runner.start();
  return runner;
}

class Runner implements Jobs {
  readonly #options: JobsOptions;
  readonly #status = new Map<string, JobStatus>();
  readonly #stop = new AbortController();
  #schedule: Schedule | undefined;
  #running: Promise<unknown> | undefined;

  constructor(options: JobsOptions) {
    this.#options = options;
    for (const { name, period, title } of options.jobs) {
      const times = { lastStartedMs: 0, lastEndedMs: 0, lastUnits: 0 };
      this.#status.set(name, { name, period, title, running: false, ...times, lastError: '' });
    }
  }

  start(): void {
    this.#schedule = startSchedule((kind) => this.#runAll(kind));
    void (async () => {
      for (const kind of ['day', 'week', 'month'] as const) await this.#runAll(kind);
    })();
  }

  status(): JobStatus[] {
    return [...this.#status.values()].map((status) => ({ ...status }));
  }

  async run(
    name: string,
    asked: Asked,
    onProgress: (progress: JobProgress) => void,
    signal: AbortSignal,
  ): Promise<number> {
    const job = this.#options.jobs.find((one) => one.name === name);
    if (job === undefined) throw new CollectorError('JOB_UNKNOWN', name);
    if (this.#running !== undefined) {
      const [running] = this.status().filter((status) => status.running);
      throw new CollectorError('JOB_BUSY', `${running?.name ?? 'a job'} is running`);
    }
    const run = this.#make(job, asked, onProgress, AbortSignal.any([signal, this.#stop.signal]));
    this.#running = run.catch(() => undefined);
    try {
      return await run;
    } finally {
      this.#running = undefined;
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort(new CollectorError('API_NOT_READY', 'the collector is ending'));
    await this.#schedule?.stop();
    await this.#running;
  }

  /** Jobs of a kind of period, one after the other; waits for one that is run by hand. */
  async #runAll(kind: PeriodKind): Promise<void> {
    for (const { name, period } of this.#options.jobs) {
      if (period !== kind) continue;
      while (this.#running !== undefined) await this.#running;
      if (this.#stop.signal.aborted) return;
      await this.run(name, {}, () => undefined, this.#stop.signal).catch(() => undefined);
    }
  }

  async #make(
    job: Job,
    asked: Asked,
    onProgress: (progress: JobProgress) => void,
    signal: AbortSignal,
  ): Promise<number> {
    const { clock, logger } = this.#options;
    const status = this.#status.get(job.name)!;
    Object.assign(status, { running: true, lastStartedMs: clock.wallMs(), lastUnits: 0 });
    try {
      const units = await dueUnits(this.#options, job, asked, signal);
      const total = units.length;
      onProgress({ job: job.name, done: 0, total, site: '', label: '', revised: false });
      for (const unit of units) {
        signal.throwIfAborted();
        await this.#options.beforeUnit?.();
        const content = await job.make(this.#options, unit, signal);
        await noteMade(this.#options, job, unit, content, signal);
        const done = ++status.lastUnits;
        const revised = unit.revision > 0 && content !== unit.content;
        const { site, period } = unit;
        onProgress({ job: job.name, done, total, site, label: period.label, revised });
      }
      status.lastError = '';
      return total;
    } catch (error) {
      status.lastError = error instanceof Error ? error.message : String(error);
      if (!this.#stop.signal.aborted) logger.warn({ job: job.name }, status.lastError);
      throw error;
    } finally {
      Object.assign(status, { running: false, lastEndedMs: clock.wallMs() });
    }
  }
}
