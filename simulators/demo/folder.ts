/**
 * The demo's data folder: configuration (written once, then the user's), data, logs, and a note of what
 * runs, by which a later start finds what a killed one left running.
 */

import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Document } from 'yaml';
import { parseDocument } from 'yaml';
import { messageOf } from '../config.ts';
import { SimError } from '../errors.ts';
import type { DemoPorts } from './ports.ts';

export interface FolderPaths {
  folder: string;
  sim: string;
  agent: string;
  collector: string;
  /** Folder of the device profiles. */
  profiles: string;
  logs: string;
  running: string;
}

export function pathsOf(folder: string): FolderPaths {
  return {
    folder,
    sim: join(folder, 'sim.yaml'),
    agent: join(folder, 'agent.yaml'),
    collector: join(folder, 'collector.yaml'),
    profiles: join(folder, 'profiles'),
    logs: join(folder, 'logs'),
    running: join(folder, 'running.json'),
  };
}

export const DEFAULT_PORTS: DemoPorts = { http: 8080, mqtt: 1883, sim: 9872, status: 9464 };
export const DEMO_INTERVAL_MS = 2_000;

/** Creates the folder and the files that are absent. Says what it could not do by SimError. */
export function prepareFolder(paths: FolderPaths): void {
  try {
    mkdirSync(paths.logs, { recursive: true, mode: 0o700 });
    const isNew = !existsSync(paths.agent) && !existsSync(paths.collector);
    const token = randomBytes(24).toString('base64url');
    if (!existsSync(paths.sim)) writeFileSync(paths.sim, simYaml());
    // A token is a pair's: half of it is not written beside the user's other half.
    if (isNew) {
      writeFileSync(paths.agent, agentYaml(token), { mode: 0o600 });
      writeFileSync(paths.collector, collectorYaml(token), { mode: 0o600 });
      writeProfiles(paths.profiles);
    }
  } catch (error) {
    const detail = `data folder ${paths.folder}: ${messageOf(error)}`;
    throw new SimError('SIM_FILE_UNREADABLE', detail, { cause: error });
  }
  for (const file of [paths.agent, paths.collector]) {
    if (existsSync(file)) continue;
    const detail = `${file} is missing beside the other files: put it back, or remove both`;
    throw new SimError('SIM_FILE_UNREADABLE', detail);
  }
}

/** The simulator's documented sample, with a bounded truth file. */
function simYaml(): string {
  const sample = readFileSync(fileURLToPath(new URL('../devices.yaml', import.meta.url)), 'utf8');
  return sample.replace(
    /# truth:[^\n]*\n(?:#[^\n]*\n)*/,
    'truth: # a record of everything that was sent\n  path: ./truth.jsonl\n  max_bytes: 268435456 # then renamed to truth.jsonl.1 and begun anew\n',
  );
}

function agentYaml(token: string): string {
  const { mqtt, sim, status } = DEFAULT_PORTS;
  const names = ['D01', 'D02', 'D03', 'D04', 'D05'];
  const channel = (name: string, type: string): string =>
    `      ${name}: { field: ${name}, type: ${type} }\n`;
  const numbers = ['sensor1', 'sensor2', 'sensor3', 'motor1', 'motor2', 'motor3'];
  const channels =
    numbers.map((name) => channel(name, 'number')).join('') + channel('isFail', 'boolean');
  const device = (name: string): string =>
    `  - name: ${name}
    reader: http
    interval_ms: ${DEMO_INTERVAL_MS} # real FMS devices: 10000; the demo asks more often, to be live at once
    timeout_ms: 1500
    http: { url: "http://127.0.0.1:${sim}/${name}/", time_field: time, device_field: DeviceId }
    channels:
${channels}`;
  return `# The demo's agent. Written by \`npm start\` because it was absent; change it as you like.
site: demo
gateway: gw1
data_dir: ./agent
collector: { url: "mqtt://127.0.0.1:${mqtt}", token: ${token} }
status: { host: 127.0.0.1, port: ${status} }
devices:
${names.map(device).join('')}`;
}

