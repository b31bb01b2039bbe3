/**
 * Walks over the readings of one device in a chunk in the order of their times: one row a time, whatever
 * series they stand in. Readings behind newer ones, and those that are for quarantine because of their
 * time, are no part of it.
 */

import type { ChunkColumns } from '../../../proto/model.ts';
import { SeriesKind, Severity, severityOf } from '../../../proto/model.ts';
import { Treatment } from '../../findings.ts';
import type { Sheet } from '../validation/run.ts';
import { Mark, NOT_GOOD, TIME_FAULT, UNUSABLE } from '../validation/run.ts';
import { QUARANTINED } from '../validation/settle.ts';
import type { RollingCounts } from './counters.ts';
import type { DeviceWatch } from './device.ts';

const OUT_OF_ORDER = Mark.ASIDE | TIME_FAULT;

interface Source {
  /** Of the channel; -1: no rule names it. */
  slot: number;
  kind: number;
  /** The next reading, and the end. */
  at: number;
  end: number;
}

/** One after the other of these is told of each row. */
export interface RowLooker {
  /** Before the first row of another minute of reading time than the row before: at its time. */
  minuteEnds(device: DeviceWatch, atMs: number): void;
  /** `slots`: channels with a usable value in this row; `good`: bit by place in `slots`, below 31. */
  row(device: DeviceWatch, atMs: number, slots: readonly number[]): void;
  /** After row(): a value without doubt. */
  learn(device: DeviceWatch, atMs: number, slot: number, value: number): void;
}

export class DeviceRows {
  readonly #sources: Source[] = [];
  #count = 0;
  readonly #slots: number[] = [];
  /** Of #slots: index of the reading. */
  readonly #indexes: number[] = [];

  clear(): void {
    this.#count = 0;
  }

  add(slot: number, kind: number, from: number, to: number): void {
    let source = this.#sources[this.#count];
    if (source === undefined) {
      source = { slot, kind, at: from, end: to };
      this.#sources.push(source);
    } else {
      source.slot = slot;
      source.kind = kind;
      source.at = from;
      source.end = to;
    }
    this.#count++;
  }

  walk(device: DeviceWatch, columns: ChunkColumns, sheet: Sheet, looker: RowLooker): void {
    const { counts } = device;
    if (sheet.any && counts !== undefined) this.#countAside(columns, sheet, counts);
    for (let atMs = this.#nextMs(columns, sheet); atMs < Infinity; ) {
      if (counts !== undefined && Math.floor(atMs / 60_000) > counts.minute && device.newestMs > 0)
        looker.minuteEnds(device, device.newestMs);
      device.newestMs = atMs;
      this.#take(device, columns, sheet, atMs);
      if (this.#slots.length > 0) {
        looker.row(device, atMs, this.#slots);
        this.#teach(device, columns, sheet, looker, atMs);
      }
      atMs = this.#nextMs(columns, sheet);
    }
  }

  /** Time of the next row; Infinity: there is none. */
  #nextMs({ timesMs }: ChunkColumns, sheet: Sheet): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (let s = 0; s < this.#count; s++) {
      const source = this.#sources[s]!;
      if (sheet.any)
        while (source.at < source.end && (sheet.marks[source.at]! & OUT_OF_ORDER) !== 0)
          source.at++;
      if (source.at < source.end && timesMs[source.at]! < nextMs) nextMs = timesMs[source.at]!;
    }
    return nextMs;
  }

  #take(device: DeviceWatch, columns: ChunkColumns, sheet: Sheet, atMs: number): void {
    const { counts, plan } = device;
    this.#slots.length = 0;
    this.#indexes.length = 0;
    for (let s = 0; s < this.#count; s++) {
      const source = this.#sources[s]!;
      const i = source.at;
      if (i >= source.end || columns.timesMs[i] !== atMs) continue;
      source.at++;
      if (sheet.any) {
        const isBad = severityOf(columns.qualities[i]!) === Severity.BAD;
        counts?.add(atMs, sheet.findings[i]!, isBad);
        if (isBad || !isUsable(sheet, i)) continue;
      } else {
        counts?.addClean(atMs, 1);
      }
      if (source.slot < 0) continue;
      const { isBoolean } = plan.channels[source.slot]!;
      const value = valueAt(columns, source.kind, isBoolean, i);
      if (typeof value === 'number' && Number.isNaN(value)) continue;
      device.put(source.slot, atMs, value);
      this.#slots.push(source.slot);
      this.#indexes.push(i);
    }
  }

  #teach(
    device: DeviceWatch,
    { numbers }: ChunkColumns,
    sheet: Sheet,
    looker: RowLooker,
    atMs: number,
  ): void {
    for (let s = 0; s < this.#slots.length; s++) {
      const slot = this.#slots[s]!;
      if (device.baselines[slot] === undefined) continue;
      const i = this.#indexes[s]!;
      if (!sheet.any || (sheet.findings[i]! & NOT_GOOD) === 0)
        looker.learn(device, atMs, slot, numbers[i]!);
    }
  }

  /** Those have no row; they count in their own minutes. */
  #countAside(columns: ChunkColumns, { marks, findings }: Sheet, counts: RollingCounts): void {
    for (let s = 0; s < this.#count; s++) {
      const { at, end } = this.#sources[s]!;
      for (let i = at; i < end; i++) {
        if ((marks[i]! & OUT_OF_ORDER) !== Mark.ASIDE) continue;
        const isBad = severityOf(columns.qualities[i]!) === Severity.BAD;
        counts.addLate(columns.timesMs[i]!, findings[i]!, isBad);
      }
    }
  }
}

/** The rules leave it a value that came from the device. */
function isUsable({ findings, treatments }: Sheet, i: number): boolean {
  const treatment = treatments[i];
  return (
    (findings[i]! & UNUSABLE) === 0 &&
    treatment !== QUARANTINED &&
    treatment !== Treatment.FILLED &&
    treatment !== Treatment.MISSING
  );
}

function valueAt(
  columns: ChunkColumns,
  kind: number,
  isBoolean: boolean,
  i: number,
): number | string | boolean {
  if (kind === SeriesKind.TEXT) return columns.texts.get(i) ?? '';
  const number = columns.numbers[i]!;
  // -0 would not come back from JSON.
  return isBoolean || kind === SeriesKind.BOOLEAN ? number === 1 : number + 0;
}
