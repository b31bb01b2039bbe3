/** Help, and what check, buffer and self-test print. */

import { translations } from '../text.ts';

export const HELP = translations({
  'Reads devices, buffers what they say, and delivers it to the collector.':
    '장치를 읽고, 읽은 것을 버퍼에 보관하고, 수집기에 전달합니다.',
  'configuration (default: $FMS_AGENT_CONFIG or {path})':
    '설정 파일 (기본값: $FMS_AGENT_CONFIG 또는 {path})',
  configuration: '설정 파일',
  'of messages (default: $FMS_LANGUAGE, or that of the system)':
    '메시지의 언어 (기본값: $FMS_LANGUAGE 또는 시스템의 언어)',
  'run until stopped; SIGHUP reads the configuration again':
    '멈출 때까지 실행합니다. SIGHUP을 받으면 설정을 다시 읽습니다 (로그는 영어)',
  'check the configuration, then read each device once': '설정을 검사하고 장치를 한 번씩 읽습니다',
  'get a certificate from the collector: the first one, or a new one':
    '수집기에서 인증서를 받습니다: 처음 등록하거나 다시 등록할 때',
  'what `fms-collector gateway add` printed; -: from standard input':
    '`fms-collector gateway add`가 출력한 것. -: 표준 입력에서 읽습니다',
  'the file that holds the token': '토큰이 들어 있는 파일',
  "without a token: of the collector's authority": '토큰이 없을 때: 수집기 인증 기관의 지문',
  'without a token: who this gateway wants to be': '토큰이 없을 때: 이 게이트웨이의 사업장과 이름',
  'tell how the running agent is': '실행 중인 에이전트의 상태를 알려 줍니다',
  'as JSON': 'JSON으로',
  'try what depends on this machine: database, encryption, compression, TLS':
    '이 컴퓨터에 달린 것을 시험합니다: 데이터베이스, 암호화, 압축, TLS',
  'print the JSON Schema of the configuration (agent/config.schema.json)':
    '설정의 JSON Schema를 출력합니다 (agent/config.schema.json)',
  'look into the buffer; the agent is stopped': '버퍼를 살펴봅니다. 에이전트는 멈춰 있어야 합니다',
  'keys of an encrypted buffer (default: buffer.key_file; by hand, where the service gets them from)':
    '암호화된 버퍼의 키 (기본값: buffer.key_file. 직접 실행할 때는 서비스가 키를 받는 파일)',
  'read every page and every chunk': '모든 페이지와 청크를 읽어 검사합니다',
  'save what can be read into a new file': '읽을 수 있는 것을 새 파일로 옮깁니다',
  'write all readings to standard output': '모든 측정값을 표준 출력으로 내보냅니다',
});

export const CHECK = translations({
  '{path} is right, but there are no devices yet.':
    '{path}: 잘못된 곳이 없지만 아직 장치가 없습니다.',
  '{path} is right; reading {count} devices once':
    '{path}: 잘못된 곳이 없습니다. 장치 {count}대를 한 번씩 읽습니다',
  'They belong into "devices", there or in conf.d/*.yaml.':
    '장치는 이 파일이나 conf.d/*.yaml의 "devices"에 적습니다.',
  'To do:': '할 일:',

  // The table.
  device: '장치',
  channel: '채널',
  value: '값',
  quality: '품질',
  time: '시각',
  'error: {message}': '오류: {message}',
  'rejected: {reason}, {detail}': '거부됨: {reason}, {detail}',
  nothing: '아무것도 없음',
  '(arrival)': '(도착 시각)',

  // Qualities.
  good: '양호',
  uncertain: '불확실',
  bad: '불량',
  null: '값 없음',
  'wrong type': '형식이 다름',
  'device error': '장치 오류',
  'clock unsynced': '시계가 동기화되지 않음',
  'not finite': '유한한 숫자가 아님',
  truncated: '잘림',
  'precision lost': '정밀도 손실',
  'device flagged': '장치가 표시함',
  'clock corrected': '시각 보정됨',
  'reason {code}': '사유 {code}',

  // Reasons of rejects.
  garbage: '읽을 수 없음',
  missing_time: '시각 없음',
  bad_time: '시각을 읽을 수 없음',
  missing_device: '장치 이름 없음',
  wrong_device: '다른 장치',
  no_channels: '값 없음',
  too_large: '응답이 너무 큼',
});

export const BUFFER = translations({
  '{path}: nothing is wrong': '{path}: 이상이 없습니다',
  '{path}: DAMAGED': '{path}: 손상됨',
  '{readings} readings in {chunks} chunks; file {file_bytes} bytes, write-ahead log {wal_bytes} bytes':
    '측정값 {readings}개, 청크 {chunks}개. 파일 {file_bytes}바이트, 미리 쓰기 로그(WAL) {wal_bytes}바이트',
  '{chunks} chunks without encryption': '암호화되지 않은 청크 {chunks}개',
  '{chunks} chunks encrypted with key {key}': '키 {key}(으)로 암호화된 청크 {chunks}개',
  'problem: {problem}': '문제: {problem}',
  'epoch {epoch}: numbered to {last}; {readings} readings wait, {span}':
    '에포크 {epoch}: 번호 {last}까지. 기다리는 측정값 {readings}개, {span}',
  'nothing left': '남은 것 없음',
  '{first} to {last}': '{first} ~ {last}',
  'gap to be declared: epoch {epoch}, {first} to {last}, {reason}':
    '알릴 빈 구간: 에포크 {epoch}, {first} ~ {last}, {reason}',
  '{path}: {count} problems': '{path}: 문제 {count}개',
  '{path}: saved {readings} readings in {chunks} chunks, {gaps} gaps are declared; the old file is {old}':
    '{path}: 측정값 {readings}개(청크 {chunks}개)를 옮겼고 빈 구간 {gaps}개를 알립니다. 이전 파일: {old}',
  '{path}: saved {readings} readings in {chunks} chunks, {gaps} gaps are declared; the old file was too large to keep':
    '{path}: 측정값 {readings}개(청크 {chunks}개)를 옮겼고 빈 구간 {gaps}개를 알립니다. 이전 파일은 너무 커서 남기지 못했습니다',
  'the disk had no room for all that could be read':
    '디스크에 자리가 없어 읽을 수 있는 것을 모두 옮기지 못했습니다',
  '{readings} readings, {rejects} rejects': '측정값 {readings}개, 거부된 것 {rejects}개',
  '{readings} readings, {rejects} rejects; {chunks} damaged chunks were left out':
    '측정값 {readings}개, 거부된 것 {rejects}개. 손상된 청크 {chunks}개는 제외했습니다',

  // Reasons of gaps.
  evicted_bytes: '버퍼가 가득 참',
  evicted_age: '버퍼 보관 기한 초과',
  evicted_disk: '게이트웨이 디스크가 가득 참',
  corrupt: '버퍼에서 손상됨',
  lost_in_repair: '버퍼 복구 중 손실',
  not_written: '게이트웨이 디스크가 기록을 거부함',
});

export const SELF_TEST = translations({
  ok: '정상',
  FAILED: '실패',
  'encrypted buffer on the disk': '디스크의 암호화된 버퍼',
  'batch on the wire, compressed': '압축한 전송 배치',
  'keys of gateways: ECDSA P-256': '게이트웨이 키: ECDSA P-256',
  'TLS 1.3 and 1.2': 'TLS 1.3과 1.2',
  '{count} readings': '측정값 {count}개',
  '{count} bytes': '{count}바이트',
  'signed and verified': '서명하고 확인함',
});
