/** The broker before a log that refuses, hangs, or lies. */

import t from 'tap';
import { startTicks } from '../../collector/ticks.ts';
import {
  closeOf,
  connackOf,
  connectGateway,
  publishPacket,
  RawClient,
  startTestBroker,
} from '../support/broker.ts';

const BATCH = 'fms/v1/s/g/batch';
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function heldOnce(test: { log: { held: number } }, count = 1): Promise<void> {
  while (test.log.held < count) await turn();
}

t.test(
  'a log that refuses: no acknowledgement, the connection closes, the door shuts',
  async (t) => {
    for (const fault of ['refuse', 'full'] as const) {
      const test = await startTestBroker(t);
      const idle = await connectGateway(t, test, { gateway: 'idle' });
      const client = await RawClient.admitted(t, test);
      test.log.appendFault = fault;
      client.send(publishPacket(BATCH, 'x', 1));
      await client.closed;
      t.notOk(client.received.some(({ cmd }) => cmd === 'puback'));
      t.equal(test.refused('append_failed'), 1);
      t.equal(await connackOf(t, test), 3, 'server unavailable');
      t.equal(await connackOf(t, test, { gateway: 'x', password: 'wrong' }), 3);
      t.equal(test.refused('log_unavailable'), 2);
      t.equal(test.broker.stats().accepting, false);
      t.ok(idle.connected, 'who says nothing is not disturbed');
      t.same(await test.records(), []);
    }
  },
);

t.test('a tick that works opens the door again', async (t) => {
  const test = await startTestBroker(t);
  const ticks = startTicks({
    log: test.log,
    intervalMs: 10,
    onAppend: (succeeded) => test.broker.noteAppend(succeeded),
  });
  t.teardown(() => ticks.close());
  test.log.appendFault = 'refuse';
  while (test.broker.stats().accepting) await turn();
  t.equal(await connackOf(t, test), 3, 'a tick that fails shuts it too');
  test.log.appendFault = undefined;
  while (!test.broker.stats().accepting) await turn();
  const client = await connectGateway(t, test);
  await client.publishAsync(BATCH, 'back', { qos: 1 });
  ticks.close();
  const records = await test.records();
  t.ok(records.some(({ kind }) => kind === 'batch'));
  t.ok(records.some(({ kind, key }) => kind === 'tick' && key === ''));
});

t.test('a log that hangs: waits, then closes; the late record stays unacknowledged', async (t) => {
  const test = await startTestBroker(t, { limits: { appendTimeoutMs: 200 } });
  const client = await RawClient.admitted(t, test);
  test.log.appendFault = 'hang';
  for (let id = 1; id <= 3; id++) client.send(publishPacket(BATCH, `x${id}`, id));
  await client.closed;
  t.equal(test.refused('append_failed'), 1, 'counted once');
  t.equal(await connackOf(t, test), 3);
  t.ok(test.broker.stats().bytesInFlight > 0, 'its memory still counts');
  test.log.appendFault = undefined;
  test.log.release();
  while (!test.broker.stats().accepting) await turn();
  t.equal(test.broker.stats().bytesInFlight, 0);
  t.notOk(client.received.some(({ cmd }) => cmd === 'puback'));
  const again = await connectGateway(t, test);
  await again.publishAsync(BATCH, 'x1', { qos: 1 });
  t.equal((await test.records()).length, 4, 'sent again: there twice, for the processor to remove');
});

t.test('a short keepalive shortens the wait for a log that hangs', async (t) => {
  const test = await startTestBroker(t, { limits: { appendTimeoutMs: 3_600_000 } });
  const client = await connectGateway(t, test, { keepalive: 1 });
  test.log.appendFault = 'hang';
  const closed = closeOf(client);
  client.publishAsync(BATCH, 'x', { qos: 1 }).catch(() => undefined);
  await closed;
  t.equal(test.refused('append_failed'), 1, 'closed by the collector, for the log');
  test.log.appendFault = undefined;
  test.log.release();
});

t.test('an append that was stored and then failed is not acknowledged', async (t) => {
  const test = await startTestBroker(t);
  const client = await connectGateway(t, test);
  test.log.appendFault = 'fail-after-storing';
  const closed = closeOf(client);
  const published = client.publishAsync(BATCH, 'x', { qos: 1 });
  published.catch(() => undefined);
  await closed;
  t.equal(test.acknowledged(), 0);
  t.equal((await test.records()).length, 1);
});

t.test('when one append of a connection fails, none after it is acknowledged', async (t) => {
  const test = await startTestBroker(t);
  const client = await RawClient.admitted(t, test);
  const other = await connectGateway(t, test, { gateway: 'other' });
  test.log.faultHits = (_topic, { value }) => Buffer.from(value).toString() === 'bad';
  test.log.appendFault = 'refuse';
  const payloads = ['one', 'two', 'bad', 'four', 'five'];
  const bytes = payloads.map((payload, index) => publishPacket(BATCH, payload, index + 1));
  client.socket.cork();
  for (const packet of bytes) client.send(packet);
  client.socket.uncork();
  await client.closed;
  const ids = client.received.flatMap((packet) =>
    packet.cmd === 'puback' ? packet.messageId : [],
  );
  t.ok(
    ids.every((id) => (id ?? 0) < 3),
    `acknowledged: ${ids}`,
  );
  await other.publishAsync('fms/v1/s/other/batch', 'fine', { qos: 1 });
  t.pass('another connection goes on');
});

