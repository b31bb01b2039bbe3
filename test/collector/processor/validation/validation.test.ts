/** Random channels in random chunks, cut, reordered, restarted: against a model, and against themselves. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { codesOf, Treatment } from '../../../../collector/findings.ts';
import type { Interval } from '../../../../collector/processor/ranges.ts';
import type { CompiledConfiguration } from '../../../../collector/processor/validation/compile.ts';
import type { Judgement } from '../../../../collector/processor/validation/judgement.ts';
import { GatewayValidation } from '../../../../collector/processor/validation/validation.ts';
import type { Policy } from '../../../../collector/profile.ts';
import type { ChunkColumns, Reading } from '../../../../proto/model.ts';
import { Quality } from '../../../../proto/model.ts';
import { channel, configuration, profile, verdictsOf } from '../../../support/validation.ts';
import { ValidationModel } from '../../../support/validation-model.ts';
import { allReadings, anyReading, open, reading, sealAll, T0 } from '../../../support/wire.ts';

const DAY_MS = 86_400_000;
const RETENTION_MS = 10 * DAY_MS;

const policy = fc.constantFrom<Policy>('keep', 'flag', 'clip', 'fill', 'quarantine');
const anyChannel = fc
  .record({
    min: fc.constantFrom(0, undefined),
    max: fc.constantFrom(100, undefined),
    onRange: policy,
    sentinels: fc.constantFrom([], [-1], [-1, 50]),
    onNull: policy,
    fill: fc.constantFrom({ kind: 'last' } as const, { kind: 'constant', value: 7 } as const),
    ratePerSecondMax: fc.constantFrom(undefined, 3),
    onRate: policy,
    stuckAfterMs: fc.constantFrom(undefined, 2_000),
    onStuck: policy,
    outlierRanges: fc.constantFrom(undefined, 1.5),
    onOutlier: policy,
  })
  .map(channel);
const anyProfile = fc
  .record({
    a: anyChannel,
    b: anyChannel,
    c: anyChannel.map((some) => ({ ...some, type: 'boolean' as const, sentinels: [] })),
    device: fc.record({
      onLate: policy,
      onFuture: policy,
      onSameTime: policy,
      onTimeBackwards: policy,
    }),
  })
  .map(({ a, b, c, device }) => profile({ a, b, c }, device));

const value = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 46, max: 54 }) },
  { weight: 4, arbitrary: fc.constant(50.25) },
  { weight: 1, arbitrary: fc.constantFrom(-1, -0, 0, 100, 101, 1e308, -1e308, 5e-324, -5e-324) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  },
  { weight: 1, arbitrary: fc.constant(null) },
);
/** After the reading before it in the same channel. */
const pauseMs = fc.oneof(
  { weight: 20, arbitrary: fc.constant(1_000) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 1, -1_000, -5_000, 61_000, -40_000, DAY_MS, -DAY_MS * 11),
  },
);
const steps = fc.array(fc.tuple(fc.constantFrom('a', 'a', 'a', 'b', 'c'), pauseMs, value), {
  minLength: 1,
  maxLength: 400,
  size: 'max',
});

interface Chunk {
  columns: ChunkColumns;
  firstSeq: number;
  order: number;
  receivedMs: number;
  fresh: Interval[];
}

/** Readings in the order in which the gateway takes them. */
function readingsOf(list: readonly [string, number, number | null][]): Reading[] {
  const times = new Map<string, number>();
  return list.map(([name, afterMs, given]) => {
    const before = times.get(name) ?? T0;
    // A day ahead or behind is the one reading's fault.
    const timeMs = before + afterMs;
    times.set(name, Math.abs(afterMs) < DAY_MS ? timeMs : before + 1_000);
    const quality = given === null ? Quality.NULL : Quality.GOOD;
    const shown = name === 'c' && given !== null ? given > 50 : given;
    return reading(name, shown, { timeMs, quality });
  });
}

/** Cut after `sizes` readings each, in two epochs, with holes in what is fresh. */
function chunksOf(readings: readonly Reading[], sizes: readonly number[]): Chunk[] {
  const chunks: Chunk[] = [];
  let from = 0;
  let order = 1;
  let seq = 1;
  for (let k = 0; from < readings.length; k++) {
    const size = sizes[k % sizes.length]!;
    const part = readings.slice(from, from + size);
    from += size;
    if (from > readings.length / 2 && order === 1) [order, seq] = [2, 1];
    const newestMs = Math.max(...part.map(({ timeMs }) => timeMs));
    for (const frame of sealAll(part)) {
      const firstSeq = seq;
      const lastSeq = seq + frame.count - 1;
      seq += frame.count;
      const middle = firstSeq + Math.floor(frame.count / 2);
      const fresh =
        frame.count > 6
          ? [
              { from: firstSeq + 1, to: middle },
              { from: middle + 2, to: lastSeq + 3 },
            ]
          : [{ from: firstSeq, to: lastSeq }];
      const receivedMs = Math.min(newestMs, T0 + 400_000) + 500;
      chunks.push({ columns: open(frame), firstSeq, order, receivedMs, fresh });
    }
  }
  return chunks;
}

