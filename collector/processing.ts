/**
 * Drives a processor over each raw partition of this process: read, process, commit outputs, position and state in one
 * step. After any failed commit the session is opened anew and the processor made anew from what is
 * committed: nothing in memory is trusted then. Now and then a commit carries a snapshot of the soft
 * state, and raw is kept from there on: opening goes back to it and processes again what came since.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { CollectorErrorCode } from './errors.ts';
import { CollectorError } from './errors.ts';
import type { Log, LogRecord, ProcessorSession } from './log/log.ts';
import { CONFIGURATION_KEY, Processor } from './processor/processor.ts';
import type { Snapshot } from './processor/snapshots.ts';
import { changedSince, openState, SnapshotTaker } from './processor/snapshots.ts';
import type { ProcessorOutput, ProcessorStats } from './processor/step.ts';
import type { Share } from './shares.ts';
import { runShare, wholeShare } from './shares.ts';
import { Slices } from './slices.ts';
import type { Logger } from './types.ts';

const READ_LIMITS = { maxRecords: 1_000, maxBytes: 4 * 1024 * 1024 };
/**
 * A snapshot is due after so much log time or so many bytes of raw: that bounds what opening repeats. One
 * that is large itself is due after as many bytes of raw, within bounds, and a small log keeps less.
 */
const SNAPSHOT_INTERVAL_MS = 30_000;
/** What detectors have learnt is large: snapshots take no more of the disk than this, as long as they may wait. */
const SNAPSHOT_BYTES_PER_MS_MAX = 512;
const SNAPSHOT_INTERVAL_MS_MAX = 180_000;
const SNAPSHOT_RAW_BYTES_MIN = 4 * 1024 * 1024;
const SNAPSHOT_RAW_BYTES_MAX = 16 * 1024 * 1024;
const SNAPSHOT_LOG_PART = 16;
/**
 * Nor may a backlog, of which a byte of raw holds many readings, make opening long: it processes them all again,
 * some 5 us each. A large snapshot is due after more of them, so that it costs so many bytes a reading at most.
 */
const SNAPSHOT_BYTES_PER_READING_MAX = 30;
const SNAPSHOT_READINGS_MIN = 500_000;
const SNAPSHOT_READINGS_MAX = 3_000_000;
/** After one for which the log had no room, the next is tried so much log time later. */
const SNAPSHOT_RETRY_MS = 60_000;
/** Without room, and so many times the due bytes behind it, the last snapshot is given up: raw must go. */
const SNAPSHOT_BEHIND_MAX = 4;
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 10_000;

/** Trying again may help. Everything else stops the partition until an operator decides. */
const PASSING: readonly CollectorErrorCode[] = ['LOG_UNAVAILABLE', 'LOG_FULL'];
/** Of servers that others run: what an operator sets right there, this process cannot see but by trying. */
const PASSING_ELSEWHERE: readonly CollectorErrorCode[] = [
  'LOG_REFUSED',
  'LOG_TOPIC_INVALID',
  'LOG_PARTITIONS_CHANGED',
];

export interface ProcessingOptions {
  log: Log;
  logger: Logger;
  /** Default: all partitions, and no other process works on the log. */
  share?: Share;
  /** A partition begins, with the value of its last CONFIGURATION record, if there was one. */
  onOpened?: (partition: number, configuration: Uint8Array | undefined) => void;
  /** Log time between two snapshots, at least; for tests that wait for them. */
  snapshotIntervalMs?: number;
}

export interface PartitionStatus {
  partition: number;
  /** Next raw offset to process. */
  position: number;
  /** Log time: the highest append time processed. */
  timeMs: number;
  /** Raw offset of the last snapshot; -1: none yet. */
  snapshotPosition: number;
  /** Times that soft state could not be restored. */
  coldStartsTotal: number;
  /** It is taken over, and its processor goes on from where the last one was. */
  running: boolean;
  /** '' while it runs well. */
  lastError: string;
  /** As of the last commit. */
  stats: ProcessorStats;
}

