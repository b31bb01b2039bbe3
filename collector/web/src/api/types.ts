/** What the API answers, as far as the pages read it: /api/v1/openapi.json says all of it. Times are UTC milliseconds. */

export type Role = 'viewer' | 'operator' | 'admin';
export type Language = 'en' | 'ko';
export type Severity = 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';

export interface Grant {
  /** Name of a site, or '*'. */
  site: string;
  role: Role;
}

export interface Session {
  user: {
    kind: 'user' | 'token' | 'local' | 'anonymous';
    name: string;
    grants: Grant[];
    language: Language | null;
  };
  /** Null: no cookie stands for who asks. */
  csrf: string | null;
  expires_ms: number | null;
  must_change_password: boolean;
}

export interface Page<T> {
  items: T[];
  /** Cursor of the next page; null on the last. */
  next: string | null;
}

export interface SiteInfo {
  site: string;
  time_zone: string;
  day_start: string;
}

export interface Overview {
  version: string;
  now_ms: number;
  started_ms: number;
  ready: boolean;
  waiting_for: string[];
  sites: SiteInfo[];
  gateways: Record<'total' | 'online' | 'late' | 'silent' | 'offline' | 'never_seen', number>;
  devices: number;
}

export interface Alert {
  id: string;
  site: string;
  gateway: string;
  device: string;
  area: string;
  line: string;
  rule: string;
  severity: Severity;
  state: 'pending' | 'firing' | 'acknowledged' | 'resolved';
  title: string;
  title_ko: string;
  summary: string;
  summary_ko: string;
  started_ms: number;
  fired_ms: number | null;
  acknowledged_ms: number | null;
  acknowledged_by: string;
  acknowledged_note: string;
  resolved_ms: number | null;
  resolved_by: string;
  silence: string;
  inhibited_by: string;
  version: number;
  updated_ms: number;
}

/** A channel of a device with its newest value. */
export interface Channel {
  channel: string;
  title: { en: string; ko: string };
  kind: 'number' | 'boolean' | 'text';
  unit: string;
  /** Null: as many as make sense. */
  decimals: number | null;
  /** Of the range of the profile. */
  min: number | null;
  max: number | null;
  attention_when: number | null;
  time_ms: number;
  /** Booleans are 0 and 1. */
  value: number | string | null;
  quality: number;
  treatment: string | null;
  findings: string[] | null;
}

/** Of /api/v1/devices. */
export interface DeviceItem {
  site: string;
  device: string;
  area: string;
  line: string;
  profile: string;
  unprofiled: boolean;
  state: 'online' | 'late' | 'silent' | 'unknown';
  gateway: string;
  last_ms: number;
  received_ms: number;
  interval_ms: number | null;
  expected_interval_ms: number | null;
  channels: Channel[];
}

/** Of /api/v1/events. */
export interface FmsEvent {
  site: string;
  gateway: string;
  device: string;
  time_ms: number;
  kind: string;
  severity: 'info' | 'warning' | 'error';
  detail: Record<string, unknown>;
}
