/**
 * Every query of every dashboard, filled as Grafana and the plug-in fill it, on a store of 50 million
 * readings: it answers what the plant is, and its plan reads a small part of the tables.
 */

import t from 'tap';
import { ALERT_RULES } from '../../../collector/grafana/src/alerting.ts';
import { dashboardFiles } from '../../../collector/grafana/src/files.ts';
import { pass } from '../../../collector/query/gate.ts';
import { openChdbStore } from '../../../collector/store/chdb.ts';
import type { Store } from '../../../collector/store/store.ts';
import { engineFolder } from '../../support/engine-folder.ts';
import { FORM_TIMEOUT_MS } from '../../support/form.ts';
import type { Asked } from '../../support/grafana-macros.ts';
import { fillMacros } from '../../support/grafana-macros.ts';
import { granulesOf, readsOf } from '../../support/grafana-plan.ts';
import type { Plant } from '../../support/grafana-plant.ts';
import {
  CHANNELS,
  fillPlant,
  nameOf,
  placeOf,
  SILENT_DEVICE,
  SITE,
} from '../../support/grafana-plant.ts';
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
        await t.resolves(pass(store.asking, filled), 'port 8123 takes it');
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

  const answer = async <Row>(name: string, hours: number, all = false): Promise<Row[]> => {
    const { sql } = queries.find((query) => query.name === name)!;
    return await ask<Row>(store, fillMacros(sql, askedOf(plant, hours, all)));
  };

  await t.test('what they answer is what the plant is', async (t) => {
    // One of the ten devices stands on each line.
    const counts = { devices: '1', online: '0', late: '0', silent: '1' };
    t.match(await answer('en/plant.json Devices A', 24), [counts]);
    const everywhere = { devices: '10', online: '9', late: '0', silent: '1' };
    t.match(await answer('en/plant.json Devices A', 24, true), [everywhere]);
    const open = await answer<{ device: string; severity: string }>(
      'en/plant.json Open alerts A',
      24,
    );
    t.match(open, [{ device: nameOf(SILENT_DEVICE), severity: 'ERROR', title: 'No data' }]);
    const [first] = await answer<{ line: string; error: string }>(
      'en/plant.json Lines A',
      24,
      true,
    );
    t.match(
      first,
      { line: placeOf(SILENT_DEVICE).line, error: '1', silent: '1' },
      'the worst first',
    );
    const [least] = await answer<{ availability: number; failure_count: string }>(
      'en/plant.json By device, least available first A',
      24,
    );
    t.match(least, { availability: 75, failure_count: '1' });
    const newest = await answer<{ channel: string }>('en/device.json Newest values A', 24);
    t.same(
      newest.map(({ channel }) => channel),
      [...CHANNELS].sort(),
    );
    t.match(await answer('en/device.json Anomalies A', 24), [
      { channel: 'sensor1', value: 99, why: 'above what was learnt' },
    ]);
    t.match(await answer('ko/device.json 이상 A', 24), [{ why: '학습 범위 초과' }]);
    t.match(await answer('en/application.json Quarantine A', 24), [
      { reason: 'rule', readings: '3' },
    ]);
    // Every thousandth reading is an outlier.
    const [site] = await answer<Record<string, number>>('en/application.json By site A', 24, true);
    t.match(site, { completeness: 100, consistency: 100, timeliness: 100 });
    t.ok(Math.abs(site!.accuracy! - 99.9) < 0.01, `accuracy ${site!.accuracy}`);
  });

  await t.test('the same curve from readings, minutes and hours', async (t) => {
    const name = 'en/device.json Channels A';
    const means: number[] = [];
    for (const hours of [3, 24, 72]) {
      const rows = await answer<{ time: string; channel: string; value: number }>(name, hours);
      t.same(new Set(rows.map(({ channel }) => channel)), new Set(CHANNELS), `${hours} h`);
      const ofOne = rows.filter(({ channel }) => channel === 'motor2');
      means.push(ofOne.reduce((sum, { value }) => sum + value, 0) / ofOne.length);
    }
    for (const mean of means) t.ok(Math.abs(mean - means[0]!) < 1, `${means}`);
  });

  await t.test('a name with quotes and backslashes stays a name', async (t) => {
    for (const device of [
      "D' OR 1=1 --",
      "\\' OR 1=1 --",
      '\\',
      "'); DROP TABLE x --",
      '<b>가\u202e</b>',
    ]) {
      const asked = askedOf(plant, 24, false);
      const variables = { ...asked.variables, device, line: device };
      for (const { name, sql } of queries) {
        if (!/Newest values|Devices A|Channels/.test(name)) continue;
        const rows = await ask<{ devices?: string }>(
          store,
          fillMacros(sql, { ...asked, variables }),
        );
        const isNone = rows.length === 0 || Number(rows[0]?.devices) === 0;
        t.ok(isNone, `${name}: ${device} finds nothing`);
      }
    }
  });

  for (const { uid, sql } of ALERT_RULES) {
    await t.test(`alert rule ${uid}`, async (t) => {
      // As if the plant's end were now.
      const filled = sql.replaceAll('now64(3)', `fromUnixTimestamp64Milli(${plant.toMs})`);
      t.not(filled, sql);
      await t.resolves(pass(store.asking, filled), 'port 8123 takes it');
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
