/** Says when the collector does not answer, or is not ready: what is shown is old then. */

import type { ReactNode } from 'react';
import { useEffect, useSyncExternalStore } from 'react';
import { connectionStore } from '../api/client.ts';
import { timeFormat } from '../i18n/format.ts';
import { useCommonSay } from '../i18n/say.ts';
import { Banner } from '../ui/states.tsx';
import { useOverview, useZoneOf } from './overview.ts';

/** Undefined: it answers. */
export function useLostSinceMs(): number | undefined {
  return useSyncExternalStore(connectionStore.subscribe, connectionStore.get).lostSinceMs;
}

export function ConnectionBanner(): ReactNode {
  const say = useCommonSay();
  const lostSinceMs = useLostSinceMs();
  const overview = useOverview();
  const zone = useZoneOf()(overview?.sites[0]?.site ?? '');
  useEffect(() => {
    document.body.classList.toggle('stale-page', lostSinceMs !== undefined);
  }, [lostSinceMs]);
  if (lostSinceMs !== undefined) {
    const time = timeFormat(zone, 'time').format(lostSinceMs);
    return <Banner level="warn" text={say('disconnected', { time })} />;
  }
  if (overview?.ready === false) {
    const reasons = overview.waiting_for.join('; ');
    return <Banner level="note" text={say('starting', { reasons })} />;
  }
  // It is there all the time, so that screen readers hear what comes into it.
  return <Banner level="note" text="" />;
}
