/** Splits a stream of bytes into lines of bounded length. Pure. */

const NEWLINE = 10;
/** How many bytes of a line that is too long are kept to show what it was. */
const HEAD_BYTES = 1_024;

export interface Line {
  bytes: Uint8Array;
  /** It was too long; `bytes` is its head. */
  isCut: boolean;
}

/** Holds at most one unfinished line, of at most `maxBytes`. */
export class LineSplitter {
  readonly #maxBytes: number;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** The rest of a line that was already given as cut. */
  #skipping = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Calls `take` for each line that ends in `chunk`; empty lines are left out. */
  push(chunk: Uint8Array, take: (line: Line) => void): void {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end === -1) break;
      this.#add(chunk.subarray(start, end), take);
      this.#end(take);
      start = end + 1;
    }
    if (start < chunk.length) this.#add(chunk.subarray(start), take);
  }

  /** What stands after the last newline when the stream has ended, if anything. */
  flush(): Uint8Array | undefined {
    const rest = this.#pendingBytes > 0 ? this.#join() : undefined;
    this.#reset();
    return rest;
  }

  #add(part: Uint8Array, take: (line: Line) => void): void {
    if (this.#skipping || part.length === 0) return;
    this.#pending.push(part);
    this.#pendingBytes += part.length;
    if (this.#pendingBytes <= this.#maxBytes) return;
    const headBytes = Math.min(HEAD_BYTES, this.#maxBytes);
    take({ bytes: this.#join().slice(0, headBytes), isCut: true });
    this.#reset();
    this.#skipping = true;
  }

  #end(take: (line: Line) => void): void {
    if (this.#pendingBytes > 0) take({ bytes: this.#join(), isCut: false });
    this.#reset();
  }

  #join(): Uint8Array {
    const [only] = this.#pending;
    return this.#pending.length === 1 && only !== undefined ? only : Buffer.concat(this.#pending);
  }

  #reset(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#skipping = false;
  }
}
