/**
 * What rules say of a reading. The bits are stored (`readings.findings`) and logged: append, never
 * renumber. Each finding costs points in one dimension of the data quality; see collector/quality/.
 */

export type Dimension = 'completeness' | 'accuracy' | 'consistency' | 'timeliness';
export const DIMENSIONS: readonly Dimension[] = [
  'completeness',
  'accuracy',
  'consistency',
  'timeliness',
];

export interface FindingKind {
  bit: number;
  dimension: Dimension;
  /** For people; {channel} and the like are not filled in: the page shows the reading beside it. */
  en: string;
  ko: string;
}

export const findingKinds = {
  null_value: {
    bit: 0,
    dimension: 'completeness',
    en: 'The device answered without a value.',
    ko: '장치가 값 없이 응답했습니다.',
  },
  sentinel: {
    bit: 1,
    dimension: 'completeness',
    en: 'The value stands for "no value".',
    ko: '"값 없음"을 뜻하는 값입니다.',
  },
  wrong_type: {
    bit: 2,
    dimension: 'accuracy',
    en: 'The value has another type than the channel.',
    ko: '값의 형식이 채널과 다릅니다.',
  },
  not_finite: {
    bit: 3,
    dimension: 'accuracy',
    en: 'The value is not a finite number.',
    ko: '유한한 숫자가 아닙니다.',
  },
  device_bad: {
    bit: 4,
    dimension: 'accuracy',
    en: 'The device itself marked the value as bad or doubtful.',
    ko: '장치가 값을 불량 또는 의심으로 표시했습니다.',
  },
  out_of_range: {
    bit: 5,
    dimension: 'accuracy',
    en: 'The value lies outside the range of the channel.',
    ko: '값이 채널의 범위를 벗어났습니다.',
  },
  rate_of_change: {
    bit: 6,
    dimension: 'accuracy',
    en: 'The value changed faster than the channel can.',
    ko: '값이 가능한 속도보다 빠르게 변했습니다.',
  },
  stuck: {
    bit: 7,
    dimension: 'accuracy',
    en: 'The value has not changed for longer than is normal.',
    ko: '값이 정상보다 오래 변하지 않았습니다.',
  },
  outlier: {
    bit: 8,
    dimension: 'accuracy',
    en: 'The value lies far from the values before it.',
    ko: '값이 이전 값들과 크게 다릅니다.',
  },
  same_time: {
    bit: 9,
    dimension: 'consistency',
    en: 'There was a reading of this channel with the same time before.',
    ko: '같은 시각의 측정값이 이미 있습니다.',
  },
  time_backwards: {
    bit: 10,
    dimension: 'consistency',
    en: 'The time is before that of the reading before it.',
    ko: '시각이 이전 측정값보다 앞섭니다.',
  },
  cross_rule: {
    bit: 11,
    dimension: 'consistency',
    en: 'The values of several channels contradict each other.',
    ko: '여러 채널의 값이 서로 모순됩니다.',
  },
  type_changed: {
    bit: 12,
    dimension: 'consistency',
    en: 'The channel changed its type (number, text).',
    ko: '채널의 형식(숫자, 텍스트)이 바뀌었습니다.',
  },
  late: {
    bit: 13,
    dimension: 'timeliness',
    en: 'The reading arrived later than the limit.',
    ko: '측정값이 제한보다 늦게 도착했습니다.',
  },
  future: {
    bit: 14,
    dimension: 'timeliness',
    en: 'The time lies in the future.',
    ko: '시각이 미래입니다.',
  },
  clock_doubt: {
    bit: 15,
    dimension: 'timeliness',
    en: 'The clock that gave the time was not right.',
    ko: '시각을 제공한 시계가 정확하지 않았습니다.',
  },
  z_score: {
    bit: 16,
    dimension: 'accuracy',
    en: 'The value lies many standard deviations from the mean of the values before it.',
    ko: '값이 이전 값들의 평균에서 표준편차의 여러 배만큼 벗어났습니다.',
  },
} as const satisfies Record<string, FindingKind>;

export type FindingCode = keyof typeof findingKinds;
export const FINDING_CODES = Object.keys(findingKinds) as FindingCode[];

/** The mask of one finding, or of several. At most 31 bits: masks stay positive integers. */
export function maskOf(...codes: readonly FindingCode[]): number {
  return codes.reduce((mask, code) => mask | (1 << findingKinds[code].bit), 0);
}

export function codesOf(mask: number): FindingCode[] {
  return FINDING_CODES.filter((code) => (mask & (1 << findingKinds[code].bit)) !== 0);
}

/** All findings of a dimension. */
export function dimensionMask(dimension: Dimension): number {
  return maskOf(...FINDING_CODES.filter((code) => findingKinds[code].dimension === dimension));
}

/**
 * What was done with a reading that has findings. Stored in `readings.treatment`: never renumber.
 * `value` is the cleaned value, `raw_value` what came (only where a treatment other than KEPT or
 * FLAGGED changed it).
 */
export const Treatment = {
  /** As it came. Findings may still cost points. */
  KEPT: 0,
  /** As it came, but doubtful: shown as such; in statistics. */
  FLAGGED: 1,
  /** value is the nearer bound of the range; in statistics. */
  CLIPPED: 2,
  /** value was made up by the fill policy: never in statistics. */
  FILLED: 3,
  /** value is null because what came stands for "no value" (a sentinel): not in statistics. */
  MISSING: 4,
} as const;
export type Treatment = (typeof Treatment)[keyof typeof Treatment];
