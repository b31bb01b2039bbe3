/**
 * The collector's image: the Dockerfile is linted, then built by running its steps, and what comes out is run as a
 * container is: read-only, as its own user, without capabilities.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { stringify } from 'yaml';
import { Quality } from '../../proto/model.ts';
import { containerTool, whyWithout } from '../support/container-tools.ts';
import { freePort } from '../support/free-port.ts';
import type { BuiltImage } from '../support/image/build.ts';
import { buildImage } from '../support/image/build.ts';
import { Container, containersMissing } from '../support/image/container.ts';
import { parseDockerfile } from '../support/image/dockerfile.ts';
import { isIgnored, readIgnoreFile } from '../support/image/ignore.ts';
import { until } from '../support/plant.ts';
import { Publisher } from '../support/publisher.ts';

const ROOT = join(import.meta.dirname, '../..');
const FILE = join(ROOT, 'packaging/image/Dockerfile');
const PROGRAM = '/opt/fms-collector';
const WAIT_MS = 300_000;
/** The base of the image has to be made once per machine. */
const TEST_MS = 1_200_000;
t.setTimeout(TEST_MS);
const text = readFileSync(FILE, 'utf8');

const hadolint = containerTool('hadolint');
t.test('hadolint has nothing to say', { skip: whyWithout(hadolint) }, async (t) => {
  const { status, stdout } = spawnSync(hadolint.path, [FILE], { encoding: 'utf8' });
  t.equal(stdout, '');
  t.equal(status, 0);
  const bad = spawnSync(hadolint.path, ['-'], {
    input: 'FROM debian\nRUN sudo ls\n',
    encoding: 'utf8',
  });
  t.not(bad.status, 0, 'it does find mistakes');
});

t.test('what the Dockerfile must say', async (t) => {
  const { global, stages } = parseDockerfile(text);
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string }>;
  };
  const node = lock.packages['node_modules/node']?.version;
  t.match(global[0]?.text, `NODE_IMAGE=node:${node}-trixie-slim`, 'the Node of package-lock.json');
  const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const last = stages.at(-1);
  t.ok(
    last?.instructions.some(
      ({ name, text }) => name === 'ARG' && text === `VERSION=${own.version}`,
    ),
  );
  t.ok(stages.length > 1, 'several stages');
  t.notMatch(text, /\bADD\b|curl|wget|\bsudo\b|latest/);
  t.notMatch(text, /(token|password|secret|key)\s*=/i, 'no secret in a layer');
  const copies = last?.instructions.filter(({ name }) => name === 'COPY') ?? [];
  t.same(
    copies.filter(({ flags }) => !flags.has('from')).map(({ text }) => text),
    ['packaging/image/collector.yaml /etc/fms-collector/collector.yaml'],
  );
});

t.test('the build sees little, and no secret', async (t) => {
  const rules = readIgnoreFile(`${FILE}.dockerignore`);
  const listed = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' });
  const files = listed.split('\0').filter((file) => file !== '' && existsSync(join(ROOT, file)));
  const sent = files.filter((file) => !isIgnored(rules, file));
  const bytes = sent.reduce((sum, file) => sum + statSync(join(ROOT, file)).size, 0);
  t.ok(sent.includes('collector/main.ts') && sent.includes('package-lock.json'));
  t.ok(bytes > 1_000_000 && bytes < 8_000_000, `${sent.length} files, ${bytes} bytes`);
  const folders = new Set(sent.map((file) => file.split('/')[0]));
  t.same([...folders].sort(), [
    'LICENSE',
    'collector',
    'package-lock.json',
    'package.json',
    'packaging',
    'proto',
  ]);
  for (const file of [
    '.git/config',
    '.env',
    'node_modules/a/b.js',
    'collector/.env',
    'collector/web/dist/index.html',
    'collector/a/node_modules/b/c.js',
    'packaging/compose/secrets/ca.key',
    'fms-data/log.sqlite',
  ])
    t.ok(isIgnored(rules, file), `${file} stays here`);
});

t.test('the reader of Dockerfiles leaves nothing out in silence', async (t) => {
  t.throws(() => parseDockerfile('FROM a\nADD b c\n'), /ADD is not known/);
  t.throws(() => parseDockerfile('FROM a\nRUN <<EOF\nls\nEOF\n'), /heredocs/);
  t.throws(() => parseDockerfile('FROM a\nRUN a \\\n'), /does not end/);
  t.throws(() => parseDockerfile('RUN a\n'), /before the first FROM/);
});

t.test('built by its own steps, and run', { skip: containersMissing() }, async (t) => {
  t.setTimeout(TEST_MS);
  const say = (line: string): void => t.comment(line);
  const image = buildImage({ context: ROOT, file: FILE, say });
  const holds = (path: string): boolean =>
    image.layers.some((layer) => existsSync(join(layer, path)));

  t.test('what is in it', async (t) => {
    for (const path of ['collector/main.ts', 'proto/fms.proto', 'collector/web/dist/index.html'])
      t.ok(holds(join(PROGRAM, path)), path);
    for (const path of [
      ...['agent', 'test', 'simulators', 'docs', '.git', 'collector/web/src', 'collector/grafana'],
      ...['node_modules/vite', 'node_modules/tap', 'node_modules/node', 'node_modules/react'],
      'node_modules/better-sqlite3/src',
    ])
      t.notOk(holds(join(PROGRAM, path)), `no ${path}`);
    t.equal(image.user, '10001:10001');
    t.same(image.volumes, ['/var/lib/fms-collector']);
    t.same(image.ports, [8883, 8080]);
    t.match(image.labels.get('org.opencontainers.image.licenses'), 'Apache-2.0');
    t.match(image.labels.get('org.opencontainers.image.version'), /^\d+\.\d+\.\d+$/);
  });

  await t.test('from nothing to a reading, and over a restart', (t) => firstReading(t, image));
  await t.test('without the embedded engine', (t) => withoutEngine(t, image));
});

