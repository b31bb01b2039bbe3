/** Small values that live with the buffer, on their way to the file: sealed where chunks are. */

import type { Contents } from './contents.ts';
import { META_FORMAT, OWN_META } from './contents.ts';
import { BUFFER_FORMAT, BUFFER_FORMAT_PLAIN } from './database.ts';
import type { Mark } from './mark.ts';
import { META_MARK } from './mark.ts';
import type { BufferSeal } from './seal.ts';
import type { Settled } from './settle.ts';

type Meta = Contents['meta'];

export class PendingValues {
  /** As they are to be stored. */
  readonly #changes = new Map<string, string>();

  get changes(): ReadonlyMap<string, string> {
    return this.#changes;
  }

  /** What the file says of its encryption is not yet what holds. */
  get hasMark(): boolean {
    return this.#changes.has(META_MARK);
  }

  /** Undefined: there is none, or it is not what was stored. */
  get(key: string, meta: Meta, seal: BufferSeal): string | undefined {
    const stored = this.#changes.get(key) ?? meta.get(key)?.value;
    return stored === undefined || OWN_META.has(key) ? stored : seal.valueOf(key, stored);
  }

  set(key: string, value: string, meta: Meta, seal: BufferSeal): void {
    if (this.get(key, meta, seal) === value) return;
    this.#changes.set(key, OWN_META.has(key) ? value : seal.valueText(key, value));
  }

  /** What was decided at the opening goes into the file with the first commit. */
  takeOver({ seal, changed, begins }: Settled, meta: Meta): void {
    if (!changed) return;
    this.setMark(seal, seal.mark);
    for (const [key, { value }] of meta) {
      const opened = OWN_META.has(key) ? undefined : seal.valueOf(key, value, begins);
      if (opened !== undefined) this.#changes.set(key, seal.valueText(key, opened));
    }
  }

  setMark(seal: BufferSeal, mark: Mark | undefined): void {
    const format = mark === undefined ? BUFFER_FORMAT_PLAIN : BUFFER_FORMAT;
    this.#changes.set(META_MARK, seal.textOf(mark));
    this.#changes.set(META_FORMAT, String(format));
  }

  /** After a salvage, whose file has a mark of its own: values that it did not find are known from before. */
  restore(
    before: { meta: Meta; seal: BufferSeal },
    loaded: { meta: Meta; settled: Settled },
  ): void {
    this.#changes.delete(META_MARK);
    this.#changes.delete(META_FORMAT);
    this.takeOver(loaded.settled, loaded.meta);
    for (const [key, { value }] of before.meta) {
      if (OWN_META.has(key) || loaded.meta.has(key) || this.#changes.has(key)) continue;
      const plain = before.seal.valueOf(key, value);
      if (plain !== undefined) this.set(key, plain, loaded.meta, loaded.settled.seal);
    }
  }

  committed(): void {
    this.#changes.clear();
  }
}