t.test('answers out of order are acknowledged in order', async (t) => {
  const test = await startTestBroker(t);
  const client = await RawClient.admitted(t, test);
  test.log.faultHits = (_topic, { value }) => Buffer.from(value).toString() === 'slow';
  test.log.appendFault = 'hang';
  client.send(publishPacket(BATCH, 'slow', 1));
  await heldOnce(test);
  client.send(publishPacket(BATCH, 'fast', 2));
  client.send({ cmd: 'pingreq' });
  await test.recordsOnce(1);
  for (let turns = 0; turns < 20; turns++) await turn();
  t.notOk(client.received.some(({ cmd }) => cmd === 'puback'));
  test.log.release();
  await client.next('puback', 2);
  t.same(
    client.received.flatMap((packet) => (packet.cmd === 'puback' ? packet.messageId : [])),
    [1, 2],
  );
});

t.test('what is in flight is bounded over all connections, and goes on afterwards', async (t) => {
  const maxBytesInFlight = 400_000;
  const test = await startTestBroker(t, { limits: { maxBytesInFlight } });
  const gateways = 20;
  const clients = await Promise.all(
    Array.from({ length: gateways }, (_, index) => RawClient.admitted(t, test, `g${index}`)),
  );
  test.log.appendFault = 'hang';
  const payload = Buffer.alloc(50_000, 1);
  for (const [index, client] of clients.entries()) {
    for (let id = 1; id <= 10; id++)
      client.send(publishPacket(`fms/v1/s/g${index}/batch`, payload, id));
  }
  await heldOnce(test, maxBytesInFlight / payload.length);
  for (let turns = 0; turns < 200; turns++) await turn();
  const { bytesInFlight } = test.broker.stats();
  // The chunk that met the bound, and the publish that it completed, are above it.
  t.ok(bytesInFlight <= maxBytesInFlight + 65_536 + payload.length, `${bytesInFlight} in flight`);
  const newcomer = await RawClient.admitted(t, test, 'newcomer');
  t.equal(newcomer.received[0]?.cmd, 'connack', 'a newcomer is heard all the same');
  test.log.appendFault = undefined;
  test.log.release();
  await Promise.all(clients.map((client) => client.next('puback', 10)));
  t.equal((await test.records()).length, gateways * 10);
});

t.test('a gateway whose reader is stopped can leave', async (t) => {
  const test = await startTestBroker(t, { limits: { maxBytesInFlight: 1_000 } });
  const client = await RawClient.admitted(t, test);
  test.log.appendFault = 'hang';
  client.send(publishPacket(BATCH, Buffer.alloc(5_000), 1));
  await heldOnce(test);
  client.send(publishPacket(BATCH, Buffer.alloc(5_000), 2));
  for (let turns = 0; turns < 20; turns++) await turn();
  client.socket.destroy();
  test.log.appendFault = undefined;
  test.log.release();
  const again = await connectGateway(t, test);
  await again.publishAsync(BATCH, 'x', { qos: 1 });
  t.same(test.broker.connected(), [{ site: 's', gateway: 'g' }]);
});

t.test('fifty gateways and a log that comes and goes: each publish ends in the log', async (t) => {
  const test = await startTestBroker(t, { limits: { appendTimeoutMs: 100 } });
  const ticks = startTicks({
    log: test.log,
    intervalMs: 20,
    timeoutMs: 100,
    onAppend: (succeeded) => test.broker.noteAppend(succeeded),
  });
  t.teardown(() => ticks.close());
  const gateways = 50;
  let connects = 0;
  const deliver = async (gateway: string): Promise<void> => {
    for (let number = 0; number < 5; ) {
      connects += 1;
      const client = await RawClient.admitted(t, test, gateway);
      for (; number < 5; number++) {
        client.send(publishPacket(`fms/v1/s/${gateway}/batch`, `${gateway}:${number}`, number + 1));
        const ack = await client.next('puback');
        if (ack === undefined) break;
        client.received.length = 0;
      }
      client.socket.destroy();
      // As agents do: not at once.
      if (number < 5) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const faults = ['refuse', 'hang', 'fail-after-storing', undefined] as const;
  let round = 0;
  const weather = setInterval(() => {
    test.log.appendFault = faults[round++ % faults.length];
    test.log.release();
  }, 60);
  t.teardown(() => clearInterval(weather));
  await Promise.all(Array.from({ length: gateways }, (_, index) => deliver(`g${index}`)));
  clearInterval(weather);
  ticks.close();
  test.log.appendFault = undefined;
  test.log.release();
  const stored = new Set(
    (await test.records())
      .filter(({ kind }) => kind === 'batch')
      .map(({ value }) => Buffer.from(value).toString()),
  );
  t.equal(stored.size, gateways * 5, `all there, after ${connects} connections`);
});
