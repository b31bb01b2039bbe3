/**
 * Feeds table `devices`, the newest reading of each channel, every few seconds: in every insert it would
 * cost as much as the readings themselves. What a process that died had not fed yet is made up from
 * `readings` at the next start.
 */

import { randomUUID } from 'node:crypto';
import type { ReadingColumns } from './columns.ts';
import { newestOf } from './reading_rows.ts';
import type { NewestRow, Store } from './store.ts';

export class NewestFeed {
  readonly #store: Store;
  readonly #intervalMs: number;
  readonly #newest = new Map<string, NewestRow>();
  #fedAtMs = performance.now();

  constructor(store: Store, intervalMs: number) {
    this.#store = store;
    this.#intervalMs = intervalMs;
  }

  /** Before anything is fed; what is at hand is dropped, because the store has it. */
  async catchUp(logPartition: number): Promise<void> {
    this.#newest.clear();
    const { setAside } = this.#store;
    const asker = `newest ${logPartition}`;
    const lost = await setAside.unknownTo(asker, ['devices']);
    await this.#store.catchUpDevices(logPartition, lost.length > 0);
    await setAside.madeUpFor(asker, lost);
    this.#fedAtMs = performance.now();
  }

  /** Readings that the store has. */
  note(readings: ReadingColumns): void {
    for (const row of newestOf(readings)) {
      // The length tells where the device ends, whatever the names hold.
      const key = `${row.site}/${row.device.length}/${row.device}${row.channel}`;
      const other = this.#newest.get(key);
      if (other === undefined || row.timeMs >= other.timeMs) this.#newest.set(key, row);
    }
  }

  /** Until something is to be fed; undefined: nothing is. */
  get dueInMs(): number | undefined {
    if (this.#newest.size === 0) return undefined;
    return Math.max(0, this.#fedAtMs + this.#intervalMs - performance.now());
  }

  async feed(): Promise<void> {
    if (this.#newest.size === 0) return;
    this.#fedAtMs = performance.now();
    await this.#store.insert('devices', [...this.#newest.values()], randomUUID());
    this.#newest.clear();
  }
}
