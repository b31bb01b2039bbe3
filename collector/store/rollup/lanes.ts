/**
 * What waits to be recomputed, level by level (minutes, then hours, then days), late data apart from what
 * comes in now; and when each may run, so that all together take a small part of the time.
 */

import type { SiteCalendar } from '../../site_time.ts';
import { periodAt, periodsBetween, UTC_CALENDAR } from '../../site_time.ts';
import type { MinuteRange, Slice, SliceLimits, Units } from './touched.ts';
import { Touched } from './touched.ts';

export type Level = 'minutes' | 'hours' | 'days';
export const LEVELS: readonly Level[] = ['minutes', 'hours', 'days'];

export interface Lane {
  level: Level;
  late: boolean;
  touched: Touched;
  units: Units;
  limits: SliceLimits;
  /** What limits.cells may grow back to. */
  cellsMax: number;
  /** When it may run next, on performance.now(). */
  dueMs: number;
  /** What a run costs, as of late. */
  costMs: number;
  /** Statements refused since the last one that was not. */
  refused: number;
}

export interface Pace {
  /** At least so much time between two runs of what comes in now. */
  intervalMs: Readonly<Record<Level, number>>;
  /** Part of the time that it may take. */
  duty: Readonly<Record<Level, number>>;
  /** The same for late data. */
  lateIntervalMs: number;
  lateDuty: Readonly<Record<Level, number>>;
}
/** 5 % in all for what comes in now; 12.5 % more while late data is worked off. */
export const PACE: Pace = {
  intervalMs: { minutes: 2_000, hours: 10_000, days: 30_000 },
  duty: { minutes: 0.03, hours: 0.012, days: 0.008 },
  lateIntervalMs: 500,
  lateDuty: { minutes: 0.075, hours: 0.03, days: 0.02 },
};
/** However long a run took. */
const REST_MAX_MS = 600_000;
/** A run that took much longer than those before it mostly waited, for a job or a backup. */
const COST_GROWTH_MAX = 3;
const COST_LEAST_MS = 100;

/** Minutes × channels of one statement: about as much work at each level. */
const CELLS_MAX: Readonly<Record<Level, number>> = {
  minutes: 200_000,
  hours: 1_000_000,
  days: 20_000_000,
};
const CELLS_MIN = 1_000;
const REFUSED_MAX = 10;
const SLICE_MS = { long: 1_000, short: 250 };
/** Over all devices of a lane. */
export const RANGES_MAX = 100_000;

export function lanesOf(sites: ReadonlyMap<string, SiteCalendar>): Lane[] {
  return LEVELS.flatMap((level) =>
    [false, true].map((late) => ({
      level,
      late,
      touched: new Touched(RANGES_MAX),
      units: unitsOf(level, sites),
      limits: { cells: CELLS_MAX[level], devices: 1_000, ranges: 64, names: 60_000 },
      cellsMax: CELLS_MAX[level],
      dueMs: 0,
      costMs: 0,
      refused: 0,
    })),
  );
}

function unitsOf(level: Level, sites: ReadonlyMap<string, SiteCalendar>): Units {
  const startOf = {
    minutes: (_site: string, minute: number): number => minute,
    hours: (_site: string, minute: number): number => Math.floor(minute / 60) * 60,
    days: (site: string, minute: number): number => dayStart(sites, site, minute),
  }[level];
  return { startOf, group: (site) => site };
}

const MINUTE_MS = 60_000;

function dayStart(sites: ReadonlyMap<string, SiteCalendar>, site: string, minute: number): number {
  const { startMs } = periodAt('day', sites.get(site) ?? UTC_CALENDAR, minute * MINUTE_MS);
  return startMs / MINUTE_MS;
}

/** The whole units of `level` that the range touches. */
export function widened(
  level: Level,
  sites: ReadonlyMap<string, SiteCalendar>,
  site: string,
  { from, to }: MinuteRange,
): MinuteRange {
  if (level === 'minutes') return { from, to };
  if (level === 'hours') {
    return { from: Math.floor(from / 60) * 60, to: Math.ceil(to / 60) * 60 };
  }
  const calendar = sites.get(site) ?? UTC_CALENDAR;
  const { endMs } = periodAt('day', calendar, (to - 1) * MINUTE_MS);
  return { from: dayStart(sites, site, from), to: endMs / MINUTE_MS };
}

/** Where the days of the slice's ranges begin, and after each range where its last day ends. */
export function daysOf(sites: ReadonlyMap<string, SiteCalendar>, slice: Slice): number[] {
  const calendar = sites.get(slice.devices[0]?.site ?? '') ?? UTC_CALENDAR;
  const edges = new Set<number>();
  for (const { from, to } of slice.ranges) {
    for (const day of periodsBetween('day', calendar, from * MINUTE_MS, to * MINUTE_MS)) {
      edges.add(day.startMs).add(day.endMs);
    }
  }
  return [...edges].sort((a, b) => a - b);
}

/** How long the lane rests after a run of `tookMs`. */
export function rest(lane: Lane, pace: Pace, tookMs: number): number {
  const { level, late } = lane;
  const before = Math.max(lane.costMs, COST_LEAST_MS);
  lane.costMs = Math.min(tookMs, before * COST_GROWTH_MAX);
  const duty = (late ? pace.lateDuty : pace.duty)[level];
  const least = late ? pace.lateIntervalMs : pace.intervalMs[level];
  return Math.min(Math.max(lane.costMs / duty - lane.costMs, least), REST_MAX_MS);
}

/** After a statement. They should be short: they hold a connection, and a backup waits for them. */
export function adapt(lane: Lane, slice: Slice, tookMs: number): void {
  const { limits, cellsMax } = lane;
  lane.refused = 0;
  if (tookMs > SLICE_MS.long) limits.cells = Math.max(CELLS_MIN, Math.floor(slice.cells / 2));
  else if (tookMs < SLICE_MS.short) limits.cells = Math.min(cellsMax, limits.cells * 2);
}

/**
 * A statement was refused: it is too large for its limits, or had to wait too long for others. Answers
 * false when it was tried smaller and often enough.
 */
export function shrink(lane: Lane, slice: Slice): boolean {
  lane.refused++;
  lane.limits.cells = Math.max(CELLS_MIN, Math.floor(slice.cells / 4));
  return lane.refused < REFUSED_MAX;
}
