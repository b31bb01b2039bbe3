/** Whatever a gateway sends: each reading is stored as it came, or stands whole in quarantine. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Processor } from '../../../collector/processor/processor.ts';
import type { QuarantinedReading } from '../../../collector/types.ts';
import { RawKind } from '../../../collector/types.ts';
import type { Reading } from '../../../proto/model.ts';
import { RawRecords, said } from '../../support/raw-records.ts';
import { profile } from '../../support/validation.ts';
import { allReadings, anyReading, anyReject, open, sealAll, shown } from '../../support/wire.ts';

const STRICT = {
  version: 'v1',
  retentionMs: 3_600_000,
  aheadMaxMs: 3_600_000,
  profiles: {
    p: profile(
      {
        sensor1: { min: -10, max: 10, onRange: 'clip', onNull: 'fill', sentinels: [-1] },
        'motor 1': { min: 0, max: 100, onRange: 'quarantine', onNull: 'quarantine' },
        온도: { type: 'boolean', onType: 'quarantine', outlierRanges: 2 },
      },
      { onTimeBackwards: 'quarantine', onSameTime: 'flag' },
    ),
  },
  assignments: [],
};

/** As readings of the wire would show it. */
function shownOf(entry: { device: string }, reading: QuarantinedReading): string {
  const { channel, timeMs, kind, quality } = reading;
  const numbers: Record<string, number> = {
    nan: Number.NaN,
    inf: Infinity,
    '-inf': -Infinity,
    '-0': -0,
  };
  const named = typeof reading.value === 'string' ? numbers[reading.value]! : reading.value;
  const value =
    kind === 'text' ? reading.text : kind === 'boolean' && named !== null ? named === 1 : named;
  return shown({ device: entry.device, channel, timeMs, value, quality });
}

t.test('any readings, under rules that quarantine, clip and fill', async () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.array(anyReading, { maxLength: 40 }), fc.array(anyReject, { maxLength: 2 })),
        {
          minLength: 1,
          maxLength: 3,
        },
      ),
      (batches) => {
        const raw = new RawRecords();
        const processor = new Processor(new Map());
        processor.process(raw.add(RawKind.CONFIGURATION, Buffer.from(JSON.stringify(STRICT)), ''));
        let nextSeq = 1;
        const sent = new Map<number, Reading>();
        const outputs = [];
        let rejects = 0;
        for (const [readings, rejected] of batches) {
          const frames = sealAll(readings, rejected, nextSeq);
          if (frames.length === 0) continue;
          for (const frame of frames) {
            for (const [i, reading] of allReadings(open(frame)).entries())
              sent.set(frame.firstSeq + i, reading);
            nextSeq += frame.count;
          }
          rejects += rejected.length;
          outputs.push(...processor.process(raw.batch(frames)));
        }
        const all = said(outputs);
        const found = new Map<number, string>();
        for (const one of all.readings) found.set(one.seq, shown(one));
        assert.equal(found.size, all.readings.length, 'nothing is stored twice');
        for (const annotation of all.annotations) {
          for (let i = 0; i < annotation.count; i++)
            assert.ok(found.has(annotation.firstSeq + i), 'rules speak of what is stored');
        }
        for (const entry of all.quarantine) {
          if (entry.reading === undefined) continue;
          assert.ok(!found.has(entry.seq), 'stored, or in quarantine');
          found.set(entry.seq, shownOf(entry, entry.reading));
        }
        const ruled = new Set(
          all.quarantine.filter(({ reading }) => reading !== undefined).map(({ seq }) => seq),
        );
        for (const [seq, reading] of sent) assert.equal(found.get(seq), shown(reading));
        assert.equal(found.size, sent.size);
        for (const account of processor.ledger()) {
          assert.deepEqual([account.balance, account.sumBalance], [0, '0']);
          assert.equal(account.stored, sent.size - ruled.size);
          assert.equal(account.quarantined, ruled.size + rejects);
        }
      },
    ),
    { numRuns: 150 },
  );
});
