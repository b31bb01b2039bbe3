/** Labels as windows of time: `{"file.csv": [["from", "to"], …], …}` or one such list; ends inclusive. */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { CollectorError } from '../errors.ts';
import type { Zone } from './times.ts';
import { timeOf } from './times.ts';

export interface LabelWindow {
  fromMs: number;
  /** Inclusive. */
  toMs: number;
}

const NAMES_SHOWN = 5;

/**
 * Those of `name`, ascending; left out: those of the key that ends with the recording's own name. Throws
 * BACKTEST_OPTIONS.
 */
export function readWindows(
  file: string,
  name: string | undefined,
  recording: string,
  zone: Zone,
): LabelWindow[] {
  const list = listOf(file, parse(file), name, basename(recording).replace(/\.gz$/, ''));
  return list
    .map((pair) => windowOf(file, pair, zone))
    .sort((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs);
}

/** Which of them holds a time; windows are asked for in any order of times. -1: none. */
export function windowAt(windows: readonly LabelWindow[], timeMs: number): number {
  return windows.findIndex(({ fromMs, toMs }) => fromMs <= timeMs && timeMs <= toMs);
}

function parse(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw invalid(`${file}: ${(error as Error).message}`, error);
  }
}

function listOf(
  file: string,
  content: unknown,
  name: string | undefined,
  recording: string,
): readonly unknown[] {
  if (Array.isArray(content) && name === undefined) return content;
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw invalid(`${file}: an object of windows by name was expected`);
  const keys = Object.keys(content);
  const found =
    name === undefined
      ? keys.filter((key) => key === recording || key.endsWith(`/${recording}`))
      : keys.filter((key) => key === name);
  const [key] = found;
  if (key === undefined || found.length > 1) {
    const known = `${keys.slice(0, NAMES_SHOWN).join(', ')}${keys.length > NAMES_SHOWN ? ', …' : ''}`;
    throw invalid(
      `${file}: no windows of ${name ?? recording}; known: ${known}; say which by --name`,
    );
  }
  const list = (content as Record<string, unknown>)[key];
  if (!Array.isArray(list)) throw invalid(`${file}: ${key}: a list of [from, to] was expected`);
  return list;
}

function windowOf(file: string, pair: unknown, zone: Zone): LabelWindow {
  const [fromMs, toMs] = Array.isArray(pair)
    ? pair.map((each) => timeOf(String(each).trim(), zone))
    : [];
  if (fromMs === undefined || toMs === undefined || toMs < fromMs)
    throw invalid(`${file}: ${JSON.stringify(pair)} is no window [from, to]`);
  return { fromMs, toMs };
}

function invalid(detail: string, cause?: unknown): CollectorError {
  return new CollectorError('BACKTEST_OPTIONS', detail, { cause });
}
