/**
 * Decoders take any bytes: a value or a WireError, never another throw. FMS_FUZZ_SEED repeats a run,
 * FMS_FUZZ_RUNS lengthens it.
 */

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import t from 'tap';
import { decodeBatch, decodeEnvelope, encodeBatch, encodeEnvelope } from '../../proto/batch.ts';
import { decodeCommand, encodeAcked } from '../../proto/command.ts';
import { decodeChunk } from '../../proto/decode.ts';
import { encodeColumns } from '../../proto/encode.ts';
import type { Decoded } from '../../proto/errors.ts';
import { WireError } from '../../proto/errors.ts';
import { READINGS_PER_CHUNK_MAX } from '../../proto/limits.ts';
import type { ChunkFrame } from '../../proto/model.ts';
import { decodeState, encodeState } from '../../proto/state.ts';
import { Random } from '../../simulators/random.ts';
import {
  allReadings,
  anyHeader,
  anyReading,
  anyReject,
  anyState,
  frameOf,
  open,
  sealAll,
  shown,
} from '../support/wire.ts';

const seed = Number(process.env.FMS_FUZZ_SEED ?? randomInt(2 ** 31));
const runs = Number(process.env.FMS_FUZZ_RUNS ?? 4_000);
const random = new Random(seed, 'fuzz');
t.comment(`FMS_FUZZ_SEED=${seed} FMS_FUZZ_RUNS=${runs}`);

/** The outcome is one of the two; anything else fails with the bytes that did it. */
function check<T>(bytes: Uint8Array, decode: (bytes: Uint8Array) => Decoded<T>): T | undefined {
  let outcome: Decoded<T>;
  try {
    outcome = decode(bytes);
  } catch (error) {
    throw new Error(`seed ${seed}: threw on ${Buffer.from(bytes).toString('base64')}`, {
      cause: error,
    });
  }
  if (outcome.ok) return outcome.value;
  assert.ok(outcome.error instanceof WireError);
  return undefined;
}

/** What a chunk's decoder accepts, the encoder writes again without loss. */
function checkChunk(frame: ChunkFrame): boolean {
  const columns = check(frame.bytes, (bytes) => decodeChunk({ ...frame, bytes }));
  if (columns === undefined) return false;
  assert.ok(columns.timesMs.length <= READINGS_PER_CHUNK_MAX);
  const again = encodeColumns(columns, 0, columns.timesMs.length + columns.rejects.length);
  const reopened = again.map((part) => open(frameOf(part)));
  assert.deepEqual(reopened.flatMap(allReadings).map(shown), allReadings(columns).map(shown));
  assert.equal(reopened.flatMap((c) => c.rejects).length, columns.rejects.length);
  return true;
}

function checkBatch(bytes: Uint8Array): boolean {
  const batch = check(bytes, (b) => decodeBatch(b));
  for (const frame of batch?.chunks ?? []) checkChunk(frame);
  return batch !== undefined;
}

/** One to four small damages: flips, overwritten, removed, repeated and moved bytes, cut ends. */
function mutated(bytes: Uint8Array): Uint8Array {
  let out = Buffer.from(bytes);
  for (let n = 1 + random.int(4); n > 0 && out.length > 0; n--) {
    const at = random.int(out.length);
    const length = Math.min(1 + random.int(8), out.length - at);
    switch (random.int(7)) {
      case 0:
        out[at]! ^= 1 << random.int(8);
        break;
      case 1:
        out[at] = random.pick([0, 1, 0x7f, 0x80, 0xff]);
        break;
      case 2:
        out = Buffer.concat([out.subarray(0, at), out.subarray(at + length)]);
        break;
      case 3:
        out = Buffer.concat([out.subarray(0, at + length), out.subarray(at)]);
        break;
      case 4:
        out = Buffer.concat([out.subarray(0, at), random.bytes(length), out.subarray(at)]);
        break;
      case 5:
        out.fill(0xff, at, at + length);
        break;
      default:
        out = out.subarray(0, at);
    }
  }
  return out;
}

