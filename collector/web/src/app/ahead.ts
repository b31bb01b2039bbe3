/** Asks for what the first page shows while the browser still draws its frame: the answers are there when it is. */

import type { QueryClient } from '@tanstack/react-query';
import { statesQuery, wallQuery } from '../pages/overview/queries.ts';
import { activeAlertsQuery } from './firing.tsx';
import { overviewQuery } from './overview.ts';
import { sessionQuery } from './session.ts';

/** Without somebody who may look nothing more is asked. Failures show where the answers are missed. */
export function askAhead(client: QueryClient, path: string): void {
  void client.prefetchQuery(sessionQuery).then(() => {
    const session = client.getQueryData(sessionQuery.queryKey);
    if (session === null || session === undefined || session.must_change_password) return;
    void client.prefetchQuery(overviewQuery);
    void client.prefetchQuery(activeAlertsQuery);
    if (path !== '/') return;
    void client.prefetchQuery(statesQuery);
    void client.prefetchQuery(wallQuery);
  });
}
