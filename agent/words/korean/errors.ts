/** Causes and hints of agent/errors.ts. docs/ERRORS.ko.md lists them (a test compares the two). */

import type { AgentErrorCode } from '../../errors.ts';

export const ERRORS = {
  AGENT_CONFIG_INVALID: {
    cause: '설정에 잘못된 곳이 있으며, 하나하나 파일과 줄 번호와 함께 출력됩니다.',
    hint: '그 줄을 고친 뒤 `fms-agent check`를 실행하십시오.',
  },
  AGENT_CONFIG_UNREADABLE: {
    cause: '설정 파일 또는 설정에 적힌 파일을 읽을 수 없습니다.',
    hint: '경로를 확인하고, 에이전트의 사용자가 그 파일을 읽을 수 있는지 확인하십시오.',
  },
  AGENT_COLLECTOR_UNREACHABLE: {
    cause:
      '수집기에 연결할 수 없습니다. 이름, 포트, 네트워크가 잘못되었거나 수집기가 멈춰 있습니다.',
    hint: 'collector.url과 수집기까지의 네트워크를 확인하십시오. 측정값은 버퍼에서 기다렸다가 스스로 전송됩니다.',
  },
  AGENT_COLLECTOR_UNAVAILABLE: {
    cause: '수집기가 지금은 연결을 받지 않습니다(수집기의 로그에 기록할 수 없음).',
    hint: '수집기의 디스크 공간과 로그를 확인하십시오. 그동안 측정값은 버퍼에서 기다립니다.',
  },
  AGENT_NOT_AUTHORISED: {
    cause:
      '수집기가 이 사업장, 게이트웨이, 토큰을 받아들이지 않거나 다른 설치가 같은 이름을 쓰고 있습니다.',
    hint: '사업장, 게이트웨이, collector.token을 수집기의 설정과 비교하십시오. 복제한 게이트웨이에는 다른 이름이 필요합니다.',
  },
  AGENT_CONNECTION_LOST: {
    cause: '수집기와의 연결이 끊기거나 응답이 없어졌습니다.',
    hint: '에이전트가 다시 연결하고 수신 확인을 받지 못한 것을 다시 보냅니다. 되풀이되면 네트워크를 확인하십시오.',
  },
  AGENT_PUBLISH_TIMEOUT: {
    cause: '수집기가 forwarder.publish_timeout_ms 안에 아무것도 수신 확인하지 않았습니다.',
    hint: '수집기의 로그가 멈췄거나 회선이 느릴 수 있습니다. 에이전트가 더 작은 배치로 다시 보냅니다.',
  },
  AGENT_COLLECTOR_SILENT: {
    cause:
      '브로커가 배치를 받았지만 수집기가 한동안 아무것도 수신 확인하지 않았습니다(mqtt.acknowledged_by: collector).',
    hint: '수집기가 실행 중이고 같은 브로커에 연결되어 있습니까? 브로커의 규칙이 이 게이트웨이가 배치를 보내고 명령 토픽을 읽는 것을 허용합니까? 측정값은 버퍼에 남아 있습니다.',
  },
  AGENT_COLLECTOR_NAME: {
    cause: '수집기의 인증서가 URL에 적힌 이름이나 주소의 것이 아닙니다.',
    hint: 'URL에 메시지에 나온 이름 가운데 하나를 쓰거나, 이 이름을 수집기의 `mqtt.tls.names`에 추가하십시오.',
  },
  AGENT_COLLECTOR_UNKNOWN: {
    cause:
      '수집기의 인증서가 이 게이트웨이가 신뢰하는 인증 기관에서 나온 것이 아닙니다(또는 서버용 인증서가 아닙니다). 다른 수집기이거나, 인증 기관이 바뀌었거나, 누군가 중간에 있습니다.',
    hint: '`fms-collector ca show`와 메시지의 내용을 비교하십시오. 인증 기관을 일부러 바꿨다면 새 토큰으로 다시 등록하고, 아니라면 이 주소에서 누가 응답하는지 확인하십시오.',
  },
  AGENT_TLS_NEEDED: {
    cause:
      '수집기가 이 게이트웨이를 TLS로만 받거나 이 포트에서는 TLS만 쓰는데, TLS 없이(mqtt://) 연결했습니다.',
    hint: '`fms-agent enroll URL TOKEN`으로 등록하거나 mqtts://와 포트 8883을 쓰십시오. 외부 브로커라면 토큰이 틀렸다는 뜻일 수 있습니다.',
  },
  AGENT_TLS_FAILED: {
    cause:
      'TLS로 연결하지 못했습니다. 상대가 이 포트에서 TLS를 쓰지 않거나, 안전한 버전과 암호 방식을 쓰지 않습니다.',
    hint: 'URL의 포트(TLS: 8883)와 중간에 무엇이 있는지 확인하십시오. TLS 1.2 이상이 필요합니다.',
  },
  AGENT_CERTIFICATE_REFUSED: {
    cause: '수집기가 이 게이트웨이의 인증서를 받아들이지 않았으며 이유는 알리지 않았습니다.',
    hint: '수집기의 화면(또는 `fms-collector gateway list`)에서 이 게이트웨이를 확인하십시오. 다른 설치가 같은 이름으로 연결되어 있을 수 있습니다. 새 토큰으로 `fms-agent enroll`을 실행하면 어떤 경우든 해결됩니다.',
  },
  AGENT_CERTIFICATE_REVOKED: {
    cause: '이 게이트웨이의 인증서가 수집기에서 폐기되었습니다.',
    hint: '측정값은 버퍼에 남아 있습니다. 게이트웨이를 계속 쓰려면 새 토큰을 받아(`fms-collector gateway token SITE/NAME`) `fms-agent enroll`을 다시 실행하십시오. 기다리던 측정값이 그때 전송됩니다.',
  },
  AGENT_CERTIFICATE_EXPIRED: {
    cause: '이 게이트웨이의 인증서가 만료되었고 유예 기간도 지났습니다.',
    hint: '측정값은 버퍼에 남아 있습니다. 새 토큰을 받아(`fms-collector gateway replace SITE/NAME`) `fms-agent enroll`을 다시 실행하십시오. 기다리던 측정값이 그때 전송됩니다.',
  },
  AGENT_IDENTITY_UNUSABLE: {
    cause: 'data_dir/identity에 있는 등록 파일을 읽을 수 없거나 파일들이 서로 맞지 않습니다.',
    hint: '폴더가 에이전트의 사용자에게 속하는지 확인하십시오. 파일이 없어졌다면 새 토큰으로 다시 등록하십시오. 버퍼에는 영향이 없습니다.',
  },
  AGENT_ENROL_TOKEN: {
    cause: '수집기의 토큰이 아닙니다. 일부만 있거나 다른 것입니다.',
    hint: '`fms-collector gateway add`가 출력한 줄 전체(fms-gw1.로 시작)를 붙여 넣거나, 토큰이 들어 있는 파일을 --token-file로 지정하십시오.',
  },
  AGENT_ENROL_URL: {
    cause: '수집기의 TLS 포트를 가리키는 URL이 아닙니다.',
    hint: 'mqtts://collector.plant.example:8883과 같은 형식이어야 합니다. 등록에는 TLS가 필요합니다.',
  },
  AGENT_ENROL_STRANGER: {
    cause:
      '이 주소에서 응답한 쪽은 토큰(또는 지문)을 만든 수집기가 아닙니다. 아무것도 보내지 않았습니다.',
    hint: 'URL을 확인하십시오. 맞다면 누군가 중간에 있거나 다른 수집기의 토큰입니다. `fms-collector ca show`와 비교하십시오.',
  },
  AGENT_ENROL_UNCONFIRMED: {
    cause: '토큰이 없으면 사람이 수집기의 인증 기관을 확인해야 하는데 아무도 확인하지 않았습니다.',
    hint: '지문을 `fms-collector ca show`와 비교한 뒤 --ca-fingerprint로 지정하거나, 터미널에서 ‘예’라고 답하십시오.',
  },
  AGENT_ENROL_REFUSED: {
    cause: '수집기가 이 게이트웨이를 등록하지 않았습니다. 이유는 메시지에 있습니다.',
    hint: '토큰은 한 번만, 정해진 시간 동안만 쓸 수 있습니다. 새 토큰을 받으십시오(`fms-collector gateway token SITE/NAME`).',
  },
  AGENT_ENROL_REJECTED: {
    cause: '관리자가 이 게이트웨이의 요청을 거절했습니다.',
    hint: '수집기 담당자에게 문의한 뒤 명령을 다시 실행하거나 토큰으로 등록하십시오.',
  },
  AGENT_ENROL_UNANSWERED: {
    cause: '정해진 시간 안에 아무도 이 게이트웨이의 요청을 승인하지 않았습니다.',
    hint: '명령을 다시 실행하고(키는 그대로입니다) 수집기의 화면이나 `fms-collector gateway approve`로 승인을 받으십시오.',
  },
  AGENT_ENROL_CONTRADICTS: {
    cause: '설정의 내용이 등록하려는 것과 다릅니다.',
    hint: '메시지에 나온 줄을 고치거나 지운 뒤 명령을 다시 실행하십시오. 토큰은 아직 쓸 수 있습니다.',
  },
  AGENT_ENROL_ANSWER: {
    cause: '등록에 대한 수집기의 응답이 올바르지 않습니다.',
    hint: '아무것도 바뀌지 않았습니다. 에이전트와 수집기의 버전이 서로 맞습니까? 맞다면 신고해 주십시오.',
  },
  AGENT_RENEWAL_FAILED: {
    cause: '이 게이트웨이의 인증서를 이미 갱신했어야 하는데 아직 되지 않았습니다. 다시 시도합니다.',
    hint: '이유는 메시지에 있습니다. 인증서가 유효한 동안과 그 뒤 유예 기간 동안에는 측정값이 전송됩니다.',
  },
  AGENT_CLOCK_DISPUTED: {
    cause:
      '시간 서비스가 맞추는 이 게이트웨이의 시계가 수집기의 시계와 다릅니다. 게이트웨이의 시계를 따릅니다.',
    hint: '수집기의 시각과, 둘이 각각 어느 시간 서비스를 따르는지 확인하십시오.',
  },
  AGENT_PORT_TAKEN: {
    cause: '상태 페이지의 포트를 다른 프로그램이 쓰고 있습니다. 페이지 없이 측정은 계속됩니다.',
    hint: 'status.port를 비어 있는 포트로 바꾸거나 다른 프로그램을 멈춘 뒤 SIGHUP을 보내십시오.',
  },
  AGENT_NOT_RUNNING: {
    cause: '이 설정의 상태 주소에서 응답하는 에이전트가 없습니다.',
    hint: '에이전트를 시작하거나(`fms-agent run` 또는 `systemctl start fms-agent`) status.host와 status.port를 확인하십시오.',
  },
  AGENT_CHECK_FAILED: {
    cause: '설정에는 잘못이 없지만, 한 번 읽었을 때 쓸 수 있는 값을 주지 않은 장치가 있습니다.',
    hint: '어느 장치이고 이유가 무엇인지 표에 있습니다. 에이전트는 계속 다시 시도합니다.',
  },
  AGENT_DATA_DIR: {
    cause: '데이터 폴더를 만들거나 쓸 수 없습니다.',
    hint: 'data_dir를 확인하고, 에이전트의 사용자가 그곳에 쓸 수 있는지 확인하십시오.',
  },
  AGENT_CRASHED: {
    cause: '예상하지 못한 오류로 프로그램이 끝나며, 서비스 관리자가 다시 시작합니다.',
    hint: '버퍼에 있는 것은 잃지 않습니다. 메시지와 스택을 함께 신고해 주십시오.',
  },
  AGENT_BUFFER_IN_USE: {
    cause:
      '다른 프로세스가 이 버퍼를 쓰고 있습니다. data_dir가 같은 에이전트이거나 buffer 명령입니다.',
    hint: '먼저 그것을 멈추십시오. 에이전트가 둘이면 데이터 폴더도 둘이어야 합니다.',
  },
  AGENT_BUFFER_UNUSABLE: {
    cause: '버퍼 파일을 열거나 만들 수 없습니다(폴더, 권한, 읽기 전용이거나 가득 찬 디스크).',
    hint: 'data_dir와 그 파일 시스템을 확인하십시오. 손상된 파일이 원인은 아닙니다. 손상된 파일은 스스로 복구됩니다.',
  },
  AGENT_BUFFER_VERSION: {
    cause: '더 새로운 버전의 에이전트가 쓴 버퍼 파일입니다.',
    hint: '버퍼가 빌 때까지 그 버전을 실행하거나 파일을 다른 곳으로 옮기십시오.',
  },
  AGENT_BUFFER_KEY_MISSING: {
    cause: '버퍼가 암호화되어 있거나 암호화해야 하는데 키가 없습니다.',
    hint: '키를 다시 지정하십시오: buffer.key_file, systemd 자격 증명 buffer.key, buffer 명령에는 --key-file. 아무것도 바뀌지 않았습니다. 키가 없으면 아무도 파일을 읽을 수 없으니, 새로 시작하려면 파일을 다른 곳으로 옮기십시오.',
  },
  AGENT_BUFFER_KEY_WRONG: {
    cause: '주어진 키로는 풀 수 없는 측정값이 버퍼에 있습니다.',
    hint: '메시지에 나온 키를 키 파일에 한 줄로 다시 추가하십시오. 아무것도 바뀌지 않았습니다. 그 키가 없으면 아무도 그 측정값을 읽을 수 없으니, 새로 시작하려면 버퍼를 다른 곳으로 옮기십시오.',
  },
  AGENT_BUFFER_KEY_UNREADABLE: {
    cause: '버퍼의 키가 들어 있는 파일을 읽을 수 없거나 내용이 올바르지 않습니다.',
    hint: '한 줄에 키 하나, 16진수 64자 또는 임의의 32바이트를 base64로 적은 것이어야 합니다(`openssl rand -hex 32`). 권한은 0600, 소유자는 root 또는 에이전트의 사용자입니다.',
  },
  AGENT_BUFFER_NOT_ENCRYPTED: {
    cause: 'buffer.accept_plaintext가 false인데 버퍼에 암호화되지 않은 측정값이 있습니다.',
    hint: '암호화를 켜기 전에 생긴 것입니까? 그렇다면 `fms-agent status`에 그런 것이 더 이상 없을 때까지 accept_plaintext를 true로 두십시오. 아니라면 누군가 넣은 것입니다. 파일을 보관하고 다른 곳으로 옮기십시오.',
  },
  AGENT_BUFFER_MISSING: {
    cause: '이 경로에 버퍼 파일이 없습니다.',
    hint: 'data_dir를 확인하십시오. 아무것도 읽은 적이 없는 에이전트에는 버퍼가 없습니다.',
  },
  AGENT_BUFFER_DAMAGED: {
    cause: '버퍼 파일이 손상되어 그대로는 내보낼 수 없습니다.',
    hint: '`fms-agent buffer repair`를 실행하거나 에이전트를 시작하십시오. 에이전트는 파일을 스스로 복구합니다.',
  },
} as const satisfies Record<AgentErrorCode, { cause: string; hint: string }>;
