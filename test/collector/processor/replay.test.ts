/** Random logs: restarts anywhere, accounts, content that is none. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Processor } from '../../../collector/processor/processor.ts';
import { RawKind } from '../../../collector/types.ts';
import { decodeEnvelope, encodeEnvelope } from '../../../proto/batch.ts';
import { logOf, stepSpec } from '../../support/random-raw.ts';
import { RawRecords, said } from '../../support/raw-records.ts';
import { cutWithin, flat, run } from '../../support/replayed.ts';

t.test('the same log gives the same outputs, wherever it is cut', async () => {
  fc.assert(
    fc.property(
      fc.array(stepSpec, { maxLength: 40 }),
      fc.array(cutWithin(40), { maxLength: 12 }),
      (steps, cuts) => {
        const records = logOf(steps);
        const whole = run(records, []);
        const cut = run(records, cuts);
        assert.deepEqual(flat(cut.outputs), flat(whole.outputs));
        assert.deepEqual(cut.ledger, whole.ledger);
        for (const account of cut.ledger)
          assert.deepEqual([account.balance, account.sumBalance], [0, '0']);
      },
    ),
    { numRuns: 200 },
  );
});

function sum(seqs: Iterable<number>): number {
  let sum = 0;
  for (const seq of seqs) sum += seq;
  return sum;
}

t.test('every seq ends in one place, and the ledger balances', async () => {
  fc.assert(
    fc.property(fc.array(stepSpec, { maxLength: 60 }), (all) => {
      // What a recovery tells of lies in no output.
      const steps = all.filter(({ kind }) => kind !== 'recovery');
      const { outputs, ledger } = run(logOf(steps), []);
      const everything = said(outputs);
      for (const account of ledger) {
        const { gateway, epoch, lastSeq } = account;
        const stored = new Set<number>();
        const quarantined = new Set<number>();
        for (const { record } of outputs) {
          if (record.key !== `demo/${gateway}` || record.kind !== 'readings') continue;
          for (const one of said([{ topic: 'readings', record }]).readings) {
            if (one.epoch !== epoch) continue;
            assert.ok(!stored.has(one.seq), `seq ${one.seq} is stored twice`);
            stored.add(one.seq);
          }
        }
        for (const entry of everything.quarantine) {
          if (entry.gateway !== gateway || entry.epoch !== epoch) continue;
          for (let seq = entry.seq; seq < entry.seq + entry.count; seq++) {
            const twice = quarantined.has(seq) && !stored.has(seq) && entry.reason === 'wire_crc';
            assert.ok(!twice, `seq ${seq} is counted as damaged twice`);
            quarantined.add(seq);
          }
        }
        const only = new Set([...quarantined].filter((seq) => !stored.has(seq)));
        assert.equal(account.stored, stored.size);
        assert.equal(account.quarantined, only.size);
        assert.equal(account.balance, 0);
        assert.equal(account.storedSum, String(sum(stored)));
        assert.equal(account.quarantinedSum, String(sum(only)));
        assert.equal(account.sumBalance, '0');
        const seen = new Set<number>();
        for (let i = 0; i < account.seen.length; i += 2)
          for (let seq = account.seen[i]!; seq <= account.seen[i + 1]!; seq++) seen.add(seq);
        assert.deepEqual(
          [...stored].filter((seq) => !seen.has(seq)),
          [],
        );
        assert.equal(account.closed, 0);
        const accounted = stored.size + only.size;
        assert.equal(account.gapReadings + account.inFlight, lastSeq - accounted);
        assert.ok(Math.max(0, ...stored, ...only) <= lastSeq);
      }
    }),
    { numRuns: 200 },
  );
});

t.test('no content of a record makes it throw, and the accounts still balance', async () => {
  const valid = logOf([
    {
      kind: 'batch',
      gateway: 0,
      epoch: 1,
      chunks: [
        { from: 1, readings: 6, rejects: 2, variant: 'good' },
        { from: 20, readings: 3, rejects: 0, variant: 'other' },
      ],
      gaps: [{ epoch: 0, from: 3, length: 9, reason: 'corrupt' }],
      more: 4,
      linked: true,
      correctionMs: 1_000,
    },
    { kind: 'state', gateway: 0, epoch: 1, lastSeq: 12, gaps: [], stepMs: 5_000 },
  ]);
  // Uncompressed, so that flips reach the inside.
  const inner = valid.map((record) => decodeEnvelope(record.value));
  const flip = fc.record({ at: fc.nat(), by: fc.integer({ min: 1, max: 255 }) });
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          which: fc.nat({ max: 1 }),
          flips: fc.array(flip, { maxLength: 6 }),
          kind: fc.constantFrom(...Object.values(RawKind), 'later'),
          cut: fc.nat({ max: 30 }),
        }),
        { maxLength: 12 },
      ),
      (mutants) => {
        const raw = new RawRecords();
        const processor = new Processor(new Map());
        for (const { which, flips, kind, cut } of mutants) {
          const message = Buffer.from(inner[which]!);
          for (const { at, by } of flips) message[at % message.length]! ^= by;
          const whole = message.subarray(0, message.length - (cut > 10 ? 0 : cut));
          raw.timeMs += 700;
          said(processor.process(raw.add(kind, encodeEnvelope(whole, 'none'))));
        }
        for (const account of processor.ledger())
          assert.deepEqual([account.balance, account.sumBalance], [0, '0']);
        new Processor(committedOf(processor));
      },
    ),
    { numRuns: 1_000 },
  );
});

function committedOf(processor: Processor): Map<string, Uint8Array> {
  const committed = new Map<string, Uint8Array>();
  for (const [key, bytes] of processor.takeChanges()) if (bytes !== null) committed.set(key, bytes);
  return committed;
}
