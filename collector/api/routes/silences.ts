/** /api/v1/silences: what makes no messages, until when and why; to set, and to end. */

import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CollectorError } from '../../errors.ts';
import type { SilenceEntry } from '../../processor/outputs/silence.ts';
import { SILENCES_MAX } from '../../processor/silences.ts';
import { matchesGlob } from '../../processor/validation/glob.ts';
import type { SilenceValue } from '../../types.ts';
import { deciderOf, requireAt, requireEverywhere, visibleSites } from '../access.ts';
import { SILENCE, SILENCE_KIND, silenceItem, silenceState } from '../alert_items.ts';
import type { Row } from '../alert_rows.ts';
import { toSilence } from '../alert_rows.ts';
import { recordDeed } from '../audited.ts';
import type { ApiContext } from '../context.ts';
import type { PageKey } from '../keyed_lists.ts';
import { checkListQuery, cutPage, newestRow } from '../keyed_lists.ts';
import { abortedWith } from '../queries.ts';
import {
  BY,
  CURSOR,
  LIST_LIMIT_MAX,
  limitSchema,
  object,
  page,
  query,
  TIME_MS,
} from '../schemas.ts';

/** A silence that nobody remembers must end some day. */
export const LENGTH_MAX_MS = 366 * 86_400_000;
/** Of all that ever were, those that end last are looked at. */
const LOOKED_AT_MAX = 10_000;

const ID = {
  type: 'string',
  pattern: '^[0-9A-Za-z_-]{1,64}$',
  examples: ['0123456789abcdef'],
} as const;

const GLOB = { type: 'string', minLength: 1, maxLength: 128, default: '*' } as const;

const BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['until_ms', 'reason'],
  properties: {
    kind: { ...SILENCE_KIND, default: 'silence' },
    site: { ...GLOB, description: '`*` is any run of characters, `?` any one.' },
    area: GLOB,
    line: GLOB,
    device: { ...GLOB, description: '`*` also holds for alerts of a gateway itself.' },
    rule: { ...GLOB, description: 'Name of the alert rule.' },
    from_ms: { ...TIME_MS, description: 'Left out: now.' },
    until_ms: { ...TIME_MS, description: 'Ahead of now, at most 366 days. Exclusive.' },
    by: BY,
    reason: { type: 'string', minLength: 1, maxLength: 500, pattern: '\\S', examples: ['work'] },
  },
};

const ACCEPTED = object({ accepted: { const: true }, id: ID });

interface Body {
  kind: SilenceValue['kind'];
  site: string;
  area: string;
  line: string;
  device: string;
  rule: string;
  from_ms?: number;
  until_ms: number;
  by: string;
  reason: string;
}

interface Query {
  ended?: boolean;
  limit: number;
  cursor?: string;
}

