/**
 * The agent's buffer on this machine's disk, through its real API at synchronous=FULL: readings/s
 * appended and drained, bytes a reading, the same on a disk whose syncs take 50 ms, and flash wear.
 */

import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { SqliteBuffer } from '../../agent/buffer/buffer.ts';
import { openBuffer } from '../../agent/buffer/buffer.ts';
import type { BufferKeys } from '../../agent/buffer/keys.ts';
import { bufferKey, NO_KEYS } from '../../agent/buffer/keys.ts';
import { systemClock } from '../../agent/clock.ts';
import type { Log } from '../../agent/log.ts';
import type { Clock } from '../../agent/types.ts';
import type { Reading } from '../../proto/model.ts';
import type { BenchOptions, Figures } from './main.ts';
import { readingsOf, simulatedCycles } from './readings.ts';

const START_MS = Date.UTC(2026, 0, 1);
const INTERVAL_MS = 10_000;
const READINGS_MIN = 1_500_000;
/** Appends are awaited this many readings later: an agent has many devices under way at once. */
const WINDOW_READINGS = 32_768;
/** What the forwarder asks for by default. */
const BATCH = { maxBytes: 262_144, maxReadings: 10_000, maxChunks: 4_096 };
const SYNC_DELAY_MS = 50;
const KEYS: BufferKeys = { ...NO_KEYS, keys: [bufferKey(randomBytes(32))], encrypt: true };
const quiet: Log = { debug() {}, info() {}, warn: console.error, error: console.error };

