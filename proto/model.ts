/**
 * The words that agent, collector and simulators share. Every name here is a term of the field or of
 * the wire specification (fms.proto); nothing here does I/O.
 */

/** A random 64-bit number as 16 lower-case hex digits; '0000000000000000' means none. */
export type Epoch = string;
export const NO_EPOCH: Epoch = '0000000000000000';

/** What a device can measure. `null`: the device answered, but without a value. */
export type Value = number | string | boolean | null;

/**
 * OPC severity in bits 0-1, reason in bits 2-6, bit 7 set when there is no value.
 * Codes are stored and sent: never renumber.
 */
export const Severity = { GOOD: 0, UNCERTAIN: 1, BAD: 2 } as const;

export const QualityReason = {
  NONE: 0,
  /** The device answered null or left the field out. */
  NULL: 1,
  /** The value has another type than the channel. */
  WRONG_TYPE: 2,
  /** The device answered with an error for this channel (Modbus exception, sensor fault). */
  DEVICE_ERROR: 3,
  /** Time taken from a gateway clock that was not right. */
  CLOCK_UNSYNCED: 4,
  /** NaN or an infinity. */
  NOT_FINITE: 5,
  /** Text longer than the limit; the head was kept. */
  TRUNCATED: 6,
  /** An integer beyond 2^53: the nearest double was kept. */
  PRECISION_LOST: 7,
  /** The device itself marked the value as doubtful or bad. */
  DEVICE_FLAGGED: 8,
  /** The time was corrected by the collector with the gateway's clock correction. */
  CLOCK_CORRECTED: 9,
} as const;

export const NO_VALUE_BIT = 0x80;

export const Quality = {
  GOOD: 0,
  /** No value: null from the device. */
  NULL: Severity.BAD | (QualityReason.NULL << 2) | NO_VALUE_BIT,
  WRONG_TYPE: Severity.BAD | (QualityReason.WRONG_TYPE << 2) | NO_VALUE_BIT,
  DEVICE_ERROR: Severity.BAD | (QualityReason.DEVICE_ERROR << 2) | NO_VALUE_BIT,
  CLOCK_UNSYNCED: Severity.UNCERTAIN | (QualityReason.CLOCK_UNSYNCED << 2),
  NOT_FINITE: Severity.BAD | (QualityReason.NOT_FINITE << 2),
  TRUNCATED: Severity.UNCERTAIN | (QualityReason.TRUNCATED << 2),
  PRECISION_LOST: Severity.UNCERTAIN | (QualityReason.PRECISION_LOST << 2),
  DEVICE_UNCERTAIN: Severity.UNCERTAIN | (QualityReason.DEVICE_FLAGGED << 2),
  DEVICE_BAD: Severity.BAD | (QualityReason.DEVICE_FLAGGED << 2),
  CLOCK_CORRECTED: Severity.GOOD | (QualityReason.CLOCK_CORRECTED << 2),
} as const;

export function severityOf(quality: number): number {
  return quality & 3;
}

export function reasonOf(quality: number): number {
  return (quality >> 2) & 31;
}

export function hasValue(quality: number): boolean {
  return (quality & NO_VALUE_BIT) === 0;
}

/** One measured quantity of a device at one time. `value` is null exactly when `hasValue(quality)` is false. */
export interface Reading {
  device: string;
  channel: string;
  /** UTC milliseconds. */
  timeMs: number;
  value: Value;
  quality: number;
}

export const RejectReason = {
  GARBAGE: 'garbage',
  MISSING_TIME: 'missing_time',
  BAD_TIME: 'bad_time',
  MISSING_DEVICE: 'missing_device',
  WRONG_DEVICE: 'wrong_device',
  NO_CHANNELS: 'no_channels',
  TOO_LARGE: 'too_large',
} as const;
export type RejectReason = (typeof RejectReason)[keyof typeof RejectReason];

/** What a reader could not turn into readings. `head`: at most limits.REJECT_HEAD_BYTES. */
export interface Reject {
  timeMs: number;
  device: string;
  reason: RejectReason;
  detail: string;
  head: Uint8Array;
}

export const GapReason = {
  EVICTED_BYTES: 'evicted_bytes',
  EVICTED_AGE: 'evicted_age',
  EVICTED_DISK: 'evicted_disk',
  CORRUPT: 'corrupt',
  REPAIRED: 'lost_in_repair',
  /** The disk refused the reading and the memory that holds it meanwhile was full. */
  NOT_WRITTEN: 'not_written',
} as const;
export type GapReason = (typeof GapReason)[keyof typeof GapReason];

export interface Gap {
  epoch: Epoch;
  firstSeq: number;
  lastSeq: number;
  firstMs: number;
  lastMs: number;
  reason: GapReason;
}

/** The gateway's clock when a chunk was sealed. */
export interface ChunkClock {
  /** 16 hex digits that name the boot. */
  boot: string;
  wallMs: number;
  monoMs: number;
  unsynced: boolean;
}

export interface ClockCorrection {
  boot: string;
  offsetMs: number;
}

/** What a chunk is known by outside its bytes; covered by the CRC together with epoch and bytes. */
export interface ChunkHeader {
  firstSeq: number;
  /** Readings plus rejects. */
  count: number;
  firstMs: number;
  lastMs: number;
}

/** A chunk as it is kept and sent. */
export interface ChunkFrame extends ChunkHeader {
  crc32c: number;
  bytes: Uint8Array;
}

export interface BatchHeader {
  site: string;
  gateway: string;
  epoch: Epoch;
  predecessorEpoch: Epoch;
  predecessorLastSeq: number;
  lastSeq: number;
  sentMs: number;
  installId: string;
  corrections: readonly ClockCorrection[];
  gaps: readonly Gap[];
}

export interface Batch extends BatchHeader {
  /** Still encoded; decodeChunk() opens one. */
  chunks: ChunkFrame[];
}

export const SeriesKind = { DOUBLE: 16, TEXT: 17, BOOLEAN: 18 } as const;

export interface Series {
  device: string;
  channel: string;
  /** 0..9 decimals of a scaled integer, or a SeriesKind. */
  kind: number;
  /** Index of its first reading in the columns. */
  start: number;
  count: number;
}

/**
 * A decoded chunk: columns of equal length n (the readings), sorted by series. The reading at index i
 * has seq = frame.firstSeq + i; rejects[j] has seq = frame.firstSeq + n + j.
 */
export interface ChunkColumns {
  clock: ChunkClock;
  series: Series[];
  timesMs: Float64Array;
  /** Numbers and booleans (0, 1); NaN for text and for readings without a value. */
  numbers: Float64Array;
  /** Text values by reading index; only text series have entries. */
  texts: Map<number, string>;
  qualities: Uint8Array;
  rejects: Reject[];
}

export interface ReaderState {
  device: string;
  reader: string;
  status: 'ok' | 'failing' | 'open' | 'stopped';
  lastGoodMs: number;
  errorsTotal: number;
  lastError: string;
}

export interface GatewayState {
  site: string;
  gateway: string;
  installId: string;
  online: boolean;
  cleanEnd: boolean;
  version: string;
  epoch: Epoch;
  lastSeq: number;
  sentMs: number;
  startedMs: number;
  bufferReadings: number;
  bufferBytes: number;
  /** -1: not filling. */
  bufferSecondsUntilEviction: number;
  clockUnsynced: boolean;
  clockStepMs: number;
  readers: ReaderState[];
  gaps: Gap[];
  /** When the gateway's certificate ends; 0 or left out: it has none. */
  certificateEndMs?: number;
}
