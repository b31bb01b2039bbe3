/** /api/v1/devices: every device with its state, its place and the newest value of each channel. */

import type { FastifyInstance } from 'fastify';
import type { ChannelConfig } from '../../config.ts';
import { codesOf } from '../../findings.ts';
import type { DeviceEntry } from '../../processor/outputs/device.ts';
import type { ChannelProfile, DeviceProfile } from '../../profile.ts';
import { isAmong, visibleSites } from '../access.ts';
import type { ApiContext } from '../context.ts';
import { decodeCursor, toPage } from '../cursor.ts';
import type { ChannelState, DeviceState } from '../live/devices.ts';
import { compare } from '../live/devices.ts';
import {
  COUNT,
  CURSOR,
  FINDINGS,
  LIST_LIMIT_MAX,
  limitSchema,
  NAME,
  nullable,
  object,
  page,
  QUALITY,
  query,
  TIME_MS,
  TREATMENT_NAMES,
  VALUE,
} from '../schemas.ts';

const NUMBER = nullable({ type: 'number' });

const CHANNEL = object({
  channel: { type: 'string' },
  title: object({ en: { type: 'string' }, ko: { type: 'string' } }, 'For people.'),
  kind: { enum: ['number', 'boolean', 'text'] },
  unit: { type: 'string', description: 'Of all its values. Empty when not known.' },
  decimals: nullable({
    type: 'integer',
    minimum: 0,
    maximum: 9,
    description: 'To show. Null: as many as make sense.',
  }),
  min: { ...NUMBER, description: 'Of the range of the profile, inclusive. Null: no bound.' },
  max: NUMBER,
  attention_when: nullable({ type: 'number', description: 'The value that needs a person.' }),
  time_ms: TIME_MS,
  value: { ...VALUE, description: 'After the rules. Booleans are 0 and 1.' },
  quality: QUALITY,
  treatment: {
    enum: [...TREATMENT_NAMES, null],
    description: 'As in /api/v1/readings. Null: not known, the value came before the last start.',
  },
  findings: { ...FINDINGS, type: ['array', 'null'] },
});

export const DeviceStatus = {
  ONLINE: 'online',
  LATE: 'late',
  SILENT: 'silent',
  /** Its readings were not judged yet. */
  UNKNOWN: 'unknown',
} as const;
export type DeviceStatus = (typeof DeviceStatus)[keyof typeof DeviceStatus];

const DEVICE = object({
  site: NAME,
  device: NAME,
  area: { type: 'string', description: 'Empty when no assignment names one.' },
  line: { type: 'string', description: 'As area.' },
  profile: { type: 'string', description: 'Empty when unprofiled.' },
  unprofiled: {
    type: 'boolean',
    description: 'No profile says what is right for it: its readings are stored as they come.',
  },
  state: {
    enum: Object.values(DeviceStatus),
    description:
      'late, then silent: without a reading for as long as its profile allows. Of several gateways the best counts.',
  },
  state_ms: nullable({
    ...TIME_MS,
    description: 'When the last change of state, place, profile or channels was found.',
  }),
  gateway: { ...NAME, description: 'That the newest reading came through.' },
  last_ms: { ...TIME_MS, description: 'Time of its newest reading.' },
  received_ms: { ...TIME_MS, description: 'When the collector had it.' },
  interval_ms: nullable({
    type: 'number',
    description: 'Estimate of the time from reading to reading.',
  }),
  expected_interval_ms: nullable({
    type: 'number',
    description: 'What the profile expects. Null: nothing.',
  }),
  channels: { type: 'array', items: CHANNEL },
});

const DEVICES = { ...page(DEVICE) };
(DEVICES.properties as Record<string, object>).total = {
  ...COUNT,
  description: 'Devices that match, over all pages.',
};
DEVICES.required = ['items', 'next', 'total'];

interface Query {
  site?: string;
  device?: string;
  area?: string;
  line?: string;
  profile?: string;
  unprofiled?: boolean;
  state?: DeviceStatus;
  gateway?: string;
  search?: string;
  limit: number;
  cursor?: string;
}

export function deviceRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/devices',
    {
      config: { access: { role: 'viewer' }, tagged: true },
      schema: {
        summary: 'Devices with state, place, profile and the newest value of each channel',
        querystring: query({
          site: NAME,
          device: NAME,
          area: NAME,
          line: NAME,
          profile: NAME,
          unprofiled: { type: 'boolean', description: 'Only devices without a profile, or with.' },
          state: { enum: Object.values(DeviceStatus) },
          gateway: { ...NAME, description: 'That the newest reading came through.' },
          search: {
            type: 'string',
            maxLength: 128,
            description: 'Part of the name of device, gateway, site, area or line, in any case.',
          },
          limit: limitSchema(100, LIST_LIMIT_MAX),
          cursor: CURSOR,
        }),
        response: { 200: DEVICES },
      },
    },
    async (request) => {
      const { limit, cursor, ...asked } = request.query;
      const visible = visibleSites(request);
      const matching = context.devices
        .sorted()
        .filter((device) => isAmong(visible, device.site) && matches(device, asked));
      const after = cursor === undefined ? undefined : decodeCursor(cursor, ['', ''] as const);
      const rest =
        after === undefined
          ? matching
          : matching.filter((d) => (compare(d.site, after[0]) || compare(d.device, after[1])) > 0);
      const { items, next } = toPage(rest, limit, (d) => [d.site, d.device]);
      return { items: items.map((d) => toItem(context, d)), next, total: matching.length };
    },
  );
}

