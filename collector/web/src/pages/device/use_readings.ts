/** The readings of what is shown: read by what is cheap for the range, then live. */

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { AskOptions, Parameters } from '../../api/client.ts';
import { ask } from '../../api/client.ts';
import type { DeviceItem, Page } from '../../api/types.ts';
import { collectorNowMs } from '../../app/overview.ts';
import type { Plan } from '../../chart/plan.ts';
import { planOf, pointsPlan, RAW_MAX } from '../../chart/plan.ts';
import type { BucketItem, Point, ReadingItem } from '../../chart/points.ts';
import { byChannel, merged, pointOfBucket, pointOfReading } from '../../chart/points.ts';
import type { Statistics } from '../../chart/statistics.ts';
import { ofBuckets, ofReadings } from '../../chart/statistics.ts';
import type { Span } from '../../chart/zoom.ts';
import { lengthOf } from '../../chart/zoom.ts';
import type { View } from './view.ts';
import { RANGES } from './view.ts';

/** What is live is read again now and then, so that what was left out comes and buckets stay buckets. */
const AGAIN_MS = 60_000;
/** What the log had taken but not yet the store, when the history was read, comes with the second look. */
const SECOND_LOOK_MS = 3_000;
const DRAW_MS = 500;
/** Of one channel that came live; older ones come with the next reading of the history. */
const LIVE_MAX = 5_000;
/** Of a bucket: what the API takes. */
const STEP_MAX_MS = 366 * 86_400_000;

export interface History {
  kind: Plan['kind'];
  points: Map<string, Point[]>;
  /** Undefined: what was read is thinned out, they have to be asked for. */
  statistics: Map<string, Statistics> | undefined;
  /** Of buckets; else 0. */
  stepMs: number;
  /** How long the reading took, in ms. */
  tookMs: number;
}

export interface Readings {
  history: History | undefined;
  error: unknown;
  isLoading: boolean;
  /** History and what came live, by channel. */
  pointsOf: (channel: string) => readonly Point[];
  statistics: Map<string, Statistics> | undefined;
  /** From the stream. */
  take: (items: readonly ReadingItem[]) => void;
  reload: () => void;
}

