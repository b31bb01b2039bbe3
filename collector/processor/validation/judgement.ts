/** What goes into the validation of a chunk, and what comes out. */

import type { ChunkColumns } from '../../../proto/model.ts';
import type { QuarantinedReading } from '../../types.ts';
import type { Annotation } from '../outputs/readings.ts';
import type { Interval } from '../ranges.ts';
import type { CompiledConfiguration } from './compile.ts';
import type { Sheet, TypeChange } from './run.ts';

export interface JudgeInput {
  /** As decoded, times corrected where the gateway's clock was wrong. Not changed. */
  columns: ChunkColumns;
  /** Seq of the reading at index 0. */
  firstSeq: number;
  /** Seqs never seen before, ascending and disjoint; what of them lies beyond the readings (rejects) is ignored. */
  fresh: readonly Interval[];
  /** When the batch became durable in log:raw. */
  receivedMs: number;
  /**
   * EpochAccount.order of the chunk's epoch: later epochs of the gateway have a higher one. With the seq
   * it tells a reading that arrives behind newer ones from a device whose time runs backwards.
   */
  order: number;
  configuration: CompiledConfiguration;
}

/** A reading that must not enter `readings`. */
export interface QuarantinedByRule {
  seq: number;
  /** QuarantineReason.TOO_OLD, TOO_NEW or RULE. */
  reason: string;
  /** With RULE it begins with the finding's code and a colon. Short: bounded by the names in it. */
  detail: string;
  reading: QuarantinedReading;
}

/** Fresh readings of one device in the chunk. */
export interface DeviceSeen {
  device: string;
  /** All of them, those for quarantine included. */
  count: number;
  /** Those that go to `readings`; 0: firstMs and lastMs are 0. */
  kept: number;
  firstMs: number;
  lastMs: number;
  /** Of all of them, in the order of their series. The same array as last time when nothing differs. */
  channels: readonly string[];
}

export interface Judgement {
  /** Of fresh readings that go to `readings`; ascending, merged, never overlapping. */
  annotations: Annotation[];
  /** Ascending by seq. They have no annotation. */
  quarantined: QuarantinedByRule[];
  /** In the order of the series. */
  typeChanges: TypeChange[];
  /** In the order of the devices' first series. */
  devices: DeviceSeen[];
  /** What was said of each reading, by index. Valid until another chunk is judged. */
  sheet: Sheet;
}
