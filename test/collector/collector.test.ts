/** fms-collector as a process: exit codes, ports, signals, a store that is not there. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { fmsRow, Publisher } from '../support/publisher.ts';
import { until } from '../support/running-collector.ts';

const MAIN = join(import.meta.dirname, '../../collector/main.ts');
const TOKEN = 'token-of-the-gateway';

interface Result {
  code: number | null;
  output: string;
}

class Program {
  readonly child: ChildProcess;
  output = '';
  readonly ended: Promise<Result>;

  constructor(t: Test, args: string[], env: Record<string, string> = {}, nodeArgs: string[] = []) {
    this.child = spawn(process.execPath, [...nodeArgs, MAIN, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on('data', (data: Buffer) => {
        this.output += data.toString();
      });
    this.ended = once(this.child, 'close').then(([code]) => ({ code, output: this.output }));
    t.teardown(async () => {
      this.child.kill('SIGKILL');
      await this.ended;
    });
  }

  /** What it said when it was up. */
  async running(): Promise<{ mqtt: number; http: number }> {
    await until(async () => {
      if (this.child.exitCode !== null) throw new Error(this.output);
      // To the end of the line: it is read as a whole.
      return /collector is running.*\n/.test(this.output);
    });
    const line = this.output.split('\n').find((l) => l.includes('collector is running')) ?? '{}';
    const { mqtt, pages } = JSON.parse(line) as { mqtt: string; pages: string };
    return { mqtt: Number(new URL(mqtt).port), http: Number(new URL(pages).port) };
  }
}

function configIn(folder: string, mqtt = 0, http = 0): string {
  const file = join(folder, 'collector.yaml');
  writeFileSync(
    file,
    `mqtt: { port: ${mqtt} }
http: { port: ${http} }
access: { this_machine: admin }
gateways:
  - { site: demo, gateway: gw1, token: ${TOKEN} }
`,
  );
  return file;
}

async function takenPort(t: Test): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

t.test('check: 2 with every mistake, 0 without', async (t) => {
  const folder = t.testdir({ 'bad.yaml': 'mqtt: { port: x }\nnonsense: 1\n' });
  const bad = await new Program(t, ['check', '--config', join(folder, 'bad.yaml')]).ended;
  t.equal(bad.code, 2);
  t.match(bad.output, /bad\.yaml:1: mqtt\.port.*\n.*bad\.yaml:2: unknown key "nonsense"/);
  const run = await new Program(t, ['run', '--config', join(folder, 'bad.yaml')]).ended;
  t.equal(run.code, 2, 'run says the same');
  const good = await new Program(t, ['check'], { FMS_COLLECTOR_CONFIG: configIn(folder) }).ended;
  t.match(good, { code: 0, output: 'no mistakes' });
});

t.test('a taken port is named, with exit 1, and nothing of the data is touched', async (t) => {
  const folder = t.testdir();
  const port = await takenPort(t);
  const http = await new Program(t, ['run', '-c', configIn(folder, 0, port)]).ended;
  t.equal(http.code, 1);
  t.match(http.output, new RegExp(`COLLECTOR_PORT_TAKEN.*127.0.0.1:${port} \\(http.port\\)`));
  const mqtt = await new Program(t, ['run', '-c', configIn(folder, port, 0)]).ended;
  t.equal(mqtt.code, 1);
  t.match(mqtt.output, new RegExp(`COLLECTOR_PORT_TAKEN.*${port}`));
});

t.test('an error that nobody expected is said with a code, and ends it with 1', async (t) => {
  const folder = t.testdir();
  const now = join(folder, 'now');
  const fault = `import { existsSync } from 'node:fs';
    setInterval(() => { if (existsSync(${JSON.stringify(now)})) throw new Error('boom'); }, 20);`;
  const nodeArgs = ['--import', `data:text/javascript,${encodeURIComponent(fault)}`];
  const program = new Program(t, ['run', '-c', configIn(folder)], {}, nodeArgs);
  await program.running();
  writeFileSync(now, '');
  const { code, output } = await program.ended;
  t.equal(code, 1);
  t.match(output, /"code":"COLLECTOR_CRASHED".*boom/);
});

