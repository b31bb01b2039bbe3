/** What the API answers about gateways and ledgers. Times are UTC milliseconds. */

/** renew_soon: it should have renewed it. grace: over, and let in for a while yet. expired: let in no more. */
export type CertificateState = 'valid' | 'renew_soon' | 'grace' | 'expired';

export type GatewayStatus = 'online' | 'late' | 'silent' | 'offline' | 'never_seen';

export interface LedgerNumbers {
  /** Numbered by the gateway. */
  sent: number;
  stored: number;
  quarantined: number;
  /** Came again and were removed; no part of the balance. */
  duplicates: number;
  gap_readings: number;
  /** gap_readings by reason. */
  gaps: Record<string, number>;
  in_flight: number;
  /** 0 is right. */
  balance: number;
}

export interface Reader {
  device: string;
  reader: string;
  status: string;
  last_good_ms: number;
  errors_total: number;
  last_error: string;
}

export interface Gateway {
  site: string;
  gateway: string;
  status: GatewayStatus;
  configured: boolean;
  version: string;
  install_id: string;
  epoch: string;
  last_seq: number;
  buffer: { readings: number; bytes: number; seconds_until_eviction: number | null };
  clock: { unsynced: boolean; step_ms: number };
  readers: Reader[];
  /** Null: it comes by token. */
  certificate: { not_after_ms: number; state: CertificateState } | null;
  /** Null: not connected, or to another process. */
  transport: 'tls' | 'plain' | null;
  state_ms: number | null;
  updated_ms: number | null;
  ledger: LedgerNumbers;
}

export interface LedgerLine extends LedgerNumbers {
  site: string;
  gateway: string;
  epoch: string;
  last_seq: number;
  opened_ms: number;
  updated_ms: number;
  /** '0' is right. */
  sum_balance: string;
  /** Of gap_readings, those whose gap was closed for want of room. */
  closed: number;
}

export interface Ledger {
  items: LedgerLine[];
  next: string | null;
  complete: boolean;
  totals: LedgerNumbers & { gateways: number; epochs: number; sums_off: number };
}

/** Of /api/v1/devices, as far as it is read here. */
export interface Device {
  site: string;
  device: string;
  area: string;
  line: string;
  state: 'online' | 'late' | 'silent' | 'unknown';
  last_ms: number;
  received_ms: number;
}

/** Lines of /api/v1/ledger/deep. */
export type DeepLine =
  | { type: 'progress'; step: 'waiting' | 'reading' | 'comparing'; done: number; total: number }
  | ({ type: 'problem' } & DeepProblem)
  | ({ type: 'result' } & DeepResult)
  | { type?: undefined; error: { code: string; message: string; hint: string } };

export interface DeepProblem {
  site: string;
  gateway: string;
  epoch: string;
  kind: 'missing' | 'double' | 'unknown' | 'balance' | 'count';
  from: number;
  to: number;
  readings: number;
  detail: string;
}

export interface DeepResult {
  ok: boolean;
  epochs: number;
  readings: number;
  quarantined: number;
  expired: number;
  closed: number;
  counts_only: number;
  problems: number;
}
