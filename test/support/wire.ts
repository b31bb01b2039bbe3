/** Chunks and batches for tests, and arbitrary readings for properties. */

import fc from 'fast-check';
import { ChunkBuilder, readingAt } from '../../proto/chunk.ts';
import { chunkCrc } from '../../proto/crc32c.ts';
import { decodeChunk } from '../../proto/decode.ts';
import type { EncodedChunk } from '../../proto/encode.ts';
import { TIME_MS_MAX, TIME_MS_MIN } from '../../proto/limits.ts';
import type {
  BatchHeader,
  ChunkClock,
  ChunkColumns,
  ChunkFrame,
  Gap,
  GatewayState,
  Reading,
  Reject,
} from '../../proto/model.ts';
import { GapReason, NO_EPOCH, Quality, RejectReason } from '../../proto/model.ts';

/** Records as the codec makes them: with Object's prototype, so that deepEqual compares only fields. */
function plainRecord<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

export const EPOCH = '00112233445566ff';
export const T0 = Date.UTC(2026, 0, 1);
export const CLOCK: ChunkClock = {
  boot: 'ffeeddccbbaa0099',
  wallMs: T0,
  monoMs: 123_456,
  unsynced: false,
};

export function frameOf(chunk: EncodedChunk, firstSeq = 1, epoch = EPOCH): ChunkFrame {
  const { bytes, count, firstMs, lastMs } = chunk;
  const header = { firstSeq, count, firstMs, lastMs };
  return { ...header, crc32c: chunkCrc(epoch, header, bytes), bytes };
}

/** Adds everything, sealing whenever the builder is full, as the buffer does. */
export function sealAll(
  readings: readonly Reading[],
  rejects: readonly Reject[] = [],
  firstSeq = 1,
): ChunkFrame[] {
  const builder = new ChunkBuilder();
  const frames: ChunkFrame[] = [];
  let seq = firstSeq;
  const seal = (): void => {
    const frame = frameOf(builder.seal(CLOCK), seq);
    frames.push(frame);
    seq += frame.count;
  };
  for (const reading of readings) {
    if (builder.addReading(reading)) continue;
    seal();
    if (!builder.addReading(reading)) throw new Error('an empty builder refused a reading');
  }
  for (const reject of rejects) {
    if (builder.addReject(reject)) continue;
    seal();
    if (!builder.addReject(reject)) throw new Error('an empty builder refused a reject');
  }
  if (builder.count > 0) seal();
  return frames;
}

export function open(frame: ChunkFrame): ChunkColumns {
  const chunk = decodeChunk(frame);
  if (!chunk.ok) throw chunk.error;
  return chunk.value;
}

/** In seq order. */
export function allReadings(columns: ChunkColumns): Reading[] {
  return columns.series.flatMap((series) =>
    Array.from({ length: series.count }, (_, i) => readingAt(columns, series, i)),
  );
}

export function headerOf(lastSeq: number, more: Partial<BatchHeader> = {}): BatchHeader {
  return {
    site: 'demo',
    gateway: 'gw1',
    epoch: EPOCH,
    predecessorEpoch: NO_EPOCH,
    predecessorLastSeq: 0,
    lastSeq,
    sentMs: T0 + 5,
    installId: '0123456789abcdef',
    corrections: [],
    gaps: [],
    ...more,
  };
}

export function reading(
  channel: string,
  value: Reading['value'],
  more: Partial<Reading> = {},
): Reading {
  return { device: 'D01', channel, timeMs: T0, value, quality: Quality.GOOD, ...more };
}

const decimal = fc
  .tuple(fc.integer({ min: -2_000_000, max: 2_000_000 }), fc.integer({ min: 0, max: 9 }))
  .map(([n, k]) => n / 10 ** k);

const extremes = [
  -0, 1e308, -1e308, 5e-324, -5e-324, 2 ** 31, -(2 ** 31), 2 ** 53, 2 ** 53 + 2, 1e21, 0.1 + 0.2,
  Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2_147_483_647, -2_147_483_648,
]; // biome-ignore format: a table

export const anyNumber = fc.oneof(
  { weight: 4, arbitrary: decimal },
  { weight: 2, arbitrary: fc.integer() },
  { weight: 1, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.constantFrom(...extremes) },
);

const anyValue = fc.oneof(
  { weight: 6, arbitrary: anyNumber },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) },
  { weight: 1, arbitrary: fc.constant(null) },
);

