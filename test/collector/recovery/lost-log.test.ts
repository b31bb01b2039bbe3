/** A log that is deleted while the store stays: nothing is stored twice, and what was lost is a gap. */

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Reject } from '../../../proto/model.ts';
import { CollectorProcess } from '../../support/collector-process.ts';
import { fmsRow } from '../../support/publisher.ts';

interface Ledger {
  items: Record<string, unknown>[];
  totals: { sent: number; in_flight: number; balance: number; gaps: Record<string, number> };
}

const reject: Reject = {
  timeMs: Date.now(),
  device: 'D01',
  reason: 'garbage',
  detail: 'not JSON',
  head: Buffer.from('?'),
};

t.test('the accounts go on from the store', async (t) => {
  const collector = new CollectorProcess(t);
  await collector.start();
  const ledgerOf = async (sent: number): Promise<Ledger> => {
    let answer: Ledger | undefined;
    await collector.until(`${sent} are accounted for`, async () => {
      answer = await collector.get<Ledger>('/api/v1/ledger');
      return answer.totals.sent === sent && answer.totals.in_flight === 0;
    });
    return answer!;
  };
  const first = await collector.publisher('gw1');
  t.teardown(() => first.close());
  for (let i = 0; i < 20; i++)
    await first.readings(fmsRow('D01', Date.now() - 60_000 + i), i % 5 === 0 ? [reject] : []);
  const sent = first.lastSeq;
  const before = await ledgerOf(sent);
  t.match(before.items, [{ stored: 140, quarantined: 4, balance: 0 }]);
  // Which also waits until all of it is in the store.
  t.match(await collector.command('ledger', '--deep'), { code: 0 });
  await collector.stop();
  await first.close();
  for (const name of readdirSync(collector.dataDir))
    if (name.startsWith('log.sqlite')) rmSync(join(collector.dataDir, name));

  await collector.start();
  t.match(collector.output, /the log is new, the store is not/);
  const after = await ledgerOf(sent);
  t.match(after.items, [{ stored: 140, quarantined: 4, gap_readings: 0, balance: 0 }]);

  const second = await collector.publisher('gw1');
  t.teardown(() => second.close());
  // Acknowledged into the log that was lost: never sent again. Then it goes on.
  second.resume({ epoch: first.epoch, lastSeq: sent + 70 });
  await second.readings(fmsRow('D01', Date.now()));
  t.match((await ledgerOf(sent + 77)).items, [
    { stored: 147, quarantined: 4, gaps: { lost_with_log: 70 }, balance: 0 },
  ]);
  // What was stored before comes again, as after a lost PUBACK.
  second.resume({ epoch: first.epoch, lastSeq: sent - 7 });
  await second.readings(fmsRow('D01', Date.now() - 60_000));
  await collector.until('the duplicates show', async () => {
    const { items } = await collector.get<Ledger>('/api/v1/ledger');
    return items[0]?.duplicates === 7;
  });
  const deep = await collector.command('ledger', '--deep');
  t.equal(deep.code, 0, deep.output);
  await collector.stop();
  t.same(
    collector.storeRows('SELECT count() AS rows, uniqExact(epoch, seq) AS seqs FROM readings'),
    [{ rows: 147, seqs: 147 }],
  );
});
