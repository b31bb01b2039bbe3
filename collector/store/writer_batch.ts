/** What a run of records of one output topic holds, and how it goes into the store. */

import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { CollectorError } from '../errors.ts';
import type { Log, LogRecord } from '../log/log.ts';
import type { OutputTopic } from '../types.ts';
import type { Gathered } from './rows.ts';
import { addRecord, nothingGathered } from './rows.ts';
import type {
  AuditRow,
  EventRow,
  Pass,
  PlacedTable,
  QuarantineRow,
  Store,
  TableRows,
  VersionedTable,
} from './store.ts';

const READINGS_MAX = 200_000;
const ROWS_MAX = 50_000;
const BYTES_MAX = 32 * 1024 * 1024;
const READ_LIMITS = { maxRecords: 200, maxBytes: 1024 * 1024 };
/** How long the event loop may be held before others get their turn. */
const SLICE_MS = 8;
/** So often it is looked whether rows are there that were inserted in doubt. */
const LOOKS_MAX = 3;
const VERSIONED_TABLES: readonly VersionedTable[] = [
  'anomalies',
  'alerts',
  'silences',
  'anomaly_marks',
];
/** Rows this close to their end may be gone already. */
const RETENTION_MARGIN_MS = 86_400_000;

/** What the records [from, to) hold. */
export class WriterBatch {
  readonly from: number;
  to: number;
  readonly gathered: Gathered = nothingGathered();
  #bytes = 0;

  constructor(from: number) {
    this.from = from;
    this.to = from;
  }

  add(record: LogRecord, logId: string): void {
    this.#bytes += addRecord(this.gathered, record, logId);
    this.to = record.offset + 1;
  }

  get count(): number {
    return this.gathered.readings.count + this.#rowCount;
  }

  get full(): boolean {
    return (
      this.gathered.readings.count >= READINGS_MAX ||
      this.#rowCount >= ROWS_MAX ||
      this.#bytes >= BYTES_MAX
    );
  }

  get #rowCount(): number {
    return Object.values(this.gathered.rows).reduce((sum, rows) => sum + rows.length, 0);
  }
}

/** Reads batches of one topic's partition and inserts them. */
export class BatchPort {
  readonly #log: Log;
  readonly #store: Store;
  readonly #topic: OutputTopic;
  readonly #partition: number;

  constructor(log: Log, store: Store, topic: OutputTopic, partition: number) {
    this.#log = log;
    this.#store = store;
    this.#topic = topic;
    this.#partition = partition;
  }

  /**
   * Adds the next records below `end`, at most until the batch is full unless `whole`; answers how many.
   */
  async read(batch: WriterBatch, end: number, whole = false): Promise<number> {
    const records = await this.#log.read(this.#topic, this.#partition, batch.to, READ_LIMITS);
    let count = 0;
    let sliceStartMs = performance.now();
    for (const record of records) {
      if (record.offset >= end) break;
      batch.add(record, this.#log.identity);
      count++;
      if (!whole && batch.full) break;
      if (performance.now() - sliceStartMs < SLICE_MS) continue;
      await turn();
      sliceStartMs = performance.now();
    }
    // A log that answers at once would otherwise be read on and on within one turn.
    if (count > 0) await turn();
    return count;
  }

  /** Up to `end`, or until it is full. */
  async gather(from: number, end: number): Promise<WriterBatch> {
    const batch = new WriterBatch(from);
    while (batch.to < end && !batch.full) {
      const read = await this.read(batch, end);
      // Offsets may be left out: nothing more below `end` is the end.
      if (read === 0) batch.to = end;
    }
    return batch;
  }

  /** For Store.admit. */
  newPass(): Pass {
    return { scope: `${this.#log.identity}/${this.#topic}/${this.#partition}/`, id: randomUUID() };
  }

  /**
   * Resolves, with how many rows were missing, when all of the batch is in the store. `attempt` is unique
   * among those with this pass. With `doubt` the store is asked first what of it is there, and after that what
   * still is missing: it has been seen to say that rows are stored, and not to store them.
   */
  async insert(batch: WriterBatch, pass: Pass, attempt: string, doubt: boolean): Promise<number> {
    const token = `${pass.scope}${pass.id}/${batch.from}-${batch.to}/${attempt}`;
    if (!doubt) {
      await this.#insert(batch.gathered, pass, token);
      return batch.count;
    }
    let missing = await this.#missing(batch);
    const { count } = missing;
    await this.#insert(missing, pass, token);
    for (let look = 1; missing.count > 0; look++) {
      missing = await this.#missing(batch);
      if (missing.count === 0) break;
      if (look === LOOKS_MAX)
        throw new CollectorError(
          'STORE_UNAVAILABLE',
          `${missing.count} rows were inserted and are not there (${token})`,
        );
      await this.#insert(missing, pass, `${token}/${look}`);
    }
    return count;
  }

  async #insert({ readings, rows }: Gathered, pass: Pass, token: string): Promise<void> {
    const store = this.#store;
    await store.insertReadings(readings, token, pass);
    await store.insert('quarantine', rows.quarantine, token, pass);
    await store.insert('events', rows.events, token, pass);
    await store.insert('audit', rows.audit, token, pass);
    // The newest row of a key replaces the others: these may come twice.
    await store.insert('ledger', rows.ledger, token, pass);
    await store.insert('gateways', rows.gateways, token, pass);
    await store.insert('device_states', rows.device_states, token, pass);
    await store.insert('releases', rows.releases, token, pass);
    for (const table of VERSIONED_TABLES) await store.insert(table, rows[table], token, pass);
  }

