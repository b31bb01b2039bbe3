/** What the API answers about alerts beside api/types.ts. Times are UTC milliseconds. */

import type { Alert } from '../../api/types.ts';

/** An alert with the channels and facts of its condition, as they were at its last change. */
export interface AlertWhole extends Alert {
  values: Record<string, unknown>;
  received_ms: number;
}

export interface Silence {
  id: string;
  kind: 'silence' | 'maintenance';
  state: 'scheduled' | 'active' | 'ended';
  site: string;
  area: string;
  line: string;
  device: string;
  rule: string;
  from_ms: number;
  /** Exclusive. */
  until_ms: number;
  by: string;
  reason: string;
  updated_ms: number;
}

export type AnomalyMark = 'true' | 'false' | 'maintenance';

export interface Anomaly {
  id: string;
  site: string;
  gateway: string;
  device: string;
  detector: string;
  /** '': the device as a whole. */
  channel: string;
  state: 'open' | 'ended';
  onset_ms: number;
  peak_ms: number;
  end_ms: number | null;
  score: number;
  value: number | null;
  expected_low: number | null;
  expected_high: number | null;
  reason: { en: string; ko: string };
  channels: { channel: string; detector: string; score: number }[];
  maintenance: string;
  mark: AnomalyMark | null;
  marked_by: string | null;
  marked_note: string | null;
  marked_ms: number | null;
  version: number;
}

export interface DetectorSummary {
  detector: string;
  anomalies: number;
  marked_true: number;
  marked_false: number;
  marked_maintenance: number;
  unmarked: number;
}