function collectorYaml(token: string): string {
  const { http, mqtt } = DEFAULT_PORTS;
  const sha256 = createHash('sha256').update(token).digest('hex');
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `# The demo's collector. Written by \`npm start\` because it was absent; change it as you like.
data_dir: ./collector
profiles_dir: ./profiles # what is expected of the devices; read again when a file in it changes
mqtt: { host: 127.0.0.1, port: ${mqtt} }
http: { host: 127.0.0.1, port: ${http} }
access: { anonymous: viewer } # who reaches the pages may look; changing something needs a login
sites: { demo: { time_zone: ${zone}, day_start: "00:00" } }
gateways:
  - { site: demo, gateway: gw1, token_sha256: ${sha256} }
`;
}

/** The collector's own profile with the demo's interval, and where the devices stand. */
function writeProfiles(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const own = readFileSync(
    fileURLToPath(new URL('../../collector/profiles/fms.yaml', import.meta.url)),
    'utf8',
  );
  const profile = own
    .slice(own.indexOf('\nname:') + 1)
    .replace(
      /^interval_seconds: .*$/m,
      `interval_seconds: ${DEMO_INTERVAL_MS / 1_000} # real FMS devices: 10`,
    );
  const introduction =
    "# What is expected of the demo's devices. Written by `npm start` because it was absent; change it as you\n# like: it holds within a second, and a mistake is said in logs/collector.log and changes nothing.\n\n";
  const profileFile = join(folder, 'fms.yaml');
  const devicesFile = join(folder, 'devices.yaml');
  if (!existsSync(profileFile)) writeFileSync(profileFile, introduction + profile);
  if (!existsSync(devicesFile)) writeFileSync(devicesFile, DEVICES_YAML);
}

const DEVICES_YAML = `# Where the demo's devices stand. The first entry that matches a device holds; * is any text, ? any
# character. \`profile: NAME\` gives a device another profile than the profiles' own \`match\` says.
devices:
  - { site: demo, device: D01, area: Hall 1, line: Line 1 }
  - { site: demo, device: D02, area: Hall 1, line: Line 1 }
  - { site: demo, device: D03, area: Hall 1, line: Line 2 }
  - { site: demo, device: D04, area: Hall 2, line: Line 3 }
  - { site: demo, device: D05, area: Hall 2, line: Line 3 }
`;

const RETENTION_DAYS_MAX = 36_500;

/**
 * For recordings: the collector keeps readings of any age, unless its file says for how long. Old ones
 * would go to quarantine otherwise.
 */
export function keepOldReadings(paths: FolderPaths): void {
  const collector = open(paths.collector);
  if (collector.hasIn(['store', 'retention_days'])) return;
  collector.setIn(['store', 'retention_days'], RETENTION_DAYS_MAX);
  save(paths.collector, collector);
}

/** As the demo always was: a file from before there were users says nothing of who may look. */
export function letLook(paths: FolderPaths): void {
  const collector = open(paths.collector);
  if (collector.has('access')) return;
  collector.setIn(['access', 'anonymous'], 'viewer');
  save(paths.collector, collector);
}

/**
 * The ports that the files say. Those of `wanted` (options, environment) are written into the files
 * first, so that the next start without options uses them too.
 */
