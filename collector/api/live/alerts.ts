/**
 * Alerts and anomalies that are open now, silences and marks, in memory. Fed from the log's events as they
 * come, and from the store once at the start. Bounded: of what is over, the oldest goes first; when there is
 * more that is open than is kept, `complete` says so, and who needs all of it asks the store.
 */

import type { AlertEntry } from '../../processor/outputs/alert.ts';
import type { AnomalyEntry } from '../../processor/outputs/anomaly.ts';
import type { MarkEntry } from '../../processor/outputs/mark.ts';
import type { SilenceEntry } from '../../processor/outputs/silence.ts';

export interface AlertBounds {
  /** Open and over together, of alerts and of anomalies. */
  entries: number;
  /** Over, once the store was read: only late news of them is told from new ones by these. */
  over: number;
  silences: number;
  marks: number;
}

const BOUNDS: AlertBounds = { entries: 20_000, over: 2_000, silences: 5_000, marks: 5_000 };

/** Must not throw. `before`: the one that it replaces. */
export type AlertListener = (entry: AlertEntry, before: AlertEntry | undefined) => void;

export class LiveAlerts {
  readonly #bounds: AlertBounds;
  readonly #alerts: Kept<AlertEntry>;
  readonly #anomalies: Kept<AnomalyEntry>;
  readonly #silences = new Map<string, SilenceEntry>();
  /** By anomaly; that of the longest ago first. */
  readonly #marks = new Map<string, MarkEntry>();
  readonly #listeners = new Set<AlertListener>();
  #filled = false;
  #open: readonly AlertEntry[] | undefined;

  constructor(bounds: AlertBounds = BOUNDS) {
    this.#bounds = bounds;
    this.#alerts = new Kept(bounds, ({ state }) => state === 'resolved');
    this.#anomalies = new Kept(bounds, ({ state }) => state === 'ended');
  }

  /** What the store had at the start is here. Before that something may be missing, or seem open still. */
  get filled(): boolean {
    return this.#filled;
  }

  /** False when more was open than is kept, or was known too late to be over: the store has all of it. */
  get complete(): boolean {
    return this.#alerts.complete && this.#anomalies.complete;
  }

  /** Pending, firing and acknowledged; those that began last first. The same array until something changes. */
  open(): readonly AlertEntry[] {
    this.#open ??= [...this.#alerts.open()].sort(newestFirst);
    return this.#open;
  }

  /** In no particular order. */
  openAnomalies(): Iterable<AnomalyEntry> {
    return this.#anomalies.open();
  }

  get openAnomalyCount(): number {
    return this.#anomalies.openCount;
  }

  /** Open, or over not long ago. */
  alert(id: string): AlertEntry | undefined {
    return this.#alerts.get(id);
  }

  /** Open, or over not long ago. */
  anomaly(id: string): AnomalyEntry | undefined {
    return this.#anomalies.get(id);
  }

  /** Those that were set last, ended ones too, in no particular order. */
  silences(): Iterable<SilenceEntry> {
    return this.#silences.values();
  }

  silence(id: string): SilenceEntry | undefined {
    return this.#silences.get(id);
  }

  /** If it was said not long ago. */
  markOf(anomaly: string): MarkEntry | undefined {
    return this.#marks.get(anomaly);
  }

  /**
   * Tells of each alert that is new or changed, from the log or from the store, in the order of each alert's
   * versions. At a start old changes come again: id and version tell them. Answers how to end it.
   */
  onChange(listener: AlertListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Answers whether it was news. */
  putAlert(entry: AlertEntry): boolean {
    const before = this.#alerts.get(entry.id);
    if (before !== undefined && entry.version <= before.version) return false;
    this.#alerts.put(entry, this.#filled);
    this.#open = undefined;
    for (const listener of this.#listeners) listener(entry, before);
    return true;
  }

  putAnomaly(entry: AnomalyEntry): boolean {
    const before = this.#anomalies.get(entry.id);
    if (before !== undefined && entry.version <= before.version) return false;
    this.#anomalies.put(entry, this.#filled);
    return true;
  }

  /** The newest counts; of two of one time the later given. */
  putSilence(entry: SilenceEntry): void {
    const before = this.#silences.get(entry.id);
    if (before !== undefined && entry.updatedMs < before.updatedMs) return;
    this.#silences.set(entry.id, entry);
    if (this.#silences.size <= this.#bounds.silences) return;
    let first = entry;
    for (const silence of this.#silences.values())
      if (silence.untilMs < first.untilMs) first = silence;
    this.#silences.delete(first.id);
  }

  /** The newest counts; of two of one time the later given. */
  putMark(entry: MarkEntry): void {
    const before = this.#marks.get(entry.anomaly);
    if (before !== undefined && entry.markedMs < before.markedMs) return;
    this.#marks.delete(entry.anomaly);
    this.#marks.set(entry.anomaly, entry);
    if (this.#marks.size > this.#bounds.marks) dropFirst(this.#marks);
  }

  /** All that the store had has been put. */
  setFilled(): void {
    this.#filled = true;
    this.#alerts.trim();
    this.#anomalies.trim();
  }
}

type ListKey = Pick<AlertEntry, 'startedMs' | 'site' | 'id'>;

/** Those that began last first; pages of the lists go by this order. */
export function newestFirst(a: ListKey, b: ListKey): number {
  return b.startedMs - a.startedMs || compareDown(a.site, b.site) || compareDown(a.id, b.id);
}

function compareDown(a: string, b: string): number {
  return a < b ? 1 : a > b ? -1 : 0;
}

/** The newest entry of each id. */
class Kept<Entry extends { id: string }> {
  readonly #bounds: AlertBounds;
  readonly #isOver: (entry: Entry) => boolean;
  readonly #open = new Map<string, Entry>();
  /** Over for longest first. */
  readonly #over = new Map<string, Entry>();
  complete = true;

  constructor(bounds: AlertBounds, isOver: (entry: Entry) => boolean) {
    this.#bounds = bounds;
    this.#isOver = isOver;
  }

  get openCount(): number {
    return this.#open.size;
  }

  open(): Iterable<Entry> {
    return this.#open.values();
  }

  get(id: string): Entry | undefined {
    return this.#open.get(id) ?? this.#over.get(id);
  }

  /** `filled`: no older versions will come from the store. */
  put(entry: Entry, filled: boolean): void {
    this.#open.delete(entry.id);
    this.#over.delete(entry.id);
    if (this.#open.size + this.#over.size >= this.#bounds.entries) this.#makeRoom(filled);
    if (this.#isOver(entry)) this.#over.set(entry.id, entry);
    else if (this.#open.size < this.#bounds.entries) this.#open.set(entry.id, entry);
    else this.complete = false;
    if (filled) this.trim();
  }

  trim(): void {
    while (this.#over.size > this.#bounds.over) dropFirst(this.#over);
  }

  #makeRoom(filled: boolean): void {
    // The store may still say that it is open, and nothing would be there that knows better.
    if (dropFirst(this.#over) && !filled) this.complete = false;
  }
}

/** The one that was put first; false when there is none. */
function dropFirst<Value>(map: Map<string, Value>): boolean {
  const [first] = map.keys();
  return first !== undefined && map.delete(first);
}
