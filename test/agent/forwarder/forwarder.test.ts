import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openBuffer } from '../../../agent/buffer/buffer.ts';
import type { Forwarder, ForwarderOptions } from '../../../agent/forwarder/contract.ts';
import { startForwarder } from '../../../agent/forwarder/forwarder.ts';
import type { Log } from '../../../agent/log.ts';
import type { ClockState, ReadingBuffer } from '../../../agent/types.ts';
import { frameCrcOk } from '../../../proto/batch.ts';
import { decodeChunk } from '../../../proto/decode.ts';
import type { Gap } from '../../../proto/model.ts';
import { GapReason, NO_EPOCH } from '../../../proto/model.ts';
import { MemoryBuffer } from '../../support/memory-buffer.ts';
import type { TestBroker } from '../../support/test-broker.ts';
import { startTestBroker } from '../../support/test-broker.ts';

type Test = Pick<typeof t, 'teardown'>;

interface Rig {
  broker: TestBroker;
  buffer: MemoryBuffer;
  clock: { wall: number; mono: number };
  clockState: ClockState;
  logged: { level: string; message: string; code: unknown; delayMs: unknown }[];
  start(settings?: Partial<ForwarderOptions['settings']>, buffer?: ReadingBuffer): Forwarder;
}

interface Tls {
  key: Buffer;
  cert: Buffer;
  /** What the agent trusts. */
  ca: string | undefined;
}

async function makeRig(t: Test, tls?: Tls): Promise<Rig> {
  const broker = await startTestBroker(0, tls);
  const clock = { wall: 1_767_225_600_000, mono: 1_000 };
  const logged: Rig['logged'] = [];
  const note =
    (level: string): Log['info'] =>
    (message, fields) => {
      const { code, next_attempt_ms: delayMs } = fields ?? {};
      logged.push({ level, message, code, delayMs });
    };
  const log = {
    debug: note('debug'),
    info: note('info'),
    warn: note('warn'),
    error: note('error'),
  };
  const buffer = new MemoryBuffer();
  const clockState: ClockState = {
    boot: buffer.boot,
    unsynced: false,
    lastStepMs: 0,
    stepsTotal: 0,
    corrections: [],
  };
  const forwarders: Forwarder[] = [];
  t.teardown(async () => {
    for (const forwarder of forwarders) await forwarder.close({ graceMs: 300, lastState: false });
    await broker.close();
  });
  const start: Rig['start'] = (settings, other) => {
    const forwarder = startForwarder({
      identity: { site: 'demo', gateway: 'gw1', installId: '00112233445566ff' },
      collector: { url: broker.url, token: 'secret', ca: tls?.ca },
      settings: {
        windowBatches: 4,
        batchReadings: 1_000,
        batchBytes: 65_536,
        publishTimeoutMs: 10_000,
        keepaliveS: 30,
        stateIntervalMs: 60_000,
        backoffMaxMs: 50,
        holdMs: 900_000,
        acknowledgedBy: 'broker',
        resendAfterMs: 30_000,
        ...settings,
      },
      buffer: other ?? buffer,
      clock: { wallMs: () => clock.wall, monoMs: () => clock.mono },
      clockState: () => clockState,
      gatewayState: () => ({
        site: 'demo',
        gateway: 'gw1',
        installId: '00112233445566ff',
        online: true,
        cleanEnd: false,
        version: '0.1.0',
        epoch: buffer.currentEpoch()?.epoch ?? NO_EPOCH,
        lastSeq: buffer.currentEpoch()?.lastSeq ?? 0,
        sentMs: clock.wall,
        startedMs: clock.wall,
        bufferReadings: buffer.stats().readings,
        bufferBytes: 0,
        bufferSecondsUntilEviction: -1,
        clockUnsynced: clockState.unsynced,
        clockStepMs: 0,
        readers: [],
        gaps: [],
      }),
      log,
      random: Math.random,
      backoffBaseMs: 5,
    });
    forwarders.push(forwarder);
    return forwarder;
  };
  return { broker, buffer, clock, clockState, logged, start };
}

/** Resolves when `check` holds; looks at it in every turn of the event loop. */
async function eventually(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setImmediate(resolve));
}

