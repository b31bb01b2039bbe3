/**
 * The end of the tests of data: the tables against what the emitter emitted, number by number, the
 * ledger against both, `ledger --deep`, and the roll-ups against a recount.
 */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Value } from '../../../proto/model.ts';
import type { CollectorProcess } from '../../support/collector-process.ts';
import { until } from '../../support/plant.ts';
import type {
  StoredQuarantine,
  StoredReading,
  StoredRelease,
} from '../../support/truth-comparison.ts';
import type { EmitterEpoch } from './emitter.ts';

const LISTED_MAX = 20;
/** From here on a rule changed the value, and `raw_value` is what came. */
const TREATMENT_CHANGES = 2;
const NOT_FINITE: Record<string, number> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  '-0': -0,
};

export interface LedgerLine {
  epoch: string;
  last_seq: number;
  stored: number;
  quarantined: number;
  duplicates: number;
  gap_readings: number;
  gaps: Record<string, number>;
  closed: number;
  in_flight: number;
  balance: number;
  sum_balance: string;
}

export interface DataAccount {
  /** One line a problem, at most LISTED_MAX of them and how many there are; empty: all is right. */
  problems: string[];
  ledger: Map<string, LedgerLine>;
  stored: number;
  quarantined: number;
  released: number;
  missing: number;
}

interface AccountOptions {
  /** Whether this number may be in no table: it was never sent, or came after its gap was closed. */
  mayMiss?: (epoch: EmitterEpoch, seq: number) => boolean;
  /** Of site demo; default UTC. */
  calendar?: { timeZone: string; dayStart: string };
  onReading?: (row: StoredReading) => void;
  onQuarantine?: (row: StoredQuarantine) => void;
}

/** The collector has worked through all that it acknowledged, roll-ups included. */
export async function settleData(collector: CollectorProcess): Promise<LedgerLine[]> {
  const reportedAtSeconds = Date.now() / 1_000 + 2;
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${collector.base}/metrics`)).text();
    const named = new RegExp(`^fms_collector_${name}(\\{.*\\})? `);
    const lines = text.split('\n').filter((line) => named.test(line));
    if (lines.length === 0) throw new Error(`no metric ${name}`);
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  };
  await until('the processor to be past the last batch', 300_000, async () => {
    return (await metric('processor_time_seconds')) > reportedAtSeconds;
  });
  await until('nothing to be in flight', 300_000, async () => {
    const { totals } = await collector.get<{ totals: { in_flight: number } }>(
      '/api/v1/ledger?limit=1',
    );
    return totals.in_flight === 0;
  });
  await until('the store to hold all', 300_000, async () => {
    const { totals } = await collector.get<{ totals: { stored: number; rows_in_store: number } }>(
      '/api/v1/ledger?limit=1&count_rows=true',
    );
    return totals.rows_in_store >= totals.stored;
  });
  await until('the roll-ups to be complete', 300_000, async () => {
    return (await metric('rollup_settled')) === 1;
  });
  return await ledgerOf(collector);
}

export async function ledgerOf(collector: CollectorProcess): Promise<LedgerLine[]> {
  const lines: LedgerLine[] = [];
  let cursor = '';
  for (;;) {
    const { items, next } = await collector.get<{ items: LedgerLine[]; next: string | null }>(
      `/api/v1/ledger?limit=1000${cursor}`,
    );
    lines.push(...items);
    if (next === null) return lines;
    cursor = `&cursor=${encodeURIComponent(next)}`;
  }
}

/** Ends the collector in order. */
export async function dataAccount(
  collector: CollectorProcess,
  epochs: readonly EmitterEpoch[],
  options: AccountOptions = {},
): Promise<DataAccount> {
  const lines = await settleData(collector);
  const problems = new Problems();
  const deep = await collector.command('ledger', '--deep');
  if (deep.code !== 0) problems.add(`ledger --deep exits with ${deep.code}: ${deep.output}`);
  await collector.stop();
  const tally = new Tally(epochs, problems);
  const folder = join(collector.dataDir, 'store');
  for await (const row of dump<StoredRelease>(folder, 'releases')) tally.release(row);
  for await (const row of dump<StoredReading>(folder, 'readings')) {
    tally.reading(row);
    options.onReading?.(row);
  }
  for await (const row of dump<StoredQuarantine>(folder, 'quarantine')) {
    tally.quarantine(row);
    options.onQuarantine?.(row);
  }
  const ledger = new Map(lines.map((line) => [line.epoch, line]));
  tally.close(ledger, options.mayMiss ?? (() => false));
  const zone = options.calendar ? [options.calendar.timeZone, options.calendar.dayStart] : [];
  const recount = join(import.meta.dirname, 'recount.ts');
  const recounted = execFileSync(process.execPath, [recount, folder, ...zone], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  for (const line of JSON.parse(recounted) as string[]) problems.add(`roll-ups: ${line}`);
  const { stored, quarantined, released, missing } = tally;
  return { problems: problems.lines(), ledger, stored, quarantined, released, missing };
}

class Problems {
  readonly #lines: string[] = [];
  #count = 0;

  add(line: string): void {
    this.#count++;
    if (this.#lines.length < LISTED_MAX) this.#lines.push(line);
  }

  lines(): string[] {
    return this.#count > LISTED_MAX ? [...this.#lines, `${this.#count} in all`] : this.#lines;
  }
}

