/** The judge is judged: each kind of damage to a store is found. */

import t from 'tap';
import type { ComparisonInput, StoredReading, TruthRow } from './support/truth-comparison.ts';
import { compareWithTruth } from './support/truth-comparison.ts';

const truth: TruthRow[] = [1, 2, 3].map((index) => ({
  device: 'D01',
  at_ms: index * 1_000,
  time_ms: index * 1_000,
  values: { a: index, isFail: false },
}));

function storeOf(rows: TruthRow[]): StoredReading[] {
  let seq = 0;
  return rows.flatMap((row) =>
    Object.entries(row.values).map(([channel, value]) => {
      seq += 1;
      return {
        device: row.device,
        channel,
        time_ms: row.time_ms ?? 0,
        value: Number(value),
        text: null,
        quality: 0,
        epoch: 'e1',
        seq,
        raw_value: null,
        findings: 0,
        treatment: 0,
      };
    }),
  );
}

function input(over: Partial<ComparisonInput> = {}): ComparisonInput {
  return {
    truth,
    stored: storeOf(truth),
    kills: [],
    uncommittedWindowMs: 500,
    ...over,
  };
}

t.test('equal is equal', async (t) => {
  t.match(compareWithTruth(input()), {
    emitted: 6,
    stored: 6,
    doubled: [],
    invented: [],
    lost: [],
    unread: 0,
  });
});

t.test('a lost reading is found', async (t) => {
  t.same(compareWithTruth(input({ stored: storeOf(truth).slice(1) })).lost, ['D01 a 1000']);
});

t.test('a kill excuses only what was just emitted and not buffered', async (t) => {
  const stored = storeOf(truth).slice(0, 4);
  const excused = compareWithTruth(
    input({ stored, kills: [{ askedMs: 3_100, deadMs: 3_100, buffered: new Set() }] }),
  );
  t.match(excused, { lost: [], unread: 2 });
  const buffered = compareWithTruth(
    input({
      stored,
      kills: [{ askedMs: 3_100, deadMs: 3_100, buffered: new Set(['D01 a 3000']) }],
    }),
  );
  t.same(buffered.lost, ['D01 a 3000']);
  const tooEarly = compareWithTruth(
    input({ stored, kills: [{ askedMs: 9_000, deadMs: 9_000, buffered: new Set() }] }),
  );
  t.equal(tooEarly.lost.length, 2);
});

t.test('doubled readings and seqs are found', async (t) => {
  const rows = storeOf(truth);
  const again = { ...(rows[0] as StoredReading), seq: 99 };
  t.equal(compareWithTruth(input({ stored: [...rows, again] })).doubled.length, 1);
  const sameSeq = { ...(rows[0] as StoredReading), time_ms: 5 };
  t.equal(compareWithTruth(input({ stored: [...rows, sameSeq] })).doubled.length, 1);
});

t.test('changed and invented readings are found', async (t) => {
  const rows = storeOf(truth);
  const [first, ...others] = rows as [StoredReading, ...StoredReading[]];
  t.equal(
    compareWithTruth(input({ stored: [{ ...first, value: 7 }, ...others] })).invented.length,
    1,
  );
  t.equal(
    compareWithTruth(input({ stored: [...rows, { ...first, channel: 'b', seq: 50 }] })).invented
      .length,
    1,
  );
});

t.test('what came counts, not what a rule made of it', async (t) => {
  const [first, ...others] = storeOf(truth) as [StoredReading, ...StoredReading[]];
  const clean = { doubled: [], invented: [], lost: [] };
  const changed = (more: Partial<StoredReading>) =>
    compareWithTruth(input({ stored: [{ ...first, ...more }, ...others] }));
  t.match(changed({ value: 99, raw_value: 1, treatment: 2 }), clean, 'clipped');
  t.match(changed({ value: null, raw_value: 1, treatment: 4 }), clean, 'missing');
  t.equal(changed({ value: 1, raw_value: 99, treatment: 3 }).invented.length, 1, 'another came');
  t.equal(changed({ raw_value: 1, treatment: 1 }).invented.length, 1, 'flagged as it came');
});

t.test('readings in quarantine have arrived', async (t) => {
  const [first, ...stored] = storeOf(truth) as [StoredReading, ...StoredReading[]];
  const { device, channel, epoch, seq } = first;
  const reading = { device, channel, timeMs: 1_000, value: 1, text: null };
  const row = { device, epoch, seq, count: 1, reason: 'rule', reading: JSON.stringify(reading) };
  const clean = { doubled: [], invented: [], lost: [] };
  t.match(compareWithTruth(input({ stored, quarantine: [row] })), { ...clean, quarantined: 1 });
  const both = compareWithTruth(input({ quarantine: [row] }));
  t.ok(both.doubled.length > 0, 'in one place only');
  const releases = [{ epoch, seq }];
  const released = compareWithTruth(input({ quarantine: [row], releases }));
  t.match(released, { ...clean, quarantined: 0 }, 'unless it was released');
  const gone = compareWithTruth(input({ stored, quarantine: [row], releases }));
  t.same(gone.lost, ['D01 a 1000'], 'and then it is among the readings');
  const evidence = { ...row, reading: '' };
  t.equal(compareWithTruth(input({ stored, quarantine: [evidence] })).lost.length, 1);
});

t.test('an excuse counts what is missing within its span, and nothing else', async (t) => {
  const stored = storeOf(truth).slice(2);
  t.match(compareWithTruth(input({ stored, excuses: [{ fromMs: 1_000, toMs: 1_000 }] })), {
    lost: [],
    excused: 2,
  });
  t.equal(
    compareWithTruth(input({ stored, excuses: [{ fromMs: 1_001, toMs: 9_000 }] })).lost.length,
    2,
  );
});
