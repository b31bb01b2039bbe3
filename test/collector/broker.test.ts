import { once } from 'node:events';
import { connect } from 'node:net';
import { generate } from 'mqtt-packet';
import t from 'tap';
import type { IdentityConflictValue, OversizedValue } from '../../collector/types.ts';
import { PAYLOAD_BYTES_MAX, REJECT_HEAD_BYTES } from '../../proto/limits.ts';
import {
  closeOf,
  connackOf,
  connectGateway,
  connectPacket,
  publishPacket,
  RawClient,
  startTestBroker,
} from '../support/broker.ts';

const BATCH = 'fms/v1/s/g/batch';
const STATE = 'fms/v1/s/g/state';
const COMMAND = 'fms/v1/s/g/command';

t.test('a publish is acknowledged once it is in the log, undecoded', async (t) => {
  const test = await startTestBroker(t);
  const client = await connectGateway(t, test);
  const payload = Buffer.from([0, 255, 1, 254]);
  await client.publishAsync(BATCH, payload, { qos: 1 });
  const [record] = await test.records();
  t.match(record, { key: 's/g', kind: 'batch', offset: 0 });
  t.ok(payload.equals(record?.value ?? Buffer.of()));
  await client.publishAsync(STATE, 'state', { qos: 1, retain: true });
  await client.publishAsync(BATCH, '', { qos: 1 });
  const records = await test.records();
  t.same(
    records.map(({ kind, value }) => [kind, value.length]),
    [
      ['batch', 4],
      ['state', 5],
      ['batch', 0],
    ],
  );
  t.equal(test.acknowledged(), 3);
});

t.test('acknowledgements come in order, after their records', async (t) => {
  const test = await startTestBroker(t);
  const client = await RawClient.admitted(t, test);
  const count = 500;
  const packets = Array.from({ length: count }, (_, index) =>
    publishPacket(BATCH, `payload ${index}`, index + 1),
  );
  for (const packet of packets) client.send(packet);
  await client.next('puback', count);
  const ids = client.received.flatMap((packet) =>
    packet.cmd === 'puback' ? packet.messageId : [],
  );
  t.same(
    ids,
    packets.map((_, index) => index + 1),
  );
  const records = await test.records();
  t.same(
    records.map(({ value }) => Buffer.from(value).toString()),
    packets.map((_, index) => `payload ${index}`),
  );
});

t.test('nothing is acknowledged before the log has answered', async (t) => {
  const test = await startTestBroker(t);
  const client = await RawClient.admitted(t, test);
  test.log.appendFault = 'hang';
  client.send(publishPacket(BATCH, 'held', 7));
  client.send({ cmd: 'pingreq' });
  while (test.log.held === 0) await new Promise((resolve) => setImmediate(resolve));
  t.notOk(client.received.some(({ cmd }) => cmd === 'puback'));
  test.log.release();
  const ack = await client.next('puback');
  t.equal(ack?.messageId, 7);
  t.equal((await test.records()).length, 1);
});

t.test('a payload over the limit: its head and the reason, acknowledged', async (t) => {
  const test = await startTestBroker(t);
  const client = await connectGateway(t, test);
  const largest = Buffer.alloc(PAYLOAD_BYTES_MAX, 1);
  await client.publishAsync(BATCH, largest, { qos: 1 });
  const tooLarge = Buffer.alloc(PAYLOAD_BYTES_MAX + 1, 2);
  await client.publishAsync(STATE, tooLarge, { qos: 1 });
  await client.publishAsync(BATCH, 'next', { qos: 1 });
  const records = await test.records();
  t.same(
    records.map(({ kind }) => kind),
    ['batch', 'oversized', 'batch'],
  );
  t.ok(largest.equals(records[0]?.value ?? Buffer.of()));
  const value: OversizedValue = JSON.parse(Buffer.from(records[1]?.value ?? []).toString());
  t.match(value, { leaf: 'state', bytes: PAYLOAD_BYTES_MAX + 1, reason: /larger than 1048576/ });
  t.ok(Buffer.from(value.head, 'base64').equals(tooLarge.subarray(0, REJECT_HEAD_BYTES)));
});

