/** The parts of the demo; the whole of it is test/e2e/demo.test.ts. */

import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { parse } from 'yaml';
import { loadConfig } from '../../agent/config/config.ts';
import { readers } from '../../agent/readers/registry.ts';
import { loadConfig as loadCollectorConfig } from '../../collector/config.ts';
import { loadConfiguration, profilesSource } from '../../collector/profiles/load.ts';
import { loadDevicesConfig } from '../../simulators/config.ts';
import { Program } from '../../simulators/demo/child.ts';
import { firstLoginOf } from '../../simulators/demo/first-login.ts';
import {
  agentYamlWith,
  DEMO_INTERVAL_MS,
  deviceNames,
  forgetRunning,
  keepOldReadings,
  letLook,
  noteRunning,
  pathsOf,
  prepareFolder,
  settlePorts,
  stillRunning,
} from '../../simulators/demo/folder.ts';
import { LogFile, warningOf } from '../../simulators/demo/log-file.ts';
import { checkPorts } from '../../simulators/demo/ports.ts';
import { freePort } from '../support/free-port.ts';

function prepared(t: Test): ReturnType<typeof pathsOf> {
  const paths = pathsOf(join(t.testdir(), 'data'));
  prepareFolder(paths);
  return paths;
}

t.test('a new folder: three files that their programs take, with one token', async (t) => {
  const paths = prepared(t);
  const loaded = loadConfig({ path: paths.agent, env: {}, readerTypes: readers });
  t.ok(loaded.ok, JSON.stringify(loaded));
  t.same(deviceNames(paths), ['D01', 'D02', 'D03', 'D04', 'D05']);
  const sim = loadDevicesConfig(paths.sim);
  t.equal(sim.truthPath, join(paths.folder, 'truth.jsonl'));
  t.ok(sim.truthMaxBytes > 0, 'it does not fill the disk');
  t.equal(statSync(paths.agent).mode & 0o077, 0, 'the token is for its owner');
  const { token } = (parse(readFileSync(paths.agent, 'utf8')) as { collector: { token: string } })
    .collector;
  t.ok(token.length >= 32);
  const before = readFileSync(paths.agent, 'utf8');
  prepareFolder(paths);
  t.equal(readFileSync(paths.agent, 'utf8'), before, 'what is there stays');
  const other = pathsOf(join(t.testdirName, 'other'));
  prepareFolder(other);
  t.notMatch(readFileSync(other.agent, 'utf8'), token, 'each folder has its own');
});

t.test('the collector takes the folder, with profiles that fit the demo', async (t) => {
  const paths = prepared(t);
  const config = loadCollectorConfig(paths.collector);
  t.equal(config.profilesDir, paths.profiles);
  const { profiles, assignments } = loadConfiguration(profilesSource(config));
  t.match(profiles, { fms: { intervalMs: DEMO_INTERVAL_MS } });
  t.same(
    assignments.map(({ device }) => device),
    deviceNames(paths),
  );
  t.equal(config.store.retentionDays, 365);
  keepOldReadings(paths);
  t.equal(loadCollectorConfig(paths.collector).store.retentionDays, 36_500, 'for recordings');
  const own = readFileSync(paths.collector, 'utf8').replace('36500', '30');
  writeFileSync(paths.collector, own);
  keepOldReadings(paths);
  t.equal(readFileSync(paths.collector, 'utf8'), own, 'what the user says holds');
});

t.test('half of a pair of files is not made up', async (t) => {
  const paths = prepared(t);
  rmSync(paths.collector);
  t.throws(() => prepareFolder(paths), { code: 'SIM_FILE_UNREADABLE', message: /collector\.yaml/ });
});

t.test('a folder that cannot be written', async (t) => {
  const folder = t.testdir({ file: '' });
  const paths = pathsOf(join(folder, 'file', 'data'));
  t.throws(() => prepareFolder(paths), { code: 'SIM_FILE_UNREADABLE' });
});

