/** The commands of fms-agent in Korean, as processes. */

import t from 'tap';
import { AgentProcess, makeRig } from '../../support/agent-process.ts';

// Twenty processes, which are slow to start on a busy machine.
t.setTimeout(300_000);

t.test('in Korean: people read it, programs do not notice', async (t) => {
  const rig = await makeRig(t);
  const ko = ['--language', 'ko'];
  rig.write({ ...rig.base, devices: [rig.device('D01', { interval_ms: 'soon' })] });
  const wrong = rig.run('check', ...ko);
  t.equal(await wrong.exited, 2);
  t.match(
    wrong.stderr,
    /agent\.yaml:\d+:\d+: 장치 D01: "interval_ms": 정수만 쓸 수 있습니다 \(현재 값: "soon"\)/,
  );
  t.match(
    wrong.stderr,
    /AGENT_CONFIG_INVALID: 잘못된 곳 1개\n설정에 .*\n그 줄을 고친 뒤 `fms-agent check`/,
  );
  const service = new AgentProcess(['run', '--config', rig.config, ...ko], { LANG: 'ko_KR.UTF-8' });
  t.equal(await service.exited, 2);
  t.match(service.stderr, /"interval_ms" must be a whole number/, 'the journal is in English');

  const dead = rig.device('D02', { http: { url: 'http://127.0.0.1:1/' } });
  rig.write({ ...rig.base, devices: [rig.device('D01'), dead] });
  const check = rig.run('check', ...ko);
  t.equal(await check.exited, 1);
  t.match(check.stdout, /장치 2대를 한 번씩 읽습니다\n장치 +채널 +값 +품질 +시각 +ms\n/);
  t.match(check.stdout, /D01 +value +1 +양호 +20/);
  t.match(check.stdout, /D02 .*오류: .*연결이 거부되었습니다\(ECONNREFUSED/);
  t.match(check.stderr, /AGENT_CHECK_FAILED: D02\n설정에는 잘못이 없지만/);

  const agent = new AgentProcess(['run', '--config', rig.config], { LC_ALL: 'ko_KR.UTF-8' });
  t.teardown(() => agent.child.kill('SIGKILL'));
  await agent.line('first reading in the buffer');
  await agent.line('status page');
  const status = rig.run('status', ...ko);
  t.equal(await status.exited, 0);
  t.match(status.stdout, /demo\/gw1 {2}pid \d+, 실행한 지 /);
  t.match(status.stdout, /\n수집기 +오프라인 \(/);
  t.match(status.stdout, /2개 가운데 1개 정상/);
  const json = rig.run('status', '--json', ...ko);
  t.equal(await json.exited, 0);
  t.notMatch(json.stdout, /[가-힣]/);
  const busy = new AgentProcess(['buffer', 'check', '--config', rig.config], {
    FMS_LANGUAGE: 'ko',
  });
  t.equal(await busy.exited, 1);
  t.match(busy.stderr, /AGENT_BUFFER_IN_USE: .*\n다른 프로세스가 이 버퍼를 쓰고 있습니다/);
  agent.child.kill('SIGTERM');
  t.equal(await agent.exited, 0);
  const buffer = rig.run('buffer', 'check', ...ko);
  t.equal(await buffer.exited, 0);
  t.match(buffer.stdout, /buffer\.sqlite: 이상이 없습니다\n {2}측정값 \d+개, 청크 \d+개/);

  const typo = new AgentProcess(['chek', ...ko]);
  t.equal(await typo.exited, 2);
  t.match(typo.stderr, /오류: 알 수 없는 명령 'chek'\n\(check을\(를\) 쓰려고 했습니까\?\)/);
  const help = new AgentProcess(['buffer', '--help'], { LANG: 'ko_KR.UTF-8', FMS_LANGUAGE: '' });
  t.equal(await help.exited, 0);
  t.match(help.stdout, /사용법: fms-agent buffer[\s\S]*명령:\n {2}check .*모든 페이지와 청크/);
  const other = new AgentProcess(['check', '--language', 'fr']);
  t.equal(await other.exited, 2);
  t.match(other.stderr, /Allowed choices are en, ko/);
  const stranger = new AgentProcess([
    'enroll',
    'mqtts://127.0.0.1:1',
    'not-a-token',
    '--config',
    rig.config,
    ...ko,
  ]);
  t.equal(await stranger.exited, 1);
  t.match(stranger.stderr, /AGENT_ENROL_TOKEN: 11자\n수집기의 토큰이 아닙니다/);
  const parts = new AgentProcess(['self-test', ...ko]);
  t.equal(await parts.exited, 0, parts.stderr);
  t.match(parts.stdout, /^정상 +디스크의 암호화된 버퍼: 측정값 1000개\n/);
});
