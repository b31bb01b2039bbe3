/** The detectors of one gateway's devices, with what they have learnt. Deterministic. */

import type { ChunkColumns } from '../../../proto/model.ts';
import { SeriesKind } from '../../../proto/model.ts';
import type { Interval } from '../ranges.ts';
import type { CompiledConfiguration } from '../validation/compile.ts';
import type { Sheet } from '../validation/run.ts';
import { eachRun } from '../validation/run.ts';
import type { AnomalyChange, RowScore } from './change.ts';
import { DeviceField, DeviceStates } from './devices.ts';
import { end } from './event.ts';
import { Judging } from './judging.ts';
import { DeviceRows } from './rows.ts';
import { detectionOf } from './settings.ts';

export interface DetectInput {
  /** As the rules judged it. */
  columns: ChunkColumns;
  /** Seq of the reading at index 0. */
  firstSeq: number;
  /** Seqs never seen before. */
  fresh: readonly Interval[];
  /** What the rules said of each reading, by index; valid during the call. */
  sheet: Sheet;
  configuration: CompiledConfiguration;
}

export type { AnomalyChange, RowScore } from './change.ts';

export class GatewayDetection {
  readonly site: string;
  /** Told of each row that was scored; for backtests. */
  onRow: ((row: RowScore) => void) | undefined;
  readonly #states: DeviceStates;
  readonly #rows = new DeviceRows();
  #judging: Judging | undefined;

  constructor(site: string, states = new DeviceStates()) {
    this.site = site;
    this.#states = states;
  }

  /** Scores the fresh readings of a chunk and learns from them. No content makes it throw. */
  judge(input: DetectInput): AnomalyChange[] {
    const { columns, firstSeq, fresh } = input;
    const changes: AnomalyChange[] = [];
    let device: string | undefined;
    this.#rows.clear();
    eachRun(columns.series, firstSeq, fresh, (series, from, to) => {
      if (series.kind === SeriesKind.TEXT) return;
      if (device !== undefined && device !== series.device)
        this.#judgeDevice(device, input, changes);
      device = series.device;
      this.#rows.add(series.channel, series.kind === SeriesKind.BOOLEAN, from, to);
    });
    if (device !== undefined) this.#judgeDevice(device, input, changes);
    return changes;
  }

  /** No data of the device for so long that what was open is over: ends its anomaly. */
  silent(device: string, _nowMs: number): AnomalyChange[] {
    const state = this.#states.find(device);
    if (state === undefined) return [];
    state.slab[DeviceField.SCORE] = 0;
    const change = end(this.#states, state);
    return change === undefined ? [] : [change];
  }

  /** 0 to 1, of the device's last row; 0 when nothing is known. */
  scoreOf(device: string): number {
    return this.#states.find(device)?.slab[DeviceField.SCORE] ?? 0;
  }

  /** What was learnt: with it decode() makes one that scores alike. */
  encode(): Uint8Array {
    return this.#states.encode();
  }

  /** Undefined when another version wrote it, or it is damaged: then begin anew. */
  static decode(site: string, bytes: Uint8Array): GatewayDetection | undefined {
    const states = DeviceStates.decode(bytes);
    return states === undefined ? undefined : new GatewayDetection(site, states);
  }

  /** The rows that were collected; none are left then. */
  #judgeDevice(name: string, input: DetectInput, changes: AnomalyChange[]): void {
    const plan = detectionOf(input.configuration.placeOf(this.site, name).profile);
    if (plan.enabled) {
      const device = this.#states.device(name);
      this.#judging ??= new Judging(this.#states, device, plan);
      this.#judging.begin(device, plan, input, changes, this.onRow);
      this.#rows.eachRow(input.columns, this.#judging);
    } else changes.push(...this.silent(name, 0));
    this.#rows.clear();
  }
}
