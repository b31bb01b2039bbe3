/**
 * Writers before a ClickHouse server that fails, is slow, or is not there, and writers that are killed or frozen
 * while others take over: every row of the log once.
 */

import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import type { Log } from '../../collector/log/log.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import { encodeEvents } from '../../collector/processor/outputs/event.ts';
import { encodeReadings } from '../../collector/processor/outputs/readings.ts';
import { wholeShare } from '../../collector/shares.ts';
import { openClickHouseStore } from '../../collector/store/clickhouse.ts';
import type { Store } from '../../collector/store/store.ts';
import { startWriters } from '../../collector/store/writer.ts';
import { OutputKind } from '../../collector/types.ts';
import { encodeBatch } from '../../proto/batch.ts';
import { ChunkBuilder } from '../../proto/chunk.ts';
import type { ClickHouseFront } from '../support/clickhouse-front.ts';
import { startClickHouseFront } from '../support/clickhouse-front.ts';
import type { Fault } from '../support/clickhouse-front-faults.ts';
import { serveLog } from '../support/remote-log.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { CLOCK, frameOf, headerOf, reading } from '../support/wire.ts';

const THOROUGH = process.env.FMS_TEST_THOROUGH === '1';
const SLOW_MS = THOROUGH ? 10_000 : 2_000;
const ROUNDS = THOROUGH ? 60 : 5;
const LIMITS = { timeoutMs: 60_000, maxRows: 10, maxMemoryBytes: 2 ** 30 };
const CHILD = join(import.meta.dirname, '../support/writer-child.ts');
const PER_RECORD = 20;
const DAY_MS = 86_400_000;

/** A log, and what was appended to it. */
class Source {
  readonly log: Log;
  records = 0;

  constructor(log: Log) {
    this.log = log;
  }

  /** Of three weeks of receipt: an insert has several parts. */
  async append(records: number): Promise<void> {
    for (let i = 0; i < records; i++) {
      const seq = 1 + this.records * PER_RECORD;
      const atMs = Date.now() - 20 * DAY_MS + (this.records % 3) * 7 * DAY_MS;
      this.records++;
      const builder = new ChunkBuilder();
      for (let k = 0; k < PER_RECORD; k++)
        builder.addReading(reading('a', seq + k, { timeMs: atMs + k }));
      const batch = encodeBatch(headerOf(seq), [frameOf(builder.seal(CLOCK), seq)]);
      const key = 'demo/gw1';
      const value = encodeReadings(batch, atMs);
      await this.log.append('readings', 0, { key, kind: OutputKind.READINGS, value });
      const event = {
        site: 'demo', gateway: 'gw1', device: '', timeMs: atMs, kind: 'gap', severity: 'info', detail: {},
      } as const; // biome-ignore format: a table
      const events = encodeEvents([event, { ...event, timeMs: atMs - 60 * DAY_MS }]);
      await this.log.append('events', 0, { key, kind: OutputKind.EVENT, value: events });
    }
  }

  get whole(): object {
    const readings = this.records * PER_RECORD;
    const events = this.records * 2;
    return { readings, seqs: readings, events, places: events };
  }
}

