/** What the API answers for this page alone. Times are UTC milliseconds. */

import type { Severity } from '../../api/types.ts';
import type { Freshness } from '../../ui/freshness.ts';
import type { Look } from '../../ui/severities.ts';

/** Of /api/v1/devices/states. */
export interface StateItem {
  site: string;
  area: string;
  line: string;
  device: string;
  gateway: string;
  state: 'online' | 'late' | 'silent' | 'unknown';
  freshness: Freshness;
  /** Null: live. */
  last_ms: number | null;
  /** Channels whose value needs a person, and those of bad quality. */
  attention: number;
  bad: number;
  alert: {
    severity: Severity;
    look: Look;
    count: number;
    title: string;
    title_ko: string;
  } | null;
}

export interface States {
  items: StateItem[];
  total: number;
}

export interface Trend {
  readings_per_second: number | null;
  /** By minute, the oldest first. */
  readings_minutes: (number | null)[];
  quality: number | null;
  quality_minutes: (number | null)[];
}

export const GATEWAY_NEEDS = [
  'unbalanced',
  'offline',
  'silent',
  'evicting',
  'clock',
  'readers',
] as const;

export interface NeedyGateway {
  site: string;
  gateway: string;
  status: string;
  updated_ms: number | null;
  seconds_until_eviction: number | null;
  needs: (typeof GATEWAY_NEEDS)[number][];
}

/** Of /api/v1/overview/wall. */
export interface Wall {
  from_ms: number;
  all: Trend;
  sites: (Trend & { site: string })[];
  gateways: { total: number; items: NeedyGateway[] };
}
