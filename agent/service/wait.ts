/**
 * A service that is installed and not enrolled yet: it waits, says what to do, and begins by itself. Ending
 * instead would have it started again and again, or leave a second step to be forgotten.
 */

import type { ServiceManager } from '../../proto/systemd.ts';
import { configError, formatMistake, loadConfig, loadEnrolmentSettings } from '../config/config.ts';
import { readEnrolment } from '../identity/files.ts';
import type { Log } from '../log.ts';
import { errorFields } from '../log.ts';
import { readers } from '../readers/registry.ts';
import type { Scheduler } from '../scheduler.ts';

const LOOK_EVERY_MS = 2_000;
const WHAT_TO_DO = 'not enrolled; to do: sudo fms-agent enroll mqtts://COLLECTOR TOKEN';

/**
 * Resolves when the configuration says, or an enrolment has brought, which gateway this is: then it is
 * loaded, mistakes and all, as at any start. Alive for the service manager meanwhile.
 */
export async function untilEnrolled(options: {
  path: string;
  env: NodeJS.ProcessEnv;
  service: ServiceManager;
  scheduler: Scheduler;
  log: Log;
}): Promise<void> {
  const { path, env, service, scheduler, log } = options;
  if (isNamed(path, env)) return;
  const loaded = loadConfig({ path, env, readerTypes: readers });
  const mistakes = loaded.ok ? [] : loaded.mistakes;
  for (const mistake of mistakes) log.warn(formatMistake(mistake));
  log.warn('waiting until this gateway is enrolled', errorFields(configError(mistakes)));
  service.tell({ READY: 1, STATUS: WHAT_TO_DO });
  const everyMs = Math.min(LOOK_EVERY_MS, (service.watchdogMs ?? LOOK_EVERY_MS) / 3);
  while (!isNamed(path, env)) {
    await new Promise<void>((resolve) => void scheduler.after(everyMs, resolve));
    service.tell({ WATCHDOG: 1 });
  }
  log.info('this gateway is enrolled now');
}

/** Also true when the files cannot be read: that is a mistake to be told, nothing to wait for. */
function isNamed(path: string, env: NodeJS.ProcessEnv): boolean {
  const read = loadEnrolmentSettings({ path, env, readerTypes: readers });
  if (!read.ok) return true;
  const { site, gateway, dataDir } = read.settings;
  if (site !== undefined || gateway !== undefined) return true;
  try {
    return readEnrolment(dataDir) !== undefined;
  } catch {
    return true;
  }
}
