/** What is to be told of an alert to one who was told this much before. Pure. */

import { compareSeverity } from '../alert.ts';
import type { AlertEntry } from '../processor/outputs/alert.ts';
import type { AlertSeverity } from '../profile.ts';
import type { NoticeKind } from './notifier.ts';

/** What a receiver has been told of an alert last. */
export interface Told {
  version: number;
  severity: AlertSeverity;
  acknowledged: boolean;
  resolved: boolean;
  /** It could not be told: given up or refused. Counts as told, except that its end is not told. */
  lost: boolean;
}

/** What is to be told and has not been yet. */
export interface Waiting {
  kind: NoticeKind;
  /** UTC ms at which the first of what waits came. */
  sinceMs: number;
}

/** Where one receiver stands with one alert. */
export interface Receiving {
  told: Told | undefined;
  waiting: Waiting | undefined;
}

export interface Preferences {
  acknowledged: boolean;
  resolved: boolean;
  lowered: boolean;
}

/** An alert that began and ended unheard is not told of when its end is so long ago. */
const STALE_MS = 3_600_000;

/** It makes no messages now. */
export function isQuiet(alert: AlertEntry): boolean {
  return alert.state === 'pending' || alert.silence !== '' || alert.inhibitedBy !== '';
}

/** The kind of message that is due now; undefined: none. */
export function noticeFor(
  alert: AlertEntry,
  { told, waiting }: Receiving,
  wants: Preferences,
  nowMs: number,
): NoticeKind | undefined {
  if (isQuiet(alert)) return undefined;
  if (alert.state === 'resolved') {
    if (told !== undefined)
      return wants.resolved && !told.resolved && !told.lost ? 'resolved' : undefined;
    // It was to be told and is over: one message that says both, unless nobody cares any more.
    const isFresh = nowMs - alert.resolvedMs <= STALE_MS;
    return waiting !== undefined && isFresh ? 'resolved' : undefined;
  }
  const acknowledged = alert.state === 'acknowledged';
  if (told === undefined || told.resolved) {
    if (!acknowledged) return 'firing';
    return wants.acknowledged ? 'acknowledged' : undefined;
  }
  const change = compareSeverity(alert.severity, told.severity);
  if (change > 0) return 'raised';
  if (change < 0 && wants.lowered) return 'lowered';
  return acknowledged && !told.acknowledged && wants.acknowledged ? 'acknowledged' : undefined;
}

/** After the receiver got the alert as it is here. */
export function toldOf(alert: AlertEntry, lost: boolean): Told {
  return {
    version: alert.version,
    severity: alert.severity,
    acknowledged: alert.state === 'acknowledged',
    resolved: alert.state === 'resolved',
    lost,
  };
}