const samples = fc.sample(
  fc.tuple(
    anyHeader,
    fc.array(anyReading, { minLength: 1, maxLength: 40, size: 'max' }),
    fc.array(anyReject, { maxLength: 2 }),
  ),
  { numRuns: 40, seed },
);

t.test('random bytes', async (t) => {
  for (let i = 0; i < runs; i++) {
    const bytes = random.bytes(random.int(300));
    checkBatch(bytes);
    checkBatch(encodeEnvelope(bytes, 'none'));
    check(bytes, decodeState);
    check(encodeEnvelope(bytes, 'none'), decodeState);
    check(bytes, decodeCommand);
    check(encodeEnvelope(bytes, 'none'), decodeCommand);
    checkChunk({
      firstSeq: 1,
      count: 1 + random.int(3),
      firstMs: 0,
      lastMs: 1e12,
      crc32c: 0,
      bytes,
    });
  }
  t.pass(`${runs} inputs`);
});

t.test('damaged batches, compressed and not, and damaged chunks', async (t) => {
  let accepted = 0;
  for (let i = 0; i < runs; i++) {
    const [header, readings, rejects] = samples[i % samples.length]!;
    const frames = sealAll(readings, rejects);
    const payload = encodeBatch(header, frames, 'none');
    if (checkBatch(mutated(payload))) accepted++;
    checkBatch(encodeEnvelope(mutated(decodeEnvelope(payload)), 'none'));
    if (i % 8 === 0) checkBatch(mutated(encodeBatch(header, frames)));
    const frame = random.pick(frames);
    if (checkChunk({ ...frame, bytes: mutated(frame.bytes) })) accepted++;
  }
  t.ok(accepted > 0 && accepted < runs * 2, `${accepted} of ${runs * 2} still readable`);
});

t.test('every truncation', async (t) => {
  const [header, readings, rejects] = samples[0]!;
  const [frame] = sealAll(readings, rejects);
  const payload = encodeBatch(header, [frame!], 'none');
  const zipped = encodeBatch(header, [frame!]);
  for (let n = 0; n < payload.length; n++) assert.ok(!checkBatch(payload.subarray(0, n)));
  for (let n = 0; n < zipped.length; n++) assert.ok(!checkBatch(zipped.subarray(0, n)));
  for (let n = 0; n < frame!.bytes.length; n++) {
    checkChunk({ ...frame!, bytes: frame!.bytes.subarray(0, n) });
  }
  t.pass('no head of a batch is a batch');
});

t.test('damaged states', async (t) => {
  const states = fc.sample(anyState, { numRuns: 20, seed });
  for (let i = 0; i < runs; i++)
    check(mutated(encodeState(states[i % states.length]!)), decodeState);
  t.pass(`${runs} inputs`);
});

t.test('damaged commands', async (t) => {
  const digests = Array.from({ length: 5 }, () => random.bytes(16).toString('hex'));
  const whole = encodeAcked(digests);
  assert.deepEqual(check(whole, decodeCommand), { acked: digests });
  for (let i = 0; i < runs; i++) {
    const command = check(mutated(whole), decodeCommand);
    for (const digest of command?.acked ?? []) assert.match(digest, /^[0-9a-f]{32}$/);
  }
  t.pass(`${runs} inputs`);
});

t.test('commands beyond the limits', async (t) => {
  const code = (bytes: Uint8Array): string => {
    const result = decodeCommand(bytes);
    return result.ok ? 'ok' : result.error.code;
  };
  const digest = 'ab'.repeat(16);
  const most = encodeAcked(new Array<string>(1_024).fill(digest));
  t.equal(code(most), 'ok');
  t.throws(() => encodeAcked(new Array<string>(1_025).fill(digest)), { code: 'WIRE_TOO_LARGE' });
  // Two Acked of one command are one message to protobuf: the limit holds for both together.
  const inside = decodeEnvelope(most);
  const twice = encodeEnvelope(Buffer.concat([inside, inside]), 'none');
  t.equal(code(twice), 'WIRE_TOO_LARGE');
  t.equal(code(encodeEnvelope(new Uint8Array(70_000), 'none')), 'WIRE_TOO_LARGE');
  t.equal(code(encodeAcked(['ab'])), 'WIRE_INCONSISTENT', 'a short digest');
  t.equal(code(encodeEnvelope(Uint8Array.of(0x12, 0), 'none')), 'ok', 'a command of the future');
});

