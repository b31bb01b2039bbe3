/** Which periods have something new to be made of. */

import type { Period, SiteCalendar } from '../site_time.ts';
import { periodsBetween } from '../site_time.ts';
import type { Job, JobContext, JobUnit } from './job.ts';
import { calendarOf, JOB_LIMITS } from './job.ts';

/** A period is made only when it has ended for so long. */
export const CLOSED_AFTER_MS = 10 * 60_000;
/** Units of one run; the rest comes with the next one, oldest first. */
export const UNITS_MAX = 1_000;

export interface DueUnit extends JobUnit {
  /** When the newest of its input was made. */
  inputMs: number;
}

export interface Asked {
  fromMs?: number | undefined;
  toMs?: number | undefined;
  site?: string | undefined;
  /** Everything in the range, whether or not its input has changed. */
  all?: boolean | undefined;
}

interface InputRow {
  site: string;
  bucket_ms: number;
  input_ms: number;
}

interface OutputRow {
  site: string;
  start_ms: number;
  end_ms: number;
  input_ms: number;
  content: string;
  revision: number;
}

/** Periods that have ended and whose readings changed since they were made; ascending by end. */
export async function dueUnits(
  context: JobContext,
  job: Job,
  asked: Asked,
  signal?: AbortSignal,
): Promise<DueUnit[]> {
  const nowMs = context.clock.wallMs();
  const inputs = await context.store.query<InputRow>(
    `SELECT site, bucket_ms, max(updated_ms) AS input_ms FROM readings_1d
WHERE ({site:String} = '' OR site = {site:String}) GROUP BY site, bucket_ms ORDER BY bucket_ms`,
    { site: asked.site ?? '' },
    JOB_LIMITS,
    signal,
  );
  const made = new Map<string, OutputRow>();
  for (const row of await outputsOf(context, job, signal)) {
    made.set(`${row.site} ${Number(row.start_ms)} ${Number(row.end_ms)}`, row);
  }
  const units = new Map<string, DueUnit>();
  for (const { site, bucket_ms, input_ms } of inputs) {
    const calendar = calendarOf(context, site);
    const period = periodOfDay(job, calendar, Number(bucket_ms));
    if (period === undefined || !isAsked(period, asked, nowMs)) continue;
    const key = `${site} ${period.startMs} ${period.endMs}`;
    const before = made.get(key);
    const revision = before === undefined ? 0 : Number(before.revision) + 1;
    const unit: DueUnit = units.get(key) ?? {
      site, calendar, period, revision, inputMs: 0, content: before?.content ?? '',
    }; // biome-ignore format: a table
    unit.inputMs = Math.max(unit.inputMs, Number(input_ms));
    units.set(key, unit);
  }
  return [...units]
    .filter(
      ([key, unit]) => asked.all === true || Number(made.get(key)?.input_ms ?? -1) < unit.inputMs,
    )
    .map(([, unit]) => unit)
    .sort((a, b) => a.period.endMs - b.period.endMs || (a.site < b.site ? -1 : 1))
    .slice(0, UNITS_MAX);
}

/** Notes that a unit was made. */
export async function noteMade(
  context: JobContext,
  job: Job,
  unit: DueUnit,
  content: string,
  signal: AbortSignal,
): Promise<void> {
  const { site, period, inputMs } = unit;
  const unchanged = unit.content === content;
  const revision = unchanged ? Math.max(unit.revision - 1, 0) : unit.revision;
  await context.store.execute(
    `INSERT INTO job_outputs (job, site, label, start_ms, end_ms, input_ms, content, revision, made_ms)
SELECT {job:String}, {site:String}, {label:String}, {start:Int64}, {end:Int64}, {input:UInt64}, {content:String}, {revision:UInt32}, {made:UInt64}`,
    {
      job: job.name,
      site,
      label: period.label,
      start: period.startMs,
      end: period.endMs,
      input: inputMs,
      content,
      revision,
      made: context.clock.wallMs(),
    },
    JOB_LIMITS,
    signal,
  );
}

function outputsOf(
  context: JobContext,
  job: Job,
  signal: AbortSignal | undefined,
): Promise<OutputRow[]> {
  return context.store.query<OutputRow>(
    `SELECT site, start_ms, end_ms, input_ms, content, revision FROM job_outputs FINAL WHERE job = {job:String}`,
    { job: job.name },
    JOB_LIMITS,
    signal,
  );
}

/** Cheap for the many days of a month: the calendar is asked once a day of input. */
function periodOfDay(job: Job, calendar: SiteCalendar, dayMs: number): Period | undefined {
  for (const period of periodsBetween(job.period, calendar, dayMs, dayMs + 1)) return period;
  return undefined;
}

function isAsked(period: Period, asked: Asked, nowMs: number): boolean {
  if (period.endMs + CLOSED_AFTER_MS > nowMs) return false;
  if (asked.fromMs !== undefined && period.endMs <= asked.fromMs) return false;
  return asked.toMs === undefined || period.startMs < asked.toMs;
}
