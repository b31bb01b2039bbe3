/** `fms-agent run`: one agent, and the signals that lead it. */

import { takeServiceManager } from '../proto/systemd.ts';
import { Agent } from './agent.ts';
import { systemClock } from './clock.ts';
import { configError, formatMistake, loadConfig } from './config/config.ts';
import type { AgentConfig } from './config/values.ts';
import { AgentError } from './errors.ts';
import type { Log, LogLevel } from './log.ts';
import { createLog, errorFields } from './log.ts';
import { readers } from './readers/registry.ts';
import { systemScheduler } from './scheduler.ts';

/** An agent that has not ended by then is ended: service managers kill soon after. */
const END_MS = 4_800;

export interface RunOptions {
  path: string;
  version: string;
  /** Prints mistakes and sets the exit code when it answers undefined. */
  load: (path: string) => AgentConfig | undefined;
}

/** Resolves when the agent runs; the process then lives until a signal. Rejects with a coded error. */
export async function run(options: RunOptions): Promise<void> {
  let level: LogLevel = 'info';
  // A reader of the log that goes away must not take the agent with it.
  process.stderr.on('error', () => {});
  const log = createLog({
    level: () => level,
    wallMs: systemClock.wallMs,
    write: (line) => void process.stderr.write(line),
    format: process.stderr.isTTY ? 'text' : 'json',
  });
  // A service manager may send it from the moment that it hears READY: from here on it never ends the program.
  let reload = (): void => {};
  process.on('SIGHUP', () => reload());
  const service = takeServiceManager(process.env);
  if (service !== undefined) {
    const { untilEnrolled } = await import('./service/wait.ts');
    await untilEnrolled({
      path: options.path,
      env: process.env,
      service,
      scheduler: systemScheduler,
      log,
    });
  }
  const config = options.load(options.path);
  if (config === undefined) return;
  level = config.log.level;
  const agent = new Agent(config, {
    version: options.version,
    readerTypes: readers,
    env: process.env,
    clock: systemClock,
    scheduler: systemScheduler,
    random: Math.random,
    log,
    uptimeMs: () => performance.now(),
  });
  endOnSurprise(log);
  let stopReporting = (): void => {};
  endOnSignal(agent, log, () => {
    service?.tell({ STOPPING: 1 });
    stopReporting();
  });
  reload = () => {
    service?.tell({ RELOADING: 1, MONOTONIC_USEC: Math.round(systemClock.monoMs() * 1000) });
    const next = loadConfig({ path: options.path, env: process.env, readerTypes: readers });
    if (next.ok) {
      level = next.config.log.level;
      void agent.reload(next.config).then(() => service?.tell({ READY: 1 }));
      return;
    }
    for (const mistake of next.mistakes) log.error(formatMistake(mistake));
    log.error('the old configuration goes on', errorFields(configError(next.mistakes)));
    service?.tell({ READY: 1 });
  };
  await agent.start().catch(async (error: unknown) => {
    await agent.stop();
    throw error;
  });
  if (service !== undefined) {
    const { reportToService } = await import('./service/report.ts');
    const snapshot = () => agent.snapshot();
    stopReporting = reportToService({ service, scheduler: systemScheduler, snapshot });
  }
}

function endOnSignal(agent: Agent, log: Log, onEnding: () => void): void {
  let isEnding = false;
  const end = (signal: NodeJS.Signals): void => {
    if (isEnding) return;
    isEnding = true;
    log.info('signal', { signal });
    onEnding();
    setTimeout(() => {
      log.warn('not everything ended in time; nothing that was committed is lost');
      process.exit(0);
    }, END_MS).unref();
    agent.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error('the end failed', errorFields(error));
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

/** The buffer is safe at any moment, so an unknown state is left at once; the service starts anew. */
function endOnSurprise(log: Log): void {
  const crash = (cause: unknown): void => {
    const detail = cause instanceof Error ? cause.message : String(cause);
    const error = new AgentError('AGENT_CRASHED', detail, { cause });
    const stack = cause instanceof Error ? cause.stack : undefined;
    log.error('the agent ends', { ...errorFields(error), stack });
    process.exit(1);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}