async function sourceOf(t: Test): Promise<Source> {
  const log = await openSqliteLog({
    path: join(t.testdir(), 'log.sqlite'),
    partitions: 1,
    maxBytes: 2 ** 30,
    retentionBytes: 2 ** 29,
    retentionMs: 1e9,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
  t.teardown(() => log.close());
  return new Source(log);
}

async function found(store: Store, logId: string): Promise<Record<string, number>> {
  const [row] = await store.query<Record<string, number>>(
    `SELECT count() AS readings, uniqExact(seq) AS seqs,
  (SELECT count() FROM events WHERE log_id = {log_id:String}) AS events,
  (SELECT uniqExact(log_offset, log_index) FROM events WHERE log_id = {log_id:String}) AS places
FROM readings`,
    { log_id: logId },
    LIMITS,
  );
  return row!;
}

/** Until all is there; what is there then, once nothing more can come. */
async function complete(store: Store, source: Source): Promise<Record<string, number>> {
  for (;;) {
    const now = await found(store, source.log.identity).catch(() => undefined);
    const { readings, events } = source.whole as Record<string, number>;
    if (now !== undefined && now.seqs! >= readings! && now.places! >= events!) return now;
    await delay(50);
  }
}

const clean = async (store: Store): Promise<void> => {
  for (const table of ['readings', 'events'])
    await store.execute(`TRUNCATE TABLE ${table}`, {}, LIMITS);
};

let front: ClickHouseFront;
let store: Store;
t.before(async () => {
  front = await startClickHouseFront(t);
  store = await openClickHouseStore({ clickhouse: front.config(), retentionDays: 0 });
  await store.migrate();
});
t.teardown(() => store.close());

t.test('a server that fails in every way', async (t) => {
  const source = await sourceOf(t);
  const codes = new Set<string>();
  const note = (fields: object): void => {
    if ('code' in fields) codes.add(String(fields.code));
  };
  const logger = { info: note, warn: note, error: note };
  const share = wholeShare(1);
  const own = await openClickHouseStore({
    clickhouse: front.config(),
    retentionDays: 0,
    times: { insertMs: SLOW_MS / 2, settleMs: 2_000 },
  });
  t.teardown(() => own.close());
  const fast = { insertIntervalMs: 0, backoffMinMs: 5 };
  const writers = startWriters({ log: source.log, store: own, share, logger, ...fast });
  const faults: Fault[] = [
    { kind: 'lost', times: 3 },
    { kind: 'error', code: 252, times: 2 },
    { kind: 'error', code: 242 },
    // Longer than the collector waits.
    { kind: 'late', delayMs: SLOW_MS },
    { kind: 'lost', match: 'INSERT INTO writer_passes' },
    { kind: 'cut' },
    { kind: 'unavailable', times: 2 },
    { kind: 'held', delayMs: SLOW_MS },
  ];
  for (let i = 0; i < ROUNDS; i++) {
    const fault = faults[i % faults.length]!;
    const { struck } = await front.status();
    await front.fault(fault);
    if (fault.match !== undefined) await front.fault({ kind: 'lost' });
    await source.append(4);
    while ((await front.status()).struck === struck) await delay(5);
    if (i % 5 === 1) {
      await front.refuse();
      await source.append(2);
      await delay(20);
      await front.listen();
    }
    if (i % 5 === 2) {
      await front.kill();
      await source.append(2);
      await front.start();
    }
    await complete(store, source);
    await front.clear();
  }
  t.same(await complete(store, source), source.whole);
  await writers.stop();
  t.same(await found(store, source.log.identity), source.whole, 'and nothing comes later');
  for (const code of ['STORE_BUSY', 'STORE_READ_ONLY', 'STORE_UNAVAILABLE'])
    t.ok(codes.has(code), code);
  t.equal(writers.status()[0]?.lastError, '');
  await clean(store);
});

t.test('a slow server holds up only what is slow', async (t) => {
  const source = await sourceOf(t);
  await front.fault({ kind: 'slow', match: 'INSERT INTO readings', delayMs: SLOW_MS, times: 2 });
  const writers = startWriters({
    log: source.log,
    store,
    share: wholeShare(1),
    logger: silentLogger,
    insertIntervalMs: 0,
  });
  await source.append(3);
  const written = (topic: string): number =>
    writers.status().find((one) => one.topic === topic)?.position ?? 0;
  while (written('events') < 3) await delay(10);
  t.ok(written('readings') < 3, 'events do not wait for readings');
  t.same(await complete(store, source), source.whole);
  await writers.stop();
  await front.clear();
  await clean(store);
});

class Writer {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  onAnswer: (method: string) => void = () => undefined;

  constructor(source: Source) {
    const { identity } = source.log;
    const argument = JSON.stringify({ clickhouse: front.config(), identity });
    this.child = fork(CHILD, [argument], {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    serveLog(this.child, source.log, (method) => this.onAnswer(method));
    if (this.child.stdout !== null)
      createInterface(this.child.stdout).on('line', (line) => this.lines.push(line));
  }

  async said(line: string): Promise<void> {
    while (!this.lines.includes(line)) await delay(10);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

t.test('a writer is frozen or killed, another one takes over', async (t) => {
  const cases = ['frozen, its insert on its way', 'frozen before it sends', 'killed'] as const;
  const source = await sourceOf(t);
  let owner = new Writer(source);
  t.teardown(() => owner.kill());
  await owner.said('ready');
  for (const name of cases) {
    const first = owner;
    await source.append(3);
    await complete(store, source);
    if (name === 'frozen before it sends') {
      const frozen = new Promise<void>((resolve) => {
        first.onAnswer = (method) => {
          if (method !== 'declareIntent') return;
          first.child.kill('SIGSTOP');
          first.onAnswer = () => undefined;
          resolve();
        };
      });
      await source.append(3);
      await frozen;
    } else {
      const kind = name === 'killed' ? 'slow' : 'held';
      const before = (await front.status()).struck;
      await front.fault({ kind, match: 'INSERT INTO readings', delayMs: 600_000 });
      await source.append(3);
      while ((await front.status()).struck === before) await delay(10);
      if (name === 'killed') await first.kill();
      else first.child.kill('SIGSTOP');
    }
    owner = new Writer(source);
    const what = `${name}: the other one writes what is missing`;
    t.same(await complete(store, source), source.whole, what);
    await front.clear();
    if (name !== 'killed') {
      first.child.kill('SIGCONT');
      // What it sends now, or has sent, comes to nothing.
      await source.append(2);
      await first.said('fenced');
    }
    t.same(await complete(store, source), source.whole, `${name}: and nothing twice`);
    await first.kill();
  }
});
