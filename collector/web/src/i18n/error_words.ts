/**
 * What the API's errors say, in Korean. The API itself speaks English (collector/errors.ts); its details stay beside
 * the Korean words. A test compares the codes with those that the API answers.
 */

import { ApiFailure } from '../api/client.ts';
import type { Language } from '../api/types.ts';

interface ErrorWords {
  cause: string;
  hint: string;
}

export const KOREAN_ERRORS: Readonly<Record<string, ErrorWords>> = {
  API_INTERNAL: {
    cause: 'API에 결함이 있습니다.',
    hint: '수집기 로그에 오류가 남아 있습니다. 신고해 주세요.',
  },
  API_PARAMETER_INVALID: {
    cause: '요청의 매개변수가 없거나, 알 수 없거나, 범위를 벗어났습니다.',
    hint: '입력한 값을 확인하세요.',
  },
  API_HOST_REFUSED: {
    cause: '이 수집기의 이름이 아닌 호스트로 요청했습니다.',
    hint: 'IP 주소나 localhost로 접속하거나 http.allowed_hosts에 이름을 추가하세요.',
  },
  API_NEEDS_TLS: {
    cause: '이 수집기는 https로만 응답하는데 http로 요청했습니다.',
    hint: 'https:// 주소로 접속하세요. 요청에 비밀번호나 토큰이 있었다면 암호화되지 않은 채 전송되었으므로 바꾸세요.',
  },
  API_NOT_FOUND: { cause: '찾는 것이 없습니다.', hint: '주소를 확인하세요.' },
  API_UNAUTHENTICATED: { cause: '로그인이 필요합니다.', hint: '다시 로그인하세요.' },
  API_LOGIN_REFUSED: {
    cause: '이름 또는 비밀번호가 틀렸거나 사용이 중지된 사용자입니다.',
    hint: '다시 시도하세요. 관리자가 새 비밀번호를 정할 수 있습니다.',
  },
  API_FORBIDDEN: {
    cause: '이 사업장 또는 모든 사업장에서 필요한 역할이 없습니다.',
    hint: '관리자가 관리 페이지의 사용자에서 역할을 줄 수 있습니다.',
  },
  API_TOO_MANY: { cause: '요청이 너무 많습니다.', hint: '잠시 후에 다시 시도하세요.' },
  API_CSRF: {
    cause: '우리 페이지에서 보낸 변경 요청이 아닙니다.',
    hint: '페이지를 새로 고치고 다시 시도하세요.',
  },
  API_PASSWORD_CHANGE: {
    cause: '이 비밀번호는 한 번만 쓸 수 있습니다.',
    hint: '본인의 비밀번호를 정하세요.',
  },
  API_PASSWORD_REFUSED: {
    cause: '새 비밀번호가 약하거나 현재 비밀번호가 틀렸습니다.',
    hint: '사용자 이름이 들어가지 않은 10자 이상으로 정하세요.',
  },
  API_USER_REFUSED: {
    cause: '만들 수 없는 사용자이거나, 이 사용자가 모든 사업장의 마지막 관리자입니다.',
    hint: '먼저 다른 관리자를 만드세요.',
  },
  API_TOKEN_REFUSED: {
    cause: '토큰이 너무 많거나, 사용자로 로그인하지 않아 토큰을 만들 수 없습니다.',
    hint: '이름과 비밀번호로 로그인하고, 필요 없는 토큰을 삭제하세요.',
  },
  API_CONTENT_TYPE: {
    cause: '요청 본문이 JSON으로 표시되지 않았습니다.',
    hint: '페이지를 새로 고치고 다시 시도하세요.',
  },
  API_RELEASE_REFUSED: {
    cause: '격리에서 내보낼 수 없습니다. 온전한 측정값이 없거나 이미 내보냈습니다.',
    hint: '항목의 상태를 확인하세요.',
  },
  API_ACKNOWLEDGE_REFUSED: {
    cause: '확인할 수 없는 경보입니다. 아직 발생하지 않았거나 이미 끝났습니다.',
    hint: '경보의 상태를 확인하세요.',
  },
  API_SILENCE_REFUSED: {
    cause: '무음이 너무 많아 설정할 수 없거나, 이미 끝나 종료할 수 없습니다.',
    hint: '필요 없는 무음을 종료하세요.',
  },
  PROFILES_REFUSED: {
    cause: '프로필에 잘못된 곳이 있어 저장하지 않았습니다.',
    hint: '표시된 줄을 고치고 다시 저장하세요.',
  },
  PROFILES_CHANGED: {
    cause: '그 사이에 다른 사람이 파일을 바꾸었습니다.',
    hint: '파일을 다시 읽고 지금 내용에 고칠 것을 반영하세요.',
  },
  PROFILES_BUILT_IN: {
    cause: 'profiles_dir이 없어 내장 프로필을 사용하며, 바꿀 수 없습니다.',
    hint: 'collector.yaml에 profiles_dir을 지정하고 수집기를 다시 시작하세요.',
  },
  PROFILES_FOLDER: {
    cause: 'profiles_dir을 읽거나 쓸 수 없습니다.',
    hint: '수집기 사용자의 쓰기 권한과 디스크를 확인하세요. systemd에서는 ReadWritePaths에 있어야 합니다.',
  },
  JOB_UNKNOWN: { cause: '그런 이름의 작업이 없습니다.', hint: '작업 목록을 확인하세요.' },
  JOB_BUSY: { cause: '다른 작업이 실행 중입니다.', hint: '끝날 때까지 기다리세요.' },
  API_BUSY: {
    cause: '진행 중인 쿼리나 스트림이 너무 많습니다.',
    hint: '잠시 후에 다시 시도하고, 보지 않는 페이지는 닫으세요.',
  },
  BACKUP_REFUSED: {
    cause: '지금은 백업할 수 없습니다.',
    hint: '로그, 저장소, 기록기의 상태를 확인하세요.',
  },
  API_NOT_READY: {
    cause: '수집기가 시작 중이거나 종료 중입니다.',
    hint: '잠시 후에 다시 시도하세요.',
  },
  STORE_UNAVAILABLE: {
    cause: '저장소가 응답하지 않거나 거부했습니다.',
    hint: '측정값은 로그에서 기다립니다. 원인과 디스크를 확인하세요.',
  },
  STORE_BUSY: {
    cause: '저장소가 너무 바빠 지금은 더 받지 않습니다.',
    hint: '측정값은 로그에서 기다렸다가 나중에 기록됩니다.',
  },
  STORE_READ_ONLY: {
    cause: '저장소가 읽기 전용입니다.',
    hint: '저장소의 디스크와 사용자 권한을 확인하세요.',
  },
  STORE_REFUSED: {
    cause: '저장소가 이 수집기의 접속을 거부합니다.',
    hint: 'store.clickhouse의 사용자, 비밀번호, 인증서, 권한을 확인하세요.',
  },
  STORE_QUERY_REFUSED: {
    cause: '쿼리가 시간, 행, 메모리 제한을 넘었거나 잘못되었습니다.',
    hint: '표시된 곳을 고치거나, 기간을 줄이거나, 간격을 넓히세요.',
  },
  QUERY_NOT_ALLOWED: {
    cause: '이 프로그램의 테이블을 읽는 것 이상의 일을 하는 문장입니다.',
    hint: 'SELECT, WITH, EXPLAIN, SHOW TABLES, DESCRIBE만 받습니다.',
  },
  TRUST_OFF: {
    cause: '이 수집기에는 인증 기관이 없습니다. mqtt.tls, http.tls, ca가 모두 설정되지 않았습니다.',
    hint: 'collector.yaml에 `mqtt: {tls: {}}`를 추가하고 수집기를 다시 시작하세요.',
  },
  TRUST_AUTHORITY_INVALID: {
    cause: '인증 기관의 인증서나 키를 읽을 수 없거나, 서로 맞지 않거나, 만료되었습니다.',
    hint: 'ca.cert_file과 ca.key_file, 또는 data_dir/ca의 소유자와 권한을 확인하세요.',
  },
  GATEWAY_REFUSED: {
    cause: '게이트웨이의 상태에서 할 수 없는 작업이거나, 같은 이름이 이미 있습니다.',
    hint: '게이트웨이 목록에서 상태를 확인하세요.',
  },
  GATEWAY_NAME_INVALID: {
    cause: '인증서나 토픽에 쓸 수 없는 사업장 또는 게이트웨이 이름입니다.',
    hint: '글자, 숫자, “-” 등만 쓸 수 있고 “/”, “+”, “#”은 쓸 수 없습니다. 사업장과 게이트웨이를 합쳐 64바이트 이하여야 합니다.',
  },
  ENROL_NOT_FOUND: {
    cause: '그런 요청이 없거나 이미 끝났습니다.',
    hint: '요청은 기한이 지나면 없어집니다. 게이트웨이에서 `fms-agent enroll`로 다시 요청하세요.',
  },
  ENROL_KEY_REFUSED: {
    cause: '키의 지문이 다르거나, ECDSA P-256 키가 아니거나, 보낸 쪽의 키임이 증명되지 않았습니다.',
    hint: '지문을 다시 비교하세요. 다르면 승인하지 말고, 게이트웨이에서 `fms-agent enroll`을 다시 실행하세요.',
  },
  COLLECTOR_NOT_TRUSTED: {
    cause: '그 주소에서 응답한 쪽의 인증서를 신뢰할 수 없어 아무것도 보내지 않았습니다.',
    hint: '수집기 로그에서 주소와 이유를 확인하세요.',
  },
  COLLECTOR_UNREACHABLE: {
    cause: '그 주소에서 응답하는 수집기가 없습니다.',
    hint: '수집기가 실행 중인지 확인하세요.',
  },
  LOG_UNAVAILABLE: {
    cause: '로그가 기록을 받지 않았습니다.',
    hint: '에이전트는 계속 보관합니다. 원인과 디스크를 확인하세요.',
  },
  LOG_CLOSED: { cause: '로그를 닫는 중입니다.', hint: '프로그램이 종료되고 있습니다.' },
  LOG_FULL: {
    cause: '로그가 최대 크기에 이르렀고 아직 정리할 수 있는 것이 없습니다.',
    hint: 'log.max_bytes를 늘리거나 처리와 기록이 늦어진 이유를 찾으세요.',
  },
};

/** What an error says in a language, with the details as the API gave them. */
export function errorWords(error: unknown, language: Language): { message: string; hint: string } {
  if (!(error instanceof ApiFailure))
    return { message: error instanceof Error ? error.message : String(error), hint: '' };
  const { code, message, hint } = error;
  const korean = language === 'ko' ? KOREAN_ERRORS[code] : undefined;
  if (korean === undefined) return { message, hint };
  return {
    message: message === '' ? korean.cause : `${korean.cause} (${message})`,
    hint: korean.hint,
  };
}
