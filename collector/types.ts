/** Words that several parts of the collector share. */

import type { Epoch } from '../proto/model.ts';
import type { LogTopic } from './log/log.ts';

/** Kinds of records in `raw`. Values: batch, state: the MQTT payload as it came; others: JSON. */
export const RawKind = {
  BATCH: 'batch',
  STATE: 'state',
  /** The broker published the gateway's will. */
  WILL: 'will',
  TICK: 'tick',
  /** Larger than the limit: JSON OversizedValue. */
  OVERSIZED: 'oversized',
  /** Same gateway name, another install, refused at the door. JSON {installId, holder}. */
  IDENTITY_CONFLICT: 'identity_conflict',
  /** JSON Configuration (collector/profile.ts). Appended at each start and reload; one that the partition has already changes nothing. */
  CONFIGURATION: 'configuration',
  /** JSON ReleaseValue; the key is the gateway's. */
  RELEASE: 'release',
  /** JSON AcknowledgeValue; the key is the gateway's. */
  ACKNOWLEDGE: 'acknowledge',
  /** JSON MarkValue; the key is the gateway's. */
  MARK: 'mark',
  /** JSON SilenceValue; the key is ''. Every partition gets it. */
  SILENCE: 'silence',
  /** JSON AuditValue; the key is ''. Partition 0 gets it. */
  AUDIT: 'audit',
  /** JSON RecoveryValue; the key is the gateway's. Appended before anything else to a log that is new or was restored. */
  RECOVERY: 'recovery',
} as const;
export type RawKind = (typeof RawKind)[keyof typeof RawKind];

/** The JSON of a RawKind.OVERSIZED record: what is kept of a payload beyond proto PAYLOAD_BYTES_MAX. */
export interface OversizedValue {
  /** Last segment of the topic that it was published on. */
  leaf: 'batch' | 'state';
  bytes: number;
  reason: string;
  /** Base64 of its first bytes, at most proto REJECT_HEAD_BYTES of them. */
  head: string;
}

/** The JSON of a RawKind.IDENTITY_CONFLICT record. */
export interface IdentityConflictValue {
  /** The install that was refused. */
  installId: string;
  /** The install that is connected. */
  holder: string;
  /** Attempts since the conflict before it that were not recorded one by one. */
  unrecorded: number;
}

/** The JSON of a RawKind.RELEASE record: a person moves a reading from quarantine to readings. */
export interface ReleaseValue {
  epoch: Epoch;
  seq: number;
  /** What is stored, as quarantine kept it. */
  reading: QuarantinedReading;
  /** Who released it, for the audit. */
  by: string;
}

/** The JSON of a RawKind.ACKNOWLEDGE record: a person has seen an alert and cares for it. */
export interface AcknowledgeValue {
  /** AlertEntry.id. */
  alert: string;
  by: string;
  note: string;
}

export const ANOMALY_MARKS = ['true', 'false', 'maintenance'] as const;
/** What a person says an anomaly was: real, a false alarm, or work on the machine. */
export type AnomalyMark = (typeof ANOMALY_MARKS)[number];

/** The JSON of a RawKind.MARK record. */
export interface MarkValue {
  /** AnomalyEntry.id. */
  anomaly: string;
  device: string;
  mark: AnomalyMark;
  by: string;
  note: string;
}

/**
 * The JSON of a RawKind.SILENCE record: what matches makes no messages until it ends. One with a known id
 * replaces that one; to end it, `untilMs` is moved to now. Globs: `*` and `?`.
 */
export interface SilenceValue {
  id: string;
  /** maintenance: anomalies that begin in it are marked so. */
  kind: 'silence' | 'maintenance';
  site: string;
  area: string;
  line: string;
  device: string;
  /** Name of the alert rule. */
  rule: string;
  fromMs: number;
  untilMs: number;
  by: string;
  reason: string;
}

/** The JSON of a RawKind.AUDIT record: somebody did something, or tried to. */
export interface AuditValue {
  /** 16 hex digits, random: an entry that was appended twice is one. */
  id: string;
  /** Wall clock of the process that was asked. */
  atMs: number;
  /** Principal.name of collector/access/principal.ts. */
  who: string;
  /** Principal.kind. */
  kind: string;
  /** Address of the caller. */
  from: string;
  /** One of AUDIT_ACTIONS of collector/access/audit.ts. */
  action: string;
  /** '' : of no site, or of every one. */
  site: string;
  /** What it was done to: a name or an id; '' when there is none. */
  target: string;
  /** JSON text, at most AUDIT_DETAIL_CHARS_MAX characters, without secrets; '' when there is nothing to add. */
  detail: string;
}

export const AUDIT_DETAIL_CHARS_MAX = 4_096;
/** UTF-16 units of each other text of an AuditValue. */
export const AUDIT_TEXT_CHARS_MAX = 512;

/** A whole reading that a rule sent to quarantine. */
export interface QuarantinedReading {
  device: string;
  channel: string;
  timeMs: number;
  /** Numbers and booleans; what JSON cannot say as 'nan', 'inf', '-inf', '-0'. Null: text, or no value. */
  value: number | 'nan' | 'inf' | '-inf' | '-0' | null;
  text: string | null;
  kind: 'number' | 'boolean' | 'text';
  quality: number;
}

/**
 * The JSON of a RawKind.RECOVERY record: what the store has of a gateway whose log was lost, or that the
 * log was restored from a backup. Seqs that are missing below the next one that arrives are lost.
 */
export interface RecoveryValue {
  reason: 'log_replaced' | 'log_restored';
  /** Seen seqs by epoch, oldest epoch first; empty for log_restored. */
  accounts: {
    epoch: Epoch;
    openedMs: number;
    lastSeq: number;
    /** from, to, from, to, … */
    stored: number[];
    quarantined: number[];
  }[];
  /** With the key '': the newest entry of the audit log in the store; number 0: it has none. */
  audit?: { number: number; hash: string; loggedMs: number };
}

/** Kinds of records in the output topics. Values: each has its file in collector/processor/outputs/. */
export const OutputKind = {
  /** topic readings: a wire Batch envelope whose chunks hold only readings never seen before, and what the rules said of them. */
  READINGS: 'readings',
  QUARANTINE: 'quarantine',
  EVENT: 'event',
  LEDGER: 'ledger',
  GATEWAY: 'gateway',
  /** What is known of a device, when that changed. */
  DEVICE: 'device',
  /** A reading left quarantine. */
  RELEASE: 'release',
  /** An anomaly began, got worse or ended. */
  ANOMALY: 'anomaly',
  /** An alert changed. */
  ALERT: 'alert',
  /** A silence was set, changed or ended; from partition 0. */
  SILENCE: 'silence',
  /** A person said what an anomaly was. */
  MARK: 'mark',
  /** Somebody did something: an entry of the audit log, chained to the one before; from partition 0. */
  AUDIT: 'audit',
} as const;

export type OutputTopic = Exclude<LogTopic, 'raw'>;

/** Time, passed in. */
export interface Clock {
  wallMs(): number;
}

/** What the parts say to the program's own log (pino has this shape). Field names are snake_case. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
