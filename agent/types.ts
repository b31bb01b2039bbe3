/**
 * The contracts inside the agent. Data flows one way: reader → sink → buffer → forwarder; what comes
 * back are returned values and promises.
 */

import type {
  ChunkFrame,
  ClockCorrection,
  Epoch,
  Gap,
  Quality,
  Reading,
  Reject,
  RejectReason,
  Value,
} from '../proto/model.ts';

/** Time, passed in everywhere: tests bend it. */
export interface Clock {
  /** UTC milliseconds of the gateway's wall clock, right or wrong. */
  wallMs(): number;
  /** Milliseconds that never go back and never jump within a boot (fractions allowed). */
  monoMs(): number;
}

/** One channel's value in a sample. */
export interface SampledValue {
  channel: string;
  value: Value;
  /** One of proto Quality; readers say GOOD unless they know better. */
  quality: (typeof Quality)[keyof typeof Quality];
}

/** What a device said at one time. */
export interface Sample {
  /** The device's own time in UTC milliseconds; undefined: the gateway's clock at arrival is taken. */
  sourceTimeMs: number | undefined;
  values: SampledValue[];
}

/** What a reader received but could not turn into a sample. `payload` may be long; the sink keeps its head. */
export interface RejectedPayload {
  reason: RejectReason;
  detail: string;
  payload: Uint8Array;
}

export interface ReaderOutput {
  samples: Sample[];
  rejects: RejectedPayload[];
}

/**
 * A device that is asked. The runner owns schedule, timeout, retry, backoff, circuit breaker, metrics
 * and restart; a polled reader only asks once and translates.
 * Contract: `poll` is never called while one is running. It settles soon after `signal` aborts. It
 * throws a ReaderFailure when nothing was received; a bad answer is not a failure but rejects or
 * bad-quality values. After `close` resolves nothing of it runs.
 */
export interface PolledReader {
  readonly kind: 'polled';
  poll(signal: AbortSignal): Promise<ReaderOutput>;
  close(): Promise<void>;
}

/**
 * A device that speaks by itself. Contract: `run` delivers through `emit` until `signal` aborts (then it
 * resolves, after having delivered what it had received whole) or the source ends or fails (then it
 * resolves or throws a ReaderFailure, and the runner starts it again with backoff). `emit` resolves when
 * the readings are in the buffer: a reader that awaits it exerts back-pressure on its source.
 */
export interface PushedReader {
  readonly kind: 'pushed';
  run(emit: (output: ReaderOutput) => Promise<void>, signal: AbortSignal): Promise<void>;
  /** false: when `run` resolves by itself the source is finished and is not started again. */
  readonly restartAtEnd?: boolean;
}

export type Reader = PolledReader | PushedReader;

/** Why nothing was received. The runner decides what follows. */
export class ReaderFailure extends Error {
  /** Ask again no earlier than this (HTTP Retry-After). */
  readonly retryAfterMs: number | undefined;
  /** false: asking again at once is useless (for example 404); wait for the next schedule. */
  readonly retryable: boolean;
  constructor(
    message: string,
    options: { retryAfterMs?: number; retryable?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'ReaderFailure';
    this.retryAfterMs = options.retryAfterMs;
    this.retryable = options.retryable ?? true;
  }
}

/**
 * Where readers' output goes: report by exception, quality and clock marks, numbering, buffer.
 * Resolves when it is committed to the buffer (at most one commit interval later).
 */
export interface Sink {
  accept(device: string, output: ReaderOutput): Promise<void>;
}

/** A chunk waiting in the buffer, with what the forwarder needs to know without decoding it. */
export interface PendingChunk {
  /** Grows with age order over all epochs. */
  id: number;
  epoch: Epoch;
  frame: ChunkFrame;
  boot: string;
  /** It holds readings whose times came from an unsynced clock of boot `boot`. */
  clockUnsynced: boolean;
  /** monoMs at sealing, of boot `boot`. */
  sealedMonoMs: number;
}

export interface EpochInfo {
  epoch: Epoch;
  predecessorEpoch: Epoch;
  predecessorLastSeq: number;
  /** Highest committed seq. */
  lastSeq: number;
}

export interface DeclaredGap extends Gap {
  id: number;
}

export interface BufferStats {
  chunks: number;
  readings: number;
  /** Database file, WAL and free pages: what the disk holds. */
  bytes: number;
  maxBytes: number;
  oldestMs: number | undefined;
  /** At the present rate; -1 when not filling. */
  secondsUntilEviction: number;
  appendedReadingsTotal: number;
  evictedReadingsTotal: number;
  corruptChunksTotal: number;
  /** What was written to the disk, for flash wear. */
  bytesWrittenTotal: number;
  commitsTotal: number;
  writeErrorsTotal: number;
  lastError: string;
  /** Left out: a buffer that cannot encrypt. */
  encryption?: BufferEncryption;
}

export interface BufferEncryption {
  /** New chunks are encrypted. */
  on: boolean;
  /** Id of the key that they are encrypted with; '' when nothing in the file is encrypted. */
  key: string;
  /** Ids of further keys that chunks may still need. */
  olderKeys: readonly string[];
  /** Chunks, at most, that are not as new ones are: they need an older key, or none. */
  oldChunks: number;
}

/**
 * The buffer: a queue of sealed chunks in SQLite. Readings are numbered, encoded and committed in
 * append order. All methods but append and close are synchronous and short.
 */
export interface ReadingBuffer {
  /** Resolves when committed with synchronous=FULL (at most commit_interval_ms later). On a full or failing disk it waits within a bounded memory, evicting the oldest as the bounds say; it never rejects while open. Whoever keeps a schedule (polls) must not await it: the buffer bounds its memory itself. */
  append(readings: readonly Reading[], rejects: readonly Reject[]): Promise<void>;
  /** Seals what is pending and commits it now (before the clock's state changes, at shutdown, in tests). */
  flush(): Promise<void>;
  /** The oldest chunks with id > afterId, all of one epoch, at least one if any is left, within the limits. A chunk with a bad CRC is declared as a gap, removed and skipped here. */
  next(
    afterId: number,
    limits: { maxBytes: number; maxReadings: number; maxChunks: number },
  ): PendingChunk[];
  /** Deletes delivered chunks (group-committed with the next append or within a second; a crash before that only resends). */
  acknowledge(ids: readonly number[]): void;
  /** Gaps not yet acknowledged, oldest first, at most `max`. */
  gaps(max: number): DeclaredGap[];
  acknowledgeGaps(ids: readonly number[]): void;
  /** Undefined before the first append since the start. */
  currentEpoch(): EpochInfo | undefined;
  /** Of any epoch that still has chunks or gaps. */
  epochInfo(epoch: Epoch): EpochInfo | undefined;
  /** Resolves when there is a chunk or gap that was not there at the call, or when the signal aborts. */
  waitForMore(afterId: number, signal: AbortSignal): Promise<void>;
  stats(): BufferStats;
  /** Commits what is pending, checkpoints and closes. */
  close(): Promise<void>;
}

/** The gateway clock's judgement (agent/clock.ts), checked at every append and every second. */
export interface ClockState {
  boot: string;
  /** Older than the program, or just stepped and not yet stable. */
  unsynced: boolean;
  /** Signed size of the last step seen since the start, 0 if none. */
  lastStepMs: number;
  stepsTotal: number;
  /** Corrections for this boot: present once the clock is right after having been wrong. */
  corrections: readonly ClockCorrection[];
  /** The collector will be asked what time it is, and its answer decides over what was timed until then. */
  isAwaited?: boolean;
}
