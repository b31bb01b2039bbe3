/** What costs points in the data quality: findings of readings, and what never became a reading. */

import type { Dimension, FindingCode } from '../findings.ts';
import { findingKinds } from '../findings.ts';

interface ReasonKind {
  dimension: Dimension;
  en: string;
  ko: string;
}

const otherKinds = {
  not_received: {
    dimension: 'completeness',
    en: 'By the interval more readings should have come.',
    ko: '수집 주기에 비해 측정값이 부족합니다.',
  },
  rejected: {
    dimension: 'accuracy',
    en: 'The device sent something that is no reading.',
    ko: '장치가 측정값이 아닌 데이터를 보냈습니다.',
  },
  wrong_device: {
    dimension: 'consistency',
    en: 'The device answered under another name.',
    ko: '장치가 다른 이름으로 응답했습니다.',
  },
  too_old: {
    dimension: 'timeliness',
    en: 'The reading is older than what is kept.',
    ko: '보관 기간보다 오래된 측정값입니다.',
  },
  too_new: {
    dimension: 'timeliness',
    en: 'The time of the reading lies too far in the future.',
    ko: '측정 시각이 너무 먼 미래입니다.',
  },
} as const satisfies Record<string, ReasonKind>;

export const reasonKinds = { ...otherKinds, ...findingKinds };

export type ReasonCode = FindingCode | keyof typeof otherKinds;
export const REASON_CODES = Object.keys(reasonKinds) as ReasonCode[];

/**
 * What an entry of quarantine costs points for. `reason` and `detail` as in table `quarantine`: the detail
 * of what a rule sent there begins with the finding's code.
 */
export function reasonOfQuarantine(reason: string, detail: string): ReasonCode {
  const code = reason === 'rule' ? (/^[a-z_]+/.exec(detail)?.[0] ?? '') : reason;
  return isReason(code) ? code : 'rejected';
}

function isReason(code: string): code is ReasonCode {
  return Object.hasOwn(reasonKinds, code);
}
