/**
 * What a store at rest holds, added up by the engine, for stores too large to be dumped:
 * `node test/faults/support/store-sums.ts STORE_FOLDER EPOCH` prints one line of JSON. A process of its
 * own, because the engine opens one folder a process.
 */

import { openChdbStore } from '../../../collector/store/chdb.ts';

/** Sums of one channel. All are integers, so that they can be compared exactly. */
export interface SeriesSum {
  device: string;
  channel: string;
  readings: number;
  /** Sum of time_ms modulo SCALE. */
  times: number;
  /** Sum of the values as they came times SCALE, each rounded; true is 1. */
  values: number;
}

export interface EpochSum {
  epoch: string;
  rows: number;
  /** Different seqs. */
  seqs: number;
  first_seq: number;
  last_seq: number;
}

export interface StoreSums {
  epochs: EpochSum[];
  /** Of the epoch that was asked for. */
  series: SeriesSum[];
  /** Different (device, channel, time) of that epoch. */
  keys: number;
}

export const SCALE = 1_000;

if (import.meta.main) {
  const [path, epoch] = process.argv.slice(2);
  if (path === undefined || epoch === undefined)
    throw new Error('usage: store-sums.ts FOLDER EPOCH');
  const limits = { timeoutMs: 240_000, maxRows: 10_000, maxMemoryBytes: 4 * 1024 ** 3 };
  const store = await openChdbStore({ path });
  const epochs = await store.query<EpochSum>(
    `SELECT toString(epoch) AS epoch, count() AS rows, uniqExact(seq) AS seqs,
  min(seq) AS first_seq, max(seq) AS last_seq
FROM readings GROUP BY epoch ORDER BY rows DESC`,
    {},
    limits,
  );
  const series = await store.query<SeriesSum & { keys: number }>(
    `SELECT device, channel, count() AS readings, sum(time_ms % ${SCALE}) AS times,
  sum(toInt64(round(if(treatment >= 2, raw_value, value) * ${SCALE}))) AS values, uniqExact(time_ms) AS keys
FROM readings WHERE epoch = {epoch:String} GROUP BY device, channel`,
    { epoch },
    limits,
  );
  await store.close();
  const sums: StoreSums = {
    epochs,
    series: series.map(({ keys: _, ...sum }) => sum),
    keys: series.reduce((sum, { keys }) => sum + keys, 0),
  };
  console.log(JSON.stringify(sums));
}
