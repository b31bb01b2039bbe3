/**
 * The plant of compose.yaml as processes of this machine: Kafka with its settings, the two collectors with the
 * configuration and the secrets that init.sh made, and a gateway that enrols at `intake` and sends readings. What
 * stands for ClickHouse is the tests' own front before the same engine.
 */

import type { ChildProcess } from 'node:child_process';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import t from 'tap';
import { parse, stringify } from 'yaml';
import { openKafkaLog } from '../../collector/log/kafka.ts';
import { startClickHouseFront } from '../support/clickhouse-front.ts';
import type { ComposePlant } from '../support/compose-plant.ts';
import { COMPOSE, composePlant, startComposeKafka } from '../support/compose-plant.ts';
import { freePort } from '../support/free-port.ts';
import { kafkaMissing } from '../support/kafka/cache.ts';
import { until } from '../support/plant.ts';
import { whyNotWithout } from '../support/programs.ts';
import { silentLogger } from '../support/silent-logger.ts';

const ROOT = join(import.meta.dirname, '../..');
const WAIT_MS = 240_000;
const skip = kafkaMissing() || whyNotWithout('openssl');
t.setTimeout(1_200_000);

interface Service {
  command: string[];
  environment: Record<string, string>;
}

t.test('from init.sh to a reading of a gateway that enrolled', { skip }, async (t) => {
  const plant = composePlant(t);
  t.equal(plant.init('localhost').status, 0);
  const kafka = await startComposeKafka(t, plant);
  await t.rejects(openWith(kafka, 'wrong'), { code: 'LOG_REFUSED' }, 'not without the password');
  const password = plant.secret('clickhouse_password');
  const front = await startClickHouseFront(t, { users: { fms: { password } } });

  const compose = parse(readFileSync(join(COMPOSE, 'compose.yaml'), 'utf8'), { merge: true }) as {
    services: Record<'intake' | 'collector', Service>;
  };
  const at = { kafka, clickhouse: front.config().url, mqtt: await freePort() };
  const intake = await startService(t, plant, 'intake', {
    ...at,
    service: compose.services.intake,
  });
  const core = await startService(t, plant, 'collector', {
    ...at,
    service: compose.services.collector,
  });
  for (const one of [intake, core]) {
    await until('it is ready', WAIT_MS, () => one.isReady());
    t.match(await one.command('health', '--ready'), { code: 0, output: /^ready/ });
  }

  const invited = await core.command('gateway', 'add', 'plant/gateway-1', '--json');
  const token = /fms-gw1\.[\w-]+\.[\w-]+/.exec(invited.output)?.[0] ?? '';
  if (token === '') throw new Error(`no token: ${invited.output}`);
  const config = await agentConfig(t);
  const agent = join(ROOT, 'agent/main.ts');
  const url = `mqtts://localhost:${at.mqtt}`;
  const enrolled = await run([agent, 'enroll', url, token, '--config', config], {});
  t.equal(enrolled.code, 0, 'the gateway has its certificate');
  const child = spawn(process.execPath, [agent, 'run', '--config', config], { stdio: 'ignore' });
  endWith(t, child);

  const question = 'SELECT count() FROM fms.readings WHERE device = {device:String}';
  const asked = new URL(
    `/?${new URLSearchParams({ query: question, param_device: 'press-1' })}`,
    at.clickhouse,
  );
  const headers = { 'X-ClickHouse-User': 'fms', 'X-ClickHouse-Key': password };
  await until('the reading is stored', WAIT_MS, async () => {
    return Number(await (await fetch(asked, { headers })).text()) > 0;
  });
  const listed = await core.command('gateway', 'list');
  t.match(listed.output, /plant\/gateway-1\s+enrolled/);
});

interface Running {
  /** What /readyz says; whoever answers is believed. */
  isReady(): Promise<boolean>;
  /** `docker compose exec SERVICE fms-collector …` */
  command(...args: string[]): Promise<{ code: number; output: string }>;
}

/** With the service's own command line and environment; only addresses and folders are other ones. */
async function startService(
  t: Test,
  plant: ComposePlant,
  name: string,
  at: { kafka: string; clickhouse: string; mqtt: number; service: Service },
): Promise<Running> {
  const folder = join(plant.folder, `data-${name}`);
  mkdirSync(folder);
  const config = join(folder, 'collector.yaml');
  const text = readFileSync(join(plant.folder, 'config/collector.yaml'), 'utf8')
    .replaceAll('/run/secrets/', `${plant.folder}/secrets/`)
    .replace('/var/lib/fms-collector', folder)
    .replaceAll('host: 0.0.0.0', 'host: 127.0.0.1')
    .replace('kafka:9092', at.kafka)
    .replace('http://clickhouse:8123', at.clickhouse);
  writeFileSync(config, text);
  const port = await freePort();
  const env = {
    ...at.service.environment,
    FMS_COLLECTOR_CONFIG: config,
    FMS_COLLECTOR_HTTP__PORT: String(port),
    FMS_COLLECTOR_HTTP__ADVERTISED_HOST: '127.0.0.1',
    FMS_COLLECTOR_MQTT__TLS__PORT: String(at.mqtt),
  };
  const main = join(ROOT, 'collector/main.ts');
  const child = spawn(process.execPath, [main, ...at.service.command], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      said += data.toString();
    });
  endWith(t, child, () => t.comment(`${name}: ${said.slice(-4_000)}`));
  return { isReady: () => isReady(port), command: (...args) => run([main, ...args], env) };
}

async function isReady(port: number): Promise<boolean> {
  const options = { host: '127.0.0.1', port, path: '/readyz', rejectUnauthorized: false };
  return await new Promise((resolve) => {
    const asked = request(options, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.once('error', () => resolve(false)).end();
  });
}

function endWith(t: Test, child: ChildProcess, onFailure?: () => void): void {
  t.teardown(async () => {
    const ended = child.exitCode === null && !child.signalCode ? once(child, 'close') : undefined;
    child.kill('SIGKILL');
    await ended;
    if (!t.passing()) onFailure?.();
  });
}

async function run(args: string[], env: object): Promise<{ code: number; output: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, ...env },
    });
    return { code: 0, output: `${stdout}${stderr}` };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: `${stdout}${stderr}` };
  }
}

/** A gateway with one device, which answers here. */
async function agentConfig(t: Test): Promise<string> {
  const server = createServer((_, answer) => {
    answer.setHeader('content-type', 'application/json');
    answer.end(JSON.stringify({ time: new Date().toISOString(), sensor1: 21.5 }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const folder = t.testdir({ data: {} });
  const file = join(folder, 'agent.yaml');
  const device = {
    name: 'press-1',
    reader: 'http',
    interval_ms: 1_000,
    http: { url: `http://127.0.0.1:${port}/`, time_field: 'time' },
    channels: { temperature: { field: 'sensor1', type: 'number' } },
  };
  writeFileSync(file, stringify({ data_dir: './data', status: { port: 0 }, devices: [device] }));
  return file;
}

function openWith(broker: string, password: string): ReturnType<typeof openKafkaLog> {
  return openKafkaLog({
    kafka: {
      brokers: [broker],
      topicPrefix: 'fms',
      replication: 1,
      minInsync: 1,
      tls: undefined,
      sasl: { mechanism: 'plain', username: 'fms', password },
    },
    partitions: 1,
    maxBytes: 1 << 30,
    retentionBytes: 1 << 30,
    retentionMs: 3_600_000,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
}
