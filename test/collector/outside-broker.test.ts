/** Intake over a real Mosquitto, with real forwarders: what was emitted is in the log, whatever dies. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import mqtt from 'mqtt';
import type { Test } from 'tap';
import t from 'tap';
import type { LogRecord } from '../../collector/log/log.ts';
import { startMosquitto } from '../support/mosquitto.ts';
import type { Gateway } from '../support/outside-broker.ts';
import {
  faultsOf,
  isEmpty,
  openTestLog,
  outsideConfig,
  recordsOf,
  startGateway,
  startIntake,
  until,
} from '../support/outside-broker.ts';
import { whyNotWithout } from '../support/programs.ts';
import { memoryFolder } from '../support/test-buffer.ts';

const skip = whyNotWithout('mosquitto');

t.test('from the agent through Mosquitto into the log, and the word back', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t);
  const intake = await startIntake(t, outsideConfig(mosquitto.url));
  await until(() => intake.broker.stats().accepting);
  const gateway = startGateway(t, mosquitto.url);
  const other = startGateway(t, mosquitto.url, { name: 'h' });
  for (let i = 0; i < 20; i++) {
    await gateway.emit(100);
    await other.emit(3);
  }
  await until(() => isEmpty(gateway) && isEmpty(other));
  const records = await intake.records();
  t.equal(faultsOf(records, gateway), undefined);
  t.equal(faultsOf(records, other), undefined);
  t.ok(records.some(({ kind, key }) => kind === 'state' && key === 's/g'));
  t.match(gateway.forwarder.status(), { waitsFor: 'nothing', lastError: undefined });
  t.same(
    intake.broker
      .connected()
      .map(({ gateway: name }) => name)
      .sort(),
    ['g', 'h'],
  );
  t.match(intake.broker.stats(), { bytesInFlight: 0, problem: undefined });
});

/** Emits in small steps until it is told to stop. */
function load(gateway: Gateway): { stop: () => Promise<void> } {
  let isRunning = true;
  const running = (async () => {
    while (isRunning) {
      await gateway.emit(20);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  return {
    stop: () => {
      isRunning = false;
      return running;
    },
  };
}

function batchesIn(records: readonly LogRecord[]): number {
  return records.filter(({ kind }) => kind === 'batch').length;
}

/** Resolves when the broker says that it has dropped messages. */
async function droppedBy(t: Test, url: string): Promise<void> {
  const client = await mqtt.connectAsync(url, { protocolVersion: 4 });
  t.teardown(() => client.end(true));
  const dropped = new Promise<void>((resolve) => {
    client.on('message', (_topic, payload) => {
      if (Number(payload.toString()) > 0) resolve();
    });
  });
  await client.subscribeAsync('$SYS/broker/publish/messages/dropped');
  await dropped;
}

for (const persistence of [false, true]) {
  const name = `Mosquitto killed and started again under load, ${persistence ? 'with' : 'without'} persistence`;
  t.test(name, { skip }, async (t) => {
    const mosquitto = await startMosquitto(t, { persistence });
    const intake = await startIntake(t, outsideConfig(mosquitto.url));
    const gateway = startGateway(t, mosquitto.url);
    const running = load(gateway);
    for (let round = 0; round < 3; round++) {
      const before = batchesIn(await intake.records());
      await until(async () => batchesIn(await intake.records()) > before + 5);
      await mosquitto.kill();
      await until(() => !intake.broker.stats().accepting);
      t.match(intake.broker.stats().problem, /OUTSIDE_BROKER_UNAVAILABLE/);
      await mosquitto.start();
    }
    await running.stop();
    await until(() => isEmpty(gateway));
    t.equal(faultsOf(await intake.records(), gateway), undefined);
  });
}

t.test(
  'what the broker drops at its limit is sent again until it is acknowledged',
  { skip },
  async (t) => {
    const mosquitto = await startMosquitto(t, {
      config: ['max_queued_messages 3', 'max_inflight_messages 2', 'sys_interval 1'],
    });
    const folder = memoryFolder(t);
    const outside = outsideConfig(mosquitto.url);
    const before = await startIntake(t, outside, { folder, log: await openTestLog(folder) });
    await until(() => before.broker.stats().accepting);
    await before.broker.close();
    const gateway = startGateway(t, mosquitto.url, { forwarder: { batchReadings: 100 } });
    for (let i = 0; i < 30; i++) await gateway.emit(100);
    await until(() => gateway.forwarder.status().timeoutResendsTotal >= 2);
    t.equal(gateway.buffer.stats().readings, 3_000, 'a PUBACK of the broker frees nothing');
    await until(() => gateway.forwarder.status().waitsFor === 'collector');
    t.match(gateway.forwarder.status(), {
      inFlightBatches: 8,
      ackedBatchesTotal: 0,
      lastError: { code: 'AGENT_COLLECTOR_SILENT' },
    });
    await droppedBy(t, mosquitto.url);
    const intake = await startIntake(t, outside, { folder, log: before.log });
    await until(() => isEmpty(gateway));
    t.equal(faultsOf(await intake.records(), gateway), undefined);
    t.equal(gateway.forwarder.status().lastError, undefined);
  },
);

t.test(
  'a log that is away: nothing is acknowledged, and it goes on afterwards',
  { skip },
  async (t) => {
    for (const fault of ['refuse', 'full', 'hang', 'fail-after-storing'] as const) {
      const mosquitto = await startMosquitto(t);
      const intake = await startIntake(t, outsideConfig(mosquitto.url), {
        limits: { appendTimeoutMs: 100 },
      });
      await until(() => intake.broker.stats().accepting);
      intake.log.appendFault = fault;
      const gateway = startGateway(t, mosquitto.url);
      for (let i = 0; i < 5; i++) await gateway.emit(10);
      await until(() => intake.metrics.refusals.get('append_failed') !== undefined);
      await until(() => (intake.metrics.refusals.get('append_failed') ?? 0) >= 2);
      t.equal(gateway.buffer.stats().readings, 50, fault);
      t.match(intake.broker.stats(), { accepting: false });
      intake.log.appendFault = undefined;
      intake.log.release();
      await until(() => isEmpty(gateway));
      t.equal(faultsOf(await intake.records(), gateway), undefined);
      await until(() => intake.broker.stats().accepting);
      t.equal(intake.broker.stats().bytesInFlight, 0);
    }
  },
);

t.test('a good append of somebody else opens the door again at once', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t);
  const intake = await startIntake(t, outsideConfig(mosquitto.url), {
    limits: { backoffBaseMs: 3_600_000, backoffMaxMs: 3_600_000 },
  });
  await until(() => intake.broker.stats().accepting);
  intake.log.appendFault = 'refuse';
  const gateway = startGateway(t, mosquitto.url);
  await gateway.emit(10);
  await until(() => intake.metrics.refusals.get('append_failed') !== undefined);
  intake.log.appendFault = undefined;
  intake.broker.noteAppend(true);
  await until(() => isEmpty(gateway));
  t.equal(faultsOf(await intake.records(), gateway), undefined);
});

t.test('a collector killed between append and acknowledgement', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t);
  const folder = memoryFolder(t);
  const outside = outsideConfig(mosquitto.url);
  const gateway = startGateway(t, mosquitto.url);
  const running = load(gateway);
  const program = new URL('../support/outside-broker-child.ts', import.meta.url).pathname;
  for (const killAfter of [1, 4]) {
    const child = spawn(process.execPath, [program, mosquitto.url, folder, String(killAfter)], {
      stdio: 'inherit',
    });
    const [, signal] = await once(child, 'exit');
    t.equal(signal, 'SIGKILL');
  }
  await running.stop();
  const log = await openTestLog(folder);
  t.ok(batchesIn(await recordsOf(log)) >= 5, 'appended');
  const intake = await startIntake(t, outside, { folder, log });
  await until(() => isEmpty(gateway));
  t.equal(faultsOf(await intake.records(), gateway), undefined);
});

