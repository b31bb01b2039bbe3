/**
 * What the agent tells systemd: that it is ready, how it is, that it is alive. By the words of sd_notify(3)
 * over a datagram socket that packaging/agent/files/notify-exec opened before the program began, for node
 * can write to such a socket but not open one.
 */

import { fstatSync, writeSync } from 'node:fs';

export interface ServiceManager {
  /** At most one line a word. What the socket does not take now is dropped. Never throws, never waits. */
  tell(words: Readonly<Record<string, string | number>>): void;
  /** Within each such time it wants to hear WATCHDOG=1; undefined: it does not watch. */
  readonly watchdogMs: number | undefined;
}

const NOTIFY_FD = 'FMS_AGENT_NOTIFY_FD';

/**
 * Undefined: nobody listens. Takes its variables out of `env`: they are not for programs that the agent
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
    tell(words) {
      const lines = Object.entries(words).map(([word, value]) => `${word}=${oneLine(value)}\n`);
      try {
        writeSync(fd, lines.join(''));
      } catch {
        // It hears the next one, or starts the agent anew.
      }
    },
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

const TEXT_LENGTH_MAX = 500;

function oneLine(value: string | number): string {
  return String(value)
    .replaceAll(/\p{Cc}/gu, ' ')
    .slice(0, TEXT_LENGTH_MAX);
}
