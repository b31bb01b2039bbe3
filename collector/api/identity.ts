/** Who asks: by what a request carries, and by where it comes from. */

import type { FastifyRequest } from 'fastify';
import { everywhere } from '../access/access.ts';
import { LOCAL_PREFIX } from '../access/local_token.ts';
import type { Principal } from '../access/principal.ts';
import type { Session } from '../access/sessions.ts';
import { sessionId } from '../access/sessions.ts';
import { principalOfUser } from '../access/users.ts';
import { CollectorError } from '../errors.ts';
import type { ApiContext } from './context.ts';
import { isFromMember } from './peers.ts';

export const SESSION_COOKIE = 'fms_session';

const PROXY_HEADERS = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;
const OWN_ORIGIN = ['same-origin', 'none'];

export interface Identity {
  principal: Principal;
  /** Of a login; with the cookie's secret. */
  login: { session: Session; secret: string } | undefined;
  /** The API token. */
  token: string | undefined;
  /** It carried a secret that no other origin's page can make a browser send. */
  isExplicit: boolean;
}

/**
 * Looks only: nothing counts as a use. Throws API_UNAUTHENTICATED for a bearer token that is not good (a cookie
 * that is over is as none), and API_NOT_READY while users are not known.
 */
export function identify(
  request: FastifyRequest,
  { access, peers }: Pick<ApiContext, 'access' | 'peers'>,
): Identity {
  const none = { login: undefined, token: undefined };
  if (isFromMember(request, peers))
    return { ...none, principal: everywhere('member', 'viewer'), isExplicit: true };
  const bearer = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer?.startsWith(LOCAL_PREFIX) === true) {
    if (!access.isLocalToken(bearer) || !isFromHere(request))
      throw new CollectorError('API_UNAUTHENTICATED', 'not the local token of this machine');
    return { ...none, principal: everywhere('local', 'admin'), isExplicit: true };
  }
  if (bearer !== undefined) {
    const principal = access.opened.tokens.principal(bearer);
    if (principal === undefined)
      throw new CollectorError('API_UNAUTHENTICATED', 'the token is unknown, expired or ended');
    return { ...none, principal, token: bearer, isExplicit: true };
  }
  const secret = request.cookies[SESSION_COOKIE];
  const session = secret === undefined ? undefined : access.opened.sessions.find(sessionId(secret));
  if (secret !== undefined && session !== undefined) {
    const principal = principalOfUser(session.user);
    return { ...none, principal, login: { session, secret }, isExplicit: false };
  }
  const { thisMachine, anonymous } = access.policy;
  const principal =
    thisMachine !== 'none' && isThisMachine(request)
      ? everywhere('local', thisMachine)
      : everywhere('anonymous', anonymous);
  return { ...none, principal, isExplicit: false };
}

/** A page of ours, or no page at all, as far as the browser says. */
export function isOwnOrigin({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  return site === undefined || OWN_ORIGIN.includes(String(site));
}

/** From a loopback address, not through a proxy, and never from a page of another origin. */
function isThisMachine(request: FastifyRequest): boolean {
  if (!isLoopback(request.socket.remoteAddress ?? '')) return false;
  if (PROXY_HEADERS.some((name) => request.headers[name] !== undefined)) return false;
  return isOwnOrigin(request);
}

/** Also at an address that is no loopback, when the collector listens at no other. */
function isFromHere(request: FastifyRequest): boolean {
  if (PROXY_HEADERS.some((name) => request.headers[name] !== undefined)) return false;
  const { remoteAddress, localAddress } = request.socket;
  return isLoopback(remoteAddress ?? '') || (remoteAddress ?? '?') === localAddress;
}

/** 127.0.0.0/8 and ::1, also in the form in which IPv6 sockets show IPv4 peers. */
export function isLoopback(address: string): boolean {
  const plain = address.toLowerCase().replace(/^::ffff:/, '');
  return plain === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
}