export interface Processing {
  /** Resolves with the first error that stopped a partition for good; with undefined after stop(). */
  readonly failed: Promise<CollectorError | undefined>;
  /** One entry for each partition of the share. */
  status(): PartitionStatus[];
  /** Ends after the commit under way. */
  stop(): Promise<void>;
}

/** Starts on the partitions of the share; waits for nothing. */
export function startProcessing(options: ProcessingOptions): Processing {
  const share = options.share ?? wholeShare(options.log.partitionCount);
  // Counters go on when a partition comes back.
  const partitions = new Map<number, PartitionProcessing>();
  const processingOf = (partition: number): PartitionProcessing => {
    const known = partitions.get(partition) ?? new PartitionProcessing(options, share, partition);
    partitions.set(partition, known);
    return known;
  };
  const running = runShare(
    share,
    (partition, signal) => processingOf(partition).run(signal),
    undefined,
    (partition, { code, message }) => options.logger.warn({ code, partition }, message),
  );
  return {
    failed: running.failed,
    status: () => [...share.owned()].map((partition) => processingOf(partition).status),
    stop: () => running.stop(),
  };
}

/** A processor at the session's position. */
interface Opened {
  session: ProcessorSession;
  processor: Processor;
  snapshots: SnapshotTaker;
  /** Bytes of raw, and readings in them, since the last snapshot. */
  rawBytes: number;
  readings: number;
}

class PartitionProcessing {
  readonly status: PartitionStatus;
  readonly #log: Log;
  readonly #options: ProcessingOptions;
  readonly #passing: readonly CollectorErrorCode[];
  #signal: AbortSignal = AbortSignal.abort();
  /** The commit under way carries a snapshot. */
  #snapshotting = false;
  /** Log time before which the log is not asked again to take one. */
  #noSnapshotBeforeMs = 0;

  constructor(options: ProcessingOptions, share: Share, partition: number) {
    this.#options = options;
    this.#log = options.log;
    this.#passing = share.exclusive ? PASSING : [...PASSING, ...PASSING_ELSEWHERE];
    const stats = new Processor(new Map()).stats;
    this.status = {
      partition,
      position: 0,
      timeMs: 0,
      snapshotPosition: -1,
      coldStartsTotal: 0,
      running: false,
      lastError: '',
      stats,
    };
  }

  /** Resolves when `signal` aborts, or with what it cannot get over. One at a time. */
  async run(signal: AbortSignal): Promise<CollectorError | undefined> {
    const { partition } = this.status;
    this.#signal = signal;
    this.#snapshotting = false;
    this.status.lastError = '';
    let backoffMs = BACKOFF_MIN_MS;
    while (!this.#signal.aborted) {
      try {
        await this.#session(() => {
          backoffMs = BACKOFF_MIN_MS;
        });
      } catch (error) {
        if (this.#signal.aborted) break;
        const failure = coded(error, partition);
        this.status.lastError = failure.message;
        if (!this.#passing.includes(failure.code)) return failure;
        const { code } = failure;
        if (this.#snapshotting && code === 'LOG_FULL')
          this.#noSnapshotBeforeMs = this.status.timeMs + SNAPSHOT_RETRY_MS;
        this.#snapshotting = false;
        this.#options.logger.warn({ code, partition, retry_ms: backoffMs }, failure.message);
        await delay(backoffMs, undefined, { signal: this.#signal }).catch(() => undefined);
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
      }
    }
    return undefined;
  }

  async #session(onCommit: () => void): Promise<void> {
    const { partition } = this.status;
    const session = await this.#log.openProcessor(partition);
    try {
      const opened = await this.#open(session);
      if (opened === undefined) return;
      this.status.running = true;
      this.#options.onOpened?.(partition, session.state.get(CONFIGURATION_KEY));
      const { processor } = opened;
      // Counters go on over sessions, from where they were committed last.
      Object.assign(processor.stats, this.status.stats);
      this.status.position = session.position;
      this.status.snapshotPosition = opened.snapshots.position;
      while (!this.#signal.aborted) {
        const { position } = this.status;
        const records = await this.#log.read('raw', partition, position, READ_LIMITS);
        if (records.length === 0) {
          await this.#log.waitFor('raw', partition, position, this.#signal);
          continue;
        }
        await this.#step(opened, records);
        onCommit();
      }
    } finally {
      this.status.running = false;
      await session.close().catch(() => undefined);
    }
  }

  /** Undefined: stopped on the way. */
  async #open(session: ProcessorSession): Promise<Opened | undefined> {
    const { hard, snapshot } = openState(session.state);
    if (hard.size === 0) {
      // A new partition: there is nothing that could be missing.
      const snapshots = SnapshotTaker.anew(hard, snapshot);
      return { session, processor: new Processor(hard), snapshots, rawBytes: 0, readings: 0 };
    }
    let coldReason = 'there is no snapshot';
    if (snapshot.position >= 0) {
      try {
        return await this.#resume(session, hard, snapshot);
      } catch (error) {
        const failure = coded(error, this.status.partition);
        const isOfLog = failure.code.startsWith('LOG_');
        if (isOfLog && failure.code !== 'LOG_POSITION_OUTSIDE') throw failure;
        coldReason = failure.message;
      }
    }
    const processor = new Processor(hard, { coldReason });
    const snapshots = SnapshotTaker.anew(hard, snapshot);
    const { partition } = this.status;
    this.status.coldStartsTotal++;
    this.#options.logger.warn(
      { partition, reason: coldReason },
      'rules and device states begin anew',
    );
    return { session, processor, snapshots, rawBytes: 0, readings: 0 };
  }

