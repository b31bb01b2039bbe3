import t from 'tap';
import { REPORT_GATEWAYS_MAX } from '../../../collector/processor/limits.ts';
import { Processor } from '../../../collector/processor/processor.ts';
import { RawKind } from '../../../collector/types.ts';
import { encodeState } from '../../../proto/state.ts';
import { RawRecords, STATE, said } from '../../support/raw-records.ts';
import { EPOCH } from '../../support/wire.ts';

const BUSY = { ...STATE, epoch: EPOCH };

t.test('counters wait for the next report, news do not', async (t) => {
  const raw = new RawRecords();
  const processor = new Processor(new Map());
  const gateways = (record: (typeof raw.records)[number]) =>
    said(processor.process(record)).gateways;
  raw.tick();
  t.match(gateways(raw.state({ ...BUSY, bufferReadings: 1 })), [{ bufferReadings: 1 }], 'new');
  raw.timeMs += 10;
  t.same(gateways(raw.state({ ...BUSY, bufferReadings: 2 })), []);
  t.same(gateways(raw.state({ ...BUSY, bufferReadings: 3 })), []);
  t.match(gateways(raw.tick()), [{ bufferReadings: 3, updatedMs: raw.timeMs - 1_000 }]);
  t.same(gateways(raw.tick()), [], 'nothing changed');
  raw.timeMs += 10;
  for (const news of [
    { version: '9' },
    { version: '9', installId: 'fedcba9876543210' },
    { version: '9', installId: 'fedcba9876543210', clockUnsynced: true },
    { version: '9', installId: 'fedcba9876543210', epoch: 'aa00000000000001' },
    { version: '9', installId: 'fedcba9876543210', epoch: 'aa00000000000001', online: false },
  ]) {
    t.match(gateways(raw.state({ ...BUSY, ...news })), [news]);
  }
});

t.test('a will is news', async (t) => {
  const raw = new RawRecords();
  const processor = new Processor(new Map());
  processor.process(raw.state(BUSY));
  t.match(said(processor.process(raw.state(BUSY, RawKind.WILL))).gateways, [{ online: false }]);
});

/** States of many gateways, then ticks; answers whose rows came with each of these. */
function turns(renewed: boolean): { gateways: string[]; ledger: string[] }[] {
  const raw = new RawRecords();
  let processor = new Processor(new Map());
  const committed = new Map<string, Uint8Array>();
  const commit = (): void => {
    for (const [key, value] of processor.takeChanges()) {
      if (value === null) committed.delete(key);
      else committed.set(key, value);
    }
    if (renewed) processor = new Processor(committed);
  };
  const count = 2 * REPORT_GATEWAYS_MAX + 1;
  raw.tick();
  for (const round of [1, 2]) {
    for (let i = 0; i < count; i++) {
      const gateway = `g${String(i).padStart(5, '0')}`;
      const value = encodeState({ ...BUSY, gateway, lastSeq: round });
      processor.process(raw.add(RawKind.STATE, value, `demo/${gateway}`));
    }
  }
  return Array.from({ length: 5 }, () => {
    commit();
    const all = said(processor.process(raw.tick()));
    return {
      gateways: all.gateways.map(({ gateway }) => gateway),
      ledger: all.ledger.map(({ gateway }) => gateway),
    };
  });
}

t.test('of many gateways each has its turn, and none twice before all had it', async (t) => {
  const reports = turns(false);
  const sizes = reports.map(({ gateways }) => gateways.length);
  t.same(sizes, [REPORT_GATEWAYS_MAX, REPORT_GATEWAYS_MAX, 1, 0, 0]);
  const all = reports.flatMap(({ gateways }) => gateways);
  t.equal(new Set(all).size, all.length);
  t.same(all, all.toSorted());
  t.same(
    reports.flatMap(({ ledger }) => ledger),
    all,
    'ledger rows come with them',
  );
});

t.test('whose turn it is outlives the processor', async (t) => {
  t.same(turns(true), turns(false));
});

t.test('the later in the order are not starved by the earlier', async (t) => {
  const raw = new RawRecords();
  const processor = new Processor(new Map());
  const names = Array.from({ length: REPORT_GATEWAYS_MAX + 10 }, (_, i) => `g${10_000 + i}`);
  const seen = new Set<string>();
  for (let round = 1; round <= 3; round++) {
    for (const gateway of names) {
      const value = encodeState({ ...BUSY, gateway, lastSeq: round });
      processor.process(raw.add(RawKind.STATE, value, `demo/${gateway}`));
    }
    for (const { gateway } of said(processor.process(raw.tick())).ledger) seen.add(gateway);
  }
  t.equal(seen.size, names.length);
});
