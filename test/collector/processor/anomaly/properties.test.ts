/** What holds for all readings. */

import fc from 'fast-check';
import t from 'tap';
import type { Row } from '../../../support/detection.ts';
import {
  columnsOf,
  only,
  plainRows,
  rowsOf,
  START_MS,
  Watched,
} from '../../../support/detection.ts';

const everything = (): Watched =>
  new Watched([
    {
      a: { detection: { off: [], low: 0, high: 100, hysteresis: 1 }, ratePerSecondMax: 10 },
      b: { min: -1e6, max: 1e6, stuckAfterMs: 60_000 },
      c: {},
      isFail: { type: 'boolean' },
    },
    {
      ...only('failure', 'limits', 'rate', 'stuck', 'novelty', 'drift', 'device'),
      failure: { channel: 'isFail', when: 1 },
    },
  ]);

/** Rows with faults in them, some read twice or not at all, some after pauses. */
const faulty = fc
  .array(
    fc.record({
      rows: fc.integer({ min: 1, max: 60 }),
      add: fc.constantFrom(0, 0, 0, 12, -40, 1e4),
      still: fc.boolean(),
      fails: fc.constantFrom(false, false, true),
      pauseMs: fc.constantFrom(10_000, 10_000, 10_000, 3_600_000),
      leaveOut: fc.constantFrom('', '', 'b', 'c'),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts): Row[] => {
    const plain = plainRows(1_000);
    const rows = rowsOf(plain.slice(0, 500));
    let timeMs = rows.at(-1)!.timeMs;
    let next = 500;
    for (const { rows: count, add, still, fails, pauseMs, leaveOut } of parts)
      for (let i = 0; i < count; i++) {
        timeMs += i === 0 ? pauseMs : 10_000;
        const values: Row['values'] = {
          ...plain[next % 1_000]!,
          a: Number(plain[still ? 500 : next % 1_000]!.a) + add,
          isFail: fails,
        };
        if (leaveOut !== '') delete values[leaveOut];
        next++;
        rows.push({ timeMs, values });
      }
    return rows;
  });

t.test('a restart anywhere, and other chunks, change no score and no anomaly', async (t) => {
  fc.assert(
    fc.property(
      faulty,
      fc.integer({ min: 0, max: 700 }),
      fc.integer({ min: 1, max: 90 }),
      (rows, cut, chunkRows) => {
        const one = everything();
        one.feed(rows, { chunkRows: 64 });
        const two = everything();
        two.feed(rows.slice(0, cut), { chunkRows });
        two.restart();
        two.feed(rows.slice(cut), { chunkRows });
        t.same(two.scores, one.scores);
        t.same(two.changes, one.changes);
        t.same(two.detection.encode(), one.detection.encode());
      },
    ),
    { numRuns: 15, seed: 5 },
  );
});

t.test('of each device: onset, bounded peaks, end, one after the other', async (t) => {
  fc.assert(
    fc.property(faulty, (rows) => {
      const device = everything();
      device.feed(rows);
      let open: number | undefined;
      let peaks = 0;
      for (const { phase, onsetMs, endMs, score, reason } of device.changes) {
        if (phase === 'onset') {
          t.equal(open, undefined);
          open = onsetMs;
          peaks = 0;
        } else t.equal(open, onsetMs);
        if (phase === 'peak') peaks++;
        if (phase === 'end') {
          t.ok(endMs >= onsetMs);
          open = undefined;
        } else t.equal(endMs, 0);
        t.ok(peaks <= 8 && score >= 0.5 && score <= 1);
        t.match(reason.en, /since 20/);
      }
    }),
    { numRuns: 15, seed: 5 },
  );
});

const wild = fc.oneof(
  fc.double(),
  fc.constantFrom(0, -0, 1e308, -1e308, 5e-324, Number.NaN, Infinity, -Infinity, 1e99, -1e99),
);
const wildTime = fc.oneof(
  fc.integer({ min: START_MS, max: START_MS + 1e8 }),
  fc.double(),
  fc.constantFrom(0, -0, -1, 8.64e15, -8.64e15, 1e308, Number.NaN, Infinity, -Infinity),
);

t.test('any numbers and times: never throws, and the state stays finite', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(wildTime, wild, wild), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      (given, chunkRows) => {
        const device = everything();
        device.feed(rowsOf(plainRows(450)));
        for (let i = 0; i < given.length; i += chunkRows) {
          const some = given.slice(i, i + chunkRows);
          const columns = columnsOf(some.map(([timeMs, a, b]) => ({ timeMs, values: { a, b } })));
          device.feedUnjudged(columns);
        }
        const bytes = device.detection.encode();
        const slabs = numbersOf(bytes);
        t.ok(slabs.length > 1_000 && slabs.every(Number.isFinite));
        for (const { score } of device.scores) t.ok(score >= 0 && score <= 1);
        device.restart();
      },
    ),
    { numRuns: 60, seed: 7 },
  );
});

/** The slabs in encoded states: see collector/processor/anomaly/devices.ts. */
function numbersOf(bytes: Uint8Array): Float64Array {
  const names = new DataView(bytes.buffer, bytes.byteOffset).getUint32(16, true);
  const from = 32 + 8 * Math.ceil(names / 8);
  return new Float64Array(bytes.slice(from).buffer);
}

t.test('late chunks in any order: scores of those in their turn stay the same', async (t) => {
  const plain = plainRows(700);
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5]), (order) => {
      const [one, two] = [everything(), everything()];
      const early = rowsOf(plain.slice(0, 600));
      one.feed(early);
      two.feed(early);
      for (const place of order)
        two.feed(
          rowsOf([{ a: 1e3, b: -1e3, c: 0 }], {
            startMs: START_MS + 3_000 + (place * 7_200_000) / 10,
          }),
          { seq: 1 + place },
        );
      const rest = rowsOf(plain.slice(600), { startMs: START_MS + 6_000_000 });
      const [before, after] = [one.scores.length, two.scores.length];
      one.feed(rest);
      two.feed(rest);
      t.same(two.scores.slice(after), one.scores.slice(before));
    }),
    { numRuns: 20, seed: 3 },
  );
});
