/** ANOMALY, in topic events: a device is not, or is again, as it was learnt to be. */

import { decodeJson, encodeJson } from './json.ts';

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

export function encodeAnomaly(entry: AnomalyEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeAnomaly(value: Uint8Array): AnomalyEntry {
  return decodeJson(value) as AnomalyEntry;
}
