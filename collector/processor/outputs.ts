/**
 * What the processor says, and how it stands in the output topics.
 * - readings / READINGS: a wire Batch envelope whose chunks hold only readings never seen before, as they
 *   came; behind it, in fields that decoders of the wire skip, when the payload became durable in log:raw
 *   and what the rules said (annotations). A small one is not compressed.
 * - quarantine / QUARANTINE, events / EVENT, LEDGER, GATEWAY: JSON.
 */

import type { PayloadLimits } from '../../proto/batch.ts';
import { decodeBatch } from '../../proto/batch.ts';
import type { Decoded } from '../../proto/errors.ts';
import { decoded, key, newWriter, readerOf, WireType } from '../../proto/fields.ts';
import { BATCH_BYTES_MAX } from '../../proto/limits.ts';
import type { Batch, Epoch, ReaderState } from '../../proto/model.ts';
import type { Treatment } from '../findings.ts';
import type { AlertSeverity } from '../profile.ts';
import type { MarkValue, QuarantinedReading, SilenceValue } from '../types.ts';

/** What must not enter `readings`. */
export interface QuarantineEntry {
  site: string;
  gateway: string;
  /** '' when it is a whole payload or chunk. */
  device: string;
  /** A RejectReason, a wire error code in lower case, or one of QuarantineReason. */
  reason: string;
  detail: string;
  timeMs: number;
  receivedMs: number;
  epoch: Epoch;
  /** The seqs [seq, seq + count) that the ledger counts as quarantined through this entry. */
  seq: number;
  /** 0: evidence only (a payload that cannot be read, a second copy of what is stored already). */
  count: number;
  head: Uint8Array;
  /** The reading itself, when a rule sent it here: such an entry can be released. */
  reading?: QuarantinedReading;
}

export const QuarantineReason = {
  /** The payload names another gateway than the one that published it. */
  WRONG_IDENTITY: 'wrong_identity',
  /** Another chunk under seqs that are stored already. */
  IDENTITY_CONFLICT: 'identity_conflict',
  /** Larger than intake takes. */
  OVERSIZED: 'oversized',
  /** A raw record that this version does not know. */
  UNKNOWN_RECORD: 'unknown_record',
  /** A batch with chunks but without an epoch. */
  NO_EPOCH: 'no_epoch',
  /** The reading's time is before the retention. */
  TOO_OLD: 'too_old',
  /** The reading's time is too far ahead. */
  TOO_NEW: 'too_new',
  /** A rule of the profile with the policy quarantine; the detail begins with the finding's code. */
  RULE: 'rule',
} as const;

/** Gap reasons that the collector gives; the gateway's are proto GapReason. */
export const CollectorGapReason = {
  /** Announced by the gateway, never declared, and superseded by a later epoch. */
  LOST_ON_GATEWAY: 'lost_on_gateway',
  /** More open gaps than are kept apart: the smallest was closed. */
  TOO_MANY_GAPS: 'too_many_gaps',
  /** Acknowledged into a log that was lost or restored before it reached the store. */
  LOST_WITH_LOG: 'lost_with_log',
  OTHER: 'other',
} as const;

export type Severity = 'info' | 'warning' | 'error';

/** Something that happened. */
export interface EventEntry {
  site: string;
  gateway: string;
  device: string;
  timeMs: number;
  kind: string;
  severity: Severity;
  /** Own fields of the kind, snake_case. */
  detail: Record<string, unknown>;
}

export const EventKind = {
  GATEWAY_ONLINE: 'gateway_online',
  GATEWAY_OFFLINE: 'gateway_offline',
  CLOCK_STEP: 'clock_step',
  CLOCK_UNSYNCED: 'clock_unsynced',
  CLOCK_SYNCED: 'clock_synced',
  /** Another install tried to connect under the gateway's name. */
  IDENTITY_CONFLICT: 'identity_conflict',
  /** Chunks came under seqs that other chunks had. */
  CHUNK_CONFLICT: 'chunk_conflict',
  /** Seqs were declared or found lost. */
  GAP: 'gap',
  /** Seqs whose first copy was damaged came intact; `readings` has them, quarantine keeps the evidence. */
  DAMAGE_REPAIRED: 'damage_repaired',
  PAYLOAD_OVERSIZED: 'payload_oversized',
  /** A configuration took effect. */
  CONFIGURATION: 'configuration',
  DEVICE_NEW: 'device_new',
  DEVICE_LATE: 'device_late',
  DEVICE_SILENT: 'device_silent',
  DEVICE_ONLINE: 'device_online',
  /** A channel's readings have another type than before. */
  CHANNEL_TYPE: 'channel_type',
  /** No word from the gateway for longer than its states allow, though it never said goodbye. */
  GATEWAY_SILENT: 'gateway_silent',
  /** Windows and last values were lost or of another version: rules begin anew. */
  COLD_START: 'cold_start',
  RELEASED: 'released',
  /** A release that was refused: not in quarantine, or released before. */
  RELEASE_REFUSED: 'release_refused',
  LOG_RECOVERED: 'log_recovered',
  /** A device is not as it was learnt to be: `detail` is that of AnomalyEntry at its begin, and at its end. */
  ANOMALY: 'anomaly',
  ANOMALY_END: 'anomaly_end',
  ALERT_FIRING: 'alert_firing',
  ALERT_ACKNOWLEDGED: 'alert_acknowledged',
  ALERT_RESOLVED: 'alert_resolved',
  /** An acknowledgement or mark of something that is not known (any more). */
  DECISION_REFUSED: 'decision_refused',
  SILENCE_SET: 'silence_set',
} as const;

