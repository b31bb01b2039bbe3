/** How many alerts fire, and the severest, on every page. */

import { queryOptions, useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { ask } from '../api/client.ts';
import { useStream } from '../api/stream.ts';
import type { Alert, Page } from '../api/types.ts';
import { useCommonSay } from '../i18n/say.ts';
import { bySeverity } from '../ui/severities.ts';
import { SeverityMark } from '../ui/severity.tsx';

/** The stream tells of changes at once; this is for what it may have left out. */
const EVERY_MS = 30_000;
const LIMIT = 1_000;

/** Alerts that are not over, newest first; kept current by the stream while the header is shown. */
export const activeAlertsQuery = queryOptions({
  queryKey: ['alerts', 'active'],
  queryFn: ({ signal }) => ask<Page<Alert>>('alerts', { active: true, limit: LIMIT }, { signal }),
  refetchInterval: EVERY_MS,
});

export function useActiveAlerts(): readonly Alert[] | undefined {
  return useQuery(activeAlertsQuery).data?.items;
}

/** Needs a person: it fires, makes messages, and nobody has acknowledged it. */
export function isLoud({ state, silence, inhibited_by }: Alert): boolean {
  return state === 'firing' && silence === '' && inhibited_by === '';
}

export function FiringCount(): ReactNode {
  const say = useCommonSay();
  const client = useQueryClient();
  const alerts = useActiveAlerts();
  useStream({ kinds: ['alert'] }, (event, data) => {
    if (event !== 'alert') {
      void client.invalidateQueries({ queryKey: activeAlertsQuery.queryKey });
      return;
    }
    client.setQueryData(activeAlertsQuery.queryKey, (known) =>
      known === undefined ? known : { ...known, items: withAlert(known.items, data as Alert) },
    );
  });
  const loud = (alerts ?? []).filter(isLoud);
  return (
    <p className="firing" id="firing">
      <Link href="/alerts">
        {alerts === undefined ? '–' : loud.length === 0 ? say('firing_none') : null}
        {bySeverity(loud).map(([severity, of]) => (
          <SeverityMark key={severity} severity={severity} count={of.length} />
        ))}
      </Link>
    </p>
  );
}

/** The list with what changed: newer versions replace, what is over leaves. */
export function withAlert(alerts: readonly Alert[], changed: Alert): Alert[] {
  const known = alerts.find(({ id }) => id === changed.id);
  if (known !== undefined && known.version > changed.version) return [...alerts];
  const others = alerts.filter(({ id }) => id !== changed.id);
  return changed.state === 'resolved' ? others : [changed, ...others];
}
