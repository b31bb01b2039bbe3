/** What the command line of a backtest says, checked. */

import { CollectorError } from '../errors.ts';
import type { Language, Mark } from './shown.ts';
import { MARKS } from './shown.ts';
import type { Zone } from './times.ts';
import { timeOf, UTC, zoneOf } from './times.ts';

/** As commander gives it. */
export interface BacktestOptions {
  config: string;
  time?: string;
  channels?: string;
  train?: string;
  profile?: string;
  out?: string;
  label?: string;
  windows?: string;
  name?: string;
  delimiter?: string;
  zone?: string;
  interval?: string;
  device?: string;
  from?: string;
  to?: string;
  warmUp?: string;
  url?: string | undefined;
  /** See ApiOptions of the command line's client. */
  caFile?: string | undefined;
  language?: string;
  mark?: string;
  json?: boolean;
}

interface Both {
  config: string;
  profile: string | undefined;
  trainRows: number | undefined;
  intervalMs: number | undefined;
  out: string | undefined;
  language: Language;
  /** Undefined: by the number of channels. */
  mark: Mark | undefined;
  json: boolean;
}

export interface FileOptions extends Both {
  kind: 'file';
  file: string;
  time: string;
  channels: string[];
  label: string | undefined;
  windows: { file: string; name: string | undefined } | undefined;
  delimiter: string | undefined;
  zone: Zone;
  device: string;
}

export interface HistoryOptions extends Both {
  kind: 'history';
  site: string;
  device: string;
  /** Undefined: all. */
  channels: string[] | undefined;
  fromMs: number;
  /** Exclusive. */
  toMs: number;
  /** Before `fromMs`: teaches, and is not counted. */
  warmUpMs: number;
  url: string | undefined;
  caFile: string | undefined;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const RANGE_MS = 30 * DAY_MS;
const WARM_UP_HOURS = 168;
const WARM_UP_HOURS_MAX = 24 * 366;
const TRAIN_ROWS_MAX = 1_000_000;
/** Options of one kind, which mean nothing for the other. */
const OF_FILES = ['time', 'label', 'windows', 'name', 'delimiter'] as const;
const OF_HISTORY = ['from', 'to', 'warmUp', 'url', 'caFile'] as const;

/** Throws BACKTEST_OPTIONS. */
export function optionsOf(
  file: string | undefined,
  given: BacktestOptions,
  nowMs: number,
): FileOptions | HistoryOptions {
  const zone = zoneNamed(given.zone);
  const language = given.language ?? 'en';
  if (language !== 'en' && language !== 'ko') throw invalid(`--language ${language}: en or ko`);
  const seconds = numberOf('interval', given.interval, 0.001, 366 * 86_400);
  const both: Both = {
    config: given.config,
    profile: given.profile,
    trainRows: numberOf('train', given.train, 1, TRAIN_ROWS_MAX, true),
    intervalMs: seconds === undefined ? undefined : Math.round(seconds * 1_000),
    out: given.out,
    language,
    mark: markOf(given.mark),
    json: given.json === true,
  };
  return file === undefined ? historyOf(given, both, zone, nowMs) : fileOf(file, given, both, zone);
}

function fileOf(file: string, given: BacktestOptions, both: Both, zone: Zone): FileOptions {
  refuse(given, OF_HISTORY, 'is for a history (without a file)');
  const { time, label, windows, name, delimiter, device } = given;
  const channels = namesOf(given.channels);
  if (time === undefined || channels === undefined)
    throw invalid('a recording needs --time COLUMN and --channels A,B,…');
  if (channels.includes(time)) throw invalid(`--channels: ${time} is the time`);
  if (label !== undefined && channels.includes(label))
    throw invalid(`--channels: ${label} is the label: detectors must not see it`);
  if (label !== undefined && windows !== undefined)
    throw invalid('--label and --windows exclude each other');
  if (name !== undefined && windows === undefined) throw invalid('--name needs --windows');
  const cut = delimiter === 'tab' || delimiter === '\\t' ? '\t' : delimiter;
  if (cut !== undefined && cut.length !== 1) throw invalid('--delimiter: one character, or "tab"');
  return {
    ...both,
    kind: 'file',
    file,
    time,
    channels,
    label,
    windows: windows === undefined ? undefined : { file: windows, name },
    delimiter: cut,
    zone,
    device: device ?? 'recording',
  };
}

function historyOf(given: BacktestOptions, both: Both, zone: Zone, nowMs: number): HistoryOptions {
  refuse(given, OF_FILES, 'is for a recording (with a file)');
  const [, site, device] = /^([^/]+)\/(.+)$/.exec(given.device ?? '') ?? [];
  if (site === undefined || device === undefined)
    throw invalid('name a CSV file, or a device of the running collector by --device SITE/DEVICE');
  const toMs = instantOf('to', given.to, zone) ?? nowMs;
  const fromMs = instantOf('from', given.from, zone) ?? toMs - RANGE_MS;
  if (fromMs >= toMs) throw invalid('--from must be before --to');
  const hours = numberOf('warm-up', given.warmUp, 0, WARM_UP_HOURS_MAX) ?? WARM_UP_HOURS;
  return {
    ...both,
    kind: 'history',
    site,
    device,
    channels: namesOf(given.channels),
    fromMs,
    toMs,
    warmUpMs: hours * HOUR_MS,
    url: given.url,
    caFile: given.caFile,
  };
}

function refuse(
  given: BacktestOptions,
  names: readonly (keyof BacktestOptions)[],
  why: string,
): void {
  const found = names.find((name) => given[name] !== undefined);
  if (found !== undefined) throw invalid(`--${found === 'warmUp' ? 'warm-up' : found} ${why}`);
}

function namesOf(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined;
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === ''))
    throw invalid('--channels: names with commas between them');
  const again = names.find((name, i) => names.indexOf(name) !== i);
  if (again !== undefined) throw invalid(`--channels: ${again} twice`);
  return names;
}

function markOf(text: string | undefined): Mark | undefined {
  const mark = MARKS.find((one) => one === text);
  if (text !== undefined && mark === undefined)
    throw invalid(`--mark ${text}: one of ${MARKS.join(', ')}`);
  return mark;
}

function zoneNamed(name: string | undefined): Zone {
  if (name === undefined) return UTC;
  const zone = zoneOf(name);
  if (zone === undefined)
    throw invalid(`--zone ${name}: a name such as Asia/Seoul, or an offset such as +09:00`);
  return zone;
}

function instantOf(option: string, text: string | undefined, zone: Zone): number | undefined {
  if (text === undefined) return undefined;
  const ms = timeOf(text, zone);
  if (ms === undefined)
    throw invalid(`--${option}: a time such as 2026-11-01 or 2026-11-01T08:00:00Z`);
  return ms;
}

function numberOf(
  option: string,
  text: string | undefined,
  min: number,
  max: number,
  isWhole = false,
): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= min && value <= max && (!isWhole || Number.isInteger(value))) return value;
  throw invalid(`--${option} ${text}: a ${isWhole ? 'whole ' : ''}number from ${min} to ${max}`);
}

function invalid(detail: string): CollectorError {
  return new CollectorError('BACKTEST_OPTIONS', detail);
}