/** `channels`: undefined: all. */
export function useReadings(
  device: DeviceItem,
  view: View,
  span: Span,
  channels: readonly string[] | undefined,
): Readings {
  const { site, device: name } = device;
  const count = channels?.length ?? device.channels.length;
  // Estimates wander: what is asked for must not.
  const intervalMs = steady(device.interval_ms);
  const length = view.kind === 'live' ? RANGES[view.range] : lengthOf(view);
  const plan = useMemo(
    () => planOf({ lengthMs: length, channels: count, intervalMs }),
    [length, count, intervalMs],
  );
  const base: Parameters = { site, device: name, channels: channels?.join(',') };
  // While it is live the question stays the same; what is shown is cut out of its answer.
  const asked = view.kind === 'live' ? view.range : `${view.fromMs}-${view.toMs}`;
  const latestSpan = useRef(span);
  latestSpan.current = span;
  const query = useQuery({
    queryKey: ['readings', base, asked, plan],
    queryFn: ({ signal }) => readHistory(base, latestSpan.current, plan, count, { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: view.kind === 'live' ? AGAIN_MS : false,
    staleTime: view.kind === 'live' ? 0 : AGAIN_MS,
    gcTime: 5 * AGAIN_MS,
  });
  const { refetch } = query;
  const isLive = view.kind === 'live';
  useEffect(() => {
    if (!isLive) return;
    const timer = setTimeout(() => void refetch(), SECOND_LOOK_MS);
    return () => clearTimeout(timer);
  }, [isLive, refetch]);
  const live = useLive(isLive && plan.kind !== 'buckets');
  const history = query.data;
  // What is shown of the range before must not make a question about this one: of a year it is a dear one.
  const own = query.isPlaceholderData ? undefined : history;
  const statistics = useStatistics(base, asked, own, span, isLive);
  const pointsOf = useMemo(() => {
    const known = new Map<string, readonly Point[]>();
    return (channel: string) => {
      const points =
        known.get(channel) ??
        merged(history?.points.get(channel) ?? [], live.points.get(channel) ?? []);
      known.set(channel, points);
      return points;
    };
  }, [history, live.points]);
  return {
    history,
    error: query.error,
    isLoading: query.isFetching && (history === undefined || query.isPlaceholderData),
    pointsOf,
    statistics,
    take: live.take,
    reload: () => void refetch(),
  };
}

/** Two digits of it. */
function steady(intervalMs: number | null): number | null {
  return intervalMs === null ? null : Number(intervalMs.toPrecision(1));
}

async function readHistory(
  base: Parameters,
  span: Span,
  plan: Plan,
  channels: number,
  options: AskOptions,
): Promise<History> {
  const began = performance.now();
  const range = { ...base, from: span.fromMs, to: span.toMs };
  const took = (): number => Math.round(performance.now() - began);
  if (plan.kind === 'buckets') {
    const { items } = await ask<Page<BucketItem>>(
      'readings',
      { ...range, to: pastEndOf(span), step_ms: plan.stepMs, limit: RAW_MAX },
      options,
    );
    return {
      kind: 'buckets',
      points: byChannel(items, pointOfBucket),
      statistics: ofBuckets(items),
      stepMs: plan.stepMs,
      tookMs: took(),
    };
  }
  if (plan.kind === 'raw') {
    const answer = await ask<Page<ReadingItem>>('readings', { ...range, limit: RAW_MAX }, options);
    if (answer.next === null)
      return {
        kind: 'raw',
        points: byChannel(answer.items, pointOfReading),
        statistics: ofReadings(answer.items),
        stepMs: 0,
        tookMs: took(),
      };
  }
  const { points } = plan.kind === 'points' ? plan : pointsPlan(channels);
  const { items } = await ask<Page<ReadingItem>>('readings', { ...range, points }, options);
  return {
    kind: 'points',
    points: byChannel(items, pointOfReading),
    statistics: undefined,
    stepMs: 0,
    tookMs: took(),
  };
}

/** Empty buckets ahead of now are of no use; a span that is all ahead has one. */
function pastEndOf({ fromMs, toMs }: Span): number {
  return Math.max(fromMs + 1, Math.min(toMs, Math.ceil(collectorNowMs())));
}

/** Of points that were thinned out: asked for as one bucket, of the readings themselves. */
function useStatistics(
  base: Parameters,
  asked: string,
  history: History | undefined,
  span: Span,
  isLive: boolean,
): Map<string, Statistics> | undefined {
  const latest = useRef(span);
  latest.current = span;
  const query = useQuery({
    queryKey: ['readings', 'statistics', base, asked],
    queryFn: async ({ signal }) => {
      const { fromMs, toMs } = latest.current;
      // No whole minutes: from and to are then taken exactly. Mostly two buckets: they are counted from 1970 on.
      const step = Math.min(STEP_MAX_MS, toMs - fromMs + 1);
      const step_ms = step % 60_000 === 0 ? step - 1 : step;
      const range = { ...base, from: fromMs, to: toMs, step_ms, limit: RAW_MAX };
      const { items } = await ask<Page<BucketItem>>('readings', range, { signal });
      return ofBuckets(items);
    },
    enabled: history !== undefined && history.statistics === undefined,
    placeholderData: keepPreviousData,
    refetchInterval: isLive ? AGAIN_MS : false,
  });
  return history?.statistics ?? query.data;
}

interface Live {
  points: ReadonlyMap<string, readonly Point[]>;
  take: (items: readonly ReadingItem[]) => void;
}

/** Collects what the stream brings and shows it a few times a second at most. */
function useLive(isShown: boolean): Live {
  const [points, setPoints] = useState<ReadonlyMap<string, readonly Point[]>>(new Map());
  const waiting = useRef<ReadingItem[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    if (!isShown) setPoints((before) => (before.size === 0 ? before : new Map()));
    return () => {
      clearTimeout(timer.current);
      timer.current = undefined;
      waiting.current = [];
    };
  }, [isShown]);
  const flush = (): void => {
    timer.current = undefined;
    const items = waiting.current.splice(0);
    setPoints((before) => {
      const after = new Map(before);
      for (const [channel, own] of byChannel(items, pointOfReading))
        after.set(channel, merged(before.get(channel) ?? [], own).slice(-LIVE_MAX));
      return after;
    });
  };
  return {
    points,
    take: (items) => {
      if (!isShown) return;
      waiting.current.push(...items);
      timer.current ??= setTimeout(flush, DRAW_MS);
    },
  };
}
