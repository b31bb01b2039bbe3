import type { Detector, ReadingAtHand } from '../detector.ts';
import { withUnit } from '../words.ts';

/** 1: above the upper limit, -1: below the lower one, 0: within. */
const SIDE = 0;

/**
 * Beyond the limits of the profile; normal again once `hysteresis` within them. What is out of the range
 * counts, too: only what is no value does not.
 */
export const limits: Detector = {
  name: 'limits',
  fields: 1,
  lasts: true,
  judgesLate: true,
  applies: ({ low, high, isNumber }) => isNumber && (low !== undefined || high !== undefined),
  judge(reading, at) {
    const { slab, value, isLate } = reading;
    const before = isLate ? 0 : slab[at + SIDE]!;
    const { low = -Infinity, high = Infinity, hysteresis } = reading.plan;
    let side = 0;
    if (value > high || (before === 1 && value > high - hysteresis)) side = 1;
    if (value < low || (before === -1 && value < low + hysteresis)) side = -1;
    if (!isLate) slab[at + SIDE] = side;
    if (side === 0) return 0;
    const beyond = Math.max(0, side === 1 ? value - high : low - value);
    return 0.5 + 0.5 * (beyond / (beyond + scaleOf(reading)));
  },
  explain({ value, plan }) {
    const { low, high, unit } = plan;
    const isAbove = high !== undefined && (low === undefined || value > low);
    const limit = withUnit((isAbove ? high : low) ?? 0, unit);
    const is = withUnit(value, unit);
    return {
      en: isAbove ? `${is}; the limit is ${limit}` : `${is}; the lower limit is ${limit}`,
      ko: isAbove ? `${is}, 상한 ${limit}` : `${is}, 하한 ${limit}`,
      expectedLow: low ?? null,
      expectedHigh: high ?? null,
    };
  },
};

/** So far beyond a limit is a score of 0.75. */
function scaleOf({ plan }: ReadingAtHand): number {
  const { low, high, hysteresis } = plan;
  const span = low !== undefined && high !== undefined ? (high - low) / 4 : 0;
  const size = Math.abs(high ?? low ?? 0) / 4;
  return Math.max(hysteresis, span > 0 ? span : size) || 1;
}
