/** Words of alerts that several parts share. */

import type { AlertSeverity } from './profile.ts';

/** Mildest first. */
export const ALERT_SEVERITIES: readonly AlertSeverity[] = ['INFO', 'WARNING', 'ERROR', 'CRITICAL'];

/** Below 0: `a` is milder than `b`. */
export function compareSeverity(a: AlertSeverity, b: AlertSeverity): number {
  return ALERT_SEVERITIES.indexOf(a) - ALERT_SEVERITIES.indexOf(b);
}
