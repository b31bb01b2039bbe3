/** The readings of a device in a chunk, row by row: a row is what was read at one time. */

import type { ChunkColumns } from '../../../proto/model.ts';

/** Fresh readings of one series, on the way through the rows. */
interface Cursor {
  channel: string;
  isBoolean: boolean;
  /** Index of the next reading, and where they end. */
  next: number;
  to: number;
}

/** Told of each reading, then of the end of its row. */
export interface RowTaker {
  reading(channel: string, isBoolean: boolean, index: number): void;
  endRow(timeMs: number): void;
}

export class DeviceRows {
  /** More than are in use: they are used again. */
  readonly #cursors: Cursor[] = [];
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  /** Readings [from, to) of the columns, consecutive ones of one series. */
  add(channel: string, isBoolean: boolean, from: number, to: number): void {
    const cursor = this.#cursors[this.#count];
    if (cursor === undefined) this.#cursors.push({ channel, isBoolean, next: from, to });
    else {
      cursor.channel = channel;
      cursor.isBoolean = isBoolean;
      cursor.next = from;
      cursor.to = to;
    }
    this.#count++;
  }

  /**
   * Takes the earliest of the next readings of all series, and those of the others with the same time. The
   * order within a series stays; a time that is no number comes last.
   */
  eachRow({ timesMs }: ChunkColumns, taker: RowTaker): void {
    const cursors = this.#cursors;
    for (;;) {
      let timeMs = Infinity;
      let left = false;
      for (let c = 0; c < this.#count; c++) {
        const { next, to } = cursors[c]!;
        if (next >= to) continue;
        left = true;
        if (timesMs[next]! < timeMs) timeMs = timesMs[next]!;
      }
      if (!left) return;
      let taken = false;
      for (let c = 0; c < this.#count; c++) {
        const cursor = cursors[c]!;
        if (cursor.next >= cursor.to || timesMs[cursor.next] !== timeMs) continue;
        taker.reading(cursor.channel, cursor.isBoolean, cursor.next++);
        taken = true;
      }
      if (taken) taker.endRow(timeMs);
      else for (let c = 0; c < this.#count; c++) skipNoTime(cursors[c]!, timesMs);
    }
  }
}

/** Not a number, or infinite: nothing can be said of when it was. */
function skipNoTime(cursor: Cursor, timesMs: Float64Array): void {
  while (cursor.next < cursor.to && !Number.isFinite(timesMs[cursor.next]!)) cursor.next++;
}
