/** Alerts, anomalies and silences as the API and the stream show them, with their schemas. */

import { ALERT_SEVERITIES } from '../alert.ts';
import type { AlertEntry } from '../processor/outputs/alert.ts';
import type { AnomalyEntry } from '../processor/outputs/anomaly.ts';
import type { MarkEntry } from '../processor/outputs/mark.ts';
import type { SilenceEntry } from '../processor/outputs/silence.ts';
import { ANOMALY_MARKS } from '../types.ts';
import type { JsonSchema } from './schemas.ts';
import { nullable, object, TIME_MS } from './schemas.ts';

const TEXT = { type: 'string' } as const;
const NUMBER = { type: ['number', 'null'] } as const;

/** Of alerts and anomalies. */
export const ID = {
  type: 'string',
  pattern: '^[0-9a-f]{16}$',
  examples: ['0123456789abcdef'],
} as const;

export const ALERT_STATES = ['pending', 'firing', 'acknowledged', 'resolved'] as const;
export const SEVERITY = { enum: ALERT_SEVERITIES } as const;

export const ALERT = object({
  id: ID,
  site: TEXT,
  gateway: TEXT,
  device: { ...TEXT, description: 'Empty: of the gateway itself.' },
  area: TEXT,
  line: TEXT,
  rule: {
    ...TEXT,
    description: 'Name of the alert rule in the device profile, or a built-in one.',
  },
  severity: SEVERITY,
  state: {
    enum: ALERT_STATES,
    description:
      'pending: it holds, not yet for long enough; firing; acknowledged: a person cares for it; resolved: over.',
  },
  title: TEXT,
  title_ko: TEXT,
  summary: { ...TEXT, description: 'What holds, with values, for people.' },
  summary_ko: TEXT,
  values: {
    type: 'object',
    description: 'Channels and facts in the condition, as they were at the last change.',
  },
  started_ms: { ...TIME_MS, description: 'Time of the reading from which it holds.' },
  fired_ms: nullable({ ...TIME_MS, description: 'Null: not yet.' }),
  acknowledged_ms: nullable(TIME_MS),
  acknowledged_by: TEXT,
  acknowledged_note: TEXT,
  resolved_ms: nullable(TIME_MS),
  resolved_by: {
    ...TEXT,
    description: 'cleared, no_device or rule_removed; empty while it is not over.',
  },
  silence: { ...TEXT, description: 'Id of the silence that holds messages of it back now; empty.' },
  inhibited_by: {
    ...TEXT,
    description: 'Rule of the gateway whose alert stands for this one now; empty.',
  },
  version: { type: 'integer', minimum: 1, description: 'Grows by 1 with each change.' },
  received_ms: {
    ...TIME_MS,
    description: 'When the payload of the last change became durable in the collector.',
  },
  updated_ms: TIME_MS,
});

export function alertItem(entry: AlertEntry): Record<string, unknown> {
  return {
    id: entry.id,
    site: entry.site,
    gateway: entry.gateway,
    device: entry.device,
    area: entry.area,
    line: entry.line,
    rule: entry.rule,
    severity: entry.severity,
    state: entry.state,
    title: entry.title,
    title_ko: entry.titleKo,
    summary: entry.summary,
    summary_ko: entry.summaryKo,
    values: entry.values,
    started_ms: entry.startedMs,
    fired_ms: timeOrNull(entry.firedMs),
    acknowledged_ms: timeOrNull(entry.acknowledgedMs),
    acknowledged_by: entry.acknowledgedBy,
    acknowledged_note: entry.acknowledgedNote,
    resolved_ms: timeOrNull(entry.resolvedMs),
    resolved_by: entry.resolvedBy,
    silence: entry.silence,
    inhibited_by: entry.inhibitedBy,
    version: entry.version,
    received_ms: entry.receivedMs,
    updated_ms: entry.updatedMs,
  };
}

export const ANOMALY_STATES = ['open', 'ended'] as const;

const MARK: JsonSchema = {
  enum: [...ANOMALY_MARKS, null],
  description: 'What a person said that it was; null: nobody has said it.',
};

