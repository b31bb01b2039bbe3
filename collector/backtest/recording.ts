/** A recording: a CSV file (plain or gzip) with a header. Streamed: memory does not grow with the file. */

import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse';
import { CollectorError } from '../errors.ts';
import type { ChannelType } from '../profile.ts';
import type { Cell } from './chunk.ts';
import type { Zone } from './times.ts';
import { timeOf } from './times.ts';

export interface RecordingOptions {
  file: string;
  timeColumn: string;
  channels: readonly string[];
  /** 1, 1.0 or true where something was wrong; undefined: no labels. */
  labelColumn: string | undefined;
  /** Undefined: of `,` `;` and tab the one that the header has most of. */
  delimiter: string | undefined;
  /** Of times that name none. */
  zone: Zone;
  /** Types by channel, where a profile says them; left out: as each cell looks. */
  types: Readonly<Record<string, ChannelType>>;
}

export interface RecordedRow {
  /** As it stands in the file. */
  time: string;
  timeMs: number;
  /** In the order of the channels. */
  cells: Cell[];
  /** False without a label column. */
  label: boolean;
}

const EMPTY = new Set(['', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL', 'None']);
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const BOOLEAN = /^(?:true|false)$/i;
const LABELS = new Map([
  ['', false],
  ['0', false],
  ['false', false],
  ['1', true],
  ['true', true],
]);
const DELIMITERS = [',', ';', '\t'];
/** Of a column's name or a cell in a message. */
const SHOWN_CHARACTERS = 60;
/** Bytes of one row; a longer one is not a recording. */
const ROW_BYTES_MAX = 1024 * 1024;

interface Places {
  time: number;
  channels: number[];
  /** -1: none. */
  label: number;
}

interface Parsed {
  record: string[];
  info: { lines: number };
}

/** The rows in the file's order. Throws BACKTEST_RECORDING, with the line where there is one. */
export async function* rowsOf(options: RecordingOptions): AsyncGenerator<RecordedRow> {
  const delimiter = options.delimiter ?? (await delimiterOf(options.file));
  let places: Places | undefined;
  for await (const { record, info } of recordsOf(options.file, delimiter)) {
    if (places === undefined) places = placesOf(record, options);
    else yield rowOf(record, info.lines, places, options);
  }
  if (places === undefined) throw invalid(`${options.file}: the file is empty`);
}

function placesOf(header: readonly string[], options: RecordingOptions): Places {
  const find = (name: string): number => {
    const index = header.indexOf(name);
    if (index >= 0 && index === header.lastIndexOf(name)) return index;
    const what = index < 0 ? 'no column' : 'more than one column';
    const names = header.map(shown).join(', ');
    throw invalid(`${options.file}:1: ${what} ${JSON.stringify(name)} among: ${names}`);
  };
  const { timeColumn, channels, labelColumn } = options;
  return {
    time: find(timeColumn),
    channels: channels.map(find),
    label: labelColumn === undefined ? -1 : find(labelColumn),
  };
}

function rowOf(
  record: readonly string[],
  line: number,
  places: Places,
  options: RecordingOptions,
): RecordedRow {
  const { file, channels, types, zone } = options;
  const time = record[places.time] ?? '';
  const timeMs = timeOf(time, zone);
  if (timeMs === undefined)
    throw invalid(`${file}:${line}: ${JSON.stringify(shown(time))} is no time`);
  const cells = places.channels.map((place, c) => cellOf(record[place] ?? '', types[channels[c]!]));
  if (places.label < 0) return { time, timeMs, cells, label: false };
  const text = record[places.label] ?? '';
  const label = LABELS.get(text.toLowerCase().replace(/\.0+$/, ''));
  if (label === undefined)
    throw invalid(`${file}:${line}: the label ${JSON.stringify(shown(text))} is neither 0 nor 1`);
  return { time, timeMs, cells, label };
}

function cellOf(text: string, type: ChannelType | undefined): Cell {
  if (EMPTY.has(text)) return null;
  if (type === 'text') return text;
  if (BOOLEAN.test(text)) return text.toLowerCase() === 'true';
  if (!NUMBER.test(text)) return text;
  const value = Number(text);
  return type === 'boolean' && (value === 0 || value === 1) ? value === 1 : value;
}

/** By the header; the file is opened twice, so that no byte has to be put back. */
async function delimiterOf(file: string): Promise<string> {
  let header = '';
  try {
    for await (const piece of bytesOf(file)) {
      header += (piece as Buffer).toString('latin1');
      if (/[\r\n]/.test(header) || header.length > ROW_BYTES_MAX) break;
    }
  } catch (error) {
    throw unreadable(file, error);
  }
  const line = header.split(/\r?\n/, 1)[0] ?? '';
  const counts = DELIMITERS.map((each) => ({ each, count: line.split(each).length }));
  return counts.reduce((most, one) => (one.count > most.count ? one : most)).each;
}

async function* recordsOf(file: string, delimiter: string): AsyncGenerator<Parsed> {
  const parser = parse({
    delimiter,
    bom: true,
    trim: true,
    skip_empty_lines: true,
    info: true,
    max_record_size: ROW_BYTES_MAX,
  });
  try {
    for await (const parsed of pipeline(bytesOf(file), parser, () => {})) yield parsed as Parsed;
  } catch (error) {
    throw unreadable(file, error);
  }
}

function bytesOf(file: string): NodeJS.ReadableStream {
  const bytes = createReadStream(file);
  // The reader of the last stream of a pipeline sees its error; nothing is left to do here.
  return file.endsWith('.gz') ? pipeline(bytes, createGunzip(), () => {}) : bytes;
}

/** The path that a person gave is enough to find the file; messages of the file system repeat it. */
function unreadable(file: string, error: unknown): CollectorError {
  const message = error instanceof Error ? error.message : String(error);
  const detail = message.includes(basename(file)) ? message : `${file}: ${message}`;
  return new CollectorError('BACKTEST_RECORDING', detail, { cause: error });
}

function invalid(detail: string): CollectorError {
  return new CollectorError('BACKTEST_RECORDING', detail);
}

function shown(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}