t.test('ports that were asked for are kept in the files, and comments stay', async (t) => {
  const paths = prepared(t);
  t.same(settlePorts(paths, {}), { http: 8080, mqtt: 1883, sim: 9872, status: 9464 });
  const wanted = { http: 18_080, mqtt: 11_883, sim: 19_872, status: 19_464 };
  t.same(settlePorts(paths, wanted), wanted);
  t.same(settlePorts(paths, {}), wanted, 'the next start uses them too');
  const agent = parse(readFileSync(paths.agent, 'utf8')) as {
    collector: { url: string };
    devices: { http: { url: string } }[];
  };
  t.equal(agent.collector.url, 'mqtt://127.0.0.1:11883');
  t.equal(agent.devices[4]?.http.url, 'http://127.0.0.1:19872/D05/');
  t.match(readFileSync(paths.sim, 'utf8'), /# The simulated FMS devices/);
  t.equal(loadDevicesConfig(paths.sim).port, 19_872);
});

t.test("an agent for a replay is the user's agent with other devices", async (t) => {
  const paths = prepared(t);
  const yaml = agentYamlWith(paths, [
    { name: 'rec', reader: 'command', command: { argv: ['true'] } },
  ]);
  const folder = join(paths.folder, 'replay');
  mkdirSync(folder);
  writeFileSync(join(folder, 'agent.yaml'), yaml);
  const path = join(folder, 'agent.yaml');
  const loaded = loadConfig({ path, env: {}, readerTypes: readers });
  t.match(loaded, { ok: true, config: { dataDir: join(paths.folder, 'agent'), site: 'demo' } });
});

t.test('what runs is noted', async (t) => {
  const paths = prepared(t);
  t.equal(stillRunning(paths), undefined);
  noteRunning(paths, [process.pid, 999_999_999]);
  t.equal(stillRunning(paths), undefined, 'this process is no program of a demo');
  forgetRunning(paths);
  t.notOk(existsSync(paths.running));
});

t.test('taken ports are named, all of them, with the way out', async (t) => {
  const servers = [createServer(), createServer()];
  t.teardown(() => {
    for (const server of servers) server.close();
  });
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ports.push((server.address() as AddressInfo).port);
  }
  const [http = 0, mqtt = 0] = ports;
  const status = await freePort();
  const wanted = { http, mqtt, sim: 1, status };
  await t.rejects(checkPorts(wanted, ['http', 'mqtt', 'status']), {
    code: 'SIM_PORT_TAKEN',
    message: new RegExp(
      `port ${http} .*page.*--http-port \\d+, or FMS_HTTP_PORT=\\d+\\s+port ${mqtt} .*FMS_MQTT_PORT`,
    ),
  });
  await t.rejects(checkPorts({ ...wanted, mqtt: status }, ['mqtt', 'status']), {
    message: /port \d+ \(status/,
  });
  await t.resolves(checkPorts(wanted, ['status']));
});

t.test('what the collector says of the first user is taken from its log', async (t) => {
  const line = JSON.stringify({ level: 40, first_user: 'admin', first_password: 'abc', msg: 'x' });
  t.same(firstLoginOf(line), { user: 'admin', password: 'abc' });
  for (const other of [
    '',
    '{"level":30,"msg":"x"}',
    '"first_password"',
    '{"first_password":7,"first_user":"admin"}',
  ])
    t.equal(firstLoginOf(other), undefined, other);
});

t.test(
  'who reaches the demo may look, also with a file from before there were users',
  async (t) => {
    const paths = prepared(t);
    const access = (): unknown => loadCollectorConfig(paths.collector).access;
    t.match(access(), { thisMachine: 'none', anonymous: 'viewer' });
    const before = readFileSync(paths.collector, 'utf8').replace(/^access: .*\n/m, '');
    writeFileSync(paths.collector, before);
    t.match(access(), { anonymous: 'none' });
    letLook(paths);
    t.match(access(), { anonymous: 'viewer' });
    writeFileSync(paths.collector, `${before}access: { anonymous: none }\n`);
    letLook(paths);
    t.match(access(), { anonymous: 'none' }, 'what a person wrote stays');
  },
);

t.test('which lines are warnings', async (t) => {
  t.equal(warningOf('{"level":30,"msg":"fine"}'), undefined);
  t.equal(warningOf('{"level":"info","message":"fine"}'), undefined);
  t.equal(warningOf('{"level":40,"msg":"hot","code":"X_Y"}'), 'hot  X_Y');
  t.equal(
    warningOf('{"level":"warn","message":"reader fails","device":"D01"}'),
    'reader fails  D01',
  );
  t.equal(warningOf('{"level":'), undefined);
  t.equal(warningOf('2026-01-01 ERROR no disk'), '2026-01-01 ERROR no disk');
  t.equal(warningOf('all is well'), undefined);
});

t.test(
  'a log: whole lines to the listener, all to the file, the last ones in memory',
  async (t) => {
    const path = join(t.testdir(), 'x.log');
    const heard: string[] = [];
    const log = new LogFile(path, (line) => heard.push(line));
    for (const piece of ['on', 'e\ntw', 'o\n\nthr', 'ee']) log.write(piece);
    t.same(heard, ['one', 'two']);
    t.same(log.lastLines(2), ['two', 'three']);
    t.equal(readFileSync(path, 'utf8'), 'one\ntwo\n\nthree');
    for (let i = 0; i < 300; i++) log.write(`${'x'.repeat(64 * 1024)}\n`);
    log.close();
    log.write('after the end');
    t.ok(existsSync(`${path}.1`), 'it is bounded');
    t.ok(statSync(path).size < 16 * 1024 * 1024);
  },
);

/** A program that listens, and dies or ignores signals when it is told to. */
const script = `
import { createServer } from 'node:http';
const server = createServer((request, response) => {
  response.end('ok');
  if (request.url === '/die') { console.error('{"level":"error","message":"last words"}'); process.exit(3); }
});
if (process.argv[3] === 'stubborn') process.on('SIGTERM', () => {});
if (process.argv[3] === 'broken') { console.error('cannot start'); process.exit(2); }
server.listen(Number(process.argv[2]), '127.0.0.1');
`;

async function programOf(
  t: Test,
  kind: string,
): Promise<{ program: Program; said: string[]; url: string }> {
  const folder = t.testdir({ 'program.mjs': script });
  const port = await freePort();
  const said: string[] = [];
  const url = `http://127.0.0.1:${port}/`;
  const program = new Program({
    name: 'program',
    argv: [join(folder, 'program.mjs'), String(port), kind],
    env: process.env,
    logPath: join(folder, 'program.log'),
    readyUrl: url,
    say: (line) => said.push(line),
    onGivenUp: () => said.push('given up'),
  });
  t.teardown(() => program.kill());
  return { program, said, url };
}

async function isUp(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

t.test('a program is started, and ended', async (t) => {
  const { program, url, said } = await programOf(t, 'plain');
  await program.start();
  t.ok(await isUp(url));
  await program.end(60_000);
  t.notOk(await isUp(url));
  t.same(said, []);
});

t.test('a program that does not start says why', async (t) => {
  const { program } = await programOf(t, 'broken');
  await t.rejects(program.start(), { code: 'SIM_DEMO_FAILED', message: /cannot start/ });
  await program.end(1_000);
});

t.test('a program that does not end is killed', async (t) => {
  const { program, url, said } = await programOf(t, 'stubborn');
  await program.start();
  await program.end(100);
  t.notOk(await isUp(url));
  t.match(said, [/did not end within 0\.1 s/]);
});

t.test('a program that dies is reported with its last lines, and started again', async (t) => {
  const { program, url, said } = await programOf(t, 'plain');
  await program.start();
  await fetch(`${url}die`).catch(() => {});
  while (said.length < 4) await new Promise((resolve) => setImmediate(resolve));
  t.match(said, [
    'last words',
    /ended unexpectedly \(exit code 3\)/,
    /\| .*last words/,
    /started again in 1 s/,
  ]);
  while (!(await isUp(url))) await new Promise((resolve) => setTimeout(resolve, 20));
  await program.end(60_000);
  t.equal(said.length, 4);
});
