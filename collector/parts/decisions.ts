/** Makes durable what people decide: appends it to log:raw, where the processors find it. */

import { setTimeout as delay } from 'node:timers/promises';
import { partitionOf } from '../../proto/partition.ts';
import type { Decisions, GatewayName, LogPlace } from '../api/context.ts';
import { CollectorError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { AcknowledgeValue, Clock, MarkValue, ReleaseValue, SilenceValue } from '../types.ts';
import { RawKind } from '../types.ts';

/** How long a caller waits until every partition has a silence. */
const SILENCE_WAIT_MS = 5_000;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2_000;
/** Silences that some partitions do not have yet. At the bound API_BUSY. */
const UNDER_WAY_MAX = 100;

export interface DecisionOptions {
  /** Undefined while it is not open. */
  log: () => Pick<Log, 'append' | 'partitionCount'> | undefined;
  clock: Clock;
  silenceWaitMs?: number;
}

export class LogDecisions implements Decisions {
  readonly #options: DecisionOptions;
  /** By the silence's id. */
  readonly #underWay = new Map<string, Telling>();

  constructor(options: DecisionOptions) {
    this.#options = options;
  }

  release(gateway: GatewayName, value: ReleaseValue): Promise<LogPlace> {
    return this.#append(gateway, RawKind.RELEASE, value);
  }

  acknowledge(gateway: GatewayName, value: AcknowledgeValue): Promise<LogPlace> {
    return this.#append(gateway, RawKind.ACKNOWLEDGE, value);
  }

  mark(gateway: GatewayName, value: MarkValue): Promise<LogPlace> {
    return this.#append(gateway, RawKind.MARK, value);
  }

  async silence(value: SilenceValue): Promise<void> {
    const log = this.#openLog();
    const { clock, silenceWaitMs = SILENCE_WAIT_MS } = this.#options;
    let telling = this.#underWay.get(value.id);
    if (telling === undefined) {
      if (this.#underWay.size >= UNDER_WAY_MAX)
        throw new CollectorError('API_BUSY', `${UNDER_WAY_MAX} silences wait for the log`);
      telling = new Telling(log, () => this.#underWay.delete(value.id));
      this.#underWay.set(value.id, telling);
    }
    await telling.tell(value, value.untilMs <= clock.wallMs(), silenceWaitMs);
  }

  async #append({ site, gateway }: GatewayName, kind: string, asked: object): Promise<LogPlace> {
    const log = this.#openLog();
    const key = `${site}/${gateway}`;
    const partition = partitionOf(key, log.partitionCount);
    const value = Buffer.from(JSON.stringify(asked));
    const offset = await log.append('raw', partition, { key, kind, value });
    return { partition, offset };
  }

  #openLog(): Pick<Log, 'append' | 'partitionCount'> {
    const log = this.#options.log();
    if (log === undefined) throw new CollectorError('API_NOT_READY', 'the log is not open yet');
    return log;
  }
}

/**
 * Tells every partition of one silence, again and again until all have it; the same id makes that harmless.
 * A newer value replaces the one under way, so that no partition is left with the older. Partition 0 is the
 * one that shows a silence: it is told first when it is set and last when it ends. If the process dies in
 * between, a silence that holds somewhere is shown, and can be ended.
 */
class Telling {
  readonly #log: Pick<Log, 'append' | 'partitionCount'>;
  readonly #onEnd: () => void;
  readonly #untold = new Set<number>();
  #value: SilenceValue | undefined;
  #isEnding = false;
  #running: Promise<void> | undefined;
  #callers = 0;
  #lastError: unknown;
  /** Aborted: what was just asked does not wait for the next try of what was asked before. */
  #resting = new AbortController();

  constructor(log: Pick<Log, 'append' | 'partitionCount'>, onEnd: () => void) {
    this.#log = log;
    this.#onEnd = onEnd;
  }

  async tell(value: SilenceValue, isEnding: boolean, waitMs: number): Promise<void> {
    const { partitionCount } = this.#log;
    this.#value = value;
    this.#isEnding = isEnding;
    for (let partition = 0; partition < partitionCount; partition++) this.#untold.add(partition);
    this.#running ??= this.#run().finally(this.#onEnd);
    // It may fail when nobody waits any more.
    this.#running.catch(() => undefined);
    this.#resting.abort();
    this.#callers++;
    const waited = new AbortController();
    const tooLate = delay(waitMs, true, { signal: waited.signal }).catch(() => false);
    try {
      if (!(await Promise.race([this.#running.then(() => false), tooLate]))) return;
      const told = partitionCount - this.#untold.size;
      if (told === 0 && this.#callers === 1) this.#value = undefined;
      if (told === 0) throw this.#lastError ?? new CollectorError('LOG_UNAVAILABLE', 'no answer');
      throw new CollectorError(
        'LOG_UNAVAILABLE',
        `${told} of ${partitionCount} partitions have it; the others get it as soon as they can`,
      );
    } finally {
      waited.abort();
      this.#callers--;
    }
  }

  /** Until all are told, or nobody wants it any more. Rejects when the log was closed. */
  async #run(): Promise<void> {
    let retryMs = RETRY_MIN_MS;
    for (;;) {
      const value = this.#value;
      const partitions = this.#next();
      if (value === undefined || partitions.length === 0) return;
      const failed = await this.#append(partitions, value);
      if (failed === undefined) {
        retryMs = RETRY_MIN_MS;
        continue;
      }
      this.#lastError = failed;
      if (failed instanceof CollectorError && failed.code === 'LOG_CLOSED') throw failed;
      this.#resting = new AbortController();
      const { signal } = this.#resting;
      await delay(retryMs, undefined, { ref: false, signal }).catch(() => undefined);
      retryMs = Math.min(2 * retryMs, RETRY_MAX_MS);
    }
  }

  #next(): number[] {
    const others = [...this.#untold].filter((partition) => partition !== 0);
    const first = this.#untold.has(0) ? [0] : [];
    const [now, then] = this.#isEnding ? [others, first] : [first, others];
    return now.length > 0 ? now : then;
  }

  /** Answers an error when not all of them were told. */
  async #append(partitions: readonly number[], silence: SilenceValue): Promise<unknown> {
    const record = {
      key: '',
      kind: RawKind.SILENCE,
      value: Buffer.from(JSON.stringify(silence)),
    };
    const appends = partitions.map((partition) => this.#log.append('raw', partition, record));
    let failed: unknown;
    for (const [i, result] of (await Promise.allSettled(appends)).entries()) {
      if (result.status === 'rejected') failed = result.reason;
      else if (this.#value === silence) this.#untold.delete(partitions[i] as number);
    }
    return failed;
  }
}
