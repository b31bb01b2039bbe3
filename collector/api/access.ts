/**
 * What routes say and ask about who may what. A route without `config.access` needs role viewer somewhere and
 * is not audited. The guard (collector/api/guard.ts) has made sure of the role before a handler runs; which sites
 * it holds for is the handler's to ask, by these functions.
 */

import type { FastifyRequest } from 'fastify';
import type { AuditAction } from '../access/audit.ts';
import type { Principal, Role } from '../access/principal.ts';
import { mayAt, mayEverywhere, sitesOf } from '../access/principal.ts';
import { CollectorError } from '../errors.ts';
import type { RateLimitName } from './rate_limits.ts';

export interface RouteAccess {
  /**
   * The least role. 'public': anybody, without login. 'known': whoever has logged in or shows a token, without any
   * grant, and while the password is to be changed.
   */
  role: Role | 'public' | 'known';
  /** The role must be held at every site: what it does is of no single one. */
  everywhere?: boolean;
  /**
   * Recorded by the guard before the handler runs, with the parameters of path, query and body (secrets left out);
   * a refusal by the handler is recorded after it. Handlers that know more record it themselves.
   */
  audit?: AuditAction;
  /**
   * Other processes of the log pass it on, for somebody who may. Elsewhere they may look, and no more: their secrets
   * can be read by who can read topic `control`.
   */
  member?: boolean;
  /** A bound of its own, beside the general one. */
  limit?: RateLimitName;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess;
    /** May be asked as often as one likes: for those that watch over the collector. */
    unlimited?: boolean;
  }
  interface FastifyRequest {
    /** Set by the guard before any handler or validation. */
    principal: Principal;
  }
}

/** Throws API_FORBIDDEN (403) when the caller does not hold the role at the site. */
export function requireAt({ principal }: FastifyRequest, role: Role, site: string): void {
  if (!mayAt(principal, role, site))
    throw new CollectorError('API_FORBIDDEN', `${principal.name} is not ${role} of site ${site}`);
}

/**
 * The same of one thing that was found by its id: who may not even see its site hears API_NOT_FOUND (404), as if
 * there were none.
 */
export function requireOf(request: FastifyRequest, role: Role, site: string, what: string): void {
  if (!maySee(request, site)) throw new CollectorError('API_NOT_FOUND', `no such ${what}`);
  requireAt(request, role, site);
}

/** Throws API_FORBIDDEN (403) when the caller does not hold the role at every site. */
export function requireEverywhere({ principal }: FastifyRequest, role: Role): void {
  if (!mayEverywhere(principal, role))
    throw new CollectorError('API_FORBIDDEN', `${principal.name} is not ${role} of every site`);
}

/** What a caller may see: lists leave out the rest. Undefined: every site. */
export function visibleSites({ principal }: FastifyRequest): ReadonlySet<string> | undefined {
  return sitesOf(principal, 'viewer');
}

/** Whether a site is among those that visibleSites() answered. */
export function isAmong(sites: ReadonlySet<string> | undefined, site: string): boolean {
  return sites === undefined || sites.has(site);
}

/** The same for one site. */
export function maySee({ principal }: FastifyRequest, site: string): boolean {
  return mayAt(principal, 'viewer', site);
}

/** Who decides something: of users and tokens their name, whatever they say; others may say who it is. */
export function deciderOf({ principal }: FastifyRequest, said: string): string {
  return principal.kind === 'user' || principal.kind === 'token' ? principal.name : said;
}

/** SQL condition on a column `site`, with its parameters; undefined: all may be seen. */
export function siteCondition(
  sites: ReadonlySet<string> | undefined,
  column = 'site',
): { where: string; params: Record<string, unknown> } | undefined {
  if (sites === undefined) return undefined;
  return {
    where: `${column} IN {visible_sites:Array(String)}`,
    params: { visible_sites: [...sites] },
  };
}
