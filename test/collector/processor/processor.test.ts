import type { Test } from 'tap';
import t from 'tap';
import { RECORD_PLAIN_BYTES_MAX } from '../../../collector/processor/limits.ts';
import { Processor } from '../../../collector/processor/processor.ts';
import { RawKind } from '../../../collector/types.ts';
import { encodeBatch } from '../../../proto/batch.ts';
import { ChunkBuilder } from '../../../proto/chunk.ts';
import type { ChunkFrame, Gap, Reading } from '../../../proto/model.ts';
import { GapReason, NO_EPOCH, Quality, RejectReason } from '../../../proto/model.ts';
import type { Said } from '../../support/raw-records.ts';
import { RawRecords, STATE, said } from '../../support/raw-records.ts';
import { CLOCK, EPOCH, frameOf, headerOf, reading, T0 } from '../../support/wire.ts';

const LATER = 'aa00000000000001';

/** A chunk of `count` readings whose values are their seqs. */
function chunk(
  firstSeq: number,
  count: number,
  more: Partial<Reading> = {},
  epoch = EPOCH,
): ChunkFrame {
  const builder = new ChunkBuilder();
  for (let i = 0; i < count; i++) {
    builder.addReading(reading('a', firstSeq + i, { timeMs: T0 + 10 * (firstSeq + i), ...more }));
  }
  return frameOf(builder.seal(CLOCK), firstSeq, epoch);
}

/** Runs everything that was added; each call goes on where the last one ended. New devices: devices.test.ts. */
function runner(raw: RawRecords): () => Said {
  const processor = new Processor(new Map());
  let at = 0;
  return () => {
    const outputs = raw.records.slice(at).flatMap((record) => processor.process(record));
    at = raw.records.length;
    const all = said(outputs);
    all.events = all.events.filter(({ kind }) => kind !== 'device_new');
    return all;
  };
}

function accountOf(raw: RawRecords, epoch = EPOCH) {
  const processor = new Processor(new Map());
  for (const record of raw.records) processor.process(record);
  const account = processor.ledger().find((entry) => entry.epoch === epoch);
  if (account === undefined) throw new Error('no account');
  return account;
}

function seqs(all: Said): number[] {
  return all.readings.map((one) => one.seq);
}