  /** The rows that the store should have and does not; what retention may have dropped is not counted. */
  async isMissingSome(batch: WriterBatch, nowMs: number): Promise<boolean> {
    const { readings, rows } = await this.#missing(batch);
    const { retentionMs } = this.#store;
    const kept = (table: keyof typeof retentionMs): number =>
      retentionMs[table] === 0 ? 0 : nowMs - retentionMs[table] + RETENTION_MARGIN_MS;
    if (readings.without(new Map(), kept('readings')).count > 0) return true;
    if (rows.quarantine.some((row) => row.receivedMs >= kept('quarantine'))) return true;
    if (rows.events.some((row) => row.timeMs >= kept('events'))) return true;
    if (rows.audit.some((row) => row.loggedMs >= kept('audit'))) return true;
    const { from, to } = batch;
    if (await this.#isVersionMissing(rows, kept('events'))) return true;
    if (rows.ledger.length === 0) return false;
    const present = await this.#present('ledger', from, to);
    return rows.ledger.some(
      (row) =>
        row.updatedMs >= kept('events') && !present.has(`${row.site}/${row.gateway}/${row.epoch}`),
    );
  }

  /** Of the rows that replace each other; a newer one of the same id is as good. */
  async #isVersionMissing(rows: Gathered['rows'], keptMs: number): Promise<boolean> {
    for (const table of VERSIONED_TABLES) {
      const wanted = rows[table].map(versionOf).filter(({ changedMs }) => changedMs >= keptMs);
      if (wanted.length === 0) continue;
      const ids = [...new Set(wanted.map(({ id }) => id))];
      const found = await this.#store.versionsOf(table, ids);
      if (wanted.some(({ id, version }) => (found.get(id) ?? -1) < version)) return true;
    }
    return false;
  }

  /** `count`: of the rows that must not come twice. */
  async #missing({ from, to, gathered }: WriterBatch): Promise<Gathered & { count: number }> {
    let { readings } = gathered;
    let { quarantine, events, audit } = gathered.rows;
    if (readings.count > 0) {
      const { receivedMs } = readings;
      readings = readings.without(
        await this.#store.presentReadings(this.#partition, from, to, receivedMs),
      );
    }
    if (quarantine.length > 0) {
      const present = await this.#present('quarantine', from, to);
      quarantine = quarantine.filter((row) => !present.has(placeKey(row)));
    }
    if (events.length > 0) {
      const present = await this.#present('events', from, to);
      events = events.filter((row) => !present.has(placeKey(row)));
    }
    if (audit.length > 0) {
      const present = await this.#present('audit', from, to);
      audit = audit.filter((row) => !present.has(placeKey(row)));
    }
    const count = readings.count + quarantine.length + events.length + audit.length;
    return { readings, rows: { ...gathered.rows, quarantine, events, audit }, count };
  }

  #present(table: PlacedTable, from: number, to: number): Promise<Set<string>> {
    return this.#store.presentIn(table, this.#log.identity, this.#partition, from, to);
  }
}

function versionOf(row: TableRows[VersionedTable]): {
  id: string;
  version: number;
  changedMs: number;
} {
  if ('anomaly' in row) return { id: row.anomaly, version: row.markedMs, changedMs: row.markedMs };
  const { id, updatedMs: changedMs } = row;
  return { id, version: 'version' in row ? row.version : changedMs, changedMs };
}

function placeKey(row: QuarantineRow | EventRow | AuditRow): string {
  return `${row.logOffset}/${row.logIndex}`;
}