t.test('messages under way are bounded, and PUBACKs keep their order', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t, { config: ['max_inflight_messages 0'] });
  const intake = await startIntake(t, outsideConfig(mosquitto.url), {
    limits: { maxBytesInFlight: 2_000 },
  });
  await until(() => intake.broker.stats().accepting);
  const client = await mqtt.connectAsync(mosquitto.url, { protocolVersion: 4 });
  t.teardown(() => client.end(true));
  intake.log.appendFault = 'hang';
  const payload = (i: number) => Buffer.from(`${i}`.padStart(500, ' '));
  for (let i = 0; i < 40; i++) {
    await client.publishAsync('fms/v1/s/g/batch', payload(i), { qos: 1 });
  }
  await until(() => intake.broker.stats().bytesInFlight >= 2_000);
  t.ok(intake.broker.stats().bytesInFlight <= 2_500, `${intake.broker.stats().bytesInFlight}`);
  intake.log.appendFault = undefined;
  intake.log.release();
  await until(async () => (await intake.records()).length === 40);
  const numbers = (await intake.records()).map(({ value }) => Number(Buffer.from(value)));
  t.same(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
  // All of them were acknowledged: a new connection of the same session gets none again.
  await intake.broker.close();
  const again = await startIntake(t, outsideConfig(mosquitto.url), { log: intake.log });
  await until(() => again.broker.stats().accepting);
  await client.publishAsync('fms/v1/s/g/batch', payload(40), { qos: 1 });
  await until(async () => (await again.records()).length >= 41);
  t.equal((await again.records()).length, 41);
});

