/**
 * A store that was away while the log went on filling: the backlog goes in with large inserts, one at a time for each
 * partition, falls while new data keeps coming, and holds up neither the other topics nor memory.
 */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import type { CollectorErrorCode } from '../../collector/errors.ts';
import { CollectorError } from '../../collector/errors.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import { encodeEvents } from '../../collector/processor/outputs/event.ts';
import { encodeReadings } from '../../collector/processor/outputs/readings.ts';
import { wholeShare } from '../../collector/shares.ts';
import type { ReadingColumns } from '../../collector/store/columns.ts';
import { startWriters } from '../../collector/store/writer.ts';
import { OutputKind } from '../../collector/types.ts';
import { encodeBatch } from '../../proto/batch.ts';
import { ChunkBuilder } from '../../proto/chunk.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { CLOCK, frameOf, headerOf, reading, T0 } from '../support/wire.ts';

const THOROUGH = process.env.FMS_TEST_THOROUGH === '1';
/** An hour of 1,000 readings a second. */
const BACKLOG = THOROUGH ? 3_600_000 : 600_000;
const PER_RECORD = 1_000;
const PARTITIONS = 2;
/** What an insert takes, whatever is in it: small ones would never catch up. */
const INSERT_MS = 60;

/** Takes its time; knows each reading by its seq. */
class SlowStore extends MemoryStore {
  failure: CollectorErrorCode | undefined;
  readonly sizes: number[] = [];
  readonly #seen = new Set<number>();
  readonly #running = new Set<string>();
  twice = 0;
  atOnce = 0;

  get count(): number {
    return this.#seen.size;
  }

  override async insertReadings(readings: ReadingColumns, token: string): Promise<void> {
    if (readings.count === 0) return;
    await delay(INSERT_MS);
    this.#check();
    // If events waited for the backlog of readings, neither would ever end.
    while (this.rows.events.length === 0) await delay(5);
    const partition = token.split('/')[2] ?? '';
    if (this.#running.has(partition)) this.atOnce++;
    this.#running.add(partition);
    const { runs } = readings;
    for (let r = 0; r < runs.length; r++) {
      for (let i = 0; i < runs.counts[r]!; i++) {
        const seq = runs.firstSeqs[r]! + i;
        if (this.#seen.has(seq)) this.twice++;
        this.#seen.add(seq);
      }
    }
    this.sizes.push(readings.count);
    await delay(INSERT_MS);
    this.#running.delete(partition);
  }

  override async admit(): Promise<void> {
    this.#check();
  }

  #check(): void {
    if (this.failure !== undefined) throw new CollectorError(this.failure, 'by the test');
  }
}

t.test('a backlog falls while new data comes', async (t) => {
  const log = await openSqliteLog({
    path: join(t.testdir(), 'log.sqlite'),
    partitions: PARTITIONS,
    maxBytes: 2 ** 31,
    retentionBytes: 2 ** 29,
    retentionMs: 1e9,
    clock: { wallMs: () => Date.now() },
    log: { info() {}, warn() {}, error() {} },
  });
  t.teardown(() => log.close());
  let seq = 1;
  const key = 'demo/gw1';
  const append = async (): Promise<void> => {
    const builder = new ChunkBuilder();
    for (let i = 0; i < PER_RECORD; i++)
      builder.addReading(reading('a', seq + i, { timeMs: T0 + seq + i }));
    const batch = encodeBatch(headerOf(seq + PER_RECORD - 1), [frameOf(builder.seal(CLOCK), seq)]);
    const value = encodeReadings(batch, T0);
    const partition = ((seq / PER_RECORD) % PARTITIONS) | 0;
    seq += PER_RECORD;
    await log.append('readings', partition, { key, kind: OutputKind.READINGS, value });
  };
  const event = encodeEvents([
    {
      site: 'demo', gateway: 'gw1', device: '', timeMs: T0, kind: 'gap', severity: 'info', detail: {},
    },
  ]); // biome-ignore format: a table

  const store = new SlowStore();
  store.failure = 'STORE_READ_ONLY';
  const codes = new Set<string>();
  const writers = startWriters({
    log,
    store,
    share: wholeShare(PARTITIONS),
    logger: {
      info() {},
      warn: (fields) => codes.add(String(Reflect.get(fields, 'code'))),
      error() {},
    },
    backoffMinMs: 5,
  });
  while (seq <= BACKLOG) await append();
  t.equal(store.count, 0);
  t.ok(codes.has('STORE_READ_ONLY'));
  t.match(writers.status()[0]?.lastCode, 'STORE_READ_ONLY');
  store.failure = undefined;

  // New data, as much as ten inserts a second would not take in small pieces.
  let isLive = true;
  let live = 0;
  const living = (async () => {
    for (; isLive; live++) {
      await append();
      await log.append('events', 0, { key, kind: OutputKind.EVENT, value: event });
      await delay(10);
    }
  })();
  const lags: number[] = [];
  const lag = (): number => seq - 1 - store.count;
  while (lag() > 50 * PER_RECORD) {
    lags.push(lag());
    await delay(200);
  }
  const liveMeanwhile = live;
  const events = store.rows.events.length;
  isLive = false;
  await living;
  while (lag() > 0) await delay(10);
  await writers.stop();

  t.ok(liveMeanwhile > 10, `${liveMeanwhile} records came meanwhile`);
  t.ok(events > 0, 'events did not wait for the backlog of readings');
  t.comment(`it fell while new data came: ${lags.join(' ')}`);
  t.ok(Math.max(...store.sizes) >= 150_000, `the largest insert: ${Math.max(...store.sizes)} rows`);
  t.equal(store.atOnce, 0, 'one insert at a time for each partition');
  t.equal(store.twice, 0, 'each reading once');
  t.equal(store.count, seq - 1);
});
