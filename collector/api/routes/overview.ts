/** /api/v1/overview: the plant in one answer, for the head of the page. */

import type { FastifyInstance } from 'fastify';
import { isAmong, visibleSites } from '../access.ts';
import type { ApiContext } from '../context.ts';
import { addNumbers, LEDGER_NUMBERS, ledgerSums } from '../ledger.ts';
import { compare } from '../live/devices.ts';
import { COUNT, NAME, object, query, TIME_MS } from '../schemas.ts';
import { GatewayStatus, knownGateways, statusOf } from './gateways.ts';

const OVERVIEW = object({
  version: { type: 'string' },
  now_ms: { ...TIME_MS, description: 'The collector’s clock.' },
  started_ms: TIME_MS,
  ready: { type: 'boolean' },
  waiting_for: {
    type: 'array',
    items: { type: 'string' },
    description: 'Reasons why the collector is not ready.',
  },
  sites: {
    type: 'array',
    items: object({
      site: NAME,
      time_zone: { type: 'string', description: 'IANA name.' },
      day_start: { type: 'string', description: 'Local HH:MM.' },
    }),
  },
  gateways: object({
    total: COUNT,
    ...Object.fromEntries(Object.values(GatewayStatus).map((status) => [status, COUNT])),
  }),
  devices: COUNT,
  ledger: object(LEDGER_NUMBERS),
});

export function overviewRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get(
    '/api/v1/overview',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'Sites, gateways by status, devices and the sum of the ledger',
        querystring: query({}),
        response: { 200: OVERVIEW },
      },
    },
    async (request) => {
      const visible = visibleSites(request);
      const nowMs = context.clock.wallMs();
      const gateways: Record<string, number> = { total: 0 };
      for (const status of Object.values(GatewayStatus)) gateways[status] = 0;
      for (const { site, gateway } of knownGateways(context)) {
        if (!isAmong(visible, site)) continue;
        const status = statusOf(context.fleet.gateway(site, gateway), nowMs);
        gateways.total = (gateways.total ?? 0) + 1;
        gateways[status] = (gateways[status] ?? 0) + 1;
      }
      const ledger = ledgerSums([]);
      for (const { site, gateway } of context.fleet.ledgerGateways())
        if (isAmong(visible, site))
          addNumbers(ledger, ledgerSums(context.fleet.ledgerOf(site, gateway)));
      const waiting = context.readiness().filter((check) => !check.ready);
      return {
        version: context.version,
        now_ms: nowMs,
        started_ms: context.startedMs,
        ready: waiting.length === 0,
        waiting_for: waiting.map((check) => check.reason),
        sites: sitesOf(context, visible),
        gateways,
        devices:
          visible === undefined
            ? context.devices.deviceCount
            : context.devices.sorted().filter(({ site }) => visible.has(site)).length,
        ledger,
      };
    },
  );
}

/** Configured sites, and those that a gateway or device is of. */
export function siteNames(context: ApiContext): string[] {
  const names = new Set(context.sites.keys());
  for (const { site } of context.gateways) names.add(site);
  for (const { site } of context.devices.sorted()) names.add(site);
  return [...names].sort(compare);
}

function sitesOf(context: ApiContext, visible: ReadonlySet<string> | undefined): object[] {
  const names = siteNames(context).filter((site) => isAmong(visible, site));
  return names.map((site) => {
    const config = context.sites.get(site);
    return {
      site,
      time_zone: config?.timeZone ?? 'UTC',
      day_start: config?.dayStart ?? '00:00',
    };
  });
}