function seqsOf(broker: TestBroker): [number, number][] {
  return broker.acked.flatMap((batch) =>
    batch.chunks.map((chunk): [number, number] => [chunk.firstSeq, chunk.count]),
  );
}

function gapOf(firstSeq: number, lastSeq: number, epoch = '00000000000000e1'): Gap {
  return { epoch, firstSeq, lastSeq, firstMs: 1, lastMs: 2, reason: GapReason.EVICTED_AGE };
}

t.test('introduces itself and delivers in order, deleting only after the PUBACK', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  await buffer.add(3);
  await buffer.add(2);
  broker.onPublish = (leaf) => (leaf === 'batch' ? 'hold' : 'ack');
  const forwarder = start();
  await broker.until(({ batches, states }) => batches.length > 0 && states.length > 0);
  t.equal(buffer.chunks.length, 2, 'nothing deleted before the PUBACK');
  t.equal(forwarder.status().inFlightReadings, 5);
  broker.release();
  await eventually(() => buffer.chunks.length === 0);
  t.same(broker.clientIds, ['demo/gw1/00112233445566ff']);
  t.same(broker.credentials, [{ username: 'demo/gw1', password: 'secret' }]);
  const [batch] = broker.acked;
  t.match(batch, { site: 'demo', gateway: 'gw1', lastSeq: 5, predecessorEpoch: NO_EPOCH });
  t.equal(batch?.installId, '00112233445566ff');
  t.same(seqsOf(broker), [
    [1, 3],
    [4, 2],
  ]);
  t.match(broker.states[0], { online: true, cleanEnd: false, lastSeq: 5 });
  broker.onPublish = () => 'ack';
  await buffer.add(4);
  await eventually(() => buffer.chunks.length === 0);
  t.same(seqsOf(broker).at(-1), [6, 4], 'what comes later goes by itself');
  t.match(forwarder.status(), { connection: 'online', ackedReadingsTotal: 9, inFlightBatches: 0 });
});

t.test('keeps to its window, and joins what waits into larger batches', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  for (let i = 0; i < 100; i++) await buffer.add(100);
  broker.onPublish = (leaf) => (leaf === 'batch' ? 'hold' : 'ack');
  start();
  await broker.until(({ batches }) => batches.length === 4);
  await buffer.add(1);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(broker.batches.length, 4, 'no more than window_batches');
  t.same(
    broker.batches.map((batch) => batch.chunks.length),
    [10, 10, 10, 10],
    'each of batch_readings',
  );
  broker.onPublish = () => 'ack';
  broker.release();
  await eventually(() => buffer.chunks.length === 0);
  t.equal(broker.acked.length, 11, '10,001 readings in batches of 1,000');
});

t.test('batches are bounded by bytes too, but a larger chunk still goes', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  await buffer.add(8_000);
  await buffer.add(8_000);
  start({ batchBytes: 4_096, batchReadings: 100_000 });
  await eventually(() => buffer.chunks.length === 0);
  t.same(
    broker.acked.map((batch) => batch.chunks.length),
    [1, 1],
  );
});

t.test('a batch holds one epoch and names the one before it', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  await buffer.add(3);
  buffer.openEpoch('00000000000000e2');
  await buffer.add(2);
  start();
  await eventually(() => buffer.chunks.length === 0);
  t.match(broker.acked, [
    { epoch: '00000000000000e1', lastSeq: 3, predecessorEpoch: NO_EPOCH },
    {
      epoch: '00000000000000e2',
      lastSeq: 2,
      predecessorEpoch: '00000000000000e1',
      predecessorLastSeq: 3,
    },
  ]);
});

t.test('gaps travel with batches, or alone, and are forgotten after the PUBACK', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  await buffer.add(3);
  buffer.declare(gapOf(100, 200));
  broker.onPublish = (leaf) => (leaf === 'batch' ? 'hold' : 'ack');
  start();
  await broker.until(({ batches }) => batches.length === 1);
  t.same(broker.batches[0]?.gaps, [gapOf(100, 200)]);
  t.equal(buffer.declared.length, 1);
  buffer.declare(gapOf(300, 400));
  await broker.until(({ batches }) => batches.length === 2);
  t.same(broker.batches[1]?.gaps, [gapOf(300, 400)], 'the first is under way already');
  t.same(broker.batches[1]?.chunks, [], 'an empty batch carries it');
  t.equal(broker.batches[1]?.lastSeq, 3);
  broker.release();
  await eventually(() => buffer.declared.length === 0);
  t.equal(buffer.acknowledgedGaps.length, 2);
});

