/** What the packaged agent tells systemd, as its unit starts it: through notify-exec, on a real socket. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import { listenForNotifications } from '../support/notify-socket.ts';
import { packagedAgent } from '../support/packaged.ts';
import { whyNotWithout } from '../support/programs.ts';

const skip = whyNotWithout('dpkg-deb', 'python3', 'perl');
t.setTimeout(1_200_000);

/** An address of this kind has at most 107 bytes. */
function socketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fms-n-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'notify');
}

interface Service {
  child: ReturnType<typeof spawn>;
  stderr: () => string;
}

/** As ExecStart says, with what systemd would set. */
function startService(
  test: Pick<typeof t, 'teardown'>,
  config: string,
  env: Record<string, string>,
): Service {
  const { program } = packagedAgent();
  const child = spawn(join(dirname(program), 'notify-exec'), [program, 'run', '--config', config], {
    env: { PATH: process.env.PATH, FMS_AGENT_MACHINE_ID: 'here', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  const exited = once(child, 'exit');
  test.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return { child, stderr: () => stderr };
}

t.test('ready, alive, how it is, and that it ends', { skip }, async (t) => {
  const folder = t.testdir({});
  const device = createServer((_, response) => response.end('{"value": 1}'));
  device.listen(0, '127.0.0.1');
  await once(device, 'listening');
  t.teardown(() => {
    device.closeAllConnections();
    device.close();
  });
  const { port } = device.address() as AddressInfo;
  const config = join(folder, 'agent.yaml');
  writeFileSync(
    config,
    stringify({
      site: 'demo',
      gateway: 'gw1',
      data_dir: './data',
      collector: { url: 'mqtt://127.0.0.1:1', token: 'secret' },
      status: { port: 0 },
      devices: [
        {
          name: 'D01',
          reader: 'http',
          interval_ms: 100,
          http: { url: `http://127.0.0.1:${port}/` },
          channels: { value: {} },
        },
      ],
    }),
  );
  const address = socketPath();
  const socket = await listenForNotifications(address);
  t.teardown(() => socket.close());
  const { child } = startService(t, config, {
    NOTIFY_SOCKET: address,
    WATCHDOG_USEC: '600000',
  });
  const ready = await socket.heard(({ words }) => words.READY === '1');
  t.equal(ready.pid, child.pid, 'from the main process: NotifyAccess=main is enough');
  const well = ({ words }: { words: Record<string, string> }): boolean =>
    /1 of 1 devices ok; [1-9]/.test(words.STATUS ?? '');
  const { words } = await socket.heard(well);
  t.match(words.STATUS, /^offline/);
  const pings = socket.all.length;
  await socket.heard((one) => one.words.WATCHDOG === '1' && socket.all.indexOf(one) > pings);
  t.ok(socket.all.every(({ pid }) => pid === child.pid));

  child.kill('SIGHUP');
  await socket.heard(
    (one) => one.words.RELOADING === '1' && /^\d+$/.test(one.words.MONOTONIC_USEC ?? ''),
  );
  const readyAgain = () => socket.all.filter((one) => one.words.READY === '1').length === 2;
  await socket.heard(readyAgain);
  child.kill('SIGTERM');
  await socket.heard((one) => one.words.STOPPING === '1');
});

t.test('not enrolled: it waits, says what to do, and begins by itself', { skip }, async (t) => {
  const folder = t.testdir({ 'agent.yaml': 'data_dir: ./data\n' });
  const config = join(folder, 'agent.yaml');
  const address = socketPath();
  const socket = await listenForNotifications(address);
  t.teardown(() => socket.close());
  const { child, stderr } = startService(t, config, { NOTIFY_SOCKET: address });
  const waiting = await socket.heard(({ words }) => words.READY === '1');
  t.match(waiting.words.STATUS, /fms-agent enroll/);
  child.kill('SIGHUP');
  mkdirSync(join(folder, 'conf.d'));
  const rest = { site: 's', gateway: 'g', collector: { url: 'mqtt://127.0.0.1:1', token: 'x' } };
  writeFileSync(join(folder, 'conf.d/all.yaml'), stringify({ ...rest, status: { port: 0 } }));
  await socket.heard(({ words }) => /NO DEVICES/.test(words.STATUS ?? ''));
  // The journal has it too: it comes another way, and may come later.
  for (const words of [/fms-agent enroll/, /"gateway":"g"/])
    while (!words.test(stderr())) await once(child.stderr ?? child, 'data');
  t.pass('what to do, and who it is now, are in the journal');
});

t.test('without a service manager notify-exec only becomes the program', { skip }, async (t) => {
  const { program } = packagedAgent();
  const notifyExec = join(dirname(program), 'notify-exec');
  for (const address of [undefined, '/nowhere/notify', 'vsock:2:1']) {
    const env = {
      PATH: process.env.PATH,
      ...(address === undefined ? {} : { NOTIFY_SOCKET: address }),
    };
    const child = spawn(notifyExec, [program, '--version'], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let stdout = '';
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    const [code] = await once(child, 'close');
    t.equal(code, 0);
    t.match(stdout, /^\d+\.\d+\.\d+/);
  }
});