t.test('SIGTERM ends it cleanly within 5 s; one collector a folder', async (t) => {
  const folder = t.testdir();
  const file = configIn(folder);
  const program = new Program(t, ['run', '-c', file]);
  const { http, mqtt } = await program.running();
  await until(async () => (await fetch(`http://127.0.0.1:${http}/readyz`)).ok);

  const second = await new Program(t, ['run', '-c', file]).ended;
  t.equal(second.code, 1);
  t.match(second.output, 'LOG_IN_USE');

  const publisher = await Publisher.connect({
    port: mqtt,
    site: 'demo',
    gateway: 'gw1',
    token: TOKEN,
  });
  t.teardown(() => publisher.close());
  await publisher.readings(fmsRow('D01', Date.now()));
  const url = `http://127.0.0.1:${http}`;
  await until(async () => (await (await fetch(`${url}/api/v1/ledger`)).text()).includes('gw1'));
  const ledger = await new Program(t, ['ledger', '--url', url]).ended;
  t.equal(ledger.code, 0);
  t.match(ledger.output, /demo\/gw1 +1 +7 +7/);

  const streaming = await fetch(`${url}/api/v1/stream`);
  const startedMs = performance.now();
  program.child.kill('SIGTERM');
  const { code, output } = await program.ended;
  // One that hangs is ended after some seconds, and does not say so at its end.
  t.ok(performance.now() - startedMs < 60_000, 'streams do not hold it up');
  t.equal(code, 0, output);
  t.match(output, '"ended"');
  await streaming.body?.cancel().catch(() => undefined);
  const gone = await new Program(t, ['ledger', '--url', url]).ended;
  t.match(gone, { code: 3, output: 'COLLECTOR_UNREACHABLE' });
});

t.test('with the store away intake goes on, and the writers catch up later', async (t) => {
  const folder = t.testdir();
  const store = join(folder, 'collector', 'store');
  mkdirSync(join(folder, 'collector'), { recursive: true });
  writeFileSync(store, 'not a folder');
  const program = new Program(t, ['run', '-c', configIn(folder)]);
  const { http, mqtt } = await program.running();
  const url = `http://127.0.0.1:${http}`;
  t.equal((await fetch(`${url}/healthz`)).status, 200);
  await until(async () => program.output.includes('the store cannot be opened'));
  t.match(program.output, 'STORE_UNAVAILABLE');

  const publisher = await Publisher.connect({
    port: mqtt,
    site: 'demo',
    gateway: 'gw1',
    token: TOKEN,
  });
  t.teardown(() => publisher.close());
  await publisher.readings(fmsRow('D01', Date.now()));
  t.pass('acknowledged');
  const readyz = await fetch(`${url}/readyz`);
  t.equal(readyz.status, 503);
  t.match(await readyz.json(), {
    checks: [
      { name: 'log', ready: true },
      { name: 'broker', ready: true },
      { name: 'processor', ready: true },
      { name: 'store', ready: false, reason: /STORE_UNAVAILABLE/ },
      { name: 'writers', ready: false },
    ],
  });
  const readings = `${url}/api/v1/readings?site=demo&device=D01`;
  t.match(await (await fetch(readings)).json(), { error: { code: 'STORE_UNAVAILABLE' } });
  await until(async () => (await (await fetch(`${url}/api/v1/devices`)).text()).includes('D01'));
  t.pass('the live view does not need the store');

  rmSync(store);
  await until(async () => {
    const answer = (await (await fetch(readings)).json()) as { items?: unknown[] };
    return answer.items?.length === 7;
  });
  // The writers of the other topics may still look at what the store has.
  await until(async () => (await fetch(`${url}/readyz`)).status === 200);
  t.pass('ready again');
});
