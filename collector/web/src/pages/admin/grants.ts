/** Grants as a form holds them. Pure. */

import type { Grant, Role } from '../../api/types.ts';

export const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];
export const EVERY_SITE = '*';

/** Those of every site first, then by site. */
export function sortedGrants(grants: readonly Grant[]): Grant[] {
  const place = ({ site }: Grant): string => (site === EVERY_SITE ? '' : site);
  return grants.toSorted((a, b) => (place(a) < place(b) ? -1 : 1));
}

/** With another role at a site; null: none there. */
export function withGrant(grants: readonly Grant[], site: string, role: Role | null): Grant[] {
  const others = grants.filter((grant) => grant.site !== site);
  return sortedGrants(role === null ? others : [...others, { site, role }]);
}

/** Sites to choose from: every one, those that are known, and those that are granted and known no more. */
export function sitesToGrant(known: readonly string[], grants: readonly Grant[]): string[] {
  const granted = grants.map(({ site }) => site).filter((site) => site !== EVERY_SITE);
  return [EVERY_SITE, ...new Set([...known, ...granted].toSorted())];
}

/** The highest role that `own` holds at a site; undefined: none. A token may have no higher one. */
export function roleAt(own: readonly Grant[], site: string): Role | undefined {
  const held = own.filter((grant) => grant.site === site || grant.site === EVERY_SITE);
  return ROLES.findLast((role) => held.some((grant) => grant.role === role));
}
