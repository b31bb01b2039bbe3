/**
 * Simulated FMS devices with faults at known times, judged by the rules and detectors as the processor
 * runs them. Seeded: the same seed gives the same figures on every machine.
 */

import { fileURLToPath } from 'node:url';
import { DeviceRun } from '../../collector/backtest/device_run.ts';
import type { CompiledConfiguration } from '../../collector/processor/validation/compile.ts';
import { loadDevicesConfig } from '../../simulators/config.ts';
import type { Strike } from '../../simulators/faults.ts';
import { Random } from '../../simulators/random.ts';
import type { Signal } from '../../simulators/signal.ts';
import { SignalSource } from '../../simulators/signal.ts';
import { DeviceValues } from '../../simulators/values.ts';

export const INTERVAL_MS = 10_000;
export const ROWS_PER_DAY = 86_400_000 / INTERVAL_MS;
export const START_MS = Date.UTC(2026, 0, 5);
/** After a fault: nothing that begins within it is a false alarm. An hour. */
export const RECOVERY_ROWS = 360;
/** Between a recovery and the next fault: two to six hours. */
const CLEAN_ROWS = { min: 720, max: 2_160 };
const ROWS_AT_ONCE = 360;

const CONFIG = fileURLToPath(new URL('../../simulators/devices.yaml', import.meta.url));

interface Kind {
  /** How long it lasts, in rows. */
  rows: { min: number; max: number };
  /** An anomaly must begin within so many rows of its beginning. */
  foundWithin: number;
  channels: 'number' | 'none';
}

export const KINDS = {
  spike: { rows: { min: 1, max: 3 }, foundWithin: 10, channels: 'number' },
  drift: { rows: { min: 150, max: 200 }, foundWithin: 100, channels: 'number' },
  stuck: { rows: { min: 60, max: 120 }, foundWithin: 10, channels: 'number' },
  dropout: { rows: { min: 6, max: 60 }, foundWithin: 10, channels: 'none' },
  isFail: { rows: { min: 6, max: 30 }, foundWithin: 10, channels: 'none' },
} as const satisfies Record<string, Kind>;
export type FaultKind = keyof typeof KINDS;
export const FAULT_KINDS = Object.keys(KINDS) as FaultKind[];

/** The record of what was done to a device. */
export interface Fault {
  kind: FaultKind;
  /** '': none. */
  channel: string;
  /** Rows [from, to). */
  from: number;
  to: number;
}

export interface SimulatedDevice {
  name: string;
  channels: ReadonlyMap<string, Signal>;
}

/** Those of simulators/devices.yaml, and more alike; without random outliers, -1 and failures. */
export function simulatedDevices(count: number): SimulatedDevice[] {
  const { devices } = loadDevicesConfig(CONFIG);
  return Array.from({ length: count }, (_, i) => {
    const like = devices[i % devices.length]!;
    const channels = [...like.channels].map(([name, signal]) => [name, cleanOf(signal)] as const);
    return { name: `D${String(i + 1).padStart(2, '0')}`, channels: new Map(channels) };
  });
}

function cleanOf(signal: Signal): Signal {
  if (signal.type === 'boolean') return { ...signal, probability: 0 };
  return { ...signal, outlierProbability: 0, minusOneProbability: 0 };
}

export function valuesOf(device: SimulatedDevice, seed: number): DeviceValues {
  const sources = [...device.channels].map(([channel, signal]) => {
    const random = new Random(seed, `${device.name}/${channel}`);
    return [channel, new SignalSource(signal, random)] as const;
  });
  return new DeviceValues(new Map(sources), new Random(seed, `${device.name}/faults`));
}

/** All kinds alike, in an order drawn anew each round; the last recovery ends before `rows`. */
export function scheduleOf(
  device: SimulatedDevice,
  seed: number,
  rows: { trained: number; all: number },
  kinds: readonly FaultKind[] = FAULT_KINDS,
): Fault[] {
  const random = new Random(seed, `${device.name}/schedule`);
  const numbers = [...device.channels].filter(([, { type }]) => type === 'number');
  const between = ({ min, max }: { min: number; max: number }): number =>
    min + random.int(max - min + 1);
  const faults: Fault[] = [];
  let round: FaultKind[] = [];
  let at = rows.trained;
  for (;;) {
    if (round.length === 0) round = [...kinds];
    const kind = round.splice(random.int(round.length), 1)[0]!;
    const { rows: lasts, channels } = KINDS[kind];
    const from = at + between(CLEAN_ROWS);
    const to = from + between(lasts);
    if (to + RECOVERY_ROWS > rows.all) return faults;
    const channel = channels === 'number' ? random.pick(numbers)[0] : '';
    faults.push({ kind, channel, from, to });
    at = to + RECOVERY_ROWS;
  }
}

