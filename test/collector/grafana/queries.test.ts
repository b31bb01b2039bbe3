/**
 * Every query of every dashboard, filled as Grafana and the plug-in fill it, on a store of 50 million
 * readings: it answers what the plant is, and its plan reads a small part of the tables.
 */

import t from 'tap';
import { ALERT_RULES } from '../../../collector/grafana/src/alerting.ts';
import { dashboardFiles } from '../../../collector/grafana/src/files.ts';
import { openChdbStore } from '../../../collector/store/chdb.ts';
import type { Store } from '../../../collector/store/store.ts';
import { engineFolder } from '../../support/engine-folder.ts';
import { FORM_TIMEOUT_MS } from '../../support/form.ts';
import type { Asked } from '../../support/grafana-macros.ts';
import { fillMacros } from '../../support/grafana-macros.ts';
import { granulesOf, readsOf } from '../../support/grafana-plan.ts';
import type { Plant } from '../../support/grafana-plant.ts';
import { fillPlant, nameOf, placeOf, SILENT_DEVICE, SITE } from '../../support/grafana-plant.ts';
import { clickhouseQueries } from '../../support/grafana-queries.ts';

const HOUR_MS = 3_600_000;
const LIMITS = { timeoutMs: 120_000, maxRows: 50_000, maxMemoryBytes: 2 * 1024 ** 3 };
const END_MS = Math.floor(Date.now() / (4 * HOUR_MS)) * 4 * HOUR_MS;
/** Granules that a query may read: a part of the table, or a few for each of the two devices of the line. */
const granulesMax = (all: number): number => Math.max(0.02 * all, 2 * 6);

const queries = clickhouseQueries(dashboardFiles());

t.setTimeout(FORM_TIMEOUT_MS);

t.test('on 50 million readings', async (t) => {
  const store = await openChdbStore({ path: engineFolder(t), retentionDays: 0 });
  t.teardown(() => store.close());
  await store.migrate();
  const plant = await fillPlant(store, { devices: 10, buckets: 10, others: 49 }, END_MS);
  const [{ n } = { n: 0 }] = await ask<{ n: number }>(store, 'SELECT count() AS n FROM readings');
  t.equal(Number(n), plant.readings);
  t.ok(plant.readings > 50_000_000, `${plant.readings} readings`);

  const all = await granulesOf((sql) => ask(store, sql));
  for (const { name, sql } of queries) {
    await t.test(name, async (t) => {
      for (const hours of [1, 24]) {
        const filled = fillMacros(sql, askedOf(plant, hours, false));
        const rows = await ask(store, filled);
        t.not(rows.length, 0, `${hours} h: ${rows.length} rows`);
        for (const { table, granules } of await readsOf((sql) => ask(store, sql), filled)) {
          const most = granulesMax(all.get(table) ?? 0);
          t.ok(granules <= most, `${table}: ${granules} of ${all.get(table)} granules`);
        }
      }
      await ask(store, fillMacros(sql, askedOf(plant, 24, true)));
    });
  }

  for (const { uid, sql } of ALERT_RULES) {
    await t.test(`alert rule ${uid}`, async (t) => {
      // As if the plant's end were now.
      const filled = sql.replaceAll('now64(3)', `fromUnixTimestamp64Milli(${plant.toMs})`);
      t.not(filled, sql);
      const rows = await ask<Record<string, unknown>>(store, filled);
      if (uid === 'fms-unanswered') t.same(rows, [], 'the only alert is not critical');
      else t.ok(rows.some(({ site }) => site === SITE));
      for (const { table, granules } of await readsOf((sql) => ask(store, sql), filled)) {
        // Of all sites: the last hours of a table that sorts by device are a granule or two of each.
        const most =
          table === 'quality_1h' ? (all.get(table) ?? 0) : granulesMax(all.get(table) ?? 0);
        t.ok(granules <= most, `${table}: ${granules} of ${all.get(table)} granules`);
      }
    });
  }
});

async function ask<Row>(store: Store, sql: string): Promise<Row[]> {
  return await store.query<Row>(sql, {}, LIMITS);
}

function askedOf(plant: Plant, hours: number, all: boolean): Asked {
  const { area, line } = placeOf(SILENT_DEVICE);
  const place = all ? { area: '$__all', line: '$__all' } : { area, line };
  return {
    fromMs: plant.toMs - hours * HOUR_MS,
    toMs: plant.toMs,
    intervalMs: (hours * HOUR_MS) / 1_000,
    variables: { site: SITE, ...place, device: nameOf(SILENT_DEVICE) },
  };
}
