import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Treatment } from '../../../collector/findings.ts';
import type { Annotation } from '../../../collector/processor/outputs/readings.ts';
import type { ReadingColumns } from '../../../collector/store/columns.ts';
import { BUCKET_MS } from '../../../collector/store/columns.ts';
import { ReadingBlock } from '../../../collector/store/reading_block.ts';
import { newestOf, rowsOf } from '../../../collector/store/reading_rows.ts';
import type { ReadingRow } from '../../../collector/store/store.ts';
import type { ChunkColumns } from '../../../proto/model.ts';
import { hasValue, SeriesKind } from '../../../proto/model.ts';
import { anyReading, open, sealAll } from '../../support/wire.ts';

const PLACE = {
  site: 'demo',
  gateway: 'gw1',
  epoch: '00112233445566ff',
  receivedMs: 1_000,
  logPartition: 3,
  logOffset: 9,
};

/** What the block must hold of a chunk, made the plain way. */
function expected(
  columns: ChunkColumns,
  firstSeq: number,
  annotations: readonly Annotation[],
): ReadingRow[] {
  const rows: ReadingRow[] = [];
  for (const { device, channel, kind, start, count } of columns.series) {
    for (let i = start; i < start + count; i++) {
      const quality = columns.qualities[i]!;
      const isText = kind === SeriesKind.TEXT;
      const seq = firstSeq + i;
      const row: ReadingRow = {
        ...PLACE,
        device,
        channel,
        timeMs: columns.timesMs[i]!,
        value: hasValue(quality) && !isText ? columns.numbers[i]! : null,
        text: hasValue(quality) && isText ? (columns.texts.get(i) ?? '') : null,
        quality,
        seq,
        rawValue: null,
        findings: 0,
        treatment: 0,
      };
      const said = annotations.find((a) => seq >= a.firstSeq && seq < a.firstSeq + a.count);
      if (said !== undefined) {
        row.findings = said.findings;
        row.treatment = said.treatment;
        if (said.treatment >= Treatment.CLIPPED) {
          row.rawValue = row.value;
          row.value = said.values?.[seq - said.firstSeq] ?? null;
        }
      }
      rows.push(row);
    }
  }
  return rows;
}

/** Runs over seqs 1 to 200, ascending, apart from each other by gaps. */
const anyAnnotations: fc.Arbitrary<Annotation[]> = fc
  .array(
    fc.record({
      gap: fc.nat(6),
      count: fc.integer({ min: 1, max: 9 }),
      findings: fc.nat(0xffff),
      treatment: fc.constantFrom(...Object.values(Treatment)),
    }),
    { maxLength: 8 },
  )
  .map((parts) => {
    let next = 1;
    return parts.map(({ gap, count, findings, treatment }) => {
      const firstSeq = next + gap;
      next = firstSeq + count;
      const isMade = treatment === Treatment.CLIPPED || treatment === Treatment.FILLED;
      const values = isMade ? Float64Array.from({ length: count }, (_, i) => i / 4) : undefined;
      return { firstSeq, count, findings, treatment, values };
    });
  });

function bySeq(rows: Iterable<ReadingRow>): ReadingRow[] {
  return [...rows].sort((a, b) => a.seq - b.seq);
}

function blockOf(chunks: readonly ReturnType<typeof sealAll>[number][], said: Annotation[]) {
  const block = new ReadingBlock();
  const rows: ReadingRow[] = [];
  for (const frame of chunks) {
    const columns = open(frame);
    block.add(PLACE, columns, frame.firstSeq, said);
    rows.push(...expected(columns, frame.firstSeq, said));
  }
  return { block, rows };
}

function inOrder(columns: ReadingColumns): { key: [string, string, number, string, number] }[] {
  const { runs, places, series, timesMs } = columns;
  return [...columns.order()].map((r) => {
    const { device, channel } = series[runs.series[r]!]!;
    const timeMs = timesMs[runs.starts[r]!]!;
    const { site } = places[runs.places[r]!]!;
    return { key: [site, device, Math.trunc(timeMs / BUCKET_MS), channel, timeMs] };
  });
}

t.test('columns hold what the chunks and the rules said', async () => {
  fc.assert(
    fc.property(
      fc.array(anyReading, { minLength: 1, maxLength: 60 }),
      anyAnnotations,
      (readings, said) => {
        const { block, rows } = blockOf(sealAll(readings), said);
        assert.equal(block.count, rows.length);
        assert.deepEqual(bySeq(rowsOf(block)), bySeq(rows));
        const fromRows = ReadingBlock.ofRows(rows);
        assert.deepEqual(bySeq(rowsOf(fromRows)), bySeq(rows), 'and so do those made of rows');
      },
    ),
    { numRuns: 300 },
  );
});

t.test('runs come in the order of the table, each reading in one', async () => {
  fc.assert(
    fc.property(fc.array(anyReading, { minLength: 1, maxLength: 60 }), (readings) => {
      const { block } = blockOf(sealAll(readings), []);
      assert.equal(new Set(block.order()).size, block.runs.length);
      const keys = inOrder(block).map(({ key }) => key);
      for (const [i, key] of keys.entries()) {
        if (i === 0) continue;
        const at = key.findIndex((part, k) => part !== keys[i - 1]![k]);
        assert.ok(at < 0 || keys[i - 1]![at]! < key[at]!, `${keys[i - 1]} before ${key}`);
      }
    }),
    { numRuns: 200 },
  );
});

t.test('what is there already is left out, the rest stays as it was', async () => {
  fc.assert(
    fc.property(
      fc.array(anyReading, { minLength: 1, maxLength: 40 }),
      anyAnnotations,
      fc.uniqueArray(fc.integer({ min: 1, max: 45 })),
      (readings, said, present) => {
        const { block, rows } = blockOf(sealAll(readings), said);
        const seqs = new Set(present);
        const rest = block.without(new Map([[PLACE.epoch, seqs]]));
        const wanted = rows.filter((row) => !seqs.has(row.seq));
        assert.equal(rest.count, wanted.length);
        assert.deepEqual(bySeq(rowsOf(rest)), bySeq(wanted));
        assert.equal(block.without(new Map([['another', seqs]])).count, rows.length);
        assert.equal(block.without(new Map(), PLACE.receivedMs + 1).count, 0);
      },
    ),
    { numRuns: 200 },
  );
});

t.test('the newest of each channel, the last of equal times', async () => {
  fc.assert(
    fc.property(fc.array(anyReading, { minLength: 1, maxLength: 60 }), (readings) => {
      const { block, rows } = blockOf(sealAll(readings), []);
      const newest = new Map<string, ReadingRow>();
      for (const row of rows) {
        const key = JSON.stringify([row.device, row.channel]);
        if (row.timeMs >= (newest.get(key)?.timeMs ?? Number.NEGATIVE_INFINITY))
          newest.set(key, row);
      }
      const found = newestOf(block);
      assert.equal(found.length, newest.size);
      for (const row of found) {
        const { timeMs, quality } = newest.get(JSON.stringify([row.device, row.channel]))!;
        assert.deepEqual([row.timeMs, row.quality], [timeMs, quality]);
      }
    }),
    { numRuns: 200 },
  );
});
