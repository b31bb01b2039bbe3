/** What strangers, and gateways that misbehave, can send to the broker. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fc from 'fast-check';
import mqttPacket from 'mqtt-packet';
import type { Test } from 'tap';
import t from 'tap';
import { CONNECT_BYTES_MAX, PUBLISH_BYTES_MAX } from '../../collector/broker/frames.ts';
import type { TestBroker } from '../support/broker.ts';
import {
  connectGateway,
  connectPacket,
  publishPacket,
  RawClient,
  startTestBroker,
} from '../support/broker.ts';

const BATCH = 'fms/v1/s/g/batch';

/** A PUBLISH (or other) fixed header that announces `length` bytes. */
function header(firstByte: number, length: number): Buffer {
  const bytes = [firstByte];
  let rest = length;
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? digit | 0x80 : digit);
  } while (rest > 0);
  return Buffer.from(bytes);
}

async function stillServes(t: Test, test: TestBroker): Promise<void> {
  const client = await connectGateway(t, test, { gateway: 'good' });
  await client.publishAsync('fms/v1/s/good/batch', 'x', { qos: 1 });
  await client.endAsync();
}

t.test('MQTT 5 is told that the version is not spoken', async (t) => {
  const test = await startTestBroker(t);
  const client = await RawClient.open(t, test);
  client.send(connectPacket('g', { protocolVersion: 5 }));
  const connack = await client.next('connack');
  t.equal(connack?.returnCode, 1, 'unacceptable protocol version');
  await client.closed;
  t.equal(test.refused('mqtt_version'), 1);
  await stillServes(t, test);
});

t.test('what is no MQTT, or not yet allowed, is closed at once', async (t) => {
  const test = await startTestBroker(t);
  const connect = mqttPacket.generate(connectPacket());
  const openings: [string, Buffer][] = [
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['TLS', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
    ['zeros', Buffer.alloc(100)],
    ['publish first', mqttPacket.generate(publishPacket(BATCH, 'x'))],
    ['ping first', Buffer.from([0xc0, 0])],
    ['connect twice', Buffer.concat([connect, connect])],
    ['a packet of servers', Buffer.concat([connect, Buffer.from([0x20, 2, 0, 0])])],
    ['QoS 2 handshake', Buffer.concat([connect, Buffer.from([0x62, 2, 0, 1])])],
    ['reserved type', Buffer.concat([connect, Buffer.from([0xf0, 0])])],
    ['length without end', Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 1])],
    ['unknown protocol', Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x58, 4, 2, 0, 30, 0, 0])],
    [
      'reserved connect flag',
      Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 3, 0, 9, 0, 0]),
    ],
    ['QoS 3', Buffer.concat([connect, Buffer.from([0x36, 5, 0, 1, 0x61, 0, 1])])],
    [
      'topic beyond the packet',
      Buffer.concat([connect, Buffer.from([0x32, 4, 0, 90, 0x61, 0x62])]),
    ],
    ['publish without topic', Buffer.concat([connect, Buffer.from([0x32, 4, 0, 0, 0, 1])])],
    ['subscribe to nothing', Buffer.concat([connect, Buffer.from([0x82, 5, 0, 1, 0, 0, 0])])],
  ];
  for (const [name, bytes] of openings) {
    const client = await RawClient.open(t, test);
    client.send(bytes);
    await client.closed;
    t.pass(name);
  }
  t.same(await test.records(), []);
  t.ok(test.refused('protocol') >= openings.length - 1);
  await stillServes(t, test);
});

t.test('what is announced too long is closed before it comes', async (t) => {
  const test = await startTestBroker(t);
  const strangers = [
    header(0x10, CONNECT_BYTES_MAX + 1),
    header(0x10, 268_435_455),
    Buffer.concat([header(0x10, 60), Buffer.alloc(60), header(0x30, 1)]),
  ];
  for (const bytes of strangers) {
    const client = await RawClient.open(t, test);
    client.send(bytes);
    await client.closed;
  }
  for (const announced of [
    header(0x32, PUBLISH_BYTES_MAX + 1),
    header(0x32, 268_435_455),
    header(0x82, 5_000),
    header(0xc0, 5_000),
  ]) {
    const client = await RawClient.admitted(t, test);
    client.send(announced);
    await client.closed;
  }
  t.equal(test.refused('packet_too_large'), 6);
  await stillServes(t, test);
});

t.test('a CONNECT that comes too slowly, or never, is closed', async (t) => {
  const test = await startTestBroker(t, { limits: { connectTimeoutMs: 1_000 } });
  const silent = await RawClient.open(t, test);
  const slow = await RawClient.open(t, test);
  const bytes = mqttPacket.generate(connectPacket());
  let at = 0;
  const drip = setInterval(() => {
    if (at < bytes.length - 1) slow.send(bytes.subarray(at, ++at));
  }, 10);
  t.teardown(() => clearInterval(drip));
  await Promise.all([silent.closed, slow.closed]);
  t.equal(test.refused('connect_timeout'), 2);
  await stillServes(t, test);
});

t.test('a publish that stops half-way is closed with the keepalive', async (t) => {
  const test = await startTestBroker(t, { limits: { keepaliveMaxSeconds: 1 } });
  const client = await RawClient.admitted(t, test);
  client.send(Buffer.concat([header(0x32, 500_000), Buffer.alloc(100_000)]));
  await client.closed;
  t.same(await test.records(), []);
  await stillServes(t, test);
});

