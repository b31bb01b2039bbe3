/** fms-agent run, as a process: signals and what they leave behind. */

import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { makeRig } from '../support/agent-process.ts';
import { startTestBroker } from '../support/test-broker.ts';

t.test(
  'SIGTERM: what was read is committed, delivered, and told; nobody waits for a device that hangs',
  async (t) => {
    const rig = await makeRig(t);
    const broker = await startTestBroker();
    t.teardown(() => broker.close());
    // Nothing would be committed by itself for ten seconds.
    rig.write({
      ...rig.base,
      collector: { url: broker.url, token: 'secret' },
      buffer: { commit_interval_ms: 10_000 },
      devices: [rig.device('D01'), rig.device('hang', { timeout_ms: 60_000 })],
    });
    const agent = rig.run('run');
    await broker.until(({ acked }) => acked.length > 0);
    const before = rig.asked.get('D01') ?? 0;
    while ((rig.asked.get('D01') ?? 0) < before + 5) await new Promise((r) => setTimeout(r, 10));
    const began = performance.now();
    agent.child.kill('SIGTERM');
    t.equal(await agent.exited, 0);
    const tookMs = performance.now() - began;
    t.ok(tookMs < 30_000, `${Math.round(tookMs)} ms: not what the device that hangs takes`);
    const readings = broker.acked.reduce(
      (sum, batch) => sum + batch.chunks.reduce((all, { count }) => all + count, 0),
      0,
    );
    t.ok(readings >= before + 5, `${readings} delivered`);
    const last = broker.states.at(-1);
    t.match(last, { online: false, cleanEnd: true, lastSeq: readings, bufferReadings: 0 });
    t.same(broker.wills, []);
    t.match(agent.log.at(-1), { message: 'fms-agent has ended', readings_waiting: 0 });
    t.notOk(existsSync(join(rig.folder, 'data/status.json')));
  },
);

t.test(
  'SIGINT with the collector away: the readings stay, the next start delivers them',
  async (t) => {
    const rig = await makeRig(t);
    rig.write({ ...rig.base, devices: [rig.device('D01')] });
    const agent = rig.run('run');
    await agent.line('first reading in the buffer');
    agent.child.kill('SIGINT');
    t.equal(await agent.exited, 0);
    const waiting = Number(agent.log.at(-1)?.readings_waiting);
    t.ok(waiting > 0);
    const broker = await startTestBroker();
    t.teardown(() => broker.close());
    rig.write({
      ...rig.base,
      collector: { url: broker.url, token: 'x' },
      devices: [rig.device('D01')],
    });
    const again = rig.run('run');
    await broker.until(({ acked }) => acked.length > 1);
    again.child.kill('SIGTERM');
    t.equal(await again.exited, 0);
    const epochs = [...new Set(broker.acked.map(({ epoch }) => epoch))];
    t.equal(epochs.length, 2, 'each start has an epoch of its own');
    t.match(broker.acked[0], { epoch: epochs[0], lastSeq: waiting });
    const later = broker.acked.find(({ epoch }) => epoch === epochs[1]);
    t.match(later, { predecessorEpoch: epochs[0], predecessorLastSeq: waiting });
  },
);