/** Account of one epoch of a gateway: stored + quarantined + gapReadings + inFlight = lastSeq. */
export interface LedgerEntry {
  site: string;
  gateway: string;
  epoch: Epoch;
  openedMs: number;
  lastSeq: number;
  stored: number;
  quarantined: number;
  duplicates: number;
  /** Readings by gap reason. */
  gaps: Record<string, number>;
  gapReadings: number;
  inFlight: number;
  /** Decimal numbers modulo 2^64: sums of the seqs stored, quarantined (the damaged ones included). */
  storedSum: string;
  quarantinedSum: string;
  /** Sum over all that is accounted for (stored, quarantined, gaps, in flight) minus 1 + 2 + … + lastSeq, modulo 2^64: '0' is right. */
  sumBalance: string;
  /** Stored or quarantined for good, as from, to, from, to, …; with closed gaps in them (see closed). */
  seen: readonly number[];
  /** Readings of gaps that were closed for want of room: in `seen`, and in no table. */
  closed: number;
  balance: number;
  updatedMs: number;
}

/** What is known of a gateway. */
export interface GatewayEntry {
  site: string;
  gateway: string;
  online: boolean;
  /** It is not online because it said goodbye. Left out: false. */
  endedCleanly?: true;
  version: string;
  installId: string;
  epoch: Epoch;
  lastSeq: number;
  bufferReadings: number;
  bufferBytes: number;
  bufferSecondsUntilEviction: number;
  clockUnsynced: boolean;
  clockStepMs: number;
  readers: ReaderState[];
  stateMs: number;
  updatedMs: number;
}

export type DeviceState = 'online' | 'late' | 'silent';

/** What is known of a device as one gateway reads it; put out when anything but lastMs changed. */
export interface DeviceEntry {
  site: string;
  device: string;
  gateway: string;
  area: string;
  line: string;
  /** '' when unprofiled. */
  profile: string;
  /** Of the profile; 0: none. */
  intervalMs: number;
  /** Channels seen so far, and those of the profile; at most DEVICE_CHANNELS_MAX. */
  channels: string[];
  state: DeviceState;
  firstReceivedMs: number;
  /** Newest reading's receipt and time. */
  lastReceivedMs: number;
  lastMs: number;
  updatedMs: number;
}

/** A reading that left quarantine. */
export interface ReleaseEntry {
  site: string;
  gateway: string;
  epoch: Epoch;
  seq: number;
  by: string;
  releasedMs: number;
}

/** Why a device was called abnormal, for people. */
export interface AnomalyReason {
  en: string;
  ko: string;
}

/** One anomaly from onset to end; a newer entry of the same id replaces the older one. */
export interface AnomalyEntry {
  /** 16 hex digits: of site, device and onset. */
  id: string;
  site: string;
  gateway: string;
  device: string;
  /** Name of the detector that says it loudest, at the peak. */
  detector: string;
  /** The channel that it is said of, at the peak; '' for the device as a whole. */
  channel: string;
  state: 'open' | 'ended';
  /** Times of readings. endMs: 0 while it is open. */
  onsetMs: number;
  peakMs: number;
  endMs: number;
  /** 0 to 1, at the peak. */
  score: number;
  /** At the peak; null where it is no number. */
  value: number | null;
  expectedLow: number | null;
  expectedHigh: number | null;
  reason: AnomalyReason;
  /** Channels that contributed, the loudest first; at most 5. */
  channels: readonly { channel: string; detector: string; score: number }[];
  /** Id of the maintenance window that it began in; ''. */
  maintenance: string;
  /** 1, 2, 3… with each entry of the id. */
  version: number;
  /** Log time. */
  updatedMs: number;
}

