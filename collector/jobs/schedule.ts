/** When jobs run: the one owner of node-cron. Each run makes all that is due, so a missed one is caught up. */

import cron from 'node-cron';
import type { PeriodKind } from '../site_time.ts';

/**
 * Sites lie in different time zones, and their days end at any hour: each kind of period is looked after
 * every hour. Half past, so that a day has ended for a while and most late data is there.
 */
export const EXPRESSIONS: Readonly<Record<PeriodKind, string>> = {
  day: '30 * * * *',
  week: '40 * * * *',
  month: '50 * * * *',
};

export interface Schedule {
  stop(): Promise<void>;
}

/** `run` is called for a kind of period; a call while the one before it is under way is left out. */
export function startSchedule(
  run: (kind: PeriodKind) => Promise<void>,
  expressions: Readonly<Record<PeriodKind, string>> = EXPRESSIONS,
): Schedule {
  const tasks = (Object.entries(expressions) as [PeriodKind, string][]).map(([kind, expression]) =>
    cron.schedule(expression, () => run(kind), { name: kind, timezone: 'UTC', noOverlap: true }),
  );
  return {
    stop: async () => {
      for (const task of tasks) await task.destroy();
    },
  };
}
