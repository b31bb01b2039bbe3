/**
 * How full the log may get, in pages. Raw appends stop first; outputs of the processor may use the
 * headroom above that, so that what is in the log can still be worked off; positions and trims have a
 * last reserve that nothing else may touch.
 */

import { CollectorError } from '../errors.ts';

const HEADROOM_PAGES_MAX = 16_384;
const RESERVE_PAGES_MAX = 1_024;
/** Beside its payload a record takes its cell's head, its share of inner pages and of page ends. */
const RECORD_OVERHEAD_BYTES = 48;
const FILL_FACTOR = 0.9;

export interface Pages {
  total: number;
  free: number;
}

export class Space {
  readonly #pageBytes: number;
  readonly #appendLimit: number;
  readonly #outputLimit: number;
  /** Pages that a trim must free before appends are taken again: no flapping. */
  readonly #margin: number;
  #used = 0;
  #pending = 0;
  #full = false;
  /** Pages in use once the group in which the log became full was over. */
  #usedWhenFull: number | undefined;

  constructor(maxPages: number, pageBytes: number) {
    const reserve = Math.min(RESERVE_PAGES_MAX, Math.max(8, Math.ceil(maxPages / 100)));
    const headroom = Math.min(HEADROOM_PAGES_MAX, Math.max(16, Math.ceil(maxPages / 10)));
    this.#pageBytes = pageBytes;
    this.#outputLimit = maxPages - reserve;
    this.#appendLimit = this.#outputLimit - headroom;
    this.#margin = Math.max(2, Math.floor(headroom / 8));
  }

  /** Bytes in use, without free pages, as of the last group. */
  get usedBytes(): number {
    return this.#used * this.#pageBytes;
  }

  /**
   * Bytes that a trim should bring the log down to: what is to be retained, less when that would leave
   * no room for a burst and for outputs, and less again while appends are refused.
   */
  trimTarget(retentionBytes: number): number {
    const comfortable = Math.floor(this.#appendLimit * 0.9);
    const pages = this.#full ? Math.min(comfortable, this.#used - 2 * this.#margin) : comfortable;
    return Math.min(retentionBytes, Math.max(0, pages) * this.#pageBytes);
  }

  /** Appends are refused, and will be until a trim has made room. */
  get full(): boolean {
    return this.#full;
  }

  /** Called with the file's pages before and after each group. */
  refresh(pages: Pages): void {
    this.#used = pages.total - pages.free;
    this.#pending = 0;
    if (!this.#full) return;
    this.#usedWhenFull ??= this.#used;
    if (this.#used <= Math.min(this.#usedWhenFull, this.#appendLimit) - this.#margin) {
      this.#full = false;
      this.#usedWhenFull = undefined;
    }
  }

  /** Throws LOG_FULL, or counts the append in. */
  takeForAppend(valueBytes: number): void {
    const needed = this.#pagesFor(valueBytes);
    if (this.#full || this.#used + this.#pending + needed > this.#appendLimit) {
      this.#full = true;
      throw new CollectorError('LOG_FULL', `${this.usedBytes} bytes in use`);
    }
    this.#pending += needed;
  }

  /** Throws LOG_FULL, or counts the outputs in. */
  takeForOutputs(valueBytes: readonly number[]): void {
    let needed = 0;
    for (const bytes of valueBytes) needed += this.#pagesFor(bytes);
    if (this.#used + this.#pending + needed > this.#outputLimit)
      throw new CollectorError('LOG_FULL', `${this.usedBytes} bytes in use, no room for outputs`);
    this.#pending += needed;
  }

  #pagesFor(valueBytes: number): number {
    const bytes = valueBytes + RECORD_OVERHEAD_BYTES;
    // A value that does not fit into a page gets whole overflow pages of its own.
    if (bytes > this.#pageBytes) return Math.ceil(bytes / (this.#pageBytes - 4)) + 1;
    return bytes / (this.#pageBytes * FILL_FACTOR);
  }
}
