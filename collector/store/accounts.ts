/**
 * What the tables have of every epoch: read when the log is gone and the processor's accounts with it.
 * The ledger's rows say what was seen up to when they were written; the rows themselves say what came to
 * be stored. Reading is bounded in memory: whole tables are summed up by the engine, and only epochs with
 * holes are looked at more closely, a slice at a time.
 */

import type { Interval } from '../processor/ranges.ts';
import { SeqRanges } from '../processor/ranges.ts';
import type { Store } from './store.ts';

export interface StoredAccount {
  site: string;
  gateway: string;
  epoch: string;
  openedMs: number;
  lastSeq: number;
  /** from, to, from, to, … */
  stored: readonly number[];
  /** Likewise; never in `stored` too. */
  quarantined: readonly number[];
}

const LIMITS = { timeoutMs: 300_000, maxRows: 2_000_000, maxMemoryBytes: 2 * 1024 ** 3 };
/** Readings looked at one by one in a statement. */
const SLICE_ROWS_MAX = 4_000_000;
const EPOCHS_PER_STATEMENT_MAX = 1_000;
const DAY_MS = 86_400_000;
/** Rows of quarantine leave the store after 30 days; a day less is surely still there. */
const KEPT_DAYS_MIN = 29;

type Ask = Pick<Store, 'query'>;

interface EpochName {
  site: string;
  gateway: string;
  epoch: string;
}

interface LedgerLine extends EpochName {
  opened_ms: number;
  last_seq: number;
  seen: string;
  updated_ms: number;
}

interface ReadingsLine extends EpochName {
  readings: number;
  low: number;
  high: number;
  first_ms: number;
  /** Highest seq that came so long ago that what lies below it may have left the store. */
  aged: number;
}

/** Oldest epoch first. `retentionDays`: 0 keeps for ever. Rejects with the store's coded errors. */
export async function readAccounts(
  store: Ask,
  nowMs: number,
  retentionDays: number,
  signal: AbortSignal,
): Promise<StoredAccount[]> {
  const keptDays = Math.min(retentionDays || KEPT_DAYS_MIN, KEPT_DAYS_MIN);
  const agedMs = Math.floor(nowMs - keptDays * DAY_MS);
  const books = new Map<string, Book>();
  const bookOf = (name: EpochName): Book => {
    const key = `${name.site}/${name.gateway}/${name.epoch}`;
    const known = books.get(key);
    if (known !== undefined) return known;
    const book = new Book(name);
    books.set(key, book);
    return book;
  };
  const ask = <Row>(sql: string, params: Record<string, unknown> = {}): Promise<Row[]> =>
    store.query<Row>(sql, params, LIMITS, signal);

  const lines = await ask<ReadingsLine>(
    `SELECT site, gateway, epoch, count() AS readings, min(seq) AS low, max(seq) AS high,
  min(received_ms) AS first_ms, maxIf(seq, received_ms < {agedMs:Int64}) AS aged
FROM readings WHERE seq > 0 GROUP BY site, gateway, epoch`,
    { agedMs },
  );
  for (const line of lines) bookOf(line).summarise(line);
  await readRuns(ask, lines.filter(hasHoles), (name, from, to) => bookOf(name).store(from, to));
  await readQuarantine(ask, (name, seq, count) => bookOf(name).quarantine(seq, seq + count - 1));
  const ledger = await ask<LedgerLine>(
    'SELECT site, gateway, epoch, opened_ms, last_seq, seen, updated_ms FROM ledger FINAL',
  );
  for (const line of ledger) bookOf(line).enter(line, agedMs);
  return [...books.values()]
    .map((book) => book.account())
    .sort((a, b) => a.openedMs - b.openedMs || (a.epoch < b.epoch ? -1 : 1));
}

function hasHoles({ readings, low, high }: ReadingsLine): boolean {
  return readings !== high - low + 1;
}

/** One epoch while it is being put together. */
class Book {
  readonly #name: EpochName;
  readonly #stored = new SeqRanges();
  readonly #quarantined = new SeqRanges();
  #openedMs = Number.POSITIVE_INFINITY;
  #lastSeq = 0;
  #aged = 0;

  constructor({ site, gateway, epoch }: EpochName) {
    this.#name = { site, gateway, epoch };
  }

  summarise(line: ReadingsLine): void {
    this.#openedMs = line.first_ms;
    this.#aged = line.aged;
    if (!hasHoles(line)) this.store(line.low, line.high);
  }

  store(from: number, to: number): void {
    this.#stored.add(from, to);
  }

  quarantine(from: number, to: number): void {
    this.#quarantined.add(from, to);
  }