/** Targets: readings_per_s ≥ 300,000; bytes_per_reading ≤ 5; readings_per_s_slow_disk ≥ 20,000. */
export async function run({ log, seconds = 8, dataDir }: BenchOptions): Promise<Figures> {
  log('counted: simulated FMS readings (generator included), numbered, encoded, committed with');
  log('synchronous=FULL, then all read back with their CRC checked, acknowledged and deleted');
  log('bytes: database file and WAL with everything in it, divided by the readings');
  const folder = mkdtempSync(join(dataDir ?? tmpdir(), 'fms-bench-buffer-'));
  try {
    const fast = await appendAndDrain(join(folder, 'fast.sqlite'), READINGS_MIN, seconds / 2);
    log(
      'encrypted_*: the same with chunks encrypted (AES-256-GCM); cpu_ratio: its CPU time a reading to that without',
    );
    const encrypted = await encryptedFigures(folder, seconds / 2);
    const slow = await onSlowDisk(folder, seconds / 2, log);
    log(
      'targets: readings_per_s ≥ 300,000, bytes_per_reading ≤ 5, readings_per_s_slow_disk ≥ 20,000',
    );
    return { ...fast, ...encrypted, ...slow, ...wearFigures(folder) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Against the figures without encryption, and what it costs at a steady 1,000 readings/s. */
async function encryptedFigures(folder: string, seconds: number): Promise<Record<string, number>> {
  const path = join(folder, 'encrypted.sqlite');
  const figures = await appendAndDrain(path, READINGS_MIN, seconds, KEYS);
  // By turns, and the least of each counts: all else only adds.
  const bulk = await leastByTurns(async (keys, name) => {
    const part = await appendAndDrain(join(folder, `b${name}.sqlite`), 300_000, 0, keys);
    return part.cpu_us_per_reading!;
  });
  const steady = await leastByTurns((keys, name) =>
    steadyCpuPercent(join(folder, `s${name}.sqlite`), keys),
  );
  return {
    encrypted_readings_per_s: figures.readings_per_s!,
    encrypted_bytes_per_reading: figures.bytes_per_reading!,
    encrypted_cpu_ratio: round(bulk.encrypted / bulk.plain),
    cpu_percent_1000_per_s: round(steady.plain),
    encrypted_cpu_percent_1000_per_s: round(steady.encrypted),
  };
}

async function leastByTurns(
  measure: (keys: BufferKeys, name: string) => Promise<number>,
): Promise<{ plain: number; encrypted: number }> {
  const least = { plain: Number.POSITIVE_INFINITY, encrypted: Number.POSITIVE_INFINITY };
  for (let turn = 0; turn < 4; turn++) {
    least.plain = Math.min(least.plain, await measure(NO_KEYS, `p${turn}`));
    least.encrypted = Math.min(least.encrypted, await measure(KEYS, `e${turn}`));
  }
  return least;
}

/** Of one core, for 1,000 readings/s committed every 250 ms and delivered at once: 10 minutes of that. */
async function steadyCpuPercent(path: string, keys: BufferKeys): Promise<number> {
  const simulatedS = 600;
  let nowMs = 0;
  const clock: Clock = { wallMs: () => START_MS + nowMs, monoMs: () => nowMs };
  const buffer = openAt(path, 10_000, { clock, keys });
  let position = 0;
  let pending = 0;
  const before = process.cpuUsage();
  for (const cycle of simulatedCycles({ startMs: START_MS, intervalMs: 250, seed: 1 })) {
    for (const row of cycle) {
      const part = readingsOf(row);
      pending += part.length;
      void buffer.append(part, []);
      if (pending < 250) continue;
      pending -= 250;
      nowMs += 250;
      void buffer.flush();
      const chunks = buffer.next(position, BATCH);
      position = chunks.at(-1)?.id ?? position;
      buffer.acknowledge(chunks.map((chunk) => chunk.id));
    }
    if (nowMs >= simulatedS * 1000) break;
  }
  const { user, system } = process.cpuUsage(before);
  await buffer.close();
  return ((user + system) / 1e6 / simulatedS) * 100;
}

function openAt(
  path: string,
  commitIntervalMs: number,
  { clock = systemClock, keys = NO_KEYS }: { clock?: Clock; keys?: BufferKeys } = {},
): SqliteBuffer {
  const boot = '9d2e4f6a8b1c3d57';
  return openBuffer({
    path,
    keys,
    commitIntervalMs,
    maxBytes: 4 * 1024 ** 3,
    maxAgeMs: 30 * 24 * 3600 * 1000,
    minFreeBytes: 0,
    clock,
    clockState: () => ({ boot, unsynced: false, lastStepMs: 0, stepsTotal: 0, corrections: [] }),
    log: quiet,
  });
}

/** Appends for `seconds`, and at least `readingsMin`; then drains. */
async function appendAndDrain(
  path: string,
  readingsMin: number,
  seconds: number,
  keys: BufferKeys = NO_KEYS,
): Promise<Record<string, number>> {
  const buffer = openAt(path, 250, { keys });
  const start = performance.now();
  const cpuBefore = process.cpuUsage();
  const readings = await appendAll(buffer, readingsMin, seconds);
  const appendS = (performance.now() - start) / 1000;
  const bytes = statSync(path).size + statSync(`${path}-wal`).size;
  const drainStart = performance.now();
  const drained = drainAll(buffer);
  await buffer.flush();
  const drainS = (performance.now() - drainStart) / 1000;
  if (drained !== readings) throw new Error(`drained ${drained} of ${readings}`);
  const cpu = process.cpuUsage(cpuBefore);
  const { bytesWrittenTotal, commitsTotal, syncsTotal } = buffer.stats();
  await buffer.close();
  return {
    cpu_us_per_reading: round((cpu.user + cpu.system) / readings),
    readings_per_s: Math.round(readings / (appendS + drainS)),
    append_readings_per_s: Math.round(readings / appendS),
    drain_readings_per_s: Math.round(readings / drainS),
    bytes_per_reading: round(bytes / readings),
    bytes_written_per_reading: round(bytesWrittenTotal / readings),
    readings,
    commits: commitsTotal,
    syncs: syncsTotal,
  };
}

async function appendAll(
  buffer: SqliteBuffer,
  readingsMin: number,
  seconds: number,
): Promise<number> {
  const endMs = performance.now() + seconds * 1000;
  const underWay: { done: Promise<void>; after: number }[] = [];
  let readings = 0;
  const cycles = simulatedCycles({ startMs: START_MS, intervalMs: INTERVAL_MS, seed: 1 });
  for (const cycle of cycles) {
    for (const row of cycle) {
      const part = readingsOf(row);
      readings += part.length;
      const done = buffer.append(part, []);
      if (underWay.at(-1)?.done !== done) underWay.push({ done, after: readings });
    }
    while (underWay.length > 1 && readings - underWay[0]!.after > WINDOW_READINGS) {
      await underWay.shift()!.done;
    }
    if (readings >= readingsMin && performance.now() >= endMs) break;
  }
  await buffer.flush();
  await Promise.all(underWay.map(({ done }) => done));
  return readings;
}

function drainAll(buffer: SqliteBuffer): number {
  let drained = 0;
  for (let position = 0; ; ) {
    const chunks = buffer.next(position, BATCH);
    if (chunks.length === 0) return drained;
    position = chunks.at(-1)!.id;
    for (const chunk of chunks) drained += chunk.frame.count;
    buffer.acknowledge(chunks.map((chunk) => chunk.id));
  }
}

const SHIM = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static void wait_ms(long ms) { struct timespec t = { ms / 1000, (ms % 1000) * 1000000 }; nanosleep(&t, 0); }
int fsync(int fd) { wait_ms(${SYNC_DELAY_MS}); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd); }
int fdatasync(int fd) { wait_ms(${SYNC_DELAY_MS}); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd); }
`;

/** The same in a child process whose every fsync and fdatasync takes 50 ms longer. */
async function onSlowDisk(
  folder: string,
  seconds: number,
  log: BenchOptions['log'],
): Promise<Figures> {
  const source = join(folder, 'slow.c');
  const library = join(folder, 'slow.so');
  writeFileSync(source, SHIM);
  const compiled = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
  const script = [fileURLToPath(import.meta.url), '--child', join(folder, 'slow.sqlite')];
  const command = [process.execPath, ...script, String(seconds)];
  let env: NodeJS.ProcessEnv = process.env;
  if (compiled.status === 0) {
    log(
      `slow disk: ${SYNC_DELAY_MS} ms more for each fsync and fdatasync (LD_PRELOAD, real syncs)`,
    );
    env = { ...process.env, LD_PRELOAD: library };
  } else if (spawnSync('strace', ['-V']).status === 0) {
    log(`slow disk: ${SYNC_DELAY_MS} ms more for each fsync and fdatasync (strace)`);
    const inject = `inject=fsync,fdatasync:delay_enter=${SYNC_DELAY_MS * 1000}`;
    command.unshift('strace', '-f', '-o', '/dev/null', '-e', inject);
  } else {
    log('slow disk: not measured, neither a C compiler nor strace is here');
    return { readings_per_s_slow_disk: 'not measured' };
  }
  const { stdout } = await promisify(execFile)(command[0]!, command.slice(1), { env });
  const figures = JSON.parse(stdout) as Record<string, number>;
  const { readings = 0, syncs = 0, commits = 0, append_s = 1, sync_ms = 0 } = figures;
  log(`slow disk: ${commits} commits, ${syncs} syncs of ${sync_ms} ms`);
  return {
    readings_per_s_slow_disk: Math.round(readings / append_s),
    slow_disk_sync_ms: sync_ms,
    slow_disk_longest_block_ms: figures.longest_block_ms ?? 0,
  };
}

/** In the child: appends for some seconds; sync_ms is what one sync took, as measured. */
async function child(path: string, seconds: number): Promise<void> {
  const buffer = openAt(path, 250);
  let longest = 0;
  let last = performance.now();
  const watch = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  const start = performance.now();
  const readings = await appendAll(buffer, 0, seconds);
  const appendS = (performance.now() - start) / 1000;
  clearInterval(watch);
  const { commitsTotal, syncsTotal } = buffer.stats();
  const drained = drainAll(buffer);
  if (drained !== readings) throw new Error(`drained ${drained} of ${readings}`);
  const figures = {
    readings,
    commits: commitsTotal,
    syncs: syncsTotal,
    append_s: appendS,
    sync_ms: syncCostMs(buffer),
    longest_block_ms: Math.round(longest),
  };
  await buffer.close();
  process.stdout.write(JSON.stringify(figures));
}

function syncCostMs(buffer: SqliteBuffer): number {
  buffer.setMeta('bench', String(performance.now()));
  const before = buffer.stats().syncsTotal;
  const start = performance.now();
  void buffer.flush();
  const syncs = buffer.stats().syncsTotal - before;
  return round((performance.now() - start) / Math.max(1, syncs));
}

/** Bytes written a reading at 35 readings in 10 s, delivered as they come: what wears a flash card. */
function wearFigures(folder: string): Figures {
  const figures: Record<string, number> = {};
  for (const commitMs of [250, 1_000, 10_000]) {
    const name = `wear_bytes_per_reading_commit_${commitMs}_ms`;
    figures[`${name}_aligned`] = wear(join(folder, `a${commitMs}.sqlite`), commitMs, 0);
    figures[`${name}_spread`] = wear(join(folder, `s${commitMs}.sqlite`), commitMs, 2_000);
  }
  return figures;
}

/** `spreadMs`: between the polls of the five devices; 0: all at once. On a clock of its own. */
function wear(path: string, commitMs: number, spreadMs: number): number {
  let nowMs = 0;
  const clock: Clock = { wallMs: () => START_MS + nowMs, monoMs: () => nowMs };
  const buffer = openAt(path, commitMs, { clock });
  let readings = 0;
  let position = 0;
  let before: number | undefined;
  let dueMs = Number.POSITIVE_INFINITY;
  const commitUntil = (untilMs: number): void => {
    for (; dueMs <= untilMs; dueMs = Number.POSITIVE_INFINITY) {
      nowMs = dueMs;
      void buffer.flush();
      const chunks = buffer.next(position, BATCH);
      position = chunks.at(-1)?.id ?? position;
      buffer.acknowledge(chunks.map((chunk) => chunk.id));
    }
    for (; nowMs + 1000 <= untilMs; nowMs += 1000) buffer.maintain();
  };
  let cycles = 0;
  for (const cycle of simulatedCycles({ startMs: START_MS, intervalMs: INTERVAL_MS, seed: 1 })) {
    cycle.forEach((row, i) => {
      const atMs = cycles * INTERVAL_MS + i * spreadMs;
      commitUntil(atMs);
      nowMs = atMs;
      const part: Reading[] = readingsOf(row);
      readings += before === undefined ? 0 : part.length;
      void buffer.append(part, []);
      dueMs = Math.min(dueMs, atMs + commitMs);
    });
    commitUntil(cycles * INTERVAL_MS + INTERVAL_MS - 1);
    // The first commit creates the file, the maintenance after it allocates the WAL.
    if (cycles === 0) {
      void buffer.flush();
      buffer.maintain();
      before = buffer.stats().bytesWrittenTotal;
    }
    if (++cycles > 600) break;
  }
  const written = buffer.stats().bytesWrittenTotal - before!;
  void buffer.close();
  return Math.round(written / readings);
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

if (process.argv[2] === '--child' && import.meta.main) {
  await child(process.argv[3]!, Number(process.argv[4]));
}
