/**
 * What is said deep inside the agent, by readers and by the running agent: always in English, for it goes to
 * the journal and over the wire. Commands tell it again. A test finds each of these in the sources.
 */

import { translations } from '../text.ts';

/** The first that fits counts. `{rest}` is told again by itself. */
export const DETAILS = translations({
  // Of the schema of the configuration: what a value must be.
  'printable characters': '표시할 수 있는 문자',
  'a letter or digit of any script, then also . _ -':
    '첫 글자는 문자나 숫자, 그 뒤에는 문자, 숫자, . _ -',

  // The way to the collector.
  '{host} shows no certificate': '{host}이(가) 인증서를 보여 주지 않습니다',
  'the certificate of {host} is valid from {from} to {to}':
    '{host}의 인증서는 {from}부터 {to}까지 유효합니다',
  '{host} shows a certificate that is not for servers': '{host}의 인증서는 서버용이 아닙니다',
  '{host} shows a certificate of {issuer} ({code}); {rest}':
    '{host}의 인증서는 {issuer}이(가) 발급했습니다({code}). {rest}',
  '{host} shows a certificate of {issuer}; {rest}':
    '{host}의 인증서는 {issuer}이(가) 발급했습니다. {rest}',
  'expected the authority {fingerprint}; {rest}':
    '확인해야 할 인증 기관은 {fingerprint}입니다. {rest}',
  'it shows the authority {fingerprint}': '상대의 인증 기관은 {fingerprint}입니다',
  'it shows no authority': '상대가 인증 기관을 보여 주지 않습니다',
  'it is not for {host} but for {names}': '{host}이(가) 아니라 {names}의 것입니다',
  'the collector says so': '수집기가 알려 왔습니다',
  '{address} answers with TLS': '{address}은(는) TLS로 응답합니다',
  'closed before the answer, at the port for TLS': 'TLS 포트에서 응답하기 전에 연결이 닫혔습니다',
  'closed before the answer to CONNECT': 'CONNECT에 응답하기 전에 연결이 닫혔습니다',
  'the connection was closed by the other side': '상대가 연결을 닫았습니다',
  'may not subscribe to {topic}': '{topic}을(를) 구독할 수 없습니다',
  'no acknowledgement for {ms} ms': '{ms}밀리초 동안 수신 확인이 없습니다',
  '{count} batches wait for its word': '배치 {count}개가 수신 확인을 기다립니다',

  // Enrolment and its files.
  'the collector does not know it any more': '수집기가 더 이상 이 요청을 모릅니다',
  'request {id}': '요청 {id}',
  'the certificate is for another gateway': '다른 게이트웨이의 인증서입니다',
  'the certificate is for another key': '다른 키의 인증서입니다',
  'the certificate does not come from the authorities beside it':
    '인증서가 함께 온 인증 기관에서 나온 것이 아닙니다',
  'the authority of the token is not among those in it': '토큰의 인증 기관이 응답에 없습니다',
  'this is no answer to a request': '요청에 대한 응답이 아닙니다',
  'it names no gateway': '게이트웨이의 이름이 없습니다',
  'no certificate in it': '인증서가 없습니다',
  'a certificate in it cannot be read': '인증서를 읽을 수 없습니다',
  '{path} is not whole': '{path}이(가) 온전하지 않습니다',
  'ca.pem is missing': 'ca.pem이 없습니다',
  'gateway.pem is missing': 'gateway.pem이 없습니다',
  'key.pem is missing': 'key.pem이 없습니다',
  'gateway.pem is not for the key in key.pem': 'gateway.pem이 key.pem의 키와 맞지 않습니다',
  'the enrolment is gone': '등록이 없어졌습니다',

  // The buffer.
  'buffer.encrypt is true, but there is no key': 'buffer.encrypt가 true인데 키가 없습니다',
  'it is not a file': '파일이 아닙니다',
  'everybody may write it (chmod 600)': '누구나 쓸 수 있습니다(chmod 600)',
  'everybody may read the key of the buffer (chmod 600)':
    '버퍼의 키를 누구나 읽을 수 있습니다(chmod 600)',
  'too long for a file of keys': '키 파일로는 너무 깁니다',
  'line {line} is no key (64 hex digits, or base64 of 32 bytes)':
    '{line}번째 줄은 키가 아닙니다(16진수 64자 또는 32바이트의 base64)',
  'line {line} is no random key': '{line}번째 줄은 임의로 만든 키가 아닙니다',
  'there is no key in it': '키가 들어 있지 않습니다',
  'more than {max} keys': '키가 {max}개보다 많습니다',
  'it does not exist': '없습니다',
  'no permission': '권한이 없습니다',
  '{chunks} chunks are encrypted with key {keys}, and no key is given':
    '청크 {chunks}개가 키 {keys}(으)로 암호화되어 있는데 키가 없습니다',
  '{chunks} chunks are encrypted with key {keys}; given: {given}':
    '청크 {chunks}개가 키 {keys}(으)로 암호화되어 있습니다. 주어진 키: {given}',
  'format {format}, this agent knows {known}': '형식 {format}, 이 에이전트가 아는 형식 {known}',
  'the write-ahead log': '미리 쓰기 로그(WAL)',
  'the write-ahead log: {frames} frames follow a damaged one, {rows} rows are only in it':
    '미리 쓰기 로그(WAL): 손상된 프레임 뒤에 프레임 {frames}개가 있고 행 {rows}개는 여기에만 있습니다',
  'chunk {id}: it is not what was written': '청크 {id}: 기록한 것과 다릅니다',
  'what the file says of its encryption was lost or edited; it is made anew':
    '파일에 적힌 암호화 정보가 없어졌거나 바뀌어 새로 만듭니다',

  // The running agent and its page.
  'another program answers there': '다른 프로그램이 응답합니다',
  '{path} does not name its port': '{path}에 포트가 없습니다',
  'no good sample for {ms} ms': '{ms}밀리초 동안 양호한 측정값이 없습니다',
  'no answer within {ms} ms': '{ms}밀리초 안에 응답이 없습니다',
  'it ended without a reading': '측정값 없이 끝났습니다',

  // Readers.
  'HTTP {status}': 'HTTP {status}',
  'redirected to {url}': '{url}(으)로 이동하라고 응답했습니다',
  'the environment has no {name}': '환경 변수 {name}이(가) 없습니다',
  'the answer ended in the middle of its body': '응답이 본문 중간에서 끝났습니다',
  'the body is empty': '본문이 비어 있습니다',
  'the body is not an object': '본문이 JSON 객체가 아닙니다',
  "no '{field}'": "'{field}'이(가) 없습니다",
  "'{field}' is {value}, not '{expected}'":
    "'{field}'이(가) '{expected}'이(가) 아니라 {value}입니다",
  "'{field}' is {value}": "'{field}'이(가) {value}입니다",
  'none of the channels’ fields': '채널의 필드가 하나도 없습니다',
  'content-encoding {encoding} was not asked for':
    '요청하지 않은 content-encoding {encoding}입니다',
  'more than {max} bytes in a line': '한 줄이 {max}바이트를 넘습니다',
  'more than {max} bytes': '{max}바이트를 넘습니다',
  'the line is not an object': '줄이 JSON 객체가 아닙니다',
  "the device is {device}, not '{expected}'": "장치가 '{expected}'이(가) 아니라 {device}입니다",
  'the time is empty': '시각이 비어 있습니다',
  'the time is {time}': '시각이 {time}입니다',
  'a channel name is empty or too long': '채널 이름이 비어 있거나 너무 깁니다',
  'no values': '값이 없습니다',
  'the connection was closed': '연결이 닫혔습니다',
  'an answer of {bytes} bytes instead of {expected}':
    '응답이 {expected}바이트가 아니라 {bytes}바이트입니다',
});

