/** What the deep check asks of the tables. Each query is bounded; the large ones come in slices. */

import type { QueryLimits, Store } from '../store/store.ts';
import type { Moments, MomentsRow } from './moments.ts';
import { added, MOMENTS_SQL, momentsFrom, noSeqs } from './moments.ts';

/** One epoch of one gateway. */
export interface AccountKey {
  site: string;
  gateway: string;
  epoch: string;
}

export interface Scope {
  site?: string | undefined;
  gateway?: string | undefined;
}

/** One thread: the check may take long, the rest of the collector goes on beside it. */
const SETTINGS = 'SETTINGS max_threads = 1';
const LIMITS: QueryLimits = {
  timeoutMs: 120_000,
  maxRows: 1_000_000,
  maxMemoryBytes: 1024 ** 3,
};
/** Rows that one query of a slice reads, more or less. */
const SLICE_ROWS = 20_000_000;
/** Epochs whose ends go into one query. */
const EPOCHS_A_PASS = 5_000;
/** Runs of seqs that one query answers. */
export const RUNS_MAX = 100_000;
const NO_LIMIT = '18446744073709551615';

/** A slice of readings by the sort key: devices after `after` up to `to`; undefined: no end. */
interface Slice {
  after: [string, string] | undefined;
  to: [string, string] | undefined;
  rows: number;
}

/** What a table holds of an epoch. */
export interface Held extends AccountKey {
  /** Of the seqs up to the last one that the ledger knew. */
  within: Moments;
  /** Highest seq, known or not. */
  high: number;
}

/** Seqs [from, to] of which each has `copies` rows. */
export interface Run {
  from: number;
  to: number;
  copies: number;
}

/** Of quarantine: `whole`: an entry that holds the reading itself, `released`: and somebody released it. */
export interface QuarantineRun extends Run {
  whole: boolean;
  released: boolean;
}

export class Tables {
  readonly #query: Store['query'];
  readonly #signal: AbortSignal;
  readonly #scope: string;
  readonly #scopeParams: Record<string, string>;

  constructor(query: Store['query'], scope: Scope, signal: AbortSignal) {
    this.#query = query;
    this.#signal = signal;
    const where = ['1'];
    const params: Record<string, string> = {};
    for (const name of ['site', 'gateway'] as const) {
      const value = scope[name];
      if (value === undefined) continue;
      where.push(`${name} = {${name}:String}`);
      params[name] = value;
    }
    this.#scope = where.join(' AND ');
    this.#scopeParams = params;
  }

  /** What `readings` holds of every epoch. `seen` hears how many rows of how many were read. */
  async readings(
    lasts: ReadonlyMap<string, number>,
    seen: (rows: number, of: number) => void,
  ): Promise<Map<string, Held>> {
    const slices = await this.#slices();
    const total = slices.reduce((sum, { rows }) => sum + rows, 0);
    const held = new Map<string, Held>();
    let read = 0;
    seen(0, total);
    for (const slice of slices) {
      const bounds: string[] = [];
      const params: Record<string, unknown> = {};
      if (slice.after !== undefined) {
        bounds.push('(site, device) > ({after_site:String}, {after_device:String})');
        [params.after_site, params.after_device] = slice.after;
      }
      if (slice.to !== undefined) {
        bounds.push('(site, device) <= ({to_site:String}, {to_device:String})');
        [params.to_site, params.to_device] = slice.to;
      }
      await this.#add(held, 'readings', bounds, params, lasts);
      read += slice.rows;
      seen(read, total);
    }
    return held;
  }

  /** The same of `quarantine`: rejects and damaged chunks, and the readings that nobody released. */
  async quarantine(lasts: ReadonlyMap<string, number>): Promise<Map<string, Held>> {
    const held = new Map<string, Held>();
    await this.#add(held, `(${QUARANTINED})`, ['NOT released'], {}, lasts);
    return held;
  }

