/** What the detectors answer. */

/** An anomaly that began, got worse (a new peak) or ended. */
export interface AnomalyChange {
  phase: 'onset' | 'peak' | 'end';
  device: string;
  detector: string;
  channel: string;
  onsetMs: number;
  peakMs: number;
  /** 0 unless it ended. */
  endMs: number;
  score: number;
  value: number | null;
  expectedLow: number | null;
  expectedHigh: number | null;
  reason: { en: string; ko: string };
  channels: readonly { channel: string; detector: string; score: number }[];
}

/** Of one row of a device: for backtests. */
export interface RowScore {
  device: string;
  timeMs: number;
  /** 0 to 1: all detectors joined; from 0.5 on an anomaly is open. */
  score: number;
  /** An anomaly begins here. */
  isOnset: boolean;
  /** The row lies in an anomaly. */
  isOpen: boolean;
  reason: { en: string; ko: string } | undefined;
}
