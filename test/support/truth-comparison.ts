/**
 * Compares what the store holds with what the simulator says that it emitted. Trusts neither the ledger
 * nor the agent. What counts is what came, not what rules made of it: `raw_value` where a rule changed
 * the value, and the readings in quarantine. Pure, so that it is itself tested
 * (test/support-truth-comparison.test.ts).
 */

import type { Kill } from './plant.ts';

export interface TruthRow {
  device: string;
  at_ms: number;
  time_ms: number | null;
  values: Record<string, unknown>;
}

/** A row of table `readings`. */
export interface StoredReading {
  device: string;
  channel: string;
  time_ms: number;
  /** As cleaned by the rules. Not finite numbers are 'nan', 'inf', '-inf'. */
  value: number | string | null;
  text: string | null;
  quality: number;
  epoch: string;
  seq: number;
  /** What came, where `treatment` says that a rule changed it; else null. */
  raw_value: number | string | null;
  findings: number;
  /** collector/findings.ts Treatment. */
  treatment: number;
}

/** A row of table `quarantine`. */
export interface StoredQuarantine {
  device: string;
  reason: string;
  epoch: string;
  seq: number;
  /** The seqs [seq, seq + count); 0: evidence only. */
  count: number;
  /** JSON QuarantinedReading of collector/types.ts, or ''. */
  reading: string;
}

/** A row of table `releases`: this seq moved from quarantine to readings. */
export interface StoredRelease {
  epoch: string;
  seq: number;
}

/** A span of emission in which readings may be missing because of what the test did (a damaged disk, a full buffer). */
export interface Excuse {
  fromMs: number;
  toMs: number;
  /** Only of these; default: of all. */
  devices?: readonly string[];
}

export interface Comparison {
  emitted: number;
  stored: number;
  /** Readings that a rule sent to quarantine and nobody released. */
  quarantined: number;
  /** There more than once: same device, channel and time, or same epoch and seq. */
  doubled: string[];
  /** Stored, but never emitted, or with another value. */
  invented: string[];
  /** Emitted and not stored, and nothing excuses it. */
  lost: string[];
  /** Emitted, and not yet in the agent's buffer when the agent was killed. */
  unread: number;
  /** Emitted and not stored within an excuse: the test compares the number with the declared gaps. */
  excused: number;
  /** Of each excuse, in their order; a reading counts for the first one that it falls under. */
  excusedBy: number[];
}

export interface ComparisonInput {
  truth: Iterable<TruthRow>;
  stored: Iterable<StoredReading>;
  quarantine?: Iterable<StoredQuarantine> | undefined;
  releases?: Iterable<StoredRelease> | undefined;
  kills: readonly Kill[];
  /** How long before a kill an answer may have been sent that the agent had not yet committed. */
  uncommittedWindowMs: number;
  excuses?: readonly Excuse[] | undefined;
}

const LISTED_MAX = 20;
/** From here on a rule changed the value (CLIPPED, FILLED, MISSING), and `raw_value` is what came. */
const TREATMENT_CHANGES = 2;

function keyOf(device: string, channel: string, timeMs: number): string {
  return `${device} ${channel} ${timeMs}`;
}

/** What arrived of a reading, wherever it ended. */
interface Arrived {
  epoch: string;
  seq: number;
  value: number | string | null;
  text: string | null;
}

function sameValue(emitted: unknown, row: Arrived): boolean {
  if (emitted === null || emitted === undefined) return row.value === null && row.text === null;
  if (typeof emitted === 'boolean') return row.value === (emitted ? 1 : 0);
  if (typeof emitted === 'number') return row.value === emitted;
  return row.text === emitted;
}

/** What came of a row of `readings`: what it was before a rule changed it. */
export function arrivedOf(row: StoredReading): Arrived {
  const value = row.treatment >= TREATMENT_CHANGES ? row.raw_value : row.value;
  return { epoch: row.epoch, seq: row.seq, value, text: row.text };
}

type Listed = 'doubled' | 'invented' | 'lost';

