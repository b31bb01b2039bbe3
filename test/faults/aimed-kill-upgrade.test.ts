/**
 * kill -9 of the collector within the upgrade of a data folder of version 1, within the roll-ups that are
 * then made of what is there, and within the jobs that are due because of readings of January that come
 * in, while an agent sends. At the end all of them are there once, and what roll-ups and jobs made is that
 * of a recount.
 *
 * Alone: `node test/faults/aimed-kill-upgrade.test.ts --seed N`. The short form takes some of the
 * aims, by the seed.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import type { Store } from '../../collector/store/store.ts';
import type { Reading } from '../../proto/model.ts';
import { FORM_TIMEOUT_MS } from '../support/form.ts';
import type { LedgerItem } from '../support/plant.ts';
import { Plant, run, seedOfRun, until } from '../support/plant.ts';
import { fmsRow, Publisher } from '../support/publisher.ts';
import { settled, startRollupPlant } from '../support/rollup-plant.ts';
import { differences } from '../support/rollup-recount.ts';
import { account } from './support/account.ts';
import type { Aim, StatementAim } from './support/aims.ts';
import { AIMED_COLLECTOR, killAt, someOf } from './support/aims.ts';

const OLD = join(import.meta.dirname, '../cases/data-v1/data.tar.gz');
const OLD_SITE = 'demo';
/** By epoch: test/cases/data-v1/README.md. */
const OLD_READINGS = {
  aaaa000000000001: 400,
  aaaa000000000002: 400,
  bbbb000000000001: 800,
  cccc000000000001: 600,
};
/** Readings of days long gone, of which jobs make something: three days of one week. */
const PAST = { site: 'past', gateway: 'gw1', token: 'token-of-the-past' };
const PAST_MS = Date.UTC(2026, 0, 12, 10);
const PAST_DAYS = 3;
const PAST_DEVICES = ['P1', 'P2'];
const PAST_ROWS = 24;
const DAY_MS = 86_400_000;
const LIMITS = { timeoutMs: 60_000, maxRows: 100_000, maxMemoryBytes: 2 ** 30 };

function statement(sql: string, when: StatementAim['when'], site?: string): Aim {
  return site === undefined ? { sql, when } : { sql, when, site };
}

/** In the order in which they come up: what was reached before is done again. */
const UPGRADE: readonly Aim[] = [
  statement('^ALTER TABLE readings\\s+ADD COLUMN', 'within'),
  statement('^INSERT INTO schema_migrations ', 'before'),
  statement('^INSERT INTO readings_made_anew', 'within'),
  { table: 'readings_made_anew', part: 'renamed' },
  statement('^INSERT INTO readings_made_anew', 'after'),
  statement('^EXCHANGE TABLES', 'within'),
  statement('^EXCHANGE TABLES', 'after'),
  statement('^DROP TABLE readings_made_anew', 'within'),
  statement('^CREATE MATERIALIZED VIEW', 'within'),
  statement('^INSERT INTO schema_migrations [^]*VALUES \\(4,', 'after'),
  statement('^ALTER TABLE readings_1m MODIFY TTL', 'within'),
];
const ROLLUPS: readonly Aim[] = [
  statement('INSERT INTO rollup_1m ', 'within', OLD_SITE),
  statement('INSERT INTO quality_1h ', 'before', OLD_SITE),
  statement('INSERT INTO readings_1d ', 'after', OLD_SITE),
];
const JOBS: readonly Aim[] = [
  statement('INSERT INTO statistics ', 'before', PAST.site),
  statement('INSERT INTO statistics ', 'within', PAST.site),
  { table: 'device_statistics', part: 'created' },
  statement('INSERT INTO job_outputs ', 'before', PAST.site),
  statement('INSERT INTO job_outputs ', 'after', PAST.site),
  // Of a report: its files are there, nothing says so.
  { sql: 'INSERT INTO job_outputs ', when: 'before', site: PAST.site, skip: PAST_DAYS - 1 },
  // Of the week.
  {
    sql: `INSERT INTO device_statistics .*\\nSELECT site, device, \\{kind`,
    when: 'within',
    site: PAST.site,
  },
];

t.setTimeout(FORM_TIMEOUT_MS);

