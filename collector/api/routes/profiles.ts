/** /api/v1/profiles: the device profiles and assignments that the processor judges by. */

import type { FastifyInstance } from 'fastify';
import { matchesGlob } from '../../processor/validation/glob.ts';
import type { ChannelProfile, CrossRule, DeviceProfile } from '../../profile.ts';
import { visibleSites } from '../access.ts';
import type { ApiContext } from '../context.ts';
import type { JsonSchema } from '../schemas.ts';
import { NAME, nullable, object, query, TIME_MS } from '../schemas.ts';

const TEXT = { type: 'string' } as const;
const NUMBER = { type: 'number' } as const;
const TITLE = object({ en: TEXT, ko: TEXT }, 'For people.');
const MS = { type: 'number', minimum: 0, description: 'Milliseconds.' } as const;

function policy(description: string): JsonSchema {
  return { enum: ['keep', 'flag', 'clip', 'fill', 'quarantine'], description };
}

const CHANNEL = object({
  channel: NAME,
  title: TITLE,
  unit: TEXT,
  decimals: nullable({ type: 'integer', description: 'Null: as the gateway sends them.' }),
  type: { enum: ['number', 'boolean', 'text'] },
  min: nullable({ ...NUMBER, description: 'Inclusive, in the unit of the channel.' }),
  max: nullable(NUMBER),
  on_range: policy('For values outside of min and max.'),
  sentinels: { type: 'array', items: NUMBER, description: 'Values that mean "no value".' },
  on_null: policy('For null, sentinels and what is not finite.'),
  fill: object({
    kind: { enum: ['last', 'constant'], description: 'last: the last good value.' },
    value: nullable(NUMBER),
  }),
  on_type: policy('For values of another type.'),
  rate_per_second_max: nullable({ ...NUMBER, description: 'In units of the channel a second.' }),
  on_rate: policy('For faster changes.'),
  stuck_after_ms: nullable(MS),
  on_stuck: policy('For a value that has not changed for longer.'),
  outlier_ranges: nullable({
    ...NUMBER,
    description: 'Quartile ranges outside of the quartiles of the last 100 good values.',
  }),
  on_outlier: policy('For values farther out.'),
  attention_when: nullable({ ...NUMBER, description: 'The value that needs a person.' }),
});

const RULE = object({
  name: TEXT,
  expect: { ...TEXT, description: 'CEL over the channels; true: the values agree.' },
  channels: { type: 'array', items: NAME },
  message: TITLE,
  policy: { enum: ['keep', 'flag', 'quarantine'] },
});

const PROFILE = object({
  name: TEXT,
  title: TITLE,
  interval_ms: nullable({ ...MS, description: 'Milliseconds between two readings of a channel.' }),
  timely_within_ms: MS,
  future_tolerance_ms: MS,
  late_after_ms: MS,
  silent_after_ms: MS,
  on_time_backwards: policy('For a time before that of the reading before.'),
  on_same_time: policy('For a second reading of one time.'),
  on_late: policy('For what arrives later than timely_within_ms.'),
  on_future: policy('For times further ahead than future_tolerance_ms.'),
  failure: nullable(object({ channel: NAME, when: NUMBER }, 'The value that tells a failure.')),
  channels: { type: 'array', items: CHANNEL },
  rules: { type: 'array', items: RULE },
  match: {
    type: 'array',
    items: object({ site: TEXT, device: TEXT }, 'Globs of what gets this profile.'),
  },
});

const PROFILES = object({
  version: { ...TEXT, description: 'SHA-256 of the content; equal content, equal version.' },
  since_ms: { ...TIME_MS, description: 'When it was read.' },
  pending: { type: 'boolean', description: 'Not every part of the log has it yet.' },
  mistakes: {
    type: 'array',
    items: TEXT,
    description:
      'Of the files as last read, each `file:line: what`. While there are any, the configuration before them holds.',
  },
  retention_ms: { ...MS, description: 'Older readings go to quarantine. 0: none.' },
  ahead_max_ms: { ...MS, description: 'Readings further ahead go to quarantine.' },
  profiles: { type: 'array', items: PROFILE },
  assignments: {
    type: 'array',
    items: object(
      { site: TEXT, device: TEXT, area: TEXT, line: TEXT, profile: TEXT },
      'Globs of site and device; the first that matches holds. profile empty: by the profiles’ own match.',
    ),
  },
});