export const ANOMALY = object({
  id: ID,
  site: TEXT,
  gateway: TEXT,
  device: TEXT,
  detector: { ...TEXT, description: 'The one that says it loudest, at the peak.' },
  channel: { ...TEXT, description: 'Empty: the device as a whole.' },
  state: { enum: ANOMALY_STATES },
  onset_ms: { ...TIME_MS, description: 'Time of the reading with which it began.' },
  peak_ms: TIME_MS,
  end_ms: nullable({ ...TIME_MS, description: 'Null: it is open.' }),
  score: { type: 'number', minimum: 0, maximum: 1, description: 'At the peak.' },
  value: { ...NUMBER, description: 'At the peak; null where it is no number.' },
  expected_low: NUMBER,
  expected_high: NUMBER,
  reason: object({ en: TEXT, ko: TEXT }, 'For people.'),
  channels: {
    type: 'array',
    description: 'Channels that contributed, the loudest first.',
    items: object({ channel: TEXT, detector: TEXT, score: { type: 'number' } }),
  },
  maintenance: { ...TEXT, description: 'Id of the maintenance window that it began in; empty.' },
  mark: MARK,
  marked_by: nullable(TEXT),
  marked_note: nullable(TEXT),
  marked_ms: nullable(TIME_MS),
  version: { type: 'integer', minimum: 1, description: 'Grows by 1 with each change.' },
  updated_ms: TIME_MS,
});

export function anomalyItem(
  entry: AnomalyEntry,
  mark: MarkEntry | undefined,
): Record<string, unknown> {
  return {
    id: entry.id,
    site: entry.site,
    gateway: entry.gateway,
    device: entry.device,
    detector: entry.detector,
    channel: entry.channel,
    state: entry.state,
    onset_ms: entry.onsetMs,
    peak_ms: entry.peakMs,
    end_ms: timeOrNull(entry.endMs),
    score: entry.score,
    value: entry.value,
    expected_low: entry.expectedLow,
    expected_high: entry.expectedHigh,
    reason: entry.reason,
    channels: entry.channels,
    maintenance: entry.maintenance,
    mark: mark?.mark ?? null,
    marked_by: mark?.by ?? null,
    marked_note: mark?.note ?? null,
    marked_ms: mark?.markedMs ?? null,
    version: entry.version,
    updated_ms: entry.updatedMs,
  };
}

export const SILENCE_STATES = ['scheduled', 'active', 'ended'] as const;
export const SILENCE_KIND = { enum: ['silence', 'maintenance'] } as const;

export const SILENCE = object({
  id: TEXT,
  kind: {
    ...SILENCE_KIND,
    description: 'maintenance: anomalies that begin in it are marked so.',
  },
  state: { enum: SILENCE_STATES },
  site: TEXT,
  area: TEXT,
  line: TEXT,
  device: TEXT,
  rule: TEXT,
  from_ms: TIME_MS,
  until_ms: { ...TIME_MS, description: 'Exclusive.' },
  by: TEXT,
  reason: TEXT,
  updated_ms: TIME_MS,
});

export function silenceItem(entry: SilenceEntry, nowMs: number): Record<string, unknown> {
  return {
    id: entry.id,
    kind: entry.kind,
    state: silenceState(entry, nowMs),
    site: entry.site,
    area: entry.area,
    line: entry.line,
    device: entry.device,
    rule: entry.rule,
    from_ms: entry.fromMs,
    until_ms: entry.untilMs,
    by: entry.by,
    reason: entry.reason,
    updated_ms: entry.updatedMs,
  };
}

export function silenceState(
  { fromMs, untilMs }: Pick<SilenceEntry, 'fromMs' | 'untilMs'>,
  nowMs: number,
): (typeof SILENCE_STATES)[number] {
  if (untilMs <= nowMs) return 'ended';
  return fromMs > nowMs ? 'scheduled' : 'active';
}

function timeOrNull(ms: number): number | null {
  return ms === 0 ? null : ms;
}
