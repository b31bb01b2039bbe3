/** All jobs. Those of a longer period come after the shorter ones that they are made of. */

import type { PeriodKind } from '../site_time.ts';
import type { Job } from './job.ts';
import { reportJob } from './report/report.ts';
import { statisticsJob } from './statistics.ts';

/** Within a period: first the statistics, then the report that shows them. */
function ofPeriod(period: PeriodKind): Job[] {
  return [statisticsJob(period), reportJob(period)];
}

export const jobs: readonly Job[] = [...ofPeriod('day'), ...ofPeriod('week'), ...ofPeriod('month')];
