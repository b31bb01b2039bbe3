import fc from 'fast-check';
import t from 'tap';
import { planGaps } from '../../../agent/buffer/gaps.ts';
import { SeqRanges } from '../../../agent/buffer/ranges.ts';
import type { DeclaredGap } from '../../../agent/types.ts';
import type { Gap } from '../../../proto/model.ts';
import { GapReason } from '../../../proto/model.ts';

const A = 'aaaaaaaaaaaaaaaa';
const B = 'bbbbbbbbbbbbbbbb';

function gap(
  firstSeq: number,
  lastSeq: number,
  epoch = A,
  reason: Gap['reason'] = GapReason.CORRUPT,
): Gap {
  return { epoch, firstSeq, lastSeq, firstMs: firstSeq, lastMs: lastSeq, reason };
}

t.test('what touches becomes one row, under a new id', async (t) => {
  const first = planGaps([], new Set(), [gap(1, 10)], 1);
  t.match(first.added, [{ id: 1, firstSeq: 1, lastSeq: 10 }]);
  const second = planGaps(first.rows, new Set(), [gap(11, 20)], first.nextId);
  t.match(second.rows, [{ id: 2, firstSeq: 1, lastSeq: 20, firstMs: 1, lastMs: 20 }]);
  t.same(second.removed, [1]);
  const others = [gap(22, 30), gap(21, 25, B), gap(21, 21, A, GapReason.EVICTED_AGE)];
  const third = planGaps(second.rows, new Set(), others, second.nextId);
  t.equal(third.rows.length, 4, 'not over a hole, another epoch or another reason');
  t.same(third.removed, []);
});

t.test('acknowledged rows go, and nothing joins them any more', async (t) => {
  const { rows } = planGaps([], new Set(), [gap(1, 10)], 1);
  const plan = planGaps(rows, new Set([1]), [gap(11, 20)], 2);
  t.match(plan.rows, [{ id: 2, firstSeq: 11 }]);
  t.same(plan.removed, [1]);
});

t.test('the rows are bounded', async (t) => {
  const apart = Array.from({ length: 50 }, (_, i) => gap(i * 10 + 1, i * 10 + 2 + (i % 3)));
  const plan = planGaps([], new Set(), apart, 1, 10);
  t.equal(plan.rows.length, 10);
  t.equal(plan.dropped, 0);
  for (const { firstSeq, lastSeq } of apart) {
    t.ok(plan.rows.some((row) => row.firstSeq <= firstSeq && lastSeq <= row.lastSeq));
  }
  const epochs = Array.from({ length: 12 }, (_, i) => gap(1, 2, i.toString(16).padStart(16, '0')));
  const dropping = planGaps([], new Set(), epochs, 1, 10);
  t.equal(dropping.rows.length, 10);
  t.equal(dropping.dropped, 2);
  t.equal(dropping.rows[0]?.epoch, '0000000000000002', 'the oldest are given up');
});

const someGap = fc
  .record({
    epoch: fc.constantFrom(A, B),
    firstSeq: fc.integer({ min: 1, max: 60 }),
    length: fc.integer({ min: 0, max: 9 }),
    reason: fc.constantFrom(GapReason.CORRUPT, GapReason.EVICTED_BYTES),
  })
  .map(({ epoch, firstSeq, length, reason }) => gap(firstSeq, firstSeq + length, epoch, reason));

t.test('whatever is added stays covered; the plan turns the old rows into the new', async () => {
  fc.assert(
    fc.property(fc.array(fc.array(someGap, { maxLength: 6 }), { maxLength: 8 }), (steps) => {
      let rows: DeclaredGap[] = [];
      let table = new Map<number, DeclaredGap>();
      let nextId = 1;
      for (const additions of steps) {
        const plan = planGaps(rows, new Set(), additions, nextId, 6);
        for (const id of plan.removed) table.delete(id);
        for (const row of plan.added) {
          if (row.id < nextId || table.has(row.id)) throw new Error('an id twice');
          table.set(row.id, row);
        }
        ({ rows, nextId } = plan);
        if (rows.length > 6 || plan.dropped > 0) throw new Error('not bounded');
        const covers = (g: Gap): boolean =>
          rows.some(
            (r) => r.epoch === g.epoch && r.firstSeq <= g.firstSeq && g.lastSeq <= r.lastSeq,
          );
        if (!additions.every(covers)) throw new Error('lost a gap');
        table = new Map([...table].filter(([, row]) => rows.includes(row)));
        if (table.size !== rows.length) throw new Error('table and rows differ');
      }
    }),
  );
});

t.test('ranges: what is missing is what was not added', async () => {
  const range = fc.tuple(fc.integer({ min: 1, max: 80 }), fc.integer({ min: 0, max: 9 }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 30 }), (parts) => {
      const ranges = new SeqRanges();
      const model = new Set<number>();
      for (const [first, length] of parts) {
        const seqs = Array.from({ length: length + 1 }, (_, i) => first + i);
        const free = !seqs.some((seq) => model.has(seq));
        if (ranges.add(first, first + length) !== free) throw new Error('overlap misjudged');
        if (free) for (const seq of seqs) model.add(seq);
      }
      const missing = new Set<number>();
      for (const [from, to] of ranges.missing(1, 100, 1000)) {
        for (let seq = from; seq <= to; seq++) missing.add(seq);
      }
      for (let seq = 1; seq <= 100; seq++) {
        if (missing.has(seq) === model.has(seq)) throw new Error(`seq ${seq}`);
      }
      const few = ranges.missing(1, 100, 2);
      if (few.length > 2) throw new Error('not bounded');
      for (const seq of missing) {
        if (!few.some(([from, to]) => from <= seq && seq <= to)) throw new Error('lost in joining');
      }
    }),
  );
});
