/**
 * The quality report of a site's day, week or month: scores of four dimensions, what cost the points, the
 * devices from the worst on, what lies in quarantine, what was lost on gateways. As JSON and as a page in
 * each language; made again, and marked revised, when late data changed it.
 */

import { createHash } from 'node:crypto';
import { DIMENSIONS } from '../../findings.ts';
import type { QualityBucket, QualityRequest } from '../../quality/read.ts';
import { readQuality } from '../../quality/read.ts';
import type { Quality } from '../../quality/score.ts';
import { QUALITY_TARGETS } from '../../quality/score.ts';
import type { PeriodKind } from '../../site_time.ts';
import type { Job, JobContext, JobUnit } from '../job.ts';
import { JOB_LIMITS } from '../job.ts';
import { writeReport } from './files.ts';
import type { Report, ReportDevice, Scores } from './model.ts';
import { reportPage } from './page.ts';
import { LANGUAGES } from './words.ts';

/** Devices in the list of a report. */
const DEVICES_MAX = 1_000;
/** Reasons told of a device. */
const DEVICE_REASONS_MAX = 3;

const NAMES: Record<PeriodKind, string> = {
  day: 'quality-report-daily',
  week: 'quality-report-weekly',
  month: 'quality-report-monthly',
};

const TITLES: Record<PeriodKind, { en: string; ko: string }> = {
  day: { en: 'Daily quality report', ko: '일간 품질 보고서' },
  week: { en: 'Weekly quality report', ko: '주간 품질 보고서' },
  month: { en: 'Monthly quality report', ko: '월간 품질 보고서' },
};

export function reportJob(period: PeriodKind): Job {
  return {
    name: NAMES[period],
    period,
    title: TITLES[period],
    make: async (context, unit, signal) => {
      const report = await gather(context, unit, signal);
      const digest = digestOf(report);
      // The same again is no revision: the files stay as they are.
      if (digest === unit.content) return digest;
      const { site, period: of } = unit;
      const id = { site, kind: of.kind, label: of.label };
      for (const language of LANGUAGES) {
        const page = reportPage(report, language);
        await writeReport(context.reportsDir, id, `${language}.html`, page);
      }
      // Last: a report is listed by its JSON file.
      await writeReport(context.reportsDir, id, 'json', `${JSON.stringify(report, null, 2)}\n`);
      return digest;
    },
  };
}

function digestOf({ revision: _revision, made_ms: _made, ...content }: Report): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

async function gather(context: JobContext, unit: JobUnit, signal: AbortSignal): Promise<Report> {
  const { site, period, calendar } = unit;
  const nowMs = context.clock.wallMs();
  const queries = {
    run: <Row>(sql: string, params: Record<string, unknown>, ended?: AbortSignal) =>
      context.store.query<Row>(sql, params, JOB_LIMITS, ended),
  };
  const request: QualityRequest = {
    sites: context.sites,
    site,
    fromMs: period.startMs,
    toMs: period.endMs,
    step: 'all',
    nowMs,
  };
  const [whole] = await readQuality(queries, { ...request, by: 'site' }, signal);
  const buckets = await readQuality(queries, request, signal);
  const places = await placesOf(context, unit, signal);
  const statistics = await statisticsOf(context, unit, signal);
  const devices = buckets
    .map((bucket) => deviceOf(bucket, places.get(bucket.device), statistics.get(bucket.device)))
    .sort(
      (a, b) => (a.scores.all ?? 101) - (b.scores.all ?? 101) || (a.device < b.device ? -1 : 1),
    );
  return {
    format: 1,
    site,
    period: {
      kind: period.kind,
      label: period.label,
      start_ms: period.startMs,
      end_ms: period.endMs,
      time_zone: calendar.timeZone,
    },
    revision: unit.revision,
    made_ms: nowMs,
    scores: scoresOf(whole?.quality),
    targets: { ...QUALITY_TARGETS, timeliness: null },
    expected: whole?.counts.expected ?? null,
    received: whole?.counts.received ?? 0,
    reasons: whole?.quality.reasons ?? [],
    quarantined: await quarantined(context, unit, signal),
    lost: await lost(context, unit, signal),
    devices: devices.slice(0, DEVICES_MAX),
    devices_left_out: Math.max(devices.length - DEVICES_MAX, 0),
  };
}

