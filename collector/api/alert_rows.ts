/** Rows of the tables alerts, anomalies, silences and anomaly_marks → entries as the processor puts them out. */

import type { AlertEntry } from '../processor/outputs/alert.ts';
import type { AnomalyEntry } from '../processor/outputs/anomaly.ts';
import type { MarkEntry } from '../processor/outputs/mark.ts';
import type { SilenceEntry } from '../processor/outputs/silence.ts';

export type Row = Record<string, unknown>;

export function toAlert(row: Row): AlertEntry {
  return {
    id: String(row.id),
    site: String(row.site),
    gateway: String(row.gateway),
    device: String(row.device),
    area: String(row.area),
    line: String(row.line),
    rule: String(row.rule),
    severity: row.severity as AlertEntry['severity'],
    state: row.state as AlertEntry['state'],
    title: String(row.title),
    titleKo: String(row.title_ko),
    summary: String(row.summary),
    summaryKo: String(row.summary_ko),
    values: parseJson<AlertEntry['values']>(row.values, {}),
    startedMs: Number(row.started_ms),
    firedMs: Number(row.fired_ms),
    acknowledgedMs: Number(row.acknowledged_ms),
    acknowledgedBy: String(row.acknowledged_by),
    acknowledgedNote: String(row.acknowledged_note),
    resolvedMs: Number(row.resolved_ms),
    resolvedBy: String(row.resolved_by),
    silence: String(row.silence),
    inhibitedBy: String(row.inhibited_by),
    version: Number(row.version),
    receivedMs: Number(row.received_ms),
    updatedMs: Number(row.updated_ms),
  };
}

export function toAnomaly(row: Row): AnomalyEntry {
  return {
    id: String(row.id),
    site: String(row.site),
    gateway: String(row.gateway),
    device: String(row.device),
    detector: String(row.detector),
    channel: String(row.channel),
    state: row.state as AnomalyEntry['state'],
    onsetMs: Number(row.onset_ms),
    peakMs: Number(row.peak_ms),
    endMs: Number(row.end_ms),
    score: Number(row.score),
    value: numberOrNull(row.value),
    expectedLow: numberOrNull(row.expected_low),
    expectedHigh: numberOrNull(row.expected_high),
    reason: { en: String(row.reason), ko: String(row.reason_ko) },
    channels: parseJson<AnomalyEntry['channels']>(row.channels, []),
    maintenance: String(row.maintenance),
    version: Number(row.version),
    updatedMs: Number(row.updated_ms),
  };
}

export function toSilence(row: Row): SilenceEntry {
  return {
    id: String(row.id),
    kind: row.kind as SilenceEntry['kind'],
    site: String(row.site),
    area: String(row.area),
    line: String(row.line),
    device: String(row.device),
    rule: String(row.rule),
    fromMs: Number(row.from_ms),
    untilMs: Number(row.until_ms),
    by: String(row.by),
    reason: String(row.reason),
    updatedMs: Number(row.updated_ms),
  };
}

export function toMark(row: Row): MarkEntry {
  return {
    anomaly: String(row.anomaly),
    site: String(row.site),
    gateway: String(row.gateway),
    device: String(row.device),
    mark: row.mark as MarkEntry['mark'],
    by: String(row.by),
    note: String(row.note),
    markedMs: Number(row.marked_ms),
  };
}

function numberOrNull(cell: unknown): number | null {
  return typeof cell === 'number' ? cell : null;
}

function parseJson<T extends object>(text: unknown, otherwise: T): T {
  try {
    const value: unknown = JSON.parse(String(text));
    return typeof value === 'object' && value !== null ? (value as T) : otherwise;
  } catch {
    return otherwise;
  }
}
