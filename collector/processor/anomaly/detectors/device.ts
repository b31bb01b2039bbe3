import type { Detector, ReadingAtHand } from '../detector.ts';
import { hasBecomeNormal, LASTING_FIELDS } from '../lasting.ts';
import { withUnit } from '../words.ts';

/** Readings that taught; 1: it has gone off. */
const COUNT = 0;
const ON = 1;
const BEFORE = 2;
/** Running mean and variance of the values while it trains. */
const RAW_MEAN = 3;
const RAW_VARIANCE = 4;
/** What is judged: the smoothed level, and the smoothed size of the steps between readings. */
const LEVEL = 5;
const NOISE = 6;
/** What they are compared with, and the scale of their ordinary distance from it; 0: not known. */
const LEVEL_BASE = 7;
const LEVEL_SCALE = 8;
const NOISE_BASE = 9;
const NOISE_SCALE = 10;
/** Of the last reading, in scales, signed. */
const LEVEL_Z = 11;
const NOISE_Z = 12;
/** Of samples of the two: how many, how many readings apart, readings since the last one. */
const SAMPLES = 13;
const STRIDE = 14;
const SINCE = 15;
/** The smallest step between two values: of channels that move in steps the unit is at least a part of it. */
const STEP = 16;
const LASTING = 17;
const LEVELS = LASTING + LASTING_FIELDS;
const SAMPLES_MAX = 68;
const NOISES = LEVELS + SAMPLES_MAX;

const LEVEL_RATE = 1 / 16;
const NOISE_RATE = 1 / 40;
const STEP_MAX = 8;
/** Training: of so many parts the first 12 warm up, each of the others gives a sample. */
const PARTS = 80;
const WARM_PARTS = PARTS - SAMPLES_MAX;
/** Lags in samples; each is a multiple of four of them or nearly. */
const LAGS = [8, 12, 20, 32];
const THRESHOLD = 5.5;
const OFF = 0.85;
/** A score just below the threshold is quiet. */
const BELOW = 0.8;
const BASE_RATE = 1 / 1_000;
const BASE_RATE_ON = 1 / 2_000;
const NOISE_NARROWER = 0.7;
const LEVEL_STEP = 1 / 4;
const NOISE_STEP = 1 / 20;

/**
 * The device against its own clean history, over all of its channels: each is as far off as its level, or
 * the noise in it, lies from a slowly following base, in units of what is ordinary for it. The unit comes
 * from a first training; where the level wandered during it, how far it would wander further on is reckoned
 * in (structure function at four lags). Samples are kept while the device is clean; each time their number
 * has doubled, every other one is dropped and the unit is reckoned anew: so a device that is read often
 * learns its slow movements, too.
 */
export const device: Detector = {
  name: 'device',
  fields: NOISES + SAMPLES_MAX,
  lasts: true,
  judgesLate: false,
  applies: ({ isNumber }) => isNumber,
  judge(reading, at) {
    const { slab, value, teaches } = reading;
    const count = slab[at + COUNT]!;
    if (!teaches) return slab[at + ON] === 1 ? 0.5 : 0;
    slab[at + COUNT] = count + 1;
    if (count === 0) {
      slab[at + LEVEL] = value;
      slab[at + RAW_MEAN] = value;
      slab[at + STRIDE] = Math.max(1, Math.round(reading.plan.trainRows / PARTS));
    } else follow(reading, at, count + 1);
    slab[at + BEFORE] = value;
    const score = scoreOf(reading, at);
    if (count >= WARM_PARTS * firstStride(reading)) sample(reading, at);
    return score;
  },
  explain({ slab, plan }, at) {
    const { unit } = plan;
    const isNoise = Math.abs(slab[at + NOISE_Z]!) > Math.abs(slab[at + LEVEL_Z]!);
    const base = slab[at + (isNoise ? NOISE_BASE : LEVEL_BASE)]!;
    const half = THRESHOLD * slab[at + (isNoise ? NOISE_SCALE : LEVEL_SCALE)]!;
    const is = withUnit(slab[at + (isNoise ? NOISE : LEVEL)]!, unit);
    const expected = withUnit(base, unit);
    if (isNoise) {
      const isMore = slab[at + NOISE_Z]! > 0;
      return {
        en: `unusually ${isMore ? 'noisy' : 'quiet'}: changes by about ${is} from reading to reading, usually ${expected}`,
        ko: `평소보다 ${isMore ? '변동이 큽니다' : '변동이 작습니다'}: 측정 간 변화 약 ${is}, 평소 ${expected}`,
        expectedLow: null,
        expectedHigh: null,
      };
    }
    const low = withUnit(base - half, unit);
    const high = withUnit(base + half, unit);
    return {
      en: `level about ${is}; for this device ${low} to ${high} is expected`,
      ko: `수준 약 ${is}. 이 장치의 예상 범위 ${low} ~ ${high}`,
      expectedLow: base - half,
      expectedHigh: base + half,
    };
  },
};

function firstStride({ plan }: ReadingAtHand): number {
  return Math.max(1, Math.round(plan.trainRows / PARTS));
}

