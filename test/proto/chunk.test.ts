import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { ChunkBuilder } from '../../proto/chunk.ts';
import { decodeChunk } from '../../proto/decode.ts';
import { encodeColumns } from '../../proto/encode.ts';
import {
  CHUNK_BYTES_MAX,
  CHUNK_SPAN_MS_MAX,
  READINGS_PER_CHUNK_MAX,
  REJECT_DETAIL_BYTES,
  REJECT_HEAD_BYTES,
  REJECTS_PER_CHUNK_MAX,
  SERIES_PER_CHUNK_MAX,
  TEXT_BYTES_MAX,
  TIME_MS_MAX,
  TIME_MS_MIN,
} from '../../proto/limits.ts';
import type { Reading, Reject } from '../../proto/model.ts';
import { NO_VALUE_BIT, Quality, SeriesKind } from '../../proto/model.ts';
import { cutUtf8, wireName } from '../../proto/text.ts';
import {
  allReadings,
  anyReading,
  anyReject,
  CLOCK,
  frameOf,
  open,
  reading,
  sealAll,
  shown,
  T0,
} from '../support/wire.ts';

/** What the documentation of ChunkBuilder makes of a reading. */
function documented(r: Reading): Reading {
  let quality = (r.quality & 3) === 3 ? r.quality - 1 : r.quality;
  let value = r.value;
  if (value === null || quality & NO_VALUE_BIT) {
    value = null;
    quality = quality === Quality.GOOD ? Quality.NULL : quality | NO_VALUE_BIT;
  } else if (typeof value === 'number' && !Number.isFinite(value)) {
    const reason = quality >> 2 === 0 ? Quality.NOT_FINITE >> 2 : quality >> 2;
    quality = (reason << 2) | 2;
  } else if (typeof value === 'string' && cutUtf8(value, TEXT_BYTES_MAX) !== value) {
    value = cutUtf8(value, TEXT_BYTES_MAX);
    const reason = quality >> 2 === 0 ? Quality.TRUNCATED >> 2 : quality >> 2;
    quality = (reason << 2) | Math.max(quality & 3, 1);
  }
  const timeMs = Number.isNaN(r.timeMs)
    ? 0
    : Math.round(Math.min(Math.max(r.timeMs, TIME_MS_MIN), TIME_MS_MAX)) + 0;
  return { device: wireName(r.device), channel: wireName(r.channel), timeMs, value, quality };
}

function groups(readings: readonly Reading[]): Map<string, string[]> {
  const map = new Map<string, string[]>();
  for (const r of readings) {
    const key = JSON.stringify([r.device, r.channel]);
    map.set(key, [...(map.get(key) ?? []), shown(r)]);
  }
  return map;
}

t.test('any readings and rejects come back, in the order of their series', async (t) => {
  fc.assert(
    fc.property(
      fc.array(anyReading, { minLength: 1, maxLength: 120, size: 'max' }),
      fc.array(anyReject, { maxLength: 4 }),
      (readings, rejects) => {
        const frames = sealAll(readings, rejects);
        const columns = frames.map(open);
        const back = groups(columns.flatMap(allReadings));
        const expected = groups(readings.map(documented));
        assert.deepEqual([...back.keys()].sort(), [...expected.keys()].sort());
        for (const [key, shownReadings] of expected) {
          const types = new Set(shownReadings.map((line) => line.split('|').at(-3)));
          const ordered = types.size === 1;
          // Mixed types become several series: then only each type's order is kept.
          const [a, b] = [back.get(key)!, shownReadings];
          assert.deepEqual(ordered ? a : a.toSorted(), ordered ? b : b.toSorted());
        }
        const backRejects = columns.flatMap((c) => c.rejects);
        assert.equal(backRejects.length, rejects.length);
        for (const [i, reject] of rejects.entries()) {
          assert.deepEqual(backRejects[i]!.head, reject.head.slice(0, REJECT_HEAD_BYTES));
          assert.equal(backRejects[i]!.detail, cutUtf8(reject.detail, REJECT_DETAIL_BYTES));
          assert.equal(backRejects[i]!.reason, reject.reason);
        }
        let seq = 1;
        for (const frame of frames) {
          assert.equal(frame.firstSeq, seq);
          seq += frame.count;
        }
        assert.equal(seq - 1, readings.length + rejects.length);
      },
    ),
    { numRuns: 300 },
  );
  t.pass('for all');
});

