import type { Test } from 'tap';
import t from 'tap';
import { Processor } from '../../../collector/processor/processor.ts';
import type { QuarantinedReading } from '../../../collector/types.ts';
import { RawKind } from '../../../collector/types.ts';
import { ChunkBuilder } from '../../../proto/chunk.ts';
import type { Reading } from '../../../proto/model.ts';
import { Quality } from '../../../proto/model.ts';
import type { Said } from '../../support/raw-records.ts';
import { RawRecords, said } from '../../support/raw-records.ts';
import { profile } from '../../support/validation.ts';
import { CLOCK, EPOCH, frameOf, reading } from '../../support/wire.ts';

/** A gateway whose channel `a` takes values up to 100; everything else goes to quarantine. */
class Plant {
  readonly raw = new RawRecords();
  readonly processor = new Processor(new Map());

  constructor() {
    const strict = profile({ a: { max: 100, onRange: 'quarantine', onType: 'quarantine' } });
    const configuration = {
      version: 'v1',
      retentionMs: 0,
      aheadMaxMs: 86_400_000,
      profiles: { p: strict },
      assignments: [],
    };
    this.add(RawKind.CONFIGURATION, configuration, '');
  }

  add(kind: string, value: object, key?: string): Said {
    return said(
      this.processor.process(this.raw.add(kind, Buffer.from(JSON.stringify(value)), key)),
    );
  }

  batch(firstSeq: number, values: readonly (Reading['value'] | Partial<Reading>)[]): Said {
    const builder = new ChunkBuilder();
    for (const [i, given] of values.entries()) {
      const more = typeof given === 'object' && given !== null ? given : { value: given };
      const timeMs = this.raw.timeMs + 1_000 * i;
      builder.addReading(reading('a', 0, { timeMs, ...more }));
    }
    this.raw.timeMs += 1_000 * values.length;
    return said(this.processor.process(this.raw.batch([frameOf(builder.seal(CLOCK), firstSeq)])));
  }

  release(seq: number, given: object | undefined, epoch = EPOCH): Said {
    return this.add(RawKind.RELEASE, { epoch, seq, by: 'kim', reading: given });
  }

  get account() {
    return this.processor.ledger()[0]!;
  }
}

function refused(t: Test, all: Said, reason: string): void {
  t.match(all.events, [{ kind: 'release_refused', severity: 'warning', detail: { reason } }]);
  t.same([all.readings, all.releases], [[], []]);
}

t.test('what a rule sent to quarantine is cut out, and can be released once', async (t) => {
  const plant = new Plant();
  const all = plant.batch(1, [1, 500, 3, 600, 700, 6]);
  t.same(
    all.readings.map(({ seq, value }) => [seq, value]),
    [
      [1, 1],
      [3, 3],
      [6, 6],
    ],
  );
  t.same(
    all.quarantine.map(({ seq, count, reason, device }) => [seq, count, reason, device]),
    [2, 4, 5].map((seq) => [seq, 1, 'rule', 'D01']),
  );
  t.match(all.quarantine[0], { detail: /^out_of_range:/, reading: { value: 500, channel: 'a' } });
  t.match(plant.account, { stored: 3, quarantined: 3, quarantinedSum: '11', balance: 0 });
  t.same(plant.account.seen, [1, 6]);

  const entry = all.quarantine[1]!;
  const released = plant.release(entry.seq, entry.reading);
  t.match(released.readings, [
    { seq: 4, epoch: EPOCH, value: 600, timeMs: entry.timeMs, receivedMs: plant.raw.timeMs },
  ]);
  t.same(released.annotations, [], 'a person takes it as it came');
  t.same(released.releases, [
    {
      site: 'demo',
      gateway: 'gw1',
      epoch: EPOCH,
      seq: 4,
      by: 'kim',
      releasedMs: plant.raw.timeMs,
    },
  ]);
  t.match(released.events, [{ kind: 'released', device: 'D01', detail: { seq: 4, by: 'kim' } }]);
  t.match(plant.account, { stored: 4, quarantined: 2, storedSum: '14', sumBalance: '0' });
  refused(t, plant.release(entry.seq, entry.reading), 'not_in_quarantine');
  t.same(plant.batch(4, [600]).readings, [], 'nor does it come in again as a reading');
});

