/**
 * The log contract. One interface over one SQLite file (log/sqlite.ts) and, for many machines, Kafka.
 * Nothing above log/ knows which. test/contracts/log.ts is the suite that every backend passes.
 */

/** Topics that hold records in order. `raw`: all that can change an output; the others: outputs. */
export type LogTopic = 'raw' | 'readings' | 'quarantine' | 'events';

export interface NewRecord {
  /** What partitions and compaction go by: the gateway key `site/gateway`, or '' for ticks. */
  key: string;
  /** What the value is; see collector/types.ts for the kinds of each topic. */
  kind: string;
  value: Uint8Array;
}

export interface LogRecord extends NewRecord {
  topic: LogTopic;
  partition: number;
  /** Grows by at least 1 from record to record of a partition; the first is 0. */
  offset: number;
  /** UTC ms at append. Never decreases within a partition. */
  appendedAtMs: number;
}

export interface ReadLimits {
  maxRecords: number;
  /** At least one record is returned even if it alone is larger. */
  maxBytes: number;
}

export interface Log {
  /** Random id made with the log: a store recognises by it that the log was replaced. */
  readonly identity: string;
  readonly partitionCount: number;

  /**
   * Appends one record and resolves with its offset once it is durable (SQLite: committed with
   * synchronous=FULL; Kafka: acks=all). Appends of one caller to one partition become durable in call
   * order; if one fails, callers must not assume that later ones do (broker.ts serialises a
   * connection). Rejects with CollectorError LOG_UNAVAILABLE, LOG_FULL or LOG_CLOSED.
   */
  append(topic: LogTopic, partition: number, record: NewRecord): Promise<number>;

  /** Records from `from` on, in order, possibly none. Rejects with LOG_POSITION_OUTSIDE when `from` was trimmed or lies beyond the end. */
  read(topic: LogTopic, partition: number, from: number, limits: ReadLimits): Promise<LogRecord[]>;

  /** Resolves when the partition has a record at or after `offset`, or when `signal` aborts. */
  waitFor(topic: LogTopic, partition: number, offset: number, signal: AbortSignal): Promise<void>;

  /** `first`: lowest kept offset; `next`: the offset that the next record will have at least. */
  bounds(topic: LogTopic, partition: number): Promise<{ first: number; next: number }>;

  /**
   * Takes over the processing of a raw partition: fences any earlier session, then reads position and state. Appends go
   * on meanwhile, however large the state is. May reject with LOG_FENCED when another one takes over meanwhile.
   */
  openProcessor(partition: number): Promise<ProcessorSession>;

  /** Takes over a named consumer of an output topic's partition in the same way. */
  openConsumer(name: string, topic: LogTopic, partition: number): Promise<ConsumerSession>;

  /**
   * Removes what retention allows: raw below every processor position and what it keeps, outputs below every consumer
   * position, and of that only what exceeds the retention by age or bytes. Called on a timer.
   */
  trim(nowMs: number): Promise<void>;

  /**
   * Makes the file a copy of the log as it is now, and keeps it so until it is released: another process
   * may copy it meanwhile (one that closes the file in this process would drop the log's locks). Records
   * go on being taken, beside the file. Undefined: a log that is not a file. Rejects with
   * LOG_UNAVAILABLE, also while the file is held already.
   */
  hold?(): Promise<HeldFile>;

  /** Topic `control`: what every process of the collector has to know. */
  readonly control: Control;

  /** For metrics and /readyz. `appendable` is false while appends would be refused. */
  stats(): LogStats;

  /** Ends after the appends under way have settled; later ones reject with LOG_CLOSED. */
  close(): Promise<void>;
}

/** Small state by key; the newest value of a key holds. One process writes, all of them see it. */
export interface Control {
  /**
   * Durable before it resolves; null deletes. Writes of one process become visible in call order. Rejects
   * with LOG_UNAVAILABLE, LOG_FULL or LOG_CLOSED; the value may hold all the same then.
   */
  put(key: string, value: Uint8Array | null): Promise<void>;

  /**
   * Calls `onEntry` for each key that there is, then resolves; from then on calls it for each change, also
   * this process' own, in the order of the log, until `signal` aborts. A log that is away for a while
   * delays calls, and loses none that still holds. Rejects like put, before it has resolved.
   */
  follow(
    onEntry: (key: string, value: Uint8Array | undefined) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface HeldFile {
  /** Absolute. */
  readonly path: string;
  /** What has been written beside the file since. */
  besideBytes(): number;
  release(): void;
}

export interface LogStats {
  appendable: boolean;
  bytes: number;
  maxBytes: number;
  /** Records of raw not yet processed, over all partitions. */
  processorLagRecords: number;
  /** Records of outputs not yet consumed, by consumer name. */
  consumerLagRecords: Record<string, number>;
  appendedTotal: number;
  appendErrorsTotal: number;
  commitsTotal: number;
}

/** Read-process-write of one raw partition. Any method rejects with LOG_FENCED once another session took over. */
export interface ProcessorSession {
  /** Next raw offset to process. */
  readonly position: number;
  /** Hard state by key, as committed. */
  readonly state: ReadonlyMap<string, Uint8Array>;
  /**
   * Outputs, position and changed state become durable together or not at all. `null` deletes a key.
   * `keepFrom`, at most `position`: records of raw from there on stay although they are processed, until
   * a later commit says otherwise; without it what was said last holds. Refused with
   * LOG_POSITION_OUTSIDE: a position outside the log or before the last one, a keepFrom beyond it.
   */
  commit(step: {
    position: number;
    keepFrom?: number;
    state: ReadonlyMap<string, Uint8Array | null>;
    outputs: readonly { topic: Exclude<LogTopic, 'raw'>; record: NewRecord }[];
  }): Promise<void>;
  close(): Promise<void>;
}

/** Position of a writer. The intent says what was being written when a process died. */
export interface ConsumerSession {
  readonly position: number;
  /** Half-open range [from, to) declared and not yet committed, if any. */
  readonly intent: { from: number; to: number; attempt: number } | undefined;
  /** Durable before it resolves. Raises `attempt` when the same range is declared again. */
  declareIntent(from: number, to: number): Promise<{ attempt: number }>;
  /** Sets the position to `to` and clears the intent, durably. */
  commitPosition(to: number): Promise<void>;
  close(): Promise<void>;
}
