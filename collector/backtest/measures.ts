/**
 * How well alarms meet labels, counted in one pass with bounded memory.
 *
 * By row, alarm against label: precision = tp / (tp + fp), recall = tp / (tp + fn),
 * F1 = 2 tp / (2 tp + fp + fn), false-alarm rate = fp / (fp + tn).
 * By event: an event (rows with a label in a row, or a window) is found when an alarm is on in one of its
 * rows; its delay runs from its first row to that one. An anomaly is true when its alarm is on in a row of any
 * event. Precision = true anomalies / anomalies, recall = found / events.
 */

const DAY_MS = 86_400_000;

export interface MeasuredRow {
  timeMs: number;
  alarm: boolean;
  /** An anomaly begins. */
  isOnset: boolean;
  /** Of the event that the row belongs to, by which its rows are told from those of others; -1: none. */
  event: number;
}

export interface Summary {
  rows: number;
  /** Left out at the start, because the detectors were learning. */
  training_rows: number;
  first_ms: number | null;
  last_ms: number | null;
  anomalies: number;
  alarm_rows: number;
  anomalies_per_device_day: number | null;
  /** Undefined without labels. */
  labels?: LabelSummary;
}

export interface LabelSummary {
  by_row: { tp: number; fp: number; fn: number; tn: number } & Rates & {
      false_alarm_rate: number | null;
    };
  by_event: {
    events: number;
    found: number;
    true_anomalies: number;
    false_anomalies: number;
  } & Rates & {
      false_anomalies_per_device_day: number | null;
      delay_rows_mean: number | null;
      delay_rows_max: number | null;
      delay_ms_mean: number | null;
      delay_ms_max: number | null;
    };
}

interface Rates {
  precision: number | null;
  recall: number | null;
  f1: number | null;
}

export class Measures {
  readonly #trainRows: number;
  readonly #hasLabels: boolean;
  #seen = 0;
  #rows = 0;
  #firstMs = Number.POSITIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;
  #anomalies = 0;
  #true = 0;
  #wasOn = false;
  /** The open anomaly has met an event. */
  #isTrue = false;
  #confusion = { tp: 0, fp: 0, fn: 0, tn: 0 };
  #events = 0;
  #found = 0;
  /** The event at hand. */
  #event = -1;
  #eventFound = false;
  #eventRow = 0;
  #eventMs = 0;
  #delay = { rows: 0, rowsMax: 0, ms: 0, msMax: 0 };

  /** The first `trainRows` rows count for nothing. */
  constructor(options: { trainRows: number; hasLabels: boolean }) {
    this.#trainRows = options.trainRows;
    this.#hasLabels = options.hasLabels;
  }

  add(row: MeasuredRow): void {
    if (this.#seen++ < this.#trainRows) {
      // What began in training is not counted when it goes on after it.
      this.#wasOn = row.alarm;
      this.#isTrue = true;
      return;
    }
    const { timeMs, alarm, isOnset, event } = row;
    const index = this.#rows++;
    this.#firstMs = Math.min(this.#firstMs, timeMs);
    this.#lastMs = Math.max(this.#lastMs, timeMs);
    const isOn = alarm || isOnset;
    if (isOnset || (isOn && !this.#wasOn)) {
      this.#anomalies++;
      this.#isTrue = false;
    }
    this.#wasOn = isOn;
    this.#confusion[event >= 0 ? (isOn ? 'tp' : 'fn') : isOn ? 'fp' : 'tn']++;
    if (event !== this.#event) this.#begin(event, index, timeMs);
    if (event < 0 || !isOn) return;
    if (!this.#isTrue) this.#true++;
    this.#isTrue = true;
    if (!this.#eventFound) this.#find(index - this.#eventRow, timeMs - this.#eventMs);
  }

  summary(): Summary {
    const { tp, fp } = this.#confusion;
    const days = this.#rows > 1 ? (this.#lastMs - this.#firstMs) / DAY_MS : 0;
    const summary: Summary = {
      rows: this.#seen,
      training_rows: Math.min(this.#seen, this.#trainRows),
      first_ms: this.#rows === 0 ? null : this.#firstMs,
      last_ms: this.#rows === 0 ? null : this.#lastMs,
      anomalies: this.#anomalies,
      alarm_rows: tp + fp,
      anomalies_per_device_day: ratio(this.#anomalies, days),
    };
    return this.#hasLabels ? { ...summary, labels: this.#labels(days) } : summary;
  }

  #labels(days: number): LabelSummary {
    const { tp, fp, fn, tn } = this.#confusion;
    const falseOnes = this.#anomalies - this.#true;
    const precision = ratio(this.#true, this.#anomalies);
    const recall = ratio(this.#found, this.#events);
    return {
      by_row: {
        ...this.#confusion,
        precision: ratio(tp, tp + fp),
        recall: ratio(tp, tp + fn),
        f1: ratio(2 * tp, 2 * tp + fp + fn),
        false_alarm_rate: ratio(fp, fp + tn),
      },
      by_event: {
        events: this.#events,
        found: this.#found,
        true_anomalies: this.#true,
        false_anomalies: falseOnes,
        precision,
        recall,
        f1:
          precision === null || recall === null
            ? null
            : ratio(2 * precision * recall, precision + recall),
        false_anomalies_per_device_day: ratio(falseOnes, days),
        delay_rows_mean: ratio(this.#delay.rows, this.#found),
        delay_rows_max: this.#found === 0 ? null : this.#delay.rowsMax,
        delay_ms_mean: ratio(this.#delay.ms, this.#found),
        delay_ms_max: this.#found === 0 ? null : this.#delay.msMax,
      },
    };
  }

  #begin(event: number, index: number, timeMs: number): void {
    this.#event = event;
    if (event < 0) return;
    this.#events++;
    this.#eventFound = false;
    this.#eventRow = index;
    this.#eventMs = timeMs;
  }

  #find(rows: number, ms: number): void {
    this.#eventFound = true;
    this.#found++;
    const delay = this.#delay;
    delay.rows += rows;
    delay.ms += ms;
    delay.rowsMax = Math.max(delay.rowsMax, rows);
    delay.msMax = Math.max(delay.msMax, ms);
  }
}

/** Null where there is nothing to divide by. */
function ratio(of: number, all: number): number | null {
  return all > 0 ? of / all : null;
}
