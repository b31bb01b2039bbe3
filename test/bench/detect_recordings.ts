/** Anomalies per device and day on recordings, by what an unprofiled device gets. */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome } from '../../collector/backtest/device_run.ts';
import { DeviceRun } from '../../collector/backtest/device_run.ts';
import { configurationOf } from '../../collector/backtest/profile.ts';
import { SimError } from '../../simulators/errors.ts';
import { openRecording } from '../../simulators/recording.ts';

const DAY_MS = 86_400_000;
/** Of a device: they are left out, the detectors learn from them. */
const TRAIN_ROWS = 400;
/** Columns that tell what was wrong, or count something: no measurements. */
const NO_CHANNEL =
  /^(fault|fail(ure)?|anomaly|changepoint|label|occupancy|cycle|hours_to_failure)$/i;

export interface Recorded {
  timeMs: number;
  cells: (number | boolean | string | null)[];
}

export interface Quiet {
  name: string;
  devices: number;
  rows: number;
  /** After training, of all devices together. */
  deviceDays: number;
  anomalies: number;
  perDeviceDay: number | null;
  per10kRows: number | null;
}

/** Rows by device. */
export function countAnomalies(
  name: string,
  channels: readonly string[],
  devices: ReadonlyMap<string, readonly Recorded[]>,
  trainRows?: number,
): Quiet {
  const configuration = configurationOf(undefined, { trainRows, intervalMs: undefined });
  const quiet = { name, devices: devices.size, rows: 0, deviceDays: 0, anomalies: 0 };
  let judged = 0;
  for (const [device, rows] of devices) {
    const run = new DeviceRun<number>({ site: 'bench', device, channels, configuration });
    const tagged = rows.map(({ timeMs, cells }, tag) => ({ timeMs, cells, tag }));
    const outcomes = [...run.judge(tagged), ...run.end()];
    const counted = outcomes.slice(trainRows ?? TRAIN_ROWS);
    quiet.rows += rows.length;
    quiet.anomalies += counted.filter(({ isOnset }) => isOnset).length;
    quiet.deviceDays += daysOf(counted);
    judged += counted.length;
  }
  return {
    ...quiet,
    perDeviceDay: quiet.deviceDays > 0 ? quiet.anomalies / quiet.deviceDays : null,
    per10kRows: judged > 0 ? (10_000 * quiet.anomalies) / judged : null,
  };
}

function daysOf(outcomes: readonly Outcome<number>[]): number {
  const [first, last] = [outcomes[0], outcomes.at(-1)];
  return first === undefined || last === undefined ? 0 : (last.timeMs - first.timeMs) / DAY_MS;
}

/** Every recording of a folder, as `fms-sim replay` reads it. What is none is left out, with a word. */
export async function countReplays(folder: string, log: (line: string) => void): Promise<Quiet[]> {
  if (!existsSync(folder)) return [];
  const found: Quiet[] = [];
  for (const name of readdirSync(folder).sort()) {
    if (!/\.csv(\.gz)?$/.test(name)) continue;
    try {
      found.push(await countReplay(join(folder, name)));
    } catch (error) {
      if (!(error instanceof SimError)) throw error;
      log(`left out: ${error.message}`);
    }
  }
  return found;
}

async function countReplay(file: string): Promise<Quiet> {
  const recording = await openRecording({
    file,
    timeColumn: undefined,
    deviceColumn: undefined,
    startMs: Date.UTC(2026, 0, 1),
    zoneMinutes: 0,
  });
  const channels = recording.channels.filter((channel) => !NO_CHANNEL.test(channel));
  const devices = new Map<string, Recorded[]>();
  for await (const { timeMs, device = 'device', values } of recording.rows()) {
    const rows = devices.get(device) ?? [];
    rows.push({ timeMs, cells: channels.map((channel) => values[channel] ?? null) });
    devices.set(device, rows);
  }
  return countAnomalies(recording.name, channels, devices);
}
