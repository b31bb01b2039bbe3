/** The anomalies of a device: the newest, those in the time that is shown, and what the stream tells of. */

import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { ask } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import type { Span } from '../../chart/zoom.ts';
import { lengthOf } from '../../chart/zoom.ts';
import type { Anomaly } from '../alerts/types.ts';
import { withAnomalies } from './bands.ts';

const PAGE = 100;
/** Newer ones are kept; the list and the charts have no more. */
const KEPT_MAX = 1_000;
const SHOWN_MAX = 500;
const EVERY_MS = 30_000;

export interface Anomalies {
  /** Newest first. */
  items: readonly Anomaly[];
  isLoaded: boolean;
  error: unknown;
  hasOlder: boolean;
  loadOlder: () => void;
  /** From the stream. */
  take: (anomaly: Anomaly) => void;
  reload: () => void;
}

export function useAnomalies(site: string, device: string, span: Span): Anomalies {
  const of = { site, device };
  const newest = useInfiniteQuery({
    queryKey: ['anomalies', 'newest', of],
    queryFn: ({ pageParam, signal }) =>
      ask<Page<Anomaly>>('anomalies', { ...of, limit: PAGE, cursor: pageParam }, { signal }),
    initialPageParam: '',
    getNextPageParam: ({ next }) => next ?? undefined,
    refetchInterval: EVERY_MS,
  });
  const bounds = roundBounds(span);
  const oldestMs = newest.data?.pages.at(-1)?.items.at(-1)?.onset_ms;
  const shown = useQuery({
    queryKey: ['anomalies', 'shown', of, bounds],
    queryFn: ({ signal }) =>
      ask<Page<Anomaly>>('anomalies', { ...of, ...bounds, limit: SHOWN_MAX }, { signal }),
    placeholderData: keepPreviousData,
    // The newest ones go back far enough by themselves.
    enabled: newest.hasNextPage && oldestMs !== undefined && oldestMs > span.fromMs,
  });
  const [told, setTold] = useState<readonly Anomaly[]>([]);
  const items = useMemo(() => {
    const read = [...(newest.data?.pages ?? []), ...(shown.data === undefined ? [] : [shown.data])];
    const all = read.flatMap((page) => page.items);
    return withAnomalies(withAnomalies([], all, KEPT_MAX), told, KEPT_MAX);
  }, [newest.data, shown.data, told]);
  return {
    items,
    isLoaded: newest.data !== undefined,
    error: newest.error,
    hasOlder: newest.hasNextPage,
    loadOlder: () => void newest.fetchNextPage(),
    take: (anomaly) => setTold((before) => withAnomalies(before, [anomaly], PAGE)),
    reload: () => void newest.refetch(),
  };
}

/** So that charts that move on ask the same question for a while. One that began before may reach into the span. */
function roundBounds(span: Span): { from: number; to: number } {
  const unit = Math.max(60_000, lengthOf(span));
  return {
    from: Math.floor(span.fromMs / unit - 1) * unit,
    to: Math.ceil(span.toMs / unit + 1) * unit,
  };
}
