/** What `fms-agent status` prints. */

import { translations } from '../text.ts';

export const STATUS = translations({
  // Heads of lines.
  collector: '수집기',
  buffer: '버퍼',
  clock: '시계',
  certificate: '인증서',
  losses: '손실',
  'last error': '마지막 오류',
  readers: '리더',

  'pid {pid}, running for {span}': 'pid {pid}, 실행한 지 {span}',

  // Durations.
  '{n} ms': '{n}밀리초',
  '{n} s': '{n}초',
  '{n} min': '{n}분',
  '{n} h': '{n}시간',
  '{n} days': '{n}일',
  '{span} ago': '{span} 전',
  never: '없음',

  // The collector.
  'online for {span}, {url}; {acknowledged}': '{span} 동안 온라인, {url}; {acknowledged}',
  'OFFLINE ({connection}), {url}; {acknowledged}': '오프라인 ({connection}), {url}; {acknowledged}',
  'OFFLINE ({connection}, next attempt in {span}), {url}; {acknowledged}':
    '오프라인 ({connection}, {span} 뒤 다시 시도), {url}; {acknowledged}',
  'nothing acknowledged yet': '아직 수신 확인 없음',
  'last acknowledgement {ago}': '마지막 수신 확인 {ago}',
  ok: '정상',
  online: '온라인',
  connecting: '연결 중',
  waiting: '대기 중',
  "{count} readings sent: the broker has them; waiting for the collector's acknowledgement":
    '보낸 측정값 {count}개: 브로커에 있으며 수집기의 수신 확인을 기다립니다',
  '{count} readings sent: waiting for the PUBACK': '보낸 측정값 {count}개: PUBACK을 기다립니다',
  "readings wait up to {span} for the clock's correction":
    '측정값이 시각 보정을 최대 {span} 동안 기다립니다',

  // The buffer.
  '{count} readings wait, {bytes} of {max}': '기다리는 측정값 {count}개, {max} 가운데 {bytes}',
  'oldest {ago}': '가장 오래된 것 {ago}',
  'not filling': '늘지 않음',
  'FULL IN {span} at the present rate': '지금 속도로 {span} 뒤 가득 찹니다!',
  'full in {span} at the present rate': '지금 속도로 {span} 뒤 가득 참',
  'encrypted with key {key}': '키 {key}(으)로 암호화됨',
  'no longer encrypted': '더 이상 암호화하지 않음',
  '{how}; at most {count} chunks are still without':
    '{how}. 아직 암호화되지 않은 청크 최대 {count}개',
  '{how}; at most {count} chunks still need key {keys}':
    '{how}. 아직 키 {keys}이(가) 필요한 청크 최대 {count}개',
  'THE DISK REFUSES: {error}': '디스크가 기록을 거부합니다: {error}',
  '{count} readings evicted since the start, {gaps} gaps still to be declared':
    '시작한 뒤 밀려난 측정값 {count}개, 아직 알리지 않은 빈 구간 {gaps}개',

  // The clock.
  right: '맞음',
  'NOT RIGHT, readings are marked': '맞지 않음, 측정값에 표시합니다',
  '{count} steps, the last {ms} ms': '{count}번 변경됨, 마지막 {ms}밀리초',
  '{span} behind the collector': '수집기보다 {span} 늦음',
  '{span} ahead of the collector': '수집기보다 {span} 빠름',
  "WRONG by {difference}; readings are timed by the collector's":
    '틀림({difference}). 측정값의 시각은 수집기의 시계를 따릅니다',
  'kept by a time service': '시간 서비스가 맞춤',

  // The certificate.
  'until {date} ({span}); {renewal}': '{date}까지 ({span} 남음); {renewal}',
  'EXPIRED on {date}; {renewal}': '{date}에 만료됨; {renewal}',
  'from elsewhere, not renewed by the agent': '다른 곳에서 발급됨, 에이전트가 갱신하지 않음',
  'renewed by itself in {span}': '{span} 뒤 스스로 갱신',
  'RENEWAL IS DUE': '갱신할 때가 지남',

  // The readers.
  '{count} of {all} ok': '{all}개 가운데 {count}개 정상',
  'last good {ago}': '마지막 양호 {ago}',
  failing: '실패',
  open: '일시 중지',
  stopped: '중지됨',
});
