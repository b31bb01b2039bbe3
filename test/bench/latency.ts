/**
 * From the moment that a reading was taken until the API returns it from the store: devices, agent and
 * collector as real processes, first alone, then beside a fleet of 10,000 readings a second.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { runFleet } from '../../simulators/fleet.ts';
import type { BenchOptions, Figures } from './main.ts';
import { quantile, Rig } from './rig.ts';

export const DEVICES = 5;
const CHANNELS = 7;
export const INTERVAL_MS = 1_000;
/** 100 gateways x 2 devices x 7 channels x about 7 rows a second. */
export const FLEET = { gateways: 100, devices: 2, perS: 10_000 };
const WARM_UP_MS = 5_000;
/** Between two questions while a reading is awaited: what is measured is at most so much too long. */
const ASK_EVERY_MS = 10;
/** So often the view is asked instead of the store. */
const VIEW_EVERY = 5;
/** The next reading of a device is not asked for earlier than so long before it is due. */
const EARLY_MS = 50;

export async function run({ log, seconds = 120, dataDir }: BenchOptions): Promise<Figures> {
  log(
    `live: ${DEVICES} simulated devices x ${CHANNELS} channels every second, read over HTTP by one agent`,
  );
  log(`load: the same beside a fleet of ${FLEET.perS.toLocaleString('en')} readings/s`);
  log('counted: the time that the device put into its answer, until /api/v1/readings returns the');
  log('row from the store; asked again every 10 ms, which is in the figures; view: the same until');
  log('/api/v1/devices shows it (every fifth time). Default settings throughout');
  log('left out: TLS; a network; all processes share this machine and its clock');
  const rig = new Rig({ name: 'latency', dataDir, fleet: FLEET.gateways });
  try {
    await rig.start();
    const devicesPort = await rig.startDevices(DEVICES);
    await rig.startAgent({ devicesPort, devices: DEVICES, intervalMs: INTERVAL_MS });
    await delay(WARM_UP_MS);
    const live = await sample(rig, seconds / 2);
    log(`live: ${live.store.length} rows`);
    const loaded = await beside(rig, seconds / 2, log);
    const totals = await rig.totals();
    log('targets: p99_ms_live ≤ 700; p99_ms_load ≤ 1,200');
    return {
      ...figures('live', live),
      ...figures('load', loaded.samples),
      load_readings_per_s: Math.round(loaded.readingsPerS),
      balance: totals.balance,
    };
  } finally {
    await rig.close();
  }
}

export interface Samples {
  store: number[];
  view: number[];
}

function figures(name: string, { store, view }: Samples): Figures {
  return {
    [`p50_ms_${name}`]: Math.round(quantile(store, 0.5)),
    [`p99_ms_${name}`]: Math.round(quantile(store, 0.99)),
    [`max_ms_${name}`]: Math.round(quantile(store, 1)),
    [`p50_ms_${name}_view`]: Math.round(quantile(view, 0.5)),
    [`p99_ms_${name}_view`]: Math.round(quantile(view, 0.99)),
    [`rows_${name}`]: store.length,
  };
}

/** While a fleet sends so much. */
export async function beside(
  rig: Rig,
  seconds: number,
  log: (line: string) => void,
): Promise<{ samples: Samples; readingsPerS: number }> {
  const ending = new AbortController();
  const started = Promise.withResolvers<void>();
  const fleet = runFleet(
    {
      ...rig.fleet,
      devices: FLEET.devices,
      channels: CHANNELS,
      rowsPerS: FLEET.perS / (FLEET.gateways * FLEET.devices * CHANNELS),
      stateIntervalMs: 10_000,
    },
    { signal: ending.signal, onStarted: () => started.resolve(), progress: log },
  );
  fleet.catch(started.reject);
  await started.promise;
  await delay(WARM_UP_MS);
  const samples = await sample(rig, seconds);
  ending.abort();
  return { samples, readingsPerS: (await fleet).ackedReadingsPerS };
}

/** Each device is followed by itself; the row that was already there at the start is not counted. */
async function sample(rig: Rig, seconds: number): Promise<Samples> {
  const samples: Samples = { store: [], view: [] };
  const untilMs = Date.now() + seconds * 1_000;
  await Promise.all(
    Array.from({ length: DEVICES }, (_, i) => follow(rig, `D0${i + 1}`, untilMs, samples)),
  );
  return samples;
}

async function follow(rig: Rig, device: string, untilMs: number, samples: Samples): Promise<void> {
  let lastMs = (await newestStored(rig, device, 0)) ?? 0;
  for (let n = 0; Date.now() < untilMs; n++) {
    const asked = n % VIEW_EVERY === 0 ? newestShown : newestStored;
    await delay(Math.max(0, lastMs + INTERVAL_MS - EARLY_MS - Date.now()));
    const timeMs = await asked(rig, device, lastMs + 1);
    const afterMs = Date.now();
    if (timeMs === undefined) {
      await delay(ASK_EVERY_MS);
      n--;
      continue;
    }
    (asked === newestStored ? samples.store : samples.view).push(afterMs - timeMs);
    lastMs = timeMs;
  }
}

/** If it took so long that two came, the older one counts. */
async function newestStored(rig: Rig, device: string, fromMs: number): Promise<number | undefined> {
  const order = fromMs === 0 ? 'desc' : 'asc';
  const { items } = await rig.api<{ items: { time_ms: number }[] }>(
    `readings?site=demo&device=${device}&channels=sensor1&from=${fromMs}&order=${order}&limit=1`,
  );
  return items[0]?.time_ms;
}

async function newestShown(rig: Rig, device: string, fromMs: number): Promise<number | undefined> {
  const { items } = await rig.api<{
    items: { channels: { channel: string; time_ms: number }[] }[];
  }>(`devices?site=demo&device=${device}`);
  const timeMs = items[0]?.channels.find(({ channel }) => channel === 'sensor1')?.time_ms;
  return timeMs !== undefined && timeMs >= fromMs ? timeMs : undefined;
}
