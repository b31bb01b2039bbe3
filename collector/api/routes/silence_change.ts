/** PATCH /api/v1/silences/:id: another end, or another begin of what has not begun. */

import type { FastifyInstance } from 'fastify';
import { CollectorError } from '../../errors.ts';
import type { SilenceValue } from '../../types.ts';
import { recordDeed } from '../audited.ts';
import type { ApiContext } from '../context.ts';
import { abortedWith } from '../queries.ts';
import { object, query, TIME_MS } from '../schemas.ts';
import { findSilence, LENGTH_MAX_MS, requireFound } from './silences.ts';

const ID = { type: 'string', pattern: '^[0-9A-Za-z_-]{1,64}$' } as const;

const BODY = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  properties: {
    from_ms: { ...TIME_MS, description: 'Only while it has not begun.' },
    until_ms: { ...TIME_MS, description: 'Ahead of now, at most 366 days. Exclusive.' },
  },
};

interface Change {
  from_ms?: number;
  until_ms?: number;
}

export function silenceChangeRoutes(app: FastifyInstance, context: ApiContext): void {
  const { clock, decisions } = context;
  app.patch<{ Params: { id: string }; Body: Change }>(
    '/api/v1/silences/:id',
    {
      config: { access: { role: 'operator' } },
      schema: {
        summary: 'Changes when a silence or a maintenance window begins and ends',
        description:
          'Needs what setting it does. Answered when it is durable; it takes effect a moment later. What has ended stays so.',
        params: object({ id: ID }),
        querystring: query({}),
        body: BODY,
        response: { 202: object({ accepted: { const: true }, id: ID }) },
      },
    },
    async (request, reply) => {
      const found = await findSilence(context, request.params.id, abortedWith(reply));
      const { updatedMs: _, ...silence } = found;
      requireFound(request, silence);
      const { id, site, ...detail } = changed(silence, request.body, clock.wallMs());
      await recordDeed(request, context, { action: 'silence.set', site, target: id, detail });
      await decisions.silence({ id, site, ...detail });
      return reply.code(202).send({ accepted: true, id });
    },
  );
}

/** Throws API_SILENCE_REFUSED, API_PARAMETER_INVALID. */
function changed(silence: SilenceValue, change: Change, nowMs: number): SilenceValue {
  if (silence.untilMs <= nowMs)
    throw new CollectorError('API_SILENCE_REFUSED', 'it has ended already');
  const { from_ms: fromMs = silence.fromMs, until_ms: untilMs = silence.untilMs } = change;
  if (fromMs !== silence.fromMs && silence.fromMs <= nowMs)
    throw new CollectorError('API_SILENCE_REFUSED', 'it has begun already');
  const wrong =
    untilMs <= nowMs
      ? 'until_ms must be ahead of now'
      : untilMs > nowMs + LENGTH_MAX_MS
        ? 'until_ms may be at most 366 days ahead'
        : fromMs >= untilMs
          ? 'from_ms must be before until_ms'
          : undefined;
  if (wrong !== undefined) throw new CollectorError('API_PARAMETER_INVALID', wrong);
  return { ...silence, fromMs, untilMs };
}
