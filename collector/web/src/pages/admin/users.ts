/** What the page must know of users. Pure. */

import { EVERY_SITE } from './grants.ts';
import type { User } from './types.ts';

/** The one without whom nobody could make users any more: the collector keeps them as they are. */
export function isLastAdmin(user: User, users: readonly User[]): boolean {
  const isAdmin = ({ grants, disabled }: User): boolean =>
    !disabled && grants.some(({ site, role }) => site === EVERY_SITE && role === 'admin');
  return isAdmin(user) && users.filter(isAdmin).length === 1;
}