  /** Goes from the snapshot to the session's position. Throws when that leads elsewhere. */
  async #resume(
    session: ProcessorSession,
    hard: ReadonlyMap<string, Uint8Array>,
    snapshot: Snapshot,
  ): Promise<Opened | undefined> {
    const { partition } = this.status;
    const processor = new Processor(snapshot.hard);
    const slices = new Slices();
    for (const [key, bytes] of snapshot.soft) {
      processor.restoreSoft(key, bytes);
      if (slices.isOver) await slices.next();
      if (this.#signal.aborted) return undefined;
    }
    let { position } = snapshot;
    let rawBytes = 0;
    while (position < session.position && !this.#signal.aborted) {
      const maxRecords = Math.min(READ_LIMITS.maxRecords, session.position - position);
      const records = await this.#log.read('raw', partition, position, {
        ...READ_LIMITS,
        maxRecords,
      });
      const last = records.at(-1);
      if (last === undefined) break;
      await this.#process(processor, records, () => undefined);
      rawBytes += bytesOf(records);
      position = last.offset + 1;
    }
    if (this.#signal.aborted) return undefined;
    const changed = changedSince(snapshot, processor.takeChanges(), hard);
    if (position !== session.position || changed === undefined) {
      const way = `raw/${partition} ${snapshot.position}..${session.position}`;
      throw new CollectorError('PROCESSOR_STATE_VERSION', `${way} leads to another state`);
    }
    const { readingsTotal: readings } = processor.stats;
    const snapshots = SnapshotTaker.after(snapshot, changed);
    return { session, processor, snapshots, rawBytes, readings };
  }

  async #step(opened: Opened, records: readonly LogRecord[]): Promise<void> {
    const { session, processor, snapshots } = opened;
    const outputs: ProcessorOutput[] = [];
    const before = processor.stats.readingsTotal;
    await this.#process(processor, records, (some) => {
      for (const output of some) outputs.push(output);
    });
    const position = records.at(-1)!.offset + 1;
    const changes = processor.takeChanges();
    snapshots.note(changes);
    opened.rawBytes += bytesOf(records);
    opened.readings += processor.stats.readingsTotal - before;
    const step = { position, outputs };
    if (this.#isSnapshotDue(opened)) {
      const after = (key: string) =>
        changes.has(key) ? (changes.get(key) ?? undefined) : session.state.get(key);
      const soft = await takeSoft(processor);
      const { timeMs } = processor;
      const state = new Map([...changes, ...snapshots.take({ position, timeMs, soft }, after)]);
      opened.rawBytes = 0;
      opened.readings = 0;
      this.#snapshotting = true;
      await session.commit({ ...step, keepFrom: position, state });
      this.#snapshotting = false;
    } else if (this.#mustDropSnapshot(opened)) {
      const state = new Map([...changes, ...snapshots.drop()]);
      await session.commit({ ...step, keepFrom: position, state });
    } else {
      await session.commit({ ...step, state: changes });
    }
    this.status.snapshotPosition = snapshots.position;
    this.status.position = position;
    this.status.timeMs = processor.timeMs;
    this.status.stats = { ...processor.stats };
    this.status.lastError = '';
  }

  /** Processes all of it, and lets others have the event loop in between. */
  async #process(
    processor: Processor,
    records: readonly LogRecord[],
    take: (outputs: readonly ProcessorOutput[]) => void,
  ): Promise<void> {
    const slices = new Slices();
    for (const record of records) {
      take(processor.process(record));
      if (slices.isOver) await slices.next();
    }
  }

  #isSnapshotDue({ processor, snapshots, rawBytes, readings }: Opened): boolean {
    if (processor.timeMs < this.#noSnapshotBeforeMs) return false;
    if (snapshots.position < 0 || rawBytes >= this.#dueBytes(snapshots)) return true;
    if (readings >= snapshotReadings(snapshots.bytes)) return true;
    const { snapshotIntervalMs: leastMs } = this.#options;
    return processor.timeMs - snapshots.timeMs >= snapshotIntervalMs(snapshots.bytes, leastMs);
  }

  /** The log has no room for another, and keeps more and more of raw for the last one. */
  #mustDropSnapshot({ processor, snapshots, rawBytes }: Opened): boolean {
    const isRefused = processor.timeMs < this.#noSnapshotBeforeMs && snapshots.position >= 0;
    return isRefused && rawBytes >= SNAPSHOT_BEHIND_MAX * this.#dueBytes(snapshots);
  }

  #dueBytes({ bytes }: SnapshotTaker): number {
    const wanted = Math.min(Math.max(bytes, SNAPSHOT_RAW_BYTES_MIN), SNAPSHOT_RAW_BYTES_MAX);
    return Math.min(wanted, this.#log.stats().maxBytes / SNAPSHOT_LOG_PART);
  }
}

