/** Runs of the processor that are cut anywhere: commits, snapshots, restarts. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { LogRecord } from '../../collector/log/log.ts';
import type { LedgerEntry } from '../../collector/processor/outputs/ledger.ts';
import { Processor } from '../../collector/processor/processor.ts';
import { changedSince, openState, SnapshotTaker } from '../../collector/processor/snapshots.ts';
import type { ProcessorOutput } from '../../collector/processor/step.ts';

export interface Run {
  outputs: ProcessorOutput[];
  ledger: LedgerEntry[];
}

/** What happens after a record: the state is committed, with a snapshot or without, and a new processor made. */
export interface Cut {
  after: number;
  snapshot: boolean;
  restart: boolean;
}

/** Runs a log as collector/processing.ts does, in memory. */
export function run(records: readonly LogRecord[], cuts: readonly Cut[]): Run {
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
          snapshots.take(
            { position, timeMs: processor.timeMs, soft: new Map(processor.takeSoft()) },
            (key) => committed.get(key),
          ),
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
  const processor = new Processor(snapshot.hard);
  for (const [key, bytes] of snapshot.soft) processor.restoreSoft(key, bytes);
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

/** As texts that can be compared. */
export function flat(outputs: readonly ProcessorOutput[]): string[] {
  return outputs.map(
    ({ topic, record }) =>
      `${topic} ${record.key} ${record.kind} ${Buffer.from(record.value).toString('latin1')}`,
  );
}

/** Within a log of so many records. */
export function cutWithin(records: number): fc.Arbitrary<Cut> {
  return fc.record({
    after: fc.nat({ max: records - 1 }),
    snapshot: fc.boolean(),
    restart: fc.boolean(),
  });
}
