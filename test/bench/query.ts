/**
 * The page's and the API's questions to a store of 100 million readings, while 10,000 readings a second
 * come in from 1,000 devices: store, load and collector as they are, each in a process of its own.
 * `--rows N`: so many readings; `--store FOLDER`: keeps the filled store there for the next run.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runFleet } from '../../simulators/fleet.ts';
import { Random } from '../../simulators/random.ts';
import type { BenchOptions, Figures } from './main.ts';
import { quantile, Rig, round } from './rig.ts';

const READINGS = 100_000_000;
/** 100 gateways x 10 devices x 7 channels x 3 rows in every 2.1 seconds. */
const FLEET = { gateways: 100, devices: 10, channels: 7, perS: 10_000, batchIntervalMs: 2_100 };
const WARM_UP_MS = 10_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** As the page asks (collector/web/detail.js). */
const BUCKETS = 500;
const CHANNELS = 'sensor1,sensor2,sensor3,motor1,motor2,motor3,isFail';

interface Filled {
  readings: number;
  devices: number;
  from_ms: number;
  to_ms: number;
  fill_s: number;
}

interface Measured {
  rows: number;
  parts: number;
  bytes_per_reading: number;
  store_bytes_per_reading: number;
}

export async function run(options: BenchOptions): Promise<Figures> {
  const { log, seconds = 60, dataDir, args } = options;
  const readings = Number(optionOf(args, '--rows') ?? READINGS);
  if (!(readings > 0)) throw new Error('--rows wants a number of readings');
  log(`store: ${readings.toLocaleString('en')} readings of FMS devices, every 10 s for a month`);
  log(`load: ${FLEET.perS.toLocaleString('en')} readings/s of 1,000 devices beside the questions`);
  log('counted: from the request to the last byte of the answer, one after the other, of:');
  log('  month, day: all charts of a device, as the page asks; hour: the same, raw;');
  log(
    '  latest: newest values of 1,000 devices; quality: a week of a device by hour, of a site by day',
  );
  log('  points: a day of one channel thinned out to 1,000 points');
  log('bytes: of table readings, and of the whole store with roll-ups, after the load');
  log('left out: TLS; a network; the browser');
  const rig = new Rig({ name: 'query', dataDir, fleet: FLEET.gateways });
  const ending = new AbortController();
  try {
    const folder = join(rig.folder, 'data-collector', 'store');
    const filled = await filledStore(folder, readings, optionOf(args, '--store'), log);
    log(
      `filled in ${round(filled.fill_s)} s, ${round(filled.readings / filled.fill_s)} readings/s`,
    );
    const startedMs = performance.now();
    await rig.start();
    log(`the collector was ready after ${round((performance.now() - startedMs) / 1_000)} s`);
    const fleet = await startFleet(rig, ending.signal);
    await delay(WARM_UP_MS);
    const [cpuBeforeS, beganMs] = [rig.collector.cpuSeconds(), performance.now()];
    const times = await ask(rig, filled, seconds);
    const cpuS = rig.collector.cpuSeconds() - cpuBeforeS;
    const cpu = (100_000 * cpuS) / (performance.now() - beganMs);
    ending.abort();
    const { ackedReadingsPerS } = await fleet.ended;
    await rig.collector.stop();
    const measured = await inStore<Measured>(['measure', folder], log);
    log('targets: p50_ms ≤ 200; p95_ms ≤ 800; bytes_per_reading ≤ 4');
    return { ...figures(times, measured, filled, ackedReadingsPerS), cpu_percent: round(cpu) };
  } finally {
    ending.abort();
    await rig.close();
  }
}

function optionOf(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args[at + 1];
}

/** With `kept`, a folder: fills a store there, or takes the one that an earlier run left there. */
async function filledStore(
  folder: string,
  readings: number,
  kept: string | undefined,
  log: (line: string) => void,
): Promise<Filled> {
  mkdirSync(folder, { recursive: true });
  if (kept === undefined) return await inStore<Filled>(['fill', folder, String(readings)], log);
  const about = join(kept, 'filled.json');
  if (!existsSync(about)) {
    mkdirSync(join(kept, 'store'), { recursive: true });
    const made = await inStore<Filled>(['fill', join(kept, 'store'), String(readings)], log);
    writeFileSync(about, JSON.stringify(made));
  }
  cpSync(join(kept, 'store'), folder, { recursive: true });
  return JSON.parse(readFileSync(about, 'utf8')) as Filled;
}

