/** Topic `control` of the embedded log: a table of the same file, and its followers in this process. */

import type { CollectorError } from '../errors.ts';
import type { Control } from './log.ts';
import type { SqliteFile } from './sqlite_file.ts';

type Listener = (key: string, value: Uint8Array | undefined) => void;

export class SqliteControl implements Control {
  readonly #file: SqliteFile;
  readonly #enqueue: (work: {
    write: () => void;
    committed: () => void;
    bytes: number;
  }) => Promise<void>;
  readonly #closedError: () => CollectorError | undefined;
  readonly #listeners = new Set<Listener>();

  /** `enqueue` runs `write` in the log's next transaction. */
  constructor(
    file: SqliteFile,
    enqueue: (work: { write: () => void; committed: () => void; bytes: number }) => Promise<void>,
    closedError: () => CollectorError | undefined,
  ) {
    this.#file = file;
    this.#enqueue = enqueue;
    this.#closedError = closedError;
  }

  put(key: string, value: Uint8Array | null): Promise<void> {
    return this.#enqueue({
      write: () => this.#file.putControl(key, value),
      committed: () => {
        for (const listener of this.#listeners) listener(key, value ?? undefined);
      },
      bytes: value?.length ?? 0,
    });
  }

  async follow(onEntry: Listener, signal: AbortSignal): Promise<void> {
    const closed = this.#closedError();
    if (closed !== undefined) throw closed;
    if (signal.aborted) return;
    let entries: Map<string, Uint8Array>;
    try {
      entries = this.#file.control();
    } catch (error) {
      throw this.#file.asLogError(error);
    }
    for (const [key, value] of entries) onEntry(key, value);
    // No turn of the event loop lies between: no change is missed or told before what it changes.
    this.#listeners.add(onEntry);
    signal.addEventListener('abort', () => this.#listeners.delete(onEntry), { once: true });
  }
}
