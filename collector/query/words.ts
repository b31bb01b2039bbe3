/** What tables and columns hold, for people: English, Korean. */

export type Language = 'en' | 'ko';
type Words = readonly [en: string, ko: string];

const TABLES: Readonly<Record<string, Words>> = {
  alerts: [
    'Alerts, one row for each change; the highest version of an id holds (FINAL)',
    '알람: 변경마다 한 행, id별 가장 높은 version이 유효합니다(FINAL)',
  ],
  anomalies: [
    'Anomalies that detectors found; the highest version of an id holds (FINAL)',
    '탐지기가 찾은 이상: id별 가장 높은 version이 유효합니다(FINAL)',
  ],
  anomaly_marks: [
    'What people said of anomalies: true, false, maintenance (FINAL)',
    '이상에 대한 사람의 판정: 참, 거짓, 정비(FINAL)',
  ],
  device_states: [
    'Every change of a device: online, late, silent',
    '장치 상태의 모든 변경: online, late, silent',
  ],
  device_statistics: [
    'Availability and failures of devices by day, week and month (FINAL)',
    '일·주·월별 장치 가동률과 고장(FINAL)',
  ],
  devices: ['The newest reading of each channel (FINAL)', '채널별 최신 측정값(FINAL)'],
  events: [
    'What happened: gaps, clock steps, gateways that left',
    '발생한 일: 누락, 시계 변경, 게이트웨이 이탈',
  ],
  failures: ['Intervals in which a device failed (FINAL)', '장치가 고장 난 구간(FINAL)'],
  gateways: ['The newest state of each gateway (FINAL)', '게이트웨이별 최신 상태(FINAL)'],
  ledger: [
    'What each gateway sent and where it ended; balance 0: all is accounted for (FINAL)',
    '게이트웨이별 전송량과 그 결과: balance 0이면 모두 설명됩니다(FINAL)',
  ],
  quality_1h: [
    'Counters of the data quality by channel and hour (FINAL)',
    '채널·시간별 데이터 품질 집계(FINAL)',
  ],
  quality_1m: [
    'Counters of the data quality by channel and minute (FINAL)',
    '채널·분별 데이터 품질 집계(FINAL)',
  ],
  quarantine: [
    'What must not enter the readings, with its reason',
    '측정값에 들어갈 수 없는 데이터와 그 사유',
  ],
  readings: [
    'Every reading; sorted by site, device and time',
    '모든 측정값: 사이트, 장치, 시간순으로 정렬되어 있습니다',
  ],
  readings_1d: [
    'Statistics of readings by channel and day of the site (FINAL)',
    '채널·사이트 기준일별 측정값 통계(FINAL)',
  ],
  readings_1h: [
    'Statistics of readings by channel and hour (FINAL)',
    '채널·시간별 측정값 통계(FINAL)',
  ],
  readings_1m: [
    'Statistics of readings by channel and minute (FINAL)',
    '채널·분별 측정값 통계(FINAL)',
  ],
  releases: [
    'Readings that left quarantine, and who released them',
    '격리에서 해제된 측정값과 해제한 사람',
  ],
  silences: ['Silences and maintenance windows (FINAL)', '알람 중지와 정비 시간(FINAL)'],
  statistics: [
    'Statistics of channels by day, week and month (FINAL)',
    '일·주·월별 채널 통계(FINAL)',
  ],
};