t.test('who may connect', async (t) => {
  const test = await startTestBroker(t);
  const code = (over: object) => connackOf(t, test, over);
  t.equal(await code({}), 0);
  t.equal(await code({ gateway: 'b', password: 'wrong' }), 4, 'wrong token');
  t.equal(await code({ gateway: 'b', password: undefined }), 4, 'no token');
  t.equal(await code({ gateway: 'b', username: 's/unknown/x' }), 4, 'unknown gateway');
  t.equal(await code({ gateway: 'b', username: undefined, password: undefined }), 4, 'nobody');
  for (const clientId of ['s/g/i1', 's/b', 's/b/', 's/b/i1/x', 's/bb/i1', 's/b/#', 'mqttjs_1', ''])
    t.equal(await code({ gateway: 'b', clientId }), 2, `client id '${clientId}'`);
  t.equal(await code({ gateway: 'b', clientId: `s/b/${'x'.repeat(65)}` }), 2, 'long client id');
  t.equal(test.refused('credentials'), 4);
  t.equal(test.refused('client_id'), 9);
  t.same(test.broker.connected(), [{ site: 's', gateway: 'g' }], 'the first one was left alone');
});

t.test('what a gateway may publish', async (t) => {
  const test = await startTestBroker(t);
  const refusedTopics = [
    'fms/v1/s/other/batch',
    'fms/v1/s/g/command',
    'fms/v1/s/g/batch/x',
    'fms/v1/s/g/',
    '$SYS/broker/uptime',
    'anything',
    '/'.repeat(60),
  ];
  for (const topic of refusedTopics) {
    const client = await RawClient.admitted(t, test);
    client.send(publishPacket(BATCH, 'before', 1));
    client.send(publishPacket(topic, 'x', 2));
    await client.closed;
    const acknowledged = client.received.flatMap((p) => (p.cmd === 'puback' ? p.messageId : []));
    t.notOk(acknowledged.includes(2), `${topic}: no acknowledgement`);
  }
  const records = await test.records();
  t.ok(records.every(({ value }) => Buffer.from(value).toString() === 'before'));
  t.ok(test.refused('publish_topic') >= refusedTopics.length);

  const wildcard = await RawClient.admitted(t, test);
  wildcard.send(Buffer.from([0x32, 8, 0, 3, 0x61, 0x2f, 0x23, 0, 1, 0x78]));
  await wildcard.closed;
  t.pass('a wildcard in a publish closes the connection');
});

t.test('replies go to whoever asked, QoS 0 is taken, QoS 2 is not', async (t) => {
  const replies: [string, string][] = [];
  const test = await startTestBroker(t, {
    onReply: ({ gateway }, payload) => replies.push([gateway, Buffer.from(payload).toString()]),
  });
  const client = await connectGateway(t, test);
  await client.publishAsync('fms/v1/s/g/reply', 'done', { qos: 1 });
  t.same(replies, [['g', 'done']]);
  t.same(await test.records(), []);
  await client.publishAsync(BATCH, 'unacknowledged', { qos: 0 });
  const [record] = await test.recordsOnce(1);
  t.match(record, { kind: 'batch' });
  client.publish(BATCH, 'twice', { qos: 2 });
  await closeOf(client);
  t.equal(test.refused('publish_qos'), 1);
  t.equal((await test.records()).length, 1);
});

t.test('what a gateway may subscribe to', async (t) => {
  const test = await startTestBroker(t);
  const client = await RawClient.admitted(t, test);
  const topics = [
    '#',
    '+/+/+/+/+',
    '$SYS/#',
    '$SYS/+/new/clients',
    'fms/v1/s/g/+',
    'fms/v1/s/+/command',
    'fms/v1/s/other/command',
    '$share/group/fms/v1/s/g/command',
    BATCH,
    STATE,
  ];
  client.send({
    cmd: 'subscribe',
    messageId: 5,
    subscriptions: topics.map((topic) => ({ topic, qos: 1 })),
  });
  const suback = await client.next('suback');
  t.same(
    suback?.granted,
    topics.map(() => 128),
  );
  t.equal(test.refused('subscribe_topic'), topics.length);
  client.send({
    cmd: 'subscribe',
    messageId: 6,
    subscriptions: [
      { topic: COMMAND, qos: 1 },
      { topic: '#', qos: 1 },
    ],
  });
  const mixed = await client.next('suback', 2);
  t.same(mixed?.granted, [1, 128]);

  const other = await connectGateway(t, test, { gateway: 'other' });
  await other.publishAsync('fms/v1/s/other/state', 'secret', { qos: 1, retain: true });
  t.equal(await test.broker.publishCommand({ site: 's', gateway: 'g' }, Buffer.from('go')), true);
  const command = await client.next('publish');
  t.match(command, { topic: COMMAND, qos: 1 });
  t.notOk(
    client.received.some((packet) => packet.cmd === 'publish' && packet.topic !== COMMAND),
    'nothing of others, nothing retained, no $SYS',
  );
});

