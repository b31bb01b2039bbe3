/** A log, a store, writers and roll-ups in this process, for tests of the roll-ups. */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../collector/log/log.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import type { Annotation } from '../../collector/processor/outputs/readings.ts';
import { encodeReadings } from '../../collector/processor/outputs/readings.ts';
import { wholeShare } from '../../collector/shares.ts';
import type { SiteCalendar } from '../../collector/site_time.ts';
import { openChdbStore } from '../../collector/store/chdb.ts';
import type { Rollups } from '../../collector/store/rollups.ts';
import { startRollups } from '../../collector/store/rollups.ts';
import type { Store } from '../../collector/store/store.ts';
import type { Writers } from '../../collector/store/writer.ts';
import { startWriters } from '../../collector/store/writer.ts';
import type { Clock } from '../../collector/types.ts';
import { OutputKind } from '../../collector/types.ts';
import { encodeBatch } from '../../proto/batch.ts';
import type { Reading } from '../../proto/model.ts';
import { silentLogger } from './silent-logger.ts';
import { headerOf, sealAll } from './wire.ts';

export interface RollupPlant {
  log: Log;
  store: Store;
  writers: Writers;
  rollups: Rollups;
  stop(): Promise<void>;
}

export interface RollupPlantOptions {
  sites?: ReadonlyMap<string, SiteCalendar>;
  partitions?: number;
  clock?: Clock;
  logName?: string;
  /** They are stopped before they do anything. */
  withoutRollups?: boolean;
  /** Default: the embedded one, in the folder. */
  openStore?: () => Promise<Store>;
}

const ALWAYS = { minutes: 1, hours: 1, days: 1 };
const FAST = {
  intervalMs: { minutes: 20, hours: 30, days: 40 },
  duty: ALWAYS,
  lateIntervalMs: 0,
  lateDuty: ALWAYS,
};

export function openPlantLog(path: string, partitions = 1): Promise<Log> {
  return openSqliteLog({
    path,
    partitions,
    maxBytes: 2 ** 30,
    retentionBytes: 2 ** 29,
    retentionMs: 1e9,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
}

/** Over the folder's log and store. */
export async function startRollupPlant(
  dir: string,
  options: RollupPlantOptions = {},
): Promise<RollupPlant> {
  const log = await openPlantLog(
    join(dir, options.logName ?? 'log.sqlite'),
    options.partitions ?? 1,
  );
  const openStore = options.openStore ?? (() => openChdbStore({ path: join(dir, 'store') }));
  const store = await openStore();
  await store.migrate();
  const writers = startWriters({
    log,
    store,
    share: wholeShare(log.partitionCount),
    logger: silentLogger,
    insertIntervalMs: 0,
  });
  const rollups = startRollupsOf(log, store, writers, options);
  if (options.withoutRollups) await rollups.stop();
  return {
    log,
    store,
    writers,
    rollups,
    stop: async () => {
      await rollups.stop();
      await writers.stop();
      await store.close();
      await log.close();
    },
  };
}

export function startRollupsOf(
  log: Log,
  store: Store,
  writers: Writers,
  options: RollupPlantOptions = {},
): Rollups {
  return startRollups({
    log,
    store,
    share: wholeShare(log.partitionCount),
    sites: options.sites ?? new Map(),
    written: (partition) =>
      writers.status().find((one) => one.topic === 'readings' && one.partition === partition),
    clock: options.clock ?? { wallMs: () => Date.now() },
    logger: silentLogger,
    pace: FAST,
  });
}

/** Everything in the log is in the store and in the roll-ups. */
export async function settled({ log, writers, rollups }: RollupPlant): Promise<void> {
  for (let partition = 0; partition < log.partitionCount; partition++) {
    const { next } = await log.bounds('readings', partition);
    const isThere = (): boolean =>
      writers
        .status()
        .some(
          (one) => one.topic === 'readings' && one.partition === partition && one.position >= next,
        );
    while (!isThere() || !rollups.status().settled) await delay(10);
  }
}

let nextSeq = 1;

/** Appends a READINGS record as the processor would. */
export async function appendReadings(
  log: Log,
  readings: readonly Reading[],
  more: {
    site?: string;
    gateway?: string;
    receivedMs: number;
    partition?: number;
    annotations?: (firstSeq: number) => Annotation[];
  },
): Promise<void> {
  const { site = 'demo', gateway = 'gw1' } = more;
  const firstSeq = nextSeq;
  const chunks = sealAll(readings).map((frame) => ({
    ...frame,
    firstSeq: frame.firstSeq + firstSeq - 1,
  }));
  nextSeq += readings.length;
  const envelope = encodeBatch(headerOf(nextSeq - 1, { site, gateway }), chunks);
  const value = encodeReadings(envelope, more.receivedMs, more.annotations?.(firstSeq) ?? []);
  const key = `${site}/${gateway}`;
  await log.append('readings', more.partition ?? 0, { key, kind: OutputKind.READINGS, value });
}