const COLUMNS: Readonly<Record<string, Words>> = {
  site: ['Name of the site', '사이트 이름'],
  area: ['Area of the site', '구역'],
  line: ['Production line', '생산 라인'],
  gateway: ['Name of the gateway', '게이트웨이 이름'],
  device: ['Name of the device', '장치 이름'],
  channel: ['Measured quantity of the device', '장치의 측정 채널'],
  time: ['Time as DateTime64, UTC', '시각(DateTime64, UTC)'],
  time_ms: ['Time of the reading or event, UTC milliseconds', '측정 또는 발생 시각(UTC 밀리초)'],
  bucket_ms: ['Start of the bucket, UTC milliseconds', '구간의 시작(UTC 밀리초)'],
  start_ms: ['Start, UTC milliseconds', '시작(UTC 밀리초)'],
  end_ms: ['End, UTC milliseconds', '끝(UTC 밀리초)'],
  from_ms: ['From, UTC milliseconds', '시작(UTC 밀리초)'],
  to_ms: ['To, UTC milliseconds', '끝(UTC 밀리초)'],
  until_ms: ['Until, UTC milliseconds', '끝(UTC 밀리초)'],
  received_ms: [
    'When it became durable in the collector, UTC milliseconds',
    '수집기에 저장된 시각(UTC 밀리초)',
  ],
  updated_ms: [
    'When this row was computed or changed, UTC milliseconds',
    '이 행이 계산되거나 변경된 시각(UTC 밀리초)',
  ],
  value: [
    'Cleaned value; null for text and missing values',
    '정제된 값: 문자열이거나 없으면 null입니다',
  ],
  raw_value: ['What came, where the value was changed', '값이 바뀐 경우 원래 값'],
  text: ['Value of a text channel', '문자열 채널의 값'],
  quality: [
    'Lowest two bits: 0 good, 1 uncertain, 2 bad; the others say why',
    '하위 두 비트: 0 양호, 1 불확실, 2 불량. 나머지 비트는 사유입니다',
  ],
  findings: ['Bits: what rules found of the reading', '비트: 규칙이 찾은 문제'],
  treatment: ['What was done to it: 0 kept as it came', '처리 방법: 0은 원래 값 그대로입니다'],
  good: ['Good readings', '양호한 측정값 수'],
  filled: ['Filled readings; in no statistics', '채워진 측정값 수(통계에서 제외)'],
  bad: ['Bad readings', '불량 측정값 수'],
  min: ['Lowest good value', '최솟값'],
  max: ['Highest good value', '최댓값'],
  mean: ['Mean of the good values', '평균'],
  deviation: ['Standard deviation', '표준 편차'],
  first: ['First good value', '첫 값'],
  last: ['Last good value', '마지막 값'],
  received: ['Readings that came', '수신한 측정값 수'],
  missing: ['Readings that cost points of completeness', '완전성 점수를 낮춘 측정값 수'],
  inaccurate: ['Readings that cost points of accuracy', '정확성 점수를 낮춘 측정값 수'],
  inconsistent: ['Readings that cost points of consistency', '일관성 점수를 낮춘 측정값 수'],
  untimely: ['Readings that cost points of timeliness', '적시성 점수를 낮춘 측정값 수'],
  latency_max_ms: [
    'Longest time from reading to durable, milliseconds',
    '측정부터 저장까지의 최대 시간(밀리초)',
  ],
  state: ['State', '상태'],
  severity: ['Severity', '심각도'],
  reason: ['Why', '사유'],
  detail: ['More, for people or as JSON', '자세한 내용(문장 또는 JSON)'],
  kind: ['Kind', '종류'],
  id: ['Identifier', '식별자'],
  version: ['The highest of an id holds', 'id별로 가장 높은 값이 유효합니다'],
  rule: ['Name of the alert rule', '알람 규칙 이름'],
  detector: ['Name of the detector', '탐지기 이름'],
  score: ['How unusual, at its peak', '가장 클 때의 이상 정도'],
  title: ['Title in English', '영어 제목'],
  title_ko: ['Title in Korean', '한국어 제목'],
  profile: ['Name of the device profile', '장치 프로파일 이름'],
  online: ['1: connected', '1: 연결됨'],
  balance: ['0: every reading is accounted for', '0: 모든 측정값이 설명됩니다'],
  stored: ['Readings in table readings', 'readings 테이블에 저장된 측정값 수'],
  quarantined: ['Readings in quarantine', '격리된 측정값 수'],
  duplicates: ['Duplicates that were removed', '제거된 중복 수'],
  buffer_seconds_until_eviction: [
    'Seconds until the buffer of the gateway drops its oldest readings',
    '게이트웨이 버퍼가 가장 오래된 측정값을 버리기까지 남은 시간(초)',
  ],
  epoch: ['Start of the agent that sent it', '보낸 에이전트의 실행 식별자'],
  seq: ['Number within the epoch', 'epoch 안의 번호'],
  period: ['day, week or month', '일, 주 또는 월'],
  label: ['Name of the period, such as 2026-11-22', '기간 이름(예: 2026-11-22)'],
  by: ['Who decided it', '결정한 사람'],
};

function pick(words: Words | undefined, language: Language): string {
  return words?.[language === 'ko' ? 1 : 0] ?? '';
}

export function tableWords(table: string, language: Language): string {
  return pick(Object.hasOwn(TABLES, table) ? TABLES[table] : undefined, language);
}

/** '' where the name says it. */
export function columnWords(column: string, language: Language): string {
  return pick(Object.hasOwn(COLUMNS, column) ? COLUMNS[column] : undefined, language);
}
