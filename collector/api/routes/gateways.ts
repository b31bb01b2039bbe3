/** /api/v1/gateways: the fleet's state, as the gateways themselves say and as the collector sees it. */

import type { FastifyInstance } from 'fastify';
import { GATEWAY_SILENT_AFTER_MS } from '../../processor/limits.ts';
import type { GatewayEntry } from '../../processor/outputs/gateway.ts';
import { isAmong, visibleSites } from '../access.ts';
import type { ApiContext } from '../context.ts';
import { decodeCursor, toPage } from '../cursor.ts';
import { LEDGER_NUMBERS, ledgerSums } from '../ledger.ts';
import { compare } from '../live/devices.ts';
import {
  COUNT,
  CURSOR,
  LIST_LIMIT_MAX,
  limitSchema,
  NAME,
  nullable,
  object,
  page,
  query,
  TIME_MS,
} from '../schemas.ts';

/** A gateway says how it is every ten seconds: this long, and it left one out. */
const LATE_AFTER_MS = 20_000;

export const GatewayStatus = {
  ONLINE: 'online',
  /** Its connection stands as far as is known, but it should have said something. */
  LATE: 'late',
  /** So for longer: an event tells of it. */
  SILENT: 'silent',
  /** The connection broke, or it was stopped on purpose. */
  OFFLINE: 'offline',
  NEVER_SEEN: 'never_seen',
} as const;
export type GatewayStatus = (typeof GatewayStatus)[keyof typeof GatewayStatus];

const READER = object({
  device: { type: 'string' },
  reader: { type: 'string' },
  status: { type: 'string' },
  last_good_ms: TIME_MS,
  errors_total: COUNT,
  last_error: { type: 'string' },
});

export const GATEWAY = object({
  site: NAME,
  gateway: NAME,
  status: {
    enum: Object.values(GatewayStatus),
    description:
      'late and silent: connected as far as is known, but without a word for 20 and 35 s.',
  },
  configured: { type: 'boolean', description: 'It may connect.' },
  version: { type: 'string' },
  install_id: { type: 'string' },
  epoch: { type: 'string', description: 'Newest epoch; empty before the first reading.' },
  last_seq: COUNT,
  buffer: object({
    readings: COUNT,
    bytes: COUNT,
    seconds_until_eviction: nullable({ type: 'number', description: 'Null: not filling.' }),
  }),
  clock: object({
    unsynced: { type: 'boolean' },
    step_ms: { type: 'number', description: 'The last step of its wall clock.' },
  }),
  readers: { type: 'array', items: READER },
  certificate: {
    ...object({
      not_after_ms: TIME_MS,
      state: {
        enum: ['valid', 'renew_soon', 'grace', 'expired'],
        description:
          'renew_soon: an agent that is well would have renewed it. grace: over, and let in for a while yet. expired: let in no more.',
      },
    }),
    type: ['object', 'null'],
    description: 'The one that counts; null: it comes by token.',
  },
  transport: {
    enum: ['tls', 'plain', null],
    description: 'Null: not connected, or to another process.',
  },
  state_ms: nullable({ ...TIME_MS, description: 'Its own time of that state.' }),
  updated_ms: nullable({ ...TIME_MS, description: 'When the collector had it.' }),
  ledger: object(LEDGER_NUMBERS),
});

export function statusOf(row: GatewayEntry | undefined, nowMs: number): GatewayStatus {
  if (row === undefined) return GatewayStatus.NEVER_SEEN;
  if (!row.online) return GatewayStatus.OFFLINE;
  const quietMs = nowMs - row.updatedMs;
  if (quietMs > GATEWAY_SILENT_AFTER_MS) return GatewayStatus.SILENT;
  return quietMs > LATE_AFTER_MS ? GatewayStatus.LATE : GatewayStatus.ONLINE;
}

interface Query {
  site?: string;
  status?: GatewayStatus;
  limit: number;
  cursor?: string;
}

