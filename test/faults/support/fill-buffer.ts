/**
 * Fills an agent's buffer as weeks without a collector would, through the buffer's own API:
 * `node test/faults/support/fill-buffer.ts DATA_DIR READINGS SEED`. Readings of the simulated FMS
 * devices, each (device, channel, time) once. Prints one line of JSON, its record of what it emitted, when
 * all is committed, and then waits to be killed: the agent finds the file as after a power cut.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BUFFER_FILE } from '../../../agent/agent.ts';
import { openBuffer } from '../../../agent/buffer/buffer.ts';
import { bootId, systemClock } from '../../../agent/clock.ts';
import type { Reading } from '../../../proto/model.ts';
import { readingsOf, simulatedCycles } from '../../bench/readings.ts';
import type { SeriesSum } from './store-sums.ts';
import { SCALE } from './store-sums.ts';

export interface Filled {
  epoch: string;
  last_seq: number;
  bytes: number;
  series: SeriesSum[];
}

const DEVICES = 20;
const INTERVAL_MS = 1_000;
/** Of one append. Full chunks are committed within the call, so that memory stays small. */
const APPEND_READINGS = 32_768;
/** Between the newest reading and now: the live readings of the test come after them. */
const AGO_MS = 3_600_000;

const [folder, readingsText, seedText] = process.argv.slice(2);
const total = Number(readingsText);
if (folder === undefined || !Number.isSafeInteger(total)) {
  throw new Error('usage: fill-buffer.ts DATA_DIR READINGS SEED');
}
mkdirSync(folder, { recursive: true });
const boot = bootId();
const log = { debug() {}, info() {}, warn: console.error, error: console.error };
const buffer = openBuffer({
  path: join(folder, BUFFER_FILE),
  commitIntervalMs: 250,
  maxBytes: 4 * 1024 ** 3,
  maxAgeMs: 30 * 24 * 3_600_000,
  minFreeBytes: 0,
  clock: systemClock,
  clockState: () => ({ boot, unsynced: false, lastStepMs: 0, stepsTotal: 0, corrections: [] }),
  log,
});

const series = new Map<string, SeriesSum>();
const lastCycleMs = Math.floor(Date.now() / INTERVAL_MS) * INTERVAL_MS - AGO_MS;
const cycles = simulatedCycles({
  // Seven channels a device; one cycle more, for where another simulation has fewer.
  startMs: lastCycleMs - Math.ceil(total / (DEVICES * 7) + 1) * INTERVAL_MS,
  intervalMs: INTERVAL_MS,
  seed: Number(seedText) >>> 0,
  devices: DEVICES,
});
const commits: Promise<void>[] = [];
let made = 0;
let waiting: Reading[] = [];
while (made < total) {
  for (const row of cycles.next().value ?? []) {
    for (const reading of readingsOf(row).slice(0, total - made)) {
      note(reading);
      waiting.push(reading);
      made += 1;
    }
  }
  if (waiting.length >= APPEND_READINGS || made === total) {
    commits.push(buffer.append(waiting, []));
    waiting = [];
  }
}
await buffer.flush();
await Promise.all(commits);
const epoch = buffer.currentEpoch();
const { bytes, evictedReadingsTotal } = buffer.stats();
if (epoch === undefined || evictedReadingsTotal > 0) throw new Error('the buffer is too small');
const filled: Filled = {
  epoch: epoch.epoch,
  last_seq: epoch.lastSeq,
  bytes,
  series: [...series.values()],
};
console.log(JSON.stringify(filled));
setInterval(() => undefined, 60_000);

function note({ device, channel, timeMs, value }: Reading): void {
  const key = `${device} ${channel}`;
  let sum = series.get(key);
  if (sum === undefined) {
    sum = { device, channel, readings: 0, times: 0, values: 0 };
    series.set(key, sum);
  }
  sum.readings += 1;
  sum.times += timeMs % SCALE;
  sum.values += Math.round(Number(value) * SCALE);
}