t.test('groups, nested deep', async (t) => {
  const deep = Buffer.alloc(500_000, (15 << 3) | 3);
  assert.ok(!checkBatch(deep));
  assert.ok(!checkBatch(encodeEnvelope(deep, 'zstd')));
  check(deep, decodeState);
  check(deep, decodeCommand);
  t.pass('no stack overflow');
});

/** A chunk written field by field: packed columns by number. */
function chunkOf(fields: Record<number, number[]>, names = ['d', 'c']): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const name of names) writer.uint32((6 << 3) | 2).string(name);
  for (const [field, values] of Object.entries(fields)) {
    writer.uint32((Number(field) << 3) | 2).fork();
    for (const value of values) {
      if (field === '12' || field === '13') writer.sint32(value);
      else if (field === '14') writer.double(value);
      else writer.uint32(value);
    }
    writer.ldelim();
  }
  return writer.finish();
}

t.test('columns that contradict each other', async (t) => {
  const good = { 7: [0], 8: [1], 9: [0], 10: [2], 11: [0], 12: [0, 5], 13: [1, 1] };
  const code = (fields: Record<number, number[]>, names?: string[], count = 2): string => {
    const bytes = chunkOf(fields, names);
    const result = decodeChunk({ firstSeq: 1, count, firstMs: 0, lastMs: 10, crc32c: 0, bytes });
    return result.ok ? 'ok' : result.error.code;
  };
  t.equal(code(good), 'ok');
  const cases: [string, Record<number, number[]>][] = [
    ['a device beyond the names', { ...good, 7: [2] }],
    ['a channel beyond the names', { ...good, 8: [4_000_000_000] }],
    ['an unknown kind', { ...good, 9: [10] }],
    ['a series without readings', { ...good, 10: [0] }],
    ['columns of different length', { ...good, 11: [0, 0] }],
    ['times of no series before', { ...good, 11: [1], 12: [] }],
    ['a mark that is neither 0 nor 1', { ...good, 11: [2] }],
    ['too few times', { ...good, 12: [0] }],
    ['too many times', { ...good, 12: [0, 5, 5] }],
    ['too few values', { ...good, 13: [1] }],
    ['too many values', { ...good, 13: [1, 1, 1] }],
    ['doubles of no series', { ...good, 14: [1] }],
    ['a boolean of 2', { ...good, 9: [18] }],
    ['a quality of no reading', { ...good, 16: [3, 0] }],
    ['a quality for less than all', { ...good, 16: [1, 2] }],
    ['half a run', { ...good, 16: [2, 0, 1] }],
    ['a quality beyond an octet', { ...good, 16: [2, 256] }],
    ['a run of none', { ...good, 16: [0, 0, 2, 0] }],
    ['a time beyond the frame', { ...good, 12: [0, 11] }],
    ['a time before the frame', { ...good, 12: [-1, 5] }],
  ];
  for (const [what, fields] of cases) t.equal(code(fields), 'WIRE_INCONSISTENT', what);
  t.equal(code(good, ['d', 'c'], 3), 'WIRE_INCONSISTENT', 'another count than the frame');
  t.equal(code({ ...good, 10: [4_294_967_295] }), 'WIRE_TOO_LARGE');
  t.equal(code({ ...good, 10: [8_193] }), 'WIRE_TOO_LARGE');
  t.equal(code(good, ['d', 'c', 'x'.repeat(129)]), 'WIRE_TOO_LARGE');
  t.equal(
    code(
      good,
      Array.from({ length: 8_193 }, () => 'n'),
    ),
    'WIRE_TOO_LARGE',
  );
  const many = new Array<number>(4_097).fill(0);
  t.equal(code({ ...good, 7: many }), 'WIRE_TOO_LARGE');
});