function matches(device: DeviceState, asked: Omit<Query, 'limit' | 'cursor'>): boolean {
  for (const name of ['site', 'device', 'gateway'] as const)
    if (asked[name] !== undefined && device[name] !== asked[name]) return false;
  const entry = newestEntry(device);
  for (const name of ['area', 'line', 'profile'] as const)
    if (asked[name] !== undefined && entry?.[name] !== asked[name]) return false;
  if (asked.unprofiled !== undefined && isUnprofiled(entry) !== asked.unprofiled) return false;
  if (asked.state !== undefined && stateOf(device) !== asked.state) return false;
  const wanted = asked.search?.toLowerCase() ?? '';
  if (wanted === '') return true;
  const names = [device.device, device.gateway, device.site, entry?.area, entry?.line];
  return names.some((name) => name?.toLowerCase().includes(wanted));
}

/** The entry that was put out last tells the place: all are of one configuration. */
export function newestEntry({ entries }: DeviceState): DeviceEntry | undefined {
  let newest: DeviceEntry | undefined;
  for (const entry of entries.values())
    if (newest === undefined || entry.updatedMs >= newest.updatedMs) newest = entry;
  return newest;
}

export function isUnprofiled(entry: DeviceEntry | undefined): boolean {
  return entry !== undefined && entry.profile === '';
}

const BEST_FIRST = [DeviceStatus.ONLINE, DeviceStatus.LATE, DeviceStatus.SILENT] as const;

/** A device that two gateways read is online as long as one of them reads it. */
export function stateOf({ entries }: DeviceState): DeviceStatus {
  const states = new Set<string>();
  for (const { state } of entries.values()) states.add(state);
  return BEST_FIRST.find((state) => states.has(state)) ?? DeviceStatus.UNKNOWN;
}

/** Averages and conversions make long fractions that nobody reads; the values themselves stay whole. */
function decimalsToShow({ value, decimals }: ChannelState): number | null {
  if (decimals === null) return null;
  const isSmall = typeof value === 'number' && value !== 0 && Math.abs(value) < 1;
  return Math.min(decimals, isSmall ? 4 : 2);
}

function toItem(context: ApiContext, device: DeviceState): object {
  const entry = newestEntry(device);
  const profile = profileOf(context, entry);
  const state = stateOf(device);
  // Configured channels come first, in their order there.
  const order = new Map([...context.channels.keys()].map((channel, i) => [channel, i]));
  const place = (channel: string): number => order.get(channel) ?? Number.MAX_SAFE_INTEGER;
  const channels = [...device.channels].map(([channel, newest]) => {
    const shown = context.channels.get(channel);
    return channelItem(channel, newest, shown, ownProperty(profile?.channels, channel));
  });
  return {
    site: device.site,
    device: device.device,
    area: entry?.area ?? '',
    line: entry?.line ?? '',
    profile: entry?.profile ?? '',
    unprofiled: isUnprofiled(entry),
    state,
    state_ms: entry?.updatedMs ?? null,
    gateway: device.gateway,
    last_ms: device.lastMs,
    received_ms: device.receivedMs,
    interval_ms: device.intervalMs,
    expected_interval_ms: entry?.intervalMs || null,
    channels: channels.sort(
      (a, b) => place(a.channel) - place(b.channel) || compare(a.channel, b.channel),
    ),
  };
}

export function profileOf(
  context: ApiContext,
  entry: DeviceEntry | undefined,
): DeviceProfile | undefined {
  return ownProperty(context.configuration().profiles, entry?.profile ?? '');
}

/** Channels may be called like anything that an object inherits. */
export function ownProperty<T>(
  of: Readonly<Record<string, T>> | undefined,
  name: string,
): T | undefined {
  return of !== undefined && Object.hasOwn(of, name) ? of[name] : undefined;
}

/** What collector.yaml says of a channel counts before the profile, the gateway's own form last. */
function channelItem(
  channel: string,
  newest: ChannelState,
  shown: ChannelConfig | undefined,
  profile: ChannelProfile | undefined,
): { channel: string } & Record<string, unknown> {
  const title = profile?.title || channel;
  const { treatment, findings } = newest;
  return {
    channel,
    title: { en: title, ko: profile?.titleKo ?? title },
    kind: shown?.kind ?? profile?.type ?? newest.kind,
    unit: shown?.unit || (profile?.unit ?? ''),
    decimals: shown?.decimals ?? profile?.decimals ?? decimalsToShow(newest),
    min: profile?.min ?? null,
    max: profile?.max ?? null,
    attention_when: shown?.attentionWhen ?? profile?.attentionWhen ?? null,
    time_ms: newest.timeMs,
    value: newest.value,
    quality: newest.quality,
    treatment: treatment === null ? null : (TREATMENT_NAMES[treatment] ?? null),
    findings: findings === null ? null : codesOf(findings),
  };
}
