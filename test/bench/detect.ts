/**
 * How well the detectors of the default set find what is wrong, how often they cry wolf, and what they
 * cost: on recordings with labels (--data DIR: nab/, skab/, replay/), on recordings without, and on
 * simulated devices with faults at known times. [--devices N] [--days N] [--seed N]
 *
 * The rules and detectors run as the processor runs them, in this process; dropouts through the processor
 * itself. Without the data folder, or a part of it, the figures of that part are null.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Outcome } from '../../collector/backtest/device_run.ts';
import { DeviceRun } from '../../collector/backtest/device_run.ts';
import { configurationOf, profileOf } from '../../collector/backtest/profile.ts';
import { alarmShown, scoreShown, THRESHOLD } from '../../collector/backtest/shown.ts';
import { loadConfiguration } from '../../collector/profiles/load.ts';
import { measureAlertLatency } from './alert.ts';
import { Child } from './child.ts';
import type { Cost, Memory } from './detect_cost.ts';
import { testDropouts } from './detect_dropout.ts';
import type { DeviceResult, FaultKind, Met } from './detect_faults.ts';
import { FAULT_KINDS, KINDS, ROWS_PER_DAY, simulatedDevices, testDevice } from './detect_faults.ts';
import type { NabFile } from './detect_nab.ts';
import { loadNab, scoreNab } from './detect_nab.ts';
import type { Quiet } from './detect_recordings.ts';
import { countAnomalies, countReplays } from './detect_recordings.ts';
import type { SkabFile, SkabPart } from './detect_skab.ts';
import { loadSkab, SKAB_TRAIN_ROWS, scoreSkab } from './detect_skab.ts';
import type { BenchOptions, Figures } from './main.ts';

/** Of the simulated devices: detectors learn days and weeks, and what they say in these is not counted. */
const TRAIN_DAYS = 2;
/** A day and a half: about five dropouts a device. */
const DROPOUT_ROWS = 1.5 * ROWS_PER_DAY;
const DAYS_OF_WEEK = 7;
const COST_MS_MAX = 300_000;
const SHOWN = 20;

type Log = (line: string) => void;

export async function run({ dataDir, log, args }: BenchOptions): Promise<Figures> {
  const [devices, days, seed] = [
    numberAfter(args, '--devices', 5),
    numberAfter(args, '--days', 26),
    numberAfter(args, '--seed', 1),
  ];
  log(
    'counted: anomalies of the default set as the processor makes them, one a row at which one begins',
  );
  const figures: Figures = {
    ...(await onRecordings(dataDir, log)),
    ...onFaults(devices, days, seed, log),
    ...(await costs(log)),
    ...(await measureAlertLatency()),
  };
  log('targets: nab_shipped >= 75, nab_optimised >= 76, skab_f1 >= 0.88 at skab_far <= 0.15,');
  log('  recall >= 0.95, precision >= 0.90, false_alarms_per_device_day <= 0.1,');
  log(
    '  cpu_us_per_reading <= 3, bytes_per_channel <= 8192, alert_p99_ms <= 1000 (see bench alert)',
  );
  return figures;
}

function numberAfter(args: readonly string[], name: string, otherwise: number): number {
  const at = args.indexOf(name);
  if (at < 0) return otherwise;
  const value = Number(args[at + 1]);
  if (!(value > 0)) throw new Error(`${name} wants a number`);
  return value;
}

async function onRecordings(dataDir: string | undefined, log: Log): Promise<Figures> {
  const nab = dataDir === undefined ? undefined : loadNab(join(dataDir, 'nab'));
  const skab = dataDir === undefined ? undefined : loadSkab(join(dataDir, 'skab'));
  const replays = dataDir === undefined ? [] : await countReplays(join(dataDir, 'replay'), log);
  if (dataDir === undefined) log('without --data DIR: no recordings, their figures are null');
  else
    for (const [name, part] of [
      ['nab', nab],
      ['skab', skab],
    ] as const)
      if (part === undefined) log(`${join(dataDir, name)}: not there, its figures are null`);
  const quiet = [...replays, ...nabWithoutWindows(nab), ...skabWithoutFaults(skab)];
  return { ...onNab(nab, log), ...onSkab(skab), ...onQuiet(quiet, log) };
}

function onNab(files: readonly NabFile[] | undefined, log: Log): Figures {
  if (files === undefined)
    return { nab_shipped: null, nab_optimised: null, nab_false_alarms: null };
  const scores = new Map<string, number[]>();
  for (const file of files) {
    const rows = file.values.map((value, i) => ({
      timeMs: file.timesMs[i]!,
      cells: [value],
      tag: i,
    }));
    const outcomes = outcomesOf(['value'], rows, undefined);
    scores.set(
      file.name,
      outcomes.map((outcome) => scoreShown(outcome, 'onset')),
    );
  }
  const shipped = scoreNab(files, scores, THRESHOLD);
  const optimised = scoreNab(files, scores);
  log(
    `NAB: ${files.length} files, each as a device of one channel without a profile; standard profile`,
  );
  return {
    nab_shipped: round(shipped.score),
    nab_optimised: round(optimised.score),
    nab_optimised_threshold: optimised.threshold,
    nab_files: files.length,
    nab_windows: shipped.windows,
    nab_windows_found: shipped.found,
    nab_false_alarms: shipped.falseRows,
  };
}

