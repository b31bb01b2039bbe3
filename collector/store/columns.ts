/**
 * Readings on their way into the store, as columns in the order in which they came, and runs: stretches
 * of one series of one record, with consecutive seqs. No object a reading is made.
 */

/** Table `readings` sorts by site, device, time in steps of this, channel, time: see migration 0003. */
export const BUCKET_MS = 4 * 3_600_000;

/** What the readings of one log record share. */
export interface ReadingPlace {
  site: string;
  gateway: string;
  epoch: string;
  receivedMs: number;
  logPartition: number;
  logOffset: number;
}

/** A channel of a device. */
export interface ReadingSeries {
  site: string;
  device: string;
  channel: string;
}

export interface ReadingColumns {
  /** Readings in all runs. The columns may hold more. */
  readonly count: number;
  readonly timesMs: Float64Array;
  /** As they came. */
  readonly numbers: Float64Array;
  readonly qualities: Uint8Array;
  /** By index; runs marked as text only. */
  readonly texts: ReadonlyMap<number, string>;
  /** Undefined: no reading has a finding. */
  readonly said: { findings: Uint32Array; treatments: Uint8Array } | undefined;
  /** Undefined: no treatment changed a value. */
  readonly cleaned: CleanedColumns | undefined;
  readonly places: readonly ReadingPlace[];
  readonly series: readonly ReadingSeries[];
  readonly runs: ReadingRuns;
  /** The runs as table `readings` sorts them, save where times run backwards. */
  order(): Uint32Array;
}

/** What became of a reading where `isChanged`; elsewhere it is as it came, without a raw value. */
export interface CleanedColumns {
  isChanged: Uint8Array;
  values: Float64Array;
  isNull: Uint8Array;
  rawIsNull: Uint8Array;
}

export interface ReadingRuns {
  readonly length: number;
  /** Index into the columns. */
  readonly starts: Uint32Array;
  readonly counts: Uint32Array;
  readonly firstSeqs: Float64Array;
  /** Index into places. */
  readonly places: Uint32Array;
  /** Index into series. */
  readonly series: Uint32Array;
  /** 1: texts. */
  readonly texts: Uint8Array;
}
