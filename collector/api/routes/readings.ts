/** /api/v1/readings: the readings of a device, one by one, in buckets or thinned out. */

import { createReadStream } from 'node:fs';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { requireAt } from '../access.ts';
import { deedOf, recordDeed } from '../audited.ts';
import type { ApiContext } from '../context.ts';
import { abortedWith } from '../queries.ts';
import { BUCKET_ITEM, bucketPage } from '../readings/buckets.ts';
import { fileSelect } from '../readings/files.ts';
import { POINT_ITEM, pointsAnswer } from '../readings/points.ts';
import { RAW_ITEM, rawPage } from '../readings/raw.ts';
import type { ReadingsQuery, ReadingsRequest } from '../readings/request.ts';
import { READINGS_QUERY, toRequest } from '../readings/request.ts';
import { WIDE_ITEM, widePage } from '../readings/wide.ts';
import { NAME, nullable } from '../schemas.ts';

const READINGS = {
  type: 'object',
  required: ['items', 'next'],
  additionalProperties: false,
  properties: {
    channels: {
      type: 'array',
      items: NAME,
      description:
        'Of the wide form: what stands where in `values`. As asked for, else the channels of this page.',
    },
    items: {
      type: 'array',
      items: { anyOf: [RAW_ITEM, BUCKET_ITEM, POINT_ITEM, WIDE_ITEM] },
      description: 'Readings, buckets (with a step), points, or times (form wide).',
    },
    next: nullable({ type: 'string' }),
  },
};

const FILES = {
  csv: { format: 'CSVWithNames', type: 'text/csv; charset=utf-8; header=present' },
  parquet: { format: 'Parquet', type: 'application/vnd.apache.parquet' },
} as const;

export function readingRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: ReadingsQuery }>(
    '/api/v1/readings',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'Readings of a device by time: single, in buckets or thinned out; also as a file',
        description:
          'Values are as the rules left them; units are those of the channel in /api/v1/devices. What was made up, cut to its range or found doubtful is marked. Statistics (min, max, avg, first, last, count, points) are of finite values that are not of bad quality and were not made up.',
        querystring: READINGS_QUERY,
        response: { 200: READINGS },
        alsoProduces: ['text/csv', 'application/vnd.apache.parquet'],
      },
    },
    async (caller, reply) => {
      const nowMs = context.clock.wallMs();
      requireAt(caller, 'viewer', caller.query.site);
      const request = toRequest(caller.query, nowMs);
      const signal = abortedWith(reply);
      const { queries } = context;
      if (request.format !== 'json') {
        await app.limitCaller(caller, 'exports');
        await recordDeed(caller, context, deedOf(caller, 'readings.export'));
        return sendFile(context, request, nowMs, reply, signal);
      }
      if (request.points !== undefined) return pointsAnswer(queries, request, signal);
      if (request.form === 'wide') return widePage(queries, request, nowMs, signal);
      if (request.step !== undefined) return bucketPage(queries, request, nowMs, signal);
      return rawPage(queries, request, signal);
    },
  );
}

async function sendFile(
  context: ApiContext,
  request: ReadingsRequest,
  nowMs: number,
  reply: FastifyReply,
  signal: AbortSignal,
): Promise<FastifyReply> {
  const { format, type } = FILES[request.format === 'parquet' ? 'parquet' : 'csv'];
  const { sql, params } = await fileSelect(context.queries, request, nowMs, signal);
  const file = await context.queries.exportTo(format, sql, params, signal);
  const stream = createReadStream(file.path);
  // Also when the caller goes away in the middle.
  stream.once('close', () => void file.dispose());
  return reply
    .type(type)
    .header('content-length', file.bytes)
    .header('content-disposition', disposition(request))
    .send(stream);
}

/** Names of devices may hold anything: the plain form has what every system takes. */
function disposition({ device, fromMs, toMs, format }: ReadingsRequest): string {
  const name = `${device}_${fromMs}_${toMs}.${format}`;
  const plain = name.replaceAll(/[^A-Za-z0-9._-]/g, '_');
  const exact = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
