/**
 * From kill -9 of the collector to live again: with 1,000 devices, a day of their readings behind it, and
 * all of them sending. A supervisor starts it anew at once; agents come back by themselves.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { runFleet } from '../../simulators/fleet.ts';
import type { FleetCounts } from '../../simulators/fleet-options.ts';
import { backfill } from './backfill.ts';
import type { BenchOptions, Figures } from './main.ts';
import { quantile, Rig, round } from './rig.ts';

const GATEWAYS = 100;
const DEVICES_EACH = 10;
const CHANNELS = 7;
const INTERVAL_MS = 10_000;
const HOURS = 24;
const ROUNDS = 5;
/** Before each kill: two snapshots of the state are due in the meantime, more or less. */
const LIVE_MS = 45_000;
/** How often the real agent reads its device. */
const PROBE_INTERVAL_MS = 250;
const ASK_EVERY_MS = 20;
const LIVE_TIMEOUT_MS = 120_000;

/** `--hours=N` of readings behind it instead of 24; `--rounds=N` kills instead of 5. */
export async function run({ log, dataDir, args }: BenchOptions): Promise<Figures> {
  const option = (name: string, otherwise: number): number =>
    Number(args.find((arg) => arg.startsWith(`--${name}=`))?.split('=')[1] ?? otherwise);
  const hours = option('hours', HOURS);
  const rounds = option('rounds', ROUNDS);
  log(
    `load: ${GATEWAYS} gateways x ${DEVICES_EACH} devices x ${CHANNELS} channels every ${INTERVAL_MS / 1_000} s, ${hours} h of it sent before`,
  );
  log('counted: from SIGKILL, the process started again at once, until /api/v1/readings returns a');
  log(
    'reading that a real agent took after the kill (its backoff included); median of the rounds;',
  );
  log('ready: until /readyz says yes; fleet: until all 100 simulated gateways are connected');
  log('left out: TLS; a network; the reboot of a machine');
  const rig = new Rig({ name: 'restart', dataDir, fleet: GATEWAYS });
  try {
    await rig.start();
    const readings = await backfill(
      rig,
      { gateways: GATEWAYS, devices: DEVICES_EACH, channels: CHANNELS, intervalMs: INTERVAL_MS },
      hours,
      log,
    );
    return { ...(await measure(rig, rounds, log)), readings_before: readings };
  } finally {
    await rig.close();
  }
}

async function measure(rig: Rig, rounds: number, log: (line: string) => void): Promise<Figures> {
  const devicesPort = await rig.startDevices(1);
  const agent = await rig.startAgent({ devicesPort, devices: 1, intervalMs: PROBE_INTERVAL_MS });
  const ending = new AbortController();
  const started = Promise.withResolvers<Readonly<FleetCounts>>();
  const fleet = runFleet(
    {
      ...rig.fleet,
      devices: DEVICES_EACH,
      channels: CHANNELS,
      rowsPerS: 1_000 / INTERVAL_MS,
      batchIntervalMs: INTERVAL_MS,
      stateIntervalMs: 10_000,
    },
    { signal: ending.signal, onStarted: started.resolve, progress: () => {} },
  );
  fleet.catch(started.reject);
  const counts = await started.promise;
  const all: Round[] = [];
  for (let n = 1; n <= rounds; n++) {
    await delay(LIVE_MS);
    const one = await killOnce(rig, counts);
    all.push(one);
    log(
      `kill ${n}: live after ${one.liveS.toFixed(2)} s, ready ${one.readyS.toFixed(2)} s, fleet ${one.fleetS.toFixed(2)} s`,
    );
  }
  const rssMb = rig.collector.rssMb();
  ending.abort();
  await Promise.all([fleet, agent.stop()]);
  const totals = await rig.settled(LIVE_TIMEOUT_MS);
  log('targets: seconds ≤ 5');
  return {
    seconds: round(
      quantile(
        all.map(({ liveS }) => liveS),
        0.5,
      ),
    ),
    seconds_max: round(Math.max(...all.map(({ liveS }) => liveS))),
    ready_s: round(
      quantile(
        all.map(({ readyS }) => readyS),
        0.5,
      ),
    ),
    fleet_s: round(
      quantile(
        all.map(({ fleetS }) => fleetS),
        0.5,
      ),
    ),
    rounds,
    rss_mb: Math.round(rssMb),
    duplicates: totals.duplicates,
    balance: totals.balance,
    ...(await rig.deepCheck()),
    not_stored_once: totals.stored - totals.rows_in_store,
  };
}

interface Round {
  liveS: number;
  readyS: number;
  fleetS: number;
}

async function killOnce(rig: Rig, fleet: Readonly<FleetCounts>): Promise<Round> {
  const killedMs = Date.now();
  await rig.kill();
  const sinceKillS = () => (Date.now() - killedMs) / 1_000;
  const ready = rig.start().then(sinceKillS);
  const live = awaited(sinceKillS, async () => {
    const { items } = await rig.api<{ items: unknown[] }>(
      `readings?site=demo&device=D01&channels=sensor1&from=${killedMs}&limit=1`,
    );
    return items.length > 0;
  });
  const back = awaited(sinceKillS, async () => fleet.connected === GATEWAYS);
  const [readyS, liveS, fleetS] = await Promise.all([ready, live, back]);
  return { readyS, liveS, fleetS };
}

/** Asks until it is so; errors count as not yet. */
async function awaited(sinceKillS: () => number, isSo: () => Promise<boolean>): Promise<number> {
  while (!(await isSo().catch(() => false))) {
    if (sinceKillS() * 1_000 > LIVE_TIMEOUT_MS) throw new Error('not live again');
    await delay(ASK_EVERY_MS);
  }
  return sinceKillS();
}
