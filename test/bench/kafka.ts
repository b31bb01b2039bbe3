/**
 * The collector as processes of one component each over a real Kafka, beside the same as one process with
 * everything embedded: throughput with 1, 2 and 4 partitions and what limits it, the time from a reading to
 * the answer of a query, and how long a broker that dies is felt.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { runFleet } from '../../simulators/fleet.ts';
import type { FleetCounts } from '../../simulators/fleet-options.ts';
import { KafkaCluster } from '../support/kafka.ts';
import { cpuSecondsOf } from './child.ts';
import { CHANNELS, closedLoop, DEVICES, GATEWAYS } from './closed_loop.ts';
import * as latency from './latency.ts';
import type { BenchOptions, Figures } from './main.ts';
import { quantile, Rig, round } from './rig.ts';
import { CpuWatch } from './threads.ts';

/** chDB opens its folder once: who writes also serves. */
const PROCESSES = { intake: ['intake'], process: ['process'], write: ['write', 'serve'] } as const;
const EMBEDDED = { collector: ['intake', 'process', 'write', 'serve'] } as const;
const PARTITIONS = [1, 2, 4] as const;
/** Whose latency and recovery are measured, and with which the embedded one is compared. */
const MAIN_PARTITIONS = 2;
const THROUGHPUT_S = 20;
const LATENCY_S = 20;
const WARM_UP_MS = 5_000;
const AHEAD_MAX = 200_000;
const DRAIN_MS = 60_000;
const RECOVERY_MAX_S = 120;
/** As fast as before: no more is under way than so many times what was before the kill. */
const RECOVERED = 2;
const ASK_EVERY_MS = 100;

type Log = (line: string) => void;

interface Throughput {
  readingsPerS: number;
  /** By process. */
  cpuUs: Record<string, number>;
  bottleneck: string;
  notStoredOnce: number;
  balance: number;
}

/** `--seconds N`: of each measurement, instead of 20. */
export async function run({ log, seconds, dataDir }: BenchOptions): Promise<Figures> {
  const load = `${GATEWAYS} gateways x ${DEVICES} devices x ${CHANNELS} channels`;
  log(
    `processes: intake, process, write with serve (chDB), one Kafka broker (JVM), all on this machine`,
  );
  log(
    `throughput: ${load}, at most ${AHEAD_MAX.toLocaleString('en')} readings sent and not yet found;`,
  );
  log('counted: rows that a query finds within the time; CPU over all of them, drain included');
  log(
    `latency: ${latency.DEVICES} devices read by an agent beside 10,000 readings/s, 2 partitions`,
  );
  log(
    'recovery: kill -9 of the broker under that load, started again at once, until no more is on',
  );
  log('its way than before. Left out: replication, TLS, a network, real disks’ sync');
  const times = { throughput: seconds ?? THROUGHPUT_S, latency: seconds ?? LATENCY_S };
  // Each on a store of its own: the roll-ups of millions of readings would be in the latencies.
  const embedded = {
    throughput: await withRig('embedded', dataDir, undefined, (rig) =>
      throughput(rig, { collector: rig.collector.pid }, times.throughput, log),
    ),
    latency: await withRig('embedded-latency', dataDir, undefined, (rig) =>
      loaded(rig, times.latency, log),
    ),
  };
  const kafka = await KafkaCluster.start();
  try {
    const byPartitions = new Map<number, Throughput>();
    let latencies: Figures = {};
    let recovery: Figures = {};
    for (const partitions of PARTITIONS) {
      await withRig('kafka', dataDir, { kafka, partitions }, async (rig) => {
        const measured = await throughput(rig, pidsOf(rig, kafka), times.throughput, log);
        log(
          `${partitions} partitions: ${measured.readingsPerS} readings/s; ${measured.bottleneck}`,
        );
        byPartitions.set(partitions, measured);
      });
    }
    const apart = { kafka, partitions: MAIN_PARTITIONS, topicPrefix: 'latency' };
    await withRig('kafka-latency', dataDir, apart, async (rig) => {
      latencies = await loaded(rig, times.latency, log);
      recovery = await recover(rig, kafka, log);
    });
    return report(embedded, byPartitions, latencies, recovery, log);
  } finally {
    await kafka.close();
  }
}

interface OnKafka {
  kafka: KafkaCluster;
  partitions: number;
  topicPrefix?: string;
}