function follow({ slab, value, sinceMs }: ReadingAtHand, at: number, count: number): void {
  const level = slab[at + LEVEL]!;
  slab[at + LEVEL] = level + Math.max(LEVEL_RATE, 1 / count) * (value - level);
  if (slab[at + LEVEL_SCALE] === 0) {
    const off = value - slab[at + RAW_MEAN]!;
    slab[at + RAW_MEAN] = slab[at + RAW_MEAN]! + off / count;
    slab[at + RAW_VARIANCE] = (1 - 1 / count) * (slab[at + RAW_VARIANCE]! + (off * off) / count);
  }
  // After a pause the step says nothing.
  if (sinceMs === 0) return;
  const size = Math.abs(value - slab[at + BEFORE]!);
  if (size > 0 && (slab[at + STEP] === 0 || size < slab[at + STEP]!)) slab[at + STEP] = size;
  const most = STEP_MAX * Math.sqrt(slab[at + RAW_VARIANCE]!);
  const step = Math.min(most, size);
  const rate = Math.max(NOISE_RATE, 1 / count);
  slab[at + NOISE] = slab[at + NOISE]! + rate * (step - slab[at + NOISE]!);
}

function scoreOf(reading: ReadingAtHand, at: number): number {
  const { slab } = reading;
  const level = against(reading, at, LEVEL, LEVEL_BASE, LEVEL_SCALE);
  const noise = against(reading, at, NOISE, NOISE_BASE, NOISE_SCALE);
  slab[at + LEVEL_Z] = level;
  slab[at + NOISE_Z] = noise;
  // One channel has no company; its own detectors look at it.
  if (reading.channels < 2) return 0;
  const z = Math.max(Math.abs(level), Math.abs(noise));
  const isOn = z >= (slab[at + ON] === 1 ? OFF : 1) * THRESHOLD;
  slab[at + ON] = isOn ? 1 : 0;
  if (hasBecomeNormal(slab, at + LASTING, reading.timeMs, isOn)) {
    slab[at + LEVEL_BASE] = slab[at + LEVEL]!;
    slab[at + NOISE_BASE] = slab[at + NOISE]!;
    slab[at + ON] = 0;
    return 0;
  }
  const score = z / (z + THRESHOLD);
  return isOn ? Math.max(0.5, score) : BELOW * score;
}

/** In scales; the base follows. */
function against(
  { slab, isClean }: ReadingAtHand,
  at: number,
  what: number,
  base: number,
  scale: number,
): number {
  const unit = slab[at + scale]!;
  if (!(unit > 0)) return 0;
  const off = slab[at + what]! - slab[at + base]!;
  const rate = isClean ? BASE_RATE : BASE_RATE_ON;
  slab[at + base] = slab[at + base]! + rate * Math.max(-unit, Math.min(unit, off));
  return off / unit;
}

function sample({ slab, isClean }: ReadingAtHand, at: number): void {
  if (!isClean) return;
  const since = slab[at + SINCE]! + 1;
  slab[at + SINCE] = since;
  if (since < slab[at + STRIDE]!) return;
  slab[at + SINCE] = 0;
  const count = slab[at + SAMPLES]!;
  slab[at + LEVELS + count] = slab[at + LEVEL]!;
  slab[at + NOISES + count] = slab[at + NOISE]!;
  slab[at + SAMPLES] = count + 1;
  if (count + 1 === SAMPLES_MAX) fit(slab, at);
}

function fit(slab: Float64Array, at: number): void {
  const isFirst = slab[at + LEVEL_SCALE] === 0;
  const step = slab[at + STEP]!;
  const floor = Math.max(slab[at + RAW_VARIANCE]! / 256, (LEVEL_STEP * step) ** 2);
  const levels = spreadOf(slab, at + LEVELS, floor);
  const noises = spreadOf(slab, at + NOISES, (NOISE_STEP * step) ** 2);
  slab[at + LEVEL_SCALE] = levels.scale;
  slab[at + NOISE_SCALE] = noises.scale / NOISE_NARROWER;
  if (isFirst) {
    slab[at + LEVEL_BASE] = levels.mean;
    slab[at + NOISE_BASE] = noises.mean;
  }
  for (const from of [LEVELS, NOISES])
    for (let i = 0; 2 * i < SAMPLES_MAX; i++) slab[at + from + i] = slab[at + from + 2 * i]!;
  slab[at + SAMPLES] = SAMPLES_MAX / 2;
  slab[at + STRIDE] = 2 * slab[at + STRIDE]!;
}

/**
 * Mean, and the larger of the standard deviation and how far the samples wander: at lags t the mean square
 * difference D(t), continued to the length of the training as a power of time.
 */
function spreadOf(
  slab: Float64Array,
  from: number,
  floor: number,
): { mean: number; scale: number } {
  let mean = 0;
  for (let i = 0; i < SAMPLES_MAX; i++) mean += slab[from + i]! / SAMPLES_MAX;
  let variance = 0;
  for (let i = 0; i < SAMPLES_MAX; i++) variance += (slab[from + i]! - mean) ** 2 / SAMPLES_MAX;
  let logs = 0;
  for (const lag of LAGS) {
    const far = structure(slab, from, lag);
    const near = structure(slab, from, lag / 4);
    if (!(far > 0) || !(near > 0)) {
      logs = -Infinity;
      break;
    }
    const power = Math.max(0, Math.min(1, Math.log(far / near) / (2 * Math.log(4))));
    logs += Math.log((far / 2) * (PARTS / lag) ** (2 * power)) / LAGS.length;
  }
  return { mean, scale: Math.sqrt(Math.max(variance, Math.exp(logs), floor)) };
}

function structure(slab: Float64Array, from: number, lag: number): number {
  let sum = 0;
  const pairs = SAMPLES_MAX - lag;
  for (let i = 0; i < pairs; i++) sum += (slab[from + i + lag]! - slab[from + i]!) ** 2;
  return sum / pairs;
}
