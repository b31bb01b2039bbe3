/** How long certificates go on. Agents renew them by themselves, so one that is nearly over says that they cannot. */

import type { Level } from '../../../ui/level.ts';

/** Agents renew when a third is left: with so little something keeps this one from it. The collector says the same. */
const NEAR_SHARE = 1 / 6;

export type Validity = 'good' | 'near' | 'ended';

export function validityOf(
  { not_before_ms, not_after_ms }: { not_before_ms: number; not_after_ms: number },
  nowMs: number,
): Validity {
  if (nowMs >= not_after_ms) return 'ended';
  const nearMs = (not_after_ms - not_before_ms) * NEAR_SHARE;
  return not_after_ms - nowMs < nearMs ? 'near' : 'good';
}

export const LEVEL_OF: Readonly<Record<Validity, Level>> = {
  good: 'calm',
  near: 'warn',
  ended: 'bad',
};
