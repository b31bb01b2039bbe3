/** /api/v1/reports: the quality reports that the jobs made. */

import type { FastifyInstance } from 'fastify';
import { CollectorError } from '../../errors.ts';
import type { PeriodKind } from '../../site_time.ts';
import { isAmong, requireAt, visibleSites } from '../access.ts';
import type { ApiContext } from '../context.ts';
import { decodeCursor, toPage } from '../cursor.ts';
import { isFromMember } from '../peers.ts';
import { CURSOR, LIST_LIMIT_MAX, limitSchema, NAME, object, page, query } from '../schemas.ts';

const PERIOD = { enum: ['day', 'week', 'month'] } as const;
const LABEL = {
  type: 'string',
  maxLength: 16,
  description: '2026-11-22, 2026-W47 or 2026-11: dates of the site.',
} as const;

/** The page brings its own style, and nothing else may come in. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

interface ListQuery {
  site?: string;
  period?: PeriodKind;
  limit: number;
  cursor?: string;
}

interface Place {
  site: string;
  period: PeriodKind;
  label: string;
}

export function reportRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: ListQuery }>(
    '/api/v1/reports',
    {
      config: { access: { role: 'viewer' }, tagged: true },
      schema: {
        summary: 'Quality reports, the newest period first',
        querystring: query({
          site: NAME,
          period: PERIOD,
          limit: limitSchema(100, LIST_LIMIT_MAX),
          cursor: CURSOR,
        }),
        response: { 200: page(object({ site: NAME, period: PERIOD, label: LABEL })) },
      },
    },
    async (request) => {
      const { site, period, limit, cursor } = request.query;
      const after = cursor === undefined ? undefined : decodeCursor(cursor, ['', '', ''] as const);
      const isLocal = isFromMember(request, context.peers);
      const visible = visibleSites(request);
      const all = await context.reports.list(site, isLocal);
      const rows = all.filter(
        ({ kind, ...id }) =>
          (period === undefined || kind === period) &&
          isAmong(visible, id.site) &&
          (after === undefined || isAfter([id.label, id.site, kind], after)),
      );
      const { items, next } = toPage(rows, limit, (id) => [id.label, id.site, id.kind]);
      return { items: items.map(({ kind, ...id }) => ({ ...id, period: kind })), next };
    },
  );

  app.get<{ Params: Place; Querystring: { format: 'json' | 'html'; lang: 'en' | 'ko' } }>(
    '/api/v1/reports/:site/:period/:label',
    {
      config: { access: { role: 'viewer' }, tagged: true },
      schema: {
        summary: 'One quality report, as JSON or as a page of its own',
        params: object({ site: NAME, period: PERIOD, label: LABEL }),
        querystring: query({
          format: { enum: ['json', 'html'], default: 'json' },
          lang: { enum: ['en', 'ko'], default: 'en', description: 'Of the page.' },
        }),
        response: { 200: { type: ['object', 'string'] } },
      },
    },
    async (request, reply) => {
      const { format, lang } = request.query;
      const { site, period, label } = request.params;
      requireAt(request, 'viewer', site);
      const form = format === 'json' ? 'json' : (`${lang}.html` as const);
      const id = { site, kind: period, label };
      const isLocal = isFromMember(request, context.peers);
      const report = await context.reports.read(id, form, isLocal);
      if (report === undefined)
        throw new CollectorError('API_NOT_FOUND', `no report of ${site}, ${period} ${label}`);
      const { text, madeMs } = report;
      reply.header('last-modified', new Date(madeMs).toUTCString());
      if (format === 'html') {
        return reply
          .header('content-security-policy', PAGE_POLICY)
          .type('text/html; charset=utf-8')
          .serializer(String)
          .send(text);
      }
      return reply.type('application/json; charset=utf-8').serializer(String).send(text);
    },
  );
}

/** Newest label first, then by site and kind. */
function isAfter(a: readonly string[], b: readonly string[]): boolean {
  if (a[0] !== b[0]) return a[0]! < b[0]!;
  return a[1] !== b[1] ? a[1]! > b[1]! : a[2]! > b[2]!;
}