/** As a user's file that is mounted over that of the image. */
function configFile(t: Test, ports: { http: number; tls: number }, more: object = {}): string {
  const file = join(t.testdir(), 'collector.yaml');
  const own = {
    data_dir: '/var/lib/fms-collector',
    mqtt: { plain: false, tls: { host: '127.0.0.1', port: ports.tls } },
    http: { host: '127.0.0.1', port: ports.http, tls: {} },
    access: { anonymous: 'viewer' },
    sites: { plant1: { time_zone: 'Asia/Seoul', day_start: '06:00' } },
    gateways: [{ site: 'plant1', gateway: 'gw1', token: 'token-of-the-test' }],
    ...more,
  };
  writeFileSync(file, stringify(own));
  return file;
}

async function firstReading(t: Test, image: BuiltImage): Promise<void> {
  t.setTimeout(TEST_MS);
  const ports = { http: await freePort(), tls: await freePort() };
  const files = { [configFile(t, ports)]: '/etc/fms-collector/collector.yaml' };
  const container = new Container(image);
  t.teardown(() => container.remove());

  container.start({ files, hostname: 'collector.plant.example' });
  await untilReady(container, ports.http);
  t.same(await container.exec(...image.healthcheck, '--ready'), { code: 0, output: 'ready\n' });
  t.equal(container.status('Uid').split('\t')[0], '10001', 'not root');
  t.match(container.status('CapEff'), /^0+$/, 'no capability');
  t.equal(container.status('NoNewPrivs'), '1');
  const touched = await container.exec(
    'sh',
    '-c',
    'touch /opt/x /etc/x /home/x /var/x; touch /tmp/x',
  );
  t.match(touched.output, /\/opt\/x.*Read-only file system/);
  t.equal(touched.code, 0, '/tmp can be written');
  const authority = await container.exec('stat', '-c', '%a %U', '/var/lib/fms-collector/ca');
  t.equal(authority.output.trim(), '700 fms-collector');
  const user = await container.exec('fms-collector', 'user', 'add', 'kim', 'admin');
  t.equal(user.code, 0, 'the first admin is made inside');

  const ca = readFileSync(join(container.volume, 'ca/authority.crt'), 'utf8');
  const publisher = await Publisher.connect({
    port: ports.tls,
    site: 'plant1',
    gateway: 'gw1',
    token: 'token-of-the-test',
    ca,
  });
  const timeMs = Date.now();
  await publisher.readings([
    { device: 'press-1', channel: 'temperature', timeMs, value: 21.5, quality: Quality.GOOD },
  ]);
  await publisher.close();
  const stored = async (): Promise<boolean> =>
    (await ask(ports.http, '/api/v1/devices', ca)).includes('press-1');
  await until('the reading is stored', WAIT_MS, stored);
  t.pass('the reading is on the page');

  t.equal(await container.stop(), 0, 'SIGTERM to process 1 is a clean end');
  t.match(container.output, /"msg":"ended"/);
  container.start({ files, hostname: 'collector.plant.example' });
  await untilReady(container, ports.http);
  await until('it is still there', WAIT_MS, stored);
  t.equal(await container.stop(), 0);
}

/** The image for a ClickHouse server (STORE=server): the engine is looked for only where it is the store. */
async function withoutEngine(t: Test, image: BuiltImage): Promise<void> {
  t.setTimeout(TEST_MS);
  const ports = { http: await freePort(), tls: await freePort() };
  const away = `127.0.0.1:${await freePort()}`;
  const file = configFile(t, ports, { store: { clickhouse: { url: `http://${away}` } } });
  const container = new Container(image);
  t.teardown(() => container.remove());
  const files = { [file]: '/etc/fms-collector/collector.yaml' };
  container.start({ files, emptied: [`${PROGRAM}/node_modules/@chdb`] });
  const missed = async (): Promise<boolean> => {
    if (!container.runs) throw new Error(`it ended: ${container.output}`);
    return (await ask(ports.http, '/readyz')).includes('STORE_UNAVAILABLE');
  };
  await until('the server is missed', WAIT_MS, missed);
  const alive = await container.exec(...image.healthcheck);
  t.same(alive, { code: 0, output: 'alive\n' });
  const ready = await container.exec(...image.healthcheck, '--ready');
  t.equal(ready.code, 1);
  t.match(ready.output, /^not ready: .*store \(STORE_UNAVAILABLE/);
  t.equal(await container.stop(), 0);
}

async function untilReady(container: Container, port: number): Promise<void> {
  await until('it is ready', WAIT_MS, async () => {
    if (!container.runs) throw new Error(`it ended: ${container.output}`);
    return (await ask(port, '/readyz')).startsWith('{"ready":true');
  });
}

/** Without `ca` whoever answers is believed. Rejects while nobody does. */
async function ask(port: number, path: string, ca?: string): Promise<string> {
  const options = {
    host: '127.0.0.1',
    port,
    path,
    ...(ca ? { ca } : { rejectUnauthorized: false }),
  };
  return await new Promise<string>((resolve, reject) => {
    const asked = request(options, async (answer) => {
      resolve(Buffer.concat(await answer.toArray()).toString());
    });
    asked.once('error', reject).end();
  });
}
