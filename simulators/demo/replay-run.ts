/** `npm start -- --replay`: an agent whose devices are replays, and the account of it at the end. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Recording } from '../recording.ts';
import { openRecording } from '../recording.ts';
import type { ReplayPosition } from '../replay.ts';
import type { FolderPaths } from './folder.ts';
import { agentYamlWith } from './folder.ts';
import { grouped, words } from './words.ts';

export interface ReplayOptions {
  file: string;
  speed: string;
  time: string | undefined;
  deviceColumn: string | undefined;
}

export interface ReplaySetup {
  recording: Recording;
  /** The agent's configuration. */
  agentYaml: string;
  devices: { name: string; rows: number; positionFile: string }[];
}

/** Writes the agent's configuration for the replay: one device for each value of the device column. */
export async function setUpReplay(
  paths: FolderPaths,
  mainFile: string,
  options: ReplayOptions,
): Promise<ReplaySetup> {
  const file = resolve(options.file);
  const recording = await openRecording({
    file,
    timeColumn: options.time,
    deviceColumn: options.deviceColumn,
    startMs: RELATIVE_START_MS,
    zoneMinutes: 0,
  });
  const folder = join(paths.folder, 'replay', recording.name);
  mkdirSync(folder, { recursive: true });
  const devices = [...recording.devices].map(([value, rows]) => {
    const name = value === '' ? recording.name : `${recording.name}-${value}`;
    return { value, name, rows, positionFile: join(folder, `${name}.position.json`) };
  });
  const entries = devices.map(({ value, name, positionFile }) => ({
    name,
    reader: 'command',
    // A recording may pause for longer than any watchdog's time.
    watchdog_ms: 0,
    command: {
      argv: [
        process.execPath,
        mainFile,
        'replay',
        file,
        '--end-with-stdin',
        '--speed',
        options.speed,
        '--device',
        name,
        '--position',
        positionFile,
        '--truth',
        join(folder, `${name}.truth.jsonl`),
        ...(value === '' ? [] : ['--only-device', value]),
        ...(options.time === undefined ? [] : ['--time', options.time]),
        ...(options.deviceColumn === undefined ? [] : ['--device-column', options.deviceColumn]),
      ],
      restart: 'on_failure',
    },
  }));
  const agentYaml = join(folder, 'agent.yaml');
  writeFileSync(agentYaml, agentYamlWith(paths, entries), { mode: 0o600 });
  return { recording, agentYaml, devices };
}

/** What second 0 of a recording with relative times means: 2000-01-01. */
const RELATIVE_START_MS = 946_684_800_000;
const LOOK_MS = 500;
const PROGRESS_MS = 30_000;
const STORED_TIMEOUT_MS = 120_000;
const PAGE_READINGS = 10_000;

/** Says how far the replay is, and at its end how many readings the store has. Ends with the signal. */
export async function watchReplay(
  setup: ReplaySetup,
  urls: { collector: string; agentStatus: string },
  say: (lines: readonly string[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const { recording, devices } = setup;
  const rows = grouped(recording.rowCount);
  say(words.replaying(recording.name, rows, devices.length));
  let saidMs = performance.now();
  for (;;) {
    const positions = devices.map((device) => positionOf(device.positionFile));
    if (positions.every((position) => position?.done === true)) break;
    const sent = positions.reduce((sum, position) => sum + (position?.sent ?? 0), 0);
    if (performance.now() - saidMs > PROGRESS_MS) {
      saidMs = performance.now();
      say([`replay: ${grouped(sent)} of ${rows} rows`]);
    }
    if (await isAborted(LOOK_MS, signal)) return;
  }
  const wanted = recording.rowCount * recording.channels.length;
  const deadlineMs = performance.now() + STORED_TIMEOUT_MS;
  let stored = 0;
  do {
    if (await isAborted(LOOK_MS, signal)) return;
    if (!(await isDelivered(urls.agentStatus))) continue;
    stored = await countStored(urls.collector, devices, signal);
  } while (stored < wanted && performance.now() < deadlineMs);
  say(words.replayed(recording.name, rows, grouped(wanted), grouped(stored)));
}

function positionOf(file: string): ReplayPosition | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ReplayPosition;
  } catch {
    return undefined;
  }
}

/** The agent's buffer holds nothing that is not at the collector. */
async function isDelivered(statusUrl: string): Promise<boolean> {
  try {
    const response = await fetch(statusUrl, { signal: AbortSignal.timeout(5_000) });
    const status = (await response.json()) as { buffer?: { chunks?: number } };
    return status.buffer?.chunks === 0;
  } catch {
    return false;
  }
}

/** Asks the API for every reading of the replay's devices, page by page, and counts them. */
async function countStored(
  collectorUrl: string,
  devices: ReplaySetup['devices'],
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  for (const { name } of devices) {
    let next: string | null = '';
    while (next !== null && !signal.aborted) {
      const query = new URLSearchParams({
        site: 'demo',
        device: name,
        from: String(-8.64e15 / 1_000),
        limit: String(PAGE_READINGS),
        ...(next === '' ? {} : { cursor: next }),
      });
      const page = await pageOf(`${collectorUrl}/api/v1/readings?${query}`);
      if (page === undefined) return 0;
      count += page.items.length;
      next = page.next;
    }
  }
  return count;
}

async function pageOf(url: string): Promise<{ items: unknown[]; next: string | null } | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
    if (!response.ok) return undefined;
    return (await response.json()) as { items: unknown[]; next: string | null };
  } catch {
    return undefined;
  }
}

/** Waits; true when the signal came first. */
function isAborted(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve(signal.aborted);
    };
    const timer = setTimeout(done, ms);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}
