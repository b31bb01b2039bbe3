/** /api/v1/audit: who did what, newest first. */

import type { FastifyInstance } from 'fastify';
import type { RouteAccess } from '../access.ts';
import type { AuditFilter, Row } from '../audit/rows.ts';
import { AUDIT_ENTRY, auditItem, auditWhere, FILTER_PARAMETERS, toAudit } from '../audit/rows.ts';
import type { ApiContext } from '../context.ts';
import { decodeCursor, toPage } from '../cursor.ts';
import { abortedWith } from '../queries.ts';
import { CURSOR, LIST_LIMIT_MAX, limitSchema, page, query } from '../schemas.ts';

const ADMIN: RouteAccess = { role: 'admin', everywhere: true };

interface ListAsked extends AuditFilter {
  limit: number;
  cursor?: string;
}

export function auditRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: ListAsked }>(
    '/api/v1/audit',
    {
      config: { access: ADMIN },
      schema: {
        summary: 'Who did what: the audit log',
        description:
          'Newest first, from the store: an entry is there a moment after it is durable. Administrators of every site only.',
        querystring: query({
          ...FILTER_PARAMETERS,
          limit: limitSchema(100, LIST_LIMIT_MAX),
          cursor: CURSOR,
        }),
        response: { 200: page(AUDIT_ENTRY) },
      },
    },
    async ({ query: asked }, reply) => {
      const { where, params } = auditWhere(asked);
      if (asked.cursor !== undefined) {
        const [number, hash] = decodeCursor(asked.cursor, [0, ''] as const);
        where.push(
          'number <= {number:UInt64} AND (number, hash) < ({number:UInt64}, {hash:String})',
        );
        Object.assign(params, { number, hash });
      }
      const rows = await context.queries.run<Row>(
        `SELECT * FROM audit WHERE ${where.join(' AND ')}
ORDER BY number DESC, hash DESC LIMIT {limit:UInt32}`,
        { ...params, limit: asked.limit + 1 },
        abortedWith(reply),
      );
      const { items, next } = toPage(rows.map(toAudit), asked.limit, ({ number, hash }) => [
        number,
        hash,
      ]);
      return { items: items.map(auditItem), next };
    },
  );
}