t.test('kill -9 within upgrade, roll-ups and jobs', { timeout: FORM_TIMEOUT_MS }, async (t) => {
  const seed = seedOfRun();
  t.comment(`--seed ${seed}`);
  const plant = new Plant({
    name: 'aimed-kill-upgrade',
    seed,
    devices: 3,
    intervalMs: 200,
    collectorProgram: AIMED_COLLECTOR,
    agent: { forwarder: { backoff_max_ms: 300, state_interval_ms: 1_000 } },
    // The old data has an age of its own, which must not matter here.
    collector: {
      store: { retention_days: 36_500 },
      log: { retention_hours: 1_000_000 },
      gateways: [
        { site: 'test', gateway: 'gw1', token: 'token-of-the-test' },
        { site: PAST.site, gateway: PAST.gateway, token: PAST.token },
      ],
    },
  });
  t.comment(`folder ${plant.folder}`);
  t.teardown(() => plant.abandon());
  await plant.configure();
  mkdirSync(plant.collectorDataFolder, { recursive: true });
  execFileSync('tar', ['xzf', OLD, '-C', plant.collectorDataFolder]);
  await plant.start('sim');
  await plant.start('agent');

  const killAtEach = async (aims: readonly Aim[]): Promise<void> => {
    for (const aim of aims) {
      const beganMs = performance.now();
      await killAt(plant, { ...aim, delayUs: Math.floor(plant.random() ** 2 * 10_000) });
      t.comment(`${Math.round(performance.now() - beganMs)} ms: ${JSON.stringify(aim)}`);
    }
  };
  await killAtEach(someOf([...UPGRADE, ...ROLLUPS], plant.random, 8));
  const past = await sendPast(plant);
  await killAtEach(someOf(JOBS, plant.random, 5));
  await plant.start('collector');
  await jobsDone(plant);
  const ledger = await plant.settle();
  const { problems, summary } = await account(plant, ledger, { site: 'test' });
  t.comment(JSON.stringify(summary));
  t.same(problems, [], 'store and truth file agree');
  t.ok(summary.stored > 0);

  const rest = await startRollupPlant(plant.collectorDataFolder);
  await settled(rest);
  t.same(await differences(rest.store), [], 'roll-ups and counters are those of a recount');
  await oldReadings(t, rest.store, ledger);
  await pastReadings(t, rest.store, past);
  await statistics(t, rest.store);
  await rest.stop();
  const reports = join(plant.collectorDataFolder, 'reports', PAST.site);
  for (const [kind, count] of Object.entries({ day: PAST_DAYS, week: 1, month: 1 })) {
    const files = readdirSync(join(reports, kind));
    t.equal(files.length, 3 * count, `${kind}: ${files}`);
    const documents = files.filter((file) => file.endsWith('.json'));
    t.equal(documents.length, count);
    for (const file of documents) t.ok(JSON.parse(readFileSync(join(reports, kind, file), 'utf8')));
  }
  if (t.passing()) plant.discard();
});

/** Sends the readings of January; answers them once the roll-ups have them. The collector does not run then. */
async function sendPast(plant: Plant): Promise<Reading[]> {
  const sent: Reading[] = [];
  await plant.start('collector');
  const publisher = await Publisher.connect({ port: plant.ports.mqtt, ...PAST });
  for (let day = 0; day < PAST_DAYS; day++) {
    for (const [index, device] of PAST_DEVICES.entries()) {
      for (let row = 0; row < PAST_ROWS; row++) {
        const readings = fmsRow(device, PAST_MS + day * DAY_MS + row * 10_000, index);
        await publisher.readings(readings);
        sent.push(...readings);
      }
    }
  }
  await publisher.state({ online: false, cleanEnd: true });
  await publisher.close();
  const folder = join(plant.collectorDataFolder, 'store');
  const sql = `SELECT sum(good) AS good FROM readings_1d FINAL WHERE site = '${PAST.site}'`;
  const from = Math.floor(PAST_MS / DAY_MS) * DAY_MS;
  const range = `from=${from}&to=${from + PAST_DAYS * DAY_MS}&step=day`;
  const areThere = async (): Promise<boolean> => {
    let count = 0;
    for (const device of PAST_DEVICES) {
      const { items } = await plant.api<{ items: { count: number }[] }>(
        `readings?site=${PAST.site}&device=${device}&${range}`,
      );
      for (const item of items) count += item.count;
    }
    return count === sent.length;
  };
  // The store must be at rest to be asked: it is when they seem to be there, and again if they are not yet.
  await until('the roll-ups of January', 400_000, async () => {
    if (!plant.isRunning('collector')) await plant.start('collector');
    await until('them to be answered', 300_000, areThere);
    await plant.kill('collector');
    const [answer] = JSON.parse(await run(['test/support/store-query.ts', folder, sql])) as {
      good: number;
    }[];
    return Number(answer?.good) === sent.length;
  });
  return sent;
}