t.test('slices of columns hold exactly their readings', async (t) => {
  fc.assert(
    fc.property(
      fc.array(anyReading, { minLength: 2, maxLength: 60, size: 'max' }),
      fc.array(anyReject, { maxLength: 3 }),
      fc.nat(),
      fc.nat(),
      (readings, rejects, a, b) => {
        for (const frame of sealAll(readings, rejects)) {
          const columns = open(frame);
          const from = a % frame.count;
          const to = from + 1 + (b % (frame.count - from));
          const parts = encodeColumns(columns, from, to);
          const reopened = parts.map((part) => open(frameOf(part)));
          const n = columns.timesMs.length;
          assert.deepEqual(
            reopened.flatMap(allReadings).map(shown),
            allReadings(columns).slice(from, to).map(shown),
          );
          assert.deepEqual(
            reopened.flatMap((c) => c.rejects),
            columns.rejects.slice(Math.max(0, from - n), Math.max(0, to - n)),
          );
          assert.equal(
            parts.reduce((sum, part) => sum + part.count, 0),
            to - from,
          );
          for (const c of reopened) assert.deepEqual(c.clock, columns.clock);
        }
      },
    ),
    { numRuns: 300 },
  );
  t.pass('for all');
});

t.test('a slice that grows beyond the chunk limit becomes several chunks', async (t) => {
  // Scaled integers far from 0, a byte a delta: after a cut they start beyond int32 and become doubles.
  const builder = new ChunkBuilder();
  const text = 'x'.repeat(TEXT_BYTES_MAX);
  for (let i = 0; i < 100; i++) builder.addReading(reading('t', text, { timeMs: T0 + i }));
  const columns = open(frameOf(builder.seal(CLOCK)));
  // Put together by hand what no builder makes: more text than a chunk may have.
  columns.series[0]!.count = 200;
  columns.timesMs = Float64Array.from({ length: 200 }, (_, i) => T0 + i);
  columns.numbers = new Float64Array(200).fill(Number.NaN);
  columns.qualities = new Uint8Array(200);
  for (let i = 0; i < 200; i++) columns.texts.set(i, text);
  const parts = encodeColumns(columns, 0, 200);
  t.ok(parts.length > 1);
  for (const part of parts) t.ok(part.bytes.length <= CHUNK_BYTES_MAX);
  t.same(
    parts.flatMap((part) => allReadings(open(frameOf(part)))).map(shown),
    allReadings(columns).map(shown),
  );
  t.throws(() => encodeColumns(columns, 5, 5), RangeError);
});

t.test('numbers take the fewest decimals that reproduce them exactly', async (t) => {
  const kindOf = (...values: number[]): number => {
    const [frame] = sealAll(values.map((v, i) => reading('c', v, { timeMs: T0 + i })));
    const columns = open(frame!);
    t.equal(columns.series.length, 1);
    t.same([...columns.numbers].map(String), values.map(String));
    return columns.series[0]!.kind;
  };
  t.equal(kindOf(1, 2, -3), 0);
  t.equal(kindOf(1, 2.5), 1);
  t.equal(kindOf(20.25, 20.5), 2);
  t.equal(kindOf(1.285, 8.115, 0.615), 3);
  t.equal(kindOf(0.000000001, 1), 9);
  t.equal(kindOf(0.0000000001), SeriesKind.DOUBLE);
  t.equal(kindOf(0.1 + 0.2), SeriesKind.DOUBLE);
  t.equal(kindOf(0, -0), SeriesKind.DOUBLE, '-0 is not 0');
  t.equal(kindOf(1, Number.NaN), SeriesKind.DOUBLE);
  t.equal(kindOf(1e308, 5e-324), SeriesKind.DOUBLE);
  t.equal(kindOf(2_147_483_647), 0);
  t.equal(kindOf(2_147_483_648), SeriesKind.DOUBLE);
  t.equal(kindOf(2_147_483_647, 4_294_967_294, 6_442_450_941), 0, 'only the deltas count');
  t.equal(kindOf(2_147_483_647, -2), SeriesKind.DOUBLE);
  t.equal(kindOf(21_474_836.48, 1), SeriesKind.DOUBLE);
});

t.test('nulls follow the type of their channel', async (t) => {
  const [frame] = sealAll([
    reading('a', null),
    reading('a', 1.5),
    reading('a', null),
    reading('b', null),
    reading('b', 'on'),
    reading('c', null),
    reading('d', null),
    reading('d', true),
  ]);
  const columns = open(frame!);
  t.same(
    columns.series.map((s) => [s.channel, s.kind, s.count]),
    [
      ['a', 1, 3],
      ['b', SeriesKind.TEXT, 2],
      ['c', 0, 1],
      ['d', SeriesKind.BOOLEAN, 2],
    ],
  );
  t.same(
    allReadings(columns).map((r) => r.value),
    [null, 1.5, null, null, 'on', null, null, true],
  );
  t.same(
    [...columns.numbers],
    [Number.NaN, 1.5, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN, 1],
  );
});

t.test('series of one row share their times', async (t) => {
  const rows = 100;
  const sizeOf = (channels: number): number => {
    const readings: Reading[] = [];
    for (let i = 0; i < rows; i++)
      for (let c = 0; c < channels; c++)
        readings.push(reading(`c${c}`, 1, { timeMs: T0 + i * 10_000 }));
    return sealAll(readings)[0]!.bytes.length;
  };
  const perChannel = (sizeOf(11) - sizeOf(1)) / 10;
  t.ok(perChannel < rows * 1.2, `${perChannel} bytes: values only, a byte each`);
});

