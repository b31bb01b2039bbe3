/** The parts of the page Administration, and who may see which. */

import type { Permissions } from '../../app/session.ts';

export const SECTIONS = ['users', 'tokens', 'gateways', 'profiles', 'audit', 'me'] as const;
export type Section = (typeof SECTIONS)[number];

/**
 * Admins of every site have all. Those of some have the gateways there; who is none looks after the own tokens and
 * account; who has not logged in has none.
 */
export function sectionsFor({
  mayEverywhere,
  maySomewhere,
  isLoggedIn,
}: Pick<Permissions, 'mayEverywhere' | 'maySomewhere' | 'isLoggedIn'>): readonly Section[] {
  if (mayEverywhere('admin'))
    return isLoggedIn ? SECTIONS : SECTIONS.filter((section) => section !== 'me');
  if (!isLoggedIn) return [];
  return maySomewhere('admin') ? ['tokens', 'gateways', 'me'] : ['tokens', 'me'];
}

/** Of the address; the first one where it names none. Undefined: it names one that is not there, or is not for them. */
export function sectionOf(path: string, allowed: readonly Section[]): Section | undefined {
  const [, , named = '', ...rest] = path.split('/');
  if (named === '') return allowed[0];
  return rest.every((part) => part === '') ? allowed.find((one) => one === named) : undefined;
}
