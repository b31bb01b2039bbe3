/** `fms-collector run`: starts the collector, ends it on a signal, and says once why it failed. */

import { setFlagsFromString } from 'node:v8';
import type { ServiceManager } from '../../proto/systemd.ts';
import { takeServiceManager } from '../../proto/systemd.ts';
import type { RunningCollector } from '../collector.ts';
import { startCollector } from '../collector.ts';
import { COMPONENTS } from '../config.ts';
import { CollectorError } from '../errors.ts';
import { createLogger } from '../logger.ts';
import type { CollectorDeps } from '../parts/running.ts';
import { ProfilesInvalid } from '../profiles/load.ts';
import type { Logger } from '../types.ts';
import { configOrMistakes, warningsOf } from './check.ts';

/** A clean end takes less; what hangs is left to the recovery of the next start. */
const STOP_TIMEOUT_MS = 4_500;
/** So many times within what the service manager allows: one word may be late. */
const BEATS = 3;
/**
 * V8 would let the heap grow to several times of what is in use before it collects: 300 MB of garbage with
 * 5,000 gateways. Read at each collection, so it may be set now.
 */
const HEAP_GROWING = '--heap-growing-percent=30';

/** `deps`: for tests. */
export async function run(
  file: string,
  version: string,
  env: NodeJS.ProcessEnv,
  deps: Partial<CollectorDeps> = {},
): Promise<void> {
  const manager = takeServiceManager(env);
  const config = configOrMistakes(file, env, console);
  if (config === undefined) {
    process.exitCode = 2;
    return;
  }
  setFlagsFromString(HEAP_GROWING);
  const { components } = config;
  const isWhole = components.size === COMPONENTS.length;
  const logger = createLogger(
    config.logging.level,
    isWhole ? {} : { components: [...components].join(',') },
  );
  const die = (error: unknown): never => {
    sayFailure(logger, error);
    process.exit(error instanceof ProfilesInvalid ? 2 : 1);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);

  let stopping = false;
  let collector: RunningCollector | undefined;
  const stop = async (code: number): Promise<void> => {
    if (stopping) return;
    stopping = true;
    manager?.tell({ STOPPING: 1 });
    // Not unref'd: it must fire even when nothing else keeps the process alive.
    const timer = setTimeout(() => {
      logger.warn({ timeout_ms: STOP_TIMEOUT_MS }, 'the clean end took too long: ending at once');
      process.exit(code);
    }, STOP_TIMEOUT_MS);
    await collector?.stop();
    clearTimeout(timer);
    logger.info({}, 'ended');
    process.exit(code);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      logger.info({ signal }, 'ending');
      stop(0).catch(die);
    });

  // During the start the profiles may have been read already: they are read again once it is over.
  let isReloadDue = false;
  process.on('SIGHUP', () => {
    logger.info({ signal: 'SIGHUP' }, 'reading the device profiles again');
    if (collector === undefined) isReloadDue = true;
    else collector.reload().catch(die);
  });

  for (const warning of warningsOf(config)) logger.warn({}, warning);
  try {
    collector = await startCollector(config, {
      clock: { wallMs: () => Date.now() },
      logger,
      version,
      ...deps,
    });
    if (manager !== undefined) sayReady(manager);
  } catch (error) {
    die(error);
  }
  if (isReloadDue) collector?.reload().catch(die);
  // A SIGTERM during the start found nothing to stop yet: the process has been told to exit by then.
  const failure = await collector?.failed;
  if (failure !== undefined && !stopping) {
    sayFailure(logger, failure);
    await stop(1);
  }
}

/** From then on the service manager also hears that the process is alive, if it wants to. */
function sayReady({ tell, watchdogMs }: ServiceManager): void {
  tell({ READY: 1 });
  if (watchdogMs !== undefined)
    setInterval(() => tell({ WATCHDOG: 1 }), watchdogMs / BEATS).unref();
}

function sayFailure(logger: Logger, error: unknown): void {
  if (error instanceof CollectorError) {
    logger.error({ code: error.code, hint: error.hint }, error.message);
    return;
  }
  const crash = new CollectorError('COLLECTOR_CRASHED', String(error), { cause: error });
  const stack = error instanceof Error ? error.stack : undefined;
  logger.error({ code: crash.code, hint: crash.hint, stack }, crash.message);
}
