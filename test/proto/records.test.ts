/** Records of topic readings as proto/records.proto says, read by protobufjs' own decoder. */

import { join } from 'node:path';
import protobuf from 'protobufjs';
import t from 'tap';
import { Treatment } from '../../collector/findings.ts';
import type { Annotation } from '../../collector/processor/outputs/readings.ts';
import { encodeReadings } from '../../collector/processor/outputs/readings.ts';
import { encodeBatch } from '../../proto/batch.ts';
import { headerOf, reading, sealAll, T0 } from '../support/wire.ts';

const folder = join(import.meta.dirname, '../../proto');
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(folder, target);
root.loadSync('records.proto', { keepCase: true });
const type = (name: string): protobuf.Type => root.lookupType(`fms.v1.${name}`);

const PLAIN = { longs: Number, defaults: true, arrays: true, enums: String } as const;
const frames = sealAll([reading('a', 1), reading('b', 2)]);
const envelope = encodeBatch(headerOf(2), frames, 'none');

function recordOf(value: Uint8Array) {
  return type('ReadingsRecord').toObject(type('ReadingsRecord').decode(value), PLAIN);
}

t.test('a record without findings', async (t) => {
  const record = recordOf(encodeReadings(envelope, T0 + 0.5));
  t.match(record, { version: 1, codec: 'CODEC_NONE', received_ms: T0 + 0.5, annotations_bytes: 0 });
  const batch = type('Batch').toObject(type('Batch').decode(record.payload), PLAIN);
  t.match(batch, {
    site: 'demo',
    gateway: 'gw1',
    last_seq: 2,
    chunks: [{ first_seq: 1, count: 2 }],
  });
  t.match(type('Chunk').decode(batch.chunks[0].chunk), { names: { length: 3 } });
});

t.test('what the rules said, by the grammar that the schema gives', async (t) => {
  const said: Annotation[] = [
    { firstSeq: 7, count: 2, findings: 33, treatment: Treatment.FLAGGED, values: undefined },
    {
      firstSeq: 300,
      count: 2,
      findings: 1 << 6,
      treatment: Treatment.CLIPPED,
      values: Float64Array.of(1.5, -2),
    },
  ];
  const record = recordOf(encodeReadings(envelope, T0, said));
  const tagAndLength = 1 + (record.annotations.length < 128 ? 1 : 2);
  t.equal(record.annotations_bytes, record.annotations.length + tagAndLength);

  const reader = protobuf.Reader.create(record.annotations);
  const runs: Annotation[] = [];
  let next = 0;
  for (let left = reader.uint32(); left > 0; left--) {
    const firstSeq = next + Number(reader.uint64());
    const [count, findings, mark] = [reader.uint32(), reader.uint32(), reader.uint32()];
    const values =
      mark % 2 === 1 ? Float64Array.from({ length: count }, () => reader.double()) : undefined;
    const treatment = (mark >> 1) as Annotation['treatment'];
    runs.push({ firstSeq, count, findings, treatment, values });
    next = firstSeq + count;
  }
  t.same(runs, said);
  t.equal(reader.pos, reader.len, 'nothing is left');
});