export function settlePorts(paths: FolderPaths, wanted: Partial<DemoPorts>): DemoPorts {
  const sim = open(paths.sim);
  const collector = open(paths.collector);
  const agent = open(paths.agent);
  const old = { ...DEFAULT_PORTS };
  old.sim = numberAt(sim, ['http', 'port']) ?? old.sim;
  old.http = numberAt(collector, ['http', 'port']) ?? old.http;
  old.mqtt = numberAt(collector, ['mqtt', 'port']) ?? old.mqtt;
  old.status = numberAt(agent, ['status', 'port']) ?? old.status;
  const ports: DemoPorts = { ...old, ...wanted };
  if (ports.sim !== old.sim) {
    sim.setIn(['http', 'port'], ports.sim);
    save(paths.sim, sim);
  }
  if (ports.http !== old.http || ports.mqtt !== old.mqtt) {
    collector.setIn(['http', 'port'], ports.http);
    collector.setIn(['mqtt', 'port'], ports.mqtt);
    save(paths.collector, collector);
  }
  if (ports.mqtt !== old.mqtt || ports.status !== old.status || ports.sim !== old.sim) {
    agent.setIn(['status', 'port'], ports.status);
    movePort(agent, ['collector', 'url'], old.mqtt, ports.mqtt);
    const devices = agent.toJS() as { devices?: unknown[] };
    for (const index of (devices.devices ?? []).keys())
      movePort(agent, ['devices', index, 'http', 'url'], old.sim, ports.sim);
    save(paths.agent, agent);
  }
  return ports;
}

/** Only a URL of this machine with the old port is the demo's own. */
function movePort(document: Document, path: (string | number)[], from: number, to: number): void {
  const url: unknown = document.getIn(path);
  if (typeof url !== 'string') return;
  const old = `://127.0.0.1:${from}`;
  if (url.includes(old)) document.setIn(path, url.replace(old, `://127.0.0.1:${to}`));
}

function numberAt(document: Document, path: string[]): number | undefined {
  const value: unknown = document.getIn(path);
  return typeof value === 'number' ? value : undefined;
}

function open(path: string): Document {
  try {
    const document = parseDocument(readFileSync(path, 'utf8'));
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document;
  } catch (error) {
    throw new SimError('SIM_FILE_UNREADABLE', `${path}: ${messageOf(error)}`, { cause: error });
  }
}

function save(path: string, document: Document): void {
  writeFileSync(path, document.toString({ lineWidth: 0 }), { mode: 0o600 });
}

/** Names of the agent's devices. */
export function deviceNames(paths: FolderPaths): string[] {
  const { devices } = open(paths.agent).toJS() as { devices?: { name?: unknown }[] };
  return (devices ?? []).map((device) => String(device.name));
}

/** The agent's configuration with other devices, its data where it was; for a replay. */
export function agentYamlWith(paths: FolderPaths, devices: object[]): string {
  const document = open(paths.agent);
  const dataDir = document.get('data_dir');
  document.set('data_dir', join(paths.folder, typeof dataDir === 'string' ? dataDir : 'agent'));
  document.set('devices', document.createNode(devices));
  document.commentBefore = ' Written anew by each `npm start -- --replay`.';
  return document.toString({ lineWidth: 0 });
}

interface Running {
  pid: number;
  children: number[];
}

/** What an earlier demo on this folder left running: its own pid and its children's, those that live. */
export function stillRunning(paths: FolderPaths): Running | undefined {
  let note: Running;
  try {
    note = JSON.parse(readFileSync(paths.running, 'utf8')) as Running;
  } catch {
    return undefined;
  }
  const isOurs = (pid: number): boolean => commandLineOf(pid)?.includes('main.ts') ?? false;
  const children = note.children.filter((pid) => isOurs(pid) && hasFolder(pid, paths.folder));
  const pid = isOurs(note.pid) ? note.pid : 0;
  return pid === 0 && children.length === 0 ? undefined : { pid, children };
}

export function noteRunning(paths: FolderPaths, children: readonly number[]): void {
  writeFileSync(paths.running, JSON.stringify({ pid: process.pid, children }));
}

export function forgetRunning(paths: FolderPaths): void {
  rmSync(paths.running, { force: true });
}

function hasFolder(pid: number, folder: string): boolean {
  return commandLineOf(pid)?.includes(folder) ?? false;
}

/** Linux only; elsewhere a taken port is what tells. */
function commandLineOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return undefined;
  }
}