t.test('more gaps than a batch may hold go in several', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  for (let i = 0; i < 600; i++) buffer.declare(gapOf(i * 10 + 1, i * 10 + 5));
  start();
  await eventually(() => buffer.declared.length === 0);
  t.same(
    broker.acked.map((batch) => batch.gaps.length),
    [256, 256, 88],
  );
  t.equal(broker.acked[0]?.epoch, '00000000000000e1', 'the epoch of its first gap');
  t.equal(broker.acked[0]?.lastSeq, 2_555, 'at least what it declares');
});

t.test('a cut connection: everything unacknowledged goes again, nothing else', async (t) => {
  const { broker, buffer, start, logged } = await makeRig(t);
  for (let i = 0; i < 8; i++) await buffer.add(1_000);
  let seen = 0;
  broker.onPublish = (leaf) => {
    if (leaf === 'state') return 'ack';
    seen++;
    if (seen === 3) return 'cut';
    return seen > 3 && seen <= 4 ? 'hold' : 'ack';
  };
  const forwarder = start();
  await eventually(() => buffer.chunks.length === 0);
  t.same(
    [...new Set(seqsOf(broker).map(([first]) => first))].sort((a, b) => a - b),
    [1, 1_001, 2_001, 3_001, 4_001, 5_001, 6_001, 7_001],
  );
  t.equal(new Set(buffer.acknowledgedChunks).size, 8, 'each deleted');
  t.ok(forwarder.status().resentBatchesTotal > 0);
  t.equal(forwarder.status().lastError, undefined, 'over, once a batch is acknowledged');
  t.equal(logged.filter(({ level }) => level === 'warn').length, 1, 'said once');
});

t.test('a lost PUBACK: the batch goes again, identical', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  await buffer.add(5);
  let cuts = 2;
  broker.onPublish = (leaf) => (leaf === 'batch' && cuts-- > 0 ? 'ack-then-cut' : 'ack');
  start();
  await eventually(() => buffer.chunks.length === 0);
  t.equal(broker.batches.length, 3);
  t.equal(new Set(broker.batches.map((batch) => batch.chunks[0]?.crc32c)).size, 1);
});

t.test('a hanging collector: the publish timeout drops the connection', async (t) => {
  const { broker, buffer, start, logged } = await makeRig(t);
  for (let i = 0; i < 40; i++) await buffer.add(100);
  broker.onPublish = () => 'hold';
  const forwarder = start({ publishTimeoutMs: 100 });
  await broker.until(({ connections }) => connections >= 3);
  t.equal(buffer.chunks.length, 40);
  t.ok(forwarder.status().publishTimeoutsTotal >= 2);
  t.ok(forwarder.status().windowShare <= 0.25, 'asks for less each time');
  t.ok(logged.some(({ code }) => code === 'AGENT_PUBLISH_TIMEOUT'));
  // The server may hear of a new connection before it has closed the one that was given up.
  await broker.until(({ open }) => open.size <= 1);
  t.pass('the old connections are gone');
  broker.onPublish = () => 'ack';
  await eventually(() => buffer.chunks.length === 0);
  t.ok(forwarder.status().windowShare > 0.25, 'and for more again when it goes well');
});

t.test('a collector that accepts TCP and says nothing', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  broker.mute = true;
  await buffer.add(5);
  const forwarder = start({ publishTimeoutMs: 100 });
  await broker.until(({ connections }) => connections >= 2);
  t.equal(forwarder.status().lastError?.code, 'AGENT_COLLECTOR_UNREACHABLE');
  broker.mute = false;
  await eventually(() => buffer.chunks.length === 0);
});

