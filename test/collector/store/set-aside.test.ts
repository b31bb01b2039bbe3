/**
 * Parts that the engine sets aside when it opens a store after a power cut: their rows come from the log
 * again, also when the end of what was written is whole. A file of its own: see chdb.test.ts.
 */

import { existsSync, writeFileSync } from 'node:fs';
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
import { empty, emptyMerged, partsOf } from '../../faults/support/store-damage.ts';
import { engineFolder } from '../../support/engine-folder.ts';
import { appendReadings, settled, startRollupPlant } from '../../support/rollup-plant.ts';
import { differences } from '../../support/rollup-recount.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { CLOCK, frameOf, headerOf, reading } from '../../support/wire.ts';

const LIMITS = { timeoutMs: 120_000, maxRows: 10, maxMemoryBytes: 2 ** 30 };
const NOW = Date.now();
const PER_RECORD = 50;
/** More than a writer looks at by itself. */
const RECORDS_LATER = 20;

async function append(log: Log, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const builder = new ChunkBuilder();
    const firstSeq = 1 + i * PER_RECORD;
    for (let k = 0; k < PER_RECORD; k++)
      builder.addReading(reading('a', firstSeq + k, { timeMs: NOW + firstSeq + k }));
    const batch = encodeBatch(headerOf(firstSeq), [frameOf(builder.seal(CLOCK), firstSeq)]);
    const value = encodeReadings(batch, NOW + i);
    await log.append('readings', 0, { key: 'demo/gw1', kind: OutputKind.READINGS, value });
  }
}

interface Found {
  rows: { n: number; seqs: number }[];
  healed: number;
}

/** Opens the store, lets the writers do all that there is to do. Nothing is merged but at the end. */
async function write(log: Log, path: string, merge = false): Promise<Found> {
  const store = await openChdbStore({ path });
  await store.migrate();
  await store.execute('SYSTEM STOP MERGES', {}, LIMITS);
  const writers = startWriters({
    log,
    store,
    share: wholeShare(log.partitionCount),
    logger: silentLogger,
    insertIntervalMs: 0,
  });
  const { next } = await log.bounds('readings', 0);
  const [status] = writers.status();
  while (status!.healing || status!.position < next) await delay(10);
  const healed = status!.healedRowsTotal;
  await writers.stop();
  const rows = await store.query<{ n: number; seqs: number }>(
    'SELECT count() AS n, uniqExact(seq) AS seqs FROM readings',
    {},
    LIMITS,
  );
  if (merge) {
    await store.execute('SYSTEM START MERGES', {}, LIMITS);
    await store.execute('OPTIMIZE TABLE readings FINAL', {}, LIMITS);
  }
  await store.close();
  return { rows, healed };
}

t.test('a part that is damaged when the store is opened', async (t) => {
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
  t.teardown(() => log.close());
  const whole = (records: number) => [{ n: records * PER_RECORD, seqs: records * PER_RECORD }];
  await append(log, 0, 1);
  await write(log, path);
  await append(log, 1, 1 + RECORDS_LATER);
  t.same((await write(log, path)).rows, whole(21));
  const parts = partsOf(path, 'readings');
  const oldest = parts.at(-1)!;
  t.ok(parts.length > 1, 'the oldest is not the newest');
  empty(oldest, 'data.bin');
  t.same(await write(log, path), { rows: whole(21), healed: PER_RECORD });
  t.same(await write(log, path), { rows: whole(21), healed: 0 }, 'once');

  // What is remembered of it is only that it need not be looked for again.
  writeFileSync(join(path, 'set-aside.json'), '{"writer');
  t.same(await write(log, path), { rows: whole(21), healed: 0 });
  t.ok(existsSync(join(path, 'set-aside.json')));

  // A merge that was not synced: what it was made of is still there.
  await write(log, path, true);
  const [merged] = partsOf(path, 'readings');
  t.ok(merged!.paths.length > 1);
  emptyMerged(merged!);
  t.same(await write(log, path), { rows: whole(21), healed: 0 }, 'nothing was lost');
});

t.test('a store opens however much of it is damaged', async (t) => {
  const store = await openChdbStore({ path: join(engineFolder(t), 'store') });
  t.teardown(() => store.close());
  await store.migrate();
  const strict = await store.query<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree')
  AND NOT (create_table_query LIKE '%max_suspicious_broken_parts = 1000000,%'
    AND create_table_query LIKE '%max_suspicious_broken_parts_bytes = 1000000000000000%')`,
    {},
    { ...LIMITS, maxRows: 100 },
  );
  t.same(strict, []);
});

t.test('parts of roll-ups, damaged before a start and under a running collector', async (t) => {
  const dir = engineFolder(t);
  const receivedMs = Date.now();
  const append = (log: Log, minute: number): Promise<void> =>
    appendReadings(
      log,
      Array.from({ length: 20 }, (_, i) => reading('a', i, { timeMs: NOW + minute * 60_000 + i })),
      { receivedMs: receivedMs + minute },
    );
  const damage = (): void => {
    for (const part of partsOf(join(dir, 'store'), 'readings_1m')) empty(part, 'data.bin');
  };
  const plant = await startRollupPlant(dir);
  for (let minute = 0; minute < 5; minute++) await append(plant.log, minute);
  await settled(plant);
  damage();
  // The hours are made of the minutes: that meets the damage.
  await append(plant.log, 5);
  await settled(plant);
  t.same(await differences(plant.store), [], 'under a running collector');
  await plant.stop();

  damage();
  const again = await startRollupPlant(dir);
  t.teardown(() => again.stop());
  await settled(again);
  t.same(await differences(again.store), [], 'before a start');
  const asked = again.store.setAside.unknownTo('rollups', ['readings_1m']);
  t.same(await asked, [], 'and never again');
});

t.test('the newest reading of a device that sends nothing any more', async (t) => {
  const dir = engineFolder(t);
  const options = { withoutRollups: true };
  let plant = await startRollupPlant(dir, options);
  const append = (device: string): Promise<void> => {
    const one = { ...reading('a', 1, { timeMs: NOW }), device };
    return appendReadings(plant.log, [one], { receivedMs: Date.now() });
  };
  const restart = async (): Promise<void> => {
    const { next } = await plant.log.bounds('readings', 0);
    while (plant.writers.status()[0]!.position < next) await delay(10);
    await plant.stop();
    for (const part of partsOf(join(dir, 'store'), 'devices')) empty(part);
    plant = await startRollupPlant(dir, options);
  };
  t.teardown(() => plant.stop());
  await append('silent');
  await append('other');
  await restart();
  await restart();
  while (plant.writers.status()[0]!.healing) await delay(10);
  const names = (): Promise<object[]> =>
    plant.store.query('SELECT DISTINCT device FROM devices ORDER BY device', {}, LIMITS);
  while ((await names()).length < 2) await delay(20);
  t.same(await names(), [{ device: 'other' }, { device: 'silent' }]);
});
