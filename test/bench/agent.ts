/**
 * The agent as a gateway runs it: a process of its own that reads HTTP devices, buffers on the disk and
 * delivers to a broker. Memory, CPU, and the time from its start to the first reading in the buffer.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { TestBroker } from '../support/test-broker.ts';
import { startTestBroker } from '../support/test-broker.ts';
import { Child } from './child.ts';
import type { BenchOptions, Figures } from './main.ts';

const MAIN = fileURLToPath(new URL('../../agent/main.ts', import.meta.url));
const TIMEOUT_MS = 60_000;
const WARM_UP_S = 10;
const STARTS = 7;

/** Devices, channels each, interval: each makes 1,000 readings a second. */
const LOADS: Readonly<Record<string, Load>> = {
  '': { devices: 20, channels: 50, intervalMs: 1_000 },
  polls_50_: { devices: 50, channels: 20, intervalMs: 1_000 },
  polls_143_: { devices: 143, channels: 7, intervalMs: 1_000 },
};

interface Load {
  devices: number;
  channels: number;
  intervalMs: number;
}

/** `--load=main` (or polls_50, polls_143) measures that one only; `--starts` only the starts. */
export async function run({ log, seconds = 60, dataDir, args }: BenchOptions): Promise<Figures> {
  log(
    'counted: RSS (highest) and CPU (100: one core) of the agent alone, from /proc; default buffer',
  );
  log(
    'load: 20 HTTP devices x 50 channels each second; then the same readings of 50 x 20 and 143 x 7,',
  );
  log('for a request costs more than what it brings: the figures polls_50_* and polls_143_*');
  log('start: from spawn to the first reading committed; warm: compiled code is in the cache');
  log('left out: devices and broker, which run in this process; TLS');
  const folder = mkdtempSync(join(dataDir ?? tmpdir(), 'fms-agent-bench-'));
  const devices = await startDevices();
  const broker = await startTestBroker();
  const rig = { folder, broker, devicesPort: (devices.address() as AddressInfo).port };
  try {
    const only = args.find((arg) => arg.startsWith('--load='))?.slice(7);
    const starts = only === undefined ? await measureStarts(rig, log) : {};
    if (args.includes('--starts')) return starts;
    const figures: Figures = {};
    for (const [prefix, load] of Object.entries(LOADS)) {
      if (only !== undefined && prefix !== (only === 'main' ? '' : `${only}_`)) continue;
      const measured = await measureLoad(rig, load, seconds, log);
      for (const [name, value] of Object.entries(measured)) figures[`${prefix}${name}`] = value;
    }
    log('targets: rss_mb ≤ 100; cpu_percent ≤ 3; start_ms ≤ 500');
    return { ...figures, ...starts };
  } finally {
    devices.closeAllConnections();
    await new Promise((resolve) => devices.close(resolve));
    await broker.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Rig {
  folder: string;
  broker: TestBroker;
  devicesPort: number;
}

/** Answers /DEVICE/CHANNELS with so many channels that wander. */
export async function startDevices(): Promise<Server> {
  let step = 0;
  const server = createServer((request, response) => {
    const [, device = '', channels = '0'] = (request.url ?? '').split('/');
    const values = Array.from({ length: Number(channels) }, (_, i): [string, number] => [
      `c${i + 1}`,
      Math.round((20 + i + 3 * Math.sin(step++ / 997 + i)) * 100) / 100,
    ]);
    const row = { time: new Date().toISOString(), DeviceId: device, ...Object.fromEntries(values) };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(row));
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function writeConfig(rig: Rig, name: string, load: Load): string {
  const folder = join(rig.folder, name);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'agent.yaml');
  const channels = Object.fromEntries(
    Array.from({ length: load.channels }, (_, i) => [`c${i + 1}`, {}]),
  );
  const devices = Array.from({ length: load.devices }, (_, i) => ({
    name: `D${i + 1}`,
    reader: 'http',
    interval_ms: load.intervalMs,
    http: {
      url: `http://127.0.0.1:${rig.devicesPort}/D${i + 1}/${load.channels}`,
      time_field: 'time',
      device_field: 'DeviceId',
    },
    channels,
  }));
  const config = {
    site: 'bench',
    gateway: 'gw1',
    data_dir: './data',
    collector: { url: rig.broker.url, token: 'bench' },
    status: { port: 0 },
    devices,
  };
  writeFileSync(path, stringify(config, { aliasDuplicateObjects: false }));
  return path;
}

function spawnAgent(config: string, cache: string): Child {
  return new Child([MAIN, 'run', '--config', config], { FMS_AGENT_COMPILE_CACHE: cache });
}

async function measureLoad(
  rig: Rig,
  load: Load,
  seconds: number,
  log: (line: string) => void,
): Promise<Figures> {
  const { devices, channels } = load;
  const config = writeConfig(rig, `load-${devices}`, load);
  const agent = spawnAgent(config, join(rig.folder, 'cache'));
  try {
    await agent.line(/connected to the collector/, TIMEOUT_MS);
    await delay(WARM_UP_S * 1_000);
    const before = { cpu: agent.cpuSeconds(), atMs: performance.now(), readings: count(rig) };
    let rss = 0;
    while (performance.now() - before.atMs < seconds * 1_000) {
      await delay(500);
      rss = Math.max(rss, agent.rssMb());
    }
    const tookS = (performance.now() - before.atMs) / 1_000;
    const percent = ((agent.cpuSeconds() - before.cpu) / tookS) * 100;
    const figures = {
      rss_mb: round(rss),
      cpu_percent: round(percent),
      readings_per_s: Math.round((count(rig) - before.readings) / tookS),
    };
    log(`${devices} devices x ${channels} channels: ${JSON.stringify(figures)}`);
    return figures;
  } finally {
    await agent.stop();
  }
}

function count({ broker }: Rig): number {
  return broker.acked.reduce(
    (sum, batch) => sum + batch.chunks.reduce((all, chunk) => all + chunk.count, 0),
    0,
  );
}

/** Medians. The first start of all finds an empty cache; the same configuration, an empty buffer. */
async function measureStarts(rig: Rig, log: (line: string) => void): Promise<Figures> {
  const cold: number[] = [];
  const warm: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const config = writeConfig(rig, `start-${i}`, { devices: 1, channels: 7, intervalMs: 10_000 });
    cold.push(await measureStart(config, join(rig.folder, `cache-${i}`)));
    warm.push(await measureStart(config, join(rig.folder, `cache-${i}`)));
  }
  log(`starts, cold: ${cold.join(', ')} ms; warm: ${warm.join(', ')} ms`);
  return { start_ms: median(warm), start_ms_max: Math.max(...warm), cold_start_ms: median(cold) };
}

async function measureStart(config: string, cache: string): Promise<number> {
  const spawnedMs = Date.now();
  const agent = spawnAgent(config, cache);
  try {
    const [, time = ''] = await agent.line(
      /"time":"([^"]+)","level":"info","message":"first reading in the buffer"/,
      TIMEOUT_MS,
    );
    return Date.parse(time) - spawnedMs;
  } finally {
    await agent.stop();
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
