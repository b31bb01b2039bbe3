/** The commands of fms-agent as processes: exit codes and what they print. */

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { AgentProcess, makeRig } from '../../support/agent-process.ts';

// Processes are slow to start on a busy machine.
t.setTimeout(1_200_000);

t.test('status: of a running agent, and of none', async (t) => {
  const rig = await makeRig(t);
  rig.write({ ...rig.base, devices: [rig.device('D01')] });
  const none = rig.run('status');
  t.equal(await none.exited, 1);
  t.match(none.stderr, /^AGENT_NOT_RUNNING: .*\nStart it/);
  const agent = rig.run('run');
  await agent.line('status page');
  const status = rig.run('status');
  t.equal(await status.exited, 0);
  t.match(status.stdout, /demo\/gw1 {2}pid \d+/);
  t.match(status.stdout, /OFFLINE/);
  t.match(status.stdout, /1 of 1 ok/);
  const json = rig.run('status', '--json');
  t.equal(await json.exited, 0);
  t.equal((JSON.parse(json.stdout) as { pid: number }).pid, agent.child.pid, 'the same process');
  agent.child.kill('SIGTERM');
  await agent.exited;
});

t.test('two agents cannot share a data folder', async (t) => {
  const rig = await makeRig(t);
  rig.write({ ...rig.base, devices: [rig.device('D01')] });
  const agent = rig.run('run');
  await agent.line('first reading in the buffer');
  const second = rig.run('run');
  t.equal(await second.exited, 1);
  t.match(second.stderr, /AGENT_BUFFER_IN_USE: /);
  const check = rig.run('buffer', 'check');
  t.equal(await check.exited, 1);
  t.match(check.stderr, /AGENT_BUFFER_IN_USE: /);
  agent.child.kill('SIGTERM');
  t.equal(await agent.exited, 0);
});

t.test('check: mistakes exit with 2, dead devices with 1, good ones with 0', async (t) => {
  const rig = await makeRig(t);
  rig.write({ ...rig.base, devices: [rig.device('D01')] });
  const good = rig.run('check');
  t.equal(await good.exited, 0);
  t.match(good.stdout, /is right; reading 1 device/);
  t.match(good.stdout, /D01 +value +1 +good +20/);
  t.notOk(existsSync(join(rig.folder, 'data')), 'nothing is written');
  const dead = rig.device('D02', { http: { url: 'http://127.0.0.1:1/' } });
  rig.write({ ...rig.base, devices: [rig.device('D01'), dead] });
  const failed = rig.run('check');
  t.equal(await failed.exited, 1);
  t.match(failed.stdout, /D02 .*error: .*ECONNREFUSED/);
  t.match(failed.stderr, /AGENT_CHECK_FAILED: D02/);
  rig.write({ ...rig.base, devices: [rig.device('D01', { interval_ms: 'soon' })] });
  for (const command of ['check', 'run', 'status']) {
    const wrong = rig.run(command);
    t.equal(await wrong.exited, 2, command);
    t.match(wrong.stderr, /agent\.yaml:\d+:\d+: device D01: "interval_ms" must be a whole number/);
    t.match(wrong.stderr, /AGENT_CONFIG_INVALID: 1 mistake\n/);
  }
});

t.test('buffer check, repair, export', async (t) => {
  const rig = await makeRig(t);
  rig.write({ ...rig.base, devices: [rig.device('D01')] });
  const missing = rig.run('buffer', 'check');
  t.equal(await missing.exited, 1);
  t.match(missing.stderr, /AGENT_BUFFER_MISSING/);
  const agent = rig.run('run');
  await agent.line('first reading in the buffer');
  agent.child.kill('SIGTERM');
  await agent.exited;
  const check = rig.run('buffer', 'check');
  t.equal(await check.exited, 0);
  t.match(check.stdout, /nothing is wrong\n {2}\d+ readings in \d+ chunks/);
  const csv = rig.run('buffer', 'export', '--format', 'csv');
  t.equal(await csv.exited, 0);
  t.match(
    csv.stdout,
    /^epoch,seq,kind,device,channel,time_ms,value,quality,detail\n[0-9a-f]{16},1,reading,D01,value,/,
  );
  t.match(csv.stderr, /\d+ readings, 0 rejects/);
  const file = join(rig.folder, 'data/buffer.sqlite');
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(0x5a, 0, 512));
  const damaged = rig.run('buffer', 'check');
  t.equal(await damaged.exited, 1);
  t.match(damaged.stderr, /AGENT_BUFFER_DAMAGED/);
  const repair = rig.run('buffer', 'repair');
  t.equal(await repair.exited, 0);
  t.match(
    repair.stdout,
    /saved \d+ readings in \d+ chunks, \d+ gaps are declared; the old file is/,
  );
  t.equal(await rig.run('buffer', 'check').exited, 0);
});

t.test('an encrypted buffer: its key for the agent, the commands, and nobody else', async (t) => {
  const rig = await makeRig(t);
  const key = join(rig.folder, 'buffer.key');
  writeFileSync(key, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
  rig.write({ ...rig.base, buffer: { key_file: 'buffer.key' }, devices: [rig.device('oven')] });
  const agent = rig.run('run');
  await agent.line('first reading in the buffer');
  await agent.line('status page');
  const status = rig.run('status');
  t.equal(await status.exited, 0, status.stderr);
  t.match(status.stdout, /encrypted with key [0-9a-f]{8}\n/);
  agent.child.kill('SIGTERM');
  await agent.exited;
  const file = readFileSync(join(rig.folder, 'data', 'buffer.sqlite'));
  t.notOk(file.includes('oven'));

  rig.write({ ...rig.base, devices: [rig.device('oven')] });
  for (const args of [['run'], ['buffer', 'repair']]) {
    const refused = rig.run(...args);
    t.equal(await refused.exited, 1, args.join(' '));
    t.match(refused.stderr, /AGENT_BUFFER_KEY_MISSING.*\n.*--key-file/);
  }
  const check = rig.run('buffer', 'check', '--key-file', key);
  t.equal(await check.exited, 0, check.stderr);
  t.match(check.stdout, /nothing is wrong\n.*\n {2}\d+ chunks encrypted with key [0-9a-f]{8}\n/);
  const credential = new AgentProcess(['--config', rig.config, 'buffer', 'export'], {
    CREDENTIALS_DIRECTORY: rig.folder,
  });
  t.equal(await credential.exited, 0, credential.stderr);
  t.match(credential.stdout, /"device":"oven"/);
});

t.test('the command line', async (t) => {
  const version = new AgentProcess(['--version']);
  t.equal(await version.exited, 0);
  t.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  const help = new AgentProcess(['--help']);
  t.equal(await help.exited, 0);
  t.match(help.stdout, /run[\s\S]*check[\s\S]*status[\s\S]*buffer/);
  const typo = new AgentProcess(['chek']);
  t.equal(await typo.exited, 2);
  t.match(typo.stderr, /Did you mean check/);
  const nowhere = new AgentProcess(['run', '-c', '/nowhere/agent.yaml']);
  t.equal(await nowhere.exited, 2);
  t.match(nowhere.stderr, /nowhere\/agent.yaml: cannot be read[\s\S]*AGENT_CONFIG_UNREADABLE/);
  const byVariable = new AgentProcess(['run'], { FMS_AGENT_CONFIG: '/elsewhere.yaml' });
  t.equal(await byVariable.exited, 2);
  t.match(byVariable.stderr, /elsewhere.yaml/);
});
