/**
 * Log, processing, writers and embedded store in one process, to be killed:
 * `node test/support/pipeline-child.ts FOLDER load|check EPOCH`.
 * load: appends batches of EPOCH for ever and prints `acked SEQ` for each that is durable.
 * check: appends nothing, waits until all is written, prints what the tables hold, and what the deep check
 * of the ledger says, as one JSON line.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LiveAlerts } from '../../collector/api/live/alerts.ts';
import { LiveDevices } from '../../collector/api/live/devices.ts';
import { fillFromStore } from '../../collector/api/live/fill.ts';
import { LiveFleet } from '../../collector/api/live/fleet.ts';
import type { DeepProblem } from '../../collector/ledger/deep.ts';
import { checkDeep } from '../../collector/ledger/deep.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import { startProcessing } from '../../collector/processing.ts';
import { wholeShare } from '../../collector/shares.ts';
import { openChdbStore } from '../../collector/store/chdb.ts';
import { startWriters } from '../../collector/store/writer.ts';
import { RawKind } from '../../collector/types.ts';
import { encodeBatch } from '../../proto/batch.ts';
import { ChunkBuilder } from '../../proto/chunk.ts';
import type { ChunkFrame } from '../../proto/model.ts';
import { CLOCK, frameOf, headerOf, reading, T0 } from './wire.ts';

const CHUNK = 500;
const CHUNKS = 4;

const [folder, mode, epoch] = process.argv.slice(2);
if (folder === undefined || epoch === undefined) throw new Error('usage: FOLDER load|check EPOCH');
mkdirSync(folder, { recursive: true });
const say = (fields: object, message: string): void => console.error(message, fields);
const logger = { info() {}, warn: say, error: say };
const log = await openSqliteLog({
  path: join(folder, 'log.sqlite'),
  partitions: 1,
  maxBytes: 2 ** 30,
  retentionBytes: 2 ** 29,
  retentionMs: 1e9,
  clock: { wallMs: () => Date.now() },
  log: logger,
});
const store = await openChdbStore({ path: join(folder, 'store') });
await store.migrate();
const processing = startProcessing({ log, logger });
const writers = startWriters({
  log,
  store,
  share: wholeShare(log.partitionCount),
  logger,
  insertIntervalMs: 0,
});
for (const part of [processing, writers]) {
  part.failed.then((error) => {
    if (error !== undefined) throw error;
  });
}
const append = (kind: string, value: Uint8Array): Promise<number> =>
  log.append('raw', 0, { key: kind === RawKind.TICK ? '' : 'demo/gw1', kind, value });

if (mode === 'load') {
  console.log('ready');
  for (let seq = 1; ; ) {
    const chunks: ChunkFrame[] = [];
    for (let i = 0; i < CHUNKS; i++) {
      const builder = new ChunkBuilder();
      for (let n = 0; n < CHUNK; n++) {
        // Series by series, as a chunk numbers them: then a reading's value is its seq.
        builder.addReading(reading(`c${Math.floor(n / 50)}`, seq + n, { timeMs: T0 + seq + n }));
      }
      const head = Buffer.from('?');
      builder.addReject({ timeMs: T0, device: 'D', reason: 'garbage', detail: '', head });
      chunks.push(frameOf(builder.seal(CLOCK), seq, epoch));
      seq += CHUNK + 1;
    }
    const last = seq - 1;
    // Twice, as after a lost PUBACK.
    const payload = encodeBatch(headerOf(last, { epoch }), chunks);
    await Promise.all([
      append(RawKind.BATCH, payload),
      append(RawKind.BATCH, payload),
      append(RawKind.TICK, new Uint8Array(0)),
    ]);
    console.log(`acked ${last}`);
  }
}

await delay(1_000);
// Time must pass in the log for the last ledger rows.
await append(RawKind.TICK, new Uint8Array(0));
const { next } = await log.bounds('raw', 0);
while ((processing.status()[0]?.position ?? 0) < next) await delay(10);
for (const status of writers.status()) {
  const { next: end } = await log.bounds(status.topic, 0);
  while (status.position < end) await delay(10);
}
const fleet = new LiveFleet();
const signal = new AbortController().signal;
const alerts = new LiveAlerts();
await fillFromStore(store, { devices: new LiveDevices(), fleet, alerts, logId: '' }, signal);
const problems: DeepProblem[] = [];
const deep = await checkDeep({
  store,
  scope: {},
  ledger: () => fleet.ledgerOf('demo', 'gw1'),
  complete: () => true,
  written: async () => undefined,
  nowMs: Date.now(),
  onProgress: () => undefined,
  onProblem: (problem) => problems.push(problem),
  signal,
});
const limits = { timeoutMs: 60_000, maxRows: 1_000, maxMemoryBytes: 2 ** 30 };
const ask = (sql: string): Promise<unknown[]> => store.query(sql, {}, limits);
const tables = {
  readings: await ask(
    `SELECT epoch, count() AS rows, uniqExact(seq) AS seqs, sum(seq != value) AS wrong
FROM readings GROUP BY epoch ORDER BY epoch`,
  ),
  quarantine: await ask(
    `SELECT epoch, count() AS rows, uniqExact(seq) AS seqs FROM quarantine GROUP BY epoch ORDER BY epoch`,
  ),
  ledger: await ask('SELECT * FROM ledger FINAL ORDER BY epoch'),
  deep: [deep],
  problems,
};
console.log(JSON.stringify(tables));
await writers.stop();
await processing.stop();
await store.close();
await log.close();
