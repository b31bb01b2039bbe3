/** The words of the report's pages. */

import type { Dimension } from '../../findings.ts';
import type { PeriodKind } from '../../site_time.ts';

export type Language = 'en' | 'ko';
export const LANGUAGES: readonly Language[] = ['en', 'ko'];

export interface Words {
  title: string;
  period: Record<PeriodKind, string>;
  revised: (times: number) => string;
  times: (zone: string) => string;
  made: string;
  dimensions: Record<Dimension | 'all', string>;
  target: string;
  met: string;
  missed: string;
  unknown: string;
  reasons: string;
  reason: string;
  dimension: string;
  readings: string;
  points: string;
  expected: string;
  received: string;
  devices: string;
  device: string;
  place: string;
  profile: string;
  unprofiled: string;
  availability: string;
  failures: string;
  betweenFailures: string;
  hours: string;
  quarantined: string;
  lost: string;
  gateway: string;
  none: string;
  leftOut: (count: string) => string;
}

const en: Words = {
  title: 'Data quality',
  period: { day: 'Day', week: 'Week', month: 'Month' },
  revised: (times) =>
    `Revised: late data changed this report ${times === 1 ? 'once' : `${times} times`}.`,
  times: (zone) => `Times: ${zone}`,
  made: 'Made',
  dimensions: {
    all: 'In all',
    completeness: 'Completeness',
    accuracy: 'Accuracy',
    consistency: 'Consistency',
    timeliness: 'Timeliness',
  },
  target: 'Target',
  met: 'met',
  missed: 'missed',
  unknown: 'not judged',
  reasons: 'What cost points',
  reason: 'Reason',
  dimension: 'Dimension',
  readings: 'Readings',
  points: 'Points',
  expected: 'Expected',
  received: 'Received',
  devices: 'Devices, the worst first',
  device: 'Device',
  place: 'Area / line',
  profile: 'Profile',
  unprofiled: 'unprofiled',
  availability: 'Availability',
  failures: 'Failures',
  betweenFailures: 'Time between failures',
  hours: 'h',
  quarantined: 'In quarantine',
  lost: 'Lost on the way, declared',
  gateway: 'Gateway',
  none: 'Nothing.',
  leftOut: (count) => `${count} more devices are in the JSON file's sums, not in this list.`,
};

const ko: Words = {
  title: '데이터 품질',
  period: { day: '일간', week: '주간', month: '월간' },
  revised: (times) => `수정됨: 늦게 도착한 데이터로 이 보고서가 ${times}번 변경되었습니다.`,
  times: (zone) => `시각: ${zone}`,
  made: '작성',
  dimensions: {
    all: '종합',
    completeness: '완전성',
    accuracy: '정확성',
    consistency: '일관성',
    timeliness: '적시성',
  },
  target: '목표',
  met: '달성',
  missed: '미달',
  unknown: '판단 불가',
  reasons: '감점 사유',
  reason: '사유',
  dimension: '차원',
  readings: '측정값',
  points: '점수',
  expected: '예상',
  received: '수신',
  devices: '장치 (품질이 낮은 순)',
  device: '장치',
  place: '구역 / 라인',
  profile: '프로필',
  unprofiled: '프로필 없음',
  availability: '가용률',
  failures: '고장',
  betweenFailures: '고장 간격',
  hours: '시간',
  quarantined: '격리됨',
  lost: '전송 중 유실 (신고됨)',
  gateway: '게이트웨이',
  none: '없음.',
  leftOut: (count) => `장치 ${count}대는 합계에만 포함되고 이 목록에는 없습니다.`,
};

export const words: Record<Language, Words> = { en, ko };