function onSkab(part: SkabPart | undefined): Figures {
  if (part === undefined || part.labelled.length === 0)
    return { skab_f1: null, skab_far: null, skab_mar: null };
  const alarms = new Map<string, boolean[]>();
  for (const file of part.labelled)
    alarms.set(
      file.name,
      skabOutcomes(file).map((outcome) => alarmShown(outcome, 'open')),
    );
  const { f1, far, mar } = scoreSkab(part.labelled, alarms);
  return {
    skab_f1: round(f1),
    skab_far: round(far),
    skab_mar: round(mar),
    skab_files: part.labelled.length,
  };
}

function skabOutcomes({ channels, timesMs, rows }: SkabFile): Outcome<number>[] {
  const tagged = rows.map((cells, i) => ({ timeMs: timesMs[i]!, cells, tag: i }));
  return outcomesOf(channels, tagged, SKAB_TRAIN_ROWS);
}

function outcomesOf(
  channels: readonly string[],
  rows: readonly { timeMs: number; cells: readonly number[]; tag: number }[],
  trainRows: number | undefined,
): Outcome<number>[] {
  const configuration = configurationOf(undefined, { trainRows, intervalMs: undefined });
  const run = new DeviceRun<number>({ site: 'bench', device: 'device', channels, configuration });
  return [...run.judge(rows), ...run.end()];
}

function nabWithoutWindows(files: readonly NabFile[] | undefined): Quiet[] {
  const quiet = (files ?? []).filter(({ name }) => name.startsWith('artificialNoAnomaly/'));
  return quiet.map(({ name, timesMs, values }) => {
    const rows = values.map((value, i) => ({ timeMs: timesMs[i]!, cells: [value] }));
    return countAnomalies(`nab/${name}`, ['value'], new Map([['device', rows]]));
  });
}

function skabWithoutFaults(part: SkabPart | undefined): Quiet[] {
  return (part?.clean ?? []).map(({ name, channels, timesMs, rows }) => {
    const recorded = rows.map((cells, i) => ({ timeMs: timesMs[i]!, cells }));
    return countAnomalies(
      `skab/${name}`,
      channels,
      new Map([['device', recorded]]),
      SKAB_TRAIN_ROWS,
    );
  });
}

/** Recordings without labels, and those whose labels were not looked at: faults that are in them count too. */
function onQuiet(all: readonly Quiet[], log: Log): Figures {
  const figures: Figures = {};
  if (all.length > 0)
    log(
      'recordings: every anomaly after the first 400 rows of a device, also where something was wrong',
    );
  for (const { name, devices, rows, deviceDays, anomalies, perDeviceDay, per10kRows } of all) {
    log(
      `  ${name}: ${anomalies} anomalies on ${devices} device(s), ${rows} rows, ${deviceDays.toFixed(2)} device days (${(per10kRows ?? 0).toFixed(2)} per 10,000 rows)`,
    );
    const key = name.replace(/\.csv$/, '').replaceAll(/[^A-Za-z0-9]+/g, '_');
    figures[`recording_${key}_per_device_day`] = perDeviceDay === null ? null : round(perDeviceDay);
    figures[`recording_${key}_anomalies`] = anomalies;
  }
  return figures;
}

function onFaults(count: number, days: number, seed: number, log: Log): Figures {
  const devices = simulatedDevices(count);
  const profile = profileOf({ name: 'fms', config: '', env: {} });
  const configuration = configurationOf(profile, { trainRows: undefined, intervalMs: undefined });
  const rows = {
    trained: TRAIN_DAYS * ROWS_PER_DAY,
    all: Math.round((TRAIN_DAYS + days) * ROWS_PER_DAY),
  };
  log(
    `faults: ${count} FMS devices x ${days} days of a row every 10 s, seed ${seed}; the ${TRAIN_DAYS} days before (training) are left out`,
  );
  log('  false alarms: anomalies that begin neither in a fault nor within an hour after it');
  const results = devices.map((device) => testDevice({ device, seed, rows, configuration }));
  const dropouts = testDropouts(
    devices,
    seed,
    DROPOUT_ROWS,
    loadConfiguration({ profilesDir: undefined, retentionMs: 0 }),
  );
  log(
    `  dropouts: through the processor and its ticks, ${dropouts.hours.toFixed(0)} h; found when it says late`,
  );
  showFalse(results, TRAIN_DAYS + days, log);
  showMissed(results, log);
  return faultFigures(results, dropouts.faults, dropouts.falseStates);
}

