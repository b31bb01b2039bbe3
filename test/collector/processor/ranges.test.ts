import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { SeqRanges } from '../../../collector/processor/ranges.ts';

const SEQ_MAX = 60;

const step = fc.record({
  what: fc.constantFrom('add', 'remove'),
  from: fc.integer({ min: 1, max: SEQ_MAX }),
  length: fc.integer({ min: 1, max: 12 }),
});

function seqsOf(intervals: readonly { from: number; to: number }[]): number[] {
  return intervals.flatMap(({ from, to }) =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i),
  );
}

t.test('behaves like a set of numbers', async () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let ranges = new SeqRanges();
      const model = new Set<number>();
      for (const { what, from, length } of steps) {
        const to = from + length - 1;
        const before = model.size;
        for (let seq = from; seq <= to; seq++) {
          if (what === 'add') model.add(seq);
          else model.delete(seq);
        }
        const changed = what === 'add' ? ranges.add(from, to) : ranges.remove(from, to);
        assert.equal(changed, Math.abs(model.size - before));
        ranges = new SeqRanges(ranges.ends);
        assert.equal(ranges.size, model.size);
        assert.equal(ranges.last, Math.max(0, ...model));
        const all = Array.from({ length: SEQ_MAX + 12 }, (_, i) => i + 1);
        assert.deepEqual(
          seqsOf(ranges.missing(1, SEQ_MAX + 12)),
          all.filter((seq) => !model.has(seq)),
        );
        assert.deepEqual(
          seqsOf(ranges.covered(from, to + 3)),
          all.filter((seq) => model.has(seq) && seq >= from && seq <= to + 3),
        );
        const { ends } = ranges;
        for (let i = 2; i < ends.length; i += 2)
          assert.ok(ends[i]! > ends[i - 1]! + 1, 'disjoint and not adjacent');
      }
    }),
    { numRuns: 150 },
  );
});

t.test('finds the smallest interval and the smallest hole', async (t) => {
  const ranges = new SeqRanges([4, 9, 11, 12, 20, 29]);
  t.same(ranges.smallest(), { from: 11, to: 12 });
  t.same(ranges.smallestHole(), { from: 10, to: 10 });
  t.equal(new SeqRanges().smallest(), undefined);
  t.equal(new SeqRanges([1, 5]).smallestHole(), undefined);
});

t.test('stays exact at the largest seqs', async (t) => {
  const top = Number.MAX_SAFE_INTEGER;
  const ranges = new SeqRanges();
  t.equal(ranges.add(1, top - 1), top - 1);
  t.same(ranges.missing(1, top), [{ from: top, to: top }]);
});
