import {
  COVER_FIELDS,
  distanceOf,
  highOf,
  learnValue,
  lowOf,
  nearestOf,
  unitOf,
} from '../cover.ts';
import type { Detector, Explanation, ReadingAtHand } from '../detector.ts';
import { withUnit } from '../words.ts';

/** Readings that taught. */
const COUNT = 0;
/** Average of about the last ten values, and of what they were off the profile of hours and week. */
const LEVEL = 1;
const RESIDUAL = 2;
/** Readings since it last said something, and the largest surprise since then. */
const QUIET = 3;
const LARGEST = 4;
/**
 * For explanations only, of the last reading: the view that was surprised most, what it saw, the nearest of
 * its cover, how far from there is ordinary, and the range of the cover.
 */
const VIEW = 5;
const SEEN = 6;
const EXPECTED = 7;
const HALF = 8;
const LOW = 9;
const HIGH = 10;
/** The hour of the week at hand, how many readings it had so far, 1: it is the first such hour. */
const HOUR = 11;
const HOUR_READINGS = 12;
const IS_FIRST_HOUR = 13;
/** The value before, and the smallest step between two values: what moves in steps is not surprising by one. */
const BEFORE = 14;
const STEP = 15;
/** By hour of day: value and how many readings made it; by hour of week: value. */
const HOURS = 16;
const HOUR_COUNTS = HOURS + 24;
const WEEK = HOUR_COUNTS + 24;
const WEEK_HOURS = 168;
/** A bit an hour of the week: whether it was ever seen; in 6 numbers of 28 bits. */
const WEEK_SEEN = WEEK + WEEK_HOURS;
const WEEK_BITS = 28;
const VIEWS = WEEK_SEEN + WEEK_HOURS / WEEK_BITS;
const VIEW_COUNT = 3;

const LEVEL_RATE = 0.1;
const RESIDUAL_RATE = 0.15;
/** Of a reading, where an hour has up to 12 of them; where it has more, an hour weighs as much. */
const HOUR_RATE = 0.05;
const WEEK_RATE = 0.3;
const RATE_INTERVAL_MS = 300_000;
const HOUR_MS = 3_600_000;
/** 1970-01-01 00:00 UTC was so many hours after a Monday's beginning. */
const THURSDAY_HOURS = 72;
/** It says nothing before so many readings, and surprises count from the second number on. */
const SILENT_READINGS = 200;
const SURPRISE_READINGS = 100;
/** After it has said something, it says it again only when it is so much worse. */
const QUIET_READINGS = 100;
const WORSE = 2;
/** What is suppressed shows as this score: not an alarm, but not quiet either. */
const SUPPRESSED = 0.45;
/** So much more than the usual largest surprise is the least that counts. */
const RATIO_MIN = 1.07;
/** Of n readings so many were more surprising than the unit. */
const TAIL_READINGS = 5;
/** What was seen longer ago is forgotten, little by little. */
const KEPT_READINGS = 20_000;
/** Surprises come in bunches, of which each makes one alarm: ln of how many. */
const LN_BUNCH = 2.4;
/** Beyond the unit surprises thin out by e over unit / TAIL_RATE. */
const TAIL_RATE = 0.65;
/** No view of an alarm is surprised less: 1 / sqrt(3) of what makes one. */
const TELLING = 0.5;
/** Of the range. */
const STEP_RANGE_MAX = 1 / 4;

const views = new Float64Array(VIEW_COUNT);
const distances = new Float64Array(VIEW_COUNT);

/**
 * Something that was never seen in this channel: a value, a level, or a distance from what this hour of the
 * day and of the week usually brings (UTC). Each of the three views keeps a cover of what it saw; a surprise
 * is the distance to the nearest of it, in units of the fifth largest one so far. The three are joined as
 * the length of a vector of logarithms.
 */