t.test('foreign topics, names, oversized and empty payloads', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t);
  const replies: string[] = [];
  const intake = await startIntake(t, outsideConfig(mosquitto.url), {
    gateways: { list: () => [{ site: 's', gateway: 'g' }] },
    onReply: (gateway, payload) => replies.push(`${gateway.gateway} ${Buffer.from(payload)}`),
  });
  const client = await mqtt.connectAsync(mosquitto.url, { protocolVersion: 4 });
  t.teardown(() => client.end(true));
  const acked: Buffer[] = [];
  client.on('message', (_topic, payload) => acked.push(payload));
  await client.subscribeAsync('fms/v1/s/g/command', { qos: 1 });
  await client.publishAsync('fms/v1/s/g/state', 'retained', { qos: 1, retain: true });
  await until(() => intake.broker.stats().accepting);
  const say = (topic: string, payload: string | Buffer) =>
    client.publishAsync(topic, payload, { qos: 1 });
  await say('fms/v1/s/.bad/batch', 'x');
  await say('fms/v1/s/h/batch', 'x');
  await say('fms/v1/s/g/state', '');
  await say('fms/v1/s/g/reply', 'yes');
  await say('fms/v1/s/g/batch', Buffer.alloc(1_100_000, 'y'));
  await say('fms/v1/s/g/batch', 'poison');
  await until(async () => (await intake.records()).length === 3);
  t.match(await intake.records(), [
    { kind: 'state', key: 's/g', value: Buffer.from('retained') },
    { kind: 'oversized', key: 's/g' },
    { kind: 'batch', key: 's/g', value: Buffer.from('poison') },
  ]);
  t.same(replies, ['g yes']);
  t.equal(intake.metrics.refusals.get('publish_topic'), 1);
  t.equal(intake.metrics.refusals.get('gateway_unknown'), 1);
  await until(() => acked.length > 0);
  t.equal(await intake.broker.publishCommand({ site: 's', gateway: 'g' }, Buffer.from('do')), true);
  await until(() => acked.some((payload) => payload.toString() === 'do'));
  await mosquitto.kill();
  await until(() => !intake.broker.stats().accepting);
  t.equal(
    await intake.broker.publishCommand({ site: 's', gateway: 'g' }, Buffer.from('do')),
    false,
  );
});

t.test(
  'several collectors share what comes ($share), and one that dies takes nothing along',
  { skip },
  async (t) => {
    const mosquitto = await startMosquitto(t);
    const outside = outsideConfig(mosquitto.url, { shareGroup: 'intake' });
    const [one, two] = [await startIntake(t, outside), await startIntake(t, outside)];
    await until(() => one.broker.stats().accepting && two.broker.stats().accepting);
    const gateway = startGateway(t, mosquitto.url);
    const running = load(gateway);
    await until(
      async () => batchesIn(await one.records()) > 3 && batchesIn(await two.records()) > 3,
    );
    const share = batchesIn(await one.records());
    await one.broker.close();
    const before = batchesIn(await two.records());
    await until(async () => batchesIn(await two.records()) > before + 5);
    await running.stop();
    await until(() => isEmpty(gateway));
    t.ok(share > 0);
    const all = [...(await one.records()), ...(await two.records())];
    t.equal(faultsOf(all, gateway), undefined);
  },
);

t.test('a collector that comes late gets what the broker had dropped', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t);
  // Nobody has ever subscribed: all of it is acknowledged and dropped.
  const forwarder = { resendAfterMs: 200, stateIntervalMs: 100 };
  const gateway = startGateway(t, mosquitto.url, { forwarder });
  for (let i = 0; i < 10; i++) await gateway.emit(10);
  await until(() => gateway.forwarder.status().timeoutResendsTotal >= 2);
  const intake = await startIntake(t, outsideConfig(mosquitto.url));
  await until(() => isEmpty(gateway));
  t.equal(faultsOf(await intake.records(), gateway), undefined);
});

t.test('a frozen broker: both sides notice, and go on when it thaws', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t);
  const intake = await startIntake(t, outsideConfig(mosquitto.url), {
    limits: { keepaliveSeconds: 1, connectTimeoutMs: 500 },
  });
  await until(() => intake.broker.stats().accepting);
  const gateway = startGateway(t, mosquitto.url, { forwarder: { publishTimeoutMs: 500 } });
  await gateway.emit(100);
  await until(() => isEmpty(gateway));
  mosquitto.freeze();
  for (let i = 0; i < 5; i++) await gateway.emit(100);
  await until(() => gateway.forwarder.status().publishTimeoutsTotal > 0);
  await until(() => !intake.broker.stats().accepting);
  t.equal(gateway.buffer.stats().readings, 500);
  mosquitto.thaw();
  await until(() => isEmpty(gateway));
  t.equal(faultsOf(await intake.records(), gateway), undefined);
});
