/** Records of the output topics → rows of the tables. */

import { decodeChunk } from '../../proto/decode.ts';
import { CollectorError } from '../errors.ts';
import type { LogRecord } from '../log/log.ts';
import { decodeAlert } from '../processor/outputs/alert.ts';
import type { AnomalyEntry } from '../processor/outputs/anomaly.ts';
import { decodeAnomaly } from '../processor/outputs/anomaly.ts';
import { decodeAudit } from '../processor/outputs/audit.ts';
import { decodeDevice } from '../processor/outputs/device.ts';
import { decodeEvents } from '../processor/outputs/event.ts';
import { decodeGateway } from '../processor/outputs/gateway.ts';
import { decodeLedger } from '../processor/outputs/ledger.ts';
import { decodeMark } from '../processor/outputs/mark.ts';
import { decodeQuarantine } from '../processor/outputs/quarantine.ts';
import { decodeReadings } from '../processor/outputs/readings.ts';
import { decodeRelease } from '../processor/outputs/release.ts';
import { decodeSilence } from '../processor/outputs/silence.ts';
import { OutputKind } from '../types.ts';
import { ReadingBlock } from './reading_block.ts';
import type { AnomalyRow, TableName, TableRows } from './store.ts';

/** A reading in memory, annotated. */
const READING_BYTES = 32;

/** What records hold: readings as columns, the rest as rows. */
export interface Gathered {
  readings: ReadingBlock;
  rows: { [T in GatheredTable]: TableRows[T][] };
}
export type GatheredTable = Exclude<TableName, 'readings' | 'devices'>;

export function nothingGathered(): Gathered {
  return {
    readings: new ReadingBlock(),
    rows: {
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
    },
  };
}

/**
 * Adds what a record holds; answers how many bytes that takes, about. Throws LOG_DAMAGED where it is not
 * what the processor makes.
 */
export function addRecord(into: Gathered, record: LogRecord, logId: string): number {
  try {
    if (record.kind === OutputKind.READINGS) return addReadings(into.readings, record);
    addRows(into.rows, record, logId);
    return record.value.length;
  } catch (error) {
    const place = `${record.topic}/${record.partition} offset ${record.offset}`;
    throw new CollectorError('LOG_DAMAGED', `${place}: ${String(error)}`, { cause: error });
  }
}

function addRows(rows: Gathered['rows'], record: LogRecord, logId: string): void {
  const { value, partition: logPartition, offset: logOffset } = record;
  switch (record.kind) {
    case OutputKind.QUARANTINE:
      for (const [logIndex, entry] of decodeQuarantine(value).entries()) {
        const reading = entry.reading === undefined ? '' : JSON.stringify(entry.reading);
        rows.quarantine.push({ ...entry, reading, logId, logPartition, logOffset, logIndex });
      }
      break;
    case OutputKind.EVENT:
      for (const [logIndex, entry] of decodeEvents(value).entries()) {
        const detail = JSON.stringify(entry.detail);
        rows.events.push({ ...entry, detail, logId, logPartition, logOffset, logIndex });
      }
      break;
    case OutputKind.LEDGER:
      for (const entry of decodeLedger(value)) {
        const gaps = JSON.stringify(entry.gaps);
        const seen = JSON.stringify(entry.seen);
        rows.ledger.push({ ...entry, gaps, seen, logPartition, logOffset });
      }
      break;
    case OutputKind.GATEWAY: {
      const entry = decodeGateway(value);
      const readers = JSON.stringify(entry.readers);
      rows.gateways.push({ ...entry, readers, logPartition, logOffset });
      break;
    }
    case OutputKind.DEVICE: {
      const entry = decodeDevice(value);
      rows.device_states.push({ ...entry, channels: JSON.stringify(entry.channels) });
      break;
    }
    case OutputKind.RELEASE:
      rows.releases.push(decodeRelease(value));
      break;
    case OutputKind.ANOMALY:
      rows.anomalies.push(anomalyRow(decodeAnomaly(value), logId));
      break;
    case OutputKind.ALERT: {
      const entry = decodeAlert(value);
      rows.alerts.push({ ...entry, values: JSON.stringify(entry.values), logId });
      break;
    }
    case OutputKind.SILENCE:
      rows.silences.push(decodeSilence(value));
      break;
    case OutputKind.MARK:
      rows.anomaly_marks.push(decodeMark(value));
      break;
    case OutputKind.AUDIT:
      rows.audit.push({ ...decodeAudit(value), logId, logPartition, logOffset, logIndex: 0 });
      break;
    default:
      throw new RangeError(`unknown kind ${record.kind}`);
  }
}

function anomalyRow(entry: AnomalyEntry, logId: string): AnomalyRow {
  const { reason } = entry;
  const channels = JSON.stringify(entry.channels);
  return { ...entry, reason: reason.en, reasonKo: reason.ko, channels, logId };
}

function addReadings(block: ReadingBlock, record: LogRecord): number {
  const decoded = decodeReadings(record.value);
  if (!decoded.ok) throw decoded.error;
  const { batch, receivedMs, annotations } = decoded.value;
  const { site, gateway, epoch } = batch;
  const { partition: logPartition, offset: logOffset } = record;
  const place = { site, gateway, epoch, receivedMs, logPartition, logOffset };
  let bytes = 0;
  for (const frame of batch.chunks) {
    const columns = decodeChunk(frame);
    if (!columns.ok) throw columns.error;
    block.add(place, columns.value, frame.firstSeq, annotations);
    // Compressed texts may be a thousand times smaller in the record.
    bytes += frame.bytes.length + frame.count * READING_BYTES;
  }
  return bytes;
}
