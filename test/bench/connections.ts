/**
 * Thousands of gateways on one whole collector (broker, log, processor, writer, store, API), each with a
 * batch every 10 s: its memory and CPU, the time to PUBACK, and how soon all are back after a restart.
 */

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runFleet } from '../../simulators/fleet.ts';
import type { FleetCounts, FleetOptions, FleetReport } from '../../simulators/fleet-options.ts';
import { fleetDefaults } from '../../simulators/fleet-options.ts';
import { Child } from './child.ts';
import type { BenchOptions, Figures } from './main.ts';

const GATEWAYS = 5_000;
const BATCH_INTERVAL_MS = 10_000;
/** What agents do by default. */
const STATE_INTERVAL_MS = 10_000;
const START_TIMEOUT_MS = 60_000;
const RECONNECT_TIMEOUT_MS = 120_000;
const MAIN = fileURLToPath(new URL('../../collector/main.ts', import.meta.url));

/** `--gateways=N` takes another number than 5,000. */
export async function run({ log, seconds = 30, dataDir, args }: BenchOptions): Promise<Figures> {
  const count = Number(args.find((arg) => /^--gateways=\d+$/.test(arg))?.slice(11) ?? GATEWAYS);
  log(`load: ${count} gateways, 5 devices x 7 channels each, a batch of 35 readings every 10 s`);
  log(
    `and a state of each every ${STATE_INTERVAL_MS / 1_000} s, as agents send it; batches_only_*: without these`,
  );
  log('counted: RSS and CPU (100: one core) of the whole collector, from /proc; publish to PUBACK');
  log('left out: TLS; the generator is another process on the same machine; TCP over loopback');
  const folder = mkdtempSync(join(dataDir ?? tmpdir(), 'fms-connections-'));
  const setup = await prepare(folder, count);
  let collector = await start(setup);
  try {
    const options: FleetOptions = {
      ...fleetDefaults,
      url: `mqtt://127.0.0.1:${setup.mqttPort}`,
      apiUrl: `http://127.0.0.1:${setup.httpPort}`,
      tokenOf: () => setup.token,
      gateways: count,
      rowsPerS: 1_000 / BATCH_INTERVAL_MS,
      batchIntervalMs: BATCH_INTERVAL_MS,
      stateIntervalMs: STATE_INTERVAL_MS,
      seconds,
    };
    log('batches only:');
    const plain = await steady({ ...options, stateIntervalMs: 0 }, collector, log);
    log('batches and states:');
    const states = await steady(options, collector, log);
    log('restart:');
    const restart = await reconnection(options, log, async () => {
      await collector.stop();
      collector = await start(setup);
    });
    log('targets: rss_mb ≤ 900; p99_ms ≤ 500; reconnect_s ≤ 30');
    return {
      ...states,
      ...restart,
      ...Object.fromEntries(Object.entries(plain).map(([name, v]) => [`batches_only_${name}`, v])),
    };
  } finally {
    await collector.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Setup {
  configFile: string;
  mqttPort: number;
  httpPort: number;
  token: string;
}

/** The ports stay the same over a restart, so they are chosen here. */
async function prepare(folder: string, count: number): Promise<Setup> {
  mkdirSync(folder, { recursive: true });
  const token = randomBytes(24).toString('hex');
  const [mqttPort, httpPort] = [await freePort(), await freePort()];
  const gateways = Array.from(
    { length: count },
    (_, i) => `  - { site: demo, gateway: fleet${i + 1}, token: "${token}" }`,
  );
  const configFile = join(folder, 'collector.yaml');
  const lines = [
    'data_dir: ./data',
    `mqtt: { host: 127.0.0.1, port: ${mqttPort} }`,
    `http: { host: 127.0.0.1, port: ${httpPort} }`,
    'access: { this_machine: admin }',
    'gateways:',
    ...gateways,
  ];
  writeFileSync(configFile, `${lines.join('\n')}\n`);
  return { configFile, mqttPort, httpPort, token };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function start(setup: Setup): Promise<Child> {
  const collector = new Child([MAIN, 'run', '--config', setup.configFile]);
  const untilMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const ready = await fetch(`http://127.0.0.1:${setup.httpPort}/readyz`).catch(() => undefined);
    if (ready?.ok === true) return collector;
    if (performance.now() > untilMs || collector.process.exitCode !== null) {
      await collector.stop();
      throw new Error(`the collector did not get ready: ${collector.output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function steady(
  options: FleetOptions,
  collector: Child,
  log: (line: string) => void,
): Promise<Figures> {
  let cpu = { seconds: 0, atMs: 0 };
  let rssMb = 0;
  let cpuPercent = 0;
  const beganMs = performance.now();
  let connectS = 0;
  const report = await runFleet(options, {
    signal: new AbortController().signal,
    onStarted: () => {
      connectS = (performance.now() - beganMs) / 1_000;
      cpu = { seconds: collector.cpuSeconds(), atMs: performance.now() };
    },
    progress: (line, counts) => {
      log(line);
      rssMb = Math.max(rssMb, collector.rssMb());
      // Not in the drain, when nothing is due any more.
      if (cpu.atMs === 0 || counts.dueBatches >= totalBatches(options)) return;
      const wallS = (performance.now() - cpu.atMs) / 1_000;
      cpuPercent = ((collector.cpuSeconds() - cpu.seconds) / wallS) * 100;
    },
  });
  return {
    rss_mb: Math.round(rssMb),
    cpu_percent: Math.round(cpuPercent),
    p50_ms: round(report.p50Ms),
    p99_ms: round(report.p99Ms),
    connect_s: round(connectS),
    readings_per_s: Math.round(report.ackedReadings / report.seconds),
    unacked_batches: report.unackedBatches,
    unaccounted_readings: unaccounted(report),
  };
}

function totalBatches({ gateways, batchIntervalMs, seconds = 0 }: FleetOptions): number {
  return (seconds * 1_000 * gateways) / batchIntervalMs;
}

function unaccounted({ ledger, ackedReadings }: FleetReport): number | string {
  return ledger === undefined ? 'not asked' : ackedReadings - ledger.stored - ledger.quarantined;
}

/** From the signal to the old process until every gateway is connected to the new one. */
async function reconnection(
  options: FleetOptions,
  log: (line: string) => void,
  restart: () => Promise<void>,
): Promise<Figures> {
  const ending = new AbortController();
  const started = Promise.withResolvers<Readonly<FleetCounts>>();
  const fleet = runFleet(
    { ...options, seconds: undefined },
    { signal: ending.signal, onStarted: started.resolve, progress: (line) => log(line) },
  );
  fleet.catch(started.reject);
  const counts = await started.promise;
  const beganMs = performance.now();
  await restart();
  const downS = (performance.now() - beganMs) / 1_000;
  while (counts.connected < options.gateways) {
    if (performance.now() - beganMs > RECONNECT_TIMEOUT_MS) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const backS = (performance.now() - beganMs) / 1_000;
  const missing = options.gateways - counts.connected;
  ending.abort();
  const report = await fleet;
  return {
    restart_s: round(downS),
    reconnect_s: missing === 0 ? round(backS) : `${missing} not back`,
    resent_batches: report.resentBatches,
    restart_unaccounted_readings: unaccounted(report),
  };
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