interface EpochTally {
  epoch: EmitterEpoch;
  /** By seq - 1: how often in `readings`, and in `quarantine`. */
  stored: Uint8Array;
  quarantined: Uint8Array;
}

class Tally {
  stored = 0;
  quarantined = 0;
  released = 0;
  missing = 0;
  readonly #problems: Problems;
  readonly #epochs = new Map<string, EpochTally>();
  readonly #released = new Set<string>();

  constructor(epochs: readonly EmitterEpoch[], problems: Problems) {
    this.#problems = problems;
    for (const epoch of epochs) {
      const [stored, quarantined] = [new Uint8Array(epoch.lastSeq), new Uint8Array(epoch.lastSeq)];
      this.#epochs.set(epoch.id, { epoch, stored, quarantined });
    }
  }

  /** Written once more after a kill, a row replaces its copy only when the engine merges them. */
  release({ epoch, seq }: StoredRelease): void {
    this.#released.add(`${epoch}/${seq}`);
    this.released = this.#released.size;
  }

  reading(row: StoredReading): void {
    this.stored += 1;
    const { seq, treatment, value, raw_value } = row;
    const tally = this.#epochs.get(row.epoch);
    const emitted = tally?.epoch.emitted[seq - 1];
    if (tally === undefined || emitted === undefined) {
      this.#problems.add(`invented: ${JSON.stringify(row)}`);
      return;
    }
    tally.stored[seq - 1]!++;
    if (treatment < TREATMENT_CHANGES && raw_value !== null)
      this.#problems.add(`raw value, though no rule changed it: ${JSON.stringify(row)}`);
    const number = treatment >= TREATMENT_CHANGES ? raw_value : value;
    const came = same(emitted.value, number, row.text, equal);
    const { device, channel, timeMs, quality } = emitted;
    const isThere =
      row.device === device && row.channel === channel && Number(row.time_ms) === timeMs;
    if (!came || !isThere || row.quality !== quality)
      this.#problems.add(`other than emitted: ${shown(emitted)} is ${JSON.stringify(row)}`);
  }