async function withRig<T>(
  name: string,
  dataDir: string | undefined,
  on: OnKafka | undefined,
  measure: (rig: Rig) => Promise<T>,
): Promise<T> {
  const log = on && {
    partitions: on.partitions,
    kafka: {
      brokers: on.kafka.bootstrap,
      topic_prefix: on.topicPrefix ?? `bench${on.partitions}`,
      replication: 1,
      min_insync: 1,
    },
  };
  const rig = new Rig({
    name,
    dataDir,
    fleet: GATEWAYS,
    processes: on === undefined ? EMBEDDED : PROCESSES,
    collector: log === undefined ? {} : { log },
  });
  try {
    await rig.start();
    return await measure(rig);
  } finally {
    await rig.close();
  }
}

function pidsOf(rig: Rig, kafka: KafkaCluster): Record<string, number> {
  const pids: Record<string, number> = { kafka: kafka.nodes[0]?.pid ?? 0 };
  for (const name of Object.keys(PROCESSES)) pids[name] = rig.process(name).pid;
  return pids;
}

async function throughput(
  rig: Rig,
  pids: Record<string, number>,
  seconds: number,
  log: Log,
): Promise<Throughput> {
  const all = { ...pids, generator: process.pid };
  const cpuOf = (): Record<string, number> =>
    Object.fromEntries(Object.entries(all).map(([name, pid]) => [name, cpuSecondsOf(pid)]));
  let before: Record<string, number> = {};
  let watch: CpuWatch | undefined;
  let bottleneck = '';
  let last = { atS: 0, queryable: 0 };
  const sent = await closedLoop(rig, {
    seconds,
    ahead: AHEAD_MAX,
    onStarted: () => {
      before = cpuOf();
    },
    onAnswer: (atS, queryable) => {
      if (atS <= seconds) last = { atS, queryable };
      // The first half warms up.
      if (atS >= seconds / 2) watch ??= new CpuWatch(all);
      if (atS >= seconds && bottleneck === '') bottleneck = watch?.shares().bottleneck ?? '';
    },
    progress: (made, queryable) =>
      log(`${made.toLocaleString('en')} sent, ${queryable.toLocaleString('en')} queryable`),
  });
  await rig.untilStored(sent.ackedReadings, DRAIN_MS);
  const after = cpuOf();
  const totals = await rig.settled(DRAIN_MS);
  const cpuUs = Object.fromEntries(
    Object.keys(all).map((name) => {
      const us = (((after[name] ?? 0) - (before[name] ?? 0)) / totals.rows_in_store) * 1e6;
      return [name, round(us)];
    }),
  );
  return {
    readingsPerS: Math.round(last.queryable / last.atS),
    cpuUs,
    bottleneck,
    notStoredOnce: sent.ackedReadings - totals.rows_in_store - totals.quarantined,
    balance: totals.balance,
  };
}

async function loaded(rig: Rig, seconds: number, log: Log): Promise<Figures> {
  const devicesPort = await rig.startDevices(latency.DEVICES);
  await rig.startAgent({
    devicesPort,
    devices: latency.DEVICES,
    intervalMs: latency.INTERVAL_MS,
  });
  await delay(WARM_UP_MS);
  const { samples } = await latency.beside(rig, seconds, log);
  return {
    p50_ms: Math.round(quantile(samples.store, 0.5)),
    p99_ms: Math.round(quantile(samples.store, 0.99)),
    latency_rows: samples.store.length,
  };
}

async function recover(rig: Rig, kafka: KafkaCluster, log: Log): Promise<Figures> {
  const ending = new AbortController();
  const started = Promise.withResolvers<Readonly<FleetCounts>>();
  const before = await rig.totals();
  const fleet = runFleet(
    {
      ...rig.fleet,
      devices: latency.FLEET.devices,
      channels: CHANNELS,
      rowsPerS: latency.FLEET.perS / (latency.FLEET.gateways * latency.FLEET.devices * CHANNELS),
      stateIntervalMs: 10_000,
    },
    { signal: ending.signal, onStarted: started.resolve, progress: log },
  );
  fleet.catch(started.reject);
  const counts = await started.promise;
  const known = before.rows_in_store + before.quarantined;
  const underWay = async (): Promise<{ sent: number; found: number }> => {
    const { rows_in_store, quarantined } = await rig.totals();
    return { sent: counts.sentReadings, found: rows_in_store + quarantined - known };
  };
  await delay(WARM_UP_MS);
  const usual: number[] = [];
  for (let i = 0; i < 20; i++) {
    const { sent, found } = await underWay();
    usual.push(sent - found);
    await delay(ASK_EVERY_MS);
  }
  const bound = quantile(usual, 1) * RECOVERED;
  await kafka.kill(0);
  const killedMs = performance.now();
  const sentBefore = counts.sentReadings;
  const secondsSince = (): number => (performance.now() - killedMs) / 1_000;
  await kafka.restart(0);
  const restartS = secondsSince();
  let firstS = Number.NaN;
  for (;;) {
    const { sent, found } = await underWay();
    if (Number.isNaN(firstS) && found > sentBefore) firstS = secondsSince();
    if (!Number.isNaN(firstS) && sent - found <= bound) break;
    if (secondsSince() > RECOVERY_MAX_S) throw new Error(`${sent - found} readings are under way`);
    await delay(ASK_EVERY_MS);
  }
  const recoveryS = secondsSince();
  ending.abort();
  const sent = await fleet;
  await rig.untilStored(known + sent.ackedReadings, DRAIN_MS);
  const totals = await rig.settled(DRAIN_MS);
  return {
    recovery_s: round(recoveryS),
    recovery_first_reading_s: round(firstS),
    broker_restart_s: round(restartS),
    recovery_balance: totals.balance,
    recovery_in_flight: totals.in_flight,
    ...(await rig.deepCheck()),
  };
}

