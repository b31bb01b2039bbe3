/**
 * What is said of a gateway's devices beyond single readings: anomalies and alerts. Turns what detectors and
 * alert rules answer into entries. Open anomalies and alerts are hard state (they must end, whatever is
 * lost); what was learnt is soft.
 *
 * Encoded soft: length of the detection's bytes (uint32, little-endian), these, then those of the alerts.
 */

import { CollectorError } from '../errors.ts';
import type { AcknowledgeValue, MarkValue } from '../types.ts';
import { ANOMALY_MARKS } from '../types.ts';
import { GatewayAlerts } from './alerts/alerts.ts';
import type { AlertContext } from './alerts/context.ts';
import { silenceOf } from './alerts/silenced.ts';
import type { AnomalyChange } from './anomaly/detection.ts';
import { GatewayDetection } from './anomaly/detection.ts';
import { idOf } from './ids.ts';
import type { Origin } from './origin.ts';
import type { AlertEntry } from './outputs/alert.ts';
import type { AnomalyEntry } from './outputs/anomaly.ts';
import { EventKind } from './outputs/event.ts';
import type { GatewayEntry } from './outputs/gateway.ts';
import { parseJson } from './parse.ts';
import type { Step } from './step.ts';
import type { JudgeInput, Judgement } from './validation/judgement.ts';

const FORMAT = 1;
const TEXT_MAX = 500;

/** The gateway's book. */
export interface Watched extends Origin {
  readonly entry: GatewayEntry | undefined;
}

interface EncodedAnomalies {
  format: number;
  open: AnomalyEntry[];
}

export class GatewayWatch {
  #detection: GatewayDetection;
  readonly #alerts = new GatewayAlerts();
  /** By device. */
  #open = new Map<string, AnomalyEntry>();
  #anomaliesChanged = false;

  constructor(site: string) {
    this.#detection = new GatewayDetection(site);
  }

  /** Whether report() may have something to say. `silent`: the gateway is. */
  isDue(nowMs: number, silent: boolean): boolean {
    return this.#alerts.isDue(nowMs, silent);
  }

  /** Its state changed. */
  gatewaySpoke(): void {
    this.#alerts.gatewaySpoke();
  }

  /** Fresh readings of a chunk, right after the rules have judged them. */
  judged(
    book: Watched,
    input: JudgeInput,
    judgement: Judgement,
    around: { silent: boolean; resumedMs: number },
    step: Step,
  ): void {
    const { columns, firstSeq, fresh, configuration } = input;
    const { sheet, devices } = judgement;
    const anomalies = this.#detection.judge({ columns, firstSeq, fresh, sheet, configuration });
    for (const change of anomalies) this.#note(book, change, step);
    const scoreOf = (device: string): number => this.#detection.scoreOf(device);
    const asked = { columns, firstSeq, fresh, sheet, devices, anomalies, scoreOf };
    this.#put(book, this.#alerts.judge(asked, contextOf(book, around, step)), step);
  }

  rejected(device: string): void {
    this.#alerts.rejected(device, 1);
  }

  /** A device fell silent: what was open of it is over. */
  deviceSilent(
    book: Watched,
    device: string,
    around: { silent: boolean; resumedMs: number },
    step: Step,
  ): void {
    const changes = this.#detection.silent(device, step.nowMs);
    for (const change of changes) this.#note(book, change, step);
    this.#put(book, this.#alerts.anomalies(changes, contextOf(book, around, step)), step);
  }

