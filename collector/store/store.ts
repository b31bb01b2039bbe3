/**
 * The store contract: ClickHouse SQL, embedded (store/chdb.ts) or on a server (store/clickhouse.ts). Nothing
 * above store/ knows which. test/contracts/store.ts is the suite that every backend passes.
 */

import type { Asking } from './asking.ts';
import type { ReadingColumns } from './columns.ts';

/** One row of table `readings`. */
export interface ReadingRow {
  site: string;
  gateway: string;
  device: string;
  channel: string;
  timeMs: number;
  /** Numbers and booleans; null for text and for readings without a value. */
  value: number | null;
  text: string | null;
  quality: number;
  epoch: string;
  seq: number;
  logPartition: number;
  logOffset: number;
  /** When the payload became durable in log:raw. */
  receivedMs: number;
  /** What came, where treatment changed it (CLIPPED, FILLED, MISSING); else null. `value` is the cleaned one. */
  rawValue: number | null;
  /** Bits of collector/findings.ts. */
  findings: number;
  treatment: number;
}

export interface QuarantineRow {
  site: string;
  gateway: string;
  device: string;
  reason: string;
  detail: string;
  timeMs: number;
  receivedMs: number;
  epoch: string;
  /** 0 when the whole payload could not be read. */
  seq: number;
  count: number;
  head: Uint8Array;
  /** JSON QuarantinedReading (collector/types.ts), or '' when the entry cannot be released. */
  reading: string;
  /** Log.identity: offsets of a replaced log start anew. */
  logId: string;
  logPartition: number;
  logOffset: number;
  /** Position among the rows of one log record. */
  logIndex: number;
}

export interface EventRow {
  site: string;
  gateway: string;
  device: string;
  timeMs: number;
  kind: string;
  severity: 'info' | 'warning' | 'error';
  /** JSON of the event's own fields. */
  detail: string;
  /** Log.identity: offsets of a replaced log start anew. */
  logId: string;
  logPartition: number;
  logOffset: number;
  logIndex: number;
}

/** The newest row of a (site, gateway, epoch) replaces the older ones. */
export interface LedgerRow {
  site: string;
  gateway: string;
  epoch: string;
  openedMs: number;
  lastSeq: number;
  stored: number;
  quarantined: number;
  duplicates: number;
  /** Declared gaps by reason: readings, not ranges. JSON object reason → count. */
  gaps: string;
  gapReadings: number;
  /** lastSeq minus all that is accounted for. */
  inFlight: number;
  /** Sums modulo 2^64 in decimals; see processor/outputs/ledger.ts LedgerEntry. */
  storedSum: string;
  quarantinedSum: string;
  sumBalance: string;
  /** JSON array: from, to, from, to, … */
  seen: string;
  closed: number;
  /** 0 when all is accounted for: stored + quarantined + gapReadings + inFlight - lastSeq. */
  balance: number;
  updatedMs: number;
  logPartition: number;
  logOffset: number;
}

/** The newest row of a (site, gateway) replaces the older ones. */
export interface GatewayRow {
  site: string;
  gateway: string;
  online: boolean;
  version: string;
  installId: string;
  epoch: string;
  lastSeq: number;
  bufferReadings: number;
  bufferBytes: number;
  bufferSecondsUntilEviction: number;
  clockUnsynced: boolean;
  clockStepMs: number;
  /** JSON array of proto ReaderState. */
  readers: string;
  stateMs: number;
  updatedMs: number;
  logPartition: number;
  logOffset: number;
}

/** Table `device_states`: every change is kept, so that what was expected when can be told. */
export interface DeviceStateRow {
  site: string;
  device: string;
  gateway: string;
  area: string;
  line: string;
  profile: string;
  intervalMs: number;
  /** JSON array of names. */
  channels: string;
  state: 'online' | 'late' | 'silent';
  firstReceivedMs: number;
  lastReceivedMs: number;
  lastMs: number;
  updatedMs: number;
}

/** Table `releases`: one row for each reading that left quarantine. */
export interface ReleaseRow {
  site: string;
  gateway: string;
  epoch: string;
  seq: number;
  by: string;
  releasedMs: number;
}

/** Table `anomalies`: the row with the highest version of an id replaces the older ones. */
export interface AnomalyRow {
  id: string;
  site: string;
  gateway: string;
  device: string;
  detector: string;
  channel: string;
  state: 'open' | 'ended';
  onsetMs: number;
  peakMs: number;
  endMs: number;
  score: number;
  value: number | null;
  expectedLow: number | null;
  expectedHigh: number | null;
  /** In English and in Korean. */
  reason: string;
  reasonKo: string;
  /** JSON: AnomalyEntry.channels. */
  channels: string;
  maintenance: string;
  version: number;
  updatedMs: number;
  /** Log.identity: what is open of a replaced log is over. */
  logId: string;
}

