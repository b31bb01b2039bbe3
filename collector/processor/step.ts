/** What one raw record leads to, collected and then turned into output records. */

import type { NewRecord } from '../log/log.ts';
import type { OutputTopic, SilenceValue } from '../types.ts';
import { OutputKind } from '../types.ts';
import { ENTRIES_PER_RECORD_MAX, HEAD_BYTES } from './limits.ts';
import type { Origin } from './origin.ts';
import type { AlertEntry } from './outputs/alert.ts';
import { encodeAlert } from './outputs/alert.ts';
import type { AnomalyEntry } from './outputs/anomaly.ts';
import { encodeAnomaly } from './outputs/anomaly.ts';
import type { AuditRecord } from './outputs/audit.ts';
import { encodeAudit } from './outputs/audit.ts';
import type { DeviceEntry } from './outputs/device.ts';
import { encodeDevice } from './outputs/device.ts';
import type { EventEntry } from './outputs/event.ts';
import { encodeEvents } from './outputs/event.ts';
import type { GatewayEntry } from './outputs/gateway.ts';
import { encodeGateway } from './outputs/gateway.ts';
import type { LedgerEntry } from './outputs/ledger.ts';
import { encodeLedger } from './outputs/ledger.ts';
import type { MarkEntry } from './outputs/mark.ts';
import { encodeMark } from './outputs/mark.ts';
import type { QuarantineEntry } from './outputs/quarantine.ts';
import { encodeQuarantine } from './outputs/quarantine.ts';
import type { ReleaseEntry } from './outputs/release.ts';
import { encodeRelease } from './outputs/release.ts';
import type { SilenceEntry } from './outputs/silence.ts';
import { encodeSilence } from './outputs/silence.ts';
import type { CompiledConfiguration } from './validation/compile.ts';

export interface ProcessorOutput {
  topic: OutputTopic;
  record: NewRecord;
}

/** Counted since the start of the process: for metrics, not part of the state. */
export interface ProcessorStats {
  recordsTotal: number;
  readingsTotal: number;
  duplicatesTotal: number;
  quarantinedTotal: number;
  eventsTotal: number;
}

export class Step {
  /** When the record became durable in raw. */
  readonly receivedMs: number;
  /** Log time: the highest receivedMs so far. */
  readonly nowMs: number;
  readonly stats: ProcessorStats;
  /** What holds; a record may bring another. */
  configuration: CompiledConfiguration;
  silences: readonly SilenceValue[];
  readonly #outputs: ProcessorOutput[] = [];
  #quarantine: QuarantineEntry[] = [];
  #events: EventEntry[] = [];
  #key = '';

  constructor(
    times: { receivedMs: number; nowMs: number },
    holds: { configuration: CompiledConfiguration; silences: readonly SilenceValue[] },
    stats: ProcessorStats,
  ) {
    this.receivedMs = times.receivedMs;
    this.nowMs = times.nowMs;
    this.configuration = holds.configuration;
    this.silences = holds.silences;
    this.stats = stats;
  }

  readings(book: Origin, value: Uint8Array): void {
    this.#put('readings', book.key, OutputKind.READINGS, value);
  }

  quarantine(
    book: Origin,
    entry: Pick<QuarantineEntry, 'reason' | 'detail' | 'head'> & Partial<QuarantineEntry>,
  ): void {
    this.#enter(book);
    this.stats.quarantinedTotal += entry.count ?? 0;
    this.#quarantine.push({
      site: book.site,
      gateway: book.gateway,
      device: '',
      timeMs: this.receivedMs,
      receivedMs: this.receivedMs,
      epoch: '',
      seq: 0,
      count: 0,
      ...entry,
      head: entry.head.subarray(0, HEAD_BYTES),
    });
  }

  event(
    book: Origin,
    event: Pick<EventEntry, 'kind' | 'severity' | 'detail'> & { device?: string },
  ): void {
    this.#enter(book);
    this.stats.eventsTotal++;
    this.#events.push({
      site: book.site,
      gateway: book.gateway,
      device: '',
      timeMs: this.nowMs,
      ...event,
    });
  }

  gateway(book: Origin, entry: GatewayEntry): void {
    this.#put('events', book.key, OutputKind.GATEWAY, encodeGateway(entry));
  }

  ledger(book: Origin, entries: readonly LedgerEntry[]): void {
    this.#put('events', book.key, OutputKind.LEDGER, encodeLedger(entries));
  }

  device(book: Origin, entry: DeviceEntry): void {
    this.#put('events', book.key, OutputKind.DEVICE, encodeDevice(entry));
  }

  release(book: Origin, entry: ReleaseEntry): void {
    this.#put('events', book.key, OutputKind.RELEASE, encodeRelease(entry));
  }

  anomaly(book: Origin, entry: AnomalyEntry): void {
    this.#put('events', book.key, OutputKind.ANOMALY, encodeAnomaly(entry));
  }

  alert(book: Origin, entry: AlertEntry): void {
    this.#put('events', book.key, OutputKind.ALERT, encodeAlert(entry));
  }

  mark(book: Origin, entry: MarkEntry): void {
    this.#put('events', book.key, OutputKind.MARK, encodeMark(entry));
  }

  silence(entry: SilenceEntry): void {
    this.#put('events', '', OutputKind.SILENCE, encodeSilence(entry));
  }

  audit(entry: AuditRecord): void {
    this.#put('events', '', OutputKind.AUDIT, encodeAudit(entry));
  }

  /** Everything, in the order in which it was said within a topic. */
  done(): ProcessorOutput[] {
    this.#flush();
    return this.#outputs;
  }

  /** Entries of one record belong to one gateway: partitions go by the key. */
  #enter(book: Origin): void {
    if (this.#key !== book.key) this.#flush();
    this.#key = book.key;
    const full = Math.max(this.#quarantine.length, this.#events.length) >= ENTRIES_PER_RECORD_MAX;
    if (full) this.#flush();
  }

  #flush(): void {
    const key = this.#key;
    if (this.#quarantine.length > 0) {
      const value = encodeQuarantine(this.#quarantine);
      this.#quarantine = [];
      this.#put('quarantine', key, OutputKind.QUARANTINE, value);
    }
    if (this.#events.length > 0) {
      const value = encodeEvents(this.#events);
      this.#events = [];
      this.#put('events', key, OutputKind.EVENT, value);
    }
  }

  #put(topic: OutputTopic, key: string, kind: string, value: Uint8Array): void {
    this.#outputs.push({ topic, record: { key, kind, value } });
  }
}
