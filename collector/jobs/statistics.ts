/**
 * Statistics of a period: of each channel from the site's days (readings_1d), of each device its
 * availability, failures and the time between them. Filled and missing values are in none of them.
 *
 * - deviation: of the sample, sqrt(m2 / (count - 1)); days are joined after Chan, Golub and LeVeque (1979):
 *   m2 = sum(m2_i) + sum(count_i (mean_i - mean)^2)
 * - availability = (delivered - failing) / observed: the share of the time in which readings came and the
 *   device did not report a failure. Observed is from its first reading on.
 * - time between failures = (delivered - failing) / failures
 */

import type { PeriodKind } from '../site_time.ts';
import { deviceDay } from './devices.ts';
import type { Job, JobContext, JobUnit } from './job.ts';
import { JOB_LIMITS } from './job.ts';

const TITLES: Record<PeriodKind, { en: string; ko: string }> = {
  day: { en: 'Daily statistics', ko: '일간 통계' },
  week: { en: 'Weekly statistics', ko: '주간 통계' },
  month: { en: 'Monthly statistics', ko: '월간 통계' },
};

const NAMES: Record<PeriodKind, string> = {
  day: 'statistics-daily',
  week: 'statistics-weekly',
  month: 'statistics-monthly',
};

export function statisticsJob(period: PeriodKind): Job {
  return {
    name: NAMES[period],
    period,
    title: TITLES[period],
    make: async (context, unit, signal) => {
      await channels(context, unit, signal);
      if (period === 'day') await deviceDay(context, unit, signal);
      else await devicesOfDays(context, unit, signal);
      return digest(context, unit, signal);
    },
  };
}

function paramsOf(context: JobContext, { site, period }: JobUnit): Record<string, unknown> {
  return {
    site,
    kind: period.kind,
    label: period.label,
    start: period.startMs,
    end: period.endMs,
    now: context.clock.wallMs(),
  };
}

async function channels(context: JobContext, unit: JobUnit, signal: AbortSignal): Promise<void> {
  await context.store.execute(
    `INSERT INTO statistics (site, device, channel, period, label, start_ms, end_ms, count, filled, bad, mean, min, max, deviation, updated_ms)
SELECT site, device, channel, {kind:String}, {label:String}, {start:Int64}, {end:Int64}, n, f, b,
  if(n = 0, NULL, m), lo, hi,
  if(n < 2, NULL, sqrt(arraySum((g, mu, q) -> q + g * pow(ifNull(mu, 0) - m, 2), goods, means, m2s) / (n - 1))),
  {now:UInt64}
FROM (
  SELECT site, device, channel, sum(good) AS n, sum(filled) AS f, sum(bad) AS b,
    min(min) AS lo, max(max) AS hi,
    ifNull(sum(good * mean), 0) / greatest(n, 1) AS m,
    groupArray(good) AS goods, groupArray(tuple(mean)) AS wrapped, arrayMap(t -> t.1, wrapped) AS means,
    groupArray(m2) AS m2s
  FROM readings_1d FINAL
  WHERE site = {site:String} AND bucket_ms >= {start:Int64} AND bucket_ms < {end:Int64}
  GROUP BY site, device, channel
)`,
    paramsOf(context, unit),
    JOB_LIMITS,
    signal,
  );
}

/** Of a week or a month: the sums of its days, which an earlier job made. */
async function devicesOfDays(
  context: JobContext,
  unit: JobUnit,
  signal: AbortSignal,
): Promise<void> {
  await context.store.execute(
    `INSERT INTO device_statistics (site, device, period, label, start_ms, end_ms, observed_ms, delivered_ms, failing_ms, failures, updated_ms)
SELECT site, device, {kind:String}, {label:String}, {start:Int64}, {end:Int64},
  sum(observed_ms), sum(delivered_ms), sum(failing_ms), sum(failures), {now:UInt64}
FROM device_statistics FINAL
WHERE site = {site:String} AND period = 'day' AND start_ms >= {start:Int64} AND start_ms < {end:Int64}
GROUP BY site, device`,
    paramsOf(context, unit),
    JOB_LIMITS,
    signal,
  );
}

/** Of everything that was made, whatever the order of the rows and the time of the making. */
async function digest(context: JobContext, unit: JobUnit, signal: AbortSignal): Promise<string> {
  const where = `FINAL WHERE site = {site:String} AND period = {kind:String} AND start_ms = {start:Int64} AND end_ms = {end:Int64}`;
  const { site, period } = unit;
  const rows = await context.store.query<{ hash: string }>(
    `SELECT concat(
  (SELECT toString(sum(cityHash64(device, channel, count, filled, bad, toString(mean), toString(min), toString(max), toString(deviation)))) FROM statistics ${where}), '/',
  (SELECT toString(sum(cityHash64(device, observed_ms, delivered_ms, failing_ms, failures))) FROM device_statistics ${where})) AS hash`,
    { site, kind: period.kind, start: period.startMs, end: period.endMs },
    JOB_LIMITS,
    signal,
  );
  return String(rows[0]?.hash ?? '');
}