  report(book: Watched, around: { silent: boolean; resumedMs: number }, step: Step): void {
    if (!this.#alerts.isDue(step.nowMs, around.silent)) return;
    this.#put(book, this.#alerts.tick(contextOf(book, around, step)), step);
  }

  acknowledge(book: Watched, value: Uint8Array, step: Step): void {
    const asked = parseJson<AcknowledgeValue>(value);
    const decision = {
      alert: textOf(asked?.alert),
      by: textOf(asked?.by),
      note: textOf(asked?.note),
    };
    const around = { silent: false, resumedMs: 0 };
    const entry = this.#alerts.acknowledge(decision, contextOf(book, around, step));
    if (entry === undefined) refuse(book, { what: 'acknowledge', ...decision }, step);
    else this.#put(book, [entry], step);
  }

  mark(book: Watched, value: Uint8Array, step: Step): void {
    const asked = parseJson<MarkValue>(value);
    const mark = ANOMALY_MARKS.find((one) => one === asked?.mark);
    const anomaly = textOf(asked?.anomaly);
    const decision = {
      anomaly,
      device: textOf(asked?.device),
      by: textOf(asked?.by),
      note: textOf(asked?.note),
    };
    if (mark === undefined || anomaly === '') {
      refuse(book, { what: 'mark', ...decision }, step);
      return;
    }
    const { site, gateway } = book;
    step.mark(book, { ...decision, mark, site, gateway, markedMs: step.nowMs });
  }

  /** Another configuration holds, or other silences do. */
  review(): void {
    this.#alerts.review();
  }

  /** What was learnt is lost: nothing can say any more when an open anomaly is over. */
  beginAnew(book: Watched, step: Step): void {
    const open = [...this.#open.values()];
    for (const entry of open) this.#end(book, entry, step.nowMs, step);
    this.#alerts.beginAnew(step.nowMs);
    const ends = open.map((entry) => ({ ...entry, phase: 'end' as const, endMs: step.nowMs }));
    const context = contextOf(book, { silent: false, resumedMs: 0 }, step);
    this.#put(book, this.#alerts.anomalies(ends, context), step);
  }

  /** Adds what differs from the hard state as last taken. */
  takeHard(key: string, into: Map<string, Uint8Array | null>): void {
    if (this.#anomaliesChanged) {
      const body: EncodedAnomalies = { format: FORMAT, open: [...this.#open.values()] };
      into.set(
        `${key}|anomalies`,
        this.#open.size === 0 ? null : Buffer.from(JSON.stringify(body)),
      );
      this.#anomaliesChanged = false;
    }
    for (const [part, bytes] of this.#alerts.takeHard()) into.set(`${key}|alerts${part}`, bytes);
  }

  /** What takeHard() put under one of the keys of alerts. */
  restoreAlerts(bytes: Uint8Array): void {
    this.#alerts.restoreHard(bytes);
  }

  restoreAnomalies(bytes: Uint8Array): void {
    const body = parseJson<EncodedAnomalies>(bytes);
    if (body?.format !== FORMAT)
      throw new CollectorError('PROCESSOR_STATE_VERSION', `anomalies: format ${body?.format}`);
    this.#open = new Map((body.open ?? []).map((entry) => [entry.device, entry]));
  }

  encodeSoft(): Uint8Array {
    const detection = this.#detection.encode();
    const header = Buffer.alloc(4);
    header.writeUInt32LE(detection.length, 0);
    return Buffer.concat([header, detection, this.#alerts.encodeSoft()]);
  }

  /** False when another version wrote it. */
  restoreSoft(bytes: Uint8Array): boolean {
    if (bytes.length < 4) return false;
    const end = 4 + Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32LE(0);
    if (end > bytes.length) return false;
    const detection = GatewayDetection.decode(this.#detection.site, bytes.subarray(4, end));
    if (detection === undefined || !this.#alerts.restoreSoft(bytes.subarray(end))) return false;
    this.#detection = detection;
    return true;
  }

  #note(book: Watched, change: AnomalyChange, step: Step): void {
    const before = this.#open.get(change.device);
    const { phase, ...said } = change;
    if (phase !== 'onset' && before === undefined) return;
    const isNew = phase === 'onset' || before === undefined;
    if (isNew && before !== undefined) this.#end(book, before, change.onsetMs, step);
    const { site, gateway } = book;
    const entry: AnomalyEntry = {
      ...said,
      id: isNew ? idOf(site, gateway, change.device, 'anomaly', change.onsetMs) : before.id,
      site,
      gateway,
      state: phase === 'end' ? 'ended' : 'open',
      maintenance: isNew ? maintenanceOf(book, change, step) : before.maintenance,
      version: isNew ? 1 : before.version + 1,
      updatedMs: step.nowMs,
    };
    this.#keep(book, entry, isNew, step);
  }

  #end(book: Watched, entry: AnomalyEntry, endMs: number, step: Step): void {
    const version = entry.version + 1;
    const ended = { ...entry, state: 'ended' as const, endMs, version, updatedMs: step.nowMs };
    this.#keep(book, ended, false, step);
  }

  #keep(book: Watched, entry: AnomalyEntry, isNew: boolean, step: Step): void {
    this.#anomaliesChanged = true;
    if (entry.state === 'ended') this.#open.delete(entry.device);
    else this.#open.set(entry.device, entry);
    step.anomaly(book, entry);
    if (!isNew && entry.state === 'open') return;
    const { id, device, detector, channel, onsetMs, peakMs, endMs, score, reason } = entry;
    const detail = { id, detector, channel, onset_ms: onsetMs, peak_ms: peakMs, score, reason };
    const kind = isNew ? EventKind.ANOMALY : EventKind.ANOMALY_END;
    const severity = isNew ? 'warning' : 'info';
    step.event(book, {
      kind,
      severity,
      device,
      detail: isNew ? detail : { ...detail, end_ms: endMs },
    });
  }

  #put(book: Watched, entries: readonly AlertEntry[], step: Step): void {
    for (const entry of entries) {
      step.alert(book, entry);
      const kind = TOLD[entry.state];
      if (kind === undefined) continue;
      const { id, device, rule, version, summary } = entry;
      const detail = { id, rule, alert_severity: entry.severity, version, summary };
      const severity = entry.state === 'firing' ? EVENT_SEVERITY[entry.severity] : 'info';
      step.event(book, { kind, severity, device, detail });
    }
  }
}

const TOLD: Record<AlertEntry['state'], string | undefined> = {
  pending: undefined,
  firing: EventKind.ALERT_FIRING,
  acknowledged: EventKind.ALERT_ACKNOWLEDGED,
  resolved: EventKind.ALERT_RESOLVED,
};

const EVENT_SEVERITY = {
  INFO: 'info',
  WARNING: 'warning',
  ERROR: 'error',
  CRITICAL: 'error',
} as const;

function contextOf(
  book: Watched,
  around: { silent: boolean; resumedMs: number },
  step: Step,
): AlertContext {
  return {
    site: book.site,
    gateway: book.gateway,
    entry: book.entry,
    isGatewaySilent: around.silent,
    configuration: step.configuration,
    silences: step.silences,
    receivedMs: step.receivedMs,
    nowMs: step.nowMs,
    resumedMs: around.resumedMs,
  };
}

function maintenanceOf(book: Watched, { device, onsetMs }: AnomalyChange, step: Step): string {
  const { area, line } = step.configuration.placeOf(book.site, device);
  const what = { site: book.site, area, line, device, rule: 'anomaly' };
  const windows = step.silences.filter(({ kind }) => kind === 'maintenance');
  return silenceOf(windows, what, onsetMs)?.id ?? '';
}

function refuse(book: Watched, detail: Record<string, unknown>, step: Step): void {
  step.event(book, { kind: EventKind.DECISION_REFUSED, severity: 'warning', detail });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, TEXT_MAX) : '';
}
