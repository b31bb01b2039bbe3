/** /api/v1/devices/states: every device in a few words, for a wall of tiles. */

import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { visibleSites } from '../access.ts';
import { SEVERITY } from '../alert_items.ts';
import type { ApiContext } from '../context.ts';
import type { DeviceAlerts, Freshness } from '../device_states.ts';
import {
  ALERT_LOOKS,
  deviceKey,
  FRESHNESS,
  freshnessOf,
  shownLastMs,
  valueNeeds,
  worstAlerts,
} from '../device_states.ts';
import type { DeviceState } from '../live/devices.ts';
import { COUNT, NAME, nullable, object, query, TIME_MS } from '../schemas.ts';
import { DeviceStatus, newestEntry, ownProperty, profileOf, stateOf } from './devices.ts';

/** Of one answer: those that need a person come before the others are left out. */
const STATES_MAX = 5_000;

const STATE = object({
  site: NAME,
  area: { type: 'string' },
  line: { type: 'string' },
  device: NAME,
  gateway: NAME,
  state: { enum: Object.values(DeviceStatus) },
  freshness: {
    enum: FRESHNESS,
    description:
      'stale: nothing for 30 s and three intervals. past: readings come, with times long gone. ahead: with times to come.',
  },
  last_ms: nullable({
    ...TIME_MS,
    description: 'Of its newest reading, in whole minutes unless stale. Null: live.',
  }),
  attention: { ...COUNT, description: 'Channels whose value needs a person.' },
  bad: { ...COUNT, description: 'Channels whose value is of bad quality.' },
  alert: {
    anyOf: [
      { type: 'null' },
      object({
        severity: SEVERITY,
        look: {
          enum: ALERT_LOOKS,
          description: 'loud: nobody cares for it yet. seen: acknowledged. quiet: silenced.',
        },
        count: { ...COUNT, description: 'Alerts of that severity and look.' },
        title: { type: 'string' },
        title_ko: { type: 'string' },
      }),
    ],
    description: 'The worst that is not over. Null: none.',
  },
});

const STATES = object({
  items: { type: 'array', items: STATE },
  total: {
    ...COUNT,
    description: `Devices. The first ${STATES_MAX} are answered: of more, those that need a person first.`,
  },
});

export function deviceStateRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: { site?: string } }>(
    '/api/v1/devices/states',
    {
      schema: {
        summary: 'Every device in a few words: state, freshness, what needs a person',
        description:
          'By site, area, line and name. It changes only when something that it says changes, and has an ETag: ask with If-None-Match.',
        querystring: query({ site: NAME }),
        response: { 200: STATES },
      },
    },
    async (request, reply) => {
      const visible = visibleSites(request);
      const asked = request.query.site;
      const devices = context.devices
        .sorted()
        .filter(
          ({ site }) => (asked === undefined || site === asked) && visible?.has(site) !== false,
        );
      const text = JSON.stringify(statesOf(context, devices));
      const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
      reply.header('etag', etag).header('cache-control', 'private, no-cache');
      if (request.headers['if-none-match'] === etag) return reply.code(304).send();
      return reply.type('application/json; charset=utf-8').send(text);
    },
  );
}

interface Item {
  site: string;
  area: string;
  line: string;
  device: string;
  state: DeviceStatus;
  freshness: Freshness;
  attention: number;
  alert: object | null;
}

function statesOf(
  context: ApiContext,
  devices: readonly DeviceState[],
): { items: Item[]; total: number } {
  const nowMs = context.clock.wallMs();
  const alerts = worstAlerts(context.alerts.open());
  const all = devices.map((device) =>
    itemOf(context, device, alerts.get(deviceKey(device.site, device.device)), nowMs),
  );
  const items = all.length <= STATES_MAX ? all : neediest(all);
  return { items: items.sort(byPlace), total: all.length };
}

function itemOf(
  context: ApiContext,
  device: DeviceState,
  alert: DeviceAlerts | undefined,
  nowMs: number,
): Item & Record<string, unknown> {
  const entry = newestEntry(device);
  const profile = profileOf(context, entry);
  const freshness = freshnessOf(device, nowMs);
  const { attention, bad } = valueNeeds(
    device.channels,
    (channel) =>
      context.channels.get(channel)?.attentionWhen ??
      ownProperty(profile?.channels, channel)?.attentionWhen ??
      null,
  );
  return {
    site: device.site,
    area: entry?.area ?? '',
    line: entry?.line ?? '',
    device: device.device,
    gateway: device.gateway,
    state: stateOf(device),
    freshness,
    last_ms: shownLastMs(device.lastMs, freshness),
    attention,
    bad,
    alert:
      alert === undefined
        ? null
        : {
            severity: alert.severity,
            look: alert.look,
            count: alert.count,
            title: alert.title,
            title_ko: alert.titleKo,
          },
  };
}

function neediest(all: readonly Item[]): Item[] {
  const needs = ({ alert, freshness, state, attention }: Item): number =>
    Number(alert !== null) * 4 +
    Number(freshness === 'stale' || state === DeviceStatus.SILENT) * 2 +
    Number(attention > 0);
  return [...all].sort((a, b) => needs(b) - needs(a)).slice(0, STATES_MAX);
}

const names = new Intl.Collator('en', { numeric: true });

/** As people count: M2 before M10. */
function byPlace(a: Item, b: Item): number {
  return (
    names.compare(a.site, b.site) ||
    names.compare(a.area, b.area) ||
    names.compare(a.line, b.line) ||
    names.compare(a.device, b.device) ||
    (a.device < b.device ? -1 : 1)
  );
}
