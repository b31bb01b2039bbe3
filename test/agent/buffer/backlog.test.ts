/** A large backlog: opening reads only its ends, and taking chunks from it is bounded. */

import { statSync } from 'node:fs';
import t from 'tap';
import { openFile } from '../../../agent/buffer/database.ts';
import { chunkHeadCrc } from '../../../agent/buffer/rows.ts';
import { ChunkBuilder } from '../../../proto/chunk.ts';
import { chunkCrc } from '../../../proto/crc32c.ts';
import {
  bentWorld,
  chooseMode,
  drain,
  fileIn,
  numbered,
  openIn,
} from '../../support/test-buffer.ts';

chooseMode(t);

const CHUNKS = 60_000;
const READINGS = 7;

/** The worst kind: very many very short chunks, as after weeks of one device. */
function fill(folder: string): void {
  const path = fileIn(folder);
  const { db, statements } = openFile({ path, walBytes: 1024 * 1024, maxPages: 1e6 });
  db.pragma('synchronous = OFF');
  const builder = new ChunkBuilder();
  for (const reading of numbered(0, READINGS)) builder.addReading(reading);
  const clock = { boot: '00000000000000b1', wallMs: 1, monoMs: 1, unsynced: false };
  const { bytes, count, firstMs, lastMs } = builder.seal(clock);
  const epoch = 'aaaaaaaaaaaaaaaa';
  const blob = Buffer.from(epoch, 'hex');
  for (let id = 1; id <= CHUNKS; ) {
    db.transaction(() => {
      for (let i = 0; i < 10_000; i++, id++) {
        const firstSeq = (id - 1) * count + 1;
        const head = {
          id,
          epoch: blob,
          first_seq: firstSeq,
          count,
          first_ms: firstMs,
          last_ms: lastMs,
          crc32c: chunkCrc(epoch, { firstSeq, count, firstMs, lastMs }, bytes),
          sealed_wall_ms: 1,
          sealed_mono_ms: 1,
          flags: 0,
          readings_before: firstSeq - 1,
        };
        statements.insertChunk.run({ ...head, row_crc: chunkHeadCrc(head), bytes });
      }
    })();
    db.pragma('wal_checkpoint(PASSIVE)');
  }
  db.close();
}

t.test('opening does not depend on the backlog', async (t) => {
  const folder = t.testdir();
  fill(folder);
  const read = bytesRead();
  const buffer = openIn(folder, bentWorld(), { maxBytes: 1e9 });
  t.match(buffer.stats(), { chunks: CHUNKS, readings: CHUNKS * READINGS });
  t.ok(statSync(fileIn(folder)).size > 5e6);
  t.ok(bytesRead() - read < 500_000, `read ${bytesRead() - read} bytes to open`);
  t.match(buffer.epochInfo('aaaaaaaaaaaaaaaa'), { lastSeq: CHUNKS * READINGS });

  const beforeNext = bytesRead();
  const part = buffer.next(30_000, { maxBytes: 262_144, maxReadings: 10_000, maxChunks: 4096 });
  t.equal(part.length, Math.floor(10_000 / READINGS));
  t.ok(bytesRead() - beforeNext < 1_000_000);

  const all = drain(buffer);
  t.equal(all.length, CHUNKS);
  buffer.acknowledge(all.map((chunk) => chunk.id));
  await buffer.flush();
  t.match(buffer.stats(), { chunks: 0, readings: 0 });
  await buffer.close();
});

/** Of this process, from files, by system calls: a count that does not depend on the machine's speed. */
function bytesRead(): number {
  const { readFileSync } = process.getBuiltinModule('node:fs');
  return Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0);
}
