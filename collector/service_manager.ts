/**
 * What the collector tells systemd: that it takes readings, that it is alive, that it ends. By the words of
 * sd_notify(3) over a datagram socket that packaging/collector/files/notify-exec opened before the program
 * began, for node can write to such a socket but not open one.
 */

import { fstatSync, writeSync } from 'node:fs';

export interface ServiceManager {
  /** Once, when readings are taken in. From then on it also hears that the process is alive, if it wants to. */
  ready(): void;
  stopping(): void;
}

const NOTIFY_FD = 'FMS_COLLECTOR_NOTIFY_FD';
/** So many times within what it allows: one word may be late. */
const BEATS = 3;

/** Undefined: nobody listens. Takes its variables out of `env`: they are not of the configuration. */
export function takeServiceManager(env: NodeJS.ProcessEnv): ServiceManager | undefined {
  const { [NOTIFY_FD]: text, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = env;
  for (const name of [NOTIFY_FD, 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  const fd = Number(text);
  if (text === undefined || !isSocket(fd)) return undefined;
  const isWatched = usec !== undefined && (pid === undefined || Number(pid) === process.pid);
  const watchdogMs = isWatched ? Number(usec) / 1000 : Number.NaN;
  const tell = (word: string): void => {
    try {
      writeSync(fd, `${word}\n`);
    } catch {
      // It hears the next one, or starts the collector anew.
    }
  };
  return {
    ready: () => {
      tell('READY=1');
      if (watchdogMs > 0) setInterval(() => tell('WATCHDOG=1'), watchdogMs / BEATS).unref();
    },
    stopping: () => tell('STOPPING=1'),
  };
}

function isSocket(fd: number): boolean {
  try {
    // Above the three that every process has.
    return Number.isSafeInteger(fd) && fd > 2 && fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}