/** Log time until the next one, after one of so many bytes. */
export function snapshotIntervalMs(bytes: number, leastMs = SNAPSHOT_INTERVAL_MS): number {
  const waitMs = bytes / SNAPSHOT_BYTES_PER_MS_MAX;
  return Math.min(Math.max(leastMs, waitMs), SNAPSHOT_INTERVAL_MS_MAX);
}

/** Readings until the next one, after one of so many bytes. */
export function snapshotReadings(bytes: number): number {
  const wanted = bytes / SNAPSHOT_BYTES_PER_READING_MAX;
  return Math.min(Math.max(SNAPSHOT_READINGS_MIN, wanted), SNAPSHOT_READINGS_MAX);
}

/** All of it at the same record, and others have the event loop in between: of a large fleet it is a gigabyte. */
async function takeSoft(processor: Processor): Promise<Map<string, Uint8Array>> {
  const soft = new Map<string, Uint8Array>();
  const slices = new Slices();
  for (const [key, bytes] of processor.takeSoft()) {
    soft.set(key, bytes);
    if (slices.isOver) await slices.next();
  }
  return soft;
}

function bytesOf(records: readonly LogRecord[]): number {
  return records.reduce((sum, { value }) => sum + value.length, 0);
}

function coded(error: unknown, partition: number): CollectorError {
  if (error instanceof CollectorError) return error;
  return new CollectorError('COLLECTOR_CRASHED', `processing raw/${partition}: ${String(error)}`, {
    cause: error,
  });
}
