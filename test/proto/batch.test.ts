import assert from 'node:assert/strict';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import t from 'tap';
import {
  decodeBatch,
  decodeEnvelope,
  encodeBatch,
  encodeEnvelope,
  frameCrcOk,
} from '../../proto/batch.ts';
import type { WireErrorCode } from '../../proto/errors.ts';
import {
  BATCH_BYTES_MAX,
  CHUNKS_PER_BATCH_MAX,
  CORRECTIONS_PER_BATCH_MAX,
  GAPS_PER_BATCH_MAX,
  PAYLOAD_BYTES_MAX,
} from '../../proto/limits.ts';
import type { ChunkFrame } from '../../proto/model.ts';
import { GapReason } from '../../proto/model.ts';
import { decodeState, encodeState } from '../../proto/state.ts';
import {
  allReadings,
  anyHeader,
  anyReading,
  anyState,
  EPOCH,
  headerOf,
  open,
  reading,
  sealAll,
  shown,
  T0,
} from '../support/wire.ts';

function refusal(payload: Uint8Array): WireErrorCode | 'none' {
  const decoded = decodeBatch(payload);
  return decoded.ok ? 'none' : decoded.error.code;
}

/** An Envelope written field by field. */
function envelope(version: number, codec: number, payload: Uint8Array): Uint8Array {
  const writer = protobuf.Writer.create();
  return writer
    .uint32(8)
    .uint32(version)
    .uint32(16)
    .uint32(codec)
    .uint32(26)
    .bytes(payload)
    .finish();
}

t.test('any batch comes back, compressed or not', async (t) => {
  fc.assert(
    fc.property(
      anyHeader,
      fc.array(anyReading, { maxLength: 60 }),
      fc.constantFrom<('zstd' | 'none')[]>('zstd', 'none'),
      (header, readings, codec) => {
        const frames = sealAll(readings);
        const decoded = decodeBatch(encodeBatch(header, frames, codec));
        if (!decoded.ok) throw decoded.error;
        const { chunks, ...rest } = decoded.value;
        assert.deepEqual(rest, header);
        assert.deepEqual(chunks.map(plain), frames.map(plain));
        const before = frames.flatMap((frame) => allReadings(open(frame)));
        const after = chunks.flatMap((frame) => allReadings(open(frame)));
        assert.deepEqual(after.map(shown), before.map(shown));
      },
    ),
    { numRuns: 200 },
  );
  t.pass('for all');
});

function plain(frame: ChunkFrame): object {
  return { ...frame, bytes: Buffer.from(frame.bytes).toString('hex') };
}

t.test('any state comes back', async (t) => {
  fc.assert(
    fc.property(anyState, (state) => {
      const decoded = decodeState(encodeState(state));
      if (!decoded.ok) throw decoded.error;
      assert.deepEqual(decoded.value, state);
    }),
    { numRuns: 300 },
  );
  t.pass('for all');
});

t.test('an oversized state is cut, not refused', async (t) => {
  const [state] = fc.sample(anyState, { numRuns: 1, seed: 1 });
  const gap = { epoch: EPOCH, firstMs: 0, lastMs: 0, reason: GapReason.CORRUPT };
  const reader = { device: 'D'.repeat(300), reader: 'http', status: 'ok' as const, lastGoodMs: 0 };
  const decoded = decodeState(
    encodeState({
      ...state!,
      version: 'v'.repeat(1_000),
      bufferBytes: -1.5,
      readers: Array.from({ length: 2_000 }, () => ({
        ...reader,
        errorsTotal: Number.NaN,
        lastError: 'é'.repeat(9_999),
      })),
      gaps: Array.from({ length: 1_000 }, (_, i) => ({ ...gap, firstSeq: i + 1, lastSeq: i + 1 })),
    }),
  );
  if (!decoded.ok) throw decoded.error;
  t.equal(decoded.value.readers.length, 1_024);
  t.equal(decoded.value.gaps.length, GAPS_PER_BATCH_MAX);
  t.equal(decoded.value.gaps.at(-1)!.lastSeq, 1_000, 'the newest gaps are kept');
  t.equal(decoded.value.bufferBytes, 0);
});

