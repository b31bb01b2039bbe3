/** What `fms-agent enroll` asks and prints. */

import { translations } from '../text.ts';

export const ENROL = translations({
  // Heads of lines.
  'this gateway': '이 게이트웨이',
  collector: '수집기',
  waiting: '대기 중',
  enrolled: '등록됨',
  verified: '확인됨',
  key: '키',
  certificate: '인증서',
  clock: '시계',
  written: '기록됨',

  'key {fingerprint}': '키 {fingerprint}',
  'authority {fingerprint}': '인증 기관 {fingerprint}',
  'signed by {fingerprint}': '서명한 기관 {fingerprint}',
  'Is this what `fms-collector ca show` says on the collector? (yes/no) ':
    '수집기에서 `fms-collector ca show`가 출력하는 것과 같습니까? (예/아니요) ',
  'Is one of these authorities what `fms-collector ca show` says on the collector? (yes/no) ':
    '이 인증 기관 가운데 하나가 수집기에서 `fms-collector ca show`가 출력하는 것과 같습니까? (예/아니요) ',
  'for an admin to approve {gateway}. On the collector:':
    '관리자가 {gateway}을(를) 승인하기를 기다립니다. 수집기에서:',
  'for an admin to approve {gateway} (for {span}). On the collector:':
    '관리자가 {gateway}을(를) 승인하기를 기다립니다({span} 동안). 수집기에서:',
  '{gateway}, at {url}': '{gateway}, {url}',
  'the collector holds a certificate of the authority':
    '수집기가 이 인증 기관의 인증서를 가지고 있습니다',
  'made on this gateway, and stays here: {fingerprint}':
    '이 게이트웨이에서 만들었고 밖으로 나가지 않습니다: {fingerprint}',
  'until {date}; the agent renews it by itself': '{date}까지. 에이전트가 스스로 갱신합니다',
  "{span} behind the collector: readings are timed by the collector's clock unless a time service keeps this one":
    '수집기보다 {span} 늦습니다. 시간 서비스가 이 시계를 맞추지 않으면 측정값의 시각은 수집기의 시계를 따릅니다',
  "{span} ahead of the collector: readings are timed by the collector's clock unless a time service keeps this one":
    '수집기보다 {span} 빠릅니다. 시간 서비스가 이 시계를 맞추지 않으면 측정값의 시각은 수집기의 시계를 따릅니다',
  'This machine was {gateway} before: restart the agent (systemctl restart fms-agent).':
    '이 컴퓨터는 전에 {gateway}였습니다. 에이전트를 다시 시작하십시오(systemctl restart fms-agent).',
  'Next: fms-agent check. A service that waits for its enrolment begins by itself; one that runs\nwith a token goes on as this gateway after systemctl restart fms-agent.':
    '다음: fms-agent check. 등록을 기다리던 서비스는 스스로 시작합니다. 토큰으로 실행 중인 서비스는\nsystemctl restart fms-agent 뒤에 이 게이트웨이로 계속합니다.',
  'A running agent takes the new certificate over by itself within seconds.':
    '실행 중인 에이전트는 몇 초 안에 새 인증서를 스스로 적용합니다.',
  "Devices: /etc/fms-agent/conf.d (or conf.d beside the agent's configuration).":
    '장치: /etc/fms-agent/conf.d (또는 에이전트 설정 옆의 conf.d).',

  // Details of errors.
  '{count} characters': '{count}자',
  'without a token give --site and --gateway (letters, digits, . _ -)':
    '토큰이 없으면 --site와 --gateway를 적으십시오(문자, 숫자, . _ -)',
  '{gateway} has more than 64 bytes': '{gateway}은(는) 64바이트가 넘습니다',
  'run this as the owner of {folder} (user {user})':
    '{folder}의 소유자(사용자 {user})로 실행하십시오',
  'no authority': '인증 기관이 없습니다',
  '--ca-fingerprint is no fingerprint': '--ca-fingerprint에 적은 것은 지문이 아닙니다',
  'no --ca-fingerprint, and no terminal': '--ca-fingerprint가 없고 터미널도 아닙니다',
  'the answer was no': '아니요라고 답했습니다',
});
