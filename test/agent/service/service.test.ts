/** fms-agent run as a service manager starts it: by a socket that is open when the program begins. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import t from 'tap';
import { stringify } from 'yaml';

/** Sends itself SIGHUP the moment that READY is told: no service manager is faster. */
const RELOADED_AT_ONCE = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const { writeSync } = fs;
fs.writeSync = (fd, text) => {
  const written = writeSync(fd, text);
  if (String(text).includes('READY=1')) process.kill(process.pid, 'SIGHUP');
  return written;
};
syncBuiltinESMExports();
`;
const MAIN = join(import.meta.dirname, '../../../agent/main.ts');

t.test(
  'told to reload the moment that it waits to be enrolled: it lives, and begins',
  async (t) => {
    const folder = t.testdir({ 'agent.yaml': 'data_dir: ./data\n' });
    const preload = `data:text/javascript,${encodeURIComponent(RELOADED_AT_ONCE)}`;
    const child = spawn(
      process.execPath,
      ['--import', preload, MAIN, 'run', '--config', join(folder, 'agent.yaml')],
      {
        // The stage: or it would replace its process, and close the socket.
        env: {
          ...process.env,
          FMS_AGENT_STAGE: 'run',
          FMS_NOTIFY_FD: '3',
          FMS_AGENT_MACHINE_ID: 'here',
        },
        // What node calls a pipe here is a socket.
        stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      },
    );
    const exited = once(child, 'exit');
    t.teardown(async () => {
      child.kill('SIGKILL');
      await exited;
    });
    let stderr = '';
    child.stderr?.on('data', (data) => {
      stderr += data;
    });
    const ended = exited.then(([code, signal]) => {
      throw new Error(`it ended (${code ?? signal}): ${stderr}`);
    });
    const socket = child.stdio[3] as Duplex;
    let told = '';
    const until = (pattern: RegExp): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!pattern.test(told)) return;
          socket.off('data', look);
          resolve();
        };
        socket.on('data', look);
        look();
      });
    socket.on('data', (data) => {
      told += data;
    });
    await Promise.race([until(/STATUS=not enrolled; .*fms-agent enroll/), ended]);
    mkdirSync(join(folder, 'conf.d'));
    const rest = { site: 's', gateway: 'g', collector: { url: 'mqtt://127.0.0.1:1', token: 'x' } };
    writeFileSync(join(folder, 'conf.d/all.yaml'), stringify({ ...rest, status: { port: 0 } }));
    await Promise.race([until(/NO DEVICES/), ended]);
    await Promise.race([until(/RELOADING=1\nMONOTONIC_USEC=\d+\n/), ended]);
    // What it says comes another way, and may come later.
    while (!/"gateway":"g"/.test(stderr))
      await Promise.race([once(child.stderr ?? child, 'data'), ended]);
    t.pass('it began as the gateway that is named now');
  },
);
