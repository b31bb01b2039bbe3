/**
 * Lets what writes into the store be paused between two batches: while a backup is taken, while the disk
 * is nearly full. Several may hold it closed at a time; it is open when none does.
 */

export class Gate {
  /** Who holds it closed, and why. */
  readonly #closers = new Map<symbol, string>();
  #inside = 0;
  #changed = Promise.withResolvers<void>();

  /** Why it is closed, for people; '' while it is open. */
  get reason(): string {
    return [...this.#closers.values()].join('; ');
  }

  get open(): boolean {
    return this.#closers.size === 0;
  }

  /**
   * Resolves once it is open, with what is to be called at the end of the batch. Resolves with undefined
   * when `signal` aborts first.
   */
  async enter(signal: AbortSignal): Promise<(() => void) | undefined> {
    await this.#until(() => this.open, signal);
    if (signal.aborted) return undefined;
    this.#inside++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#inside--;
      this.#tell();
    };
  }

  /** Nobody enters from now on until the answer is called. Who is inside goes on. */
  close(reason: string): () => void {
    const closer = Symbol(reason);
    this.#closers.set(closer, reason);
    return () => {
      if (this.#closers.delete(closer)) this.#tell();
    };
  }

  /** Resolves with true once nobody is inside, with false when `signal` aborts first. */
  async emptied(signal: AbortSignal): Promise<boolean> {
    await this.#until(() => this.#inside === 0, signal);
    return this.#inside === 0;
  }

  async #until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    if (isSo() || signal.aborted) return;
    const aborted = Promise.withResolvers<void>();
    const abort = (): void => aborted.resolve();
    signal.addEventListener('abort', abort, { once: true });
    while (!isSo() && !signal.aborted) await Promise.race([this.#changed.promise, aborted.promise]);
    signal.removeEventListener('abort', abort);
  }

  #tell(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}
