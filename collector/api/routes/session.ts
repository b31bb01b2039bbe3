/** /api/v1/session: who asks, to log in and out, and to change the own password. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PASSWORD_CHARS_MAX } from '../../access/passwords.ts';
import { ROLES } from '../../access/principal.ts';
import { csrfOf } from '../../access/sessions.ts';
import type { User } from '../../access/users.ts';
import { principalOfUser } from '../../access/users.ts';
import { CollectorError } from '../../errors.ts';
import { TooMany } from '../api_error.ts';
import { recordDeed } from '../audited.ts';
import type { ApiContext } from '../context.ts';
import { SESSION_COOKIE } from '../identity.ts';
import { NAME, nullable, object, query, TIME_MS } from '../schemas.ts';

/** In a request; counted in UTF-16 units here, in characters by passwordProblem(). */
export const PASSWORD = {
  type: 'string',
  minLength: 1,
  maxLength: 2 * PASSWORD_CHARS_MAX,
  examples: ['correct horse battery'],
} as const;

export const GRANTS = {
  type: 'array',
  items: object({
    site: { ...NAME, description: 'Name of a site; `*`: every one, also those to come.' },
    role: { enum: ROLES, description: 'Each may also what those before it may.' },
  }),
} as const;

const SESSION = object({
  user: object({
    kind: {
      enum: ['user', 'token', 'local', 'anonymous', 'member'],
      description:
        'user: logged in; token: an API token; local: this machine; anonymous: without login; member: another process.',
    },
    name: { type: 'string' },
    grants: GRANTS,
    language: { enum: ['en', 'ko', null] },
  }),
  csrf: nullable({
    type: 'string',
    description:
      'To be sent as x-csrf-token with all that changes something. Null: there is no cookie.',
  }),
  expires_ms: nullable({ ...TIME_MS, description: 'When the login ends if nothing uses it.' }),
  must_change_password: {
    type: 'boolean',
    description: 'Nothing but POST /api/v1/session/password is allowed until then.',
  },
});

interface Login {
  name: string;
  password: string;
}

export function sessionRoutes(app: FastifyInstance, context: ApiContext): void {
  const { access } = context;
  app.get(
    '/api/v1/session',
    {
      config: { access: { role: 'public' } },
      schema: {
        summary: 'Who asks, and what they may',
        querystring: query({}),
        response: { 200: SESSION },
      },
    },
    async (request) => {
      const { identity, principal } = request;
      if (identity === undefined) throw request.identityError;
      if (principal.kind === 'anonymous' && principal.grants.length === 0)
        throw new CollectorError('API_UNAUTHENTICATED', 'nobody is logged in');
      const { login } = identity;
      if (login === undefined)
        return {
          user: { ...principal, language: null },
          csrf: null,
          expires_ms: null,
          must_change_password: false,
        };
      return sessionItem(login.session.user, login.secret, login.session.expiresMs);
    },
  );
  app.post<{ Body: Login }>(
    '/api/v1/session',
    {
      config: { access: { role: 'public', limit: 'logins' } },
      schema: {
        summary: 'Logs in',
        description:
          'Answers the cookie fms_session. After a few wrong passwords for a name, or from an address, the next ones must wait: 429 with retry-after.',
        querystring: query({}),
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['name', 'password'],
          properties: { name: NAME, password: PASSWORD },
        },
        response: { 201: SESSION },
      },
    },
    async (request, reply) => {
      const user = await logIn(request, context);
      const { session, secret } = await beginSession(request, reply, context, user);
      return reply.code(201).send(sessionItem(session.user, secret, session.expiresMs));
    },
  );
  app.delete(
    '/api/v1/session',
    {
      config: { access: { role: 'known' } },
      schema: {
        summary: 'Logs out',
        querystring: query({}),
        response: { 204: { type: 'null' } },
      },
    },
    async (request, reply) => {
      const login = request.identity?.login;
      if (login === undefined)
        throw new CollectorError('API_PARAMETER_INVALID', 'there is no login to end');
      await recordDeed(request, context, { action: 'session.logout' });
      await access.opened.sessions.end(login.session.id);
      return reply.clearCookie(SESSION_COOKIE, { path: '/' }).code(204).send();
    },
  );
  app.post<{ Body: { current: string; next: string } }>(
    '/api/v1/session/password',
    {
      config: { access: { role: 'known', limit: 'logins' } },
      schema: {
        summary: 'Changes the own password',
        description:
          'All sessions of the user end; this one goes on with a new cookie, and a new csrf: ask GET /api/v1/session.',
        querystring: query({}),
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['current', 'next'],
          properties: { current: PASSWORD, next: PASSWORD },
        },
        response: { 204: { type: 'null' } },
      },
    },
    async (request, reply) => {
      const login = request.identity?.login;
      if (login === undefined)
        throw new CollectorError('API_PARAMETER_INVALID', 'a token has no password');
      const { name } = login.session.user;
      const { current, next } = request.body;
      if (current === next)
        throw new CollectorError('API_PASSWORD_REFUSED', 'it is the one that there is');
      if ((await verified(request, context, { name, password: current })) === undefined)
        throw new CollectorError('API_PASSWORD_REFUSED', 'the current password is wrong');
      const { users, sessions } = access.opened;
      await recordDeed(request, context, { action: 'user.password', target: name });
      await users.setPassword(name, next);
      const user = users.get(name);
      if (user !== undefined) await beginSession(request, reply, context, user);
      else await sessions.endAllOf(name);
      return reply.code(204).send();
    },
  );
}

