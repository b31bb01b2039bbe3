/** What the API answers, as far as these pages read it. Times are UTC milliseconds. */

import type { Grant } from '../../api/types.ts';

export interface User {
  name: string;
  grants: Grant[];
  disabled: boolean;
  must_change_password: boolean;
  created_ms: number;
  changed_ms: number;
  last_login_ms: number | null;
  sessions: number;
}

export interface Token {
  id: string;
  name: string;
  user: string;
  grants: Grant[];
  created_ms: number;
  expires_ms: number | null;
  last_used_ms: number | null;
}

export interface AuditItem {
  number: number;
  id: string;
  at_ms: number;
  who: string;
  kind: string;
  from: string;
  action: string;
  site: string;
  target: string;
  detail: string;
  hash: string;
}

export interface AuditVerdict {
  /** Null while it is not complete: ask on with `next`. */
  ok: boolean | null;
  complete: boolean;
  next: string | null;
  entries: number;
  first_number: number;
  head_number: number;
  head_hash: string;
  broken_at: number | null;
  reason: 'changed' | 'missing' | 'inserted' | 'cut' | 'rewritten' | null;
  compared: boolean;
  not_yet_stored: number;
}

export interface GatewayItem {
  site: string;
  gateway: string;
  status: 'online' | 'late' | 'silent' | 'offline' | 'never_seen';
  configured: boolean;
  version: string;
  install_id: string;
  updated_ms: number | null;
  /** Of the connection that it has now; null: none. */
  transport: 'tls' | 'plain' | null;
  certificate: { state: 'valid' | 'renew_soon' | 'grace' | 'expired' } | null;
}
