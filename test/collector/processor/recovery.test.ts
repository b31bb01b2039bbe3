import t from 'tap';
import { Processor } from '../../../collector/processor/processor.ts';
import type { RecoveryValue } from '../../../collector/types.ts';
import { RawKind } from '../../../collector/types.ts';
import { ChunkBuilder } from '../../../proto/chunk.ts';
import type { BatchHeader, Gap } from '../../../proto/model.ts';
import { GapReason } from '../../../proto/model.ts';
import type { Said } from '../../support/raw-records.ts';
import { RawRecords, said } from '../../support/raw-records.ts';
import { CLOCK, EPOCH, frameOf, reading } from '../../support/wire.ts';

const LATER = 'aa00000000000001';

class Plant {
  readonly raw = new RawRecords();
  readonly processor = new Processor(new Map());

  recover(value: Partial<RecoveryValue>, key?: string): Said {
    const whole = { reason: 'log_replaced', accounts: [], ...value };
    const bytes = Buffer.from(JSON.stringify(whole));
    return said(this.processor.process(this.raw.add(RawKind.RECOVERY, bytes, key)));
  }

  batch(firstSeq: number, count: number, header: Partial<BatchHeader> = {}): Said {
    const builder = new ChunkBuilder();
    for (let i = 0; i < count; i++)
      builder.addReading(reading('a', i, { timeMs: this.raw.timeMs + i }));
    const frame = frameOf(builder.seal(CLOCK), firstSeq, header.epoch ?? EPOCH);
    return said(this.processor.process(this.raw.batch([frame], header)));
  }

  tick(ms: number): Said {
    return said(this.processor.process(this.raw.tick(ms)));
  }

  account(epoch = EPOCH) {
    const account = this.processor.ledger().find((entry) => entry.epoch === epoch);
    return { ...account, seen: account?.seen.join() };
  }
}

function account(some: Partial<RecoveryValue['accounts'][number]>) {
  return { epoch: EPOCH, openedMs: 5, lastSeq: 0, stored: [], quarantined: [], ...some };
}

function gap(firstSeq: number, lastSeq: number): Gap {
  const reason = GapReason.EVICTED_BYTES;
  return { epoch: EPOCH, firstSeq, lastSeq, firstMs: 0, lastMs: 0, reason };
}

t.test(
  'accounts go on from what the store has; what is missing was lost with the log',
  async (t) => {
    const plant = new Plant();
    const told = account({ lastSeq: 20, stored: [1, 8, 10, 12], quarantined: [9, 9] });
    const all = plant.recover({ accounts: [told] });
    t.match(all.events, [
      { kind: 'log_recovered', gateway: 'gw1', detail: { epochs: 1, readings: 12 } },
    ]);
    t.match(plant.account(), {
      stored: 11,
      quarantined: 1,
      inFlight: 8,
      openedMs: 5,
      seen: '1,12',
    });
    t.match(plant.account(), { storedSum: '69', quarantinedSum: '9', sumBalance: '0' });
    plant.recover({ accounts: [told] });
    t.match(plant.account(), { stored: 11, quarantined: 1, inFlight: 8 }, 'told twice');
    const next = plant.batch(18, 5);
    t.equal(next.readings.length, 5);
    t.match(
      next.events.filter(({ kind }) => kind === 'gap'),
      [{ detail: { reason: 'lost_with_log', readings: 5, first_seq: 13, last_seq: 17 } }],
    );
    t.match(plant.account(), { gaps: { lost_with_log: 5 }, stored: 16, inFlight: 0, balance: 0 });
    plant.batch(30, 1);
    t.match(plant.account(), { inFlight: 7 }, 'only the first arrival tells that');
    plant.batch(13, 2);
    t.match(
      plant.account(),
      { gaps: { lost_with_log: 3 }, stored: 19 },
      'and late ones are stored',
    );
  },
);

t.test("a gateway's own word counts more than the guess", async (t) => {
  const plant = new Plant();
  plant.recover({ accounts: [account({ stored: [1, 5] })] });
  plant.batch(21, 1, { gaps: [gap(6, 10)] });
  t.match(plant.account().gaps, { evicted_bytes: 5, lost_with_log: 10 }, 'in the same batch');
  plant.batch(22, 1, { gaps: [gap(11, 12)] });
  t.match(plant.account().gaps, { evicted_bytes: 7, lost_with_log: 8 }, 'and afterwards');
  t.match(plant.account(), { balance: 0, sumBalance: '0', inFlight: 0 });
});

t.test('an epoch that the store knows nothing of began in the lost log', async (t) => {
  const plant = new Plant();
  plant.recover({ accounts: [account({ stored: [1, 5], lastSeq: 9 })] });
  plant.batch(7, 2, { epoch: LATER, predecessorEpoch: EPOCH, predecessorLastSeq: 10 });
  t.match(plant.account(LATER), { gaps: { lost_with_log: 6 }, stored: 2 });
  t.match(plant.account(), { inFlight: 5 });
  plant.tick(1_000);
  plant.tick(6_000);
  t.match(plant.account(), { gaps: { lost_with_log: 5 }, inFlight: 0, balance: 0 });
});

t.test('an epoch that begins after the recovery has lost nothing with the log', async (t) => {
  const plant = new Plant();
  plant.recover({ accounts: [account({ stored: [1, 5] })] });
  plant.batch(1, 2, { epoch: LATER });
  const third = 'aa00000000000003';
  plant.batch(4, 2, { epoch: third, lastSeq: 5 });
  t.match(plant.account(third), { gaps: {}, inFlight: 3 });
});

t.test('a restored log: all gateways of the partition', async (t) => {
  const plant = new Plant();
  plant.batch(1, 5);
  t.match(plant.recover({ reason: 'log_restored' }, '').events, [
    { kind: 'log_recovered', site: '', detail: { reason: 'log_restored', gateways: 1 } },
  ]);
  const again = new Processor(
    new Map([...plant.processor.takeChanges()].flatMap(([k, v]) => (v === null ? [] : [[k, v]]))),
  );
  plant.batch(9, 1);
  t.match(plant.account(), { gaps: { lost_with_log: 3 }, stored: 6, balance: 0 });
  again.process(plant.raw.records.at(-1)!);
  t.match(again.ledger(), [{ gaps: { lost_with_log: 3 } }], 'it outlives the processor');
});

t.test('what is no recovery is harmless', async (t) => {
  const plant = new Plant();
  for (const accounts of [
    null,
    [null],
    [{ epoch: 'x' }],
    [account({ stored: [5, 1, 0, 3, 7] })],
    [account({ stored: 'none' as never, quarantined: [1.5, 2, -1, 4] })],
  ])
    plant.recover({ accounts: accounts as never });
  t.match(plant.account(), { stored: 0, quarantined: 0, lastSeq: 0, balance: 0 });
});
