/** The plant in one answer: sites and their zones, the collector's clock, whether it is ready. */

import { queryOptions, useQuery } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { ask } from '../api/client.ts';
import type { Overview } from '../api/types.ts';

const EVERY_MS = 5_000;
/** Collector's clock minus the browser's. */
let skewMs = 0;

export const overviewQuery = queryOptions({
  queryKey: ['overview'],
  queryFn: async ({ signal }): Promise<Overview> => {
    const overview = await ask<Overview>('overview', {}, { signal });
    skewMs = overview.now_ms - Date.now();
    return overview;
  },
  refetchInterval: EVERY_MS,
});

export function useOverview(): Overview | undefined {
  return useQuery(overviewQuery).data;
}

/** The time zone of a site; UTC while it is not known. */
export function useZoneOf(): (site: string) => string {
  const sites = useOverview()?.sites;
  return (site) => sites?.find((known) => known.site === site)?.time_zone ?? 'UTC';
}

/** What the collector's clock shows. */
export function collectorNowMs(): number {
  return Date.now() + skewMs;
}

/** One clock for all that shows an age: it moves once a second, and only while somebody looks. */
const clock = (() => {
  const listeners = new Set<() => void>();
  let shownMs = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  const tick = (): void => {
    if (document.hidden) return;
    shownMs = collectorNowMs();
    for (const listener of listeners) listener();
  };
  return {
    subscribe(listener: () => void): () => void {
      if (listeners.size === 0) {
        shownMs = collectorNowMs();
        timer = setInterval(tick, 1_000);
      }
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) clearInterval(timer);
      };
    },
    get: () => shownMs,
  };
})();

/** The collector's clock, in steps of a second; what uses it is drawn again at each. */
export function useNowMs(): number {
  return useSyncExternalStore(clock.subscribe, clock.get);
}
