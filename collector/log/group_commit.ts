/**
 * One queue and one transaction at a time: what is asked for within a turn of the event loop, or while
 * the transaction before it was being written, becomes durable with one sync.
 */

import type { CollectorError } from '../errors.ts';

export interface Operation {
  /** About what it writes; bounds the group that it becomes part of. */
  readonly bytes: number;
  /**
   * At the cap appends give way: they fail together, and what makes room again (positions, outputs,
   * trims) is tried once more by itself.
   */
  readonly givesWay: boolean;
  /**
   * Runs inside the transaction. A refusal (a CollectorError thrown before anything was written) fails
   * this operation alone; any other error undoes the whole group.
   */
  write(): void;
  /** After the commit, in the order of the queue. */
  committed(): void;
  failed(error: CollectorError): void;
}

export interface Transactions {
  begin(): void;
  commit(): void;
  /** Never throws. */
  rollback(): void;
  isRefusal(error: unknown): error is CollectorError;
  asLogError(error: unknown): CollectorError;
}

/** Bounds how long one group holds the event loop. */
const GROUP_BYTES_MAX = 4 * 1024 * 1024;
const GROUP_OPERATIONS_MAX = 2_048;
/**
 * A sync holds the event loop. On a slow or busy disk the next group waits this many times as long as the
 * last commit took: larger groups, and at least two thirds of the time for everything else.
 */
const PAUSE_FACTOR = 2;
/** A commit this quick needs no pause; nor does a pause last longer than this, whatever the disk does. */
const QUICK_COMMIT_MS = 2;
const PAUSE_MAX_MS = 50;

export interface GroupCommitTime {
  monoMs(): number;
  later(run: () => void, delayMs: number): void;
}

const systemTime: GroupCommitTime = {
  monoMs: () => performance.now(),
  later: (run, delayMs) => {
    // After the I/O events of this turn: all connections that had something to say share the commit.
    if (delayMs < 1) setImmediate(run);
    else setTimeout(run, delayMs);
  },
};

export class GroupCommit {
  readonly #transactions: Transactions;
  readonly #afterGroup: () => void;
  #queue: Operation[] = [];
  readonly #time: GroupCommitTime;
  #scheduled = false;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #drained: (() => void)[] = [];

  /** `afterGroup` runs after each group, committed or not, and must not throw. */
  constructor(
    transactions: Transactions,
    afterGroup: () => void,
    time: GroupCommitTime = systemTime,
  ) {
    this.#transactions = transactions;
    this.#afterGroup = afterGroup;
    this.#time = time;
  }

  add(operation: Operation): void {
    this.#queue.push(operation);
    this.#schedule();
  }

  /** Resolves once the queue is empty and nothing is under way. */
  async drain(): Promise<void> {
    if (!this.#scheduled) return;
    await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const pauseMs = this.#notBeforeMs - this.#time.monoMs();
    this.#time.later(() => this.#run(), Math.max(0, pauseMs));
  }

  #run(): void {
    const group = this.#takeGroup();
    this.#commitGroup(group);
    this.#scheduled = false;
    this.#afterGroup();
    if (this.#queue.length > 0) this.#schedule();
    else for (const resolve of this.#drained.splice(0)) resolve();
  }

  #takeGroup(): Operation[] {
    const queue = this.#queue;
    let count = 0;
    let bytes = 0;
    while (count < queue.length && count < GROUP_OPERATIONS_MAX && bytes < GROUP_BYTES_MAX) {
      bytes += queue[count]?.bytes ?? 0;
      count += 1;
    }
    if (count === queue.length) {
      this.#queue = [];
      return queue;
    }
    return queue.splice(0, count);
  }

  #commitGroup(group: readonly Operation[]): void {
    const written: Operation[] = [];
    const refused: [Operation, CollectorError][] = [];
    try {
      this.#transactions.begin();
      for (const operation of group) {
        const refusal = this.#write(operation);
        if (refusal === undefined) written.push(operation);
        else refused.push([operation, refusal]);
      }
      if (written.length > 0) this.#commit();
      else this.#transactions.rollback();
    } catch (error) {
      const failure = this.#transactions.asLogError(error);
      this.#transactions.rollback();
      for (const operation of group) {
        const again = failure.code === 'LOG_FULL' && group.length > 1 && !operation.givesWay;
        if (again) this.#commitGroup([operation]);
        else operation.failed(failure);
      }
      return;
    }
    for (const operation of written) operation.committed();
    for (const [operation, refusal] of refused) operation.failed(refusal);
  }

  #commit(): void {
    const startedMs = this.#time.monoMs();
    this.#transactions.commit();
    const endedMs = this.#time.monoMs();
    const tookMs = endedMs - startedMs;
    const pauseMs = tookMs < QUICK_COMMIT_MS ? 0 : Math.min(PAUSE_FACTOR * tookMs, PAUSE_MAX_MS);
    this.#notBeforeMs = endedMs + pauseMs;
  }

  #write(operation: Operation): CollectorError | undefined {
    try {
      operation.write();
      return undefined;
    } catch (error) {
      if (this.#transactions.isRefusal(error)) return error;
      throw error;
    }
  }
}
