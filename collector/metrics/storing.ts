/** What /metrics says of the way into the store: writers, the store itself, roll-ups, room and backups. */

import type { SpaceStatus } from '../space.ts';
import type { RollupStatus } from '../store/rollups.ts';
import type { Store } from '../store/store.ts';
import type { WriterStatus } from '../store/writer.ts';
import type { MetricRegistry } from './registry.ts';

export interface StoringSources {
  writers: () => WriterStatus[];
  /** Undefined while that part is not there; likewise the next two. */
  store: () => ReturnType<Store['stats']> | undefined;
  rollups: () => RollupStatus | undefined;
  space: () => SpaceStatus | undefined;
  operations: () => { paused: boolean; backingUp: boolean };
}

export function storingMetrics(sources: StoringSources, registry: MetricRegistry): void {
  writerMetrics(sources, registry);
  storeMetrics(sources, registry);
  rollupMetrics(sources, registry);
  spaceMetrics(sources, registry);
}

function writerMetrics({ writers }: StoringSources, { gauge, counter }: MetricRegistry): void {
  const written = [
    ['writer_rows_total', 'Rows written.', 'rowsTotal'],
    ['writer_inserts_total', 'Inserts done.', 'insertsTotal'],
    ['writer_doubts_total', 'Times that rows had to be read back.', 'doubtsTotal'],
    ['writer_healed_rows_total', 'Rows that the store had lost, written again.', 'healedRowsTotal'],
  ] as const;
  for (const [name, help, key] of written)
    counter(name, help, ['topic', 'partition'], (set) => {
      for (const one of writers())
        set(one[key], { topic: one.topic, partition: String(one.partition) });
    });
  gauge(
    'writer_healing',
    '1 while the store, which lost rows, is compared with the log.',
    ['topic', 'partition'],
    (set) => {
      for (const { topic, partition, healing } of writers())
        set(healing ? 1 : 0, { topic, partition: String(partition) });
    },
  );
  gauge(
    'writer_waiting',
    '1 while a writer waits out an error, by its code.',
    ['topic', 'partition', 'code'],
    (set) => {
      for (const { topic, partition, lastCode: code } of writers())
        if (code !== undefined) set(1, { topic, partition: String(partition), code });
    },
  );
  gauge('writer_insert_age_seconds', 'How long the insert under way runs.', ['topic'], (set) => {
    for (const { topic, insertingSinceMs } of writers())
      set(insertingSinceMs === undefined ? 0 : (performance.now() - insertingSinceMs) / 1_000, {
        topic,
      });
  });
}

function storeMetrics({ store }: StoringSources, { gauge, counter }: MetricRegistry): void {
  gauge('store_ready', '1 while the store answers.', [], (set) => set(store()?.ready ? 1 : 0));
  counter('store_inserted_rows_total', 'Rows inserted.', [], (set) =>
    set(store()?.insertedRowsTotal ?? 0),
  );
  counter('store_insert_errors_total', 'Inserts that failed.', [], (set) =>
    set(store()?.insertErrorsTotal ?? 0),
  );
}

function rollupMetrics({ rollups }: StoringSources, { gauge, counter }: MetricRegistry): void {
  gauge('rollup_pending_ranges', 'Ranges of minutes that wait to be recomputed.', [], (set) =>
    set(rollups()?.pendingRanges ?? 0),
  );
  gauge('rollup_pending_seconds', 'How long the roll-ups have not been complete.', [], (set) => {
    const sinceMs = rollups()?.waitingSinceMs;
    set(sinceMs === undefined ? 0 : (performance.now() - sinceMs) / 1_000);
  });
  gauge('rollup_rebuilding', '1 while the store is gone through for roll-ups.', [], (set) =>
    set(rollups()?.rebuilding ? 1 : 0),
  );
  gauge('rollup_settled', '1 while the roll-ups are those of all that was written.', [], (set) =>
    set(rollups()?.settled ? 1 : 0),
  );
  counter('rollup_statements_total', 'Statements that recompute roll-ups.', [], (set) =>
    set(rollups()?.statementsTotal ?? 0),
  );
  counter('rollup_busy_seconds_total', 'Time that they took.', [], (set) =>
    set((rollups()?.busyMsTotal ?? 0) / 1_000),
  );
  counter('rollup_failed_total', 'Roll-ups that were given up.', [], (set) =>
    set(rollups()?.failedTotal ?? 0),
  );
}

function spaceMetrics({ space, operations }: StoringSources, { gauge }: MetricRegistry): void {
  gauge(
    'space_alarm',
    '0 there is room, 1 soon full, 2 at its bound; part is log, store or disk.',
    ['part'],
    (set) => {
      const numbers = { ok: 0, alarm: 1, full: 2 };
      for (const [part, level] of Object.entries(space()?.levels ?? {}))
        set(numbers[level], { part });
    },
  );
  gauge('store_bytes', 'What the store takes up on disk.', [], (set) =>
    set(space()?.storeBytes ?? 0),
  );
  gauge('disk_free_bytes', 'Free on the disk of data_dir.', [], (set) =>
    set(space()?.diskFreeBytes ?? 0),
  );
  gauge('disk_floor_bytes', 'With less than this free the writers pause.', [], (set) =>
    set(space()?.diskFloorBytes ?? 0),
  );
  gauge('writers_paused', '1 while nothing is written: no room, or a backup begins.', [], (set) =>
    set(operations().paused ? 1 : 0),
  );
  gauge('backup_running', '1 while a backup is being copied.', [], (set) =>
    set(operations().backingUp ? 1 : 0),
  );
}