t.test('partial packets of all connections together are bounded', async (t) => {
  const test = await startTestBroker(t, {
    limits: { maxPendingBytes: 200_000, maxPartialBytes: 1_000_000 },
  });
  const strangers = await Promise.all(Array.from({ length: 10 }, () => RawClient.open(t, test)));
  for (const stranger of strangers)
    stranger.send(Buffer.concat([header(0x10, 60_000), Buffer.alloc(50_000)]));
  await test.refusedOnce('memory', 1);
  await stillServes(t, test);
  for (const stranger of strangers) stranger.socket.destroy();

  const gateways = await Promise.all(
    Array.from({ length: 10 }, (_, index) => RawClient.admitted(t, test, `g${index}`)),
  );
  const before = test.refused('memory');
  const half = Buffer.concat([header(0x32, 400_000), Buffer.alloc(200_000)]);
  for (const gateway of gateways) gateway.send(half);
  await test.refusedOnce('memory', before + 1);
  await stillServes(t, test);
  const open = gateways.filter(({ socket }) => !socket.destroyed);
  t.ok(open.length >= 4, `${open.length} gateways are not disturbed`);
});

t.test('at the bound a newcomer replaces the oldest that never said who it is', async (t) => {
  const test = await startTestBroker(t, { limits: { maxConnections: 10 } });
  const gateways = await Promise.all(
    Array.from({ length: 4 }, (_, index) => RawClient.admitted(t, test, `g${index}`)),
  );
  const silent: RawClient[] = [];
  for (let index = 0; index < 12; index++) silent.push(await RawClient.open(t, test));
  await Promise.all(silent.slice(0, 6).map((client) => client.closed));
  t.equal(test.refused('max_connections'), 6);
  const newcomer = await RawClient.admitted(t, test, 'newcomer');
  t.equal(newcomer.received[0]?.cmd, 'connack');
  t.notOk(
    gateways.some(({ socket }) => socket.destroyed),
    'gateways stay',
  );
  // Fill up with gateways only: then a newcomer is turned away.
  for (let index = 4; index < 9; index++) await RawClient.admitted(t, test, `g${index}`);
  const late = await RawClient.open(t, test);
  await late.closed;
  t.equal(test.broker.connected().length, 10);
});

t.test('a gateway that does not read is closed', async (t) => {
  const test = await startTestBroker(t, { limits: { drainTimeoutMs: 200 } });
  const client = await RawClient.admitted(t, test);
  client.send({
    cmd: 'subscribe',
    messageId: 1,
    subscriptions: [{ topic: 'fms/v1/s/g/command', qos: 1 }],
  });
  await client.next('suback');
  client.socket.pause();
  const payload = Buffer.alloc(4 * 1024 * 1024);
  while (test.broker.connected().length > 0) {
    void test.broker.publishCommand({ site: 's', gateway: 'g' }, payload);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.pass('closed');
  await stillServes(t, test);
});

t.test('ten thousand connections that say nothing', async (t) => {
  const count = 10_000;
  const test = await startTestBroker(t, { limits: { connectTimeoutMs: 3_000 } });
  const gateway = await connectGateway(t, test);
  const script = new URL('../support/silent-clients.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, String(test.broker.port), String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill());
  const exited = once(child, 'exit');
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  let published = 0;
  while (!said.includes('closed')) {
    await gateway.publishAsync(BATCH, `payload ${published}`, { qos: 1 });
    published += 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (child.exitCode !== null && !said.includes('closed')) break;
  }
  await exited;
  t.match(said, `closed ${count}`);
  t.equal(test.refused('connect_timeout'), count, 'all closed by the timeout');
  t.equal((await test.records()).length, published, `${published} publishes meanwhile`);
});

t.test('random bytes never end the broker or reach the log as another gateway', async (t) => {
  const test = await startTestBroker(t, { limits: { connectTimeoutMs: 3_000 } });
  const connect = mqttPacket.generate(connectPacket());
  const valid = Buffer.concat([
    mqttPacket.generate(publishPacket(BATCH, 'payload', 1)),
    mqttPacket.generate({
      cmd: 'subscribe',
      messageId: 2,
      subscriptions: [{ topic: 'fms/v1/s/g/command', qos: 1 }],
    }),
    mqttPacket.generate({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['x/y'] }),
    mqttPacket.generate({ cmd: 'pingreq' }),
  ]);
  const version5 = mqttPacket.generate(
    connectPacket('g', {
      protocolVersion: 5,
      properties: { sessionExpiryInterval: 9, userProperties: { a: 'b' } },
    }),
    { protocolVersion: 5 },
  );
  /** Valid packets in which some bytes were replaced. */
  const damaged = fc
    .tuple(
      fc.constantFrom(Buffer.concat([connect, valid]), version5),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 }),
    )
    .map(([packets, changes]) => {
      const bytes = Buffer.from(packets);
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      return bytes;
    });
  const random = fc
    .uint8Array({ maxLength: 200 })
    .map((bytes) => Buffer.concat([connect, Buffer.from(bytes)]));
  const noise = fc.uint8Array({ minLength: 1, maxLength: 100 }).map((bytes) => Buffer.from(bytes));
  await fc.assert(
    fc.asyncProperty(fc.oneof(damaged, random, noise), fc.nat({ max: 50 }), async (bytes, cut) => {
      const client = await RawClient.open(t, test);
      client.send(bytes.subarray(0, cut));
      client.send(bytes.subarray(cut));
      client.socket.end();
      await client.closed;
    }),
    { numRuns: 400 },
  );
  await stillServes(t, test);
  const records = await test.records();
  t.ok(
    records.every(({ key }) => key === 's/g' || key === 's/good'),
    'under its own name only',
  );
});