/** Those that the start found due have run to their end. */
async function jobsDone(plant: Plant): Promise<void> {
  interface Job {
    name: string;
    running: boolean;
    last_ended_ms: number | null;
    last_error: string;
  }
  await until('the jobs to end', 300_000, async () => {
    const { items } = await plant.api<{ items: Job[] }>('jobs');
    const failed = items.find(({ last_error }) => last_error !== '');
    if (failed !== undefined) throw new Error(`${failed.name}: ${failed.last_error}`);
    // None are listed before the store is open.
    const ended = items.filter(({ running, last_ended_ms }) => !running && last_ended_ms !== null);
    return items.length > 0 && ended.length === items.length;
  });
}

async function oldReadings(t: Test, store: Store, ledger: readonly LedgerItem[]): Promise<void> {
  const found = await store.query(
    `SELECT epoch, count() AS rows, uniqExact(seq) AS seqs, sum(value != seq / 8) AS wrong
FROM readings WHERE site = {site:String} GROUP BY epoch ORDER BY epoch`,
    { site: OLD_SITE },
    LIMITS,
  );
  t.same(
    found,
    Object.entries(OLD_READINGS).map(([epoch, rows]) => ({ epoch, rows, seqs: rows, wrong: 0 })),
    'each old reading once, with its value',
  );
  const old = ledger.filter(({ site }) => site === OLD_SITE);
  t.same(
    Object.fromEntries(old.map(({ epoch, stored }) => [epoch, stored])),
    OLD_READINGS,
    'as the ledger says',
  );
  t.ok(old.every(({ balance, in_flight }) => balance === 0 && in_flight === 0));
}

async function pastReadings(t: Test, store: Store, sent: readonly Reading[]): Promise<void> {
  const rows = await store.query<{
    device: string;
    channel: string;
    time_ms: number;
    came: number;
  }>(
    `SELECT device, channel, time_ms, if(treatment >= 2, raw_value, value) AS came
FROM readings WHERE site = {site:String}`,
    { site: PAST.site },
    LIMITS,
  );
  const key = (device: string, channel: string, timeMs: number, value: number): string =>
    `${device} ${channel} ${timeMs} ${value}`;
  t.same(
    rows.map((row) => key(row.device, row.channel, row.time_ms, row.came)).toSorted(),
    sent.map((one) => key(one.device, one.channel, one.timeMs, Number(one.value))).toSorted(),
    'each reading of January once, with its value',
  );
}

/** All are of one week and one month. */
async function statistics(t: Test, store: Store): Promise<void> {
  const ask = (sql: string): Promise<Record<string, unknown>[]> =>
    store.query(sql, { site: PAST.site }, LIMITS);
  const values = 'round(mean, 6) AS mean, min, max, round(deviation, 6) AS deviation';
  for (const period of ['day', 'week', 'month']) {
    const day = period === 'day' ? 'intDiv(start_ms, 86400000)' : '0';
    const made = await ask(
      `SELECT device, channel, ${day} AS day, count, ${values}
FROM statistics FINAL WHERE site = {site:String} AND period = '${period}' ORDER BY device, channel, day`,
    );
    const counted = await ask(
      `SELECT device, channel, ${day} AS day, count() AS count, ${values} FROM (
  SELECT device, channel, time_ms AS start_ms, value FROM readings WHERE site = {site:String} AND treatment <= 2
) GROUP BY device, channel, day ORDER BY device, channel, day`.replace(
        values,
        `round(avg(value), 6) AS mean, min(value) AS min, max(value) AS max,
  round(stddevSampStable(value), 6) AS deviation`,
      ),
    );
    t.same(made, counted, `statistics of a ${period} are those of a recount`);
  }
  const outputs = await ask(
    `SELECT job, start_ms, count() AS rows FROM job_outputs FINAL WHERE site = {site:String} GROUP BY job, start_ms`,
  );
  t.equal(
    outputs.length,
    2 * (PAST_DAYS + 1 + 1),
    'statistics and reports of days, week and month',
  );
  t.ok(
    outputs.every(({ rows }) => rows === 1),
    'each noted once',
  );
}