export function gatewayRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/gateways',
    {
      config: { access: { role: 'viewer' }, tagged: true },
      schema: {
        summary: 'Gateways with state, buffer, clock, readers and the sum of their ledger',
        querystring: query({
          site: NAME,
          status: { enum: Object.values(GatewayStatus) },
          limit: limitSchema(100, LIST_LIMIT_MAX),
          cursor: CURSOR,
        }),
        response: { 200: page(GATEWAY) },
      },
    },
    async (request) => {
      const { site, status, limit, cursor } = request.query;
      const visible = visibleSites(request);
      const nowMs = context.clock.wallMs();
      const after = cursor === undefined ? undefined : decodeCursor(cursor, ['', ''] as const);
      const ids = knownGateways(context)
        .filter((id) => (site === undefined || id.site === site) && isAmong(visible, id.site))
        .filter(
          (id) =>
            status === undefined ||
            statusOf(context.fleet.gateway(id.site, id.gateway), nowMs) === status,
        )
        .filter(
          (id) =>
            after === undefined ||
            (compare(id.site, after[0]) || compare(id.gateway, after[1])) > 0,
        );
      const { items, next } = toPage(ids, limit, (id) => [id.site, id.gateway]);
      return { items: items.map((id) => gatewayItem(context, id)), next };
    },
  );
}

interface KnownGateway {
  site: string;
  gateway: string;
  configured: boolean;
}

/** Configured ones and those seen before, by site and name. */
export function knownGateways(context: ApiContext): KnownGateway[] {
  const all = new Map<string, KnownGateway>();
  for (const row of context.fleet.gateways())
    all.set(`${row.site}/${row.gateway}`, {
      site: row.site,
      gateway: row.gateway,
      configured: false,
    });
  for (const { site, gateway } of context.gateways)
    all.set(`${site}/${gateway}`, { site, gateway, configured: true });
  for (const { site, gateway, state } of context.enrolment.known())
    all.set(`${site}/${gateway}`, { site, gateway, configured: state !== 'revoked' });
  return [...all.values()].sort((a, b) => compare(a.site, b.site) || compare(a.gateway, b.gateway));
}

/** Of the list, and alone. */
export function gatewayItem(
  context: ApiContext,
  { site, gateway, configured }: KnownGateway,
): object {
  const row = context.fleet.gateway(site, gateway);
  const seconds = row?.bufferSecondsUntilEviction ?? -1;
  return {
    site,
    gateway,
    status: statusOf(row, context.clock.wallMs()),
    configured,
    version: row?.version ?? '',
    install_id: row?.installId ?? '',
    epoch: row?.epoch ?? '',
    last_seq: row?.lastSeq ?? 0,
    buffer: {
      readings: row?.bufferReadings ?? 0,
      bytes: row?.bufferBytes ?? 0,
      seconds_until_eviction: seconds < 0 ? null : seconds,
    },
    clock: { unsynced: row?.clockUnsynced ?? false, step_ms: row?.clockStepMs ?? 0 },
    readers: readersOf(row),
    certificate: certificateOf(context, `${site}/${gateway}`),
    transport: context.transportOf(`${site}/${gateway}`) ?? null,
    state_ms: row?.stateMs ?? null,
    updated_ms: row?.updatedMs ?? null,
    ledger: ledgerSums(context.fleet.ledgerOf(site, gateway)),
  };
}

function certificateOf({ enrolment, clock }: ApiContext, key: string): object | null {
  const certificate = enrolment.certificateOf(key);
  if (certificate === undefined) return null;
  const state = enrolment.validity(certificate, clock.wallMs());
  return { not_after_ms: certificate.notAfterMs, state };
}

function readersOf(row: GatewayEntry | undefined): object[] {
  return (row?.readers ?? []).map((reader) => ({
    device: reader.device,
    reader: reader.reader,
    status: reader.status,
    last_good_ms: reader.lastGoodMs,
    errors_total: reader.errorsTotal,
    last_error: reader.lastError,
  }));
}
