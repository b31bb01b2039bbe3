/** EVENT, in topic events: what happened. */

import { decodeJson, encodeJson } from './json.ts';

export type Severity = 'info' | 'warning' | 'error';

/** Something that happened. */
export interface EventEntry {
  site: string;
  gateway: string;
  device: string;
  timeMs: number;
  kind: string;
  severity: Severity;
  /** Own fields of the kind, snake_case. */
  detail: Record<string, unknown>;
}

export const EventKind = {
  GATEWAY_ONLINE: 'gateway_online',
  GATEWAY_OFFLINE: 'gateway_offline',
  CLOCK_STEP: 'clock_step',
  CLOCK_UNSYNCED: 'clock_unsynced',
  CLOCK_SYNCED: 'clock_synced',
  /** Another install tried to connect under the gateway's name. */
  IDENTITY_CONFLICT: 'identity_conflict',
  /** Chunks came under seqs that other chunks had. */
  CHUNK_CONFLICT: 'chunk_conflict',
  /** Seqs were declared or found lost. */
  GAP: 'gap',
  /** Seqs whose first copy was damaged came intact; `readings` has them, quarantine keeps the evidence. */
  DAMAGE_REPAIRED: 'damage_repaired',
  PAYLOAD_OVERSIZED: 'payload_oversized',
  /** A configuration took effect. */
  CONFIGURATION: 'configuration',
  DEVICE_NEW: 'device_new',
  DEVICE_LATE: 'device_late',
  DEVICE_SILENT: 'device_silent',
  DEVICE_ONLINE: 'device_online',
  /** A channel's readings have another type than before. */
  CHANNEL_TYPE: 'channel_type',
  /** No word from the gateway for longer than its states allow, though it never said goodbye. */
  GATEWAY_SILENT: 'gateway_silent',
  /** Windows and last values were lost or of another version: rules begin anew. */
  COLD_START: 'cold_start',
  RELEASED: 'released',
  /** A release that was refused: not in quarantine, or released before. */
  RELEASE_REFUSED: 'release_refused',
  LOG_RECOVERED: 'log_recovered',
  /** A device is not as it was learnt to be: `detail` is that of AnomalyEntry at its begin, and at its end. */
  ANOMALY: 'anomaly',
  ANOMALY_END: 'anomaly_end',
  ALERT_FIRING: 'alert_firing',
  ALERT_ACKNOWLEDGED: 'alert_acknowledged',
  ALERT_RESOLVED: 'alert_resolved',
  /** An acknowledgement or mark of something that is not known (any more). */
  DECISION_REFUSED: 'decision_refused',
  SILENCE_SET: 'silence_set',
} as const;

export function encodeEvents(entries: readonly EventEntry[]): Uint8Array {
  return encodeJson(entries);
}

export function decodeEvents(value: Uint8Array): EventEntry[] {
  return decodeJson(value) as EventEntry[];
}