t.test('a line that falls silent is noticed by the keepalive', async (t) => {
  const { broker, start } = await makeRig(t);
  const forwarder = start({ keepaliveS: 1 });
  await eventually(() => forwarder.status().connection === 'online');
  await broker.until(({ states }) => states.length === 1);
  const [socket] = broker.open;
  socket?.removeAllListeners('data').removeAllListeners('readable').pause();
  await broker.until(({ connections }) => connections === 2);
  t.equal(forwarder.status().publishTimeoutsTotal, 0, 'nothing was waiting for a PUBACK');
});

t.test('refused connections: coded, rarely repeated when the identity is wrong', async (t) => {
  const { broker, buffer, start, logged } = await makeRig(t);
  await buffer.add(1);
  for (const [returnCode, code] of [
    [3, 'AGENT_COLLECTOR_UNAVAILABLE'],
    [5, 'AGENT_NOT_AUTHORISED'],
    [4, 'AGENT_NOT_AUTHORISED'],
    [2, 'AGENT_NOT_AUTHORISED'],
  ] as const) {
    broker.refuseWith = returnCode;
    const before = broker.connections;
    const forwarder = start();
    await broker.until(({ connections }) => connections >= before + 3);
    t.equal(forwarder.status().lastError?.code, code, `CONNACK ${returnCode}`);
    t.ok(forwarder.status().lastError?.hint, 'with a hint');
    t.equal(logged.filter((line) => line.level === 'warn' && line.code === code).length, 1);
    await forwarder.close({ graceMs: 100, lastState: true });
    logged.length = 0;
  }
  broker.refuseWith = 0;
  start();
  await eventually(() => buffer.chunks.length === 0);
  broker.refuseWith = 5;
  const slow = start({ backoffMaxMs: 100_000 });
  await eventually(() => slow.status().connection === 'waiting');
  const { nextAttemptMs = 0 } = slow.status();
  t.ok(nextAttemptMs - 1_767_225_600_000 >= 50_000, 'at least half of backoff_max_ms');
});

t.test('may not read its command topic: nothing goes out, and it says why', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  broker.refuseSubscriptions = true;
  await buffer.add(1);
  const forwarder = start({ acknowledgedBy: 'collector' });
  await broker.until(({ connections }) => connections >= 2);
  t.match(forwarder.status().lastError, {
    code: 'AGENT_NOT_AUTHORISED',
    message: /may not subscribe to fms\/v1\/demo\/gw1\/command/,
  });
  t.same(broker.batches, []);
  broker.refuseSubscriptions = false;
  await broker.until(({ batches }) => batches.length > 0);
  await eventually(() => forwarder.status().waitsFor === 'collector');
  t.equal(buffer.chunks.length, 1, 'a PUBACK frees nothing');
});

t.test('no storm: the backoff grows until a batch is acknowledged', async (t) => {
  const { broker, buffer, start, logged } = await makeRig(t);
  await buffer.add(1);
  // Connects, is closed at once: a connection alone does not prove anything.
  broker.onPublish = () => 'cut';
  const forwarder = start({ backoffMaxMs: 40 });
  await broker.until(({ connections }) => connections >= 25);
  const delays = logged.map(({ delayMs }) => delayMs).filter((delay) => typeof delay === 'number');
  t.ok(delays.length >= 24, `${delays.length} attempts`);
  t.ok(Math.max(...delays) <= 40, 'never more than backoff_max_ms');
  t.ok(Math.max(...delays.slice(0, 1)) <= 5, 'the first within the base');
  t.ok(Math.max(...delays) > 10, 'grew beyond the base');
  broker.onPublish = () => 'ack';
  await eventually(() => buffer.chunks.length === 0);
  t.equal(forwarder.status().connection, 'online');
});

t.test('nothing leaks over 200 reconnections', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  await buffer.add(10);
  broker.onPublish = (leaf) => (leaf === 'batch' ? 'cut' : 'ack');
  const forwarder = start({ backoffMaxMs: 1 });
  await broker.until(({ connections }) => connections >= 20);
  const resources = (): number =>
    process.getActiveResourcesInfo().filter((name) => /TCPSocket|Timeout|TLS/.test(name)).length;
  await broker.until(({ open }) => open.size <= 1);
  const before = resources();
  await broker.until(({ connections }) => connections >= 220);
  await broker.until(({ open }) => open.size <= 1);
  t.ok(resources() <= before + 4, `${before} handles before, ${resources()} after`);
  t.ok(process.listenerCount('uncaughtException') <= 2);
  broker.onPublish = () => 'ack';
  await eventually(() => buffer.chunks.length === 0);
  t.equal(forwarder.status().connection, 'online');
});

