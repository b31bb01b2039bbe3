/** /api/v1/overview/wall: what a wall shows of the last hour, and the gateways that need a person. */

import type { FastifyInstance } from 'fastify';
import type { QualityBucket } from '../../quality/read.ts';
import { readQuality } from '../../quality/read.ts';
import type { QualityCounts } from '../../quality/score.ts';
import { addCounts, noCounts, score } from '../../quality/score.ts';
import { visibleSites } from '../access.ts';
import type { ApiContext } from '../context.ts';
import type { GatewayNeed } from '../gateway_needs.ts';
import { GATEWAY_NEEDS, gatewayNeeds } from '../gateway_needs.ts';
import { ledgerSums } from '../ledger.ts';
import type { JsonSchema } from '../schemas.ts';
import { COUNT, NAME, nullable, object, query, TIME_MS } from '../schemas.ts';
import { GatewayStatus, knownGateways, statusOf } from './gateways.ts';
import { siteNames } from './overview.ts';

const MINUTE_MS = 60_000;
const MINUTES = 60;
/** Of these the score is that of now. */
const NOW_MINUTES = 15;
/** All callers share what was read of the store. */
const KEPT_MS = 20_000;
/** The quality of further sites is not read. */
const SITES_MAX = 50;
const GATEWAYS_MAX = 50;

const POINTS = nullable({ type: 'number', minimum: 0, maximum: 100 });
const RATE = nullable({ type: 'number', minimum: 0 });

const TREND: Record<string, JsonSchema> = {
  readings_per_second: {
    ...RATE,
    description: 'That came in over the last half minute. Null: not counted for that long yet.',
  },
  readings_minutes: {
    type: 'array',
    items: RATE,
    description: 'Readings a second by minute, oldest first. Null: before the collector’s start.',
  },
  quality: {
    ...POINTS,
    description: `Score of the last ${NOW_MINUTES} minutes. Null: nothing to judge, or not known.`,
  },
  quality_minutes: { type: 'array', items: POINTS },
};

const WALL = object({
  from_ms: { ...TIME_MS, description: 'Start of the first minute.' },
  all: object(TREND, 'Of all sites that the caller may see.'),
  sites: { type: 'array', items: object({ site: NAME, ...TREND }) },
  gateways: object({
    total: { ...COUNT, description: `That need a person; at most ${GATEWAYS_MAX} are answered.` },
    items: {
      type: 'array',
      items: object({
        site: NAME,
        gateway: NAME,
        status: { enum: Object.values(GatewayStatus) },
        updated_ms: nullable(TIME_MS),
        seconds_until_eviction: nullable({ type: 'number' }),
        needs: { type: 'array', items: { enum: GATEWAY_NEEDS }, description: 'Worst first.' },
      }),
    },
  }),
});

export function wallRoutes(app: FastifyInstance, context: ApiContext): void {
  const quality = new SiteQuality(context);
  app.get(
    '/api/v1/overview/wall',
    {
      schema: {
        summary:
          'Ingest and data quality of the last hour by site, and gateways that need a person',
        description: 'Data quality is read every 20 s at most, of the first 50 sites.',
        querystring: query({}),
        response: { 200: WALL },
      },
    },
    async (request) => {
      const nowMs = context.clock.wallMs();
      const visible = visibleSites(request);
      const sites = siteNames(context).filter((site) => visible?.has(site) !== false);
      const endMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
      const counted = await quality.of(sites.slice(0, SITES_MAX), nowMs);
      const trends = sites.map((site) => trendOf(context, site, nowMs, counted.get(site)));
      return {
        from_ms: endMs - MINUTES * MINUTE_MS,
        all: together(trends, endMs),
        sites: trends.map((trend) => toItem(trend, endMs)),
        gateways: needyGateways(context, visible, nowMs),
      };
    },
  );
}

type Counts = readonly { fromMs: number; counts: QualityCounts }[];

interface Trend {
  site: string;
  perSecond: number | null;
  minutes: (number | null)[];
  quality: Counts;
}

function trendOf(
  { ingest }: ApiContext,
  site: string,
  nowMs: number,
  quality: Counts | undefined,
): Trend {
  const endMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
  return {
    site,
    perSecond: ingest.perSecond(site, nowMs),
    minutes: ingest.byMinute(site, endMs, MINUTES),
    quality: quality ?? [],
  };
}

