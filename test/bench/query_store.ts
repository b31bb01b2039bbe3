/**
 * A store for the query bench, in a process of its own (the engine opens a folder once a process):
 * `node query_store.ts fill FOLDER READINGS [DEVICES]` makes readings of the FMS devices, every 10 s for a month (of
 * so many devices: for as long as it takes), as the writer would have inserted them, and their roll-ups; `measure
 * FOLDER` says how large it is. The last line that it prints is JSON.
 */

import { fileURLToPath } from 'node:url';
import { openChdbStore } from '../../collector/store/chdb.ts';
import { ReadingBlock } from '../../collector/store/reading_block.ts';
import {
  dayStatements,
  hourStatements,
  minuteStatement,
} from '../../collector/store/rollup/statements.ts';
import type { Store } from '../../collector/store/store.ts';
import type { ChunkColumns, Series } from '../../proto/model.ts';
import { loadDevicesConfig } from '../../simulators/config.ts';
import { Random } from '../../simulators/random.ts';
import { SignalSource } from '../../simulators/signal.ts';

const SITE = 'demo';
const INTERVAL_MS = 10_000;
const DAYS = 30;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** Midnight in Asia/Seoul, UTC. */
const DAY_START_MS = 15 * 3_600_000;
const DEVICES_PER_GATEWAY = 8;
/** An insert of the writer while it catches up. */
const BLOCK_READINGS = 200_000;
/** Of the readings: their values are far from those before. */
const OUTLIERS = 0.001;
const OUTLIER_BIT = 1 << 8;
const LIMITS = { timeoutMs: 600_000, maxRows: 100, maxMemoryBytes: 4 * 1024 ** 3 };

const [action, folder, count, ofDevices] = process.argv.slice(2);
if (folder === undefined)
  throw new Error('usage: query_store.ts fill|measure FOLDER [READINGS [DEVICES]]');
const store = await openChdbStore({ path: folder, retentionDays: 365 });
await store.migrate();
const answer =
  action === 'fill'
    ? await fill(store, Number(count), Number(ofDevices ?? 0))
    : await measure(store);
await store.close();
process.stdout.write(`${JSON.stringify(answer)}\n`);

interface Gateway {
  name: string;
  epoch: string;
  nextSeq: number;
  series: Series[];
  sources: SignalSource[];
}

function gatewaysOf(devices: number): Gateway[] {
  const path = fileURLToPath(new URL('../../simulators/devices.yaml', import.meta.url));
  const { devices: likes } = loadDevicesConfig(path);
  const gateways: Gateway[] = [];
  for (let d = 0; d < devices; d++) {
    const like = likes[d % likes.length]!;
    const device = nameOf(d);
    if (d % DEVICES_PER_GATEWAY === 0) {
      const number = gateways.length + 1;
      const epoch = number.toString(16).padStart(16, '0');
      gateways.push({ name: `history${number}`, epoch, nextSeq: 1, series: [], sources: [] });
    }
    const gateway = gateways.at(-1)!;
    for (const [channel, signal] of like.channels) {
      gateway.series.push({ device, channel, kind: 2, start: gateway.series.length, count: 1 });
      gateway.sources.push(new SignalSource(signal, new Random(1, `${device}/${channel}`)));
    }
  }
  return gateways;
}

function nameOf(device: number): string {
  return `D${String(device + 1).padStart(3, '0')}`;
}

/** One cycle of one gateway: a chunk as it comes every 10 s. */
function chunkOf({ series, sources }: Gateway, cycleMs: number, random: Random): ChunkColumns {
  const n = series.length;
  const timesMs = new Float64Array(n);
  const numbers = new Float64Array(n);
  let device = '';
  let timeMs = cycleMs;
  for (let i = 0; i < n; i++) {
    if (series[i]!.device !== device) {
      device = series[i]!.device;
      timeMs = cycleMs + 1 + random.int(12);
    }
    timesMs[i] = timeMs;
    numbers[i] = Number(sources[i]!.draw().value);
  }
  const clock = { boot: '0'.repeat(16), wallMs: cycleMs, monoMs: 0, unsynced: false };
  const qualities = new Uint8Array(n);
  return { clock, series, timesMs, numbers, texts: new Map(), qualities, rejects: [] };
}

