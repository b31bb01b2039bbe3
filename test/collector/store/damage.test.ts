/**
 * A part whose files were damaged under a running collector, as a full disk leaves them: it is set aside,
 * and its rows come from the log again. A file of its own: see chdb.test.ts.
 */

import { existsSync, readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import type { Log } from '../../../collector/log/log.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { encodeReadings } from '../../../collector/processor/outputs/readings.ts';
import { wholeShare } from '../../../collector/shares.ts';
import { openChdbStore } from '../../../collector/store/chdb.ts';
import { startWriters } from '../../../collector/store/writer.ts';
import { OutputKind } from '../../../collector/types.ts';
import { encodeBatch } from '../../../proto/batch.ts';
import { ChunkBuilder } from '../../../proto/chunk.ts';
import { engineFolder } from '../../support/engine-folder.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { CLOCK, frameOf, headerOf, reading } from '../../support/wire.ts';

const LIMITS = { timeoutMs: 120_000, maxRows: 10, maxMemoryBytes: 2 ** 30 };
const NOW = Date.now();
const PER_RECORD = 50;
const USES_THE_INDEX = 'SELECT count() AS n FROM readings WHERE log_offset >= 0 AND log_offset < 9';

async function append(log: Log, index: number): Promise<void> {
  const builder = new ChunkBuilder();
  const firstSeq = 1 + index * PER_RECORD;
  for (let k = 0; k < PER_RECORD; k++)
    builder.addReading(reading('a', firstSeq + k, { timeMs: NOW + firstSeq + k }));
  const frame = frameOf(builder.seal(CLOCK), firstSeq);
  const value = encodeReadings(encodeBatch(headerOf(firstSeq), [frame]), NOW + index);
  await log.append('readings', 0, { key: 'demo/gw1', kind: OutputKind.READINGS, value });
}

/** The marks of an index of the newest part of `readings`, empty: every statement that uses it fails. */
function damage(store: string): void {
  const parts = readdirSync(store, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name.startsWith('skp_idx_log_offsets.cmrk'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter(
      (file) => existsSync(join(file, '../skp_idx_times.idx2')) && !file.includes('/detached/'),
    )
    .sort();
  const last = parts.at(-1);
  if (last === undefined) throw new Error('no part to damage');
  truncateSync(last, 0);
}

t.test('damaged files under a running collector', async (t) => {
  const dir = engineFolder(t);
  const path = join(dir, 'store');
  const log = await openSqliteLog({
    path: join(dir, 'log.sqlite'),
    partitions: 1,
    maxBytes: 2 ** 30,
    retentionBytes: 2 ** 29,
    retentionMs: 1e9,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
  const store = await openChdbStore({ path });
  await store.migrate();
  const writers = startWriters({
    log,
    store,
    share: wholeShare(log.partitionCount),
    logger: silentLogger,
    insertIntervalMs: 0,
    backoffMinMs: 1,
  });
  t.teardown(async () => {
    await writers.stop();
    await store.close();
    await log.close();
  });
  let failure: unknown;
  void writers.failed.then((error) => {
    failure = error;
  });
  const written = async (records: number): Promise<void> => {
    const [status] = writers.status();
    while (status!.healing || status!.position < records) {
      if (failure !== undefined) throw failure;
      await delay(10);
    }
  };
  const counts = (): Promise<object[]> =>
    store.query('SELECT count() AS n, uniqExact(seq) AS seqs FROM readings', {}, LIMITS);

  await append(log, 0);
  await written(1);
  await append(log, 1);
  await written(2);
  damage(path);
  await t.rejects(store.query(USES_THE_INDEX, {}, LIMITS), { code: 'STORE_UNAVAILABLE' });
  // The next insert looks at the table first.
  await append(log, 2);
  await written(3);
  t.same(await counts(), [{ n: 150, seqs: 150 }], 'each row once');
  t.same(await store.query(USES_THE_INDEX, {}, LIMITS), [{ n: 150 }]);
  t.equal(writers.status()[0]?.healedRowsTotal, PER_RECORD, 'one part was made up for');

  // Also what is read back after doubt; in a part whose marks nobody has read yet.
  await append(log, 3);
  await written(4);
  damage(path);
  await t.rejects(store.presentReadings(0, 0, 9, 0), { code: 'STORE_PART_DAMAGED' });
  t.equal((await store.presentReadings(0, 0, 9, 0)).size, 1, 'set aside: the rest can be read');
});