/** Table `alerts`: the row with the highest version of an id replaces the older ones. */
export interface AlertRow {
  id: string;
  site: string;
  gateway: string;
  device: string;
  area: string;
  line: string;
  rule: string;
  severity: 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';
  state: 'pending' | 'firing' | 'acknowledged' | 'resolved';
  title: string;
  titleKo: string;
  summary: string;
  summaryKo: string;
  /** JSON: AlertEntry.values. */
  values: string;
  startedMs: number;
  firedMs: number;
  acknowledgedMs: number;
  acknowledgedBy: string;
  acknowledgedNote: string;
  resolvedMs: number;
  resolvedBy: string;
  silence: string;
  inhibitedBy: string;
  version: number;
  receivedMs: number;
  updatedMs: number;
  /** Log.identity; likewise. */
  logId: string;
}

/** Table `silences`: the newest row of an id replaces the older ones. */
export interface SilenceRow {
  id: string;
  kind: 'silence' | 'maintenance';
  site: string;
  area: string;
  line: string;
  device: string;
  rule: string;
  fromMs: number;
  untilMs: number;
  by: string;
  reason: string;
  updatedMs: number;
}

/** Table `anomaly_marks`: the newest row of an anomaly replaces the older ones. */
export interface MarkRow {
  anomaly: string;
  site: string;
  gateway: string;
  device: string;
  mark: 'true' | 'false' | 'maintenance';
  by: string;
  note: string;
  markedMs: number;
}

/** Table `audit`: one row an entry, as the processor chained it (collector/processor/outputs/audit.ts). */
export interface AuditRow {
  number: number;
  id: string;
  atMs: number;
  loggedMs: number;
  who: string;
  kind: string;
  /** Column from_address. */
  from: string;
  action: string;
  site: string;
  target: string;
  detail: string;
  previousMs: number;
  previousHash: string;
  hash: string;
  /** Log.identity: offsets of a replaced log start anew; the chain goes on. */
  logId: string;
  logPartition: number;
  logOffset: number;
  logIndex: number;
}

/** A row of table `devices`: the newest reading of a channel. */
export type NewestRow = Pick<
  ReadingRow,
  | 'site'
  | 'gateway'
  | 'device'
  | 'channel'
  | 'timeMs'
  | 'value'
  | 'text'
  | 'quality'
  | 'receivedMs'
  | 'logPartition'
>;

export interface TableRows {
  readings: ReadingRow;
  quarantine: QuarantineRow;
  events: EventRow;
  ledger: LedgerRow;
  gateways: GatewayRow;
  device_states: DeviceStateRow;
  releases: ReleaseRow;
  anomalies: AnomalyRow;
  alerts: AlertRow;
  silences: SilenceRow;
  anomaly_marks: MarkRow;
  audit: AuditRow;
  devices: NewestRow;
}
export type TableName = keyof TableRows;

/** Tables whose rows are known by their place in the log. */
export type PlacedTable = 'quarantine' | 'events' | 'ledger' | 'audit';

/** Tables in which the row with the highest version of an id replaces the older ones. */
export type VersionedTable = 'anomalies' | 'alerts' | 'silences' | 'anomaly_marks';

export interface QueryLimits {
  timeoutMs: number;
  maxRows: number;
  maxMemoryBytes: number;
}

/** What one statement of Store.execute may take. */
export interface ExecuteLimits {
  timeoutMs: number;
  maxMemoryBytes: number;
}

export type ExportFormat = 'CSVWithNames' | 'Parquet';

/** The answer of a query as a file. It lies there until `dispose`, or until the store is opened again. */
export interface QueryFile {
  path: string;
  bytes: number;
  /** Never rejects; may be called again. */
  dispose(): Promise<void>;
}

/** Parts of tables that were found damaged and are not in use any more. Their rows are gone. */
export interface PartsSetAside {
  /** Those of these tables that `asker` has not made up for, as `table/part`. Rejects with STORE_UNAVAILABLE. */
  unknownTo(asker: string, tables: readonly string[]): Promise<string[]>;

  /** Remembered as long as the store, if the disk takes it. Never rejects. */
  madeUpFor(asker: string, parts: readonly string[]): Promise<void>;
}

/** What a writer holds while it may insert. */
export interface Pass {
  /** `{log identity}/{topic}/{partition}/`: what it is for. Tokens of its inserts begin with it. */
  scope: string;
  /** Random; never used for another pass. */
  id: string;
}

