/** Who asks, and what they may. Pure: nothing here knows HTTP, cookies or files. */

/** Each may also what those before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Every site, also those that come later. */
export const EVERY_SITE = '*';

export interface Grant {
  /** Name of a site, or EVERY_SITE. */
  site: string;
  role: Role;
}

/**
 * user: logged in. token: an API token. local: the command line on this machine (or, if `access.this_machine` says
 * so, anybody there). anonymous: nobody that is known. member: another process of the same log, for somebody of
 * whom it knows that.
 */
export type PrincipalKind = 'user' | 'token' | 'local' | 'anonymous' | 'member';

export interface Principal {
  kind: PrincipalKind;
  /** Name of the user; of a token `user/token name`; 'local', 'anonymous' and 'member' for the others. */
  name: string;
  grants: readonly Grant[];
}

/** Holds the role, or a higher one, at this site. */
export function mayAt({ grants }: Pick<Principal, 'grants'>, role: Role, site: string): boolean {
  return grants.some(
    (grant) => isAtLeast(grant.role, role) && (grant.site === EVERY_SITE || grant.site === site),
  );
}

/** Holds the role, or a higher one, at every site: what is not of one site needs it. */
export function mayEverywhere(principal: Pick<Principal, 'grants'>, role: Role): boolean {
  return mayAt(principal, role, EVERY_SITE);
}

/** Holds the role, or a higher one, at some site. */
export function maySomewhere({ grants }: Pick<Principal, 'grants'>, role: Role): boolean {
  return grants.some((grant) => isAtLeast(grant.role, role));
}

/** The sites where the role, or a higher one, is held; undefined: every site. */
export function sitesOf(
  { grants }: Pick<Principal, 'grants'>,
  role: Role,
): ReadonlySet<string> | undefined {
  const holding = grants.filter((grant) => isAtLeast(grant.role, role));
  if (holding.some(({ site }) => site === EVERY_SITE)) return undefined;
  return new Set(holding.map(({ site }) => site));
}

function isAtLeast(role: Role, wanted: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(wanted);
}