export const novelty: Detector = {
  name: 'novelty',
  fields: VIEWS + VIEW_COUNT * COVER_FIELDS,
  lasts: false,
  judgesLate: true,
  applies: ({ isNumber }) => isNumber,
  judge(reading, at) {
    const { slab } = reading;
    const count = slab[at + COUNT]! + 1;
    const hour = hourOf(reading.timeMs);
    look(reading, at, count, hour);
    const surprise = surpriseOf(reading, at, count);
    // While it is stuck or has drifted off, what it says is no experience.
    if (reading.teaches && reading.isSettled && !reading.isLate) learn(reading, at, count, hour);
    if (count <= SILENT_READINGS) return 0;
    const score = surprise / (surprise + thresholdOf(reading.lnRare, count));
    return reading.isLate ? score : once(slab, at, score, surprise);
  },
  explain(reading, at) {
    return EXPLANATIONS[reading.slab[at + VIEW]!]!(reading, at);
  },
};

/** Hours since a Monday at 00:00 UTC, below 168. */
function hourOf(timeMs: number): number {
  const hour = (Math.floor(timeMs / HOUR_MS) + THURSDAY_HOURS) % WEEK_HOURS;
  return hour < 0 ? hour + WEEK_HOURS : hour;
}

/** What the three views see, into `views`. */
function look({ slab, value }: ReadingAtHand, at: number, count: number, hour: number): void {
  const level = slab[at + LEVEL]!;
  views[0] = value;
  views[1] = level + Math.max(LEVEL_RATE, 1 / count) * (value - level);
  const byHour = slab[at + HOURS + (hour % 24)]!;
  let residual = slab[at + HOUR_COUNTS + (hour % 24)]! > 0 ? value - byHour : 0;
  const byWeek = value - slab[at + WEEK + hour]!;
  if (wasSeen(slab, at, hour) && Math.abs(byWeek) < Math.abs(residual)) residual = byWeek;
  const before = slab[at + RESIDUAL]!;
  views[2] = before + RESIDUAL_RATE * (residual - before);
}

function surpriseOf({ slab }: ReadingAtHand, at: number, count: number): number {
  let sum = 0;
  let most = -1;
  for (let view = 0; view < VIEW_COUNT; view++) {
    const cover = at + VIEWS + view * COVER_FIELDS;
    const distance = distanceOf(slab, cover, views[view]!, count);
    distances[view] = distance;
    if (count <= SURPRISE_READINGS) continue;
    const unit = Math.max(unitOf(slab, cover), view === 0 ? stepOf(slab, at, cover) : 0);
    // Not distance / unit: that may be too large for a double.
    const surprise = unit > 0 ? Math.log2(1 + Math.min(1e100, distance / unit)) : 0;
    sum += surprise * surprise;
    if (surprise <= most) continue;
    most = surprise;
    slab[at + VIEW] = view;
    if (surprise < TELLING) continue;
    slab[at + SEEN] = views[view]!;
    slab[at + EXPECTED] = nearestOf(slab, cover, views[view]!);
    slab[at + HALF] = RATIO_MIN * unit;
    slab[at + LOW] = lowOf(slab, cover);
    slab[at + HIGH] = highOf(slab, cover);
  }
  return Math.sqrt(sum);
}

/** A step of the value, where the range has several: one more of them is no surprise. */
function stepOf(slab: Float64Array, at: number, cover: number): number {
  return Math.min(slab[at + STEP]!, STEP_RANGE_MAX * (highOf(slab, cover) - lowOf(slab, cover)));
}

function learn(
  { slab, value, intervalMs }: ReadingAtHand,
  at: number,
  count: number,
  hour: number,
): void {
  const step = Math.abs(value - slab[at + BEFORE]!);
  const smallest = slab[at + STEP]!;
  if (count > 1 && step > 0 && (smallest === 0 || step < smallest)) slab[at + STEP] = step;
  slab[at + BEFORE] = value;
  slab[at + COUNT] = count;
  slab[at + LEVEL] = views[1]!;
  slab[at + RESIDUAL] = views[2]!;
  for (let view = 0; view < VIEW_COUNT; view++)
    learnValue(slab, at + VIEWS + view * COVER_FIELDS, views[view]!, distances[view]!, count);
  const weight = intervalMs > 0 ? Math.min(1, intervalMs / RATE_INTERVAL_MS) : 1;
  const day = at + HOURS + (hour % 24);
  const counts = at + HOUR_COUNTS + (hour % 24);
  slab[counts] = slab[counts]! + 1;
  slab[day] = slab[day]! + Math.max(1 / slab[counts]!, HOUR_RATE * weight) * (value - slab[day]!);
  if (slab[at + HOUR] !== hour || slab[at + HOUR_READINGS] === 0) {
    slab[at + HOUR] = hour;
    slab[at + HOUR_READINGS] = 0;
    slab[at + IS_FIRST_HOUR] = wasSeen(slab, at, hour) ? 0 : 1;
    see(slab, at, hour);
  }
  const inHour = slab[at + HOUR_READINGS]! + 1;
  slab[at + HOUR_READINGS] = inHour;
  const least = slab[at + IS_FIRST_HOUR] === 1 ? 1 / inHour : 0;
  const week = at + WEEK + hour;
  slab[week] = slab[week]! + Math.max(least, WEEK_RATE * weight) * (value - slab[week]!);
}

