/** Moments tell sets of seqs apart, and cost nothing for a range. */

import fc from 'fast-check';
import t from 'tap';
import {
  added,
  momentsFrom,
  momentsOf,
  momentsWithin,
  noSeqs,
  same,
} from '../../../collector/ledger/moments.ts';

function oneByOne(seqs: readonly number[]) {
  return seqs.reduce((sum, seq) => added(sum, momentsOf(seq, seq)), noSeqs());
}

const wrap = (n: bigint) => BigInt.asUintN(64, n);

t.test('a range is the sum of its seqs, however large', async (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 50 }),
      fc.integer({ min: 0, max: 50 }),
      (from, more) => {
        const seqs = Array.from({ length: more + 1 }, (_, i) => from + i);
        return same(momentsOf(from, from + more), oneByOne(seqs));
      },
    ),
  );
  t.ok(same(momentsOf(5, 4), noSeqs()));
  const [seq] = [2n ** 40n + 1n];
  t.same(momentsOf(Number(seq), Number(seq)).s3, wrap(seq * seq * seq), 'modulo 2^64');
});

t.test('ranges within a window', async (t) => {
  t.ok(same(momentsWithin([1, 10, 20, 30], 8, 22), oneByOne([8, 9, 10, 20, 21, 22])));
  t.ok(same(momentsWithin([1, 10], 11, 20), noSeqs()));
});

t.test('another set has other moments', async (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 100 }),
      fc.integer({ min: 0, max: 99 }),
      fc.integer({ min: 1, max: 500 }),
      (seqs, index, other) => {
        const lost = seqs[index % seqs.length]!;
        fc.pre(lost !== other);
        // One lost, and another, that is there already or not, once more.
        const changed = [...seqs.filter((seq) => seq !== lost), other];
        return !same(oneByOne(seqs), oneByOne(changed));
      },
    ),
  );
  // Same count, sum and squares: the third power tells.
  t.notOk(same(oneByOne([1, 5, 6]), oneByOne([2, 3, 7])));
});

t.test('as the store answers them', async (t) => {
  const row = { n: 2, s1: '18446744073709551615', s2: '5', s3: '9' };
  t.same(momentsFrom(row), { count: 2, s1: 2n ** 64n - 1n, s2: 5n, s3: 9n });
});