export type AlertState = 'pending' | 'firing' | 'acknowledged' | 'resolved';

/** An alert as it stands; a newer entry of the same id replaces the older one. */
export interface AlertEntry {
  /** 16 hex digits: of site, gateway, device, rule and when it began. */
  id: string;
  site: string;
  gateway: string;
  /** '' for an alert of the gateway itself. */
  device: string;
  area: string;
  line: string;
  /** AlertRule.name, or that of a built-in rule. */
  rule: string;
  severity: AlertSeverity;
  state: AlertState;
  title: string;
  titleKo: string;
  /** What holds, with values, for people. */
  summary: string;
  summaryKo: string;
  /** Of the channels and facts in the condition, as they were at the last change. */
  values: Readonly<Record<string, number | string | boolean | null>>;
  /** Time of the reading (or log time, where there is none) from which it holds. */
  startedMs: number;
  /** Log times; 0: not yet. */
  firedMs: number;
  acknowledgedMs: number;
  acknowledgedBy: string;
  acknowledgedNote: string;
  resolvedMs: number;
  /** '' while it is not resolved: cleared, no_device, rule_removed. */
  resolvedBy: string;
  /** Id of the silence that keeps it from making messages now; ''. */
  silence: string;
  /** Rule of the same gateway whose alert stands for this one now (gateway_down); ''. */
  inhibitedBy: string;
  /** 1, 2, 3… with each entry of the id: id and version name a message. */
  version: number;
  /** When the payload of the last change became durable in raw: for latencies. */
  receivedMs: number;
  /** Log time. */
  updatedMs: number;
}

/** A silence as it stands. */
export interface SilenceEntry extends SilenceValue {
  updatedMs: number;
}

/** What a person said of an anomaly; the newest of an anomaly holds. */
export interface MarkEntry extends MarkValue {
  site: string;
  gateway: string;
  markedMs: number;
}

/**
 * What the rules said of readings of one READINGS record: runs of consecutive seqs, ascending, never
 * overlapping. A reading in no run has no finding and was kept.
 */
export interface Annotation {
  firstSeq: number;
  count: number;
  /** Bits of collector/findings.ts. */
  findings: number;
  treatment: Treatment;
  /** One cleaned value a reading for CLIPPED and FILLED; else undefined. */
  values: Float64Array | undefined;
}

/**
 * What is put behind the envelope, readable from its end; to a decoder of the wire these are fields that
 * it skips:
 *   field 14, bytes: the annotations, if there are any
 *   field 13, fixed32: how many bytes field 14 takes in all, 0 if absent
 *   field 12, fixed64 (a double): receivedMs
 * Version 1 had only field 15, fixed64: receivedMs.
 */
const ANNOTATIONS_FIELD = 14;
const SIZE_TAG = (13 << 3) | 5;
const RECEIVED_TAG = (12 << 3) | 1;
const RECEIVED_TAG_V1 = (15 << 3) | 1;
const RECEIVED_BYTES = 9;
const TAIL_BYTES = 5 + RECEIVED_BYTES;
const NOTHING = new Uint8Array();

/** Room for what was cut and encoded again. */
const RECORD_LIMITS: PayloadLimits = {
  payloadBytesMax: 2 * BATCH_BYTES_MAX,
  batchBytesMax: 2 * BATCH_BYTES_MAX,
};

/** `envelope` as encodeBatch made it or as it came from the gateway. */
export function encodeReadings(
  envelope: Uint8Array,
  receivedMs: number,
  annotations: readonly Annotation[] = [],
): Uint8Array {
  const said = annotations.length > 0 ? annotationsField(annotations) : NOTHING;
  const value = Buffer.allocUnsafe(envelope.length + said.length + TAIL_BYTES);
  value.set(envelope, 0);
  value.set(said, envelope.length);
  let at = envelope.length + said.length;
  value[at++] = SIZE_TAG;
  at = value.writeUInt32LE(said.length, at);
  value[at++] = RECEIVED_TAG;
  value.writeDoubleLE(receivedMs, at);
  return value;
}

export interface ReadingsRecord {
  batch: Batch;
  receivedMs: number;
  annotations: Annotation[];
}