function wasSeen(slab: Float64Array, at: number, hour: number): boolean {
  return ((slab[at + WEEK_SEEN + Math.floor(hour / WEEK_BITS)]! >> (hour % WEEK_BITS)) & 1) === 1;
}

function see(slab: Float64Array, at: number, hour: number): void {
  const place = at + WEEK_SEEN + Math.floor(hour / WEEK_BITS);
  slab[place] = slab[place]! | (1 << (hour % WEEK_BITS));
}

/**
 * The surprise that is rare enough. Of n readings 5 were more surprising than the unit, so that one of
 * n / 5 will be; beyond it an exponential tail is taken. Few readings a day, or many that were seen, and the
 * unit itself is rare enough.
 */
function thresholdOf(lnRare: number, count: number): number {
  const known = Math.min(count, KEPT_READINGS) / TAIL_READINGS;
  const missing = lnRare - LN_BUNCH - Math.log(known);
  return Math.log2(1 + RATIO_MIN + Math.max(0, missing) / TAIL_RATE);
}

/** An alarm is said once: not again for a while, unless it gets worse. */
function once(slab: Float64Array, at: number, score: number, surprise: number): number {
  const quiet = slab[at + QUIET]! + 1;
  const isSaid = slab[at + LARGEST]! > 0 && quiet <= QUIET_READINGS;
  slab[at + QUIET] = quiet;
  if (score >= 0.5 && (!isSaid || surprise > WORSE * slab[at + LARGEST]!)) {
    slab[at + QUIET] = 0;
    slab[at + LARGEST] = surprise;
    return score;
  }
  if (surprise > slab[at + LARGEST]! && isSaid) slab[at + LARGEST] = surprise;
  return Math.min(score, SUPPRESSED);
}

type Explain = (reading: ReadingAtHand, at: number) => Explanation;

const EXPLANATIONS: readonly Explain[] = [
  (reading, at) => aboutCover(reading, at, '', ''),
  (reading, at) => aboutCover(reading, at, 'average of the last ten: ', '최근 10개 평균 '),
  ({ slab, value, timeMs, plan }, at) => {
    const hour = hourOf(timeMs) % 24;
    const usual = slab[at + HOURS + hour]!;
    const expected = usual + slab[at + EXPECTED]!;
    const half = slab[at + HALF]!;
    const is = withUnit(value, plan.unit);
    const about = withUnit(usual, plan.unit);
    const clock = `${String(hour).padStart(2, '0')}:00 UTC`;
    return {
      en: `${is}; about ${about} is usual at this hour (${clock})`,
      ko: `${is}, 이 시간대(${clock})에는 보통 약 ${about}`,
      expectedLow: expected - half,
      expectedHigh: expected + half,
    };
  },
];

function aboutCover(
  { slab, plan }: ReadingAtHand,
  at: number,
  en: string,
  ko: string,
): Explanation {
  const nearest = slab[at + EXPECTED]!;
  const half = slab[at + HALF]!;
  const [seen, near, low, high] = [SEEN, EXPECTED, LOW, HIGH].map((field) =>
    withUnit(slab[at + field]!, plan.unit),
  ) as [string, string, string, string];
  return {
    en: `${en}${seen}; the nearest value ever seen is ${near}, the range seen ${low} to ${high}`,
    ko: `${ko}${seen}, 지금까지 가장 가까운 값 ${near}, 관측 범위 ${low} ~ ${high}`,
    expectedLow: nearest - half,
    expectedHigh: nearest + half,
  };
}