export function silenceRoutes(app: FastifyInstance, context: ApiContext): void {
  const { clock, decisions } = context;
  app.get<{ Querystring: Query }>(
    '/api/v1/silences',
    {
      config: { access: { role: 'viewer' }, tagged: true },
      schema: {
        summary: 'Silences and maintenance windows',
        description: `Those that end last first; of all that ever were, the ${LOOKED_AT_MAX} that end last.`,
        querystring: query({
          ended: { type: 'boolean', description: 'Only those that have ended, or that have not.' },
          limit: limitSchema(LIST_LIMIT_MAX, LIST_LIMIT_MAX),
          cursor: CURSOR,
        }),
        response: { 200: page(SILENCE) },
      },
    },
    async (request, reply) => {
      const asked = request.query;
      const sites = visibleSites(request);
      const key = checkListQuery(asked);
      const nowMs = clock.wallMs();
      const matching = (await allSilences(context, abortedWith(reply)))
        .filter(
          (silence) =>
            holdsAtOne(silence, sites) &&
            (asked.ended === undefined ||
              asked.ended === (silenceState(silence, nowMs) === 'ended')) &&
            (key === undefined || lastFirst(keyOf(silence), key) > 0),
        )
        .sort((a, b) => lastFirst(keyOf(a), keyOf(b)));
      const { items, next } = cutPage(matching, asked.limit, keyOf);
      return { items: items.map((silence) => silenceItem(silence, nowMs)), next };
    },
  );
  app.post<{ Body: Body }>(
    '/api/v1/silences',
    {
      config: { access: { role: 'operator' } },
      schema: {
        summary: 'Sets a silence or a maintenance window',
        description:
          'Needs role operator at the site; with a pattern of sites at every site. Answered when it is durable; a moment later it holds, and is in the list. Alerts that it matches live on, and make no messages until it ends. After an error it may hold all the same: the list tells.',
        querystring: query({}),
        body: BODY,
        response: { 202: ACCEPTED },
      },
    },
    async (request, reply) => {
      const by = deciderOf(request, request.body.by);
      const silence = silenceOf({ ...request.body, by }, clock.wallMs());
      requireFor(request, silence);
      refuseTooMany(context);
      const { id, site, ...detail } = silence;
      await recordDeed(request, context, { action: 'silence.set', site, target: id, detail });
      await decisions.silence(silence);
      return reply.code(202).send({ accepted: true, id: silence.id });
    },
  );
  app.delete<{ Params: { id: string } }>(
    '/api/v1/silences/:id',
    {
      config: { access: { role: 'operator' } },
      schema: {
        summary: 'Ends a silence now',
        description:
          'Needs what setting it does. Answered when it is durable; it takes effect a moment later. The silence stays in the list, ended.',
        params: object({ id: ID }),
        querystring: query({}),
        response: { 202: ACCEPTED },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { updatedMs, ...silence } = await findSilence(context, id, abortedWith(reply));
      requireFound(request, silence);
      const nowMs = clock.wallMs();
      if (silence.untilMs <= nowMs)
        throw new CollectorError('API_SILENCE_REFUSED', 'it has ended already');
      const fromMs = Math.min(silence.fromMs, nowMs);
      const { site, device, rule } = silence;
      const detail = { device, rule, reason: silence.reason };
      await recordDeed(request, context, { action: 'silence.end', site, target: id, detail });
      await decisions.silence({ ...silence, fromMs, untilMs: nowMs });
      return reply.code(202).send({ accepted: true, id });
    },
  );
}

/** A pattern may hold at sites that nobody has thought of. Throws API_FORBIDDEN. */
function requireFor(request: FastifyRequest, { site }: Pick<SilenceValue, 'site'>): void {
  if (/[*?]/.test(site)) requireEverywhere(request, 'operator');
  else requireAt(request, 'operator', site);
}

/** The same of one that was found by its id; who may not see it hears API_NOT_FOUND. */
export function requireFound(request: FastifyRequest, silence: Pick<SilenceValue, 'site'>): void {
  if (!holdsAtOne(silence, visibleSites(request)))
    throw new CollectorError('API_NOT_FOUND', 'no such silence');
  requireFor(request, silence);
}

function holdsAtOne(
  { site }: Pick<SilenceEntry, 'site'>,
  sites: ReadonlySet<string> | undefined,
): boolean {
  return sites === undefined || [...sites].some((one) => matchesGlob(site, one));
}

/** Throws API_PARAMETER_INVALID. */
function silenceOf(body: Body, nowMs: number): SilenceValue {
  const { from_ms: fromMs = nowMs, until_ms: untilMs, reason, ...rest } = body;
  const wrong =
    untilMs <= nowMs
      ? 'until_ms must be ahead of now'
      : untilMs > nowMs + LENGTH_MAX_MS
        ? 'until_ms may be at most 366 days ahead'
        : fromMs >= untilMs
          ? 'from_ms must be before until_ms'
          : undefined;
  if (wrong !== undefined) throw new CollectorError('API_PARAMETER_INVALID', wrong);
  const id = randomBytes(8).toString('hex');
  return { id, ...rest, fromMs, untilMs, reason: reason.trim() };
}

/** The processors would refuse it: better told at once. */
function refuseTooMany({ alerts, clock }: ApiContext): void {
  const nowMs = clock.wallMs();
  const held = [...alerts.silences()].filter(({ untilMs }) => untilMs > nowMs).length;
  if (held >= SILENCES_MAX)
    throw new CollectorError('API_SILENCE_REFUSED', `${held} silences hold or are scheduled`);
}

/** From the store, and what it does not have yet. */
async function allSilences(
  { alerts, queries }: ApiContext,
  signal: AbortSignal,
): Promise<SilenceEntry[]> {
  const rows = await queries.run<Row>(
    'SELECT * FROM silences FINAL ORDER BY until_ms DESC, id DESC LIMIT {limit:UInt32}',
    { limit: LOOKED_AT_MAX },
    signal,
  );
  const byId = new Map(rows.map(toSilence).map((silence) => [silence.id, silence]));
  for (const silence of alerts.silences()) {
    const stored = byId.get(silence.id);
    if (stored === undefined || silence.updatedMs >= stored.updatedMs)
      byId.set(silence.id, silence);
  }
  return [...byId.values()];
}

/** Rejects with API_NOT_FOUND. */
export async function findSilence(
  { alerts, queries }: ApiContext,
  id: string,
  signal: AbortSignal,
): Promise<SilenceEntry> {
  const live = alerts.silence(id);
  if (live !== undefined) return live;
  const row = await newestRow(queries, 'silences', id, signal);
  if (row === undefined) throw new CollectorError('API_NOT_FOUND', 'no such silence');
  return toSilence(row);
}

function keyOf({ untilMs, id }: SilenceEntry): PageKey {
  return [untilMs, '', id];
}

function lastFirst(a: PageKey, b: PageKey): number {
  return b[0] - a[0] || (a[2] < b[2] ? 1 : a[2] > b[2] ? -1 : 0);
}
