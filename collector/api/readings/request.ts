/** The parameters of /api/v1/readings: their schema, and the request that comes of them. Pure. */

import { CollectorError } from '../../errors.ts';
import type { FindingCode } from '../../findings.ts';
import { FINDING_CODES } from '../../findings.ts';
import { CURSOR, limitSchema, NAME, query, TIME_MS } from '../schemas.ts';

/** Of one page. */
export const READINGS_MAX = 10_000;
export const CHANNELS_MAX = 100;
/** Buckets of one channel in one answer. */
export const BUCKETS_MAX = 5_000;
/** Of one channel. */
export const POINTS_MAX = 10_000;

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

export const AGGREGATES = ['avg', 'min', 'max', 'first', 'last', 'count'] as const;
export type Aggregate = (typeof AGGREGATES)[number];
export type Format = 'json' | 'csv' | 'parquet';

export interface ReadingsQuery {
  site: string;
  device: string;
  channels?: string;
  from?: number;
  to?: number;
  step?: 'minute' | 'hour' | 'day';
  step_ms?: number;
  points?: number;
  finding?: FindingCode;
  form: 'long' | 'wide';
  aggregate?: Aggregate;
  format: Format;
  limit: number;
  order: 'asc' | 'desc';
  cursor?: string;
}

export const READINGS_QUERY = query(
  {
    site: NAME,
    device: NAME,
    channels: {
      type: 'string',
      minLength: 1,
      maxLength: 8_192,
      description: `Channel names, separated by commas; at most ${CHANNELS_MAX}. Left out: all.`,
    },
    from: { ...TIME_MS, description: 'First time, inclusive. Left out: an hour before `to`.' },
    to: {
      ...TIME_MS,
      description: 'Last time, exclusive. Left out: a day from now, with a step a minute from now.',
    },
    step: {
      enum: ['minute', 'hour', 'day'],
      description:
        'Answers min, max, avg, first, last and counts of each minute, hour (UTC) or day instead. Days are those of the site: its time zone and its start of the day.',
    },
    step_ms: {
      type: 'integer',
      minimum: 1,
      maximum: 366 * DAY_MS,
      description: `The same for buckets of this length in ms, aligned to 1970-01-01 UTC; at most ${BUCKETS_MAX} buckets. Whole minutes are quickest: they come of roll-ups, which follow late readings after some seconds; from and to are then widened to whole minutes (whole hours where step_ms is whole hours).`,
    },
    points: {
      type: 'integer',
      minimum: 2,
      maximum: POINTS_MAX,
      description:
        'Thins out to at most so many readings of a channel: of each part of the range the lowest and the highest, with their own times. Only readings that count in statistics. No paging: `next` is null.',
    },
    finding: {
      enum: FINDING_CODES,
      description: 'Only single readings of which the rules said this. JSON, long form.',
    },
    form: {
      enum: ['long', 'wide'],
      default: 'long',
      description:
        'long: one item a reading or bucket. wide: one item a time, with the values of all channels beside each other.',
    },
    aggregate: {
      enum: AGGREGATES,
      description: 'What a wide item says of each bucket. Left out: avg.',
    },
    format: {
      enum: ['json', 'csv', 'parquet'],
      default: 'json',
      description:
        'csv and parquet answer the whole range as one file; limit does not count then, and cursor is refused.',
    },
    limit: limitSchema(1_000, READINGS_MAX),
    order: { enum: ['asc', 'desc'], default: 'asc', description: 'By time.' },
    cursor: CURSOR,
  },
  ['site', 'device'],
);

/** A checked request. */
export interface ReadingsRequest {
  site: string;
  device: string;
  /** Undefined: all. */
  channels: readonly string[] | undefined;
  fromMs: number;
  /** Exclusive. */
  toMs: number;
  /** Undefined: single readings. 'day': the site's. */
  step: number | 'day' | undefined;
  points: number | undefined;
  /** Undefined: all. */
  finding: FindingCode | undefined;
  form: 'long' | 'wide';
  aggregate: Aggregate;
  format: Format;
  limit: number;
  order: 'asc' | 'desc';
  cursor: string | undefined;
}

/** Devices' clocks may be a little ahead; further ahead needs an explicit `to`. */
const AHEAD_MS = DAY_MS;
/** Of buckets: empty ones ahead would use up their number. */
const AHEAD_BUCKETS_MS = MINUTE_MS;

const STEPS = { minute: MINUTE_MS, hour: HOUR_MS, day: 'day' } as const;

/** Throws API_PARAMETER_INVALID where parameters contradict each other. */
export function toRequest(asked: ReadingsQuery, nowMs: number): ReadingsRequest {
  const { step_ms: stepMs, points, form, finding } = asked;
  const step = asked.step === undefined ? stepMs : STEPS[asked.step];
  if (asked.step !== undefined && stepMs !== undefined) invalid('step and step_ms exclude another');
  if (points !== undefined && step !== undefined) invalid('points and a step exclude another');
  if (points !== undefined && form === 'wide')
    invalid('points have times of their own: they have no wide form');
  if (asked.aggregate !== undefined && (form !== 'wide' || step === undefined))
    invalid('aggregate is for the wide form with a step');
  if (asked.cursor !== undefined && (points !== undefined || asked.format !== 'json'))
    invalid('cursor is for pages: neither points nor files have any');
  const isSingle = step === undefined && points === undefined && form === 'long';
  if (finding !== undefined && !(isSingle && asked.format === 'json'))
    invalid('finding is for single readings in the long form as JSON');
  const ahead = step === undefined ? AHEAD_MS : AHEAD_BUCKETS_MS;
  const toMs = asked.to ?? nowMs + ahead;
  const fromMs = asked.from ?? Math.min(toMs, asked.to ?? nowMs) - HOUR_MS;
  if (fromMs >= toMs) invalid('from must be before to');
  const channels = channelsOf(asked.channels);
  const bucketMs = step === 'day' ? DAY_MS : step;
  if (bucketMs !== undefined && (toMs - fromMs) / bucketMs > BUCKETS_MAX)
    invalid(`more than ${BUCKETS_MAX} buckets: take a longer step or a shorter range`);
  return {
    site: asked.site,
    device: asked.device,
    channels,
    fromMs,
    toMs,
    step,
    points,
    finding,
    form,
    aggregate: asked.aggregate ?? 'avg',
    format: asked.format,
    limit: asked.limit,
    order: asked.order,
    cursor: asked.cursor,
  };
}

function channelsOf(text: string | undefined): string[] | undefined {
  const names = text?.split(',').filter((name) => name !== '');
  if (names === undefined) return undefined;
  const channels = [...new Set(names)];
  if (channels.length === 0) invalid('channels names none');
  if (channels.length > CHANNELS_MAX) invalid(`more than ${CHANNELS_MAX} channels`);
  return channels;
}

function invalid(detail: string): never {
  throw new CollectorError('API_PARAMETER_INVALID', detail);
}
