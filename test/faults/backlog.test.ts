/**
 * Millions of readings (one, in the short form) were buffered while the collector was away, and the gateway lost its power. The
 * agent starts on that backlog, goes on reading, and drains it with flat memory; afterwards the store
 * holds exactly what was buffered.
 *
 * Alone: `node test/faults/backlog.test.ts --seed N` (and `--readings N`: 1,000,000, in the
 * long form 10,000,000).
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { readTruth } from '../../simulators/truth.ts';
import { FORM_TIMEOUT_MS, ofForm } from '../support/form.ts';
import { Plant, repository, run, seedOfRun } from '../support/plant.ts';
import type { Filled } from './support/fill-buffer.ts';
import type { SeriesSum, StoreSums } from './support/store-sums.ts';

/** The requirement is 2 s on a machine that does nothing else: that figure is a comment. */
const START_MS_MAX = 60_000;
const RSS_BYTES_MAX = 200e6;
/** How much more the agent may take at the end of the drain than early in it. */
const RSS_GROWTH_BYTES_MAX = 40e6;
const DRAIN_TIMEOUT_MS = 780_000;

function readingsOfRun(): number {
  const position = process.argv.indexOf('--readings');
  if (position >= 0) return Number(process.argv[position + 1]);
  return ofForm({ short: 1_000_000, long: 10_000_000 });
}

async function fill(folder: string, readings: number, seed: number): Promise<Filled> {
  const argv = ['test/faults/support/fill-buffer.ts', folder, String(readings), String(seed)];
  const child = spawn(process.execPath, argv, {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output.endsWith('\n')) child.kill('SIGKILL');
  });
  await gone;
  return JSON.parse(output) as Filled;
}

/** Bytes in memory now and at most, as the system counts them. */
function memoryOf(child: ChildProcess): { rss: number; highest: number } {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  const bytes = (name: string) =>
    Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
  return { rss: bytes('VmRSS'), highest: bytes('VmHWM') };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function answersHealthz(plant: Plant, agent: ChildProcess): Promise<boolean> {
  if (agent.exitCode !== null) throw new Error(`the agent exited with ${agent.exitCode}`);
  return fetch(`http://127.0.0.1:${plant.ports.status}/healthz`).then(
    (response) => response.ok,
    () => false,
  );
}

/** CPU time so far, which does not depend on what else the machine does; ticks are 10 ms. */
function cpuMsOf(child: ChildProcess): number {
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) * 10;
}

/** From the start of the process to the first good answer of /healthz. */
async function startAgent(plant: Plant): Promise<{ agent: ChildProcess; startMs: number }> {
  const began = performance.now();
  const agent = await plant.start('agent', { ready: false });
  while (!(await answersHealthz(plant, agent))) {
    if (performance.now() - began > 60_000) throw new Error('the agent does not start');
    await delay(5);
  }
  return { agent, startMs: performance.now() - began };
}

interface Drain {
  /** From the first acknowledgement seen until the agent's buffer was empty. */
  ms: number;
  /** Of the agent, about ten a second, in order. */
  rss: number[];
}

/** Call it before the collector runs. */
async function drain(plant: Plant, agent: ChildProcess, readings: number): Promise<Drain> {
  const began = performance.now();
  let firstMs: number | undefined;
  const rss: number[] = [];
  for (;;) {
    const { buffer } = await plant.agentStatus();
    const ms = performance.now() - began;
    if (buffer.readings < readings) {
      firstMs ??= ms;
      rss.push(memoryOf(agent).rss);
    }
    // Live readings keep coming.
    if (buffer.chunks <= 3) return { ms: ms - (firstMs ?? 0), rss };
    if (ms > DRAIN_TIMEOUT_MS) throw new Error(`${buffer.chunks} chunks are left after ${ms} ms`);
    await delay(100);
  }
}

/** How many readings the simulator emitted. */
async function emitted(plant: Plant): Promise<number> {
  let readings = 0;
  for await (const entry of readTruth(plant.truthFile)) {
    if (entry.type === 'row' && entry.status === 200) readings += Object.keys(entry.values).length;
  }
  return readings;
}

function inOrder(series: readonly SeriesSum[]): SeriesSum[] {
  const key = ({ device, channel }: SeriesSum) => `${device} ${channel}`;
  return [...series].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);

t.test('a backlog of millions of readings', { timeout: FORM_TIMEOUT_MS }, async (t) => {
  const seed = seedOfRun();
  const readings = readingsOfRun();
  t.comment(`seed ${seed}, ${readings} readings`);
  const plant = new Plant({ name: 'backlog', seed, devices: 1, intervalMs: 1_000 });
  t.comment(`folder ${plant.folder}`);
  t.teardown(() => plant.abandon());
  await plant.configure();
  const filled = await fill(plant.agentDataFolder, readings, seed);
  t.equal(filled.last_seq, readings, `${readings} readings in ${filled.bytes} bytes of buffer`);

  await plant.start('sim');
  const { agent, startMs } = await startAgent(plant);
  const cpuMs = cpuMsOf(agent);
  t.comment(`/healthz answers after ${Math.round(startMs)} ms, ${cpuMs} ms of them CPU time`);
  t.ok(startMs < START_MS_MAX, 'the agent starts on the backlog');
  const { buffer } = await plant.agentStatus();
  t.ok(buffer.readings >= readings, 'and has all of it');

  const [{ ms, rss }] = await Promise.all([
    drain(plant, agent, readings),
    plant.start('collector'),
  ]);
  const drained = performance.now();
  t.comment(`drained in ${Math.round(ms)} ms: ${Math.round((readings * 1_000) / ms)} readings/s`);
  const { highest } = memoryOf(agent);
  // The first quarter warms up.
  const early = median(rss.slice(rss.length / 4, rss.length / 2));
  const late = median(rss.slice((rss.length * 3) / 4));
  t.comment(`agent's memory: at most ${highest}, early ${early}, late ${late} bytes`);
  t.ok(highest <= RSS_BYTES_MAX, `the agent takes ${highest} bytes at most`);
  t.ok(late - early <= RSS_GROWTH_BYTES_MAX, 'and does not grow while it drains');

  const ledger = await plant.settle(300_000);
  t.comment(`all of it in the store ${Math.round(performance.now() - drained)} ms after that`);
  const account = ledger.find(({ epoch }) => epoch === filled.epoch);
  t.match(
    account,
    { last_seq: readings, stored: readings, balance: 0, in_flight: 0, gap_readings: 0 },
    'the ledger says that all is stored',
  );
  const storeFolder = join(plant.collectorDataFolder, 'store');
  const output = await run(['test/faults/support/store-sums.ts', storeFolder, filled.epoch]);
  const store = JSON.parse(output) as StoreSums;
  t.same(
    store.epochs.find(({ epoch }) => epoch === filled.epoch),
    { epoch: filled.epoch, rows: readings, seqs: readings, first_seq: 1, last_seq: readings },
    'the store has each number once',
  );
  t.equal(store.keys, readings, 'and each device, channel and time once');
  t.same(inOrder(store.series), inOrder(filled.series), 'with the values that were buffered');
  const live = store.epochs.filter(({ epoch }) => epoch !== filled.epoch);
  t.equal(live.length, 1, 'one more epoch: the agent that drained it');
  t.equal(live[0]?.rows, await emitted(plant), 'which went on reading all the while');
  if (t.passing()) plant.discard();
  else t.comment(`folder kept: ${plant.folder}`);
});
