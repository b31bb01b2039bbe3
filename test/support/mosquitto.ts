/** A real Mosquitto on a port of the loopback, which tests stop, kill and start again. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { freePort } from './free-port.ts';
import { findProgram } from './programs.ts';
import { memoryFolder } from './test-buffer.ts';

export interface MosquittoOptions {
  /** Lines of its configuration beside port, persistence and user. */
  config?: readonly string[];
  /** Sessions, queues and retained messages survive a clean end, and a kill up to the last autosave. */
  persistence?: boolean;
  /** The whole configuration instead. */
  whole?: (port: number) => string;
}

export interface Mosquitto {
  readonly port: number;
  readonly url: string;
  /** Resolves when it takes connections. */
  start(): Promise<void>;
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<void>;
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  freeze(): void;
  thaw(): void;
}

export async function startMosquitto(t: Test, options: MosquittoOptions = {}): Promise<Mosquitto> {
  const { config = [], persistence = false, whole } = options;
  const data = memoryFolder(t);
  const port = await freePort();
  const lines = [
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    ...(whole === undefined
      ? [
          `listener ${port} 127.0.0.1`,
          'allow_anonymous true',
          `persistence ${persistence}`,
          ...(persistence ? [`persistence_location ${data}/`, 'autosave_interval 1'] : []),
          ...config,
        ]
      : [whole(port)]),
  ];
  const file = join(data, 'mosquitto.conf');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const program = findProgram('mosquitto');
  if (program === undefined) throw new Error('mosquitto is missing: npm test says what to install');
  let child: ChildProcess | undefined;
  let said = '';
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = once(ending, 'exit');
    ending.kill(signal);
    await exited;
  };
  const start = async (): Promise<void> => {
    const started = spawn(program, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    child = started;
    started.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-4_000);
    });
    while (!(await takesConnections(port))) {
      if (started.exitCode !== null) throw new Error(`mosquitto ended:\n${said}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  t.teardown(() => end('SIGKILL'));
  await start();
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    start,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    freeze: () => child?.kill('SIGSTOP'),
    thaw: () => child?.kill('SIGCONT'),
  };
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
