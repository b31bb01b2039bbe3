/**
 * Entries of topic `control` of one kind, read once and kept. What is decided in one place at a time has a key
 * of its own: two processes that write at once never undo what the other one said of something else.
 */

import type { ControlView } from '../control.ts';
import { jsonOf } from '../control.ts';

export type AccessControl = Pick<ControlView, 'get' | 'on' | 'put' | 'until'>;

/** How long a writer waits until its own process sees what it wrote. It is durable in any case. */
const SEEN_TIMEOUT_MS = 5_000;

export class Entries<T extends object> {
  readonly #control: AccessControl;
  readonly #prefix: string;
  readonly #entries = new Map<string, T>();

  /** `read` answers undefined for what is not of its form: another version of the program may have written it. */
  constructor(
    control: AccessControl,
    prefix: string,
    read: (said: Partial<T>) => T | undefined,
    onChange: (name: string, value: T | undefined, before: T | undefined) => void = () => undefined,
  ) {
    this.#control = control;
    this.#prefix = prefix;
    control.on(prefix, (key, bytes) => {
      const name = key.slice(prefix.length);
      const said = jsonOf<T>(bytes);
      const value = said && read(said);
      const before = this.#entries.get(name);
      if (value === undefined) this.#entries.delete(name);
      else this.#entries.set(name, value);
      onChange(name, value, before);
    });
  }

  get size(): number {
    return this.#entries.size;
  }

  get(name: string): T | undefined {
    return this.#entries.get(name);
  }

  all(): IterableIterator<[string, T]> {
    return this.#entries.entries();
  }

  /** Null deletes. Resolves when it is durable and this process sees it. Rejects as Control.put does. */
  async put(name: string, value: T | null): Promise<void> {
    const key = this.#prefix + name;
    const bytes = value === null ? undefined : Buffer.from(JSON.stringify(value));
    const seen = new AbortController();
    // Begun before it is written: another one may replace it as soon as it is there.
    const isSeen = this.#control.until(() => isSame(this.#control.get(key), bytes), seen.signal);
    try {
      await this.#control.put(key, bytes ?? null);
      const timer = setTimeout(() => seen.abort(), SEEN_TIMEOUT_MS);
      await isSeen;
      clearTimeout(timer);
    } finally {
      seen.abort();
    }
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}
