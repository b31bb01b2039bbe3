/** Mistakes of the configuration. */

import { translations } from '../text.ts';

export const CONFIG = translations({
  // What is pointed at, and what stands there.
  'the file': '파일',
  'a list': '목록',
  'a block of keys': '키와 값의 묶음',
  text: '텍스트',
  'a whole number': '정수',
  'a number': '숫자',
  'true or false': 'true 또는 false',
  empty: '빈 값',
  '{one} or {other}': '{one} 또는 {other}',

  // Rules of the schema.
  '{what} {rule}': '{what}: {rule}',
  '{what} {rule}, not {value}': '{what}: {rule} (현재 값: {value})',
  '{what} is empty; it {rule}': '{what}: 값이 비어 있습니다. {rule}',
  'the name {name} is not allowed: it {rule}': '이름 {name}: {rule}',
  'must be {kind}': '{kind}만 쓸 수 있습니다',
  'must be one of {values}': '다음 가운데 하나여야 합니다: {values}',
  'must be at least {limit}': '{limit} 이상이어야 합니다',
  'must be at most {limit}': '{limit} 이하여야 합니다',
  'must be more than {limit}': '{limit}보다 커야 합니다',
  'must be less than {limit}': '{limit}보다 작아야 합니다',
  'must not be empty': '비어 있으면 안 됩니다',
  'must have at least {limit} characters': '{limit}자 이상이어야 합니다',
  'must have at most {limit} characters': '{limit}자 이하여야 합니다',
  'must have at least {entries}': '{entries} 이상이어야 합니다',
  'must have at most {entries}': '{entries} 이하여야 합니다',
  '1 entry': '항목 1개',
  '{count} entries': '항목 {count}개',
  'must be like {pattern}': '다음 형식이어야 합니다: {pattern}',
  '"{key}" is missing': '"{key}"이(가) 없습니다',
  'unknown key "{key}"; {hint}': '알 수 없는 키 "{key}"; {hint}',
  'unknown key "{key}" in "{path}"; {hint}': '"{path}"에 알 수 없는 키 "{key}"; {hint}',
  'known: {names}': '사용할 수 있는 이름: {names}',
  'did you mean "{nearest}"?': '"{nearest}"을(를) 쓰려고 했습니까?',

  // Files.
  'cannot be read: {reason}': '읽을 수 없습니다: {reason}',
  'it does not exist': '없습니다',
  'no permission': '권한이 없습니다',
  'it is a folder': '폴더입니다',
  'not YAML: {message}': 'YAML이 아닙니다: {message}',
  'the file {name} is empty': '파일 {name}이(가) 비어 있습니다',
  'the file {name} cannot be read: {reason}': '파일 {name}을(를) 읽을 수 없습니다: {reason}',
  '1 mistake': '잘못된 곳 1개',
  '{count} mistakes': '잘못된 곳 {count}개',

  // Variables of the environment.
  'this variable sets nothing': '이 변수로 정하는 것이 없습니다',
  'this variable sets nothing; did you mean {nearest}?':
    '이 변수로 정하는 것이 없습니다. {nearest}을(를) 쓰려고 했습니까?',

  // What only the whole tells.
  'this gateway is not enrolled: run `fms-agent enroll URL TOKEN`, or give "site", "gateway" and "collector"':
    '이 게이트웨이는 등록되지 않았습니다. `fms-agent enroll URL TOKEN`을 실행하거나 "site", "gateway", "collector"를 적으십시오',
  '"{key}" must have at most {max} bytes in UTF-8':
    '"{key}"은(는) UTF-8로 {max}바이트를 넘을 수 없습니다',
  '"{key}" is not needed: this gateway is enrolled as {name}; remove this line, or enrol anew':
    '"{key}"은(는) 필요 없습니다. 이 게이트웨이는 {name}(으)로 등록되어 있습니다. 이 줄을 지우거나 다시 등록하십시오',
  '"{key}" is not needed: this gateway is enrolled as {name}, and shows the certificate that it got then; remove this line':
    '"{key}"은(는) 필요 없습니다. 이 게이트웨이는 {name}(으)로 등록되어 있고 그때 받은 인증서로 연결합니다. 이 줄을 지우십시오',
  '"{key}" is not needed: this gateway is enrolled as {name}, and connects with TLS only; remove this line, or begin it with mqtts://':
    '"{key}"은(는) 필요 없습니다. 이 게이트웨이는 {name}(으)로 등록되어 있고 TLS로만 연결합니다. 이 줄을 지우거나 mqtts://로 시작하게 고치십시오',
  'give "token" or "token_file", not both': '"token"과 "token_file" 가운데 하나만 적으십시오',
  '"collector" needs "token" or "token_file"':
    '"collector"에는 "token" 또는 "token_file"이 필요합니다',
  '"{given}" needs "{missing}" beside it': '"{given}"에는 "{missing}"도 함께 필요합니다',
  'a certificate is shown with TLS only: mqtts://': '인증서는 TLS에서만 쓸 수 있습니다: mqtts://',
  'the key is not that of {file}': '{file}의 키가 아닙니다',
  'cert_file and key_file must be a certificate and its key (without a password), as PEM':
    'cert_file과 key_file은 PEM 형식의 인증서와 그 키(암호 없음)여야 합니다',
  '"collector.url" must be a URL like mqtt://host:1883':
    '"collector.url"은 mqtt://host:1883과 같은 URL이어야 합니다',
  '"collector.url" must begin with mqtt:// or mqtts://, not {scheme}//':
    '"collector.url"은 {scheme}//가 아니라 mqtt:// 또는 mqtts://로 시작해야 합니다',
  '"collector.url" names no host': '"collector.url"에 호스트가 없습니다',
  '"collector.url" must not hold a user or password; the token goes into "token"':
    '"collector.url"에 사용자나 비밀번호를 적으면 안 됩니다. 토큰은 "token"에 적으십시오',
  '"collector.url" must end after the port, not with {rest}':
    '"collector.url"은 포트에서 끝나야 하며 {rest}(으)로 끝나면 안 됩니다',

  // Devices.
  'device {name}: {mistake}': '장치 {name}: {mistake}',
  'a device must be a block of keys': '장치는 키와 값의 묶음으로 적어야 합니다',
  '"reader" is missing; known: {names}': '"reader"가 없습니다. 사용할 수 있는 리더: {names}',
  'unknown reader {name}; {hint}': '알 수 없는 리더 {name}; {hint}',
  "a channel's name must have at most {max} bytes in UTF-8":
    '채널의 이름은 UTF-8로 {max}바이트를 넘을 수 없습니다',
  "a device's name must have at most {max} bytes in UTF-8":
    '장치의 이름은 UTF-8로 {max}바이트를 넘을 수 없습니다',
  'device {name} is there twice; first at {place}':
    '장치 {name}이(가) 두 번 있습니다. 처음 나온 곳: {place}',

  // Of the readers: http, modbus, command.
  "'{text}' is not a URL": "'{text}'은(는) URL이 아닙니다",
  'put the user and password under username and password, not into the URL':
    '사용자와 비밀번호는 URL이 아니라 username과 password에 적으십시오',
  "'{zone}' is not an IANA time zone": "'{zone}'은(는) IANA 시간대가 아닙니다",
  'give one of {keys}': '다음 가운데 하나만 적으십시오: {keys}',
  'a password needs a username': 'password에는 username이 필요합니다',
  'give a username with a password, or a token, not both':
    'username과 password, 또는 token 가운데 한쪽만 적으십시오',
  'is of no use with an http:// URL': 'http:// URL에서는 쓸모가 없습니다',
  'is not a valid HTTP header': '올바른 HTTP 헤더가 아닙니다',
  'function {code} gives bits: the type must be bool':
    '기능 코드 {code}은(는) 비트를 읽으므로 type은 bool이어야 합니다',
  'is for type bool of functions 3 and 4': '기능 코드 3과 4의 bool에만 씁니다',
  'a string needs a length': 'string에는 length가 필요합니다',
  'is for type string': 'string에만 씁니다',
  'must not be 0': '0이면 안 됩니다',
  'is not for type {type}': '{type}에는 쓸 수 없습니다',
  'is for numbers of several registers, not for {type}':
    '여러 레지스터로 된 숫자에만 쓰며 {type}에는 쓸 수 없습니다',
  'is not for functions 1 and 2': '기능 코드 1과 2에는 쓸 수 없습니다',
  'reaches beyond register 65535': '레지스터 65535를 넘어갑니다',
  'takes {count} registers, more than max_registers':
    '레지스터 {count}개가 필요하며 max_registers보다 많습니다',
  'names no program': '프로그램이 적혀 있지 않습니다',
  'must not hold NUL': 'NUL 문자가 있으면 안 됩니다',
});
