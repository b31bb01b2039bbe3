/** /api/v1/tokens: what programs show instead of a login. */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { readGrants } from '../../access/grants.ts';
import type { Grant } from '../../access/principal.ts';
import { mayEverywhere } from '../../access/principal.ts';
import { TOKENS_OF_USER_MAX } from '../../access/tokens.ts';
import { CollectorError } from '../../errors.ts';
import { recordDeed } from '../audited.ts';
import type { ApiContext } from '../context.ts';
import { NAME, nullable, object, query, TIME_MS } from '../schemas.ts';
import { GRANTS } from './session.ts';

const ID = { type: 'string', pattern: '^[0-9a-f]{16}$', examples: ['0123456789abcdef'] } as const;

const EXPIRES = nullable({ ...TIME_MS, description: 'Null: never.' });

const TOKEN = object({
  id: ID,
  name: NAME,
  user: NAME,
  grants: { ...GRANTS, description: 'As granted; the token may at no time more than its user.' },
  created_ms: TIME_MS,
  expires_ms: EXPIRES,
  last_used_ms: nullable({ ...TIME_MS, description: 'To the hour. Null: not yet.' }),
});

export function tokenRoutes(app: FastifyInstance, context: ApiContext): void {
  const { access } = context;
  app.get(
    '/api/v1/tokens',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'API tokens, the newest first: the own ones, or as admin of every site all',
        querystring: query({}),
        response: {
          200: object({ items: { type: 'array', items: TOKEN }, next: { type: 'null' } }),
        },
      },
    },
    async (request) => {
      const isAdmin = mayEverywhere(request.principal, 'admin');
      const items = access.opened.tokens.all(isAdmin ? undefined : ownerOf(request));
      return {
        items: items.map((token) => ({
          id: token.id,
          name: token.name,
          user: token.user,
          grants: token.grants,
          created_ms: token.createdMs,
          expires_ms: token.expiresMs,
          last_used_ms: token.lastUsedMs ?? null,
        })),
        next: null,
      };
    },
  );
  app.post<{ Body: { name: string; grants: Grant[]; expires_ms: number | null } }>(
    '/api/v1/tokens',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'Makes an API token of the user who asks',
        description: `Sent as \`Authorization: Bearer TOKEN\`. A user has at most ${TOKENS_OF_USER_MAX}. A token makes no tokens: it could outlive itself.`,
        querystring: query({}),
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['name', 'grants', 'expires_ms'],
          properties: {
            name: {
              type: 'string',
              pattern: '^[^\\s/\\p{C}][^/\\p{C}]{0,63}$',
              examples: ['grafana'],
            },
            grants: { ...GRANTS, minItems: 1, maxItems: 200 },
            expires_ms: EXPIRES,
          },
        },
        response: {
          201: object({
            id: ID,
            token: { type: 'string', description: 'Said this once: only its hash is kept.' },
          }),
        },
      },
    },
    async (request, reply) => {
      const user = request.identity?.login?.session.user;
      if (user === undefined)
        throw new CollectorError('API_TOKEN_REFUSED', 'only who has logged in makes tokens');
      const { name, expires_ms: expiresMs } = request.body;
      const grants = readGrants(request.body.grants);
      const detail = { grants, expires_ms: expiresMs };
      await recordDeed(request, context, { action: 'token.create', target: name, detail });
      const made = await access.opened.tokens.create(user, { name, grants, expiresMs });
      return reply.code(201).send(made);
    },
  );
  app.delete<{ Params: { id: string } }>(
    '/api/v1/tokens/:id',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'Ends an API token: an own one, or as admin of every site any',
        params: object({ id: ID }),
        querystring: query({}),
        response: { 204: { type: 'null' } },
      },
    },
    async (request, reply) => {
      const { tokens } = access.opened;
      const token = tokens.get(request.params.id);
      const isAdmin = mayEverywhere(request.principal, 'admin');
      // Of others it is not said whether they have it.
      if (token === undefined || (!isAdmin && token.user !== ownerOf(request)))
        throw new CollectorError('API_NOT_FOUND', 'no such token');
      const target = `${token.user}/${token.name}`;
      await recordDeed(request, context, {
        action: 'token.delete',
        target,
        detail: { id: token.id },
      });
      await tokens.remove(token.id);
      return reply.code(204).send();
    },
  );
}

/** '' for those that are no user. */
function ownerOf({ principal }: FastifyRequest): string {
  if (principal.kind !== 'user' && principal.kind !== 'token') return '';
  return principal.name.split('/')[0] ?? '';
}