function arranged(chunks: readonly Chunk[], swaps: readonly number[]): Chunk[] {
  const order = [...chunks];
  for (const swap of swaps) {
    const at = swap % order.length;
    order.push(...order.splice(at, 1));
  }
  return order;
}

function judgeChunk(
  validation: GatewayValidation,
  config: CompiledConfiguration,
  chunk: Chunk,
): Judgement {
  const judgement = validation.judge({ ...chunk, configuration: config });
  checkForm(judgement, chunk);
  return judgement;
}

/** What holds of any judgement. */
function checkForm(judgement: Judgement, { columns, firstSeq, fresh }: Chunk): void {
  const readings = columns.timesMs.length;
  const isFresh = (seq: number): boolean =>
    seq < firstSeq + readings && fresh.some(({ from, to }) => seq >= from && seq <= to);
  let next = 0;
  let before: Judgement['annotations'][number] | undefined;
  const annotated = new Set<number>();
  for (const annotation of judgement.annotations) {
    const { firstSeq: first, count, findings, treatment, values } = annotation;
    assert.ok(count > 0 && first >= next, 'ascending, not overlapping');
    assert.ok(findings > 0 && codesOf(findings).length > 0);
    const mergeable =
      before !== undefined &&
      first === next &&
      before.findings === findings &&
      before.treatment === treatment;
    assert.ok(!mergeable, 'merged');
    const hasValues = treatment === Treatment.CLIPPED || treatment === Treatment.FILLED;
    assert.equal(values?.length, hasValues ? count : undefined);
    assert.ok(values?.every(Number.isFinite) ?? true);
    for (let seq = first; seq < first + count; seq++) {
      assert.ok(isFresh(seq));
      annotated.add(seq);
    }
    next = first + count;
    before = annotation;
  }
  let last = 0;
  for (const { seq, detail } of judgement.quarantined) {
    assert.ok(seq > last && isFresh(seq) && !annotated.has(seq));
    assert.ok(detail.length > 0 && detail.length < 1_000);
    last = seq;
  }
  const counts = judgement.devices.reduce(
    (sum, { count, kept }) => [sum[0]! + count, sum[1]! + kept],
    [0, 0],
  );
  let freshCount = 0;
  for (let i = 0; i < readings; i++) if (isFresh(firstSeq + i)) freshCount++;
  assert.deepEqual(counts, [freshCount, freshCount - judgement.quarantined.length]);
  JSON.stringify(judgement.quarantined);
}

const SIZES = fc.array(fc.integer({ min: 1, max: 40 }), {
  minLength: 1,
  maxLength: 5,
  size: 'max',
});
const SWAPS = fc.array(fc.nat(20), { maxLength: 3 });
const SETTINGS = { retentionMs: RETENTION_MS };

t.test('says what a plain model says', async () => {
  fc.assert(
    fc.property(anyProfile, steps, SIZES, SWAPS, (device, list, sizes, swaps) => {
      const config = configuration({ p: device }, SETTINGS);
      const model = new ValidationModel(config.configuration, device);
      const validation = new GatewayValidation('demo');
      for (const chunk of arranged(chunksOf(readingsOf(list), sizes), swaps)) {
        const judgement = judgeChunk(validation, config, chunk);
        const verdicts = verdictsOf(judgement);
        const reasons = new Map(judgement.quarantined.map(({ seq, reason }) => [seq, reason]));
        allReadings(chunk.columns).forEach((one, i) => {
          const seq = chunk.firstSeq + i;
          if (!chunk.fresh.some(({ from, to }) => seq >= from && seq <= to)) return;
          const expected = model.judge({ ...chunk, reading: one, seq });
          const found = verdicts.get(seq) ?? reasons.get(seq);
          const sorted = (verdict: typeof expected): unknown =>
            typeof verdict === 'object'
              ? { ...verdict, findings: [...verdict.findings].sort() }
              : verdict;
          assert.deepEqual(sorted(found as typeof expected), sorted(expected), `seq ${seq}`);
        });
      }
    }),
    { numRuns: 150 },
  );
});