t.test('full builders say so and change nothing', async (t) => {
  const full = (add: (b: ChunkBuilder, i: number) => boolean, max: number): ChunkBuilder => {
    const builder = new ChunkBuilder();
    let i = 0;
    while (add(builder, i)) if (++i > max) throw new Error('beyond the limit');
    const { count } = builder;
    t.equal(add(builder, i), false);
    t.equal(builder.count, count);
    return builder;
  };
  const readings = full((b, i) => b.addReading(reading('c', i)), READINGS_PER_CHUNK_MAX);
  t.equal(readings.count, READINGS_PER_CHUNK_MAX);
  t.notOk(readings.addReject(rejectOf()));
  const series = full((b, i) => b.addReading(reading(`c${i}`, i)), SERIES_PER_CHUNK_MAX);
  t.equal(series.count, SERIES_PER_CHUNK_MAX);
  t.ok(series.addReading(reading('c0', 5)), 'known series go on');
  const rejects = full((b) => b.addReject(rejectOf()), REJECTS_PER_CHUNK_MAX);
  t.equal(rejects.count, REJECTS_PER_CHUNK_MAX);
  const texts = full((b, i) => b.addReading(reading(`c${i}`, 'x'.repeat(1e7))), 200);
  const names = full(
    (b, i) => b.addReading(reading(`${i}`.padEnd(120), i, { device: `d${i}`.padEnd(128) })),
    4096,
  );
  const chunks = [readings, series, rejects, texts, names].map((b) => {
    const { count } = b;
    const chunk = b.seal(CLOCK);
    t.equal(chunk.count, count);
    t.equal(b.count, 0);
    return chunk;
  });
  for (const chunk of chunks) {
    t.ok(chunk.bytes.length <= CHUNK_BYTES_MAX);
    t.ok(decodeChunk(frameOf(chunk)).ok);
  }
  t.ok(chunks[3]!.bytes.length > CHUNK_BYTES_MAX * 0.9, 'texts fill the chunk');
  t.throws(() => readings.seal(CLOCK), RangeError);
});

function rejectOf(): Reject {
  return { timeMs: T0, device: 'D01', reason: 'garbage', detail: 'x', head: new Uint8Array(2000) };
}

t.test('times too far apart end a chunk', async (t) => {
  const builder = new ChunkBuilder();
  t.ok(builder.addReading(reading('c', 1, { timeMs: T0 })));
  t.ok(builder.addReading(reading('d', 1, { timeMs: T0 + CHUNK_SPAN_MS_MAX })));
  t.notOk(builder.addReading(reading('c', 1, { timeMs: T0 - 1 })));
  t.ok(builder.addReading(reading('c', 1, { timeMs: T0 + CHUNK_SPAN_MS_MAX })));
  const chunk = builder.seal(CLOCK);
  t.same([chunk.firstMs, chunk.lastMs], [T0, T0 + CHUNK_SPAN_MS_MAX]);
  t.same(
    allReadings(open(frameOf(chunk))).map((r) => r.timeMs - T0),
    [0, CHUNK_SPAN_MS_MAX, CHUNK_SPAN_MS_MAX],
  );
});

t.test('a builder is used again and again, also by other devices', async (t) => {
  const builder = new ChunkBuilder();
  for (let round = 0; round < 50; round++) {
    const readings = Array.from({ length: 300 }, (_, i) =>
      reading(`c${(i * 7 + round) % 200}`, i / 4, { device: `D${round}` }),
    );
    for (const r of readings) assert.ok(builder.addReading(r));
    const back = allReadings(open(frameOf(builder.seal(CLOCK))));
    t.same(back.map(shown).sort(), readings.map(shown).sort());
  }
});

t.test('the estimate is near the truth', async (t) => {
  const builder = new ChunkBuilder();
  for (let i = 0; i < 1_000; i++)
    builder.addReading(reading(`c${i % 20}`, i / 100, { timeMs: T0 + i }));
  const estimate = builder.bytesEstimate;
  const { bytes } = builder.seal(CLOCK);
  t.ok(
    estimate > bytes.length / 2 && estimate < bytes.length * 2,
    `${estimate} for ${bytes.length}`,
  );
});

t.test('rejects alone make a chunk', async (t) => {
  const rejects = [
    { ...rejectOf(), timeMs: T0 + 5 },
    { ...rejectOf(), timeMs: T0 - 5, device: 'x'.repeat(500), detail: 'd'.repeat(500) },
  ];
  const [frame] = sealAll([], rejects);
  t.same([frame!.count, frame!.firstMs, frame!.lastMs], [2, T0 - 5, T0 + 5]);
  const columns = open(frame!);
  t.equal(columns.timesMs.length, 0);
  t.equal(columns.rejects[1]!.device, wireName('x'.repeat(500)));
  t.equal(columns.rejects[1]!.detail.length, REJECT_DETAIL_BYTES);
  t.equal(columns.rejects[0]!.head.length, REJECT_HEAD_BYTES);
});
