import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { tokenDoor } from '../../collector/broker/door.ts';
import type { Broker } from '../../collector/broker.ts';
import { startBroker } from '../../collector/broker.ts';
import type { Log, LogRecord } from '../../collector/log/log.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import { RawKind } from '../../collector/types.ts';
import { decodeBatch, frameCrcOk } from '../../proto/batch.ts';
import type { Batch, Reading } from '../../proto/model.ts';
import { partitionOf } from '../../proto/partition.ts';
import { decodeState } from '../../proto/state.ts';
import { SimError } from '../../simulators/errors.ts';
import { runFleet } from '../../simulators/fleet.ts';
import { askLedger } from '../../simulators/fleet-ledger.ts';
import type { FleetCounts, FleetOptions } from '../../simulators/fleet-options.ts';
import { fleetDefaults, tokens } from '../../simulators/fleet-options.ts';
import { Histogram } from '../../simulators/histogram.ts';
import { readTruth, TruthWriter } from '../../simulators/truth.ts';
import { allReadings, open } from '../support/wire.ts';

const TOKEN = 'token-of-the-test';
const clock = { wallMs: () => Date.now() };
const logger = { info() {}, warn() {}, error() {} };
const metrics = {
  connections() {},
  handshakeFailed() {},
  refused() {},
  takenOver() {},
  appended() {},
  acknowledged() {},
};

function openLog(t: Test): Promise<Log> {
  return openSqliteLog({
    path: join(t.testdir(), 'log.sqlite'),
    partitions: 1,
    maxBytes: 2 ** 28,
    retentionBytes: 2 ** 28,
    retentionMs: 3_600_000,
    clock,
    log: logger,
  });
}

function openBroker(log: Log, port = 0): Promise<Broker> {
  const authenticate = (username: string, password: string) => {
    const [site, gateway] = username.split('/');
    return site && gateway && password === TOKEN ? { site, gateway } : undefined;
  };
  return startBroker({
    plain: { host: '127.0.0.1', port },
    log,
    partitionOf,
    door: tokenDoor(authenticate),
    clock,
    metrics,
    logger,
  });
}

function optionsFor(port: number, more: Partial<FleetOptions> = {}): FleetOptions {
  return {
    ...fleetDefaults,
    url: `mqtt://127.0.0.1:${port}`,
    tokenOf: tokens(TOKEN, undefined),
    gateways: 3,
    devices: 2,
    channels: 9,
    rowsPerS: 20,
    batchIntervalMs: 100,
    ...more,
  };
}

const never = new AbortController().signal;
const progress = (): void => {};

async function recordsOf(log: Log): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for (let from = 0; ; from = records.at(-1)!.offset + 1) {
    const more = await log.read('raw', 0, from, { maxRecords: 1_000, maxBytes: 2 ** 24 });
    if (more.length === 0) return records;
    records.push(...more);
  }
}

function batchesOf(records: readonly LogRecord[]): Batch[] {
  return records
    .filter((record) => record.kind === RawKind.BATCH)
    .map((record) => {
      const batch = decodeBatch(record.value);
      if (!batch.ok) throw batch.error;
      if (record.key !== `demo/${batch.value.gateway}`) throw new Error(record.key);
      return batch.value;
    });
}

function readingsOf(batches: readonly Batch[]): Reading[] {
  return batches.flatMap((batch) =>
    batch.chunks.flatMap((frame) => {
      if (!frameCrcOk(batch.epoch, frame)) throw new Error('CRC');
      return allReadings(open(frame));
    }),
  );
}

/** Every gateway's seqs are 1..n, each at least once. */
function seqsOf(batches: readonly Batch[]): Map<string, Set<number>> {
  const seqs = new Map<string, Set<number>>();
  for (const batch of batches) {
    const own = seqs.get(batch.gateway) ?? new Set();
    seqs.set(batch.gateway, own);
    for (const { firstSeq, count } of batch.chunks)
      for (let i = 0; i < count; i++) own.add(firstSeq + i);
  }
  return seqs;
}

t.test('what it sends is in the log and in its truth file', async (t) => {
  const log = await openLog(t);
  const broker = await openBroker(log);
  const path = join(t.testdirName, 'truth.jsonl');
  const truth = new TruthWriter(path);
  const options = optionsFor(broker.port, { seconds: 1, truth });
  const report = await runFleet(options, { signal: never, progress });
  truth.close();
  t.equal(report.dueBatches, 30);
  t.equal(report.sentBatches, 30);
  t.equal(report.ackedReadings, 30 * 2 * 2 * 9, '2 rows of 2 devices a batch');
  t.equal(report.unackedBatches, 0);
  t.ok(report.p50Ms > 0 && report.p50Ms <= report.p99Ms && report.p99Ms <= report.maxMs);

  const records = await recordsOf(log);
  const states = records.filter((record) => record.kind === RawKind.STATE);
  t.same(
    states
      .map((record) => decodeState(record.value))
      .map((s) => s.ok && [s.value.gateway, s.value.online])
      // They connect side by side.
      .sort(),
    ['fleet1', 'fleet2', 'fleet3'].map((gateway) => [gateway, true]),
  );
  const batches = batchesOf(records);
  for (const [gateway, seqs] of seqsOf(batches)) t.equal(Math.max(...seqs), seqs.size, gateway);
  const stored = readingsOf(batches).map((r) => `${r.device}|${r.channel}|${r.timeMs}|${r.value}`);
  const emitted: string[] = [];
  for await (const entry of readTruth(path)) {
    if (entry.type !== 'row') continue;
    for (const [channel, value] of Object.entries(entry.values))
      emitted.push(`${entry.device}|${channel}|${entry.time_ms}|${value}`);
  }
  t.same(stored.sort(), emitted.sort());
  t.equal(new Set(stored).size, stored.length, 'no reading has the name of another');
  await broker.close();
  await log.close();
});

