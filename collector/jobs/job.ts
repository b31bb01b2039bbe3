/**
 * The contract of a job: makes something of one period of one site, and makes it again when late data
 * changed its input. Running it again for the same input must make the same.
 */

import type { Configuration } from '../profile.ts';
import type { Period, PeriodKind, SiteCalendar } from '../site_time.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../types.ts';

export interface JobContext {
  clock: Clock;
  store: Pick<Store, 'query' | 'execute'>;
  /** As configured; a site that is not listed has UTC_CALENDAR. */
  sites: ReadonlyMap<string, SiteCalendar>;
  configuration: () => Configuration | undefined;
  /** Folder of the reports. */
  reportsDir: string;
}

/** One piece of work. */
export interface JobUnit {
  site: string;
  calendar: SiteCalendar;
  period: Period;
  /** How often this was made before: 0 is the first time, more means that late data changed it. */
  revision: number;
  /** The digest that was answered then; '' the first time. */
  content: string;
}

export interface Job {
  /** As the command line and the API know it. */
  name: string;
  period: PeriodKind;
  title: { en: string; ko: string };
  /**
   * Makes and stores the output of a unit. Answers a digest of what was made: equal content, equal digest.
   * Rejects with CollectorError, or with the signal's reason.
   */
  make(context: JobContext, unit: JobUnit, signal: AbortSignal): Promise<string>;
}

/** What one statement of a job may cost. */
export const JOB_LIMITS = {
  timeoutMs: 120_000,
  maxRows: 500_000,
  maxMemoryBytes: 1024 * 1024 * 1024,
} as const;

export function calendarOf(context: JobContext, site: string): SiteCalendar {
  return context.sites.get(site) ?? { timeZone: 'UTC', dayStart: '00:00' };
}
