/** Alerts, anomalies, silences and marks for tests, as the processor puts them out. */

import type { LogRecord } from '../../collector/log/log.ts';
import type { AlertEntry } from '../../collector/processor/outputs/alert.ts';
import { encodeAlert } from '../../collector/processor/outputs/alert.ts';
import type { AnomalyEntry } from '../../collector/processor/outputs/anomaly.ts';
import { encodeAnomaly } from '../../collector/processor/outputs/anomaly.ts';
import type { MarkEntry } from '../../collector/processor/outputs/mark.ts';
import { encodeMark } from '../../collector/processor/outputs/mark.ts';
import type { SilenceEntry } from '../../collector/processor/outputs/silence.ts';
import { encodeSilence } from '../../collector/processor/outputs/silence.ts';
import type { Gathered } from '../../collector/store/rows.ts';
import { addRecord, nothingGathered } from '../../collector/store/rows.ts';
import type { Store } from '../../collector/store/store.ts';
import { OutputKind } from '../../collector/types.ts';

/** A whole day of late: what is older than three years is dropped at once. */
export const BASE_MS = Math.floor(Date.now() / 86_400_000) * 86_400_000;

/** 16 hex digits. */
export function idOf(n: number): string {
  return n.toString(16).padStart(16, '0');
}

export function alertEntry(n: number, more: Partial<AlertEntry> = {}): AlertEntry {
  const startedMs = more.startedMs ?? BASE_MS + n * 1_000;
  return {
    id: idOf(n),
    site: 'demo',
    gateway: 'gw1',
    device: 'D01',
    area: 'hall 1',
    line: 'A',
    rule: 'temperature',
    severity: 'WARNING',
    state: 'firing',
    title: 'Temperature',
    titleKo: '온도',
    summary: "sensor1 is 91 °C: it's \\ high\n",
    summaryKo: 'sensor1 91 °C',
    values: { sensor1: 91.25, isFail: false, text: 'é', nothing: null },
    startedMs,
    firedMs: startedMs + 50,
    acknowledgedMs: 0,
    acknowledgedBy: '',
    acknowledgedNote: '',
    resolvedMs: 0,
    resolvedBy: '',
    silence: '',
    inhibitedBy: '',
    version: 1,
    receivedMs: startedMs + 40,
    updatedMs: startedMs + 50,
    ...more,
  };
}

/** The next version, over. */
export function resolved(entry: AlertEntry): AlertEntry {
  const resolvedMs = entry.startedMs + 10_000;
  const version = entry.version + 1;
  return {
    ...entry,
    state: 'resolved',
    resolvedMs,
    resolvedBy: 'cleared',
    version,
    updatedMs: resolvedMs,
  };
}

export function anomalyEntry(n: number, more: Partial<AnomalyEntry> = {}): AnomalyEntry {
  const onsetMs = more.onsetMs ?? BASE_MS + n * 1_000;
  return {
    id: idOf(n),
    site: 'demo',
    gateway: 'gw1',
    device: 'D01',
    detector: 'novelty',
    channel: 'motor1',
    state: 'open',
    onsetMs,
    peakMs: onsetMs + 10,
    endMs: 0,
    score: 0.75,
    value: 1_234.5,
    expectedLow: null,
    expectedHigh: 1_000,
    reason: { en: 'motor1 is 1234.5, at most 1000 was expected', ko: 'motor1이 높습니다' },
    channels: [{ channel: 'motor1', detector: 'novelty', score: 0.75 }],
    maintenance: '',
    version: 1,
    updatedMs: onsetMs + 20,
    ...more,
  };
}

export function silenceEntry(id: string, more: Partial<SilenceEntry> = {}): SilenceEntry {
  return {
    id,
    kind: 'silence',
    site: '*',
    area: '*',
    line: '*',
    device: 'D?',
    rule: '*',
    fromMs: BASE_MS,
    untilMs: BASE_MS + 3_600_000,
    by: 'Kim',
    reason: '점검',
    updatedMs: BASE_MS,
    ...more,
  };
}

export function markEntry(n: number, more: Partial<MarkEntry> = {}): MarkEntry {
  return {
    anomaly: idOf(n),
    site: 'demo',
    gateway: 'gw1',
    device: 'D01',
    mark: 'true',
    by: 'Lee',
    note: 'bearing',
    markedMs: BASE_MS + 100_000,
    ...more,
  };
}

export interface Entries {
  alerts?: readonly AlertEntry[];
  anomalies?: readonly AnomalyEntry[];
  silences?: readonly SilenceEntry[];
  marks?: readonly MarkEntry[];
}

export function recordsOf(entries: Entries): { kind: string; value: Uint8Array }[] {
  const { alerts = [], anomalies = [], silences = [], marks = [] } = entries;
  return [
    ...alerts.map((entry) => ({ kind: OutputKind.ALERT, value: encodeAlert(entry) })),
    ...anomalies.map((entry) => ({ kind: OutputKind.ANOMALY, value: encodeAnomaly(entry) })),
    ...silences.map((entry) => ({ kind: OutputKind.SILENCE, value: encodeSilence(entry) })),
    ...marks.map((entry) => ({ kind: OutputKind.MARK, value: encodeMark(entry) })),
  ];
}

/** As the writer makes them. */
export function rowsOf(entries: Entries, logId = 'a-log'): Gathered['rows'] {
  const gathered = nothingGathered();
  for (const { kind, value } of recordsOf(entries)) {
    const place = { topic: 'events', partition: 0, offset: 0, key: '', appendedAtMs: 0 } as const;
    addRecord(gathered, { ...place, kind, value } satisfies LogRecord, logId);
  }
  return gathered.rows;
}

export async function storeEntries(
  store: Pick<Store, 'insert'>,
  entries: Entries,
  token: string,
  logId?: string,
): Promise<void> {
  const rows = rowsOf(entries, logId);
  for (const table of ['anomalies', 'alerts', 'silences', 'anomaly_marks'] as const)
    await store.insert(table, rows[table], token);
}
