/**
 * Encryption as one buffer uses it: which rows count, under which key, and how new ones are written.
 * How that is decided when a file is opened: settle.ts.
 */

import type { PlainChunk } from './cipher.ts';
import { isSealedValue, keyIdOf, RowCipher } from './cipher.ts';
import type { BufferKey, BufferKeys } from './keys.ts';
import type { Mark } from './mark.ts';
import { markText, NO_MARK } from './mark.ts';
import type { ChunkRow } from './rows.ts';
import { chunkBytesOk, chunkHeadCrc, chunkHeadOk, isSealed } from './rows.ts';

export class BufferSeal {
  readonly keys: BufferKeys;
  readonly #cipher: RowCipher;
  readonly #current: BufferKey | undefined;
  #mark: Mark | undefined;

  /** `mark.key` and what chunks still need is among the keys: settle.ts has seen to it. */
  constructor(keys: BufferKeys, mark: Mark | undefined) {
    this.keys = keys;
    this.#cipher = new RowCipher(keys.keys);
    this.#mark = mark;
    this.#current = keys.keys.find(({ id }) => id === mark?.key);
  }

  /** Undefined: nothing in the file is encrypted, and nothing will be. */
  get mark(): Mark | undefined {
    return this.#mark;
  }

  get on(): boolean {
    return this.#mark?.on === true;
  }

  /** The highest id of a chunk that is without encryption or under an older key; 0: none. */
  get oldTo(): number {
    const mark = this.#mark;
    return mark?.on === true ? Math.max(mark.olderTo, mark.plainTo) : 0;
  }

  /** Once it is committed. */
  adopt(mark: Mark | undefined): void {
    this.#mark = mark;
  }

  /** The mark as the file is to hold it. */
  textOf(mark: Mark | undefined): string {
    return mark === undefined || this.#current === undefined
      ? NO_MARK
      : markText(mark, this.#current);
  }

  /** The row to be stored. */
  seal(chunk: PlainChunk): ChunkRow {
    if (this.on && this.#current !== undefined) return this.#cipher.seal(this.#current, chunk);
    return { ...chunk, row_crc: chunkHeadCrc(chunk) };
  }

  /**
   * The row as it was before it was sealed; undefined when it is not what this buffer wrote there: it
   * is damaged, or somebody made it. A row without encryption counts only where there may be such.
   */
  open(row: ChunkRow): ChunkRow | undefined {
    if (isSealed(row)) {
      const id = keyIdOf(row);
      const opened =
        id !== undefined && this.#mayBeUnder(id, row.id) ? this.#cipher.open(row) : undefined;
      // With a wrong CRC, the flag itself may be what is damaged.
      if (opened !== undefined || chunkHeadOk(row)) return opened;
    }
    return this.#mayBePlain(row) && chunkBytesOk(row) ? row : undefined;
  }

  /** Sealed as new chunks are: it may stay as it is. */
  isCurrent(row: ChunkRow): boolean {
    if (!this.on) return !isSealed(row);
    return isSealed(row) && keyIdOf(row) === this.#mark?.key;
  }

  /** A value of `meta` as it is to be stored. */
  valueText(name: string, value: string): string {
    if (!this.on || this.#current === undefined) return value;
    return this.#cipher.sealValue(this.#current, name, value);
  }

  /** Undefined when it is not what was stored. `mayBePlain`: it may be from before encryption. */
  valueOf(name: string, text: string, mayBePlain = false): string | undefined {
    if (isSealedValue(text)) return this.#cipher.openValue(name, text);
    return !this.on || mayBePlain ? text : undefined;
  }

  #mayBePlain(row: ChunkRow): boolean {
    const mark = this.#mark;
    return mark === undefined || !mark.on || row.id <= mark.plainTo;
  }

  #mayBeUnder(id: string, rowId: number): boolean {
    const mark = this.#mark;
    if (mark === undefined) return false;
    if (mark.on && id === mark.key) return true;
    return rowId <= mark.olderTo && (id === mark.key || mark.older.includes(id));
  }
}