const anyChunks = fc
  .array(fc.array(anyReading, { minLength: 1, maxLength: 30, size: 'max' }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((lists) => lists.flatMap((list) => chunksOf(list, [list.length])));

t.test('judges alike after a restart at any place', async () => {
  const rules = [
    {
      name: 'r',
      expect: 'a < b || c',
      channels: ['a', 'b', 'c'],
      message: 'm',
      policy: 'flag' as const,
    },
  ];
  fc.assert(
    fc.property(
      anyProfile,
      fc.oneof(
        fc.tuple(steps, SIZES).map(([list, sizes]) => chunksOf(readingsOf(list), sizes)),
        anyChunks,
      ),
      SWAPS,
      fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
      (device, chunks, swaps, restarts) => {
        const config = configuration({ p: { ...device, rules } }, SETTINGS);
        const whole = new GatewayValidation('demo');
        let cut = new GatewayValidation('demo');
        arranged(chunks, swaps).forEach((chunk, k) => {
          if (restarts[k % restarts.length] === true) {
            const decoded = GatewayValidation.decode('demo', cut.encode());
            assert.ok(decoded !== undefined);
            cut = decoded;
          }
          const judgement = judgeChunk(cut, config, chunk);
          assert.deepEqual(judgement, judgeChunk(whole, config, chunk));
        });
        assert.deepEqual(cut.encode(), whole.encode());
      },
    ),
    { numRuns: 100 },
  );
});

t.test('chunks that come behind change nothing for those after', async (t) => {
  let compared = 0;
  fc.assert(
    fc.property(anyProfile, steps, SIZES, fc.nat(), (device, list, sizes, pick) => {
      const config = configuration({ p: device }, SETTINGS);
      const chunks = chunksOf(readingsOf(list), sizes);
      const last = chunks.pop()!;
      const before = chunks.pop();
      const late = chunks[pick % Math.max(1, chunks.length)];
      if (before === undefined || late === undefined) return;
      const first = new GatewayValidation('demo');
      const second = new GatewayValidation('demo');
      const known = new Set<string>();
      for (const chunk of [...chunks.filter((one) => one !== late), before]) {
        const judgement = judgeChunk(first, config, chunk);
        assert.deepEqual(judgeChunk(second, config, chunk), judgement);
        if (chunk !== before) continue;
        for (const name of judgement.devices.flatMap(({ channels }) => channels)) known.add(name);
      }
      // It is behind only where the channel had a newer reading.
      if (late.columns.series.some((series) => !known.has(series.channel))) return;
      compared++;
      judgeChunk(second, config, late);
      assert.deepEqual(judgeChunk(second, config, last), judgeChunk(first, config, last));
    }),
    { numRuns: 100 },
  );
  t.ok(compared > 5, `${compared} cases`);
});

t.test('takes any readings of any names', async () => {
  const names = [
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '',
    '\0',
    '*',
    'x'.repeat(128),
  ];
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          anyReading,
          fc.constantFrom(undefined, ...names),
          fc.constantFrom(undefined, ...names),
        ),
        { minLength: 1, maxLength: 60, size: 'max' },
      ),
      fc.boolean(),
      (given, profiled) => {
        const list = given.map(([one, device, name]) => ({
          ...one,
          device: device ?? one.device,
          channel: name ?? one.channel,
        }));
        const channels = JSON.parse(
          '{"__proto__":{"min":0,"onRange":"clip","onNull":"fill"},"a":{}}',
        );
        const config = configuration(profiled ? { p: profile(channels) } : {}, SETTINGS);
        const validation = new GatewayValidation('demo');
        for (const chunk of chunksOf(list, [25])) judgeChunk(validation, config, chunk);
        const decoded = GatewayValidation.decode('demo', validation.encode());
        assert.deepEqual(decoded?.encode(), validation.encode());
      },
    ),
    { numRuns: 150 },
  );
});

t.test('damaged state: refused or taken, never a crash', async (t) => {
  const config = configuration({ p: profile({ a: { outlierRanges: 3 }, b: {} }) });
  const validation = new GatewayValidation('demo');
  const list = Array.from({ length: 60 }, (_, i) => reading(i % 2 === 0 ? 'a' : 'b', i));
  const chunks = chunksOf(list, [10]);
  for (const chunk of chunks) judgeChunk(validation, config, chunk);
  const good = validation.encode();
  t.equal(GatewayValidation.decode('demo', new Uint8Array()), undefined);
  t.equal(GatewayValidation.decode('demo', good.subarray(0, -1)), undefined);
  t.equal(GatewayValidation.decode('demo', Uint8Array.of(99, ...good.subarray(1))), undefined);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      (changes) => {
        const bytes = good.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        const decoded = GatewayValidation.decode('demo', bytes);
        for (const chunk of decoded === undefined ? [] : chunks)
          judgeChunk(decoded!, config, chunk);
      },
    ),
    { numRuns: 150 },
  );
});
