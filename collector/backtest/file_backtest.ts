/** A recording through the detectors: its rows with their scores, and what they come to. */

import { CollectorError } from '../errors.ts';
import type { CompiledConfiguration } from '../processor/validation/compile.ts';
import type { Outcome, Row } from './device_run.ts';
import { DeviceRun } from './device_run.ts';
import type { Summary } from './measures.ts';
import { Measures } from './measures.ts';
import type { RecordedRow } from './recording.ts';
import type { Mark } from './shown.ts';
import { alarmShown } from './shown.ts';
import type { LabelWindow } from './windows.ts';
import { windowAt } from './windows.ts';

/** Rows between two looks at the consumer: it sets the pace. */
const ROWS_AT_ONCE = 256;

export interface FileBacktestOptions {
  file: string;
  rows: AsyncIterable<RecordedRow>;
  site: string;
  device: string;
  channels: readonly string[];
  configuration: CompiledConfiguration;
  /** On which rows an alarm is. */
  mark: Mark;
  /** Left out of the measures. */
  trainRows: number;
  /** The recording has a label column. */
  hasLabels: boolean;
  /** Undefined: none; they count besides the labels of the recording. */
  windows: readonly LabelWindow[] | undefined;
}

/** What travels with a row until its outcome is known. */
export interface RowTag {
  time: string;
  /** See MeasuredRow.event. */
  event: number;
}

export class FileBacktest {
  readonly #options: FileBacktestOptions;
  readonly #measures: Measures;
  readonly #eventOf: (row: RecordedRow) => number;

  constructor(options: FileBacktestOptions) {
    this.#options = options;
    const { trainRows, windows } = options;
    this.#measures = new Measures({
      trainRows,
      hasLabels: options.hasLabels || windows !== undefined,
    });
    this.#eventOf =
      windows === undefined ? eventsOfLabels() : (row) => windowAt(windows, row.timeMs);
  }

  /** Once. Throws BACKTEST_RECORDING when there are no rows; else what reading the rows throws. */
  async *outcomes(): AsyncGenerator<Outcome<RowTag>> {
    const run = new DeviceRun<RowTag>(this.#options);
    let rows: Row<RowTag>[] = [];
    let count = 0;
    for await (const row of this.#options.rows) {
      count++;
      const { time, timeMs, cells } = row;
      rows.push({ timeMs, cells, tag: { time, event: this.#eventOf(row) } });
      if (rows.length < ROWS_AT_ONCE) continue;
      yield* this.#measured(run.judge(rows));
      rows = [];
    }
    if (count === 0)
      throw new CollectorError(
        'BACKTEST_RECORDING',
        `${this.#options.file}: no rows below the header`,
      );
    yield* this.#measured(run.judge(rows));
    yield* this.#measured(run.end());
  }

  /** When all outcomes have been taken. */
  get summary(): Summary {
    return this.#measures.summary();
  }

  *#measured(outcomes: readonly Outcome<RowTag>[]): Generator<Outcome<RowTag>> {
    for (const outcome of outcomes) {
      const { timeMs, isOnset, tag } = outcome;
      const alarm = alarmShown(outcome, this.#options.mark);
      this.#measures.add({ timeMs, alarm, isOnset, event: tag.event });
      yield outcome;
    }
  }
}

/** Rows with a label in a row are one event. */
function eventsOfLabels(): (row: RecordedRow) => number {
  let events = 0;
  let before = false;
  return ({ label }) => {
    if (label && !before) events++;
    before = label;
    return label ? events - 1 : -1;
  };
}