function toItem({ site, perSecond, minutes, quality }: Trend, endMs: number): object {
  return { site, ...numbersOf(perSecond, minutes, quality, endMs) };
}

function together(trends: readonly Trend[], endMs: number): object {
  const rates = trends.map(({ perSecond }) => perSecond);
  const minutes = Array.from({ length: MINUTES }, (_, i) =>
    sumOf(trends.map(({ minutes: of }) => of[i] ?? null)),
  );
  const quality = trends.flatMap(({ quality: of }) => of);
  return numbersOf(sumOf(rates), minutes, quality, endMs);
}

/** Null: none of them is known. */
function sumOf(numbers: readonly (number | null)[]): number | null {
  const known = numbers.filter((one) => one !== null);
  return known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0);
}

function numbersOf(
  perSecond: number | null,
  minutes: (number | null)[],
  quality: Counts,
  endMs: number,
): object {
  const byMinute = Array.from({ length: MINUTES }, () => noCounts());
  const now = noCounts();
  for (const { fromMs, counts } of quality) {
    const minute = MINUTES - (endMs - fromMs) / MINUTE_MS;
    if (byMinute[minute] !== undefined) addCounts(byMinute[minute], counts);
    if (minute >= MINUTES - NOW_MINUTES) addCounts(now, counts);
  }
  return {
    readings_per_second: perSecond,
    readings_minutes: minutes,
    quality: score(now).all,
    quality_minutes: byMinute.map((counts) => score(counts).all),
  };
}

/** Counts by site and minute, read of the store once for all who ask within a while. */
class SiteQuality {
  readonly #context: ApiContext;
  readonly #kept = new Map<string, { atMs: number; counts: Promise<Counts> }>();

  constructor(context: ApiContext) {
    this.#context = context;
  }

  /** Sites whose quality cannot be read now are left out. */
  async of(sites: readonly string[], nowMs: number): Promise<Map<string, Counts>> {
    const found = new Map<string, Counts>();
    // One after the other: a wall is not urgent, and the store has other callers.
    for (const site of sites) found.set(site, await this.#one(site, nowMs));
    return found;
  }

  #one(site: string, nowMs: number): Promise<Counts> {
    const kept = this.#kept.get(site);
    if (kept !== undefined && nowMs - kept.atMs < KEPT_MS && nowMs >= kept.atMs) return kept.counts;
    if (this.#kept.size >= 2 * SITES_MAX) this.#kept.clear();
    const counts = this.#read(site, nowMs);
    this.#kept.set(site, { atMs: nowMs, counts });
    return counts;
  }

  async #read(site: string, nowMs: number): Promise<Counts> {
    const { queries, sites } = this.#context;
    const endMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
    const fromMs = endMs - MINUTES * MINUTE_MS;
    const asked = { sites, site, by: 'site', fromMs, toMs: endMs, step: 'minute', nowMs } as const;
    try {
      const buckets: QualityBucket[] = await readQuality(queries, asked);
      return buckets.map(({ fromMs: startMs, counts }) => ({ fromMs: startMs, counts }));
    } catch {
      // The store is not there, or busy: /readyz says so, and the wall goes on without it.
      return [];
    }
  }
}

function needyGateways(
  context: ApiContext,
  visible: ReadonlySet<string> | undefined,
  nowMs: number,
): { total: number; items: object[] } {
  const needy: { order: number; item: object }[] = [];
  for (const { site, gateway } of knownGateways(context)) {
    if (visible?.has(site) === false) continue;
    const row = context.fleet.gateway(site, gateway);
    const status = statusOf(row, nowMs);
    const needs = gatewayNeeds(status, row, ledgerSums(context.fleet.ledgerOf(site, gateway)));
    const [worst] = needs;
    if (worst === undefined) continue;
    const seconds = row?.bufferSecondsUntilEviction ?? -1;
    const seconds_until_eviction = seconds < 0 ? null : seconds;
    const updated_ms = row?.updatedMs ?? null;
    needy.push({
      order: orderOf(worst),
      item: { site, gateway, status, updated_ms, seconds_until_eviction, needs },
    });
  }
  needy.sort((a, b) => a.order - b.order);
  return { total: needy.length, items: needy.slice(0, GATEWAYS_MAX).map(({ item }) => item) };
}

function orderOf(need: GatewayNeed): number {
  return GATEWAY_NEEDS.indexOf(need);
}