/** t.match lets further elements pass. */
function matchAll(t: Test, found: readonly object[], wanted: readonly object[], name = ''): void {
  t.equal(found.length, wanted.length, `${name}: count`);
  t.match(found, wanted, name);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

t.test('a new batch goes on byte for byte', async (t) => {
  const raw = new RawRecords();
  const chunks = Array.from({ length: 20 }, (_, i) => chunk(1 + 500 * i, 500));
  t.ok(chunks.reduce((sum, { bytes }) => sum + bytes.length, 0) > RECORD_PLAIN_BYTES_MAX);
  const record = raw.batch(chunks);
  const outputs = new Processor(new Map()).process(record);
  const readings = outputs.find((output) => output.topic === 'readings');
  t.same(readings?.record.value.subarray(0, record.value.length), record.value);
});

t.test('a small one goes on uncompressed, with the time of its receipt', async (t) => {
  const raw = new RawRecords();
  const chunks = [chunk(1, 5), chunk(6, 5)];
  const record = raw.batch(chunks);
  const outputs = new Processor(new Map()).process(record);
  const readings = outputs.find((output) => output.topic === 'readings');
  const plain = encodeBatch(headerOf(10), chunks, 'none');
  t.same(readings?.record.value.subarray(0, plain.length), plain);
  t.equal(readings?.record.key, 'demo/gw1');
  const all = said(outputs);
  t.same(seqs(all), range(1, 10));
  t.same(
    all.readings.map((one) => one.value),
    range(1, 10),
  );
  t.ok(all.readings.every((one) => one.receivedMs === T0 && one.epoch === EPOCH));
  matchAll(t, all.ledger, [{ lastSeq: 10, stored: 10, inFlight: 0, balance: 0, openedMs: T0 }]);
});

t.test('what came before is cut out and counted', async (t) => {
  const raw = new RawRecords();
  const run = runner(raw);
  raw.batch([chunk(1, 5)]);
  t.same(seqs(run()), range(1, 5));
  raw.batch([chunk(1, 5)]);
  t.same(seqs(run()), [], 'the same chunk again');
  raw.batch([chunk(3, 6)]);
  const overlap = run();
  t.same(seqs(overlap), range(6, 8), 'an overlapping one');
  t.same(
    overlap.readings.map((one) => one.value),
    range(6, 8),
  );
  raw.batch([chunk(20, 3)]);
  t.same(seqs(run()), range(20, 22), 'out of order');
  raw.batch([chunk(7, 16)]);
  t.same(seqs(run()), range(9, 19), 'around what is there');
  t.match(accountOf(raw), { stored: 22, duplicates: 5 + 3 + 2 + 3, lastSeq: 22, balance: 0 });
});

t.test('rejects go to quarantine under their seqs', async (t) => {
  const raw = new RawRecords();
  const run = runner(raw);
  const builder = new ChunkBuilder();
  builder.addReading(reading('a', 1));
  for (const detail of ['first', 'second']) {
    const head = Buffer.from([0, 255, 1]);
    const reason = RejectReason.GARBAGE;
    builder.addReject({ timeMs: T0 + 7, device: 'D07', reason, detail, head });
  }
  const frame = frameOf(builder.seal(CLOCK));
  raw.batch([frame]);
  const all = run();
  t.same(seqs(all), [1]);
  matchAll(t, all.quarantine, [
    { device: 'D07', reason: 'garbage', detail: 'first', seq: 2, count: 1, timeMs: T0 + 7 },
    { device: 'D07', reason: 'garbage', detail: 'second', seq: 3, count: 1, epoch: EPOCH },
  ]);
  t.same(all.quarantine[0]?.head, Buffer.from([0, 255, 1]));
  raw.batch([frame]);
  t.same(run().quarantine, [], 'but only once');
  t.match(accountOf(raw), { stored: 1, quarantined: 2, duplicates: 3, balance: 0 });
});

t.test('a chunk of rejects alone makes no readings record', async (t) => {
  const raw = new RawRecords();
  const builder = new ChunkBuilder();
  builder.addReject({
    timeMs: T0,
    device: 'D',
    reason: 'garbage',
    detail: '',
    head: Buffer.alloc(0),
  });
  raw.batch([frameOf(builder.seal(CLOCK)), chunk(2, 1)]);
  raw.batch([chunk(2, 1)]);
  const processor = new Processor(new Map());
  const outputs = raw.records.map((record) => processor.process(record));
  t.same(seqs(said(outputs[0]!)), [2]);
  t.equal(
    outputs[1]!.some((output) => output.topic === 'readings'),
    false,
  );
});

t.test('payloads that cannot be read are kept as evidence', async (t) => {
  const raw = new RawRecords();
  const run = runner(raw);
  raw.add(RawKind.BATCH, Buffer.from('not protobuf at all'));
  raw.add(RawKind.STATE, Buffer.from([8, 99]));
  raw.add(RawKind.BATCH, encodeBatch(headerOf(1, { gateway: 'gw2' }), [chunk(1, 1)]));
  raw.add(RawKind.STATE, new RawRecords().state({ site: 'elsewhere' }).value);
  raw.add('of_the_future', Buffer.from('?'));
  raw.batch([chunk(1, 1)], { epoch: NO_EPOCH });
  const all = run();
  t.same(
    all.quarantine.map((entry) => entry.reason),
    [
      'wire_malformed',
      'wire_version',
      'wrong_identity',
      'wrong_identity',
      'unknown_record',
      'no_epoch',
    ],
  );
  t.ok(all.quarantine.every((entry) => entry.count === 0 && entry.gateway === 'gw1'));
  t.same(Buffer.from(all.quarantine[0]!.head).toString(), 'not protobuf at all');
  t.same(all.readings, []);
});

t.test('a damaged chunk counts as quarantined until an intact copy comes', async (t) => {
  const raw = new RawRecords();
  const run = runner(raw);
  const good = chunk(4, 3);
  const bytes = Buffer.from(good.bytes);
  bytes[bytes.length - 1]! ^= 1;
  raw.batch([chunk(1, 3), { ...good, bytes }]);
  const first = run();
  t.same(seqs(first), [1, 2, 3]);
  matchAll(t, first.quarantine, [{ reason: 'wire_crc', seq: 4, count: 3 }]);
  t.match(accountOf(raw), { stored: 3, quarantined: 3, inFlight: 0, balance: 0 });
  raw.batch([{ ...good, bytes }]);
  matchAll(t, run().quarantine, [{ reason: 'wire_crc', count: 0 }], 'again: evidence only');
  raw.batch([good]);
  const second = run();
  t.same(seqs(second), [4, 5, 6]);
  matchAll(t, second.events, [{ kind: 'damage_repaired', detail: { readings: 3 } }]);
  t.match(accountOf(raw), { stored: 6, quarantined: 0, inFlight: 0, balance: 0 });
});

t.test('a damaged header cannot claim seqs beyond what was announced', async (t) => {
  const raw = new RawRecords();
  const frame = { ...chunk(1, 3), firstSeq: 1_000_000 };
  raw.batch([frame], { lastSeq: 3 });
  t.match(accountOf(raw), { lastSeq: 3, quarantined: 0, inFlight: 3, balance: 0 });
});

t.test('another chunk under known seqs is a conflict', async (t) => {
  const raw = new RawRecords();
  const run = runner(raw);
  raw.batch([chunk(1, 3)]);
  run();
  raw.batch([chunk(1, 3, { device: 'clone' })]);
  const all = run();
  t.same(all.readings, []);
  matchAll(t, all.quarantine, [{ reason: 'identity_conflict', seq: 1, count: 0 }]);
  matchAll(t, all.events, [{ kind: 'chunk_conflict', severity: 'error', detail: { chunks: 1 } }]);
  t.match(accountOf(raw), { stored: 3, quarantined: 0, balance: 0 });
});

t.test('a chunk with a good CRC that cannot be opened is quarantined for good', async (t) => {
  const raw = new RawRecords();
  const run = runner(raw);
  const whole = chunk(1, 3);
  // An intact frame around bytes that are no chunk.
  const bytes = Buffer.from([0xff, 0xff, 0xff]);
  const frame = frameOf({ bytes, count: 3, readings: 3, firstMs: T0, lastMs: T0 });
  raw.batch([frame]);
  matchAll(t, run().quarantine, [{ seq: 1, count: 3 }]);
  raw.batch([whole]);
  const all = run();
  t.same(all.readings, []);
  t.match(accountOf(raw), { stored: 0, quarantined: 3, inFlight: 0, balance: 0 });
});

function gap(firstSeq: number, lastSeq: number, more: Partial<Gap> = {}): Gap {
  const times = { firstMs: 0, lastMs: 0 };
  return { epoch: EPOCH, firstSeq, lastSeq, ...times, reason: GapReason.EVICTED_BYTES, ...more };
}

t.test('declared gaps label only what is missing, and shrink', async (t) => {
  const raw = new RawRecords();
  const run = runner(raw);
  raw.batch([chunk(5, 2)], { lastSeq: 20, gaps: [gap(1, 10)] });
  const first = run();
  matchAll(t, first.events, [{ kind: 'gap', detail: { readings: 8, reason: 'evicted_bytes' } }]);
  t.match(accountOf(raw), { gaps: { evicted_bytes: 8 }, inFlight: 10, stored: 2, balance: 0 });
  raw.batch([], { lastSeq: 20, gaps: [gap(1, 10), gap(9, 12, { reason: GapReason.CORRUPT })] });
  matchAll(t, run().events, [{ kind: 'gap', detail: { readings: 2, reason: 'corrupt' } }]);
  raw.batch([chunk(1, 4)]);
  t.same(seqs(run()), [1, 2, 3, 4], 'a late arrival is stored');
  t.match(accountOf(raw), { gaps: { corrupt: 2, evicted_bytes: 4 }, stored: 6, balance: 0 });
});

t.test('gaps also come with states, and of epochs never heard of', async (t) => {
  const raw = new RawRecords();
  raw.state({ epoch: LATER, lastSeq: 3, gaps: [gap(1, 7)] });
  t.match(accountOf(raw), { lastSeq: 7, gapReadings: 7, inFlight: 0, balance: 0 });
  t.match(accountOf(raw, LATER), { lastSeq: 3, inFlight: 3, balance: 0 });
});

t.test('what a superseded epoch misses is lost on the gateway', async (t) => {
  const raw = new RawRecords();
  const run = runner(raw);
  raw.batch([chunk(1, 4)], { lastSeq: 10 });
  raw.state({ epoch: LATER, lastSeq: 2 });
  raw.tick(60_000);
  t.match(accountOf(raw), { inFlight: 6 }, 'not while no later chunk has come');
  const header = { epoch: LATER, predecessorEpoch: EPOCH, predecessorLastSeq: 12 };
  raw.batch([chunk(1, 2, {}, LATER)], header);
  raw.tick(1_000);
  t.match(accountOf(raw), { lastSeq: 12, inFlight: 8 }, 'nor at once');
  run();
  raw.tick(5_000);
  const all = run();
  matchAll(t, all.events, [{ kind: 'gap', detail: { reason: 'lost_on_gateway', readings: 8 } }]);
  t.match(accountOf(raw), { gaps: { lost_on_gateway: 8 }, inFlight: 0, balance: 0 });
  raw.batch([], { ...header, gaps: [gap(11, 12, { reason: GapReason.CORRUPT })] });
  t.match(
    accountOf(raw).gaps,
    { corrupt: 2, lost_on_gateway: 6 },
    "the gateway's word counts more",
  );
  raw.batch([chunk(5, 3)]);
  t.same(seqs(run()), [5, 6, 7]);
  t.match(accountOf(raw), { gaps: { corrupt: 2, lost_on_gateway: 3 }, stored: 7, balance: 0 });
  raw.tick(120_000);
  raw.batch([chunk(5, 3), chunk(8, 1)]);
  t.same(seqs(run()), [8], 'even long after');
});

t.test('an epoch that was only heard of in a state is lost with its buffer', async (t) => {
  const raw = new RawRecords();
  raw.state({ epoch: EPOCH, lastSeq: 9 });
  raw.state({ epoch: LATER, lastSeq: 1 });
  raw.batch([chunk(1, 1, {}, LATER)], { epoch: LATER });
  raw.tick(10_000);
  t.match(accountOf(raw), { gaps: { lost_on_gateway: 9 }, inFlight: 0 });
});

t.test('times of an unsynced clock are shifted once its correction is known', async (t) => {
  const raw = new RawRecords();
  const run = runner(raw);
  const boot = 'b000000000000001';
  const clock = { boot, wallMs: 5_000, monoMs: 4_000, unsynced: true };
  const unsynced = { timeMs: 4_500, quality: Quality.CLOCK_UNSYNCED };
  const builder = new ChunkBuilder();
  builder.addReading(reading('gateway_timed', 1, unsynced));
  builder.addReading(
    reading('missing', null, { timeMs: 4_500, quality: Quality.CLOCK_UNSYNCED | 2 | 0x80 }),
  );
  builder.addReading(reading('own_time', 2, { timeMs: 4_600 }));
  const frame = frameOf(builder.seal(clock));
  const again = frameOf({ ...frame, readings: 3 }, 4);
  raw.batch([frame]);
  t.same(
    run().readings.map((one) => one.timeMs),
    [4_500, 4_500, 4_600],
    'unknown yet: as it came',
  );
  raw.batch([again], { corrections: [{ boot, offsetMs: T0 - 4_000 }] });
  const corrected = run().readings;
  // wall - mono was 1,000 and should have been T0 - 4,000.
  matchAll(t, corrected, [
    {
      channel: 'gateway_timed',
      timeMs: T0 - 500,
      quality: Quality.CLOCK_CORRECTED,
      seq: 4,
      value: 1,
    },
    { channel: 'missing', timeMs: T0 - 500, value: null },
    { channel: 'own_time', timeMs: 4_600, quality: Quality.GOOD, seq: 6 },
  ]);
  raw.batch([frameOf({ ...frame, readings: 3 }, 7)]);
  t.equal(run().readings[0]?.timeMs, T0 - 500, 'and remembered');
});

t.test('states make gateway rows and events', async (t) => {
  const raw = new RawRecords();
  const run = runner(raw);
  raw.state({ epoch: EPOCH, lastSeq: 4, bufferReadings: 7 });
  const first = run();
  matchAll(t, first.events, [{ kind: 'gateway_online', severity: 'info' }]);
  matchAll(t, first.gateways, [{ online: true, epoch: EPOCH, bufferReadings: 7, updatedMs: T0 }]);
  raw.state({ epoch: EPOCH, lastSeq: 5, clockStepMs: -3_600_000, clockUnsynced: true });
  matchAll(t, run().events, [
    { kind: 'clock_step', detail: { step_ms: -3_600_000 } },
    { kind: 'clock_unsynced' },
  ]);
  raw.state({ epoch: EPOCH, lastSeq: 5, clockStepMs: -3_600_000 });
  matchAll(t, run().events, [{ kind: 'clock_synced' }], 'a step is told once');
  raw.state({ ...STATE, online: false, bufferReadings: 999 }, RawKind.WILL);
  const will = run();
  matchAll(t, will.events, [{ kind: 'gateway_offline', severity: 'warning' }]);
  matchAll(t, will.gateways, [{ online: false, bufferReadings: 0, lastSeq: 5 }], 'a will is stale');
  raw.state({ epoch: EPOCH, lastSeq: 5 });
  run();
  raw.state({ epoch: EPOCH, lastSeq: 5, online: false, cleanEnd: true });
  matchAll(t, run().events, [
    { kind: 'gateway_offline', severity: 'info', detail: { clean_end: true } },
  ]);
});

t.test('intake reports what it refused', async (t) => {
  const raw = new RawRecords();
  const run = runner(raw);
  const conflict = { installId: 'other', holder: 'first', unrecorded: 2 };
  raw.add(RawKind.IDENTITY_CONFLICT, Buffer.from(JSON.stringify(conflict)));
  const oversized = { leaf: 'batch', bytes: 3_000_000, reason: 'too large', head: 'AAEC' };
  raw.add(RawKind.OVERSIZED, Buffer.from(JSON.stringify(oversized)));
  raw.add(RawKind.OVERSIZED, Buffer.from('{'));
  const all = run();
  matchAll(t, all.events, [
    { kind: 'identity_conflict', detail: { install_id: 'other', holder: 'first', unrecorded: 2 } },
    { kind: 'payload_oversized', detail: { bytes: 3_000_000 } },
    { kind: 'payload_oversized' },
  ]);
  t.match(all.quarantine[0], { reason: 'oversized', head: Buffer.from([0, 1, 2]) });
});

t.test('ledger rows follow at most once a second of log time', async (t) => {
  const raw = new RawRecords();
  const run = runner(raw);
  for (let i = 0; i < 30; i++) {
    raw.timeMs += 100;
    raw.batch([chunk(1 + i, 1)]);
  }
  t.equal(run().ledger.length, 3);
  raw.tick();
  matchAll(t, run().ledger, [{ lastSeq: 30, stored: 30, updatedMs: raw.timeMs }]);
  raw.tick();
  raw.tick();
  t.same(run().ledger, [], 'nothing changed');
});
