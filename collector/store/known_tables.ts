/** The names of all tables of a database, asked again after a while. */

const KNOWN_MS = 60_000;

export class KnownTables {
  readonly #ask: () => Promise<string>;
  #known: Promise<ReadonlySet<string>> | undefined;
  #untilMs = 0;

  /** `ask`: one name a line. */
  constructor(ask: () => Promise<string>) {
    this.#ask = ask;
  }

  get(): Promise<ReadonlySet<string>> {
    if (this.#known !== undefined && performance.now() < this.#untilMs) return this.#known;
    this.#untilMs = performance.now() + KNOWN_MS;
    const known = this.#ask().then(
      (text) => new Set(text.split('\n').filter((name) => name !== '')),
    );
    // A failure is told to who asked, and asked again.
    known.catch(() => {
      if (this.#known === known) this.#known = undefined;
    });
    this.#known = known;
    return known;
  }
}

export const TABLES_SQL = 'SELECT name FROM system.tables WHERE database = currentDatabase()';
