/** The readers of the partitions that are this process' to roll up: they come and go with its share. */

import { CollectorError } from '../../errors.ts';
import type { Log } from '../../log/log.ts';
import type { Share } from '../../shares.ts';
import type { Store } from '../store.ts';
import type { Written } from './log_reader.ts';
import { LogReader } from './log_reader.ts';
import { loadPositions } from './positions.ts';
import type { Touch } from './records.ts';

/** A process that was fenced leaves the other one so long before it tries again. */
const FENCED_WAIT_MS = 3_000;

export interface ReadersOptions {
  log: Log;
  store: Store;
  share: Share;
  written: (partition: number) => Written | undefined;
}

export class Readers {
  readonly #options: ReadersOptions;
  /** Readings received since then may lack their roll-ups, and the log does not say which. */
  readonly #onUnknown: (receivedMs: number) => void;
  readonly #readers = new Map<number, LogReader>();
  /** Positions as saved in the store. */
  readonly #saved = new Map<LogReader, number>();
  /** On performance.now(), by partition. */
  readonly #notBeforeMs = new Map<number, number>();

  constructor(options: ReadersOptions, onUnknown: (receivedMs: number) => void) {
    this.#options = options;
    this.#onUnknown = onUnknown;
  }

  get all(): LogReader[] {
    return [...this.#readers.values()];
  }

  has(reader: LogReader): boolean {
    return this.#readers.get(reader.partition) === reader;
  }

  /** All partitions of the share have a reader, which has read all that was written. */
  get areLevel(): boolean {
    for (const partition of this.#options.share.owned())
      if (this.#readers.get(partition)?.isLevel !== true) return false;
    return true;
  }

  /** What the store says of the reader's partition. */
  saved(reader: LogReader): number {
    return this.#saved.get(reader) ?? -1;
  }

  setSaved(reader: LogReader, position: number): void {
    this.#saved.set(reader, position);
  }

  /** Opens what has come to the share and closes what has left it. */
  async follow(): Promise<void> {
    const { log, store, share, written } = this.#options;
    const owned = share.owned();
    for (const reader of this.all) if (!owned.has(reader.partition)) await this.#drop(reader);
    const nowMs = performance.now();
    const missing = [...owned].filter(
      (partition) =>
        !this.#readers.has(partition) && nowMs >= (this.#notBeforeMs.get(partition) ?? 0),
    );
    if (missing.length === 0) return;
    const known = await loadPositions(store, log.identity);
    for (const partition of missing) {
      const own = known.own.get(partition);
      const options = { log, partition, written: () => written(partition) };
      const reader = await LogReader.open(options, own);
      this.#readers.set(partition, reader);
      this.#saved.set(reader, own?.position ?? -1);
      if (own === undefined) this.#onUnknown(known.before?.receivedMs ?? 0);
      else if (own.position < reader.position.position) this.#onUnknown(own.receivedMs);
    }
  }

  /**
   * Tells what the records touch that were written since. A reader that fails is given up, since its session
   * may be of no use any more: follow() opens another one, which begins where the last one had committed. The
   * others are read all the same; then rejects with the first failure.
   */
  async read(tell: (touch: Touch, receivedMs: number) => void, signal: AbortSignal): Promise<void> {
    const failures: unknown[] = [];
    for (const reader of this.all) {
      try {
        await reader.read(tell, signal);
      } catch (error) {
        // What it has noted is recomputed all the same: that does no harm.
        await this.#drop(reader);
        const isFenced = error instanceof CollectorError && error.code === 'LOG_FENCED';
        if (isFenced && !this.#options.share.exclusive)
          this.#notBeforeMs.set(reader.partition, performance.now() + FENCED_WAIT_MS);
        else failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((reader) => this.#drop(reader)));
  }

  #drop(reader: LogReader): Promise<void> {
    this.#readers.delete(reader.partition);
    this.#saved.delete(reader);
    return reader.close();
  }
}