  /** By buckets of `size` seqs (bucket i: seqs i * size to (i + 1) * size - 1), both tables together. */
  async buckets(key: AccountKey, lastSeq: number, size: number): Promise<Map<number, Moments>> {
    const sums = new Map<number, Moments>();
    for (const [table, more] of [
      ['readings', '1'],
      [`(${QUARANTINED})`, 'NOT released'],
    ] as const) {
      const rows = await this.#ask<MomentsRow & { bucket: number }>(
        `SELECT intDiv(seq, {size:UInt64}) AS bucket, ${MOMENTS_SQL} FROM ${table}
WHERE ${OF_KEY} AND seq <= {last:UInt64} AND ${more} GROUP BY bucket`,
        { ...key, size, last: lastSeq },
      );
      for (const row of rows) {
        const bucket = Number(row.bucket);
        const known = sums.get(bucket);
        const moments = momentsFrom(row);
        sums.set(bucket, known === undefined ? moments : added(known, moments));
      }
    }
    return sums;
  }

  /** Runs of seqs within [from, to] that have rows in `readings`, ascending; at most RUNS_MAX. */
  async readingRuns(key: AccountKey, from: number, to: number): Promise<Run[]> {
    const rows = await this.#ask<{ f: number; t: number; copies: number }>(
      `SELECT min(seq) AS f, max(seq) AS t, copies FROM (
  SELECT seq, copies, seq - row_number() OVER (PARTITION BY copies ORDER BY seq) AS run FROM (
    SELECT seq, count() AS copies FROM readings
    WHERE ${OF_KEY} AND seq >= {from:UInt64} AND seq <= {to:UInt64} GROUP BY seq))
GROUP BY run, copies ORDER BY f LIMIT ${RUNS_MAX}`,
      { ...key, from, to },
    );
    return rows.map((row) => ({
      from: Number(row.f),
      to: Number(row.t),
      copies: Number(row.copies),
    }));
  }

  async quarantineRuns(key: AccountKey, from: number, to: number): Promise<QuarantineRun[]> {
    const rows = await this.#ask<Record<'f' | 't' | 'copies' | 'whole' | 'released', number>>(
      `SELECT min(seq) AS f, max(seq) AS t, copies, whole, released FROM (
  SELECT seq, copies, whole, released,
    seq - row_number() OVER (PARTITION BY copies, whole, released ORDER BY seq) AS run FROM (
    SELECT seq, count() AS copies, whole, released FROM (${QUARANTINED})
    WHERE ${OF_KEY} AND seq >= {from:UInt64} AND seq <= {to:UInt64} GROUP BY seq, whole, released))
GROUP BY run, copies, whole, released ORDER BY f LIMIT ${RUNS_MAX}`,
      { ...key, from, to },
    );
    return rows.map((row) => ({
      from: Number(row.f),
      to: Number(row.t),
      copies: Number(row.copies),
      whole: Number(row.whole) === 1,
      released: Number(row.released) === 1,
    }));
  }

  /** Seq of the row of an epoch that was received first; undefined: it has none. */
  async oldestSeq(key: AccountKey): Promise<number | undefined> {
    const [row] = await this.#ask<{ n: number; seq: number }>(
      `SELECT count() AS n, argMin(seq, (received_ms, seq)) AS seq FROM readings WHERE ${OF_KEY}`,
      { ...key },
    );
    return row === undefined || Number(row.n) === 0 ? undefined : Number(row.seq);
  }

  async #slices(): Promise<Slice[]> {
    const devices = await this.#ask<{ site: string; device: string; n: number }>(
      `SELECT site, device, count() AS n FROM readings WHERE ${this.#scope}
GROUP BY site, device ORDER BY site, device`,
      {},
    );
    const slices: Slice[] = [];
    let after: Slice['after'];
    let rows = 0;
    for (const { site, device, n } of devices) {
      rows += Number(n);
      if (rows < SLICE_ROWS) continue;
      slices.push({ after, to: [site, device], rows });
      after = [site, device];
      rows = 0;
    }
    // The last one has no end: a device may come meanwhile.
    slices.push({ after, to: undefined, rows });
    return slices;
  }

  async #add(
    held: Map<string, Held>,
    table: string,
    bounds: readonly string[],
    params: Record<string, unknown>,
    lasts: ReadonlyMap<string, number>,
  ): Promise<void> {
    const entries = [...lasts];
    for (let at = 0; at === 0 || at < entries.length; at += EPOCHS_A_PASS) {
      const some = entries.slice(at, at + EPOCHS_A_PASS);
      const where = [this.#scope, ...bounds];
      // Epochs that the ledger does not know come with the first pass.
      if (entries.length > EPOCHS_A_PASS)
        where.push(
          at === 0 ? 'epoch NOT IN {others:Array(String)}' : 'epoch IN {epochs:Array(String)}',
        );
      const beyond =
        some.length === 0
          ? '0'
          : `seq > transform(toString(epoch), {epochs:Array(String)}, {lasts:Array(UInt64)}, toUInt64(${NO_LIMIT}))`;
      const rows = await this.#ask<MomentsRow & AccountKey & { beyond: number; high: number }>(
        `SELECT site, gateway, toString(epoch) AS epoch, ${beyond} AS beyond, max(seq) AS high, ${MOMENTS_SQL}
FROM ${table} WHERE ${where.join(' AND ')} GROUP BY site, gateway, epoch, beyond`,
        {
          ...params,
          epochs: some.map(([epoch]) => epoch),
          lasts: some.map(([, last]) => last),
          others: at === 0 ? entries.slice(EPOCHS_A_PASS).map(([epoch]) => epoch) : [],
        },
      );
      for (const row of rows) {
        const { site, gateway, epoch } = row;
        const key = keyText(row);
        const known = held.get(key) ?? { site, gateway, epoch, within: noSeqs(), high: 0 };
        if (Number(row.beyond) === 0) known.within = added(known.within, momentsFrom(row));
        known.high = Math.max(known.high, Number(row.high));
        held.set(key, known);
      }
    }
  }

  #ask<Row>(sql: string, params: Record<string, unknown>): Promise<Row[]> {
    return this.#query<Row>(
      `${sql}\n${SETTINGS}`,
      { ...this.#scopeParams, ...params },
      LIMITS,
      this.#signal,
    );
  }
}

/** One row a seq that an entry of quarantine stands for. */
const QUARANTINED = `SELECT site, gateway, epoch, whole,
  whole AND (epoch, seq) IN (SELECT toString(epoch), seq FROM releases) AS released, seq FROM (
  SELECT site, gateway, toString(epoch) AS epoch, reading != '' AS whole,
    arrayJoin(range(quarantine.seq, quarantine.seq + count)) AS seq
  FROM quarantine WHERE count > 0)`;

const OF_KEY = 'site = {site:String} AND gateway = {gateway:String} AND epoch = {epoch:String}';

export function keyText({ site, gateway, epoch }: AccountKey): string {
  return `${site}/${gateway}/${epoch}`;
}