/** Rejects with API_LOGIN_REFUSED or TooMany. */
async function logIn(request: FastifyRequest<{ Body: Login }>, context: ApiContext): Promise<User> {
  const { name } = request.body;
  const user = await verified(request, context, request.body);
  if (user === undefined) {
    await recordDeed(request, context, { action: 'session.login_refused', target: name });
    throw new CollectorError('API_LOGIN_REFUSED', 'name or password are wrong');
  }
  // Who logs in is the user from here on.
  request.principal = principalOfUser(user);
  await recordDeed(request, context, { action: 'session.login', target: user.name });
  return user;
}

/** Undefined: wrong. Rejects with TooMany, also when another attempt must wait. */
async function verified(
  { ip }: FastifyRequest,
  { access, clock }: ApiContext,
  { name, password }: Login,
): Promise<User | undefined> {
  const { users } = access.opened;
  const known = name.normalize('NFC');
  const waitMs = access.throttle.begin(known, ip, clock.wallMs());
  if (waitMs > 0) throw new TooMany('too many wrong passwords', waitMs / 1_000);
  let user: User | undefined;
  try {
    user = await users.verify(known, password);
  } catch (error) {
    access.throttle.undo(known, ip);
    throw error;
  }
  if (user !== undefined) access.throttle.succeeded(known, ip);
  return user;
}

/** The one that the browser had is over: a cookie that was planted before the login is worth nothing after it. */
async function beginSession(
  request: FastifyRequest,
  reply: FastifyReply,
  { access }: ApiContext,
  user: User,
): Promise<{
  session: NonNullable<ReturnType<ApiContext['access']['opened']['sessions']['find']>>;
  secret: string;
}> {
  const { sessions, users } = access.opened;
  const before = request.identity?.login?.session.id;
  const { secret, id } = await sessions.begin(user);
  if (before !== undefined) await sessions.end(before);
  await users.noteLogin(user.name);
  const session = sessions.find(id);
  if (session === undefined)
    throw new CollectorError('API_NOT_READY', 'the session is not known here yet');
  reply.setCookie(SESSION_COOKIE, secret, {
    path: '/',
    httpOnly: true,
    sameSite: 'strict',
    secure: request.protocol === 'https',
    maxAge: Math.floor(access.policy.session.longestMs / 1_000),
  });
  return { session, secret };
}

function sessionItem(user: User, secret: string, expiresMs: number): object {
  const { name, grants, language, mustChange } = user;
  return {
    user: { kind: 'user', name, grants, language: language ?? null },
    csrf: csrfOf(secret),
    expires_ms: Math.floor(expiresMs),
    must_change_password: mustChange,
  };
}
