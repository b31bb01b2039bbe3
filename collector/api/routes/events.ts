/** /api/v1/events: what happened, newest first. */

import type { FastifyInstance } from 'fastify';
import { EventKind } from '../../processor/outputs/event.ts';
import { visibleSites } from '../access.ts';
import type { ApiContext } from '../context.ts';
import type { ListQuery } from '../lists.ts';
import { LIST_PARAMETERS, listPage } from '../lists.ts';
import { abortedWith } from '../queries.ts';
import { object, page, query, TIME_MS } from '../schemas.ts';

const SEVERITY = { enum: ['info', 'warning', 'error'] } as const;

const EVENT = object({
  site: { type: 'string' },
  gateway: { type: 'string' },
  device: { type: 'string', description: 'Empty when it is not of one device.' },
  time_ms: TIME_MS,
  kind: {
    type: 'string',
    description: `One of ${Object.values(EventKind).join(', ')}; later versions add others.`,
  },
  severity: SEVERITY,
  detail: { type: 'object', description: 'Fields of this kind of event; units end their names.' },
});

interface Query extends ListQuery {
  kind?: string;
  severity?: 'info' | 'warning' | 'error';
}

export function eventRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/events',
    {
      config: { access: { role: 'viewer' }, tagged: true },
      schema: {
        summary: 'What happened: gaps, clock steps, devices and gateways that came and went',
        description: 'Newest first.',
        querystring: query({
          ...LIST_PARAMETERS,
          kind: { type: 'string', minLength: 1, maxLength: 64 },
          severity: SEVERITY,
        }),
        response: { 200: page(EVENT) },
      },
    },
    async (request, reply) => {
      const asked = { ...request.query, sites: visibleSites(request) };
      const where: string[] = [];
      const params: Record<string, unknown> = {};
      for (const name of ['kind', 'severity'] as const) {
        if (asked[name] === undefined) continue;
        where.push(`${name} = {${name}:String}`);
        params[name] = asked[name];
      }
      const columns = 'site, gateway, device, time_ms, kind, severity, detail';
      const source = { table: 'events', columns, timeColumn: 'time_ms', where, params } as const;
      const { items, next } = await listPage(context.queries, source, asked, abortedWith(reply));
      return {
        items: items.map((row) => ({
          site: row.site,
          gateway: row.gateway,
          device: row.device,
          time_ms: Number(row.time_ms),
          kind: row.kind,
          severity: row.severity,
          detail: detailOf(row.detail),
        })),
        next,
      };
    },
  );
}

function detailOf(json: unknown): object {
  try {
    const detail: unknown = JSON.parse(String(json) || '{}');
    return typeof detail === 'object' && detail !== null ? detail : { value: detail };
  } catch {
    return { text: String(json) };
  }
}
