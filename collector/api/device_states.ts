/**
 * Every device in a few words, for a wall of tiles: what a tile shows and nothing that changes with each reading, so
 * that the answer of a plant that is well stays the same. Pure.
 */

import { ALERT_SEVERITIES } from '../alert.ts';
import type { AlertEntry } from '../processor/outputs/alert.ts';
import type { AlertSeverity } from '../profile.ts';
import type { ChannelState, DeviceState } from './live/devices.ts';

/**
 * How fresh readings are. past: they come now, with times long gone (a recording, a buffer that is being drained).
 * ahead: their times lie in the future.
 */
export const FRESHNESS = ['live', 'stale', 'past', 'ahead'] as const;
export type Freshness = (typeof FRESHNESS)[number];

/** loud: fires, and nobody cares for it yet. seen: somebody does. quiet: makes no messages. */
export const ALERT_LOOKS = ['loud', 'seen', 'quiet'] as const;
export type AlertLook = (typeof ALERT_LOOKS)[number];

const STALE_MIN_MS = 30_000;
const STALE_INTERVALS = 3;
const AHEAD_MS = 60_000;
const MINUTE_MS = 60_000;
const BAD = 2;

export function freshnessOf(
  { lastMs, receivedMs, intervalMs }: Pick<DeviceState, 'lastMs' | 'receivedMs' | 'intervalMs'>,
  nowMs: number,
): Freshness {
  const limitMs = Math.max(STALE_MIN_MS, STALE_INTERVALS * (intervalMs ?? 0));
  const ageMs = nowMs - lastMs;
  if (ageMs < -AHEAD_MS) return 'ahead';
  if (ageMs <= limitMs) return 'live';
  return nowMs - receivedMs <= limitMs ? 'past' : 'stale';
}

/** Of the newest reading; null while live, in whole minutes while it moves on with each one. */
export function shownLastMs(lastMs: number, freshness: Freshness): number | null {
  if (freshness === 'live' || !Number.isFinite(lastMs)) return null;
  return freshness === 'stale' ? lastMs : Math.floor(lastMs / MINUTE_MS) * MINUTE_MS;
}

export interface DeviceAlerts {
  /** Of `look`. */
  severity: AlertSeverity;
  look: AlertLook;
  /** Of that severity and look. */
  count: number;
  /** Of the newest of them. */
  title: string;
  titleKo: string;
}

/** By device, what is worst: what nobody cares for yet before the rest, then by severity. Pending ones are none. */
export function worstAlerts(alerts: Iterable<AlertEntry>): Map<string, DeviceAlerts> {
  const worst = new Map<string, DeviceAlerts>();
  for (const alert of alerts) {
    if (alert.device === '' || alert.state === 'pending' || alert.state === 'resolved') continue;
    const key = deviceKey(alert.site, alert.device);
    const known = worst.get(key);
    const look = lookOf(alert);
    const order = known === undefined ? 1 : worse(alert.severity, look, known);
    if (order === 0 && known !== undefined) known.count++;
    if (order <= 0) continue;
    const { severity, title, titleKo } = alert;
    worst.set(key, { severity, look, count: 1, title, titleKo });
  }
  return worst;
}

export function deviceKey(site: string, device: string): string {
  return `${site}\0${device}`;
}

function lookOf({ state, silence, inhibitedBy }: AlertEntry): AlertLook {
  if (silence !== '' || inhibitedBy !== '') return 'quiet';
  return state === 'firing' ? 'loud' : 'seen';
}

/** Above 0: worse than what is known. */
function worse(severity: AlertSeverity, look: AlertLook, known: DeviceAlerts): number {
  return (
    ALERT_LOOKS.indexOf(known.look) - ALERT_LOOKS.indexOf(look) ||
    ALERT_SEVERITIES.indexOf(severity) - ALERT_SEVERITIES.indexOf(known.severity)
  );
}

/** Of the newest values: how many say that a person is needed, and how many are of bad quality. */
export function valueNeeds(
  channels: Iterable<[string, ChannelState]>,
  attentionWhen: (channel: string) => number | null,
): { attention: number; bad: number } {
  let attention = 0;
  let bad = 0;
  for (const [channel, { value, quality }] of channels) {
    if (value !== null && value === attentionWhen(channel)) attention++;
    if ((quality & 3) === BAD) bad++;
  }
  return { attention, bad };
}
