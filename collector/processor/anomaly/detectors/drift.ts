import type { Detector, ReadingAtHand } from '../detector.ts';
import { hasBecomeNormal, LASTING_FIELDS } from '../lasting.ts';
import { withUnit } from '../words.ts';

/** Readings; how often the value crossed its mean, and on which side it is. */
const COUNT = 0;
const CROSSINGS = 1;
const SIDE = 2;
/** The level now, and the slow reference: mean and variance of the values. */
const LEVEL = 3;
const MEAN = 4;
const VARIANCE = 5;
/** Largest distance in the block at hand, in the one before, and in all before these. */
const BLOCK = 6;
const BLOCK_BEFORE = 7;
const RECORD = 8;
/** Of the last reading: distance and threshold, in standard deviations; 1: it had drifted off. */
const DISTANCE = 9;
const THRESHOLD = 10;
const ON = 11;
const LASTING = 12;

const LEVEL_RATE = 1 / 8;
const REFERENCE_RATE = 1 / 20_000;
const COUNT_MIN = 300;
const CROSSINGS_MIN = 40;
/** Values farther off count as so far. */
const CLIP = 4;
const BLOCK_READINGS = 200;
const RECORD_KEPT = 0.998;
const TIMES_RECORD = 1.5;
const OFF = 0.8;
/** A score just below the threshold is quiet. */
const BELOW = 0.8;

/**
 * The level (an average of about the last ten readings) has gone away from a slow reference. How often the
 * value crosses its mean tells how many independent values the reference is made of: few, and only a large
 * distance counts; hardly any (the channel follows something slower), and nothing is said. Channels whose
 * level wanders off now and then have a record to break.
 */
export const drift: Detector = {
  name: 'drift',
  fields: LASTING + LASTING_FIELDS,
  lasts: true,
  judgesLate: false,
  applies: ({ isNumber }) => isNumber,
  judge(reading, at) {
    const { slab, value } = reading;
    const count = slab[at + COUNT]!;
    if (count === 0) {
      if (!reading.teaches) return 0;
      slab[at + COUNT] = 1;
      slab[at + LEVEL] = value;
      slab[at + MEAN] = value;
      return 0;
    }
    const deviation = Math.sqrt(slab[at + VARIANCE]!);
    const step = value - slab[at + LEVEL]!;
    // One wild value is no drift.
    const most = count < COUNT_MIN ? Math.abs(step) : CLIP * deviation;
    slab[at + LEVEL] = slab[at + LEVEL]! + LEVEL_RATE * Math.max(-most, Math.min(most, step));
    const score = scoreOf(reading, at, deviation);
    if (reading.teaches) learn(reading, at, deviation);
    return score;
  },
  explain({ slab, plan }, at) {
    const mean = slab[at + MEAN]!;
    const half = slab[at + THRESHOLD]! * Math.sqrt(slab[at + VARIANCE]!);
    const level = withUnit(slab[at + LEVEL]!, plan.unit);
    const low = withUnit(mean - half, plan.unit);
    const high = withUnit(mean + half, plan.unit);
    return {
      en: `drifted to about ${level}; long-term it is about ${withUnit(mean, plan.unit)} (${low} to ${high})`,
      ko: `약 ${level}(으)로 서서히 벗어났습니다. 장기 평균 ${withUnit(mean, plan.unit)} (${low} ~ ${high})`,
      expectedLow: mean - half,
      expectedHigh: mean + half,
    };
  },
};

function scoreOf({ slab, lnRare, timeMs }: ReadingAtHand, at: number, deviation: number): number {
  const crossings = slab[at + CROSSINGS]!;
  slab[at + DISTANCE] = 0;
  if (!(deviation > 0) || slab[at + COUNT]! < COUNT_MIN || crossings < CROSSINGS_MIN) return 0;
  const distance = Math.abs(slab[at + LEVEL]! - slab[at + MEAN]!) / deviation;
  const gaussian = Math.sqrt(2 * lnRare) * (1 + 5 / Math.sqrt(crossings));
  const threshold = Math.max(gaussian, TIMES_RECORD * slab[at + RECORD]!);
  const wasOn = slab[at + ON] === 1;
  const isOn = distance >= (wasOn ? OFF : 1) * threshold;
  slab[at + DISTANCE] = distance;
  slab[at + THRESHOLD] = threshold;
  slab[at + ON] = isOn ? 1 : 0;
  if (hasBecomeNormal(slab, at + LASTING, timeMs, isOn)) {
    slab[at + MEAN] = slab[at + LEVEL]!;
    slab[at + ON] = 0;
    return 0;
  }
  const score = distance / (distance + threshold);
  return isOn ? Math.max(0.5, score) : BELOW * score;
}

function learn({ slab, value, isClean }: ReadingAtHand, at: number, deviation: number): void {
  const count = slab[at + COUNT]! + 1;
  const isOn = slab[at + ON] === 1;
  slab[at + COUNT] = count;
  const off = value - slab[at + MEAN]!;
  const side = off < 0 ? -1 : 1;
  if (side !== slab[at + SIDE]) slab[at + CROSSINGS] = slab[at + CROSSINGS]! + 1;
  slab[at + SIDE] = side;
  const most = count < COUNT_MIN ? Math.abs(off) : CLIP * deviation;
  const change = Math.max(-most, Math.min(most, off));
  const rate = Math.max(1 / count, REFERENCE_RATE);
  slab[at + MEAN] = slab[at + MEAN]! + rate * change;
  if (!isOn) slab[at + VARIANCE] = (1 - rate) * (slab[at + VARIANCE]! + rate * change * change);
  if (isClean) slab[at + BLOCK] = Math.max(slab[at + BLOCK]!, slab[at + DISTANCE]!);
  if (count % BLOCK_READINGS !== 0) return;
  slab[at + RECORD] = Math.max(RECORD_KEPT * slab[at + RECORD]!, slab[at + BLOCK_BEFORE]!);
  slab[at + BLOCK_BEFORE] = slab[at + BLOCK]!;
  slab[at + BLOCK] = 0;
}
