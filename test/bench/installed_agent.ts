/**
 * The agent of the package, as its service runs it: enrolled at a real collector, mutual TLS, a buffer that is
 * encrypted. Memory and CPU at 1,000 readings/s, and the time from its start to the first reading in the buffer.
 */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { startDevices } from './agent.ts';
import { Child } from './child.ts';
import { TlsCollector } from './installed_collector.ts';
import type { Figures } from './main.ts';
import { quantile, round } from './rig.ts';

const GATEWAY = { site: 'demo', gateway: 'gw1' };
const LOAD = { devices: 20, channels: 50, intervalMs: 1_000 };
const START_LOAD = { devices: 1, channels: 7, intervalMs: 10_000 };
const STARTS = 7;
const WARM_UP_MS = 10_000;
const TIMEOUT_MS = 120_000;

interface AgentRig {
  folder: string;
  program: string;
  environment: Record<string, string>;
  devicesPort: number;
}

export async function measureAgent(
  { deb, seconds, folder }: { deb: string; seconds: number; folder: string },
  log: (line: string) => void,
): Promise<Figures> {
  log(`agent: ${LOAD.devices} HTTP devices x ${LOAD.channels} channels, each asked every second;`);
  log(`RSS (highest of two a second) and CPU (100: one core) over ${seconds} s, after 10 s, from`);
  log(
    '/proc; the program and the environment are those of the package’s service, the collector is',
  );
  log('a process beside it; left out: systemd and its sandbox, devices (in this process)');
  mkdirSync(folder, { recursive: true });
  const root = join(folder, 'root');
  execFileSync('dpkg-deb', ['-x', deb, root]);
  const devices = await startDevices();
  const collector = await TlsCollector.start(folder);
  const rig: AgentRig = {
    folder,
    program: join(root, 'usr/lib/fms-agent/fms-agent'),
    environment: environmentOf(join(root, 'usr/lib/systemd/system/fms-agent.service')),
    devicesPort: (devices.address() as AddressInfo).port,
  };
  try {
    writeFileSync(join(folder, 'buffer.key'), `${randomBytes(32).toString('hex')}\n`, {
      mode: 0o600,
    });
    const config = writeConfig(rig, START_LOAD);
    const [token = ''] = await collector.tokens([GATEWAY]);
    const enrol = new Child(['enroll', collector.url, token, '--config', config], {}, rig.program);
    await enrol.ended(TIMEOUT_MS);
    const starts = await measureStarts(rig, log);
    writeConfig(rig, LOAD);
    const load = await measureLoad(rig, { config, seconds, collector });
    log(JSON.stringify(load));
    return { ...load, ...starts };
  } finally {
    await collector.stop();
    devices.closeAllConnections();
    await new Promise((resolve) => devices.close(resolve));
  }
}

/** Of lines such as `Environment=A=1 B=2`. */
function environmentOf(unit: string): Record<string, string> {
  const lines = readFileSync(unit, 'utf8').matchAll(/^Environment=(.*)$/gm);
  return Object.fromEntries(
    [...lines].flatMap(([, text = '']) => text.split(' ').map((one) => one.split('=', 2))),
  ) as Record<string, string>;
}

/** The file is the same each time: who is enrolled stays so. */
function writeConfig({ folder, devicesPort }: AgentRig, load: typeof LOAD): string {
  const file = join(folder, 'agent.yaml');
  const channels = Object.fromEntries(
    Array.from({ length: load.channels }, (_, i) => [`c${i + 1}`, {}]),
  );
  const devices = Array.from({ length: load.devices }, (_, i) => ({
    name: `D${i + 1}`,
    reader: 'http',
    interval_ms: load.intervalMs,
    http: {
      url: `http://127.0.0.1:${devicesPort}/D${i + 1}/${load.channels}`,
      time_field: 'time',
      device_field: 'DeviceId',
    },
    channels,
  }));
  const config = {
    data_dir: './data',
    buffer: { key_file: './buffer.key' },
    status: { port: 0 },
    devices,
  };
  writeFileSync(file, stringify(config, { aliasDuplicateObjects: false }));
  return file;
}

function startAgent({ program, environment }: AgentRig, config: string): Child {
  return new Child(['run', '--config', config], environment, program);
}

async function measureLoad(
  rig: AgentRig,
  { config, seconds, collector }: { config: string; seconds: number; collector: TlsCollector },
): Promise<Figures> {
  const agent = startAgent(rig, config);
  try {
    await agent.line(/connected to the collector/, TIMEOUT_MS);
    await delay(WARM_UP_MS);
    const { stored } = await collector.ledger();
    const before = { cpu: agent.cpuSeconds(), atMs: performance.now(), stored };
    let rssMb = 0;
    while (performance.now() - before.atMs < seconds * 1_000) {
      await delay(500);
      rssMb = Math.max(rssMb, agent.rssMb());
    }
    const tookS = (performance.now() - before.atMs) / 1_000;
    const cpuS = agent.cpuSeconds() - before.cpu;
    const after = await collector.ledger();
    return {
      rss_mb: round(rssMb),
      cpu_percent: round((cpuS / tookS) * 100),
      agent_readings_per_s: Math.round((after.stored - before.stored) / tookS),
    };
  } finally {
    await agent.stop();
  }
}

/** Medians, by the clock from its start on, and by what the agent says of itself. The buffer has readings in it. */
async function measureStarts(rig: AgentRig, log: (line: string) => void): Promise<Figures> {
  const config = join(rig.folder, 'agent.yaml');
  const byClock: number[] = [];
  const byAgent: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const spawnedMs = Date.now();
    const agent = startAgent(rig, config);
    try {
      const [line] = await agent.line(
        /\{.*"message":"first reading in the buffer".*\}/,
        TIMEOUT_MS,
      );
      const { time, uptime_ms } = JSON.parse(line) as { time: string; uptime_ms: number };
      byClock.push(Date.parse(time) - spawnedMs);
      byAgent.push(uptime_ms);
    } finally {
      await agent.stop();
    }
  }
  log(`starts to the first reading in the buffer: ${byClock.join(', ')} ms`);
  return {
    first_reading_ms: quantile(byClock, 0.5),
    first_reading_ms_max: Math.max(...byClock),
    first_reading_uptime_ms: quantile(byAgent, 0.5),
  };
}