t.test('the CRC tells a damaged frame', async (t) => {
  const [frame] = sealAll([reading('a', 1), reading('b', 'text')]);
  t.ok(frameCrcOk(EPOCH, frame!));
  t.notOk(frameCrcOk('00112233445566fe', frame!), 'another epoch');
  t.notOk(frameCrcOk(EPOCH, { ...frame!, firstSeq: 2 }));
  let told = 0;
  for (let bit = 0; bit < frame!.bytes.length * 8; bit++) {
    const bytes = Buffer.from(frame!.bytes);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    if (!frameCrcOk(EPOCH, { ...frame!, bytes })) told++;
  }
  t.equal(told, frame!.bytes.length * 8, 'every flipped bit');
});

t.test('the encoder refuses what no decoder would take', async (t) => {
  const [frame] = sealAll([reading('a', 1)]);
  const many = <T>(item: T, n: number): T[] => new Array<T>(n).fill(item);
  const gap = {
    epoch: EPOCH,
    firstSeq: 1,
    lastSeq: 1,
    firstMs: 0,
    lastMs: 0,
    reason: GapReason.CORRUPT,
  };
  const tooLarge = { code: 'WIRE_TOO_LARGE' };
  t.throws(() => encodeBatch(headerOf(1), many(frame!, CHUNKS_PER_BATCH_MAX + 1)), tooLarge);
  t.throws(
    () => encodeBatch(headerOf(1, { gaps: many(gap, GAPS_PER_BATCH_MAX + 1) }), []),
    tooLarge,
  );
  const corrections = many({ boot: EPOCH, offsetMs: 1 }, CORRECTIONS_PER_BATCH_MAX + 1);
  t.throws(() => encodeBatch(headerOf(1, { corrections }), []), tooLarge);
  t.equal(refusal(encodeBatch(headerOf(1), many(frame!, CHUNKS_PER_BATCH_MAX))), 'none');
});

t.test('refusals have the right code', async (t) => {
  const good = encodeBatch(headerOf(1), sealAll([reading('a', 1)]), 'none');
  const inner = (message: Uint8Array): Uint8Array => encodeEnvelope(message, 'none');
  const batchWith = (more: object): Uint8Array =>
    encodeBatch({ ...headerOf(1), ...more }, [], 'none');
  const frameWith = (more: object): Uint8Array => {
    const [frame] = sealAll([reading('a', 1)]);
    return encodeBatch(headerOf(1), [{ ...frame!, ...more }], 'none');
  };
  t.equal(refusal(good), 'none');
  t.equal(refusal(new Uint8Array(0)), 'WIRE_VERSION', 'empty');
  t.equal(refusal(envelope(2, 0, new Uint8Array(0))), 'WIRE_VERSION');
  t.equal(refusal(envelope(1, 2, new Uint8Array(0))), 'WIRE_CODEC');
  t.equal(refusal(envelope(1, 1, Buffer.from('not zstd'))), 'WIRE_CODEC');
  t.equal(refusal(envelope(1, 1, new Uint8Array(0))), 'WIRE_CODEC');
  t.equal(refusal(good.subarray(0, good.length - 3)), 'WIRE_MALFORMED');
  t.equal(refusal(Buffer.from('{"json": true}')), 'WIRE_MALFORMED');
  t.equal(refusal(new Uint8Array(PAYLOAD_BYTES_MAX + 1)), 'WIRE_TOO_LARGE');
  t.equal(refusal(inner(Buffer.from([0x0a, 0x01, 0xff]))), 'WIRE_MALFORMED', 'a name beyond UTF-8');
  t.equal(refusal(inner(Buffer.from([0x08, 0x01]))), 'WIRE_MALFORMED', 'a number for a name');
  t.equal(refusal(batchWith({ site: '' })), 'WIRE_INCONSISTENT');
  t.equal(refusal(batchWith({ gateway: 'a/b' })), 'WIRE_INCONSISTENT');
  t.equal(refusal(batchWith({ gateway: 'x'.repeat(129) })), 'WIRE_TOO_LARGE');
  t.equal(refusal(batchWith({ lastSeq: 2 ** 53 })), 'WIRE_INCONSISTENT');
  t.equal(refusal(batchWith({ lastSeq: -1 })), 'WIRE_INCONSISTENT');
  t.equal(refusal(frameWith({ firstSeq: 0 })), 'WIRE_INCONSISTENT');
  t.equal(refusal(frameWith({ firstSeq: Number.MAX_SAFE_INTEGER })), 'WIRE_INCONSISTENT');
  t.equal(refusal(frameWith({ count: 0 })), 'WIRE_INCONSISTENT');
  t.equal(refusal(frameWith({ count: 8_193 })), 'WIRE_TOO_LARGE');
  t.equal(refusal(frameWith({ firstMs: T0 + 1 })), 'WIRE_INCONSISTENT');
});

