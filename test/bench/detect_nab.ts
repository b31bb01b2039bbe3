/**
 * The scoring of the Numenta Anomaly Benchmark, v1.1, written from its published rules
 * (https://github.com/numenta/NAB, "Evaluating Real-Time Anomaly Detection Algorithms", 2015).
 *
 * A row whose score is at or above the threshold is a detection. In a window of w rows the earliest one
 * counts, by the scaled sigmoid s(y) = 2 / (1 + exp(5 y)) - 1 of its place y = -(rows to the end, it
 * included) / w, over s(-1). A row outside counts against it by the distance to the last window before it,
 * in widths of that window (y > 3, or no window before: -1), each time. A missed window costs its weight. The
 * first 15 % of a file (at most 750 rows) count for nothing. Score = 100 (raw - null) / (perfect - null),
 * where the null detector detects nothing and the perfect one is first in every window.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { timeOf, UTC } from '../../collector/backtest/times.ts';

export interface NabFile {
  /** As in the labels: `category/file.csv`. */
  name: string;
  timesMs: number[];
  values: number[];
  /** Indexes of first and last row of each window. */
  windows: (readonly [number, number])[];
}

/** Weights of the standard profile. */
const FALSE_POSITIVE = 0.11;
const PROBATION = 0.15;
const PROBATION_ROWS = 5_000;

/** Undefined: there is no such folder, or nothing in it. */
export function loadNab(folder: string): NabFile[] | undefined {
  let labels: Record<string, [string, string][]>;
  try {
    labels = JSON.parse(readFileSync(join(folder, 'labels/combined_windows.json'), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const names = readdirSync(join(folder, 'data'), { recursive: true }).map(String);
  const there = new Set(names.map((name) => name.replaceAll('\\', '/')));
  const files: NabFile[] = [];
  for (const [name, windows] of Object.entries(labels)) {
    const found = [name, `${name}.gz`].find((each) => there.has(each));
    if (found !== undefined) files.push(nabFile(name, join(folder, 'data', found), windows));
  }
  return files.length === 0 ? undefined : files;
}

function nabFile(name: string, path: string, windows: readonly [string, string][]): NabFile {
  const bytes = readFileSync(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  const rows = text.split(/\r?\n/).filter((line) => line !== '');
  const cells = rows.slice(1).map((row) => row.split(','));
  const timesMs = cells.map(([time = '']) => msOf(time));
  const at = (time: string): number => {
    const index = timesMs.indexOf(msOf(time));
    if (index < 0) throw new Error(`${name}: window at ${time}, where no row is`);
    return index;
  };
  return {
    name,
    timesMs,
    values: cells.map(([, value]) => Number(value)),
    windows: windows.map(([from, to]) => [at(from), at(to)] as const),
  };
}

/** Windows have microseconds, which are all zero. */
function msOf(text: string): number {
  const ms = timeOf(text.trim(), UTC);
  if (ms === undefined) throw new Error(`no time: ${text}`);
  return ms;
}

/** So many rows at the start count for nothing. */
export function probationRows(rows: number): number {
  return Math.ceil(Math.min(Math.floor(PROBATION * rows), PROBATION * PROBATION_ROWS));
}

export function scaledSigmoid(y: number): number {
  return y > 3 ? -1 : 2 / (1 + Math.exp(5 * y)) - 1;
}

/** What a detection at each row is worth, and whose window it is in. */
interface Worth {
  worth: Float64Array;
  /** -1: outside. */
  window: Int32Array;
}

function worthOf({ timesMs, windows }: Pick<NabFile, 'timesMs' | 'windows'>): Worth {
  const rows = timesMs.length;
  const worth = new Float64Array(rows);
  const window = new Int32Array(rows).fill(-1);
  let last: readonly [number, number] | undefined;
  let next = 0;
  for (let i = 0; i < rows; i++) {
    const at = windows[next];
    if (at !== undefined && i >= at[0]) {
      const width = at[1] - at[0] + 1;
      worth[i] = scaledSigmoid(-(at[1] - i + 1) / width) / scaledSigmoid(-1);
      window[i] = next;
      if (i < at[1]) continue;
      last = at;
      next++;
      continue;
    }
    const place = last === undefined ? Infinity : (i - last[1]) / (last[1] - last[0]);
    worth[i] = FALSE_POSITIVE * scaledSigmoid(place);
  }
  return { worth, window };
}

export interface NabScore {
  score: number;
  threshold: number;
  /** Windows that count, and those with a detection. */
  windows: number;
  found: number;
  /** Rows outside of windows that are detections. */
  falseRows: number;
}

interface Detection {
  score: number;
  worth: number;
  /** Over all files; -1: outside. */
  window: number;
}

/** `scores` by file, one a row. Without a threshold: by the one that scores best. */
export function scoreNab(
  files: readonly Pick<NabFile, 'name' | 'timesMs' | 'windows'>[],
  scores: ReadonlyMap<string, ArrayLike<number>>,
  threshold?: number,
): NabScore {
  const all: Detection[] = [];
  let windows = 0;
  const open = new Set<number>();
  for (const file of files) {
    const { worth, window } = worthOf(file);
    const of = scores.get(file.name);
    if (of?.length !== worth.length) throw new Error(`${file.name}: not one score a row`);
    for (let i = probationRows(worth.length); i < worth.length; i++) {
      const inside = window[i]! < 0 ? -1 : windows + window[i]!;
      if (inside >= 0) open.add(inside);
      all.push({ score: of[i]!, worth: worth[i]!, window: inside });
    }
    windows += file.windows.length;
  }
  all.sort((a, b) => b.score - a.score);
  return threshold === undefined
    ? best(all, windows, open.size)
    : sumOf(all, threshold, windows, open.size);
}

/** Goes down through the scores; of equal sums the highest threshold. Windows without a row to find them in cost nothing. */
function best(all: readonly Detection[], windows: number, scorable: number): NabScore {
  let bestOne = sumOf([], Infinity, windows, scorable);
  const sum = new RunningSum(scorable);
  for (let i = 0; i < all.length; i++) {
    sum.add(all[i]!);
    if (all[i + 1]?.score === all[i]!.score) continue;
    const score = sum.score(windows);
    if (score > bestOne.score)
      bestOne = { ...sum.counts, score, threshold: all[i]!.score, windows };
  }
  return bestOne;
}

function sumOf(
  all: readonly Detection[],
  threshold: number,
  windows: number,
  scorable: number,
): NabScore {
  const sum = new RunningSum(scorable);
  for (const one of all) if (one.score >= threshold) sum.add(one);
  return { ...sum.counts, score: sum.score(windows), threshold, windows };
}

class RunningSum {
  readonly #null: number;
  readonly #byWindow = new Map<number, number>();
  #raw: number;
  #falseRows = 0;

  constructor(scorable: number) {
    this.#null = -scorable;
    this.#raw = -scorable;
  }

  add({ worth, window }: Detection): void {
    if (window < 0) {
      this.#raw += worth;
      this.#falseRows++;
      return;
    }
    const before = this.#byWindow.get(window) ?? -1;
    if (worth <= before) return;
    this.#raw += worth - before;
    this.#byWindow.set(window, worth);
  }

  score(windows: number): number {
    return (100 * (this.#raw - this.#null)) / (windows - this.#null);
  }

  get counts(): { found: number; falseRows: number } {
    return { found: this.#byWindow.size, falseRows: this.#falseRows };
  }
}