function showFalse(results: readonly DeviceResult[], days: number, log: Log): void {
  const all = results.flatMap(({ falseOnsets }) => falseOnsets);
  const weeks = Array.from({ length: Math.ceil(days / DAYS_OF_WEEK) }, () => 0);
  for (const { row } of all) weeks[Math.floor(row / ROWS_PER_DAY / DAYS_OF_WEEK)]!++;
  log(`  false alarms by week from the start of training: ${weeks.join(', ')}`);
  for (const { row, reason } of all.slice(0, SHOWN))
    log(`  false, day ${(row / ROWS_PER_DAY).toFixed(2)}: ${reason}`);
  if (all.length > SHOWN) log(`  … and ${all.length - SHOWN} more false ones`);
}

function showMissed(results: readonly DeviceResult[], log: Log): void {
  const all = results.flatMap(({ faults }) => faults).filter(({ kind }) => kind !== 'dropout');
  const missed = all.filter((fault) => !isFound(fault));
  for (const { kind, channel, from, delayRows } of missed.slice(0, SHOWN)) {
    const later = delayRows === undefined ? 'not found' : `found after ${delayRows} rows`;
    log(`  missed, day ${(from / ROWS_PER_DAY).toFixed(2)}: ${kind} ${channel}, ${later}`);
  }
  if (missed.length > SHOWN) log(`  … and ${missed.length - SHOWN} more`);
}

function faultFigures(
  results: readonly DeviceResult[],
  dropouts: readonly Met[],
  falseStates: number,
): Figures {
  const anomalies = results.flatMap(({ faults }) => faults);
  const all = [...anomalies.filter(({ kind }) => kind !== 'dropout'), ...dropouts];
  const found = all.filter(isFound).length;
  const cleanDays = sumOf(results, ({ cleanDays: days }) => days);
  const falseOnes = sumOf(results, ({ falseOnsets }) => falseOnsets.length);
  const late = all.filter((fault) => fault.delayRows !== undefined && !isFound(fault)).length;
  const figures: Figures = {
    recall: round(found / all.length),
    precision: round(found / (found + falseOnes + falseStates)),
    false_alarms_per_device_day: round(falseOnes / cleanDays),
    false_alarms: falseOnes,
    false_device_states: falseStates,
    faults: all.length,
    faults_found_too_late: late,
    further_anomalies_in_faults: sumOf(results, ({ furtherOnsets }) => furtherOnsets),
    anomalies_after_dropouts: anomalies.filter(
      ({ kind, delayRows }) => kind === 'dropout' && delayRows !== undefined,
    ).length,
    clean_device_days: round(cleanDays),
  };
  for (const kind of FAULT_KINDS) Object.assign(figures, kindFigures(kind, all));
  return figures;
}

function isFound({ kind, delayRows }: Met): boolean {
  return delayRows !== undefined && delayRows <= KINDS[kind].foundWithin;
}

function kindFigures(kind: FaultKind, all: readonly Met[]): Figures {
  const of = all.filter((fault) => fault.kind === kind);
  const delays = of
    .flatMap(({ delayRows }) => (delayRows === undefined ? [] : [delayRows]))
    .sort((a, b) => a - b);
  const at = (share: number): number | null =>
    delays[Math.min(delays.length - 1, Math.floor(share * delays.length))] ?? null;
  const name = kind.toLowerCase();
  return {
    [`recall_${name}`]: of.length === 0 ? null : round(of.filter(isFound).length / of.length),
    [`delay_${name}_rows_p50`]: at(0.5),
    [`delay_${name}_rows_p95`]: at(0.95),
    [`delay_${name}_rows_max`]: at(1),
  };
}

async function costs(log: Log): Promise<Figures> {
  log(
    'cost: default set on 20 FMS devices; CPU with detectors less CPU of the rules alone, after 1,200 rows, median of 3; memory of 100 devices',
  );
  const child = new Child([fileURLToPath(new URL('./detect_cost_child.ts', import.meta.url))]);
  const [line] = await child.line(/^\{.*\}$/m, COST_MS_MAX);
  await child.stop();
  const { cost, memory } = JSON.parse(line) as { cost: Cost; memory: Memory };
  return {
    cpu_us_per_reading: round(cost.liveUs),
    cpu_us_per_reading_backlog: round(cost.backlogUs),
    cpu_us_per_reading_rules: round(cost.rulesUs),
    bytes_per_channel: Math.round(memory.bytes),
    bytes_per_channel_training: Math.round(memory.trainingBytes),
    bytes_per_channel_snapshot: Math.round(memory.snapshotBytes),
  };
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0);
}

function round(value: number): number {
  return Number(value.toFixed(4));
}
