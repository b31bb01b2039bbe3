/**
 * What the dashboards ask of ClickHouse, on 50 million readings that all differ (100 devices, eight days), in
 * the real tables with the real roll-ups: how long each query takes and how much its plan reads.
 * `--buckets N`: so many stretches of four hours in place of 50.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dashboardFiles } from '../../collector/grafana/src/files.ts';
import { openChdbStore } from '../../collector/store/chdb.ts';
import { fillMacros } from '../support/grafana-macros.ts';
import { readsOf } from '../support/grafana-plan.ts';
import { fillPlant, nameOf, placeOf, SILENT_DEVICE, SITE } from '../support/grafana-plant.ts';
import { clickhouseQueries } from '../support/grafana-queries.ts';
import type { BenchOptions, Figures } from './main.ts';
import { quantile, round } from './rig.ts';

const HOUR_MS = 3_600_000;
const DEVICES = 100;
const BUCKETS = 50;
const HOURS = [1, 24, 168];
const LIMITS = { timeoutMs: 120_000, maxRows: 50_000, maxMemoryBytes: 4 * 1024 ** 3 };

export async function run({ log, dataDir, args }: BenchOptions): Promise<Figures> {
  const at = args.indexOf('--buckets');
  const buckets = at < 0 ? BUCKETS : Number(args[at + 1]);
  if (!(buckets > 0)) throw new Error('--buckets wants a number');
  log(
    'counted: each SQL of each dashboard, macros filled, for 1 hour, a day and a week, for one line',
  );
  log('of ten and for all; rows: what the plan reads after its indexes, of one query');
  log('left out: Grafana, HTTP; other queries and inserts at the same time');
  const folder = mkdtempSync(join(dataDir ?? tmpdir(), 'fms-bench-grafana-'));
  const store = await openChdbStore({ path: join(folder, 'store'), retentionDays: 0 });
  try {
    await store.migrate();
    const beganMs = performance.now();
    const endMs = Math.floor(Date.now() / (4 * HOUR_MS)) * 4 * HOUR_MS;
    const plant = await fillPlant(store, { devices: DEVICES, buckets, others: 0 }, endMs);
    log(`filled in ${Math.round((performance.now() - beganMs) / 1_000)} s`);
    const ask = <Row>(sql: string): Promise<Row[]> => store.query<Row>(sql, {}, LIMITS);
    const times: number[] = [];
    let [slowest, slowestMs, rowsMax] = ['', 0, 0];
    for (const { name, sql } of clickhouseQueries(dashboardFiles())) {
      for (const hours of HOURS)
        for (const isAll of [false, true]) {
          const place = isAll ? { area: '$__all', line: '$__all' } : placeOf(SILENT_DEVICE);
          const filled = fillMacros(sql, {
            fromMs: plant.toMs - hours * HOUR_MS,
            toMs: plant.toMs,
            intervalMs: (hours * HOUR_MS) / 1_000,
            variables: { site: SITE, ...place, device: nameOf(SILENT_DEVICE) },
          });
          const startedMs = performance.now();
          await ask(filled);
          const tookMs = performance.now() - startedMs;
          times.push(tookMs);
          if (tookMs > slowestMs) [slowest, slowestMs] = [`${name} ${hours} h ${isAll}`, tookMs];
          const reads = await readsOf(ask, filled);
          rowsMax = Math.max(rowsMax, ...reads.map(({ rows }) => rows));
        }
    }
    return {
      p50_ms: round(quantile(times, 0.5)),
      p95_ms: round(quantile(times, 0.95)),
      max_ms: round(slowestMs),
      slowest,
      rows_max: rowsMax,
      queries: times.length,
      readings: plant.readings,
    };
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