function scoresOf(quality: Quality | undefined): Scores {
  const scores: Scores = {
    completeness: null,
    accuracy: null,
    consistency: null,
    timeliness: null,
    all: quality?.all ?? null,
  };
  for (const dimension of DIMENSIONS) scores[dimension] = quality?.[dimension] ?? null;
  return scores;
}

interface Place {
  area: string;
  line: string;
  profile: string;
}

interface DeviceStatistics {
  observed_ms: number;
  delivered_ms: number;
  failing_ms: number;
  failures: number;
}

function deviceOf(
  { device, counts, quality }: QualityBucket,
  place: Place | undefined,
  statistics: DeviceStatistics | undefined,
): ReportDevice {
  const wellMs = (statistics?.delivered_ms ?? 0) - (statistics?.failing_ms ?? 0);
  const observedMs = statistics?.observed_ms ?? 0;
  const failures = statistics?.failures ?? null;
  return {
    device,
    area: place?.area ?? '',
    line: place?.line ?? '',
    profile: place?.profile ?? '',
    scores: scoresOf(quality),
    expected: counts.expected,
    received: counts.received,
    reasons: quality.reasons.slice(0, DEVICE_REASONS_MAX),
    availability: observedMs > 0 ? wellMs / observedMs : null,
    failures,
    time_between_failures_ms: failures !== null && failures > 0 ? wellMs / failures : null,
  };
}

async function placesOf(
  context: JobContext,
  { site }: JobUnit,
  signal: AbortSignal,
): Promise<Map<string, Place>> {
  const rows = await context.store.query<Place & { device: string }>(
    `SELECT device, argMax(area, updated_ms) AS area, argMax(line, updated_ms) AS line, argMax(profile, updated_ms) AS profile
FROM device_states WHERE site = {site:String} GROUP BY device`,
    { site },
    JOB_LIMITS,
    signal,
  );
  return new Map(rows.map(({ device, ...place }) => [device, place]));
}

async function statisticsOf(
  context: JobContext,
  { site, period }: JobUnit,
  signal: AbortSignal,
): Promise<Map<string, DeviceStatistics>> {
  const rows = await context.store.query<DeviceStatistics & { device: string }>(
    `SELECT device, observed_ms, delivered_ms, failing_ms, failures FROM device_statistics FINAL
WHERE site = {site:String} AND period = {kind:String} AND start_ms = {start:Int64} AND end_ms = {end:Int64}`,
    { site, kind: period.kind, start: period.startMs, end: period.endMs },
    JOB_LIMITS,
    signal,
  );
  return new Map(
    rows.map((row) => [
      row.device,
      {
        observed_ms: Number(row.observed_ms),
        delivered_ms: Number(row.delivered_ms),
        failing_ms: Number(row.failing_ms),
        failures: Number(row.failures),
      },
    ]),
  );
}

async function quarantined(
  context: JobContext,
  { site, period }: JobUnit,
  signal: AbortSignal,
): Promise<Report['quarantined']> {
  const rows = await context.store.query<{ reason: string; n: number }>(
    `SELECT reason, sum(count) AS n FROM quarantine
WHERE site = {site:String} AND received_ms >= {start:Int64} AND received_ms < {end:Int64}
GROUP BY reason HAVING n > 0 ORDER BY n DESC, reason LIMIT 100`,
    { site, start: period.startMs, end: period.endMs },
    JOB_LIMITS,
    signal,
  );
  return rows.map(({ reason, n }) => ({ reason, count: Number(n) }));
}

/** By when the loss became known: what was lost has no times of its own. */
async function lost(
  context: JobContext,
  { site, period }: JobUnit,
  signal: AbortSignal,
): Promise<Report['lost']> {
  const rows = await context.store.query<{ gateway: string; reason: string; n: number }>(
    `SELECT gateway, JSONExtractString(detail, 'reason') AS reason, sum(JSONExtractUInt(detail, 'readings')) AS n FROM events
WHERE site = {site:String} AND kind = 'gap' AND time_ms >= {start:Int64} AND time_ms < {end:Int64}
GROUP BY gateway, reason ORDER BY n DESC, gateway, reason LIMIT 1000`,
    { site, start: period.startMs, end: period.endMs },
    JOB_LIMITS,
    signal,
  );
  return rows.map(({ gateway, reason, n }) => ({ gateway, reason, readings: Number(n) }));
}
