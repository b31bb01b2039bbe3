/** ALERT, in topic events: something that needs a person, as it stands. */

import type { AlertSeverity } from '../../profile.ts';
import { decodeJson, encodeJson } from './json.ts';

export type AlertState = 'pending' | 'firing' | 'acknowledged' | 'resolved';

/** An alert as it stands; a newer entry of the same id replaces the older one. */
export interface AlertEntry {
  /** 16 hex digits: of site, gateway, device, rule and when it began. */
  id: string;
  site: string;
  gateway: string;
  /** '' for an alert of the gateway itself. */
  device: string;
  area: string;
  line: string;
  /** AlertRule.name, or that of a built-in rule. */
  rule: string;
  severity: AlertSeverity;
  state: AlertState;
  title: string;
  titleKo: string;
  /** What holds, with values, for people. */
  summary: string;
  summaryKo: string;
  /** Of the channels and facts in the condition, as they were at the last change. */
  values: Readonly<Record<string, number | string | boolean | null>>;
  /** Time of the reading (or log time, where there is none) from which it holds. */
  startedMs: number;
  /** Log times; 0: not yet. */
  firedMs: number;
  acknowledgedMs: number;
  acknowledgedBy: string;
  acknowledgedNote: string;
  resolvedMs: number;
  /** '' while it is not resolved: cleared, no_device, rule_removed. */
  resolvedBy: string;
  /** Id of the silence that keeps it from making messages now; ''. */
  silence: string;
  /** Rule of the same gateway whose alert stands for this one now (gateway_down); ''. */
  inhibitedBy: string;
  /** 1, 2, 3… with each entry of the id: id and version name a message. */
  version: number;
  /** When the payload of the last change became durable in raw: for latencies. */
  receivedMs: number;
  /** Log time. */
  updatedMs: number;
}

export function encodeAlert(entry: AlertEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeAlert(value: Uint8Array): AlertEntry {
  return decodeJson(value) as AlertEntry;
}
