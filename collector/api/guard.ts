/**
 * Nobody reaches a handler without the role that its route names (`config.access`), and nothing that is audited
 * happens before its entry is durable. In this order: who asks, how often, whether a page of another origin makes
 * the browser ask, the role; then the schemas of the route, and the audit log.
 */

import { timingSafeEqual } from 'node:crypto';
import fastifyCookie from '@fastify/cookie';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { NOBODY } from '../access/access.ts';
import type { Principal } from '../access/principal.ts';
import { mayEverywhere, maySomewhere } from '../access/principal.ts';
import { csrfOf } from '../access/sessions.ts';
import { CollectorError } from '../errors.ts';
import type { RouteAccess } from './access.ts';
import { statusOf } from './api_error.ts';
import { deedOf, recordDeed } from './audited.ts';
import type { ApiContext } from './context.ts';
import type { Identity } from './identity.ts';
import { identify, isOwnOrigin } from './identity.ts';
import type { Limiter, RateLimits } from './rate_limits.ts';
import { rateLimiter } from './rate_limits.ts';
import { Refusals } from './refusals.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** For routes of which only some requests are dear. Rejects with TooMany. */
    limitCaller: Limiter;
  }
  interface FastifyRequest {
    /** Undefined: a route that is open to all was asked with something that is not good, see `identityError`. */
    identity: Identity | undefined;
    identityError: unknown;
    /** The deed is in the audit log. */
    isRecorded: boolean;
  }
}

const SAFE = ['GET', 'HEAD', 'OPTIONS'];
const WITH_BODY = ['POST', 'PUT', 'PATCH'];
const REFUSED = ['API_UNAUTHENTICATED', 'API_FORBIDDEN', 'API_CSRF', 'API_PASSWORD_CHANGE'];

/** Before the routes: their `onRequest` hooks run after this one. */
export async function guardRoutes(
  app: FastifyInstance,
  context: ApiContext,
  rateLimits?: RateLimits,
): Promise<void> {
  await app.register(fastifyCookie);
  // Never read so: the first hook below sets it at each request.
  app.decorateRequest('principal', undefined as unknown as Principal);
  app.decorateRequest('identity', undefined);
  app.decorateRequest('identityError', undefined);
  app.decorateRequest('isRecorded', false);
  const limit = await rateLimiter(app, rateLimits);
  app.decorate('limitCaller', limit);
  const refusals = new Refusals(context.clock);
  app.addHook('onRequest', async (request) => {
    const { role, ...access } = accessOf(request, context);
    tryToIdentify(request, context);
    if (request.routeOptions.config.unlimited !== true) await limit(request, 'general');
    if (access.limit !== undefined) await limit(request, access.limit);
    if (role !== 'public' && request.identity === undefined) throw request.identityError;
    if (!SAFE.includes(request.method)) refuseForged(request, role === 'public');
    if (role === 'public') return;
    const { principal } = request;
    const isPassedOn = access.member === true && principal.kind === 'member';
    const may = access.everywhere === true ? mayEverywhere : maySomewhere;
    const mayAsk =
      role === 'known' ? principal.kind !== 'anonymous' : may(principal, role) || isPassedOn;
    if (!mayAsk) throw refusalOf(request, role, access.everywhere === true);
    noteUse(request, context);
    if (role !== 'known' && request.identity?.login?.session.user.mustChange === true)
      throw new CollectorError('API_PASSWORD_CHANGE', `the password of ${principal.name}`);
  });
  app.addHook('preHandler', async (request) => {
    const { audit } = request.routeOptions.config.access ?? {};
    if (audit === undefined) return;
    await recordDeed(request, context, deedOf(request, audit));
    request.isRecorded = true;
  });
  app.addHook('onError', async (request, _reply, error) => {
    await recordRefusal(request, context, refusals, error);
  });
}

/** Pages are for all; what they ask of the API is not. */
export function accessOf(
  request: Pick<FastifyRequest, 'routeOptions' | 'is404' | 'url'>,
  { access: { policy } }: Pick<ApiContext, 'access'>,
): RouteAccess {
  const { url = '', config } = request.routeOptions;
  if (request.is404) return { role: 'public' };
  if (url === '/metrics') return { role: policy.metrics === 'token' ? 'viewer' : 'public' };
  return config.access ?? { role: url.startsWith('/api/') ? 'viewer' : 'public' };
}

function tryToIdentify(request: FastifyRequest, context: ApiContext): void {
  request.principal = NOBODY;
  try {
    request.identity = identify(request, context);
    request.principal = request.identity.principal;
  } catch (error) {
    request.identityError = error;
  }
}

/** Throws API_CONTENT_TYPE, or API_CSRF for what a page of another origin can make a browser send. */
function refuseForged(request: FastifyRequest, isPublic: boolean): void {
  const { headers, method, identity } = request;
  if (identity?.isExplicit !== true && !isOwnOrigin(request))
    throw new CollectorError('API_CSRF', 'asked by a page of another origin');
  const login = identity?.login;
  if (login !== undefined && !isPublic && !isSame(headers['x-csrf-token'], csrfOf(login.secret)))
    throw new CollectorError('API_CSRF', 'x-csrf-token is missing, or not of this session');
  if (!WITH_BODY.includes(method)) return;
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json')
    throw new CollectorError('API_CONTENT_TYPE', `content-type is ${type ?? 'missing'}`);
}

function refusalOf({ principal }: FastifyRequest, role: string, everywhere: boolean): Error {
  const what = `${role}${everywhere ? ' of every site' : ''}`;
  return principal.kind === 'anonymous'
    ? new CollectorError('API_UNAUTHENTICATED', 'needs a login')
    : new CollectorError('API_FORBIDDEN', `${principal.name} is not ${what}`);
}

function noteUse({ identity }: FastifyRequest, { access }: ApiContext): void {
  if (identity?.login !== undefined) access.opened.sessions.use(identity.login.session);
  if (identity?.token !== undefined) access.opened.tokens.use(identity.token);
}

/**
 * Of those that are known, and of others when they wanted to change something: a page that is opened without login
 * is nothing to write down. Failing to write it down changes nothing: it is refused already.
 */
async function recordRefusal(
  request: FastifyRequest,
  context: ApiContext,
  refusals: Refusals,
  error: unknown,
): Promise<void> {
  if (!(error instanceof CollectorError)) return;
  const { principal, method, routeOptions, ip, isRecorded } = request;
  const isRefused = REFUSED.includes(error.code);
  const isDeedRefused = isRecorded && statusOf(error.code) < 500;
  if (!isRefused && !isDeedRefused) return;
  const isKnown = principal.kind === 'user' || principal.kind === 'token';
  const isTokenWrong = request.headers.authorization !== undefined;
  if (!isKnown && !isTokenWrong && !isDeedRefused && SAFE.includes(method)) return;
  const leftOut = refusals.admit(isKnown ? principal.name : ip);
  if (leftOut === undefined) return;
  const {
    action = 'session.refused',
    site = '',
    target = '',
  } = isDeedRefused ? deedOf(request, 'session.refused') : {};
  const asked = `${method} ${routeOptions.url ?? ''}`;
  const more = leftOut === 0 ? {} : { left_out_before: leftOut };
  const detail = { asked, code: error.code, ...more };
  await recordDeed(request, context, { action, site, target, detail }).catch(() => undefined);
}

function isSame(sent: unknown, expected: string): boolean {
  const a = Buffer.from(typeof sent === 'string' ? sent : '');
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}
