/** A recording: a CSV file (plain or gzip) with a header, a time column and, perhaps, a device column. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse';
import { messageOf } from './config.ts';
import { SimError } from './errors.ts';

export interface RecordingOptions {
  file: string;
  /** Guessed from the header when undefined. */
  timeColumn: string | undefined;
  /** Guessed when undefined; `-`: there is none. */
  deviceColumn: string | undefined;
  /** What a relative time of 0 s means, UTC milliseconds. */
  startMs: number;
  /** Zone of times without one, minutes east of UTC. */
  zoneMinutes: number;
}

export type Cell = number | boolean | string | null;

export interface RecordedRow {
  /** 1 for the first row below the header. */
  row: number;
  timeMs: number;
  /** As it stands in the device column; undefined when there is none. */
  device: string | undefined;
  values: Record<string, Cell>;
}

type ColumnType = 'number' | 'boolean' | 'text';

const TIME_NAMES = ['ts', 'time', 'timestamp', 'datetime', 'date', 'seconds'];
const DEVICE_NAMES = ['group', 'device', 'device_id', 'deviceid', 'machine', 'machineid'];
const EMPTY = new Set(['', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL', 'None']);
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const BOOLEAN = /^(?:true|false)$/i;
const NAIVE = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?$/;
const HEAD_BYTES = 64 * 1024;

/** A recording whose columns are known. It is read anew, with bounded memory, by each call of `rows`. */
export class Recording {
  readonly name: string;
  /** By this a position file recognises the recording. */
  readonly fingerprint: string;
  readonly rowCount: number;
  /** Columns that are values. */
  readonly channels: readonly string[];
  /** Rows by device, in order of appearance; one entry with the key '' when there is no device column. */
  readonly devices: ReadonlyMap<string, number>;
  readonly #options: RecordingOptions;
  readonly #delimiter: string;
  readonly #columns: Columns;

  constructor(scan: Scan) {
    this.name = basename(scan.options.file)
      .replace(/\.gz$/, '')
      .replace(/\.csv$/, '');
    this.fingerprint = scan.fingerprint;
    this.rowCount = scan.rowCount;
    this.devices = scan.devices;
    this.#options = scan.options;
    this.#delimiter = scan.delimiter;
    this.#columns = scan.columns;
    const { names, timeIndex, deviceIndex } = scan.columns;
    this.channels = names.filter((_, index) => index !== timeIndex && index !== deviceIndex);
  }

  /** All rows in the file's order. Throws SimError SIM_RECORDING_INVALID at a row that is none. */
  async *rows(): AsyncGenerator<RecordedRow> {
    const { timeIndex, deviceIndex, names, types } = this.#columns;
    let row = 0;
    for await (const cells of cellsOf(this.#options.file, this.#delimiter)) {
      if (row++ === 0) continue;
      const values: Record<string, Cell> = {};
      for (const [index, name] of names.entries()) {
        if (index === timeIndex || index === deviceIndex) continue;
        values[name] = cellOf(cells[index] ?? '', types[index] ?? 'text');
      }
      yield {
        row: row - 1,
        timeMs: timeOf(cells[timeIndex] ?? '', this.#options, row),
        device: deviceIndex < 0 ? undefined : (cells[deviceIndex] ?? ''),
        values,
      };
    }
  }
}

interface Columns {
  names: string[];
  types: ColumnType[];
  timeIndex: number;
  /** -1: none. */
  deviceIndex: number;
}

interface Scan {
  options: RecordingOptions;
  fingerprint: string;
  delimiter: string;
  columns: Columns;
  rowCount: number;
  devices: Map<string, number>;
}

/** Reads the whole file once: the types of the columns, the devices, and that every row is one. */
export async function openRecording(options: RecordingOptions): Promise<Recording> {
  const { fingerprint, delimiter } = await headOf(options.file);
  const devices = new Map<string, number>();
  let columns: Columns | undefined;
  let seen: ColumnSurvey[] = [];
  let line = 0;
  for await (const cells of cellsOf(options.file, delimiter)) {
    line++;
    if (columns === undefined) {
      columns = columnsOf(cells, options);
      seen = cells.map(() => new ColumnSurvey());
      continue;
    }
    timeOf(cells[columns.timeIndex] ?? '', options, line);
    const device = columns.deviceIndex < 0 ? '' : (cells[columns.deviceIndex] ?? '');
    devices.set(device, (devices.get(device) ?? 0) + 1);
    for (const [index, survey] of seen.entries()) survey.add(cells[index] ?? '');
  }
  if (columns === undefined) throw invalid(`${options.file}: the file is empty`);
  columns.types = seen.map((survey) => survey.type());
  const rowCount = line - 1;
  return new Recording({ options, fingerprint, delimiter, columns, rowCount, devices });
}

/** What all cells of a column are. */
class ColumnSurvey {
  #isNumber = true;
  #isBoolean = true;
  #filled = 0;

  add(text: string): void {
    if (EMPTY.has(text)) return;
    this.#filled++;
    // A leading zero is a code (007), not a quantity.
    if (!NUMBER.test(text) || /^[+-]?0\d/.test(text)) this.#isNumber = false;
    if (!BOOLEAN.test(text)) this.#isBoolean = false;
  }

  type(): ColumnType {
    if (this.#isNumber || this.#filled === 0) return 'number';
    return this.#isBoolean ? 'boolean' : 'text';
  }
}

function columnsOf(header: readonly string[], options: RecordingOptions): Columns {
  const names = header.map((name) => name.trim());
  const find = (name: string): number => names.indexOf(name);
  const guess = (known: readonly string[]): number =>
    names.findIndex((name) => known.includes(name.toLowerCase()));
  const { timeColumn, deviceColumn } = options;
  const timeIndex = timeColumn === undefined ? guess(TIME_NAMES) : find(timeColumn);
  if (timeIndex < 0) {
    const which =
      timeColumn === undefined ? 'no time column recognised' : `no column '${timeColumn}'`;
    throw invalid(`${options.file}: ${which} among: ${names.join(', ')}`);
  }
  const hasNone = deviceColumn === '-';
  const deviceIndex = deviceColumn === undefined ? guess(DEVICE_NAMES) : find(deviceColumn);
  if (deviceColumn !== undefined && !hasNone && deviceIndex < 0) {
    throw invalid(`${options.file}: no column '${deviceColumn}' among: ${names.join(', ')}`);
  }
  if (new Set(names).size !== names.length) {
    throw invalid(`${options.file}: two columns have the same name: ${names.join(', ')}`);
  }
  return { names, types: [], timeIndex, deviceIndex: hasNone ? -1 : deviceIndex };
}

function cellOf(text: string, type: ColumnType): Cell {
  if (EMPTY.has(text)) return null;
  if (type === 'number') return Number(text);
  return type === 'boolean' ? text.toLowerCase() === 'true' : text;
}

/** ISO 8601 with or without a zone, or a number: milliseconds, seconds since 1970, or relative seconds. */
function timeOf(text: string, options: RecordingOptions, line: number): number {
  let timeMs = Number.NaN;
  const naive = NAIVE.exec(text);
  if (NUMBER.test(text)) {
    const value = Number(text);
    if (value >= 1e11) timeMs = value;
    else timeMs = value >= 1e8 ? value * 1_000 : options.startMs + value * 1_000;
  } else if (naive !== null) {
    const instant = Date.parse(`${naive[1]}T${naive[2] ?? '00:00'}Z`);
    timeMs = instant - options.zoneMinutes * 60_000;
  } else if (/^\d{4}-\d{2}-\d{2}T/.test(text)) {
    timeMs = Date.parse(text);
  }
  if (Number.isFinite(timeMs)) return Math.round(timeMs);
  throw invalid(`${options.file}:${line}: '${text.slice(0, 40)}' is no time`);
}

async function headOf(file: string): Promise<{ fingerprint: string; delimiter: string }> {
  try {
    const { size } = await stat(file);
    const handle = await open(file);
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await handle.read(head, 0, HEAD_BYTES, 0);
    await handle.close();
    const digest = createHash('sha256').update(head.subarray(0, bytesRead));
    const fingerprint = `${size}-${digest.digest('hex').slice(0, 16)}`;
    let header = '';
    for await (const piece of bytesOf(file)) {
      header = (piece as Buffer).toString('utf8').split(/\r?\n/, 1)[0] ?? '';
      break;
    }
    const counts = [',', ';', '\t'].map((d) => ({ d, count: header.split(d).length }));
    counts.sort((a, b) => b.count - a.count);
    return { fingerprint, delimiter: counts[0]?.d ?? ',' };
  } catch (error) {
    throw new SimError('SIM_FILE_UNREADABLE', `${file}: ${messageOf(error)}`, { cause: error });
  }
}

function bytesOf(file: string): NodeJS.ReadableStream {
  const bytes = createReadStream(file);
  // The reader of the last stream of a pipeline sees its error; nothing is left to do here.
  return file.endsWith('.gz') ? pipeline(bytes, createGunzip(), () => {}) : bytes;
}

async function* cellsOf(file: string, delimiter: string): AsyncGenerator<string[]> {
  const parser = parse({ delimiter, bom: true, trim: true, skip_empty_lines: true });
  try {
    for await (const cells of pipeline(bytesOf(file), parser, () => {})) yield cells as string[];
  } catch (error) {
    throw invalid(`${file}: ${messageOf(error)}`, error);
  }
}

function invalid(detail: string, cause?: unknown): SimError {
  return new SimError('SIM_RECORDING_INVALID', detail, { cause });
}
