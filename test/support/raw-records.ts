/** Raw records for processor tests, and a reader of what the processor says of them. */

import type { LogRecord } from '../../collector/log/log.ts';
import type { AlertEntry } from '../../collector/processor/outputs/alert.ts';
import { decodeAlert } from '../../collector/processor/outputs/alert.ts';
import type { AnomalyEntry } from '../../collector/processor/outputs/anomaly.ts';
import { decodeAnomaly } from '../../collector/processor/outputs/anomaly.ts';
import type { AuditRecord } from '../../collector/processor/outputs/audit.ts';
import { decodeAudit } from '../../collector/processor/outputs/audit.ts';
import type { DeviceEntry } from '../../collector/processor/outputs/device.ts';
import { decodeDevice } from '../../collector/processor/outputs/device.ts';
import type { EventEntry } from '../../collector/processor/outputs/event.ts';
import { decodeEvents } from '../../collector/processor/outputs/event.ts';
import type { GatewayEntry } from '../../collector/processor/outputs/gateway.ts';
import { decodeGateway } from '../../collector/processor/outputs/gateway.ts';
import type { LedgerEntry } from '../../collector/processor/outputs/ledger.ts';
import { decodeLedger } from '../../collector/processor/outputs/ledger.ts';
import type { MarkEntry } from '../../collector/processor/outputs/mark.ts';
import { decodeMark } from '../../collector/processor/outputs/mark.ts';
import type { QuarantineEntry } from '../../collector/processor/outputs/quarantine.ts';
import { decodeQuarantine } from '../../collector/processor/outputs/quarantine.ts';
import type { Annotation } from '../../collector/processor/outputs/readings.ts';
import { decodeReadings } from '../../collector/processor/outputs/readings.ts';
import type { ReleaseEntry } from '../../collector/processor/outputs/release.ts';
import { decodeRelease } from '../../collector/processor/outputs/release.ts';
import type { SilenceEntry } from '../../collector/processor/outputs/silence.ts';
import { decodeSilence } from '../../collector/processor/outputs/silence.ts';
import type { ProcessorOutput } from '../../collector/processor/step.ts';
import { OutputKind, RawKind } from '../../collector/types.ts';
import { encodeBatch } from '../../proto/batch.ts';
import { readingAt } from '../../proto/chunk.ts';
import { decodeChunk } from '../../proto/decode.ts';
import type { BatchHeader, ChunkFrame, Epoch, GatewayState, Reading } from '../../proto/model.ts';
import { NO_EPOCH } from '../../proto/model.ts';
import { encodeState } from '../../proto/state.ts';
import { headerOf, T0 } from './wire.ts';

export const KEY = 'demo/gw1';

/** Appends to an imaginary raw partition. */
export class RawRecords {
  readonly records: LogRecord[] = [];
  timeMs = T0;

  add(kind: string, value: Uint8Array, key = KEY): LogRecord {
    const record = {
      topic: 'raw' as const,
      partition: 0,
      offset: this.records.length,
      appendedAtMs: this.timeMs,
      key,
      kind,
      value,
    };
    this.records.push(record);
    return record;
  }

  batch(chunks: readonly ChunkFrame[], header: Partial<BatchHeader> = {}): LogRecord {
    const last = chunks.at(-1);
    const lastSeq = last === undefined ? 0 : last.firstSeq + last.count - 1;
    return this.add(RawKind.BATCH, encodeBatch(headerOf(lastSeq, header), chunks));
  }

  state(state: Partial<GatewayState>, kind: string = RawKind.STATE): LogRecord {
    return this.add(kind, encodeState({ ...STATE, ...state }));
  }

  /** Lets time pass. */
  tick(ms = 1_000): LogRecord {
    this.timeMs += ms;
    return this.add(RawKind.TICK, new Uint8Array(0), '');
  }
}

export const STATE: GatewayState = {
  site: 'demo',
  gateway: 'gw1',
  installId: '0123456789abcdef',
  online: true,
  cleanEnd: false,
  version: '0.1.0',
  epoch: NO_EPOCH,
  lastSeq: 0,
  sentMs: T0,
  startedMs: T0 - 60_000,
  bufferReadings: 0,
  bufferBytes: 0,
  bufferSecondsUntilEviction: -1,
  clockUnsynced: false,
  clockStepMs: 0,
  readers: [],
  gaps: [],
};

export interface SaidReading extends Reading {
  epoch: Epoch;
  seq: number;
  receivedMs: number;
}

/** Output records, opened. */
export interface Said {
  readings: SaidReading[];
  quarantine: QuarantineEntry[];
  events: EventEntry[];
  ledger: LedgerEntry[];
  gateways: GatewayEntry[];
  devices: DeviceEntry[];
  releases: ReleaseEntry[];
  annotations: Annotation[];
  anomalies: AnomalyEntry[];
  alerts: AlertEntry[];
  silences: SilenceEntry[];
  marks: MarkEntry[];
  audit: AuditRecord[];
}

export function said(outputs: readonly ProcessorOutput[]): Said {
  const all: Said = {
    readings: [],
    quarantine: [],
    events: [],
    ledger: [],
    gateways: [],
    devices: [],
    releases: [],
    annotations: [],
    anomalies: [],
    alerts: [],
    silences: [],
    marks: [],
    audit: [],
  };
  for (const { record } of outputs) {
    const { kind, value } = record;
    if (kind === OutputKind.READINGS) {
      all.readings.push(...openReadings(value));
      all.annotations.push(...annotationsIn(value));
    } else if (kind === OutputKind.QUARANTINE) all.quarantine.push(...decodeQuarantine(value));
    else if (kind === OutputKind.EVENT) all.events.push(...decodeEvents(value));
    else if (kind === OutputKind.LEDGER) all.ledger.push(...decodeLedger(value));
    else if (kind === OutputKind.GATEWAY) all.gateways.push(decodeGateway(value));
    else if (kind === OutputKind.DEVICE) all.devices.push(decodeDevice(value));
    else if (kind === OutputKind.RELEASE) all.releases.push(decodeRelease(value));
    else if (kind === OutputKind.ANOMALY) all.anomalies.push(decodeAnomaly(value));
    else if (kind === OutputKind.ALERT) all.alerts.push(decodeAlert(value));
    else if (kind === OutputKind.SILENCE) all.silences.push(decodeSilence(value));
    else if (kind === OutputKind.MARK) all.marks.push(decodeMark(value));
    else if (kind === OutputKind.AUDIT) all.audit.push(decodeAudit(value));
    else throw new Error(`unknown kind ${kind}`);
  }
  return all;
}

function annotationsIn(value: Uint8Array): Annotation[] {
  const decoded = decodeReadings(value);
  if (!decoded.ok) throw decoded.error;
  return decoded.value.annotations;
}

export function openReadings(value: Uint8Array): SaidReading[] {
  const decoded = decodeReadings(value);
  if (!decoded.ok) throw decoded.error;
  const { batch, receivedMs } = decoded.value;
  const readings: SaidReading[] = [];
  for (const frame of batch.chunks) {
    const columns = decodeChunk(frame);
    if (!columns.ok) throw columns.error;
    for (const series of columns.value.series) {
      for (let i = 0; i < series.count; i++) {
        const seq = frame.firstSeq + series.start + i;
        const { epoch } = batch;
        readings.push({ ...readingAt(columns.value, series, i), epoch, seq, receivedMs });
      }
    }
  }
  return readings;
}