t.test('SIGHUP: only what changed restarts, mistakes change nothing', async (t) => {
  const rig = await makeRig(t);
  const first = await startTestBroker();
  const second = await startTestBroker();
  t.teardown(() => first.close());
  t.teardown(() => second.close());
  const base = { ...rig.base, collector: { url: first.url, token: 'x' } };
  rig.write({ ...base, devices: [rig.device('D01'), rig.device('D02'), rig.device('D03')] });
  const agent = rig.run('run');
  await agent.line('status page');
  await first.until(({ acked }) => acked.length > 0);

  writeFileSync(rig.config, 'site: demo\nsite: again\n');
  agent.child.kill('SIGHUP');
  t.match(await agent.line('the old configuration goes on'), { code: 'AGENT_CONFIG_INVALID' });
  t.ok(
    agent.log.some(({ level, message }) => level === 'error' && /agent.yaml:2:1: /.test(message)),
  );

  const devices = [rig.device('D01'), rig.device('D02', { interval_ms: 40 }), rig.device('D04')];
  rig.write({ ...base, log: { level: 'info' }, devices });
  agent.child.kill('SIGHUP');
  t.match(await agent.line('configuration taken over'), {
    devices_started: ['D02', 'D04'],
    devices_stopped: ['D02', 'D03'],
    forwarder_restarted: false,
  });
  t.equal(first.clientIds.length, 1, 'the connection stayed');

  rig.write({
    ...base,
    collector: { url: second.url, token: 'y' },
    buffer: { max_bytes: 50_000_000 },
    gateway: 'gw2',
    devices,
  });
  agent.child.kill('SIGHUP');
  t.match(await agent.line('configuration taken over', 2), {
    devices_started: [],
    devices_stopped: [],
    forwarder_restarted: true,
  });
  await second.until(({ acked }) => acked.length > 0);
  t.same(
    agent.log
      .filter(({ message }) => /needs a restart/.test(message))
      .map(({ section }) => section),
    ['gateway', 'buffer'],
  );
  t.equal(second.acked[0]?.gateway, 'gw1', 'under the name under which it was read');
  t.equal(second.credentials[0]?.password, 'y');
  t.notOk(
    first.states.some(({ cleanEnd }) => cleanEnd),
    'moving is not ending',
  );
  agent.child.kill('SIGTERM');
  t.equal(await agent.exited, 0);
  const epochs = new Set([...first.acked, ...second.acked].map(({ epoch }) => epoch));
  t.equal(epochs.size, 1, 'the buffer was never touched');
  const seqs = [...first.acked, ...second.acked].flatMap(({ chunks }) =>
    chunks.flatMap(({ firstSeq, count }) => Array.from({ length: count }, (_, i) => firstSeq + i)),
  );
  const last = Math.max(...seqs);
  t.equal(new Set(seqs).size, last, 'every number arrived');
});

t.test(
  'kill -9 while readings come: what was committed is delivered by the next start',
  async (t) => {
    const rig = await makeRig(t);
    rig.write({ ...rig.base, devices: [rig.device('D01', { interval_ms: 10 })] });
    const agent = rig.run('run');
    await agent.line('first reading in the buffer');
    while ((rig.asked.get('D01') ?? 0) < 20) await new Promise((r) => setTimeout(r, 10));
    agent.child.kill('SIGKILL');
    await agent.exited;
    const exported = rig.run('buffer', 'export');
    t.equal(await exported.exited, 0);
    const committed = exported.stdout.trim().split('\n').length;
    t.ok(committed > 0);
    const broker = await startTestBroker();
    t.teardown(() => broker.close());
    rig.write({ ...rig.base, collector: { url: broker.url, token: 'x' }, devices: [] });
    const again = rig.run('run');
    await broker.until(({ acked }) => acked.length > 0);
    again.child.kill('SIGTERM');
    t.equal(await again.exited, 0);
    t.match(again.log, [{ message: 'fms-agent starts' }, { message: 'no devices are configured' }]);
    t.equal(broker.acked[0]?.lastSeq, committed);
  },
);

t.test('a taken status port does not stop the readings', async (t) => {
  const rig = await makeRig(t);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const { port } = other.address() as { port: number };
  rig.write({ ...rig.base, status: { port }, devices: [rig.device('D01')] });
  const agent = rig.run('run');
  const warning = await agent.line('no status page; the agent works without it');
  t.match(warning, { level: 'warn', code: 'AGENT_PORT_TAKEN' });
  await agent.line('first reading in the buffer');
  rig.write({ ...rig.base, devices: [rig.device('D01')] });
  agent.child.kill('SIGHUP');
  await agent.line('status page');
  agent.child.kill('SIGTERM');
  t.equal(await agent.exited, 0);
});
