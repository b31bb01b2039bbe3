/**
 * The deep check of the ledger: takes what the ledger says at one moment, waits until the writers are past
 * it, and compares it with the rows of the tables themselves, seq by seq: none missing, none double, none
 * that the ledger does not know. Reads the tables once, one thread, in slices; only where sums differ it
 * looks closer.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { LedgerEntry } from '../processor/outputs/ledger.ts';
import type { Store } from '../store/store.ts';
import type { Difference } from './locate.ts';
import { locate } from './locate.ts';
import { added, momentsWithin, noSeqs, same } from './moments.ts';
import type { AccountKey, Held, Scope } from './tables.ts';
import { keyText, Tables } from './tables.ts';

export interface DeepProblem extends AccountKey {
  kind: Difference['kind'] | 'balance' | 'count';
  /** 0: of no single range. */
  from: number;
  to: number;
  readings: number;
  detail: string;
}

export interface DeepProgress {
  step: 'waiting' | 'reading' | 'comparing';
  /** Records, rows, epochs. */
  done: number;
  total: number;
}

export interface DeepOptions {
  store: Pick<Store, 'query' | 'retentionMs'>;
  scope: Scope;
  /** The live ledger, now; all that match the scope. */
  ledger: () => LedgerEntry[];
  /** False: the live ledger does not hold every epoch. */
  complete: () => boolean;
  /** Resolves when all that the log holds now is in the tables. Progress in records. */
  written: (onProgress: (done: number, total: number) => void) => Promise<void>;
  nowMs: number;
  onProgress: (progress: DeepProgress) => void;
  onProblem: (problem: DeepProblem) => void;
  signal: AbortSignal;
  /** How long a first difference may be the delay of the ledger's own report; default 2 s. */
  graceMs?: number;
}

export interface DeepResult {
  /** Every seq of the ledger is in one table once, and nothing else is. */
  ok: boolean;
  epochs: number;
  readings: number;
  quarantined: number;
  /** Dropped by the retention: counted, not there any more. */
  expired: number;
  /** In no table: their gaps were closed for want of room. */
  closed: number;
  /** Epochs from before the ledger kept ranges: their counts agree, more cannot be said. */
  counts_only: number;
  /** Readings that are missing, double or unknown; of epochs whose sums are wrong. */
  problems: number;
}

const GRACE_MS = 2_000;
/** Problems that are told one by one; the rest is only counted. */
const PROBLEMS_TOLD_MAX = 1_000;

export async function checkDeep(options: DeepOptions): Promise<DeepResult> {
  return new DeepCheck(options).run();
}