function report(
  embedded: { throughput: Throughput; latency: Figures },
  byPartitions: ReadonlyMap<number, Throughput>,
  latencies: Figures,
  recovery: Figures,
  log: Log,
): Figures {
  const main = byPartitions.get(MAIN_PARTITIONS);
  if (main === undefined) throw new Error('not measured');
  const figures: Figures = { readings_per_s: main.readingsPerS, ...latencies };
  for (const [name, us] of Object.entries(main.cpuUs)) figures[`cpu_us_per_reading_${name}`] = us;
  for (const [partitions, measured] of byPartitions) {
    figures[`readings_per_s_${partitions}_partitions`] = measured.readingsPerS;
    figures[`bottleneck_${partitions}_partitions`] = measured.bottleneck;
    figures[`not_stored_once_${partitions}_partitions`] = measured.notStoredOnce;
    figures[`balance_${partitions}_partitions`] = measured.balance;
  }
  Object.assign(figures, recovery);
  figures.embedded_readings_per_s = embedded.throughput.readingsPerS;
  figures.embedded_p50_ms = embedded.latency.p50_ms ?? Number.NaN;
  figures.embedded_p99_ms = embedded.latency.p99_ms ?? Number.NaN;
  figures.embedded_cpu_us_per_reading = embedded.throughput.cpuUs.collector ?? Number.NaN;
  figures.embedded_bottleneck = embedded.throughput.bottleneck;
  figures.throughput_ratio = round(main.readingsPerS / embedded.throughput.readingsPerS);
  figures.p99_ratio = round(Number(latencies.p99_ms) / Number(embedded.latency.p99_ms));
  log('targets: readings_per_s ≥ 60,000; p99_ms ≤ 2,000; recovery_s ≤ 30');
  log('for docs/BENCHMARKS.md:');
  for (const row of markdown(figures, byPartitions)) log(row);
  return figures;
}

function markdown(figures: Figures, byPartitions: ReadonlyMap<number, Throughput>): string[] {
  const each = (of: (one: Throughput) => number): string =>
    [...byPartitions.values()].map((one) => of(one).toLocaleString('en')).join(' / ');
  const us = Object.entries(byPartitions.get(MAIN_PARTITIONS)?.cpuUs ?? {});
  const embedded = Number(figures.embedded_readings_per_s).toLocaleString('en');
  const on = [...byPartitions.keys()].join(' / ');
  return [
    `| \`kafka\` | readings/s from MQTT publish to queryable through Kafka, ${on} partitions (embedded, same run: ${embedded}) | ${each(({ readingsPerS }) => readingsPerS)} | ≥ 60,000 |`,
    `| | limited by, ${MAIN_PARTITIONS} partitions | ${figures[`bottleneck_${MAIN_PARTITIONS}_partitions`]} | |`,
    `| | µs CPU a reading: ${us.map(([name]) => name).join(' / ')} (embedded: ${figures.embedded_cpu_us_per_reading}) | ${us.map(([, of]) => of).join(' / ')} | |`,
    `| | reading taken → returned by the API under 10,000 readings/s, p50 / p99 (embedded: ${figures.embedded_p50_ms} / ${figures.embedded_p99_ms}) | ${figures.p50_ms} / ${figures.p99_ms} ms | p99 ≤ 2,000 |`,
    `| | kill -9 of the broker, started again at once, until no more is on its way than before | ${figures.recovery_s} s | ≤ 30 |`,
  ];
}
