/**
 * Topic `control` as one process sees it: followed once, kept in memory (it is small), and told on by the
 * first part of its keys.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { CollectorError } from './errors.ts';
import type { Control } from './log/log.ts';
import type { Logger } from './types.ts';

export type ControlListener = (key: string, value: Uint8Array | undefined) => void;

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 10_000;

export class ControlView {
  readonly #control: Control;
  readonly #entries = new Map<string, Uint8Array>();
  readonly #listeners = new Map<ControlListener, string>();

  constructor(control: Control) {
    this.#control = control;
  }

  /**
   * Resolves once all that there is has been read, or when `signal` aborts, which also ends the following.
   * A log that is away is tried again.
   */
  async start(signal: AbortSignal, logger: Logger): Promise<void> {
    let retryMs = RETRY_MIN_MS;
    while (!signal.aborted) {
      try {
        await this.#control.follow((key, value) => this.#take(key, value), signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        const code = error instanceof CollectorError ? error.code : undefined;
        logger.warn({ code, retry_ms: retryMs }, `control cannot be read yet: ${String(error)}`);
      }
      await delay(retryMs, undefined, { signal }).catch(() => undefined);
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }
  }

  get(key: string): Uint8Array | undefined {
    return this.#entries.get(key);
  }

  /** As Control.put. */
  put(key: string, value: Uint8Array | null): Promise<void> {
    return this.#control.put(key, value);
  }

  /** Calls `listener` for each known key that begins with `prefix`, and from then on for each change. */
  on(prefix: string, listener: ControlListener): void {
    for (const [key, value] of this.#entries) if (key.startsWith(prefix)) listener(key, value);
    this.#listeners.set(listener, prefix);
  }

  /** Resolves when it is so, looking again after each change; or when `signal` aborts. */
  async until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    if (isSo() || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (isSo()) resolve();
    };
    const abort = (): void => resolve();
    this.#listeners.set(look, '');
    signal.addEventListener('abort', abort, { once: true });
    await promise;
    this.#listeners.delete(look);
    signal.removeEventListener('abort', abort);
  }

  #take(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.#entries.delete(key);
    else this.#entries.set(key, value);
    for (const [listener, prefix] of this.#listeners)
      if (key.startsWith(prefix)) listener(key, value);
  }
}

/** A value that is JSON; undefined when it is none: another version of the program may have written it. */
export function jsonOf<T extends object>(value: Uint8Array | undefined): Partial<T> | undefined {
  if (value === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(value).toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? (parsed as Partial<T>) : undefined;
  } catch {
    return undefined;
  }
}
