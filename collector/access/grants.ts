/** Grants as texts carry them, and how they are bounded by others. Pure. */

import type { Grant, Role } from './principal.ts';
import { EVERY_SITE, mayAt, ROLES } from './principal.ts';

/** Of one user or token. */
export const GRANTS_MAX = 200;

/** What an entry or a request says, as far as it is grants: one a site, the highest role of it, by site. */
export function readGrants(said: unknown): Grant[] {
  const bySite = new Map<string, Role>();
  for (const one of Array.isArray(said) ? said.slice(0, GRANTS_MAX) : []) {
    const { site, role } = (one ?? {}) as Partial<Record<'site' | 'role', unknown>>;
    if (typeof site !== 'string' || site === '' || !isRole(role)) continue;
    const known = bySite.get(site);
    if (known === undefined || ROLES.indexOf(role) > ROLES.indexOf(known)) bySite.set(site, role);
  }
  return [...bySite]
    .map(([site, role]) => ({ site, role }))
    .sort((a, b) => (a.site < b.site ? -1 : a.site > b.site ? 1 : 0));
}

/**
 * As much of `wanted` as `owned` allows: at no site a higher role than there. A grant for every site that is
 * owned only at some becomes one for each of these.
 */
export function grantsWithin(wanted: readonly Grant[], owned: readonly Grant[]): Grant[] {
  const within: Grant[] = [];
  for (const { site, role } of wanted) {
    const sites = site === EVERY_SITE ? [EVERY_SITE, ...owned.map((grant) => grant.site)] : [site];
    for (const at of new Set(sites)) {
      const held = ROLES.findLast(
        (one) => ROLES.indexOf(one) <= ROLES.indexOf(role) && mayAt({ grants: owned }, one, at),
      );
      if (held !== undefined) within.push({ site: at, role: held });
    }
  }
  return readGrants(within);
}

/** Nothing of it is more than `owned`. */
export function areWithin(wanted: readonly Grant[], owned: readonly Grant[]): boolean {
  return wanted.every(({ site, role }) => mayAt({ grants: owned }, role, site));
}

export function isRole(said: unknown): said is Role {
  return ROLES.some((role) => role === said);
}
