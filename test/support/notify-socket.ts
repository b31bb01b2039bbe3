/** A service manager's socket: hears what sd_notify sends. By python3, for node has no such sockets. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const LISTEN = `
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1])
print('"bound"', flush=True)
while True:
    data, anc, _, _ = s.recvmsg(65536, socket.CMSG_SPACE(12))
    pid = int.from_bytes(anc[0][2][:4], sys.byteorder)
    print(json.dumps([pid, data.decode()]), flush=True)
`;

export interface Notification {
  /** Of the process that sent it, as the kernel says. */
  pid: number;
  /** READY, STATUS, WATCHDOG… */
  words: Record<string, string>;
}

export interface NotifySocket {
  /** Resolves with the first one, of those already heard too, that is so. */
  heard(isIt: (notification: Notification) => boolean): Promise<Notification>;
  all: Notification[];
  close(): Promise<void>;
}

/** `path` as in NOTIFY_SOCKET, but for an abstract address. */
export async function listenForNotifications(path: string): Promise<NotifySocket> {
  const child: ChildProcess = spawn('python3', ['-c', LISTEN, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const all: Notification[] = [];
  const waiters = new Set<() => void>();
  const bound = Promise.withResolvers<void>();
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const said = JSON.parse(line) as string | [number, string];
    if (typeof said === 'string') bound.resolve();
    else all.push({ pid: said[0], words: wordsOf(said[1]) });
    for (const wake of [...waiters]) wake();
  });
  exited.then(() => bound.reject(new Error('python3 ended')));
  await bound.promise;
  return {
    all,
    heard: (isIt) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = all.find(isIt);
          if (found === undefined) return;
          waiters.delete(look);
          resolve(found);
        };
        waiters.add(look);
        look();
      }),
    close: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function wordsOf(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line !== '');
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}