t.test('a wrong clock: its readings wait for the correction', async (t) => {
  const { broker, buffer, clock, clockState, start } = await makeRig(t);
  buffer.boot = '0000000000000001';
  buffer.unsynced = true;
  await buffer.add(1);
  buffer.boot = clockState.boot;
  buffer.monoMs = clock.mono;
  await buffer.add(2);
  clockState.unsynced = true;
  const forwarder = start({ stateIntervalMs: 100 });
  await eventually(() => buffer.chunks.length === 1);
  t.same(seqsOf(broker), [[1, 1]], 'another boot cannot be corrected any more');
  t.equal(forwarder.status().heldMs, 900_000);
  await broker.until(({ states }) => states.length >= 3);
  t.equal(broker.acked.length, 1, 'held');
  clockState.corrections = [{ boot: clockState.boot, offsetMs: 1_767_225_600_000 }];
  clockState.unsynced = false;
  await eventually(() => buffer.chunks.length === 0);
  t.same(broker.acked[1]?.corrections, clockState.corrections, 'the correction came with it');
  t.equal(forwarder.status().heldMs, 0);
});

t.test('a clock that never becomes right: its readings go when the time is up', async (t) => {
  const { broker, buffer, clock, clockState, start } = await makeRig(t);
  buffer.unsynced = true;
  buffer.monoMs = clock.mono;
  clockState.unsynced = true;
  await buffer.add(2);
  start();
  await broker.until(({ states }) => states.length === 1);
  t.equal(broker.batches.length, 0);
  clock.mono += 900_000;
  await eventually(() => buffer.chunks.length === 0);
  t.same(broker.acked[0]?.corrections, []);
});

t.test('ends cleanly: what waits, then the last state, then DISCONNECT', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  const forwarder = start();
  await broker.until(({ states }) => states.length === 1);
  for (let i = 0; i < 50; i++) await buffer.add(100);
  await forwarder.close({ graceMs: 60_000, lastState: true });
  t.equal(buffer.chunks.length, 0, 'all delivered first');
  t.match(broker.states.at(-1), { online: false, cleanEnd: true, lastSeq: 5_000 });
  await broker.until(({ open }) => open.size === 0);
  t.same(broker.wills, [], 'no will');
  t.equal(forwarder.status().connection, 'stopped');
  await buffer.add(1);
  await forwarder.close({ graceMs: 5_000, lastState: true });
});

t.test('ends in time even if nothing is acknowledged', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  await buffer.add(10);
  broker.onPublish = () => 'hold';
  const forwarder = start();
  await broker.until(({ batches }) => batches.length === 1);
  await forwarder.close({ graceMs: 300, lastState: true });
  t.equal(buffer.chunks.length, 1, 'kept for the next start');
  t.equal(forwarder.status().inFlightBatches, 0);
  await broker.until(({ open }) => open.size === 0);
});

t.test('killed: the broker publishes the will', async (t) => {
  const { broker, start } = await makeRig(t);
  start();
  await broker.until(({ states }) => states.length === 1);
  broker.cutAll();
  await broker.until(({ wills }) => wills.length === 1);
  t.match(broker.wills[0], { online: false, cleanEnd: false, gateway: 'gw1' });
});

t.test('the state goes out again and again, one at a time', async (t) => {
  const { broker, start } = await makeRig(t);
  broker.onPublish = () => 'hold';
  const stateIntervalMs = 20;
  start({ stateIntervalMs });
  await broker.until(({ states }) => states.length === 1);
  // Timers of one process fire in order: the forwarder's have by then, however slow the machine is.
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, stateIntervalMs));
  t.equal(broker.states.length, 1, 'no second one before the PUBACK');
  broker.onPublish = () => 'ack';
  broker.release();
  await broker.until(({ states }) => states.length >= 3);
});

