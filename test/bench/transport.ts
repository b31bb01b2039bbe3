/**
 * Readings a second from the fleet's publish to PUBACK, which the broker sends when the batch is durable
 * in the log (SQLite, synchronous=FULL). Broker and log run in a process of their own, the generator in
 * this one; both share the machine.
 */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runFleet } from '../../simulators/fleet.ts';
import type { FleetOptions } from '../../simulators/fleet-options.ts';
import { fleetDefaults } from '../../simulators/fleet-options.ts';
import type { FleetMode } from '../../simulators/fleet-source.ts';
import { Child } from './child.ts';
import type { BenchOptions, Figures } from './main.ts';

const GATEWAYS = 10;
/** 5 devices x 7 channels x 29 rows: 1,015 readings a batch. */
const ROWS_PER_BATCH = 29;
const BATCH_READINGS = 35 * ROWS_PER_BATCH;
/** More than any machine does: the windows of the gateways set the pace. */
const DEMANDED_PER_S = 4_000 * BATCH_READINGS;
const STEADY_PER_S = 500_000;
const WARM_UP_S = 2;

export async function run({ log, seconds = 10, dataDir }: BenchOptions): Promise<Figures> {
  log(
    'counted: readings whose PUBACK came, after a warm-up; CPU of the process with broker and log',
  );
  log(
    `load: ${GATEWAYS} gateways, batches of ${BATCH_READINGS} readings, window ${fleetDefaults.window}`,
  );
  log('left out: processor, writer and store do not run; TCP over loopback');
  const folder = mkdtempSync(join(dataDir ?? tmpdir(), 'fms-transport-'));
  const token = randomBytes(16).toString('hex');
  const intake = new Child([fileURLToPath(new URL('intake.ts', import.meta.url)), folder, token]);
  try {
    const port = Number((await intake.line(/port=(\d+)/, 20_000))[1]);
    const options = (mode: FleetMode, perS: number): FleetOptions => ({
      ...fleetDefaults,
      url: `mqtt://127.0.0.1:${port}`,
      tokenOf: () => token,
      gateways: GATEWAYS,
      mode,
      batchIntervalMs: ((GATEWAYS * BATCH_READINGS) / perS) * 1_000,
      rowsPerS: perS / 35 / GATEWAYS,
      seconds: seconds + WARM_UP_S,
      drainMs: 10_000,
    });
    log(
      'as fast as it goes; values drawn and chunks encoded before, numbered, CRC and zstd each time:',
    );
    const most = await measure(options('chunks', DEMANDED_PER_S), intake, log);
    log(`open loop at ${STEADY_PER_S} readings/s; values drawn and encoded each time:`);
    const steady = await measure(options('live', STEADY_PER_S), intake, log);
    log('targets: readings_per_s ≥ 500,000; cpu_us_per_reading ≤ 1');
    return {
      ...most,
      steady_readings_per_s: steady.readings_per_s!,
      steady_p50_ms: steady.p50_ms!,
      steady_p99_ms: steady.p99_ms!,
      steady_cpu_us_per_reading: steady.cpu_us_per_reading!,
    };
  } finally {
    await intake.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Sample {
  atMs: number;
  readings: number;
  bytes: number;
  intakeCpuS: number;
  generatorCpuS: number;
}

async function measure(
  options: FleetOptions,
  intake: Child,
  log: (line: string) => void,
): Promise<Figures> {
  const samples: Sample[] = [];
  let started = false;
  const report = await runFleet(options, {
    signal: new AbortController().signal,
    onStarted: () => {
      started = true;
    },
    progress: (line, counts) => {
      log(line);
      if (!started) return;
      const own = process.cpuUsage();
      samples.push({
        atMs: performance.now(),
        readings: counts.ackedReadings,
        bytes: counts.sentBytes,
        intakeCpuS: intake.cpuSeconds(),
        generatorCpuS: (own.user + own.system) / 1e6,
      });
    },
  });
  const first = samples[WARM_UP_S - 1];
  // The last one may lie in the drain.
  const last = samples.at(-2);
  if (first === undefined || last === undefined || last.atMs <= first.atMs) {
    throw new Error(`too short to measure: ${samples.length} samples`);
  }
  const readings = last.readings - first.readings;
  const perS = (readings / (last.atMs - first.atMs)) * 1_000;
  return {
    readings_per_s: Math.round(perS),
    batches_per_s: Math.round((perS / report.sentReadings) * report.sentBatches),
    cpu_us_per_reading: round(((last.intakeCpuS - first.intakeCpuS) / readings) * 1e6),
    generator_cpu_us_per_reading: round(
      ((last.generatorCpuS - first.generatorCpuS) / readings) * 1e6,
    ),
    bytes_per_reading: round(report.sentBytes / report.sentReadings),
    p50_ms: round(report.p50Ms),
    p99_ms: round(report.p99Ms),
    intake_rss_mb: Math.round(intake.rssMb()),
    unacked_batches: report.unackedBatches,
  };
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