t.test('what was never there, or no rule sent there, is refused', async (t) => {
  const plant = new Plant();
  const [entry] = plant.batch(1, [500, 2]).quarantine;
  const given = entry?.reading;
  refused(t, plant.release(2, given), 'not_in_quarantine');
  refused(t, plant.release(99, given), 'not_in_quarantine');
  refused(t, plant.release(1, given, '1234567812345678'), 'not_in_quarantine');
  for (const wrong of [
    undefined,
    { ...given, device: undefined },
    { ...given, timeMs: 1e18 },
    { ...given, quality: 256 },
  ])
    refused(t, plant.release(1, wrong), 'malformed');
  for (const seq of [0, -1, 1.5, 2 ** 53]) refused(t, plant.release(seq, given), 'malformed');
  refused(t, plant.release(1, given, 'no epoch'), 'malformed');
  t.match(plant.account, { stored: 1, quarantined: 1, balance: 0 });
  t.equal(plant.release(1, given).readings.length, 1, 'after all that');
});

t.test('every kind of value comes back as it was', async (t) => {
  const plant = new Plant();
  plant.batch(1, [500, 501, 502, 503, 504, 505, 506, 507, 508]);
  const base = { device: 'D01', channel: 'a', timeMs: plant.raw.timeMs, quality: Quality.GOOD };
  const cases: [Partial<QuarantinedReading>, Reading['value'], number?][] = [
    [{ value: 12.25, text: null, kind: 'number' }, 12.25],
    [{ value: 1e308, text: null, kind: 'number' }, 1e308],
    [{ value: 'nan', text: null, kind: 'number' }, Number.NaN],
    [{ value: '-inf', text: null, kind: 'number' }, Number.NEGATIVE_INFINITY],
    [{ value: '-0', text: null, kind: 'number' }, -0],
    [{ value: 1, text: null, kind: 'boolean' }, true],
    [{ value: null, text: '정지', kind: 'text' }, '정지'],
    [{ value: null, text: null, kind: 'number' }, null, 0x80],
    [{ device: '', channel: '', value: 5, text: null, kind: 'number' }, 5],
  ];
  for (const [i, [given, value, quality = 0]] of cases.entries()) {
    const [found] = plant.release(i + 1, { ...base, ...given }).readings;
    t.ok(Object.is(found?.value, value), `${JSON.stringify(given)}: ${String(found?.value)}`);
    t.equal(found?.quality, quality);
  }
  t.match(plant.account, { stored: 9, quarantined: 0, sumBalance: '0' });
});

t.test('a settled epoch and a restart do not matter', async (t) => {
  const plant = new Plant();
  const [entry] = plant.batch(1, [500, 2]).quarantine;
  const later = 'aa00000000000001';
  const builder = new ChunkBuilder();
  builder.addReading(reading('a', 1, { timeMs: plant.raw.timeMs }));
  const frame = frameOf(builder.seal(CLOCK), 1, later);
  plant.processor.process(
    plant.raw.batch([frame], { epoch: later, predecessorEpoch: EPOCH, predecessorLastSeq: 2 }),
  );
  for (let i = 0; i < 8; i++) plant.processor.process(plant.raw.tick(9_000));
  const state = new Map<string, Uint8Array>();
  for (const [key, bytes] of plant.processor.takeChanges())
    if (bytes !== null) state.set(key, bytes);
  const again = new Processor(state);
  const value = { epoch: EPOCH, seq: 1, by: 'kim', reading: entry?.reading };
  const record = plant.raw.add(RawKind.RELEASE, Buffer.from(JSON.stringify(value)));
  t.match(said(again.process(record)).readings, [{ epoch: EPOCH, seq: 1, value: 500 }]);
});