export interface Store {
  /** Creates or upgrades the tables. Idempotent. */
  migrate(): Promise<void>;

  /**
   * Inserts rows and resolves when they are durable and visible to queries. After an error the rows may be
   * there, partly or wholly: the writer finds out with `presentIn` before it repeats. The promise settles
   * only once the statement has ended, where the store can know (see admit). `token` is unique to the
   * attempt. With `pass`: rejects with STORE_PASS_REPLACED, and stores nothing, unless that is the one that
   * was admitted last for its scope.
   */
  insert<T extends TableName>(
    table: T,
    rows: readonly TableRows[T][],
    token: string,
    pass?: Pass,
  ): Promise<void>;

  /** The same as insert for table `readings`, from columns. */
  insertReadings(readings: ReadingColumns, token: string, pass?: Pass): Promise<void>;

  /**
   * When it resolves, no insert with another pass of this scope runs, whichever process sent it, and one that
   * comes later is refused: what is there then is all that there will be, but for what this pass inserts.
   * May end inserts. After an error it may hold all the same: repeat with another id. A store that no other
   * process can reach, and whose inserts end with their promises, has nothing to do.
   */
  admit(pass: Pass): Promise<void>;

  /** Resolves when no insert runs whose token begins with `tokenPrefix`. May end inserts. Rejects with STORE_UNAVAILABLE. */
  settle(tokenPrefix: string): Promise<void>;

  /**
   * Which rows of these log offsets (half-open) are there. Called only after doubt. Keys are
   * `offset/index` among the rows of log `logId`; for the ledger `site/gateway/epoch`, where a row of this
   * offset or a later one is there (rows replace each other).
   */
  presentIn(
    table: PlacedTable,
    logId: string,
    logPartition: number,
    fromOffset: number,
    toOffset: number,
  ): Promise<Set<string>>;

  /** The same for readings, which are known by epoch and seq whatever the log: those received since `receivedMs`. */
  presentReadings(
    logPartition: number,
    fromOffset: number,
    toOffset: number,
    receivedMs: number,
  ): Promise<Map<string, Set<number>>>;

  /** The highest version of each of these ids that is there; for silences and marks the time of the change. */
  versionsOf(table: VersionedTable, ids: readonly string[]): Promise<Map<string, number>>;

  /**
   * Makes table `devices` (the newest reading of each channel, fed by the writer every few seconds) hold
   * what a process that died had not fed it yet; `whole`: all, whatever it holds.
   */
  catchUpDevices(logPartition: number, whole?: boolean): Promise<void>;

  readonly setAside: PartsSetAside;

  /** Statements of people. */
  readonly asking: Asking;

  /** Rows are dropped so long after they were received, and may be missing from then on. 0: never. */
  readonly retentionMs: Readonly<Record<'readings' | 'quarantine' | 'events' | 'audit', number>>;

  /**
   * Read-only SQL with named parameters `{name:Type}`, run while inserts run. Rows come as objects;
   * 64-bit integers as numbers, NaN and infinities as the strings 'nan', 'inf', '-inf'. Rejects with
   * STORE_QUERY_REFUSED (wrong, over a limit, aborted) or STORE_UNAVAILABLE. An aborted query is ended.
   */
  query<Row>(
    sql: string,
    params: Record<string, unknown>,
    limits: QueryLimits,
    signal?: AbortSignal,
  ): Promise<Row[]>;

  /**
   * One INSERT … SELECT, OPTIMIZE or ALTER of roll-ups and jobs, on a connection of its own: it waits only
   * for other `execute`s, and that wait counts against the time limit. Never for tables that the writer
   * fills. Resolves when the rows are durable and visible; after an error they may be there, partly or
   * wholly, so statements must bear repetition. Rejects like `query`. An aborted statement is ended.
   */
  execute(
    sql: string,
    params: Record<string, unknown>,
    limits: ExecuteLimits,
    signal?: AbortSignal,
  ): Promise<void>;

  /**
   * Read-only SQL like that of `query`, into a file, on a connection of its own: it waits only for other
   * `exportTo`s. The rows come in the order of the SQL; column names and types are its own. Rejects like
   * `query`, and then leaves no file behind.
   */
  exportTo(
    format: ExportFormat,
    sql: string,
    params: Record<string, unknown>,
    limits: QueryLimits,
    signal?: AbortSignal,
  ): Promise<QueryFile>;

  /** For /readyz and metrics. */
  stats(): {
    ready: boolean;
    insertedRowsTotal: number;
    insertErrorsTotal: number;
    lastError: string;
  };

  close(): Promise<void>;
}
