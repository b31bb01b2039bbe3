/** /healthz, /readyz, /metrics: for supervisors and Prometheus. */

import type { FastifyInstance } from 'fastify';
import type { ApiContext } from '../context.ts';
import { object, query } from '../schemas.ts';

const HEALTH = object({ status: { const: 'ok' }, version: { type: 'string' } });
const READY = object({
  ready: { type: 'boolean' },
  checks: {
    type: 'array',
    items: object({
      name: { type: 'string' },
      ready: { type: 'boolean' },
      reason: { type: 'string', description: 'Empty when all is well.' },
    }),
  },
});

export function healthRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get(
    '/healthz',
    {
      config: { access: { role: 'public' }, unlimited: true },
      schema: {
        summary: 'Is the process alive?',
        querystring: query({}),
        response: { 200: HEALTH },
      },
    },
    async () => ({ status: 'ok', version: context.version }),
  );
  app.get(
    '/readyz',
    {
      config: { access: { role: 'public' }, unlimited: true },
      schema: {
        summary: 'Does every part work? With the reasons where one does not',
        querystring: query({}),
        response: { 200: READY, 503: READY },
      },
    },
    async (_request, reply) => {
      const checks = context.readiness();
      const ready = checks.every((check) => check.ready);
      return reply.code(ready ? 200 : 503).send({ ready, checks });
    },
  );
  app.get(
    '/metrics',
    {
      config: { access: { role: 'public' }, unlimited: true },
      schema: {
        summary: 'Metrics in the Prometheus text format',
        produces: 'text/plain',
        querystring: query({}),
        response: { 200: { type: 'string' } },
      },
    },
    async (_request, reply) => {
      const text = await context.metricsText();
      return reply.type('text/plain; version=0.0.4; charset=utf-8').send(text);
    },
  );
}
