/** The runners of all configured devices, and how they follow the configuration. */

import type { ReaderState } from '../proto/model.ts';
import type { DeviceConfig } from './config/values.ts';
import type { Log } from './log.ts';
import type { ReaderDeps, ReaderType } from './readers/spec.ts';
import { ReportFilter } from './report.ts';
import type { RunnerEvent, RunnerStats } from './runner/contract.ts';
import { Runner } from './runner/runner.ts';
import type { Scheduler } from './scheduler.ts';
import type { Sink } from './types.ts';

/** A reader that does not end within this is abandoned: the agent has five seconds to end. */
const STOP_MS = 1_500;
const GRACE_MS = 1_000;

export interface DevicesOptions extends ReaderDeps {
  readerTypes: Readonly<Record<string, ReaderType>>;
  sink: Sink;
  scheduler: Scheduler;
  random: () => number;
  log: Log;
}

interface Device {
  config: DeviceConfig;
  runner: Runner;
  filter: ReportFilter;
}

export interface DeviceStatus {
  state: ReaderState;
  stats: RunnerStats;
  suppressedTotal: number;
}

export class Devices {
  readonly #options: DevicesOptions;
  readonly #devices = new Map<string, Device>();
  #isStopped = false;

  constructor(options: DevicesOptions) {
    this.#options = options;
  }

  /** For the sink; a device that was just removed may still deliver. */
  filterOf(device: string): ReportFilter | undefined {
    return this.#devices.get(device)?.filter;
  }

  statuses(): DeviceStatus[] {
    return [...this.#devices.values()].map(({ runner, filter }) => ({
      state: runner.state(),
      stats: runner.stats(),
      suppressedTotal: filter.suppressedTotal,
    }));
  }

  /** Stops what is gone or changed, starts what is new or changed, leaves the rest alone. */
  async apply(configs: readonly DeviceConfig[]): Promise<{ started: string[]; stopped: string[] }> {
    const wanted = new Map(configs.map((config) => [config.name, config]));
    const stopped = [...this.#devices.values()].filter(
      ({ config }) => wanted.get(config.name)?.fingerprint !== config.fingerprint,
    );
    await Promise.all(stopped.map(({ runner }) => runner.stop()));
    for (const { config } of stopped) this.#devices.delete(config.name);
    const started = this.#isStopped
      ? []
      : configs.filter((config) => !this.#devices.has(config.name));
    for (const config of started) this.#start(config);
    return {
      started: started.map((config) => config.name),
      stopped: stopped.map(({ config }) => config.name),
    };
  }

  /** Ends every reader for good; what they had received was accepted. Bounded by STOP_MS. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#devices.values()].map(({ runner }) => runner.stop()));
  }

  #start(config: DeviceConfig): void {
    const { readerTypes, sink, clock, env, scheduler, random, log } = this.#options;
    const type = readerTypes[config.reader]!;
    const runner = new Runner(
      {
        device: config.name,
        reader: config.reader,
        kind: type.kind,
        intervalMs: config.intervalMs,
        jitterMs: config.jitterMs,
        timeoutMs: config.timeoutMs,
        retries: config.retries,
        watchdogMs: config.watchdogMs,
        stopMs: STOP_MS,
        graceMs: GRACE_MS,
      },
      {
        createReader: () => type.create(config.spec, { clock, env }),
        sink,
        clock,
        scheduler,
        random,
        observer: { event: (event) => logEvent(log, config, event) },
      },
    );
    this.#devices.set(config.name, { config, runner, filter: new ReportFilter(config.report) });
    runner.start();
  }
}

function logEvent(log: Log, { name: device, reader }: DeviceConfig, event: RunnerEvent): void {
  const { type, ...details } = event;
  const fields = { device, reader, ...details };
  if (type === 'recovered') log.info('reader gives good samples again', fields);
  else if (type === 'failing') log.warn('reader fails', fields);
  else if (type === 'breaker_open') log.warn('reader keeps failing; asked less often', fields);
  else if (type === 'restarted') log.warn('reader restarted', fields);
  else log.info('reader has reached its end', fields);
}
