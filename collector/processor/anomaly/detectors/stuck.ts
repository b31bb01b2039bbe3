import { maskOf } from '../../../findings.ts';
import type { Detector, ReadingAtHand } from '../detector.ts';
import { secondsWords, withUnit } from '../words.ts';

const STUCK = maskOf('stuck');

/** The run of equal values at hand. */
const VALUE = 0;
const RUN = 1;
const SINCE_MS = 2;
/** So long a run had to be when it was judged last; 0: not known yet. */
const NEEDED = 3;
/** Neighbouring readings; those of them that were equal; and those of these that came right after such a pair. */
const PAIRS = 4;
const EQUAL = 5;
const EQUAL_AGAIN = 6;
const RUNS = 7;
/** The value at which the channel rests (a motor that is off), its longest run, and the longest of others. */
const REST = 8;
const REST_LONGEST = 9;
const LONGEST = 10;

const PAIRS_MIN = 200;
const RUNS_MIN = 20;
/** Half of what was counted is forgotten here. */
const PAIRS_MAX = 20_000;
const RUN_MIN = 6;
/** Of neighbours so many are equal where values come in steps. */
const STEPPED = 0.05;
const TIMES_LONGEST = 2;
const TIMES_LONGEST_STEPPED = 5;

/**
 * The value stays the same for longer than it ever does in this channel. How often neighbours are equal
 * tells how improbable a run is (a Markov chain of "equal" and "changed"); it must be rarer than the alarms
 * that the device may raise falsely, and longer than the runs that were seen. A channel that hardly ever
 * changes is never stuck. The rules' finding counts, too.
 */
export const stuck: Detector = {
  name: 'stuck',
  fields: 11,
  lasts: true,
  judgesLate: false,
  applies: () => true,
  judge(reading, at) {
    const { slab, value, findings } = reading;
    const isFound = (findings & STUCK) !== 0 ? 0.75 : 0;
    if (!reading.plan.isNumber) return isFound;
    if (reading.sinceMs === 0) begin(reading, at);
    else if (value !== slab[at + VALUE]) {
      if (slab[at + RUN]! > 0) learn(slab, at);
      begin(reading, at);
    } else slab[at + RUN] = slab[at + RUN]! + 1;
    const run = slab[at + RUN]!;
    if (run < RUN_MIN) return isFound;
    const needed = neededOf(reading, at);
    slab[at + NEEDED] = needed;
    return run < needed ? isFound : Math.max(isFound, 1 - (0.5 * needed) / run);
  },
  explain({ slab, value, timeMs, plan }, at) {
    const since = secondsWords(timeMs - slab[at + SINCE_MS]!);
    const run = slab[at + RUN]!;
    const is = withUnit(value, plan.unit);
    return {
      en: `has stayed at ${is} for ${since.en} (${run} readings), longer than it ever does`,
      ko: `${since.ko} 동안(${run}회) ${is}에 머물러 평소보다 오래 변하지 않았습니다`,
      expectedLow: null,
      expectedHigh: null,
    };
  },
};

function begin({ slab, value, timeMs }: ReadingAtHand, at: number): void {
  slab[at + VALUE] = value;
  slab[at + RUN] = 1;
  slab[at + SINCE_MS] = timeMs;
  slab[at + NEEDED] = 0;
}

/** Of a run that has ended by a change. */
function learn(slab: Float64Array, at: number): void {
  const run = slab[at + RUN]!;
  const value = slab[at + VALUE]!;
  const wasStuck = slab[at + NEEDED]! > 0 && run >= slab[at + NEEDED]!;
  slab[at + RUNS] = slab[at + RUNS]! + 1;
  if (value === slab[at + REST]! || run > slab[at + REST_LONGEST]!) {
    // What rested there before was no resting, but a long run; unless it was an alarm that is over.
    const before = slab[at + REST_LONGEST]!;
    if (value !== slab[at + REST]! && !wasStuck)
      slab[at + LONGEST] = Math.max(slab[at + LONGEST]!, before);
    slab[at + REST] = value;
    slab[at + REST_LONGEST] = Math.max(before, run);
  } else if (!wasStuck) slab[at + LONGEST] = Math.max(slab[at + LONGEST]!, run);
  if (wasStuck) return;
  slab[at + PAIRS] = slab[at + PAIRS]! + run;
  slab[at + EQUAL] = slab[at + EQUAL]! + run - 1;
  slab[at + EQUAL_AGAIN] = slab[at + EQUAL_AGAIN]! + Math.max(0, run - 2);
  if (slab[at + PAIRS]! < PAIRS_MAX) return;
  for (const field of [PAIRS, EQUAL, EQUAL_AGAIN]) slab[at + field] = slab[at + field]! / 2;
}

function neededOf({ slab, lnRare }: ReadingAtHand, at: number): number {
  const pairs = slab[at + PAIRS]!;
  if (pairs < PAIRS_MIN || slab[at + RUNS]! < RUNS_MIN) return Infinity;
  const equal = slab[at + EQUAL]!;
  const first = (equal + 1) / (pairs + 2);
  const again = Math.min(0.999, (slab[at + EQUAL_AGAIN]! + 2 * Math.max(first, 0.1)) / (equal + 2));
  const improbable = 2 + (lnRare + Math.log(first)) / -Math.log(again);
  const rests = slab[at + VALUE] === slab[at + REST];
  const longest = rests ? slab[at + REST_LONGEST]! : slab[at + LONGEST]!;
  const isStepped = first > STEPPED || (rests && longest > RUN_MIN);
  const times = isStepped ? TIMES_LONGEST_STEPPED : TIMES_LONGEST;
  return Math.ceil(Math.max(RUN_MIN, improbable, times * longest + 1));
}
