/** /api/v1/quality: the data quality of devices and sites by time, with the reasons that cost points. */

import type { FastifyInstance } from 'fastify';
import { CollectorError } from '../../errors.ts';
import { DIMENSIONS } from '../../findings.ts';
import type { QualityBucket, QualityStep } from '../../quality/read.ts';
import { readQuality } from '../../quality/read.ts';
import { REASON_CODES } from '../../quality/reasons.ts';
import { QUALITY_TARGETS, TIMELY_WITHIN_MS } from '../../quality/score.ts';
import { requireAt } from '../access.ts';
import type { ApiContext } from '../context.ts';
import { decodeCursor, toPage } from '../cursor.ts';
import { compare } from '../live/devices.ts';
import { abortedWith } from '../queries.ts';
import type { JsonSchema } from '../schemas.ts';
import { COUNT, CURSOR, limitSchema, NAME, nullable, object, query, TIME_MS } from '../schemas.ts';

const DAY_MS = 86_400_000;

const POINTS = nullable({ type: 'number', minimum: 0, maximum: 100 });

const SCORES: Record<string, JsonSchema> = {
  all: { ...POINTS, description: 'The mean of the dimensions that could be judged.' },
  completeness: { ...POINTS, description: 'Received against expected; nulls and sentinels.' },
  accuracy: { ...POINTS, description: 'Type, range, rate of change, stuck values, outliers.' },
  consistency: { ...POINTS, description: 'Same times, times backwards, rules over channels.' },
  timeliness: { ...POINTS, description: 'Reading time to receipt, clocks, times ahead.' },
};

const REASON = object({
  code: { enum: REASON_CODES },
  dimension: { enum: DIMENSIONS },
  count: { ...COUNT, description: 'Readings.' },
  points: { type: 'number', description: 'Points of 100 that it costs its dimension.' },
  en: { type: 'string', description: 'For people, in English.' },
  ko: { type: 'string', description: 'For people, in Korean.' },
});

const QUALITY = object({
  site: NAME,
  device: { type: 'string', description: 'Empty when asked by site.' },
  from_ms: TIME_MS,
  to_ms: { ...TIME_MS, description: 'Exclusive.' },
  score: object(SCORES, 'Points from 0 to 100. Null: nothing came that could be judged.'),
  expected: {
    ...COUNT,
    description: 'Readings that should have come, by the interval of the device’s profile.',
  },
  received: COUNT,
  quarantined: COUNT,
  filled: { ...COUNT, description: 'Values that were made up.' },
  latency_avg_ms: nullable({
    type: 'number',
    description: 'Reading time to receipt, mean. Null: nothing was received.',
  }),
  latency_max_ms: { type: 'number' },
  reasons: { type: 'array', items: REASON, description: 'What cost points; dearest first.' },
});

const ANSWER = object({
  items: { type: 'array', items: QUALITY },
  next: nullable({ type: 'string' }),
  targets: object(
    {
      completeness: { type: 'number' },
      accuracy: { type: 'number' },
      consistency: { type: 'number' },
      timely_within_ms: { type: 'integer' },
    },
    'Below these points, and above this time, a look is worth it.',
  ),
});

interface Query {
  site: string;
  device?: string;
  by: 'device' | 'site';
  from?: number;
  to?: number;
  step: QualityStep;
  limit: number;
  cursor?: string;
}

export function qualityRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/quality',
    {
      config: { access: { role: 'viewer' }, tagged: true },
      schema: {
        summary: 'Data quality by device and time: four dimensions, and what cost points',
        querystring: query(
          {
            site: NAME,
            device: { ...NAME, description: 'Left out: all devices of the site.' },
            by: {
              enum: ['device', 'site'],
              default: 'device',
              description: 'site: all devices together.',
            },
            from: { ...TIME_MS, description: 'Left out: a day before `to`.' },
            to: { ...TIME_MS, description: 'Exclusive. Left out: now.' },
            step: {
              enum: ['minute', 'hour', 'day', 'all'],
              default: 'hour',
              description:
                'Minutes and hours of UTC, or the site’s days; those that the range touches are answered whole. all: the range as one.',
            },
            limit: limitSchema(1_000, 10_000),
            cursor: CURSOR,
          },
          ['site'],
        ),
        response: { 200: ANSWER },
      },
    },
    async (request, reply) => {
      const asked = request.query;
      requireAt(request, 'viewer', asked.site);
      const nowMs = context.clock.wallMs();
      const toMs = asked.to ?? nowMs;
      const fromMs = asked.from ?? toMs - DAY_MS;
      if (fromMs >= toMs)
        throw new CollectorError('API_PARAMETER_INVALID', 'from must be before to');
      const { site, device, by, step, limit, cursor } = asked;
      const after = cursor === undefined ? undefined : decodeCursor(cursor, ['', 0] as const);
      const scope = { sites: context.sites, site, device, by, fromMs, toMs, step, nowMs };
      const buckets = await readQuality(context.queries, scope, abortedWith(reply));
      const rest =
        after === undefined
          ? buckets
          : buckets.filter((b) => (compare(b.device, after[0]) || b.fromMs - after[1]) > 0);
      const { items, next } = toPage(rest, limit, (b) => [b.device, b.fromMs]);
      const targets = { ...QUALITY_TARGETS, timely_within_ms: TIMELY_WITHIN_MS };
      return { items: items.map(toItem), next, targets };
    },
  );
}

function toItem({ site, device, fromMs, toMs, counts, quality }: QualityBucket): object {
  const { reasons, all, completeness, accuracy, consistency, timeliness } = quality;
  const { expected, received, quarantined, filled, latencySumMs, latencyMaxMs } = counts;
  return {
    site,
    device,
    from_ms: fromMs,
    to_ms: toMs,
    score: { all, completeness, accuracy, consistency, timeliness },
    expected,
    received,
    quarantined,
    filled,
    latency_avg_ms: received === 0 ? null : latencySumMs / received,
    latency_max_ms: latencyMaxMs,
    reasons,
  };
}
