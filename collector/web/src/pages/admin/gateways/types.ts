/** What the API answers about who may connect, as far as these pages read it. Times are UTC milliseconds. */

export interface GatewayCertificate {
  /** 64 hex digits. */
  fingerprint: string;
  serial: string;
  not_before_ms: number;
  not_after_ms: number;
  issued_ms: number;
}

export const STATES = ['enrolled', 'invited', 'configured', 'revoked'] as const;
export type RegisteredState = (typeof STATES)[number];

export interface Registered {
  site: string;
  gateway: string;
  /** configured: by a token in collector.yaml. */
  state: RegisteredState;
  certificate: GatewayCertificate | null;
  invitation: { expires_ms: number } | null;
  without_tls: boolean;
  install_id: string | null;
  /** Null: never here. */
  changed_ms: number | null;
  changed_by: string | null;
}

/** A token that is shown this once. */
export interface MadeToken {
  site: string;
  gateway: string;
  token: string;
  expires_ms: number;
}

export interface MadeTokens {
  items: MadeToken[];
  /** 0: the collector does not listen with TLS. */
  mqtt_port: number;
  /** Host names and addresses in the server's certificate. */
  names: string[];
}

export interface EnrolmentRequest {
  id: string;
  site: string;
  gateway: string;
  /** 64 hex digits. */
  key_fingerprint: string;
  /** Address. */
  from: string;
  version: string;
  created_ms: number;
  expires_ms: number;
  /** A gateway of that name is registered already. */
  known: boolean;
}

export interface AuthorityItem {
  fingerprint: string;
  /** What tokens name and gateways show. */
  shown_fingerprint: string;
  subject: string;
  not_before_ms: number;
  not_after_ms: number;
  /** PEM. */
  certificate: string;
  /** False: the plant's. */
  own: boolean;
}
