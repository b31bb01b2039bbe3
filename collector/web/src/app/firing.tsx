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
import { OverAlerts, withAlert } from './active_alerts.ts';

/** The stream tells of changes at once; this is for what it may have left out. */
const EVERY_MS = 30_000;
const LIMIT = 1_000;

const over = new OverAlerts();

/** Alerts that are not over, newest first; kept current by the stream while the header is shown. */
export const activeAlertsQuery = queryOptions({
  queryKey: ['alerts', 'active'],
  queryFn: async ({ signal }) => {
    const page = await ask<Page<Alert>>('alerts', { active: true, limit: LIMIT }, { signal });
    return { ...page, items: page.items.filter((alert) => !over.has(alert)) };
  },
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
    const changed = data as Alert;
    if (changed.state === 'resolved') over.add(changed);
    else if (over.has(changed)) return;
    client.setQueryData(activeAlertsQuery.queryKey, (known) =>
      known === undefined ? known : { ...known, items: withAlert(known.items, changed) },
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
