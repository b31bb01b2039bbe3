/** State that earlier versions committed still opens, and goes on as it would have there. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { LogRecord } from '../../../collector/log/log.ts';
import type { LedgerEntry } from '../../../collector/processor/outputs/ledger.ts';
import { Processor } from '../../../collector/processor/processor.ts';
import { openState } from '../../../collector/processor/snapshots.ts';
import { said } from '../../support/raw-records.ts';

interface Golden {
  state: Record<string, string>;
  ledger: LedgerEntry[];
  records: (Omit<LogRecord, 'value'> & { value: string })[];
  stored: string[];
  after: LedgerEntry[];
}

const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../cases/processor-state/v1.json'), 'utf8'),
) as Golden;

function stateOf(encoded: Record<string, string>): Map<string, Uint8Array> {
  return new Map(
    Object.entries(encoded).map(([key, value]) => [key, Buffer.from(value, 'base64')]),
  );
}

/** What both versions know of an account. */
function known(entries: readonly LedgerEntry[]): object[] {
  return entries
    .map(
      ({ gateway, epoch, openedMs, lastSeq, stored, quarantined, duplicates, gaps, inFlight }) => ({
        ...{ gateway, epoch, openedMs, lastSeq, stored, quarantined, duplicates, gaps, inFlight },
      }),
    )
    .sort((a, b) => (a.epoch < b.epoch ? -1 : 1));
}

t.test('version 1: accounts, what is stored then, and balances of both kinds', async (t) => {
  const { hard, snapshot } = openState(stateOf(golden.state));
  t.equal(snapshot.position, -1, 'it had none');
  const processor = new Processor(hard, { coldReason: 'another version' });
  t.same(known(processor.ledger()), known(golden.ledger));
  const outputs = golden.records.flatMap((record) =>
    processor.process({ ...record, value: Buffer.from(record.value, 'base64') }),
  );
  const all = said(outputs);
  t.same(
    all.readings.map((one) => `${one.epoch}/${one.seq}`),
    golden.stored,
  );
  t.match(
    all.events.filter(({ kind }) => kind === 'cold_start'),
    [{ site: '', gateway: '', detail: { reason: 'another version', gateways: 2 } }],
  );
  t.same(known(processor.ledger()), known(golden.after));
  for (const entry of processor.ledger()) t.match(entry, { balance: 0, sumBalance: '0' });
  const changes = processor.takeChanges();
  const again = new Processor(
    new Map(
      [...hard, ...changes].flatMap(([key, bytes]) => (bytes === null ? [] : [[key, bytes]])),
    ),
  );
  t.same(known(again.ledger()), known(golden.after), 'written again in the present form');
});
