/** /api/v1/enrolment/requests: gateways that ask without a token. */

import type { FastifyInstance } from 'fastify';
import { sitesOf } from '../../access/principal.ts';
import { isAmong, requireOf } from '../access.ts';
import { recordDeed } from '../audited.ts';
import type { ApiContext } from '../context.ts';
import { NAME, object, query, TIME_MS } from '../schemas.ts';

const ID = { type: 'string', pattern: '^[0-9a-f]{16}$', examples: ['0123456789abcdef'] } as const;

const REQUEST = object({
  id: ID,
  site: NAME,
  gateway: NAME,
  key_fingerprint: { type: 'string', description: 'As the gateway shows it.' },
  from: { type: 'string', description: 'Address.' },
  version: { type: 'string' },
  created_ms: TIME_MS,
  expires_ms: TIME_MS,
  known: { type: 'boolean', description: 'The name is there: this would replace its hardware.' },
});

export function enrolmentRequestRoutes(app: FastifyInstance, context: ApiContext): void {
  const { enrolment } = context;
  app.get(
    '/api/v1/enrolment/requests',
    {
      config: { access: { role: 'admin' } },
      schema: {
        summary: 'Gateways that asked without a token and wait for an admin, the oldest first',
        querystring: query({}),
        response: {
          200: object({ items: { type: 'array', items: REQUEST }, next: { type: 'null' } }),
        },
      },
    },
    async ({ principal }) => {
      const sites = sitesOf(principal, 'admin');
      const waiting = enrolment.requests().filter(({ site }) => isAmong(sites, site));
      return {
        items: waiting.map((one) => ({
          id: one.id,
          site: one.site,
          gateway: one.gateway,
          key_fingerprint: one.keyFingerprint,
          from: one.from,
          version: one.version,
          created_ms: one.createdMs,
          expires_ms: one.expiresMs,
          known: one.known,
        })),
        next: null,
      };
    },
  );
  app.post<{ Params: { id: string }; Body: { key_fingerprint: string } }>(
    '/api/v1/enrolment/requests/:id/approve',
    {
      config: { access: { role: 'admin' } },
      schema: {
        summary: 'Issues the certificate, when the fingerprint is that of the gateway’s key',
        description: 'If the name is enrolled, what it had is over.',
        params: object({ id: ID }),
        querystring: query({}),
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['key_fingerprint'],
          properties: {
            key_fingerprint: {
              type: 'string',
              maxLength: 200,
              description: 'Compared with what the gateway shows; spaces and case do not count.',
            },
          },
        },
        response: { 204: { type: 'null' } },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { site, gateway } = enrolment.request(id);
      requireOf(request, 'admin', site, 'request');
      const { key_fingerprint } = request.body;
      const target = `${site}/${gateway}`;
      const detail = { id, key_fingerprint };
      await recordDeed(request, context, { action: 'gateway.approve', site, target, detail });
      await enrolment.approve(id, key_fingerprint, request.principal.name);
      return reply.code(204).send();
    },
  );
  app.post<{ Params: { id: string } }>(
    '/api/v1/enrolment/requests/:id/reject',
    {
      config: { access: { role: 'admin' } },
      schema: {
        summary: 'Refuses a gateway that asked',
        params: object({ id: ID }),
        querystring: query({}),
        body: { type: 'object', additionalProperties: false, properties: {} },
        response: { 204: { type: 'null' } },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { site, gateway } = enrolment.request(id);
      requireOf(request, 'admin', site, 'request');
      const target = `${site}/${gateway}`;
      await recordDeed(request, context, {
        action: 'gateway.reject',
        site,
        target,
        detail: { id },
      });
      await enrolment.reject(id);
      return reply.code(204).send();
    },
  );
}