t.test('a port where nobody listens yet', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  await broker.close();
  const forwarder = start();
  await eventually(() => forwarder.status().connectFailuresTotal >= 3);
  t.equal(forwarder.status().lastError?.code, 'AGENT_COLLECTOR_UNREACHABLE');
  t.match(forwarder.status().lastError?.message, /ECONNREFUSED/);
  const revived = await startTestBroker(broker.port);
  t.teardown(() => revived.close());
  await buffer.add(1);
  await eventually(() => buffer.chunks.length === 0);
});

t.test('a buffer that announces more than it can give does not make it spin', async (t) => {
  const { broker, buffer, start } = await makeRig(t);
  let asked = 0;
  buffer.waitForMore = async () => {
    asked++;
  };
  start({ stateIntervalMs: 100 });
  await broker.until(({ states }) => states.length >= 6);
  t.ok(asked >= 1 && asked <= 20, `asked ${asked} times`);
  await buffer.add(3);
  await eventually(() => buffer.chunks.length === 0);
});

t.test('a real buffer: delivered, deleted, and kept over an outage', async (t) => {
  const { broker, start } = await makeRig(t);
  const folder = t.testdir({});
  const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const boot = '00000000000000b1';
  const buffer = openBuffer({
    path: join(folder, 'buffer.sqlite'),
    commitIntervalMs: 0,
    maxBytes: 1e8,
    maxAgeMs: 1e9,
    minFreeBytes: 0,
    clock: { wallMs: Date.now, monoMs: () => performance.now() },
    clockState: () => ({ boot, unsynced: false, lastStepMs: 0, stepsTotal: 0, corrections: [] }),
    log: quiet,
  });
  let next = 0;
  const append = (count: number): Promise<void> =>
    buffer.append(
      Array.from({ length: count }, () => ({
        device: 'D01',
        channel: 'sensor1',
        timeMs: 1_767_225_600_000 + next,
        value: next++,
        quality: 0,
      })),
      [],
    );
  const forwarder = start({}, buffer);
  await append(10);
  await eventually(() => buffer.stats().readings === 0);
  broker.onPublish = (leaf) => (leaf === 'batch' ? 'cut' : 'ack');
  for (let i = 0; i < 200; i++) await append(50);
  t.equal(buffer.stats().readings, 10_000);
  const before = broker.acked.length;
  broker.onPublish = () => 'ack';
  await eventually(() => buffer.stats().readings === 0);
  t.ok(broker.acked.length - before <= 20, 'joined into large batches');
  await forwarder.close({ graceMs: 60_000, lastState: true });
  await buffer.close();
  const values: number[] = [];
  for (const batch of broker.acked) {
    for (const frame of batch.chunks) {
      t.ok(frameCrcOk(batch.epoch, frame));
      const decoded = decodeChunk(frame);
      if (decoded.ok) values.push(...decoded.value.numbers);
    }
  }
  t.same(
    [...new Set(values)].sort((a, b) => a - b),
    Array.from({ length: next }, (_, i) => i),
    'every reading, and nothing else',
  );
});

/** A certificate of its own for 127.0.0.1; undefined where openssl is missing. */
function makeCertificate(folder: string): { key: Buffer; cert: Buffer } | undefined {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const rest = [
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=test',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
  ];
  const made = spawnSync('openssl', [...args, ...rest, '-keyout', key, '-out', cert]);
  return made.status === 0 ? { key: readFileSync(key), cert: readFileSync(cert) } : undefined;
}

t.test('mqtts: delivers to the authority that it trusts, and to no other', async (t) => {
  const made = makeCertificate(t.testdir({ other: {} }));
  if (made === undefined) {
    t.pass('a certificate', { skip: 'no openssl to make one with' });
    return;
  }
  const trusted = await makeRig(t, { ...made, ca: made.cert.toString() });
  await trusted.buffer.add(3);
  trusted.start();
  await eventually(() => trusted.buffer.chunks.length === 0);
  t.equal(trusted.broker.acked.length, 1);
  const doubted = await makeRig(t, { ...made, ca: undefined });
  await doubted.buffer.add(3);
  const forwarder = doubted.start();
  await eventually(() => forwarder.status().connectFailuresTotal >= 2);
  t.match(forwarder.status().lastError?.message, /AGENT_COLLECTOR_UNKNOWN: .*SELF_SIGNED/);
  t.same(doubted.broker.credentials, [], 'and tells it no token');
});
