/** Words in English and Korean. The switch is remembered; at first the browser's language decides. */

import { ALERT_WORDS } from './alert_words.js';

/** @typedef {'en' | 'ko'} Language */

/** @type {Record<Language, Record<string, string>>} */
const WORDS = {
  en: {
    ...ALERT_WORDS.en,
    skip: 'Skip to the content',
    product: 'Factory Management System',
    language: 'Language',
    gateways: 'Gateways',
    devices: 'Devices',
    search: 'Search devices',
    back: '← All devices',
    range: 'Time range',
    range_5m: '5 min',
    range_1h: '1 h',
    range_24h: '24 h',
    range_7d: '7 days',
    range_30d: '30 days',
    loading: 'Loading…',
    summary: 'Gateways online: {online} of {gateways} · Devices: {devices}',
    disconnected:
      'No connection to the collector since {time}. The values below are old. Trying again…',
    reconnected: 'Connected again.',
    starting: 'The collector is starting: {reasons}',
    no_gateways:
      'No gateway is configured. Add one to the list `gateways` in collector.yaml and start the collector again.',
    no_devices:
      'No device has delivered readings yet. They show up here as soon as a gateway sends the first ones.',
    no_match: 'No device matches “{search}”.',
    shown: 'The first {shown} of {total} devices. Search to narrow down.',
    shown_gateways: '{shown} of {total} gateways, those that need attention first.',
    gateway: 'Gateway',
    state: 'State',
    buffer: 'Buffer',
    eviction: 'Until eviction',
    clock: 'Clock',
    version: 'Version',
    ledger: 'Ledger',
    online: 'online',
    late: 'late, {age}',
    silent: 'silent for {age}',
    offline: 'offline for {age}',
    never_seen: 'not seen yet',
    unconfigured: 'not configured',
    not_filling: 'not filling',
    clock_right: 'right',
    clock_wrong: 'not synchronised',
    clock_stepped: 'stepped {step}',
    readings_count: '{count} readings',
    balanced: 'balanced',
    ledger_detail: '{sent} sent, {flight} on the way',
    unbalanced: '{count} readings not accounted for',
    gaps: '{count} readings lost: {reasons}',
    quarantined: '{count} in quarantine',
    readers_failing: 'Cannot read: {names}',
    more: '+{count} more',
    age_now: 'now',
    age_ago: '{age} ago',
    ahead: '{age} ahead',
    stale: 'no data for {age}',
    past: 'delivers readings of {time}',
    seconds: '{n} s',
    minutes: '{n} min',
    hours: '{n} h',
    days: '{n} days',
    years: '{n} years',
    no_value: 'no value',
    bad: 'bad',
    uncertain: 'uncertain',
    filled: 'filled in',
    clipped: 'limited',
    flagged: 'doubtful',
    missing: 'no value',
    yes: 'yes',
    no: 'no',
    attention: 'attention',
    through: 'through gateway {gateway}',
    site: 'site {site}',
    last: 'Last reading {time}',
    zone: 'Times in {zone}',
    until: 'The charts end at the last reading.',
    no_history: 'No readings in this time range.',
    history_failed: 'The history could not be read: {message}',
    lost: 'This page was too slow for all live readings; some are left out until the next reload.',
    bad_points: '{count} bad or filled in',
    chart: 'Chart of {channel}',
  },
  ko: {
    ...ALERT_WORDS.ko,
    skip: '본문으로 건너뛰기',
    product: '공장 관리 시스템',
    language: '언어',
    gateways: '게이트웨이',
    devices: '장치',
    search: '장치 검색',
    back: '← 모든 장치',
    range: '기간',
    range_5m: '5분',
    range_1h: '1시간',
    range_24h: '24시간',
    range_7d: '7일',
    range_30d: '30일',
    loading: '불러오는 중…',
    summary: '게이트웨이 {gateways}대 중 {online}대 온라인 · 장치 {devices}대',
    disconnected:
      '{time}부터 수집기와 연결이 끊겼습니다. 아래 값은 지난 값입니다. 다시 연결하는 중…',
    reconnected: '다시 연결되었습니다.',
    starting: '수집기를 시작하는 중: {reasons}',
    no_gateways:
      '설정된 게이트웨이가 없습니다. collector.yaml의 `gateways` 목록에 추가하고 수집기를 다시 시작하세요.',
    no_devices: '아직 측정값을 보낸 장치가 없습니다. 게이트웨이가 처음 보내면 여기에 나타납니다.',
    no_match: '“{search}”와 일치하는 장치가 없습니다.',
    shown: '장치 {total}대 중 처음 {shown}대. 검색하여 좁히세요.',
    shown_gateways: '게이트웨이 {total}대 중 {shown}대. 확인이 필요한 것부터 표시합니다.',
    gateway: '게이트웨이',
    state: '상태',
    buffer: '버퍼',
    eviction: '버퍼 여유 시간',
    clock: '시계',
    version: '버전',
    ledger: '원장',
    online: '온라인',
    late: '{age} 지연',
    silent: '{age} 동안 응답 없음',
    offline: '{age} 동안 오프라인',
    never_seen: '아직 연결된 적 없음',
    unconfigured: '설정에 없음',
    not_filling: '차지 않음',
    clock_right: '정상',
    clock_wrong: '동기화되지 않음',
    clock_stepped: '{step} 변경됨',
    readings_count: '측정값 {count}개',
    balanced: '일치',
    ledger_detail: '전송 {sent}, 이동 중 {flight}',
    unbalanced: '측정값 {count}개의 행방을 알 수 없음',
    gaps: '측정값 {count}개 손실: {reasons}',
    quarantined: '격리 {count}개',
    readers_failing: '읽을 수 없음: {names}',
    more: '외 {count}대',
    age_now: '방금',
    age_ago: '{age} 전',
    ahead: '{age} 앞섬',
    stale: '{age} 동안 데이터 없음',
    past: '{time}의 측정값 수신 중',
    seconds: '{n}초',
    minutes: '{n}분',
    hours: '{n}시간',
    days: '{n}일',
    years: '{n}년',
    no_value: '값 없음',
    bad: '불량',
    uncertain: '불확실',
    filled: '보정값',
    clipped: '범위 제한',
    flagged: '의심',
    missing: '값 없음',
    yes: '예',
    no: '아니요',
    attention: '확인 필요',
    through: '게이트웨이 {gateway} 경유',
    site: '사업장 {site}',
    last: '마지막 측정 {time}',
    zone: '시각 기준: {zone}',
    until: '차트는 마지막 측정값에서 끝납니다.',
    no_history: '이 기간에는 측정값이 없습니다.',
    history_failed: '기록을 읽지 못했습니다: {message}',
    lost: '이 페이지가 실시간 측정값을 모두 따라가지 못해 일부가 빠졌습니다. 다음 갱신 때 채워집니다.',
    bad_points: '불량 또는 보정 {count}개',
    chart: '{channel} 차트',
  },
};

const STORED_AS = 'fms.language';

/** @returns {Language} */
export function chosenLanguage() {
  try {
    const stored = localStorage.getItem(STORED_AS);
    if (stored === 'en' || stored === 'ko') return stored;
  } catch {
    // Storage is forbidden here: the browser's language decides each time.
  }
  return navigator.languages.some((language) => language.toLowerCase().startsWith('ko'))
    ? 'ko'
    : 'en';
}

/** @param {Language} language */
export function rememberLanguage(language) {
  try {
    localStorage.setItem(STORED_AS, language);
  } catch {
    // The choice lasts as long as the page.
  }
}

/** The key sets of both languages, for the tests. */
export function wordKeys() {
  return { en: Object.keys(WORDS.en), ko: Object.keys(WORDS.ko) };
}

/**
 * @param {Language} language
 * @returns {(key: string, values?: Record<string, string | number>) => string}
 */
export function translator(language) {
  return (key, values = {}) =>
    (WORDS[language][key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}