t.test('bombs stop at the limit without the memory they ask for', async (t) => {
  const zeros = (bytes: number, params = {}): Uint8Array =>
    envelope(1, 1, zstdCompressSync(Buffer.alloc(bytes), { params }));
  const bomb = zeros(300 * 2 ** 20);
  t.ok(bomb.length < 20_000);
  t.equal(refusal(bomb), 'WIRE_TOO_LARGE', 'warms up');
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 20; i++) assert.equal(refusal(bomb), 'WIRE_TOO_LARGE');
  const grownBytes = process.memoryUsage().rss - before;
  t.ok(grownBytes < 150 * 2 ** 20, `${grownBytes} bytes for twenty bombs of 300 MiB`);
  t.equal(refusal(zeros(BATCH_BYTES_MAX + 1)), 'WIRE_TOO_LARGE');
  // A frame that states a window of 64 MiB and holds almost nothing: magic, descriptor, window 2^26, last block.
  const wide = Buffer.from('28b52ffd0080010000', 'hex');
  t.equal(refusal(envelope(1, 1, wide)), 'WIRE_CODEC');
  const params = { [constants.ZSTD_c_windowLog]: 23 };
  const message = encodeBatch(headerOf(1), [], 'none').subarray(4);
  t.equal(refusal(envelope(1, 1, zstdCompressSync(message, { params }))), 'none');
});

t.test('records inside the collector may be larger', async (t) => {
  const payload = encodeBatch(headerOf(1), manyFrames(), 'none');
  t.ok(payload.length > PAYLOAD_BYTES_MAX);
  t.equal(refusal(payload), 'WIRE_TOO_LARGE');
  const limits = { payloadBytesMax: 2 ** 26, batchBytesMax: 2 ** 26 };
  t.ok(decodeBatch(payload, limits).ok);
  const zipped = encodeBatch(headerOf(1), manyFrames());
  t.ok(decodeBatch(zipped, limits).ok, 'with a window to match');
});

function manyFrames(): ChunkFrame[] {
  const texts = Array.from({ length: 3_000 }, (_, i) => reading('t', `${i}`.padEnd(4_000, 'é')));
  return sealAll(texts);
}

t.test('fields of later versions are skipped', async (t) => {
  const good = encodeBatch(headerOf(1), sealAll([reading('a', 1)]), 'none');
  const unknown = protobuf.Writer.create();
  unknown
    .uint32((90 << 3) | 0)
    .uint32(7)
    .uint32((91 << 3) | 2)
    .string('later');
  unknown
    .uint32((92 << 3) | 1)
    .double(1)
    .uint32((93 << 3) | 5)
    .float(1);
  const tail = unknown.finish();
  t.ok(decodeBatch(Buffer.concat([good, tail])).ok, 'in the envelope');
  const message = Buffer.concat([decodeEnvelope(good), tail]);
  t.ok(decodeBatch(encodeEnvelope(message, 'zstd')).ok, 'in the batch');
  const [frame] = sealAll([reading('a', 1)]);
  t.same(allReadings(open({ ...frame!, bytes: Buffer.concat([frame!.bytes, tail]) })), [
    reading('a', 1),
  ]);
});