t.test('commands reach only the gateway that is connected and listens', async (t) => {
  const test = await startTestBroker(t);
  const gateway = { site: 's', gateway: 'g' };
  const command = () => test.broker.publishCommand(gateway, Buffer.from('go'));
  t.equal(await command(), false, 'not connected');
  const client = await connectGateway(t, test);
  t.equal(await command(), false, 'not subscribed');
  await client.subscribeAsync(COMMAND, { qos: 1 });
  const message = new Promise<Buffer>((resolve) => {
    client.once('message', (_topic, payload) => resolve(payload));
  });
  t.equal(await command(), true);
  t.equal(String(await message), 'go');
  await client.unsubscribeAsync(COMMAND);
  t.equal(await command(), false, 'unsubscribed');
});

t.test(
  'the will of a gateway that vanished is a record; that of one that said goodbye is not',
  async (t) => {
    const test = await startTestBroker(t);
    const will = { topic: STATE, payload: Buffer.from('gone'), qos: 1 as const, retain: true };
    const polite = await connectGateway(t, test, { will });
    await polite.endAsync();
    const abrupt = await connectGateway(t, test, { will });
    abrupt.stream.destroy();
    const records = await test.recordsOnce(1);
    t.match(records, [{ kind: 'will', key: 's/g' }]);
    t.equal(records.length, 1);
  },
);

t.test('a will is only the own state, and no larger than it may be', async (t) => {
  const test = await startTestBroker(t);
  const will = (topic: string, bytes: number) => ({
    gateway: 'b',
    will: { topic, payload: Buffer.alloc(bytes), qos: 1 as const, retain: true },
  });
  t.equal(await connackOf(t, test, will('fms/v1/s/b/batch', 10)), 5);
  t.equal(await connackOf(t, test, will('fms/v1/s/g/state', 10)), 5);
  t.equal(await connackOf(t, test, will('$SYS/x', 10)), 5);
  t.equal(await connackOf(t, test, will('fms/v1/s/b/state', 60_000)), 0);
  t.equal(test.refused('will'), 3);
});

t.test('a second connection of the same install takes over', async (t) => {
  const test = await startTestBroker(t);
  const will = { topic: STATE, payload: Buffer.from('gone'), qos: 1 as const, retain: true };
  const old = await connectGateway(t, test, { will });
  const oldClosed = closeOf(old);
  const fresh = await connectGateway(t, test, { will });
  await oldClosed;
  await fresh.publishAsync(STATE, 'here', { qos: 1 });
  t.same(
    (await test.records()).map(({ kind }) => kind),
    ['will', 'state'],
    'the will of the old one comes first',
  );
  t.equal(test.broker.connected().length, 1);
  const third = await connectGateway(t, test);
  await third.publishAsync(BATCH, 'x', { qos: 1 });
  t.equal(test.broker.connected().length, 1, 'the count stays right over takeovers');
});

t.test('many connections of one install at once: one is left', async (t) => {
  const test = await startTestBroker(t);
  const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(t, test)));
  for (const client of clients) client.send(connectPacket());
  const ended = clients.map((client) => client.closed);
  await Promise.race([
    Promise.all(ended),
    (async () => {
      for (;;) {
        const open = clients.filter(({ socket }) => !socket.destroyed);
        if (open.length === 1) return;
        await Promise.race(open.map(({ closed }) => closed));
      }
    })(),
  ]);
  const [left] = clients.filter(({ socket }) => !socket.destroyed);
  left?.send(publishPacket(BATCH, 'x', 9));
  const ack = await left?.next('puback');
  t.equal(ack?.messageId, 9);
  t.equal(test.broker.connected().length, 1);
});