  /**
   * What the ledger had seen and no row is of: it left the store with its age, or it was lost with the
   * log on its way into the store. Only the former counts as arrived.
   */
  enter(line: LedgerLine, agedMs: number): void {
    this.#openedMs = Math.min(this.#openedMs, line.opened_ms);
    this.#lastSeq = line.last_seq;
    const aged = line.updated_ms < agedMs ? line.last_seq : this.#aged;
    const low = this.#stored.ends[0] ?? Number.POSITIVE_INFINITY;
    for (const { from, to } of pairs(line.seen)) {
      if (from > aged) continue;
      for (const part of this.#stored.missing(from, Math.min(to, aged))) {
        // Readings leave in the order in which they came; quarantine leaves sooner.
        if (part.to < low) this.store(part.from, part.to);
        else this.quarantine(part.from, part.to);
      }
    }
  }

  account(): StoredAccount {
    const quarantined: number[] = [];
    for (const { from, to } of pairs(this.#quarantined.ends)) {
      for (const part of this.#stored.missing(from, to)) quarantined.push(part.from, part.to);
    }
    const last = Math.max(this.#lastSeq, this.#stored.last, this.#quarantined.last);
    const openedMs = Number.isFinite(this.#openedMs) ? this.#openedMs : 0;
    return {
      ...this.#name,
      openedMs,
      lastSeq: last,
      stored: this.#stored.ends,
      quarantined,
    };
  }
}

/** Of `from, to, from, to, …`, as an array or as its JSON; '' is empty (rows of version 1). */
function pairs(ends: readonly number[] | string): Interval[] {
  const numbers =
    typeof ends === 'string' ? ((ends === '' ? [] : JSON.parse(ends)) as number[]) : ends;
  const found: Interval[] = [];
  for (let i = 0; i + 1 < numbers.length; i += 2)
    found.push({ from: numbers[i]!, to: numbers[i + 1]! });
  return found;
}

interface RunsLine extends EpochName {
  starts: number[];
  ends: number[];
}

/** Runs of consecutive seqs, found by the engine. */
async function readRuns(
  ask: <Row>(sql: string, params: Record<string, unknown>) => Promise<Row[]>,
  lines: readonly ReadingsLine[],
  take: (name: EpochName, from: number, to: number) => void,
): Promise<void> {
  for (const { epochs, from, to } of slices(lines)) {
    const found = await ask<RunsLine>(
      `SELECT site, gateway, epoch,
  arrayFilter((x, d, i) -> i = 1 OR d > 1, s, arrayDifference(s), arrayEnumerate(s)) AS starts,
  arrayFilter((x, d) -> d > 1, s, arrayPushBack(arrayPopFront(arrayDifference(s)), 2)) AS ends
FROM (
  SELECT site, gateway, epoch, arraySort(groupArray(seq)) AS s FROM readings
  WHERE epoch IN ({epochs:Array(String)}) AND seq >= {from:UInt64} AND seq <= {to:UInt64}
  GROUP BY site, gateway, epoch
)`,
      { epochs, from, to },
    );
    for (const line of found) {
      line.starts.forEach((start, i) => {
        take(line, start, line.ends[i] ?? start);
      });
    }
  }
}

/** Several epochs at a time, or a part of a large one. */
function* slices(
  lines: readonly ReadingsLine[],
): Generator<{ epochs: string[]; from: number; to: number }> {
  const whole = { from: 0, to: Number.MAX_SAFE_INTEGER };
  let epochs: string[] = [];
  let rows = 0;
  for (const { epoch, readings, low, high } of lines) {
    if (readings > SLICE_ROWS_MAX) {
      for (let from = low; from <= high; from += SLICE_ROWS_MAX)
        yield { epochs: [epoch], from, to: from + SLICE_ROWS_MAX - 1 };
      continue;
    }
    if (rows + readings > SLICE_ROWS_MAX || epochs.length >= EPOCHS_PER_STATEMENT_MAX) {
      yield { epochs, ...whole };
      epochs = [];
      rows = 0;
    }
    epochs.push(epoch);
    rows += readings;
  }
  if (epochs.length > 0) yield { epochs, ...whole };
}

async function readQuarantine(
  ask: <Row>(sql: string, params: Record<string, unknown>) => Promise<Row[]>,
  take: (name: EpochName, seq: number, count: number) => void,
): Promise<void> {
  for (let offset = 0; ; offset += EPOCHS_PER_STATEMENT_MAX) {
    const found = await ask<EpochName & { entries: [number, number][] }>(
      `SELECT site, gateway, epoch, arraySort(groupUniqArray((seq, count))) AS entries
FROM quarantine WHERE seq > 0 AND count > 0
GROUP BY site, gateway, epoch ORDER BY site, gateway, epoch
LIMIT {limit:UInt32} OFFSET {offset:UInt64}`,
      { limit: EPOCHS_PER_STATEMENT_MAX, offset },
    );
    for (const line of found) {
      for (const [seq, count] of line.entries) take(line, seq, count);
    }
    if (found.length < EPOCHS_PER_STATEMENT_MAX) return;
  }
}
