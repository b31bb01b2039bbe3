/**
 * What a program of ours tells the service manager, by the words of sd_notify(3): over a datagram socket
 * that packaging/notify-exec opened before the program began, for node can write to such a socket but not
 * open one.
 */

import { fstatSync, writeSync } from 'node:fs';

export interface ServiceManager {
  /**
   * At most one line a word. READY and STATUS that the socket does not take now go with the next words:
   * a service manager that is busy must not miss that the program is ready. Others are dropped. Never
   * throws, never waits.
   */
  tell(words: Words): void;
  /** Within each such time it wants to hear WATCHDOG=1; undefined: it does not watch. */
  readonly watchdogMs: number | undefined;
}

export type Words = Readonly<Record<string, string | number>>;

const NOTIFY_FD = 'FMS_NOTIFY_FD';
const TEXT_LENGTH_MAX = 500;

/**
 * Undefined: nobody listens. Takes its variables out of `env`: they are not for programs that this one
 * starts, and not its configuration.
 */
export function takeServiceManager(env: NodeJS.ProcessEnv): ServiceManager | undefined {
  const { [NOTIFY_FD]: text, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = env;
  for (const name of [NOTIFY_FD, 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  const fd = Number(text);
  if (text === undefined || !isSocket(fd)) return undefined;
  const isWatched = usec !== undefined && (pid === undefined || Number(pid) === process.pid);
  const watchdogMs = isWatched ? Number(usec) / 1000 : Number.NaN;
  return {
    watchdogMs: watchdogMs > 0 ? watchdogMs : undefined,
    tell: teller((datagram) => void writeSync(fd, datagram)),
  };
}

/** `send` throws what the socket does not take. */
export function teller(send: (datagram: string) => void): ServiceManager['tell'] {
  let owed: Words = {};
  return (words) => {
    const all = { ...owed, ...words };
    const lines = Object.entries(all).map(([word, value]) => `${word}=${oneLine(value)}\n`);
    try {
      send(lines.join(''));
      owed = {};
    } catch {
      const { READY, STATUS } = all;
      owed = {
        ...(READY === undefined ? {} : { READY }),
        ...(STATUS === undefined ? {} : { STATUS }),
      };
    }
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

function oneLine(value: string | number): string {
  return String(value)
    .replaceAll(/\p{Cc}/gu, ' ')
    .slice(0, TEXT_LENGTH_MAX);
}
