/** Policies as numbers: of several findings of a reading the strictest policy decides. */

import type { Policy } from '../../profile.ts';

export const PolicyRank = {
  keep: 0,
  flag: 1,
  clip: 2,
  fill: 3,
  quarantine: 4,
} as const satisfies Record<Policy, number>;
export type PolicyRank = (typeof PolicyRank)[Policy];

/** The rank of a policy where there is no bound to clip to. */
export function withoutClip(policy: Policy): PolicyRank {
  return policy === 'clip' ? PolicyRank.flag : PolicyRank[policy];
}

/** The rank of a policy about the reading's time: another value would not mend that. */
export function aboutTime(policy: Policy): PolicyRank {
  return policy === 'clip' || policy === 'fill' ? PolicyRank.flag : PolicyRank[policy];
}