/** `ofDevices` 0: as many as have a month each. */
async function fill(
  store: Store,
  readings: number,
  ofDevices: number,
): Promise<Record<string, number>> {
  const cyclesMax = (DAYS * DAY_MS) / INTERVAL_MS;
  const devices = ofDevices || Math.max(1, Math.round(readings / (7 * cyclesMax)));
  const wanted = Math.ceil(readings / (7 * devices));
  const cycles = ofDevices > 0 ? wanted : Math.min(cyclesMax, wanted);
  const endMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  const startMs = endMs - cycles * INTERVAL_MS;
  const gateways = gatewaysOf(devices);
  const random = new Random(1, 'arrivals');
  const beganMs = performance.now();
  let made = 0;
  let logOffset = 0;
  let block = new ReadingBlock();
  let inserting: Promise<void> = Promise.resolve();
  for (let cycle = 0; cycle < cycles; cycle++) {
    const cycleMs = startMs + cycle * INTERVAL_MS;
    for (const gateway of gateways) {
      const columns = chunkOf(gateway, cycleMs, random);
      const receivedMs = cycleMs + 120 + random.int(300);
      const { name, epoch, nextSeq } = gateway;
      logOffset += 1 + random.int(2);
      const place = { site: SITE, gateway: name, epoch, receivedMs, logPartition: 0, logOffset };
      const n = columns.qualities.length;
      const findings = { findings: OUTLIER_BIT, treatment: 1, values: undefined } as const;
      const isOutlier = random.next() < OUTLIERS * n;
      const said = isOutlier ? [{ firstSeq: nextSeq + random.int(n), count: 1, ...findings }] : [];
      block.add(place, columns, nextSeq, said);
      gateway.nextSeq += n;
    }
    if (block.count < BLOCK_READINGS && cycle < cycles - 1) continue;
    await inserting;
    made += block.count;
    inserting = store.insertReadings(block, `fill ${made}`);
    inserting.catch(() => undefined);
    block = new ReadingBlock();
    if (made % 5_000_000 < BLOCK_READINGS) process.stdout.write(`filled ${made}\n`);
  }
  await inserting;
  const fillS = (performance.now() - beganMs) / 1_000;
  await describe(store, gateways, startMs, endMs);
  await rollUp(store, devices, startMs, endMs);
  return { readings: made, devices, from_ms: startMs, to_ms: endMs, fill_s: fillS };
}

/** What the processor says of the devices, and table devices. */
async function describe(
  store: Store,
  gateways: readonly Gateway[],
  startMs: number,
  endMs: number,
): Promise<void> {
  await store.catchUpDevices(0);
  const states = gateways.flatMap(({ name, series }) =>
    [...Map.groupBy(series, ({ device }) => device)].map(([device, of]) => ({
      site: SITE,
      device,
      gateway: name,
      area: '',
      line: '',
      profile: 'fms',
      intervalMs: INTERVAL_MS,
      channels: JSON.stringify(of.map(({ channel }) => channel)),
      state: 'online' as const,
      firstReceivedMs: startMs,
      lastReceivedMs: endMs,
      lastMs: endMs,
      updatedMs: startMs,
    })),
  );
  await store.insert('device_states', states, 'states');
}

/** As the roll-ups' own worker does it, device by device. */
async function rollUp(
  store: Store,
  devices: number,
  startMs: number,
  endMs: number,
): Promise<void> {
  const days: number[] = [];
  const first = Math.floor((startMs - DAY_START_MS) / DAY_MS) * DAY_MS + DAY_START_MS;
  for (let at = first; at < endMs + DAY_MS; at += DAY_MS) days.push(at);
  const range = { from: days[0]! / MINUTE_MS, to: days.at(-1)! / MINUTE_MS };
  // A statement holds what it groups in memory: a month of minutes at a time.
  const monthMinutes = (DAYS * DAY_MS) / MINUTE_MS;
  const months: (typeof range)[] = [];
  for (let { from } = range; from < range.to; from += monthMinutes)
    months.push({ from, to: Math.min(from + monthMinutes, range.to) });
  const version = Date.now();
  for (let d = 0; d < devices; d++) {
    const of = { devices: [{ site: SITE, device: nameOf(d), channels: 7 }], cells: 0 };
    const slice = { ...of, ranges: [range] };
    for (const { sql, params } of [
      ...months.map((month) => minuteStatement({ ...of, ranges: [month] }, version)),
      ...hourStatements(slice, version),
      ...dayStatements(slice, days, version),
    ]) {
      await store.execute(sql, params, LIMITS);
    }
    if (d % 10 === 9) process.stdout.write(`rolled up ${d + 1} of ${devices} devices\n`);
  }
  await store.execute(
    `INSERT INTO rollup_positions SELECT 'filled', 0, 1, ${endMs + DAY_MS}, ${version}`,
    {},
    LIMITS,
  );
}

async function measure(store: Store): Promise<Record<string, number>> {
  const rows = await store.query<{ table: string; bytes: number; rows: number; parts: number }>(
    `SELECT table, sum(bytes_on_disk) AS bytes, sum(rows) AS rows, count() AS parts FROM system.parts
WHERE active AND database = currentDatabase() GROUP BY table`,
    {},
    LIMITS,
  );
  const readings = rows.find(({ table }) => table === 'readings');
  const all = rows.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    rows: readings?.rows ?? 0,
    parts: readings?.parts ?? 0,
    bytes_per_reading: (readings?.bytes ?? 0) / (readings?.rows ?? 1),
    store_bytes_per_reading: all / (readings?.rows ?? 1),
  };
}
