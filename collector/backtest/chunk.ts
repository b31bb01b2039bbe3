/** Rows of a device as the columns of a chunk: what the collector decodes of a gateway's batch. */

import type { ChunkColumns, Series } from '../../proto/model.ts';
import { NO_EPOCH, Quality, SeriesKind } from '../../proto/model.ts';
import type { DeviceProfile } from '../profile.ts';

/** Null: the device answered without a value. Undefined: there is no reading. */
export type Cell = number | boolean | string | null | undefined;

interface RowOfCells {
  timeMs: number;
  cells: readonly Cell[];
}

const KINDS = [SeriesKind.DOUBLE, SeriesKind.BOOLEAN, SeriesKind.TEXT] as const;
type Kind = (typeof KINDS)[number];

export class ChunkOfRows {
  readonly #device: string;
  readonly #channels: readonly string[];
  /** By channel: what a reading without a value is one of. */
  readonly #kinds: Kind[];

  constructor(device: string, channels: readonly string[], profile: DeviceProfile | undefined) {
    this.#device = device;
    this.#channels = channels;
    const kindOfType = {
      number: SeriesKind.DOUBLE,
      boolean: SeriesKind.BOOLEAN,
      text: SeriesKind.TEXT,
    };
    this.#kinds = channels.map((name) => kindOfType[profile?.channels[name]?.type ?? 'number']);
  }

  /** Sorted by series; a channel whose values are of several types has several. */
  of(rows: readonly RowOfCells[], wallMs: number): ChunkColumns {
    let count = 0;
    for (const { cells } of rows) for (const cell of cells) if (cell !== undefined) count++;
    const columns: ChunkColumns = {
      clock: { boot: NO_EPOCH, wallMs, monoMs: 0, unsynced: false },
      series: [],
      timesMs: new Float64Array(count),
      numbers: new Float64Array(count),
      texts: new Map(),
      qualities: new Uint8Array(count),
      rejects: [],
    };
    let at = 0;
    for (let c = 0; c < this.#channels.length; c++) {
      const kinds = rows.map(({ cells }) => this.#kindOf(cells[c], c));
      for (const kind of KINDS) {
        const start = at;
        for (let r = 0; r < rows.length; r++) {
          const cell = rows[r]!.cells[c];
          if (cell !== undefined && kinds[r] === kind) put(columns, at++, rows[r]!.timeMs, cell);
        }
        if (at > start) columns.series.push(this.#series(c, kind, start, at - start));
      }
    }
    return columns;
  }

  #kindOf(cell: Cell, channel: number): Kind {
    if (typeof cell === 'number') this.#kinds[channel] = SeriesKind.DOUBLE;
    else if (typeof cell === 'boolean') this.#kinds[channel] = SeriesKind.BOOLEAN;
    else if (typeof cell === 'string') this.#kinds[channel] = SeriesKind.TEXT;
    return this.#kinds[channel]!;
  }

  #series(channel: number, kind: Kind, start: number, count: number): Series {
    return { device: this.#device, channel: this.#channels[channel]!, kind, start, count };
  }
}

function put(
  columns: ChunkColumns,
  at: number,
  timeMs: number,
  cell: NonNullable<Cell> | null,
): void {
  columns.timesMs[at] = timeMs;
  columns.numbers[at] = typeof cell === 'number' || typeof cell === 'boolean' ? Number(cell) : NaN;
  if (typeof cell === 'string') columns.texts.set(at, cell);
  columns.qualities[at] = cell === null ? Quality.NULL : Quality.GOOD;
}