export function profileRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get(
    '/api/v1/profiles',
    {
      config: { access: { role: 'viewer' }, tagged: true },
      schema: {
        summary: 'The device profiles and assignments that hold now',
        querystring: query({}),
        response: { 200: PROFILES },
      },
    },
    async (request) => {
      const sites = visibleSites(request);
      const { version, retentionMs, aheadMaxMs, profiles, assignments } = context.configuration();
      const { sinceMs, pending, mistakes } = context.configurationStatus();
      return {
        version,
        since_ms: sinceMs,
        pending,
        mistakes,
        retention_ms: retentionMs,
        ahead_max_ms: aheadMaxMs,
        profiles: Object.values(profiles).map((profile) => profileItem(profile, sites)),
        assignments: assignments
          .filter(({ site }) => sites === undefined || holdsAtOne(site, sites))
          .map(({ site, device, area, line, profile }) => ({
            site,
            device,
            area,
            line,
            profile,
          })),
      };
    },
  );
}

/** Names of sites that the caller may not see are in what holds only there. */
function holdsAtOne(glob: string, sites: ReadonlySet<string>): boolean {
  return [...sites].some((site) => matchesGlob(glob, site));
}

function profileItem(profile: DeviceProfile, sites: ReadonlySet<string> | undefined): object {
  const { failure } = profile;
  return {
    name: profile.name,
    title: inBoth(profile.title || profile.name, profile.titleKo),
    interval_ms: profile.intervalMs ?? null,
    timely_within_ms: profile.timelyWithinMs,
    future_tolerance_ms: profile.futureToleranceMs,
    late_after_ms: profile.lateAfterMs,
    silent_after_ms: profile.silentAfterMs,
    on_time_backwards: profile.onTimeBackwards,
    on_same_time: profile.onSameTime,
    on_late: profile.onLate,
    on_future: profile.onFuture,
    failure: failure === undefined ? null : { channel: failure.channel, when: failure.when },
    channels: Object.entries(profile.channels).map(([name, one]) => channelItem(name, one)),
    rules: profile.rules.map(ruleItem),
    match: profile.match
      .filter(({ site }) => sites === undefined || holdsAtOne(site, sites))
      .map(({ site, device }) => ({ site, device })),
  };
}

function channelItem(channel: string, profile: ChannelProfile): object {
  const { fill } = profile;
  return {
    channel,
    title: inBoth(profile.title || channel, profile.titleKo),
    unit: profile.unit,
    decimals: profile.decimals ?? null,
    type: profile.type,
    min: profile.min ?? null,
    max: profile.max ?? null,
    on_range: profile.onRange,
    sentinels: profile.sentinels,
    on_null: profile.onNull,
    fill: { kind: fill.kind, value: fill.kind === 'constant' ? fill.value : null },
    on_type: profile.onType,
    rate_per_second_max: profile.ratePerSecondMax ?? null,
    on_rate: profile.onRate,
    stuck_after_ms: profile.stuckAfterMs ?? null,
    on_stuck: profile.onStuck,
    outlier_ranges: profile.outlierRanges ?? null,
    on_outlier: profile.onOutlier,
    attention_when: profile.attentionWhen ?? null,
  };
}

function ruleItem({ name, expect, channels, message, messageKo, policy }: CrossRule): object {
  return { name, expect, channels, message: inBoth(message, messageKo), policy };
}

function inBoth(en: string, ko: string | undefined): { en: string; ko: string } {
  return { en, ko: ko ?? en };
}
