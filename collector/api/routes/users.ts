/** /api/v1/users: who may log in, and what they may. */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GRANTS_MAX, readGrants } from '../../access/grants.ts';
import type { Grant } from '../../access/principal.ts';
import type { Language } from '../../access/users.ts';
import { USERS_MAX } from '../../access/users.ts';
import { CollectorError } from '../../errors.ts';
import { requireEverywhere } from '../access.ts';
import { recordDeed } from '../audited.ts';
import type { ApiContext } from '../context.ts';
import { COUNT, NAME, nullable, object, query, TIME_MS } from '../schemas.ts';
import { GRANTS, PASSWORD } from './session.ts';

const USER = object({
  name: NAME,
  grants: GRANTS,
  disabled: { type: 'boolean' },
  must_change_password: { type: 'boolean' },
  created_ms: TIME_MS,
  changed_ms: TIME_MS,
  last_login_ms: nullable({ ...TIME_MS, description: 'Null: never.' }),
  sessions: { ...COUNT, description: 'That are not over.' },
});

const ASKED_GRANTS = {
  type: 'array',
  maxItems: GRANTS_MAX,
  items: {
    ...GRANTS.items,
    properties: { site: NAME, role: { type: 'string', enum: ['viewer', 'operator', 'admin'] } },
  },
};

/** `password`: null when none was made up; otherwise it is in no other answer. */
const MADE = object({
  name: NAME,
  password: nullable({
    type: 'string',
    description: 'Made up, and said this once: to be changed at the first login. Null: none was.',
  }),
});

const ADMIN = { role: 'admin', everywhere: true } as const;
const PARAMS = object({ name: NAME });

interface Change {
  grants?: Grant[];
  disabled?: boolean;
  new_password?: boolean;
  language?: Language | null;
}

export function userRoutes(app: FastifyInstance, context: ApiContext): void {
  const { access } = context;
  app.get(
    '/api/v1/users',
    {
      config: { access: ADMIN },
      schema: {
        summary: 'Users, by name',
        description: `All of them: there are at most ${USERS_MAX}.`,
        querystring: query({}),
        response: {
          200: object({ items: { type: 'array', items: USER }, next: { type: 'null' } }),
        },
      },
    },
    async () => {
      const { users, sessions } = access.opened;
      const counts = sessions.counts();
      const items = users.all().map((user) => ({
        name: user.name,
        grants: user.grants,
        disabled: user.disabled,
        must_change_password: user.mustChange,
        created_ms: user.createdMs,
        changed_ms: user.changedMs,
        last_login_ms: user.lastLoginMs ?? null,
        sessions: counts.get(user.name) ?? 0,
      }));
      return { items, next: null };
    },
  );
  app.post<{ Body: { name: string; grants: Grant[]; password?: string } }>(
    '/api/v1/users',
    {
      config: { access: ADMIN },
      schema: {
        summary: 'Makes a user',
        querystring: query({}),
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['name', 'grants'],
          properties: {
            name: { ...NAME, maxLength: 64 },
            grants: ASKED_GRANTS,
            password: { ...PASSWORD, description: 'Left out: one is made up.' },
          },
        },
        response: { 201: MADE },
      },
    },
    async (request, reply) => {
      const { grants, password } = request.body;
      const name = request.body.name.normalize('NFC');
      const detail = { grants: readGrants(grants) };
      await recordDeed(request, context, { action: 'user.create', target: name, detail });
      const made = await access.opened.users.create(name, readGrants(grants), password);
      return reply.code(201).send({ name, password: made ?? null });
    },
  );
  app.patch<{ Params: { name: string }; Body: Change }>(
    '/api/v1/users/:name',
    {
      config: { access: { role: 'known' } },
      schema: {
        summary: 'Changes a user',
        description:
          'Needs role admin of every site; but the own language anybody may choose. The last admin of every site stays one.',
        params: PARAMS,
        querystring: query({}),
        body: {
          type: 'object',
          additionalProperties: false,
          properties: {
            grants: ASKED_GRANTS,
            disabled: { type: 'boolean', description: 'May not log in; tokens do not count.' },
            new_password: {
              const: true,
              description: 'Makes one up and answers it; all sessions of the user end.',
            },
            language: {
              enum: ['en', 'ko', null],
              description: 'Of the pages. Null: as the browser.',
            },
          },
        },
        response: { 200: MADE },
      },
    },
    async (request) => await change(request, context),
  );
  app.delete<{ Params: { name: string } }>(
    '/api/v1/users/:name',
    {
      config: { access: ADMIN },
      schema: {
        summary: 'Removes a user, with sessions and tokens',
        params: PARAMS,
        querystring: query({}),
        response: { 204: { type: 'null' } },
      },
    },
    async (request, reply) => {
      const { users, sessions, tokens } = access.opened;
      const { name } = request.params;
      mustBe(context, name);
      await recordDeed(request, context, { action: 'user.delete', target: name });
      await users.remove(name);
      await sessions.endAllOf(name);
      await tokens.removeAllOf(name);
      return reply.code(204).send();
    },
  );
  app.delete<{ Params: { name: string } }>(
    '/api/v1/users/:name/sessions',
    {
      config: { access: { role: 'known' } },
      schema: {
        summary: 'Ends all sessions of a user: the own ones, or as admin of every site',
        params: PARAMS,
        querystring: query({}),
        response: { 204: { type: 'null' } },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      if (!isSelf(request, name)) requireAdmin(request);
      mustBe(context, name);
      const detail = { sessions: 'ended' };
      await recordDeed(request, context, { action: 'user.change', target: name, detail });
      await access.opened.sessions.endAllOf(name);
      return reply.code(204).send();
    },
  );
}

async function change(
  request: FastifyRequest<{ Params: { name: string }; Body: Change }>,
  context: ApiContext,
): Promise<{ name: string; password: string | null }> {
  const { name } = request.params;
  const { language, ...body } = request.body;
  const { grants, disabled, new_password } = body;
  if (Object.keys(body).length > 0 || !isSelf(request, name)) requireAdmin(request);
  mustBe(context, name);
  const { users, sessions } = context.access.opened;
  const action = new_password === true ? 'user.password' : 'user.change';
  await recordDeed(request, context, { action, target: name, detail: { ...request.body } });
  if (language !== undefined) await users.setLanguage(name, language);
  if (grants !== undefined || disabled !== undefined)
    await users.change(name, {
      ...(grants === undefined ? {} : { grants: readGrants(grants) }),
      ...(disabled === undefined ? {} : { disabled }),
    });
  if (disabled === true) await sessions.endAllOf(name);
  if (new_password !== true) return { name, password: null };
  const password = await users.setPassword(name, undefined);
  await sessions.endAllOf(name);
  return { name, password: password ?? null };
}

function isSelf({ principal }: FastifyRequest, name: string): boolean {
  return principal.kind === 'user' && principal.name === name;
}

/** As the guard for a route of administrators, also while the password is to be changed. */
function requireAdmin(request: FastifyRequest): void {
  requireEverywhere(request, 'admin');
  if (request.identity?.login?.session.user.mustChange === true)
    throw new CollectorError('API_PASSWORD_CHANGE', `the password of ${request.principal.name}`);
}

function mustBe({ access }: ApiContext, name: string): void {
  if (access.opened.users.get(name) === undefined)
    throw new CollectorError('API_NOT_FOUND', `no user ${name}`);
}