  quarantine({ reason, epoch, seq, count, reading }: StoredQuarantine): void {
    if (count === 0) return;
    const tally = this.#epochs.get(epoch);
    if (tally === undefined || seq < 1 || seq + count - 1 > tally.epoch.lastSeq) {
      this.#problems.add(`invented in quarantine: ${epoch}/${seq} ${count} ${reason}`);
      return;
    }
    this.quarantined += count;
    for (let at = seq; at < seq + count; at++) tally.quarantined[at - 1]!++;
    if (reading === '') return;
    const whole = JSON.parse(reading) as {
      device: string;
      channel: string;
      timeMs: number;
      value: number | string | null;
      text: string | null;
      quality: number;
    };
    const emitted = tally.epoch.emitted[seq - 1]!;
    const { device, channel, timeMs, quality } = emitted;
    const isAsEmitted =
      whole.device === device &&
      whole.channel === channel &&
      whole.timeMs === timeMs &&
      whole.quality === quality &&
      same(emitted.value, whole.value, whole.text, Object.is);
    if (!isAsEmitted)
      this.#problems.add(`quarantine, other than emitted: ${shown(emitted)}: ${reading}`);
  }

  close(
    ledger: ReadonlyMap<string, LedgerLine>,
    mayMiss: (epoch: EmitterEpoch, seq: number) => boolean,
  ): void {
    for (const { epoch, stored, quarantined } of this.#epochs.values()) {
      let [inReadings, inQuarantine, nowhere] = [0, 0, 0];
      for (let i = 0; i < epoch.lastSeq; i++) {
        const seq = i + 1;
        const name = `${epoch.id}/${seq} (${shown(epoch.emitted[i])})`;
        const isReleased = this.#released.has(`${epoch.id}/${seq}`);
        const held = isReleased ? quarantined[i]! - 1 : quarantined[i]!;
        if (isReleased && stored[i] !== 1)
          this.#problems.add(`released ${stored[i]} times: ${name}`);
        if (stored[i]! + held > 1)
          this.#problems.add(`${stored[i]} times stored, ${held} times quarantined: ${name}`);
        if (stored[i]! > 0) inReadings++;
        else if (held > 0) inQuarantine++;
        else {
          nowhere++;
          if (!mayMiss(epoch, seq)) this.#problems.add(`lost: ${name}`);
        }
      }
      this.missing += nowhere;
      const line = ledger.get(epoch.id);
      const says = line && [line.last_seq, line.stored, line.quarantined, line.gap_readings];
      const has = [epoch.lastSeq, inReadings, inQuarantine, nowhere];
      if (String(says) !== String(has))
        this.#problems.add(
          `epoch ${epoch.id}: the ledger says ${says} (sent, stored, quarantined, gaps), there are ${has}`,
        );
      if (line !== undefined && (line.balance !== 0 || line.sum_balance !== '0'))
        this.#problems.add(`epoch ${epoch.id}: balance ${line.balance}, sums ${line.sum_balance}`);
    }
    for (const epoch of ledger.keys())
      if (!this.#epochs.has(epoch)) this.#problems.add(`epoch ${epoch} is invented`);
  }
}

/** The store answers in JSON, in which the engine drops the sign of a negative zero. */
function equal(a: number, b: number | undefined): boolean {
  return a === b || Object.is(a, b);
}

function same(
  emitted: Value,
  number: number | string | null,
  text: string | null,
  is: (a: number, b: number | undefined) => boolean,
): boolean {
  if (typeof emitted === 'string') return text === emitted;
  if (text !== null) return false;
  if (emitted === null) return number === null;
  const found = typeof number === 'string' ? NOT_FINITE[number] : (number ?? undefined);
  return is(Number(emitted), found);
}

function shown(reading: unknown): string {
  const value = (reading as { value?: unknown } | undefined)?.value;
  const text = JSON.stringify(reading) ?? 'nothing';
  return typeof value === 'number' ? `${text} value ${Object.is(value, -0) ? '-0' : value}` : text;
}

/** The rows of a store at rest. */
async function* dump<Row>(folder: string, table: string): AsyncGenerator<Row> {
  const program = join(import.meta.dirname, '../../support/store-dump.ts');
  const child = spawn(process.execPath, [program, folder, table], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line) as Row;
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`store-dump ${table} exited with ${code}`);
}