/** The content of a READINGS record. Its chunks' CRCs were checked when the record was made. */
export function decodeReadings(value: Uint8Array): Decoded<ReadingsRecord> {
  const batch = decodeBatch(value, RECORD_LIMITS);
  if (!batch.ok) return batch;
  const record: ReadingsRecord = {
    batch: batch.value,
    receivedMs: batch.value.sentMs,
    annotations: [],
  };
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const at = value.length - RECEIVED_BYTES;
  const tag = at >= 0 ? value[at] : undefined;
  if (tag === RECEIVED_TAG || tag === RECEIVED_TAG_V1)
    record.receivedMs = view.getFloat64(at + 1, true);
  if (tag === RECEIVED_TAG && at >= 5) {
    const end = at - 5;
    const size = view.getUint32(end + 1, true);
    return decoded(() => {
      if (size > 0) record.annotations = readAnnotations(value.subarray(end - size, end));
      return record;
    });
  }
  return { ok: true, value: record };
}

function annotationsField(annotations: readonly Annotation[]): Uint8Array {
  const writer = newWriter();
  writer.uint32(key(ANNOTATIONS_FIELD, WireType.BYTES)).fork();
  writer.uint32(annotations.length);
  let nextSeq = 0;
  for (const { firstSeq, count, findings, treatment, values } of annotations) {
    writer
      .uint64(firstSeq - nextSeq)
      .uint32(count)
      .uint32(findings);
    writer.uint32(treatment * 2 + (values === undefined ? 0 : 1));
    for (const value of values ?? []) writer.double(value);
    nextSeq = firstSeq + count;
  }
  return writer.ldelim().finish();
}

function readAnnotations(bytes: Uint8Array): Annotation[] {
  const field = readerOf(bytes);
  field.uint32();
  const reader = readerOf(field.bytes());
  const annotations: Annotation[] = [];
  let nextSeq = 0;
  for (let left = reader.uint32(); left > 0; left--) {
    const firstSeq = nextSeq + Number(reader.uint64());
    const count = reader.uint32();
    const findings = reader.uint32();
    const mark = reader.uint32();
    let values: Float64Array | undefined;
    if (mark % 2 === 1) {
      values = new Float64Array(count);
      for (let i = 0; i < count; i++) values[i] = reader.double();
    }
    const treatment = Math.floor(mark / 2) as Treatment;
    annotations.push({ firstSeq, count, findings, treatment, values });
    nextSeq = firstSeq + count;
  }
  return annotations;
}

export function encodeDevice(entry: DeviceEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeDevice(value: Uint8Array): DeviceEntry {
  return decodeJson(value) as DeviceEntry;
}

export function encodeRelease(entry: ReleaseEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeRelease(value: Uint8Array): ReleaseEntry {
  return decodeJson(value) as ReleaseEntry;
}

export function encodeAnomaly(entry: AnomalyEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeAnomaly(value: Uint8Array): AnomalyEntry {
  return decodeJson(value) as AnomalyEntry;
}

export function encodeAlert(entry: AlertEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeAlert(value: Uint8Array): AlertEntry {
  return decodeJson(value) as AlertEntry;
}

export function encodeSilence(entry: SilenceEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeSilence(value: Uint8Array): SilenceEntry {
  return decodeJson(value) as SilenceEntry;
}

export function encodeMark(entry: MarkEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeMark(value: Uint8Array): MarkEntry {
  return decodeJson(value) as MarkEntry;
}

export function encodeQuarantine(entries: readonly QuarantineEntry[]): Uint8Array {
  return encodeJson(
    entries.map((entry) => ({ ...entry, head: Buffer.from(entry.head).toString('base64') })),
  );
}

/** Throws when the value is not what encodeQuarantine makes. */
export function decodeQuarantine(value: Uint8Array): QuarantineEntry[] {
  const entries = decodeJson(value) as (Omit<QuarantineEntry, 'head'> & { head: string })[];
  return entries.map((entry) => ({ ...entry, head: Buffer.from(entry.head, 'base64') }));
}

export function encodeEvents(entries: readonly EventEntry[]): Uint8Array {
  return encodeJson(entries);
}

export function decodeEvents(value: Uint8Array): EventEntry[] {
  return decodeJson(value) as EventEntry[];
}

export function encodeLedger(entries: readonly LedgerEntry[]): Uint8Array {
  return encodeJson(entries);
}

export function decodeLedger(value: Uint8Array): LedgerEntry[] {
  return decodeJson(value) as LedgerEntry[];
}

export function encodeGateway(entry: GatewayEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeGateway(value: Uint8Array): GatewayEntry {
  return decodeJson(value) as GatewayEntry;
}

function encodeJson(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function decodeJson(value: Uint8Array): unknown {
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8'));
}