function figures(
  times: ReadonlyMap<string, number[]>,
  measured: Measured,
  filled: Filled,
  loadPerS: number,
): Figures {
  const all = [...times.values()].flat();
  const figures: Figures = {
    p50_ms: round(quantile(all, 0.5)),
    p95_ms: round(quantile(all, 0.95)),
    questions: all.length,
  };
  for (const [name, values] of times) {
    figures[`p50_ms_${name}`] = round(quantile(values, 0.5));
    figures[`p95_ms_${name}`] = round(quantile(values, 0.95));
  }
  return {
    ...figures,
    bytes_per_reading: round(measured.bytes_per_reading),
    store_bytes_per_reading: round(measured.store_bytes_per_reading),
    readings: measured.rows,
    parts: measured.parts,
    load_readings_per_s: Math.round(loadPerS),
    fill_readings_per_s: Math.round(filled.readings / filled.fill_s),
  };
}

/** Runs query_store.ts; answers the JSON of its last line. */
async function inStore<Answer>(args: string[], log: (line: string) => void): Promise<Answer> {
  const program = fileURLToPath(new URL('query_store.ts', import.meta.url));
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = (): void => void child.kill('SIGKILL');
  process.once('exit', stop);
  let last = '';
  for await (const line of createInterface({ input: child.stdout })) {
    last = line;
    if (!line.startsWith('{')) log(line);
  }
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  process.removeListener('exit', stop);
  if (code !== 0) throw new Error(`query_store.ts ${args[0]} ended with ${code}`);
  return JSON.parse(last) as Answer;
}

async function startFleet(
  rig: Rig,
  signal: AbortSignal,
): Promise<{ ended: ReturnType<typeof runFleet> }> {
  const started = Promise.withResolvers<void>();
  const { gateways, devices, channels, perS, batchIntervalMs } = FLEET;
  const rowsPerS = perS / (gateways * devices * channels);
  const ended = runFleet(
    { ...rig.fleet, devices, channels, rowsPerS, batchIntervalMs, stateIntervalMs: 10_000 },
    { signal, onStarted: () => started.resolve(), progress: () => {} },
  );
  ended.catch(started.reject);
  await started.promise;
  return { ended };
}

/** Milliseconds of each answer, by kind of question; the kinds take turns, devices are drawn. */
async function ask(rig: Rig, filled: Filled, seconds: number): Promise<Map<string, number[]>> {
  const random = new Random(2, 'questions');
  const times = new Map<string, number[]>();
  const untilMs = performance.now() + seconds * 1_000;
  while (performance.now() < untilMs) {
    const device = `D${String(1 + random.int(filled.devices)).padStart(3, '0')}`;
    for (const [name, path] of questions(device, filled)) {
      const beganMs = performance.now();
      await answerOf(rig, path);
      const of = times.get(name) ?? [];
      times.set(name, of);
      of.push(performance.now() - beganMs);
    }
  }
  return times;
}

interface Page {
  items: unknown[];
  next: string | null;
}

/** All pages, as the web page fetches them. */
async function answerOf(rig: Rig, path: string): Promise<void> {
  let { items, next } = await rig.api<Page>(path);
  if (items.length === 0) throw new Error(`nothing was answered to ${path}`);
  while (next !== null) {
    ({ items, next } = await rig.api<Page>(`${path}&cursor=${encodeURIComponent(next)}`));
  }
}

/** As the page has it: whole minutes, or whole hours. */
function stepOf(lengthMs: number): number {
  const wanted = lengthMs / BUCKETS;
  const unit = wanted > HOUR_MS ? HOUR_MS : MINUTE_MS;
  return Math.ceil(wanted / unit) * unit;
}

function questions(device: string, { from_ms, to_ms }: Filled): [string, string][] {
  const range = (lengthMs: number): string =>
    `from=${Math.max(from_ms, to_ms - lengthMs)}&to=${to_ms}`;
  const of = `site=demo&device=${device}`;
  const chart = (lengthMs: number): string =>
    `readings?${of}&channels=${CHANNELS}&limit=10000&${range(lengthMs)}&step_ms=${stepOf(lengthMs)}`;
  return [
    ['month', chart(30 * DAY_MS)],
    ['day', chart(DAY_MS)],
    ['hour', `readings?${of}&channels=${CHANNELS}&limit=10000&order=desc&${range(DAY_MS / 24)}`],
    ['latest', 'devices?limit=1000&search=fleet'],
    ['quality_device', `quality?${of}&step=hour&${range(7 * DAY_MS)}`],
    ['quality_site', `quality?site=demo&by=site&step=day&${range(7 * DAY_MS)}`],
    ['points', `readings?${of}&channels=sensor1&points=1000&${range(DAY_MS)}`],
  ];
}
