/**
 * `fms-sim replay`: writes a recording as JSON lines for the agent's `command` reader, at the recorded
 * pace times a factor, each row with its own time. A row goes to the truth file before it is written,
 * and into the position file after the pipe has taken it: a new start goes on with the row after it.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { messageOf } from './config.ts';
import { SimError } from './errors.ts';
import type { RecordedRow, Recording } from './recording.ts';
import type { TruthEntry, TruthSink } from './truth.ts';

export interface ReplayOptions {
  recording: Recording;
  /** Replay only this value of the device column. */
  onlyDevice: string | undefined;
  /** Name to send instead of the device column's value. */
  deviceName: string | undefined;
  /** Put before the device column's value. */
  devicePrefix: string;
  /** Times the recorded pace; 0: as fast as the output takes it. */
  speed: number;
  /** A longer pause of the recording is shortened to this, in recorded milliseconds. */
  maxPauseMs: number;
  positionFile: string | undefined;
  truth: TruthSink;
  output: LineOutput;
  nowMs: () => number;
  /** Ends the replay after the row being written. */
  signal: AbortSignal;
}

export interface LineOutput {
  /** Resolves when the other side's pipe has taken all of it; rejects when the other side has gone. */
  write(text: string): Promise<void>;
}

export interface ReplayResult {
  /** Rows written by this run. */
  sent: number;
  /** Rows written by earlier runs. */
  skipped: number;
  /** The last row of the recording has been written. */
  isDone: boolean;
}

/** What is in a position file. */
export interface ReplayPosition {
  recording: string;
  fingerprint: string;
  /** The last row written (of the file, counted from 1). */
  row: number;
  /** Rows written, of this device only. */
  sent: number;
  done: boolean;
}

const BATCH_ROWS = 256;

export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const { recording, truth, output, signal } = options;
  const before = readPosition(options.positionFile, recording);
  truth.write({ type: 'start', at_ms: options.nowMs(), seed: recording.name, kind: 'replay' });
  const pace = new Pace(options.speed, options.maxPauseMs, options.nowMs);
  let batch: RecordedRow[] = [];
  let sent = 0;
  let isDone = before.done;
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    const rows = batch;
    batch = [];
    truth.writeAll(rows.map((row) => truthOf(row, options)));
    await output.write(rows.map((row) => lineOf(row, options)).join(''));
    sent += rows.length;
    save(options.positionFile, recording, rows.at(-1)?.row ?? 0, before.sent + sent, false);
  };
  if (!isDone) {
    for await (const row of recording.rows()) {
      if (row.row <= before.row) continue;
      if (options.onlyDevice !== undefined && row.device !== options.onlyDevice) continue;
      const waitMs = pace.waitMs(row.timeMs);
      if (waitMs > 0 || batch.length >= BATCH_ROWS) await flush();
      if (waitMs > 0) await sleep(waitMs, signal);
      if (signal.aborted) break;
      batch.push(row);
    }
    await flush();
    isDone = !signal.aborted;
    if (isDone) save(options.positionFile, recording, recording.rowCount, before.sent + sent, true);
  }
  return { sent, skipped: before.sent, isDone };
}

/** When the next row is due. Starts anew where the times go back (the next device of the file). */
class Pace {
  readonly #speed: number;
  readonly #maxPauseMs: number;
  readonly #nowMs: () => number;
  #anchorWallMs = 0;
  #anchorTimeMs = Number.POSITIVE_INFINITY;
  #lastTimeMs = Number.POSITIVE_INFINITY;

  constructor(speed: number, maxPauseMs: number, nowMs: () => number) {
    this.#speed = speed;
    this.#maxPauseMs = maxPauseMs;
    this.#nowMs = nowMs;
  }

  /** Milliseconds to wait before the row with this time; 0 or less: it is due. */
  waitMs(timeMs: number): number {
    if (this.#speed === 0) return 0;
    const nowMs = this.#nowMs();
    const pauseMs = timeMs - this.#lastTimeMs;
    if (pauseMs > this.#maxPauseMs) this.#anchorTimeMs += pauseMs - this.#maxPauseMs;
    if (timeMs < this.#lastTimeMs) {
      this.#anchorWallMs = nowMs;
      this.#anchorTimeMs = timeMs;
    }
    this.#lastTimeMs = timeMs;
    return this.#anchorWallMs + (timeMs - this.#anchorTimeMs) / this.#speed - nowMs;
  }
}

function nameOf(row: RecordedRow, options: ReplayOptions): string | undefined {
  if (options.deviceName !== undefined) return options.deviceName;
  return row.device === undefined ? undefined : `${options.devicePrefix}${row.device}`;
}

function lineOf(row: RecordedRow, options: ReplayOptions): string {
  const device = nameOf(row, options);
  const time = new Date(row.timeMs).toISOString();
  const line =
    device === undefined ? { time, values: row.values } : { time, device, values: row.values };
  return `${JSON.stringify(line)}\n`;
}

function truthOf(row: RecordedRow, options: ReplayOptions): TruthEntry {
  return {
    type: 'row',
    at_ms: options.nowMs(),
    device: nameOf(row, options) ?? options.recording.name,
    time_ms: row.timeMs,
    values: row.values,
    faults: [],
    status: 200,
  };
}

/** A position file that is absent or torn means the beginning; one of another recording is refused. */
export function readPosition(file: string | undefined, recording: Recording): ReplayPosition {
  const { name, fingerprint } = recording;
  const beginning = { recording: name, fingerprint, row: 0, sent: 0, done: false };
  if (file === undefined) return beginning;
  let position: ReplayPosition;
  try {
    position = JSON.parse(readFileSync(file, 'utf8')) as ReplayPosition;
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (isAbsent || error instanceof SyntaxError) return beginning;
    throw new SimError('SIM_FILE_UNREADABLE', `${file}: ${messageOf(error)}`, { cause: error });
  }
  if (position.fingerprint === fingerprint) return position;
  throw new SimError('SIM_POSITION_FOREIGN', `${file} is of '${position.recording}'`);
}

/** Replaced as a whole: a kill leaves the old position or the new one. */
function save(
  file: string | undefined,
  recording: Recording,
  row: number,
  sent: number,
  done: boolean,
): void {
  if (file === undefined) return;
  const { name, fingerprint } = recording;
  const position: ReplayPosition = { recording: name, fingerprint, row, sent, done };
  writeFileSync(`${file}.new`, `${JSON.stringify(position)}\n`);
  renameSync(`${file}.new`, file);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    // setTimeout takes at most 2^31-1 ms: a pause of more than 24 days is cut to that.
    const timer = setTimeout(done, Math.min(ms, 2_147_483_647));
    signal.addEventListener('abort', done, { once: true });
  });
}