/** Of the system, of Node and of packages. Looked at after the own ones. */
export const OTHERS = translations({
  'connect ECONNREFUSED {address}': '연결이 거부되었습니다(ECONNREFUSED {address})',
  'connect ETIMEDOUT {address}': '연결 시간이 지났습니다(ETIMEDOUT {address})',
  'connect EHOSTUNREACH {address}': '그 주소까지 갈 수 없습니다(EHOSTUNREACH {address})',
  'connect ENETUNREACH {address}': '네트워크에 연결할 수 없습니다(ENETUNREACH {address})',
  'getaddrinfo ENOTFOUND {name}': '이름을 찾을 수 없습니다(ENOTFOUND {name})',
  'getaddrinfo EAI_AGAIN {name}': '이름 서버가 응답하지 않습니다(EAI_AGAIN {name})',
  'read ECONNRESET': '상대가 연결을 끊었습니다(ECONNRESET)',
  'socket hang up': '상대가 연결을 끊었습니다',
  'Connection refused: Not authorized': '연결이 거부되었습니다: 권한이 없습니다',
  'Connection refused: Bad username or password':
    '연결이 거부되었습니다: 사용자 이름이나 비밀번호가 틀렸습니다',
  'Connection refused: Server unavailable': '연결이 거부되었습니다: 서버를 쓸 수 없습니다',
  "ENOENT: no such file or directory, {call} '{path}'": "'{path}'이(가) 없습니다({call}: ENOENT)",
  "EACCES: permission denied, {call} '{path}'": "'{path}'에 대한 권한이 없습니다({call}: EACCES)",
  'spawn {program} ENOENT': '프로그램 {program}을(를) 찾을 수 없습니다(ENOENT)',
  'spawn {program} EACCES': '프로그램 {program}을(를) 실행할 권한이 없습니다(EACCES)',
  'file is not a database': 'SQLite 파일이 아닙니다',
  'database disk image is malformed': 'SQLite 파일이 손상되었습니다',

  // Of the parser of command lines, line by line.
  'display help for command': '도움말을 출력합니다',
  'output the version number': '버전을 출력합니다',
  'Usage:': '사용법:',
  'Arguments:': '인자:',
  'Options:': '옵션:',
  'Commands:': '명령:',
  '{text} (choices: {choices})': '{text} (선택: {choices})',
  '(choices: {choices}, default: {default})': '(선택: {choices}, 기본값: {default})',
  "error: unknown command '{name}'": "오류: 알 수 없는 명령 '{name}'",
  "error: unknown option '{name}'": "오류: 알 수 없는 옵션 '{name}'",
  "error: missing required argument '{name}'": "오류: 인자 '{name}'이(가) 필요합니다",
  "error: option '{option}' argument missing": "오류: 옵션 '{option}'에 값이 필요합니다",
  "error: option '{option}' argument '{value}' is invalid. Allowed choices are {choices}.":
    "오류: 옵션 '{option}'의 값 '{value}'은(는) 쓸 수 없습니다. 쓸 수 있는 값: {choices}.",
  "error: too many arguments for '{command}'. Expected {expected} argument but got {received}: {names}.":
    "오류: '{command}'의 인자가 너무 많습니다({received}개, 최대 {expected}개): {names}.",
  "error: too many arguments for '{command}'. Expected {expected} arguments but got {received}: {names}.":
    "오류: '{command}'의 인자가 너무 많습니다({received}개, 최대 {expected}개): {names}.",
  '(Did you mean one of {names}?)': '(다음 가운데 하나를 쓰려고 했습니까? {names})',
  '(Did you mean {name}?)': '({name}을(를) 쓰려고 했습니까?)',

  // A code, path or address before anything else.
  '{place}: {rest}': '{place}: {rest}',
});
