/**
 * The scoring of the Skoltech Anomaly Benchmark, v0.9, for outliers, written from its published rules
 * (https://github.com/waico/SKAB): of each file the first 400 rows are for training, the others are
 * counted, all files together. F1 = tp / (tp + (fn + fp) / 2), FAR = fp / (fp + tn), MAR = fn / (fn + tp).
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { timeOf, UTC } from '../../collector/backtest/times.ts';

export const SKAB_TRAIN_ROWS = 400;
const CLEAN = 'anomaly-free';
const NO_CHANNELS = new Set(['datetime', 'anomaly', 'changepoint']);

export interface SkabFile {
  /** `group/file.csv`. */
  name: string;
  channels: string[];
  timesMs: number[];
  rows: number[][];
  /** All false in a file without labels. */
  labels: boolean[];
}

export interface SkabPart {
  labelled: SkabFile[];
  clean: SkabFile[];
}

/** Undefined: there is no such folder. */
export function loadSkab(folder: string): SkabPart | undefined {
  if (!existsSync(folder)) return undefined;
  const base = existsSync(join(folder, 'data')) ? join(folder, 'data') : folder;
  const groups = readdirSync(base, { withFileTypes: true }).filter((one) => one.isDirectory());
  const part: SkabPart = { labelled: [], clean: [] };
  for (const { name: group } of groups) {
    const names = readdirSync(join(base, group)).filter((name) => /\.csv(\.gz)?$/.test(name));
    names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    for (const name of names) {
      const file = skabFile(`${group}/${name}`, join(base, group, name));
      part[group === CLEAN ? 'clean' : 'labelled'].push(file);
    }
  }
  return part.labelled.length + part.clean.length === 0 ? undefined : part;
}

function skabFile(name: string, path: string): SkabFile {
  const bytes = readFileSync(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  const [header = '', ...lines] = text.split(/\r?\n/).filter((line) => line !== '');
  const names = header.split(';');
  const [time, label] = ['datetime', 'anomaly'].map((column) => names.indexOf(column));
  const places = names.flatMap((column, i) => (NO_CHANNELS.has(column) ? [] : [i]));
  const cells = lines.map((line) => line.split(';'));
  return {
    name: name.replace(/\.gz$/, ''),
    channels: places.map((i) => names[i]!),
    timesMs: cells.map((row) => timeOf(row[time!]!, UTC) ?? Number.NaN),
    rows: cells.map((row) => places.map((i) => Number(row[i]))),
    labels: cells.map((row) => label! >= 0 && Number(row[label!]) === 1),
  };
}

export interface SkabScore {
  f1: number;
  far: number;
  mar: number;
}

/** `alarms` by file, one a row. */
export function scoreSkab(
  files: readonly Pick<SkabFile, 'name' | 'labels'>[],
  alarms: ReadonlyMap<string, readonly boolean[]>,
): SkabScore {
  const counts = { tp: 0, fp: 0, fn: 0, tn: 0 };
  for (const { name, labels } of files) {
    const on = alarms.get(name);
    if (on?.length !== labels.length) throw new Error(`${name}: not one alarm a row`);
    for (let i = SKAB_TRAIN_ROWS; i < labels.length; i++)
      counts[labels[i] === true ? (on[i] ? 'tp' : 'fn') : on[i] ? 'fp' : 'tn']++;
  }
  const { tp, fp, fn, tn } = counts;
  return {
    f1: tp === 0 ? 0 : tp / (tp + (fn + fp) / 2),
    far: fp + tn === 0 ? 0 : fp / (fp + tn),
    mar: fn + tp === 0 ? 0 : fn / (fn + tp),
  };
}
