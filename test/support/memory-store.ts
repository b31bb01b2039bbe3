/** A store in memory, and a way to make its inserts fail. For the writer's tests; queries are refused. */

import { CollectorError } from '../../collector/errors.ts';
import type { Asking } from '../../collector/store/asking.ts';
import type { ReadingColumns } from '../../collector/store/columns.ts';
import { rowsOf } from '../../collector/store/reading_rows.ts';
import type {
  Pass,
  PlacedTable,
  QueryFile,
  Store,
  TableName,
  TableRows,
  VersionedTable,
} from '../../collector/store/store.ts';

/** In place of a store's. */
export const refusingAsking: Asking = {
  database: 'fms',
  format: async () => {
    throw new CollectorError('STORE_UNAVAILABLE', 'no SQL here');
  },
  ast: async () => [],
  tables: async () => new Set(),
  ask: () => ({
    answer: Promise.reject(new CollectorError('STORE_UNAVAILABLE', 'no SQL here')),
    progress: async () => undefined,
  }),
};

/**
 * before: fails and stores nothing. partly, after: stores half or all, then fails. hang: waits for
 * release(), then stores all and succeeds.
 */
export type Fault = 'none' | 'before' | 'partly' | 'after' | 'hang';

export class MemoryStore implements Store {
  readonly rows: { [T in TableName]: TableRows[T][] } = {
    readings: [],
    quarantine: [],
    events: [],
    ledger: [],
    gateways: [],
    device_states: [],
    releases: [],
    anomalies: [],
    alerts: [],
    silences: [],
    anomaly_marks: [],
    audit: [],
    devices: [],
  };
  readonly asking = refusingAsking;
  readonly setAside = { unknownTo: async () => [], madeUpFor: async () => undefined };
  readonly retentionMs = { readings: 0, quarantine: 0, events: 0, audit: 0 };
  /** Partitions, in the order in which their devices were caught up. */
  readonly caughtUp: number[] = [];
  /** What befalls the next inserts, in order; then none. */
  faults: Fault[] = [];
  readonly tokens: string[] = [];
  inserts = 0;
  readBacks = 0;
  #hanging: (() => void)[] = [];

  async migrate(): Promise<void> {}

  async insert<T extends TableName>(
    table: T,
    rows: readonly TableRows[T][],
    token: string,
    _pass?: Pass,
  ): Promise<void> {
    if (rows.length === 0) return;
    this.inserts++;
    const fault = this.faults.shift() ?? 'none';
    if (fault === 'before') throw failure(fault);
    if (fault === 'hang') await new Promise<void>((resolve) => this.#hanging.push(resolve));
    if (this.tokens.includes(`${table} ${token}`)) throw new Error(`token ${token} was used twice`);
    this.tokens.push(`${table} ${token}`);
    const count = fault === 'partly' ? Math.floor(rows.length / 2) : rows.length;
    const kept: TableRows[T][] = this.rows[table];
    for (let i = 0; i < count; i++) kept.push(rows[i]!);
    if (fault === 'partly' || fault === 'after') throw failure(fault);
  }

  insertReadings(readings: ReadingColumns, token: string, _pass?: Pass): Promise<void> {
    return this.insert('readings', [...rowsOf(readings)], token);
  }

  /** Of one process. */
  async admit(_pass?: Pass): Promise<void> {}

  async settle(): Promise<void> {
    // Inserts are there at once.
  }

  async presentIn(
    table: PlacedTable,
    logId: string,
    logPartition: number,
    fromOffset: number,
    toOffset: number,
  ): Promise<Set<string>> {
    this.#readBack();
    const present = new Set<string>();
    for (const row of this.rows[table]) {
      if (row.logPartition !== logPartition || row.logOffset < fromOffset) continue;
      if (!('logIndex' in row)) present.add(`${row.site}/${row.gateway}/${row.epoch}`);
      else if (row.logId === logId && row.logOffset < toOffset)
        present.add(`${row.logOffset}/${row.logIndex}`);
    }
    return present;
  }

  async presentReadings(
    logPartition: number,
    fromOffset: number,
    toOffset: number,
    receivedMs: number,
  ): Promise<Map<string, Set<number>>> {
    this.#readBack();
    const present = new Map<string, Set<number>>();
    for (const row of this.rows.readings) {
      if (row.logPartition !== logPartition || row.receivedMs < receivedMs) continue;
      if (row.logOffset < fromOffset || row.logOffset >= toOffset) continue;
      const seqs = present.get(row.epoch) ?? new Set();
      present.set(row.epoch, seqs.add(row.seq));
    }
    return present;
  }

  async versionsOf(table: VersionedTable, ids: readonly string[]): Promise<Map<string, number>> {
    this.#readBack();
    const versions = new Map<string, number>();
    for (const row of this.rows[table]) {
      const id = 'anomaly' in row ? row.anomaly : row.id;
      if (!ids.includes(id)) continue;
      const changedMs = 'markedMs' in row ? row.markedMs : row.updatedMs;
      const version = 'version' in row ? row.version : changedMs;
      versions.set(id, Math.max(version, versions.get(id) ?? 0));
    }
    return versions;
  }

  async catchUpDevices(logPartition: number): Promise<void> {
    this.caughtUp.push(logPartition);
  }

  #readBack(): void {
    this.readBacks++;
    if (this.#hanging.length > 0) throw new Error('the statement before has not ended');
  }

  /** Lets what hangs go on. */
  release(): void {
    for (const resolve of this.#hanging.splice(0)) resolve();
  }

  get hanging(): number {
    return this.#hanging.length;
  }

  query<Row>(): Promise<Row[]> {
    return Promise.reject(new CollectorError('STORE_QUERY_REFUSED', 'not in memory'));
  }

  execute(): Promise<void> {
    return Promise.reject(new CollectorError('STORE_QUERY_REFUSED', 'not in memory'));
  }

  exportTo(): Promise<QueryFile> {
    return Promise.reject(new CollectorError('STORE_QUERY_REFUSED', 'not in memory'));
  }

  stats(): ReturnType<Store['stats']> {
    return { ready: true, insertedRowsTotal: 0, insertErrorsTotal: 0, lastError: '' };
  }

  async close(): Promise<void> {}
}

function failure(fault: Fault): CollectorError {
  return new CollectorError('STORE_UNAVAILABLE', `made to fail (${fault})`);
}