class DeepCheck {
  readonly #options: DeepOptions;
  readonly #tables: Tables;
  readonly #result: DeepResult = {
    ok: true,
    epochs: 0,
    readings: 0,
    quarantined: 0,
    expired: 0,
    closed: 0,
    counts_only: 0,
    problems: 0,
  };

  constructor(options: DeepOptions) {
    this.#options = options;
    this.#tables = new Tables(
      options.store.query.bind(options.store),
      options.scope,
      options.signal,
    );
  }

  async run(): Promise<DeepResult> {
    const { ledger, written, onProgress, complete } = this.#options;
    // Before the ends of the log are asked: what an entry has seen was appended before the entry.
    const entries = ledger();
    await written((done, total) => onProgress({ step: 'waiting', done, total }));
    const lasts = new Map(entries.map(({ epoch, lastSeq }) => [epoch, lastSeq]));
    const readings = await this.#tables.readings(lasts, (done, total) =>
      onProgress({ step: 'reading', done, total }),
    );
    const quarantine = await this.#tables.quarantine(lasts);
    for (const [n, entry] of entries.entries()) {
      await this.#judge(entry, readings.get(keyText(entry)), quarantine.get(keyText(entry)));
      onProgress({ step: 'comparing', done: n + 1, total: entries.length });
    }
    if (complete()) await this.#judgeUnknown([...readings.values(), ...quarantine.values()]);
    else this.#result.ok = false;
    return this.#result;
  }

  async #judge(
    entry: LedgerEntry,
    readings: Held | undefined,
    quarantine: Held | undefined,
  ): Promise<void> {
    const result = this.#result;
    const stored = readings?.within ?? noSeqs();
    const quarantined = quarantine?.within ?? noSeqs();
    result.epochs++;
    result.readings += stored.count;
    result.quarantined += quarantined.count;
    if (entry.balance !== 0 || entry.sumBalance !== '0') {
      const detail = `balance ${entry.balance}, of the sums ${entry.sumBalance}`;
      this.#tell(entry, { kind: 'balance', from: 0, to: 0, readings: 0, detail });
    }
    if (entry.seen.length === 0 && entry.stored + entry.quarantined > 0) {
      result.counts_only++;
      this.#compareCounts(entry, stored.count, quarantined.count);
      return;
    }
    const agrees =
      same(added(stored, quarantined), momentsWithin(entry.seen, 1, entry.lastSeq)) &&
      stored.count === entry.stored &&
      stored.s1 === BigInt(entry.storedSum) &&
      quarantined.count === entry.quarantined;
    if (!agrees) await this.#lookCloser(entry, stored.count, quarantined.count);
  }

  async #lookCloser(entry: LedgerEntry, stored: number, quarantined: number): Promise<void> {
    const goneBelow = await this.#goneBelow(entry);
    const look = () => locate(this.#tables, entry, this.#newest(entry) ?? entry, goneBelow);
    const spare = entry.closed + this.#quarantineGone(entry, quarantined);
    let found = await look();
    const isWrong = () =>
      found.missing > spare || found.differences.some(({ kind }) => kind !== 'missing');
    if (isWrong()) {
      // Ledger rows follow their readings within a second: what is still wrong then is wrong.
      await this.#grace();
      found = await look();
    }
    if (isWrong()) {
      const told = found.differences.filter(
        ({ kind }) => kind !== 'missing' || found.missing > spare,
      );
      for (const difference of told) this.#tell(entry, difference);
      return;
    }
    const result = this.#result;
    const closed = Math.min(found.missing, entry.closed);
    result.closed += closed;
    const gone = entry.stored + entry.quarantined - stored - quarantined;
    const expired = goneBelow > 0 ? gone : found.missing - closed;
    if (expired > 0) result.expired += expired;
    else this.#compareCounts(entry, stored, quarantined);
  }

  /** Not when the entry moved meanwhile: the rows of the ranges were compared, that is enough. */
  #compareCounts(entry: LedgerEntry, stored: number, quarantined: number): void {
    const newest = this.#newest(entry) ?? entry;
    if (newest.stored !== entry.stored || newest.quarantined !== entry.quarantined) return;
    // More in quarantine is evidence of what came intact later.
    const compared = [
      ['readings', 'stored', entry.stored, stored, stored !== entry.stored],
      [
        'quarantine',
        'quarantined',
        entry.quarantined,
        quarantined,
        quarantined < entry.quarantined,
      ],
    ] as const;
    for (const [table, counted, says, has, differs] of compared) {
      if (!differs || this.#mayBeGone(entry, table)) continue;
      const detail = `the ledger counts ${says} as ${counted}, the table ${table} has ${has}`;
      const readings = Math.abs(says - has);
      this.#tell(entry, { kind: 'count', from: 0, to: 0, readings, detail });
    }
  }

  /** Rows of what no ledger entry knows: epochs, or seqs beyond the last. */
  async #judgeUnknown(held: readonly Held[]): Promise<void> {
    const suspects = (): Held[] => {
      const lasts = new Map(
        this.#options.ledger().map((entry) => [keyText(entry), entry.lastSeq] as const),
      );
      return held.filter((one) => one.high > (lasts.get(keyText(one)) ?? 0));
    };
    if (suspects().length > 0) await this.#grace();
    for (const one of suspects()) {
      const last = this.#newest(one)?.lastSeq;
      const detail =
        last === undefined ? 'the ledger does not know the epoch' : `the ledger ends at ${last}`;
      const from = (last ?? 0) + 1;
      const readings = last === undefined ? one.within.count : one.high - last;
      this.#tell(one, { kind: 'unknown', from, to: one.high, readings, detail });
    }
  }

  #newest(key: AccountKey): LedgerEntry | undefined {
    return this.#options.ledger().find((entry) => keyText(entry) === keyText(key));
  }

  #mayBeGone({ openedMs }: LedgerEntry, table: 'readings' | 'quarantine'): boolean {
    const keptMs = this.#options.store.retentionMs[table];
    return keptMs > 0 && openedMs < this.#options.nowMs - keptMs;
  }

  /**
   * Seqs below it may have been dropped: those before the row that is there and was received first. What
   * arrived out of order around it is not told apart.
   */
  async #goneBelow(entry: LedgerEntry): Promise<number> {
    if (!this.#mayBeGone(entry, 'readings')) return 0;
    return (await this.#tables.oldestSeq(entry)) ?? entry.lastSeq + 1;
  }

  #quarantineGone(entry: LedgerEntry, quarantined: number): number {
    if (!this.#mayBeGone(entry, 'quarantine')) return 0;
    return Math.max(0, entry.quarantined - quarantined);
  }

  #tell({ site, gateway, epoch }: AccountKey, problem: Omit<DeepProblem, keyof AccountKey>): void {
    const result = this.#result;
    result.ok = false;
    result.problems++;
    if (result.problems <= PROBLEMS_TOLD_MAX)
      this.#options.onProblem({ site, gateway, epoch, ...problem });
  }

  async #grace(): Promise<void> {
    const { graceMs = GRACE_MS, signal } = this.#options;
    await delay(graceMs, undefined, { signal });
  }
}
