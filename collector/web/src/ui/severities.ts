/** How bad alerts are, as data. As words on the page: severity.tsx. */

import type { Severity } from '../api/types.ts';

/** Mildest first. */
export const SEVERITIES: readonly Severity[] = ['INFO', 'WARNING', 'ERROR', 'CRITICAL'];
export const SHAPES: Record<Severity, string> = {
  INFO: '○',
  WARNING: '▲',
  ERROR: '◆',
  CRITICAL: '■',
};

/** loud: nobody cares for it yet. seen: somebody does. quiet: over, or makes no messages. */
export type Look = 'loud' | 'seen' | 'quiet';

/** Above 0: `a` is milder than `b`. */
export function compareSeverity(a: Severity, b: Severity): number {
  return SEVERITIES.indexOf(b) - SEVERITIES.indexOf(a);
}

/** Groups, severest first. */
export function bySeverity<T extends { severity: Severity }>(
  alerts: readonly T[],
): [Severity, T[]][] {
  return [...Map.groupBy(alerts, ({ severity }) => severity)].sort(([a], [b]) =>
    compareSeverity(a, b),
  );
}
