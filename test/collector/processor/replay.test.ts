/** Random logs: restarts anywhere, accounts, content that is none. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { LogRecord } from '../../../collector/log/log.ts';
import type { LedgerEntry } from '../../../collector/processor/outputs.ts';
import { Processor } from '../../../collector/processor/processor.ts';
import { changedSince, openState, SnapshotTaker } from '../../../collector/processor/snapshots.ts';
import type { ProcessorOutput } from '../../../collector/processor/step.ts';
import { RawKind } from '../../../collector/types.ts';
import { decodeEnvelope, encodeEnvelope } from '../../../proto/batch.ts';
import { logOf, stepSpec } from '../../support/random-raw.ts';
import { RawRecords, said } from '../../support/raw-records.ts';

interface Run {
  outputs: ProcessorOutput[];
  ledger: LedgerEntry[];
}

/** What happens after a record: the state is committed, with a snapshot or without, and a new processor made. */
interface Cut {
  after: number;
  snapshot: boolean;
  restart: boolean;
}

/** Runs a log as collector/processing.ts does, in memory. */
function run(records: readonly LogRecord[], cuts: readonly Cut[]): Run {
  const committed = new Map<string, Uint8Array>();
  let processor = new Processor(committed);
  let snapshots = SnapshotTaker.anew(committed, openState(committed).snapshot);
  const outputs: ProcessorOutput[] = [];
  for (const record of records) {
    outputs.push(...processor.process(record));
    for (const cut of cuts) {
      if (cut.after !== record.offset) continue;
      const position = record.offset + 1;
      const changes = processor.takeChanges();
      snapshots.note(changes);
      keep(committed, changes);
      // As in the driver the first commit takes one: there must always be one to go back to.
      if (cut.snapshot || snapshots.position < 0)
        keep(
          committed,
          snapshots.take(processor, position, (key) => committed.get(key)),
        );
      if (cut.restart) ({ processor, snapshots } = resumed(committed, records, position));
    }
  }
  const ledger = processor.ledger();
  ledger.sort((a, b) => (a.gateway + a.epoch < b.gateway + b.epoch ? -1 : 1));
  return { outputs, ledger };
}

function resumed(
  committed: ReadonlyMap<string, Uint8Array>,
  records: readonly LogRecord[],
  position: number,
): { processor: Processor; snapshots: SnapshotTaker } {
  const { hard, snapshot } = openState(committed);
  assert.ok(snapshot.position >= 0);
  const processor = new Processor(snapshot.hard, { soft: snapshot.soft });
  for (const record of records.slice(snapshot.position, position)) processor.process(record);
  const changed = changedSince(snapshot, processor.takeChanges(), hard);
  assert.ok(changed !== undefined, 'the way from the snapshot leads to the committed state');
  return { processor, snapshots: SnapshotTaker.after(snapshot, changed) };
}

function keep(
  committed: Map<string, Uint8Array>,
  changes: ReadonlyMap<string, Uint8Array | null>,
): void {
  for (const [key, bytes] of changes) {
    if (bytes === null) committed.delete(key);
    else committed.set(key, new Uint8Array(bytes));
  }
}

function flat(outputs: readonly ProcessorOutput[]): string[] {
  return outputs.map(
    ({ topic, record }) =>
      `${topic} ${record.key} ${record.kind} ${Buffer.from(record.value).toString('latin1')}`,
  );
}

const cutSpec: fc.Arbitrary<Cut> = fc.record({
  after: fc.nat({ max: 39 }),
  snapshot: fc.boolean(),
  restart: fc.boolean(),
});

t.test('the same log gives the same outputs, wherever it is cut', async () => {
  fc.assert(
    fc.property(
      fc.array(stepSpec, { maxLength: 40 }),
      fc.array(cutSpec, { maxLength: 12 }),
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