class Arrivals {
  /** By device, channel and time. */
  readonly byKey = new Map<string, Arrived>();
  readonly #seqs = new Set<string>();
  readonly #list: (target: Listed, line: string) => void;

  constructor(list: (target: Listed, line: string) => void) {
    this.#list = list;
  }

  add(key: string, arrived: Arrived): void {
    const number = `${arrived.epoch}/${arrived.seq}`;
    if (this.byKey.has(key)) this.#list('doubled', `${key} (${number})`);
    if (this.#seqs.has(number)) this.#list('doubled', `${number} (${key})`);
    this.byKey.set(key, arrived);
    this.#seqs.add(number);
  }
}

interface WholeReading {
  device: string;
  channel: string;
  timeMs: number;
  value: number | string | null;
  text: string | null;
}

/** `device channel time_ms` of a reading in quarantine; '' when the entry holds none. */
export function quarantinedKey({ reading }: Pick<StoredQuarantine, 'reading'>): string {
  if (reading === '') return '';
  const { device, channel, timeMs } = JSON.parse(reading) as WholeReading;
  return keyOf(device, channel, timeMs);
}

/** Adds the readings in quarantine; returns how many there are that nobody released. */
function addQuarantine(arrivals: Arrivals, input: ComparisonInput): number {
  const released = new Set([...(input.releases ?? [])].map(({ epoch, seq }) => `${epoch}/${seq}`));
  let quarantined = 0;
  for (const { epoch, seq, reading } of input.quarantine ?? []) {
    // A released one must be among the readings: if it is not there it shows as lost.
    if (reading === '' || released.has(`${epoch}/${seq}`)) continue;
    const { value, text } = JSON.parse(reading) as WholeReading;
    arrivals.add(quarantinedKey({ reading }), { epoch, seq, value, text });
    quarantined += 1;
  }
  return quarantined;
}

function excuses({ fromMs, toMs, devices }: Excuse, { at_ms, device }: TruthRow): boolean {
  return at_ms >= fromMs && at_ms <= toMs && (devices === undefined || devices.includes(device));
}

export function compareWithTruth(input: ComparisonInput): Comparison {
  const result: Comparison = {
    emitted: 0,
    stored: 0,
    quarantined: 0,
    doubled: [],
    invented: [],
    lost: [],
    unread: 0,
    excused: 0,
    excusedBy: (input.excuses ?? []).map(() => 0),
  };
  const list = (target: Listed, line: string) => {
    const lines = result[target];
    if (lines.length < LISTED_MAX) lines.push(line);
    else if (lines.length === LISTED_MAX) lines.push('… and more');
  };
  const arrivals = new Arrivals(list);
  for (const row of input.stored) {
    result.stored += 1;
    const key = keyOf(row.device, row.channel, row.time_ms);
    if (row.treatment < TREATMENT_CHANGES && row.raw_value !== null)
      list('invented', `${key}: a raw value, though no rule changed it`);
    arrivals.add(key, arrivedOf(row));
  }
  result.quarantined = addQuarantine(arrivals, input);
  const left = arrivals.byKey;
  for (const row of input.truth) {
    if (row.time_ms === null) continue;
    for (const [channel, value] of Object.entries(row.values)) {
      result.emitted += 1;
      const key = keyOf(row.device, channel, row.time_ms);
      const found = left.get(key);
      if (found !== undefined) {
        left.delete(key);
        if (!sameValue(value, found))
          list('invented', `${key}: emitted ${value}, arrived ${found.value ?? found.text}`);
        continue;
      }
      const wasUnread = input.kills.some(
        (kill) =>
          row.at_ms <= kill.deadMs + 50 &&
          row.at_ms >= kill.askedMs - input.uncommittedWindowMs &&
          !kill.buffered.has(key),
      );
      if (wasUnread) result.unread += 1;
      else {
        const excuse = (input.excuses ?? []).findIndex((one) => excuses(one, row));
        if (excuse < 0) list('lost', key);
        else {
          result.excused += 1;
          result.excusedBy[excuse]! += 1;
        }
      }
    }
  }
  for (const key of left.keys()) list('invented', `${key}: never emitted`);
  return result;
}