t.test('pre-encoded chunks are numbered like others; payloads are repeated', async (t) => {
  const log = await openLog(t);
  const broker = await openBroker(log);
  const run = (mode: 'chunks' | 'payload') =>
    runFleet(optionsFor(broker.port, { mode, seconds: 0.5, gateways: 2 }), {
      signal: never,
      progress,
    });
  const chunks = await run('chunks');
  const numbered = batchesOf(await recordsOf(log));
  t.equal(readingsOf(numbered).length, chunks.ackedReadings);
  for (const [gateway, seqs] of seqsOf(numbered))
    t.equal(seqs.size, chunks.ackedReadings / 2, gateway);
  const payloads = await run('payload');
  t.equal(payloads.ackedBatches, 10);
  const repeated = (await recordsOf(log))
    .filter((r) => r.kind === RawKind.BATCH)
    .slice(numbered.length);
  t.equal(
    new Set(repeated.map((r) => Buffer.from(r.value).toString('hex'))).size,
    2,
    'one a gateway',
  );
  await broker.close();
  await log.close();
});

t.test('sends again what was not acknowledged when the connection was lost', async (t) => {
  const log = await openLog(t);
  let broker = await openBroker(log);
  const { port } = broker;
  const ending = new AbortController();
  const started = Promise.withResolvers<Readonly<FleetCounts>>();
  const fleet = runFleet(optionsFor(port), {
    signal: ending.signal,
    progress,
    onStarted: started.resolve,
  });
  const counts = await started.promise;
  await until(() => counts.ackedBatches >= 10);
  await broker.close();
  await until(() => counts.connected === 0);
  broker = await openBroker(log, port);
  await until(() => counts.connected === 3);
  ending.abort();
  const report = await fleet;
  t.equal(report.unackedBatches, 0);
  t.equal(report.connectionsLostTotal, 3);
  t.equal(report.ackedBatches, report.sentBatches);
  const seqs = seqsOf(batchesOf(await recordsOf(log)));
  const total = [...seqs.values()].reduce((sum, own) => sum + own.size, 0);
  t.equal(total, report.sentReadings, 'every seq is there');
  await broker.close();
  await log.close();
});

async function until(met: () => boolean): Promise<void> {
  while (!met()) await new Promise((resolve) => setTimeout(resolve, 5));
}

t.test('is let go when it is not let in', async (t) => {
  const log = await openLog(t);
  const broker = await openBroker(log);
  const ending = new AbortController();
  const options = optionsFor(broker.port, { tokenOf: () => 'wrong', drainMs: 0 });
  let said = '';
  const fleet = runFleet(options, {
    signal: ending.signal,
    progress: (line) => {
      said = line;
      ending.abort();
    },
  });
  const report = await fleet;
  t.match(said, /0\/3 gateways .*refused/i);
  t.ok(report.connectFailuresTotal >= 3);
  t.equal(report.sentBatches, 0);
  t.equal((await recordsOf(log)).length, 0);
  await broker.close();
  await log.close();
});

t.test('adds up the ledger of its own epochs, over all pages', async (t) => {
  const line = (epoch: string, balance: number): object => ({
    epoch, stored: 10, quarantined: 1, duplicates: 2, gap_readings: 3, in_flight: 4, balance,
  }); // biome-ignore format: short
  const pages: Record<string, object> = {
    '': { items: [line('a', 5), line('foreign', 0)], next: 'two' },
    two: { items: [line('b', -5)], next: null },
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    response.end(JSON.stringify(pages[url.searchParams.get('cursor') ?? '']));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const wanted = {
    stored: 20,
    quarantined: 2,
    duplicates: 4,
    gapReadings: 6,
    inFlight: 8,
    balance: 10,
  };
  t.same(await askLedger(url, 'demo', new Set(['a', 'b'])), wanted);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  t.equal(await askLedger(url, 'demo', new Set()), undefined, 'nobody answers');
});

t.test('tokens', async (t) => {
  const tokenOf = tokens('common', { 'demo/gw2': 'own' });
  t.equal(tokenOf({ site: 'demo', gateway: 'gw1' }), 'common');
  t.equal(tokenOf({ site: 'demo', gateway: 'gw2' }), 'own');
  t.throws(() => tokens(undefined, {})({ site: 'demo', gateway: 'gw1' }), SimError);
  t.throws(() => tokens(undefined, ['x']), SimError);
});

t.test('quantiles are right within 2 %', async (t) => {
  const histogram = new Histogram();
  t.equal(histogram.quantileMs(0.99), 0);
  for (let i = 1; i <= 10_000; i++) histogram.add(i / 10);
  for (const q of [0.01, 0.5, 0.95, 0.99]) {
    const quantile = histogram.quantileMs(q);
    t.ok(quantile >= q * 1_000 && quantile <= q * 1_020, `${q}: ${quantile}`);
  }
  t.equal(histogram.quantileMs(1), 1_000);
  t.equal(histogram.maxMs, 1_000);
  histogram.add(0);
  histogram.add(1e12);
  t.equal(histogram.count, 10_002);
});
