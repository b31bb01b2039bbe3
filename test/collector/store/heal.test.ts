/** A store that is older than the log gets back what it lacks. A file of its own: see chdb.test.ts. */

import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import type { Log } from '../../../collector/log/log.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { encodeEvents } from '../../../collector/processor/outputs/event.ts';
import { encodeReadings } from '../../../collector/processor/outputs/readings.ts';
import { wholeShare } from '../../../collector/shares.ts';
import { openChdbStore } from '../../../collector/store/chdb.ts';
import { startWriters } from '../../../collector/store/writer.ts';
import { OutputKind } from '../../../collector/types.ts';
import { encodeBatch } from '../../../proto/batch.ts';
import { ChunkBuilder } from '../../../proto/chunk.ts';
import { engineFolder } from '../../support/engine-folder.ts';
import { CLOCK, frameOf, headerOf, reading } from '../../support/wire.ts';

const silent = { info() {}, warn() {}, error() {} };
const LIMITS = { timeoutMs: 120_000, maxRows: 10, maxMemoryBytes: 2 ** 30 };
const NOW = Date.now();
const PER_RECORD = 50;

async function append(log: Log, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const builder = new ChunkBuilder();
    const firstSeq = 1 + i * PER_RECORD;
    for (let k = 0; k < PER_RECORD; k++) {
      builder.addReading(reading('a', firstSeq + k, { timeMs: NOW + firstSeq + k }));
    }
    const batch = encodeBatch(headerOf(firstSeq), [frameOf(builder.seal(CLOCK), firstSeq)]);
    const value = encodeReadings(batch, NOW + i);
    await log.append('readings', 0, { key: 'demo/gw1', kind: OutputKind.READINGS, value });
    const event = {
      site: 'demo', gateway: 'gw1', device: '', timeMs: NOW + i, kind: 'gap', severity: 'info',
      detail: { i },
    } as const; // biome-ignore format: a table
    const events = encodeEvents([event]);
    await log.append('events', 0, { key: 'demo/gw1', kind: OutputKind.EVENT, value: events });
  }
}

/** Opens the store, lets the writers do all that there is to do, answers what is there. */
async function write(log: Log, path: string): Promise<Record<string, unknown>> {
  const store = await openChdbStore({ path, retentionDays: 30 });
  await store.migrate();
  const writers = startWriters({
    log,
    store,
    share: wholeShare(log.partitionCount),
    logger: silent,
    insertIntervalMs: 0,
  });
  const ends = await Promise.all(
    (['readings', 'events'] as const).map((topic) => log.bounds(topic, 0)),
  );
  const isDone = (): boolean => {
    const [readings, , events] = writers.status();
    if (readings!.healing || events!.healing) return false;
    return readings!.position >= ends[0]!.next && events!.position >= ends[1]!.next;
  };
  while (!isDone()) await delay(10);
  await writers.stop();
  const [found] = await store.query<Record<string, unknown>>(
    `SELECT count() AS n, uniqExact(seq) AS seqs, (SELECT count() FROM events) AS events,
  (SELECT max(value) FROM devices) AS newest FROM readings`,
    {},
    LIMITS,
  );
  await store.close();
  return found!;
}

t.test('a store that is deleted or restored under a log that stays', async (t) => {
  const dir = engineFolder(t);
  const path = join(dir, 'store');
  const log = await openSqliteLog({
    path: join(dir, 'log.sqlite'),
    partitions: 1,
    maxBytes: 2 ** 30,
    retentionBytes: 2 ** 29,
    retentionMs: 1e9,
    clock: { wallMs: () => Date.now() },
    log: silent,
  });
  const whole = (records: number) => ({
    n: records * PER_RECORD,
    seqs: records * PER_RECORD,
    events: records,
    newest: records * PER_RECORD,
  });
  await append(log, 0, 40);
  t.same(await write(log, path), whole(40));
  await cp(path, join(dir, 'yesterday'), { recursive: true });
  await append(log, 40, 100);
  t.same(await write(log, path), whole(100));

  await rm(path, { recursive: true });
  await cp(join(dir, 'yesterday'), path, { recursive: true });
  await append(log, 100, 110);
  t.same(await write(log, path), whole(110), 'restored');

  await rm(path, { recursive: true });
  t.same(await write(log, path), whole(110), 'deleted, and nothing new came');
  t.same(await write(log, path), whole(110), 'and then no more');
  await log.close();
});
