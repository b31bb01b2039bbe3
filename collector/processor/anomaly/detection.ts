/** The detectors of one gateway's devices, with what they have learnt. Deterministic. */

import type { ChunkColumns } from '../../../proto/model.ts';
import type { Interval } from '../ranges.ts';
import type { CompiledConfiguration } from '../validation/compile.ts';
import type { Sheet } from '../validation/run.ts';

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

/** An anomaly that began, got worse (a new peak) or ended. */
export interface AnomalyChange {
  phase: 'onset' | 'peak' | 'end';
  device: string;
  detector: string;
  channel: string;
  onsetMs: number;
  peakMs: number;
  /** 0 unless it ended. */
  endMs: number;
  score: number;
  value: number | null;
  expectedLow: number | null;
  expectedHigh: number | null;
  reason: { en: string; ko: string };
  channels: readonly { channel: string; detector: string; score: number }[];
}

/** Of one row of a device: for backtests. */
export interface RowScore {
  device: string;
  timeMs: number;
  /** 0 to 1: all detectors joined; from 0.5 on an anomaly is open. */
  score: number;
  /** An anomaly begins here. */
  isOnset: boolean;
  isOpen: boolean;
  reason: { en: string; ko: string } | undefined;
}

export class GatewayDetection {
  readonly site: string;
  /** Told of each row that was scored; for backtests. */
  onRow: ((row: RowScore) => void) | undefined;

  constructor(site: string) {
    this.site = site;
  }

  /** Scores the fresh readings of a chunk and learns from them. No content makes it throw. */
  judge(_input: DetectInput): AnomalyChange[] {
    return [];
  }

  /** No data of the device for so long that what was open is over: ends its anomaly. */
  silent(_device: string, _nowMs: number): AnomalyChange[] {
    return [];
  }

  /** 0 to 1, of the device's last row; 0 when nothing is known. */
  scoreOf(_device: string): number {
    return 0;
  }

  /** What was learnt: with it decode() makes one that scores alike. */
  encode(): Uint8Array {
    return new Uint8Array(0);
  }

  /** Undefined when another version wrote it, or it is damaged: then begin anew. */
  static decode(site: string, _bytes: Uint8Array): GatewayDetection | undefined {
    return new GatewayDetection(site);
  }
}
