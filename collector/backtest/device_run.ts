/**
 * Rows of one device through the rules and detectors that the processor runs, and what they said of each
 * row. Deterministic; holds at most WAITING_MAX rows and one chunk.
 */

import type { ChunkColumns } from '../../proto/model.ts';
import type { AnomalyChange, RowScore } from '../processor/anomaly/detection.ts';
import { GatewayDetection } from '../processor/anomaly/detection.ts';
import type { CompiledConfiguration } from '../processor/validation/compile.ts';
import { GatewayValidation } from '../processor/validation/validation.ts';
import type { Cell } from './chunk.ts';
import { ChunkOfRows } from './chunk.ts';

/** Readings of one chunk, at most; more rows are cut. */
export const CHUNK_READINGS_MAX = 8_192;
/** Rows that wait for what the detectors say; beyond it the oldest counts as not scored. */
const WAITING_MAX = 20_000;

/** `tag`: whatever the caller wants back with the outcome. */
export interface Row<Tag> {
  timeMs: number;
  /** In the order of the channels; null: no value. */
  cells: readonly Cell[];
  tag: Tag;
}

export interface Outcome<Tag> {
  timeMs: number;
  tag: Tag;
  /** 0 to 1: all detectors joined. 0 as well when no detector looked at the row. */
  score: number;
  /** An anomaly begins here. */
  isOnset: boolean;
  /** An anomaly is open. */
  isOpen: boolean;
  reason: RowScore['reason'];
}

export interface DeviceRunOptions {
  site: string;
  device: string;
  channels: readonly string[];
  configuration: CompiledConfiguration;
  /** Rows in one chunk; the scores do not depend on it. */
  chunkRows?: number;
  /** Told of each anomaly that begins, gets worse or ends. */
  onChange?: (change: AnomalyChange) => void;
  /** In place of the detectors; for tests. */
  detection?: Detection;
}

export type Detection = Pick<GatewayDetection, 'judge' | 'silent' | 'onRow'>;

interface Waiting<Tag> {
  row: Row<Tag>;
  said: RowScore | undefined;
}

export class DeviceRun<Tag> {
  readonly #options: DeviceRunOptions;
  readonly #chunk: ChunkOfRows;
  readonly #chunkRows: number;
  readonly #validation: GatewayValidation;
  readonly #detection: Detection;
  #waiting: Waiting<Tag>[] = [];
  /** Which of them the next score is likely to be of. */
  #expected = 0;
  #nextSeq = 1;
  #newestMs = Number.NEGATIVE_INFINITY;
  #isOpen = false;

  constructor(options: DeviceRunOptions) {
    this.#options = options;
    const { site, device, channels, configuration, chunkRows = Infinity } = options;
    const { profile } = configuration.placeOf(site, device);
    this.#chunk = new ChunkOfRows(device, channels, profile);
    const rowsMax = Math.max(1, Math.floor(CHUNK_READINGS_MAX / Math.max(1, channels.length)));
    this.#chunkRows = Math.min(chunkRows, rowsMax);
    this.#validation = new GatewayValidation(site);
    this.#detection = options.detection ?? new GatewayDetection(site);
    this.#detection.onRow = (said): void => this.#heard(said);
  }

  /** Judges rows. Answers those whose outcome is known: all in the order in which they came. */
  judge(rows: readonly Row<Tag>[]): Outcome<Tag>[] {
    for (let from = 0; from < rows.length; from += this.#chunkRows)
      this.#judgeChunk(rows.slice(from, from + this.#chunkRows));
    return this.#release(false);
  }

  /** No more rows: the outcomes that are still open; `silent`: also ends an anomaly that is. */
  end(silent = true): Outcome<Tag>[] {
    const outcomes = this.#release(true);
    if (!silent || this.#newestMs === Number.NEGATIVE_INFINITY) return outcomes;
    for (const change of this.#detection.silent(this.#options.device, this.#newestMs))
      this.#options.onChange?.(change);
    return outcomes;
  }

  #judgeChunk(rows: readonly Row<Tag>[]): void {
    if (rows.length === 0) return;
    for (const row of rows) this.#newestMs = Math.max(this.#newestMs, row.timeMs);
    for (const row of rows) this.#waiting.push({ row, said: undefined });
    const columns: ChunkColumns = this.#chunk.of(rows, this.#newestMs);
    const firstSeq = this.#nextSeq;
    this.#nextSeq += columns.timesMs.length;
    const fresh = [{ from: firstSeq, to: this.#nextSeq - 1 }];
    const { configuration } = this.#options;
    const input = { columns, firstSeq, fresh, configuration };
    const { sheet } = this.#validation.judge({ ...input, receivedMs: this.#newestMs, order: 1 });
    const changes = this.#detection.judge({ ...input, sheet });
    for (const change of changes) this.#options.onChange?.(change);
  }

  /** Rows are scored in the order of their times: of several with one time the first that waits is meant. */
  #heard(said: RowScore): void {
    const isMeant = ({ row, said: before }: Waiting<Tag>): boolean =>
      before === undefined && row.timeMs === said.timeMs;
    let i = this.#expected;
    while (i < this.#waiting.length && !isMeant(this.#waiting[i]!)) i++;
    if (i === this.#waiting.length) i = this.#waiting.findIndex(isMeant);
    if (i < 0) return;
    this.#waiting[i]!.said = said;
    this.#expected = i + 1;
  }

  #release(all: boolean): Outcome<Tag>[] {
    let count = this.#waiting.length;
    if (!all) {
      // A row behind which others were scored will not be scored any more.
      while (count > 0 && this.#waiting[count - 1]!.said === undefined) count--;
      count = Math.max(count, this.#waiting.length - WAITING_MAX);
    }
    const outcomes = this.#waiting.slice(0, count).map((waiting) => this.#outcome(waiting));
    this.#waiting = this.#waiting.slice(count);
    this.#expected = Math.max(0, this.#expected - count);
    return outcomes;
  }

  #outcome({ row, said }: Waiting<Tag>): Outcome<Tag> {
    const { timeMs, tag } = row;
    if (said === undefined) {
      const isOpen = this.#isOpen;
      return { timeMs, tag, score: 0, isOnset: false, isOpen, reason: undefined };
    }
    const { score, isOnset, isOpen, reason } = said;
    this.#isOpen = isOpen;
    return { timeMs, tag, score, isOnset, isOpen: isOpen || isOnset, reason };
  }
}
