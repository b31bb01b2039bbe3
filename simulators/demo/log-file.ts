/** A child's log: everything to a bounded file, the last lines in memory, whole lines to a listener. */

import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

const FILE_BYTES_MAX = 16 * 1024 * 1024;
const LINE_CHARS_MAX = 16 * 1024;
const TAIL_LINES = 20;

export class LogFile {
  readonly path: string;
  readonly #onLine: (line: string) => void;
  readonly #tail: string[] = [];
  #fd: number;
  #bytes: number;
  #rest = '';

  /** Appends; beyond its bound the file is renamed to `PATH.1` (one is kept). */
  constructor(path: string, onLine: (line: string) => void) {
    this.path = path;
    this.#onLine = onLine;
    this.#fd = openSync(path, 'a', 0o600);
    this.#bytes = fstatSync(this.#fd).size;
  }

  write(text: string): void {
    if (this.#fd < 0) return;
    this.#bytes += writeSync(this.#fd, text);
    if (this.#bytes > FILE_BYTES_MAX) this.#rotate();
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, LINE_CHARS_MAX);
    for (const line of lines) {
      if (line === '') continue;
      this.#tail.push(line.slice(0, LINE_CHARS_MAX));
      if (this.#tail.length > TAIL_LINES) this.#tail.shift();
      this.#onLine(line);
    }
  }

  lastLines(count: number): string[] {
    const rest = this.#rest === '' ? [] : [this.#rest];
    return [...this.#tail, ...rest].slice(-count);
  }

  close(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }

  #rotate(): void {
    closeSync(this.#fd);
    renameSync(this.path, `${this.path}.1`);
    this.#fd = openSync(this.path, 'a', 0o600);
    this.#bytes = 0;
  }
}

/** What a program's log line says, if it is a warning or worse. JSON lines and `LEVEL` words are understood. */
export function warningOf(line: string): string | undefined {
  if (!line.startsWith('{')) {
    return /\b(WARN|ERROR|FATAL)\b/.test(line) ? line : undefined;
  }
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { level } = entry;
  const isBad = typeof level === 'number' ? level >= 40 : /^(warn|error|fatal)$/.test(`${level}`);
  if (!isBad) return undefined;
  const said = entry.message ?? entry.msg ?? entry.event ?? '';
  const details = ['device', 'code', 'error', 'reason', 'detail', 'hint']
    .filter((key) => typeof entry[key] === 'string')
    .map((key) => entry[key]);
  return [said, ...details].join('  ');
}
