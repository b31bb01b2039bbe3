/** packaging/compose as a plant has it: its folder after init.sh, and its Kafka as a process of this machine. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { freePort } from './free-port.ts';
import { kafkaFiles } from './kafka/cache.ts';
import { until } from './plant.ts';
import { findProgram } from './programs.ts';

export const COMPOSE = join(import.meta.dirname, '../../packaging/compose');
const START_MS = 240_000;

export interface ComposePlant {
  folder: string;
  /** Of secrets/. */
  secret(name: string): string;
  init(...names: string[]): { status: number | null; output: string };
}

/** A copy; init.sh has not run yet. Removed with the test. */
export function composePlant(t: Pick<Test, 'teardown'>): ComposePlant {
  const folder = mkdtempSync(join(tmpdir(), 'fms-compose-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const isOurs = (path: string): boolean => !/\/(secrets|config|\.env)$/.test(path);
  cpSync(COMPOSE, folder, { recursive: true, filter: isOurs });
  return {
    folder,
    secret: (name) => readFileSync(join(folder, 'secrets', name), 'utf8'),
    init: (...names) => {
      const { status, stdout, stderr } = spawnSync(join(folder, 'init.sh'), names, {
        encoding: 'utf8',
      });
      return { status, output: `${stdout}${stderr}` };
    },
  };
}

/** With its server.properties, JAAS file and cluster id; only folders and ports are other ones. Answers host:port. */
export async function startComposeKafka(t: Test, plant: ComposePlant): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'fms-compose-kafka-'));
  const ports = [await freePort(), await freePort(), await freePort()];
  const properties = join(folder, 'server.properties');
  writeFileSync(properties, propertiesFor(folder, ports));
  const java = findProgram('java') ?? 'java';
  const jvm = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  const jars = ['-cp', kafkaFiles()?.classPath ?? ''];
  const format = [
    'kafka.tools.StorageTool',
    'format',
    '--ignore-formatted',
    '--config',
    properties,
  ];
  const id = ['--cluster-id', plant.secret('kafka_cluster_id')];
  const formatted = spawnSync(java, [...jvm, ...jars, ...format, ...id], { encoding: 'utf8' });
  if (formatted.status !== 0)
    throw new Error(`${formatted.stdout}${formatted.stderr}`.slice(-2000));

  const jaas = `-Djava.security.auth.login.config=${join(plant.folder, 'secrets/kafka_jaas.conf')}`;
  const guard = findProgram('setpriv');
  const command = [...(guard === undefined ? [] : [guard, '--pdeathsig', 'KILL']), java];
  const args = [...command.slice(1), jaas, ...jvm, ...jars, 'kafka.Kafka', properties];
  const child = spawn(command[0] ?? java, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      said = `${said}${data.toString()}`.slice(-20_000);
    });
  t.teardown(async () => {
    const ended = child.exitCode === null ? once(child, 'close') : undefined;
    child.kill('SIGKILL');
    await ended;
    if (!t.passing()) t.comment(said.slice(-4_000));
    rmSync(folder, { recursive: true, force: true });
  });
  await until('Kafka serves', START_MS, () => {
    if (child.exitCode !== null) throw new Error(said.slice(-4_000));
    return said.includes('Kafka Server started');
  });
  return `127.0.0.1:${ports[0]}`;
}

function propertiesFor(folder: string, [client, internal, controller]: number[]): string {
  return readFileSync(join(COMPOSE, 'kafka/server.properties'), 'utf8')
    .replace('CLIENT://:9092', `CLIENT://127.0.0.1:${client}`)
    .replace('CLIENT://kafka:9092', `CLIENT://127.0.0.1:${client}`)
    .replaceAll('127.0.0.1:9094', `127.0.0.1:${internal}`)
    .replaceAll('127.0.0.1:9093', `127.0.0.1:${controller}`)
    .replace('/var/lib/kafka/data', join(folder, 'data'));
}