const anyName = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('D01', 'D02', 'sensor1', '온도', 'motor 1') },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 60 }) },
  { weight: 1, arbitrary: fc.constantFrom('', '\0', '\ud800', 'x'.repeat(129), '가'.repeat(43)) },
);

const anyTime = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 86_400_000 }).map((ms) => T0 + ms) },
  { weight: 1, arbitrary: fc.constantFrom(0, -1, 0.4, T0 + 0.5, Number.NaN, 1e300, -1e300) },
  { weight: 1, arbitrary: fc.double() },
);

const anyQuality = fc.oneof(
  { weight: 6, arbitrary: fc.constant(Quality.GOOD) },
  { weight: 2, arbitrary: fc.constantFrom(...Object.values(Quality)) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
);

export const anyReading: fc.Arbitrary<Reading> = plainRecord({
  device: anyName,
  channel: anyName,
  timeMs: anyTime,
  value: anyValue,
  quality: anyQuality,
});

export const anyReject: fc.Arbitrary<Reject> = plainRecord({
  timeMs: anyTime,
  device: anyName,
  reason: fc.constantFrom(...Object.values(RejectReason)),
  detail: fc.string({ maxLength: 400 }),
  head: fc.uint8Array({ maxLength: 1200 }),
});

/** A reading as text that tells -0 from 0 and NaN from null. */
export function shown(r: Reading): string {
  const value = Object.is(r.value, -0) ? '-0' : String(r.value);
  return `${r.device}|${r.channel}|${r.timeMs}|${typeof r.value}|${value}|${r.quality}`;
}

const safeSeq = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 10_000 });
const hex64 = fc
  .bigInt({ min: 0n, max: 2n ** 64n - 1n })
  .map((n) => n.toString(16).padStart(16, '0'));
const wireTime = fc.integer({ min: TIME_MS_MIN, max: TIME_MS_MAX });

export const anyGap: fc.Arbitrary<Gap> = fc
  .tuple(
    hex64,
    safeSeq,
    fc.nat(5_000),
    wireTime,
    wireTime,
    fc.constantFrom(...Object.values(GapReason)),
  )
  .map(([epoch, firstSeq, more, firstMs, lastMs, reason]) => ({
    epoch,
    firstSeq,
    lastSeq: firstSeq + more,
    firstMs,
    lastMs,
    reason,
  }));

export const anyHeader: fc.Arbitrary<BatchHeader> = plainRecord({
  site: fc.constantFrom('demo', '공장', 'a.b_c-d'),
  gateway: fc.constantFrom('gw1', 'x'.repeat(128)),
  epoch: hex64,
  predecessorEpoch: hex64,
  predecessorLastSeq: fc.nat(),
  lastSeq: safeSeq,
  sentMs: wireTime,
  installId: fc.constantFrom('', '0123456789abcdef'),
  corrections: fc.array(plainRecord({ boot: hex64, offsetMs: wireTime }), { maxLength: 3 }),
  gaps: fc.array(anyGap, { maxLength: 5 }),
});

export const anyState: fc.Arbitrary<GatewayState> = plainRecord({
  site: fc.constantFrom('demo', '공장'),
  gateway: fc.constantFrom('gw1', 'gw-2'),
  installId: fc.constantFrom('', '0123456789abcdef'),
  online: fc.boolean(),
  cleanEnd: fc.boolean(),
  version: fc.constantFrom('', '0.1.0'),
  epoch: hex64,
  lastSeq: fc.maxSafeNat(),
  sentMs: wireTime,
  startedMs: wireTime,
  bufferReadings: fc.maxSafeNat(),
  bufferBytes: fc.maxSafeNat(),
  bufferSecondsUntilEviction: fc.double({ noNaN: true, noDefaultInfinity: true }),
  clockUnsynced: fc.boolean(),
  clockStepMs: fc.double({ noNaN: true, noDefaultInfinity: true }),
  readers: fc.array(
    plainRecord({
      device: fc.constantFrom('D01', '온도'),
      reader: fc.constantFrom('http', 'modbus'),
      status: fc.constantFrom('ok', 'failing', 'open', 'stopped'),
      lastGoodMs: wireTime,
      errorsTotal: fc.maxSafeNat(),
      lastError: fc.string({ unit: 'grapheme', maxLength: 40 }),
    }),
    { maxLength: 4 },
  ),
  gaps: fc.array(anyGap, { maxLength: 3 }),
});
