/**
 * The truth file: a simulator's own record of all that it emitted, JSON lines in order. Each line is
 * written before the answer that it describes is sent, by one write call, so that after kill -9 the file
 * holds every answer that anyone can have received. Fault tests compare the store with it.
 */

import {
  closeSync,
  createReadStream,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** A simulator started; counters and generators begin anew here. */
export interface TruthStart {
  type: 'start';
  at_ms: number;
  seed: number | string;
  kind: 'devices' | 'modbus' | 'replay' | 'fleet';
}

/** One answer (or line, or Modbus response), or a request that got none. */
export interface TruthRow {
  type: 'row';
  at_ms: number;
  device: string;
  /** The instant that the sent time means; null when none was sent or it means none. */
  time_ms: number | null;
  /** Exactly the channel values sent, in whatever type they were sent. Empty when no row was sent. */
  values: Record<string, unknown>;
  /** `fault` or `fault:channel` or `fault:variant`; `outlier:` and `minus_one:` are the signal's own. */
  faults: string[];
  /** HTTP status; 200 for a line or a Modbus response; 0: nothing was sent. */
  status: number;
  /** Head of what was sent when it is not a clean row. */
  body?: string;
}

/** A fault was switched on or off. */
export interface TruthFault {
  type: 'fault';
  at_ms: number;
  device: string;
  fault: string;
  channel?: string;
  on: boolean;
}

export type TruthEntry = TruthStart | TruthRow | TruthFault;

/** What simulators need of a truth file; `noTruth` when none is wanted. */
export interface TruthSink {
  /** Written when this returns. Throws when it could not be: then nothing may be sent. */
  write(entry: TruthEntry): void;
  /** Several at once, with one write call. */
  writeAll(entries: readonly TruthEntry[]): void;
  close(): void;
}

export const noTruth: TruthSink = { write() {}, writeAll() {}, close() {} };

const FLUSH_CHARS = 64 * 1024;

/** Appends to a truth file. Holds nothing in memory between calls. */
export class TruthWriter implements TruthSink {
  readonly #path: string;
  readonly #maxBytes: number;
  #fd: number;
  #bytes: number;

  /** `maxBytes`: beyond it the file is renamed to `PATH.1` (one is kept) and a new one begun; 0: never. */
  constructor(path: string, options: { maxBytes?: number } = {}) {
    this.#path = path;
    this.#maxBytes = options.maxBytes ?? 0;
    mkdirSync(dirname(path), { recursive: true });
    this.#fd = openSync(path, 'a+');
    this.#bytes = fstatSync(this.#fd).size;
    if (this.#bytes > 0 && !endsWithNewline(this.#fd, this.#bytes)) this.#append('\n');
  }

  write(entry: TruthEntry): void {
    this.#append(`${JSON.stringify(entry)}\n`);
    this.#rotateIfLarge();
  }

  writeAll(entries: readonly TruthEntry[]): void {
    let text = '';
    for (const entry of entries) {
      text += `${JSON.stringify(entry)}\n`;
      if (text.length < FLUSH_CHARS) continue;
      this.#append(text);
      text = '';
    }
    if (text !== '') this.#append(text);
    this.#rotateIfLarge();
  }

  close(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }

  #append(text: string): void {
    const bytes = Buffer.from(text);
    let written = 0;
    while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
    this.#bytes += bytes.length;
  }

  #rotateIfLarge(): void {
    if (this.#maxBytes === 0 || this.#bytes < this.#maxBytes) return;
    closeSync(this.#fd);
    renameSync(this.#path, `${this.#path}.1`);
    this.#fd = openSync(this.#path, 'a+');
    this.#bytes = 0;
  }
}

function endsWithNewline(fd: number, size: number): boolean {
  const last = Buffer.alloc(1);
  readSync(fd, last, 0, 1, size - 1);
  return last[0] === 0x0a;
}

/** Longest line that the reader takes; a longer one counts as torn. */
const LINE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Reads a truth file in order, with bounded memory. A last line without its end was torn by a kill
 * before its answer was sent: it is left out. So is a torn line in the middle (a start came after it);
 * `onTorn` hears of each.
 */
export async function* readTruth(
  path: string,
  onTorn: (line: string) => void = () => {},
): AsyncGenerator<TruthEntry> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of createReadStream(path)) {
    const bytes = Buffer.concat([rest, piece as Buffer]);
    let from = 0;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
      const line = bytes.toString('utf8', from, end);
      from = end + 1;
      const entry = parseEntry(line);
      if (entry !== undefined) yield entry;
      else if (line !== '') onTorn(line);
    }
    rest = bytes.subarray(from);
    if (rest.length > LINE_BYTES_MAX) throw new RangeError(`${path}: a line is too long`);
  }
  if (rest.length > 0) onTorn(rest.toString('utf8'));
}

function parseEntry(line: string): TruthEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) return undefined;
  const isEntry = value.type === 'row' || value.type === 'start' || value.type === 'fault';
  return isEntry ? (value as TruthEntry) : undefined;
}