/** The rows of a device; undefined where it dropped out. Drawn even then: its process goes on. */
export function* rowsWith(
  values: DeviceValues,
  faults: readonly Fault[],
  all: number,
  device: string,
): Generator<(number | boolean)[] | undefined> {
  let next = 0;
  for (let row = 0; row < all; row++) {
    while (next < faults.length && row >= faults[next]!.to) next++;
    const fault = faults[next];
    const isOn = fault !== undefined && row >= fault.from;
    const strikes = isOn && fault.kind !== 'dropout' ? [strikeOf(fault, row, device)] : [];
    const drawn = values.draw(strikes, []);
    yield isOn && fault.kind === 'dropout' ? undefined : ([...drawn.values()] as number[]);
  }
}

function strikeOf({ kind, channel, from }: Fault, row: number, device: string): Strike {
  const order = { device, fault: kind, on: true, ...(channel === '' ? {} : { channel }) };
  return { order, strikes: row - from + 1 };
}

/** What became of a fault. */
export interface Met extends Fault {
  /** Rows from its beginning to the first anomaly that began in it or its recovery; undefined: none. */
  delayRows: number | undefined;
}

export interface DeviceResult {
  /** Dropouts are here for what begins after them: see AfterDropouts. */
  faults: Met[];
  falseOnsets: { row: number; reason: string }[];
  /** That began in a fault or its recovery, after the first one. */
  furtherOnsets: number;
  /** Days without faults and recoveries, after training. */
  cleanDays: number;
  readings: number;
}

export interface DeviceTest {
  device: SimulatedDevice;
  seed: number;
  rows: { trained: number; all: number };
  configuration: CompiledConfiguration;
}

/** Onsets in training count for nothing. */
export function testDevice({ device, seed, rows, configuration }: DeviceTest): DeviceResult {
  const faults = scheduleOf(device, seed, rows);
  const met: Met[] = faults.map((fault) => ({ ...fault, delayRows: undefined }));
  const result: DeviceResult = {
    faults: met,
    falseOnsets: [],
    furtherOnsets: 0,
    cleanDays: 0,
    readings: 0,
  };
  const faulty = faults.reduce((sum, { from, to }) => sum + to - from + RECOVERY_ROWS, 0);
  result.cleanDays = (rows.all - rows.trained - faulty) / ROWS_PER_DAY;
  const channels = [...device.channels.keys()];
  const run = new DeviceRun<number>({
    site: 'bench',
    device: device.name,
    channels,
    configuration,
  });
  const note = (outcomes: ReturnType<typeof run.judge>): void => {
    for (const { isOnset, tag: row, reason } of outcomes)
      if (isOnset && row >= rows.trained) noteOnset(result, row, reason?.en ?? '');
  };
  let row = 0;
  let waiting: { timeMs: number; cells: (number | boolean)[]; tag: number }[] = [];
  for (const cells of rowsWith(valuesOf(device, seed), faults, rows.all, device.name)) {
    const tag = row++;
    if (cells === undefined) continue;
    result.readings += cells.length;
    waiting.push({ timeMs: START_MS + tag * INTERVAL_MS, cells, tag });
    if (waiting.length < ROWS_AT_ONCE) continue;
    note(run.judge(waiting));
    waiting = [];
  }
  note(run.judge(waiting));
  note(run.end());
  return result;
}

function noteOnset(result: DeviceResult, row: number, reason: string): void {
  const fault = result.faults.find(({ from, to }) => row >= from && row < to + RECOVERY_ROWS);
  if (fault === undefined) result.falseOnsets.push({ row, reason });
  else if (fault.delayRows === undefined) fault.delayRows = row - fault.from;
  else result.furtherOnsets++;
}