t.test('another install of the same gateway is refused and recorded, once', async (t) => {
  const test = await startTestBroker(t);
  const rightful = await connectGateway(t, test, { install: 'i1' });
  for (let attempt = 0; attempt < 5; attempt++)
    t.equal(await connackOf(t, test, { install: 'clone' }), 2);
  await rightful.publishAsync(BATCH, 'still here', { qos: 1 });
  const records = await test.records();
  t.same(
    records.map(({ kind, key }) => [kind, key]),
    [
      ['identity_conflict', 's/g'],
      ['batch', 's/g'],
    ],
  );
  const value: IdentityConflictValue = JSON.parse(Buffer.from(records[0]?.value ?? []).toString());
  t.same(value, { installId: 'clone', holder: 'i1', unrecorded: 0 });
  t.equal(test.refused('identity_conflict'), 5);
  await rightful.endAsync();
  t.equal(await connackOf(t, test, { install: 'clone' }), 0, 'once the name is free it may');
});

t.test('a half-dead connection gives way after one and a half keepalives', async (t) => {
  const test = await startTestBroker(t);
  const dead = await RawClient.open(t, test);
  dead.send(connectPacket('g', { keepalive: 1 }));
  await dead.next('connack');
  t.equal(await connackOf(t, test, { install: 'i2' }), 2, 'not before');
  await dead.closed;
  t.equal(await connackOf(t, test, { install: 'i2' }), 0);
});

t.test('a keepalive of nothing, or of hours, counts as the longest', async (t) => {
  const test = await startTestBroker(t, { limits: { keepaliveMaxSeconds: 1 } });
  const clients = await Promise.all([RawClient.open(t, test), RawClient.open(t, test)]);
  clients[0]?.send(connectPacket('a', { keepalive: 0 }));
  clients[1]?.send(connectPacket('b', { keepalive: 60_000 }));
  await Promise.all(clients.map((client) => client.closed));
  t.same(
    clients.map((client) => client.received.length),
    [1, 1],
    'both were let in, and closed when they said nothing',
  );
});

t.test('closing settles what is under way and publishes no wills', async (t) => {
  const test = await startTestBroker(t);
  const will = { topic: STATE, payload: Buffer.from('gone'), qos: 1 as const, retain: true };
  const client = await connectGateway(t, test, { will });
  const silent = await RawClient.open(t, test);
  const closed = closeOf(client);
  test.log.appendFault = 'hang';
  const acknowledged = client.publishAsync(BATCH, 'last', { qos: 1 });
  while (test.log.held === 0) await new Promise((resolve) => setImmediate(resolve));
  const { port } = test.broker;
  const closing = test.broker.close();
  test.log.release();
  await closing;
  await acknowledged;
  await Promise.all([closed, silent.closed]);
  t.same(
    (await test.records()).map(({ kind }) => kind),
    ['batch'],
  );
  await t.rejects(connectPort(port), 'nobody listens any more');
});

async function connectPort(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
}

t.test('whoever hangs up while it waits to be let in leaves no will', async (t) => {
  const test = await startTestBroker(t);
  const client = await RawClient.open(t, test);
  const will = { topic: STATE, payload: Buffer.from('gone'), qos: 1, retain: true };
  client.socket.end(generate(connectPacket('g', { will })));
  await client.closed;
  // Admitted after it: had the other one been let in, its will would come before this.
  const other = await connectGateway(t, test, { gateway: 'other' });
  await other.publishAsync('fms/v1/s/other/batch', 'here', { qos: 1 });
  t.same(
    (await test.records()).map(({ key }) => key),
    ['s/other'],
  );
  t.same(test.broker.connected(), [{ site: 's', gateway: 'other' }]);
});

t.test('many that connect at once are all let in', async (t) => {
  const test = await startTestBroker(t);
  const sockets = await Promise.all(Array.from({ length: 300 }, () => RawClient.open(t, test)));
  for (const [i, client] of sockets.entries()) client.send(connectPacket(`g${i}`));
  await Promise.all(sockets.map((client) => client.next('connack')));
  t.equal(test.broker.connected().length, 300);
});

t.test('a port that is taken is named', async (t) => {
  const test = await startTestBroker(t);
  await t.rejects(startTestBroker(t, { plain: { host: '127.0.0.1', port: test.broker.port } }), {
    code: 'COLLECTOR_PORT_TAKEN',
    message: new RegExp(`127.0.0.1:${test.broker.port}`),
  });
});
