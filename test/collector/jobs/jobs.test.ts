/** Jobs on a real store: what they make, that they make it once, and again when late data came. */

import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import type { Job } from '../../../collector/jobs/job.ts';
import type { JobProgress, Jobs } from '../../../collector/jobs/jobs.ts';
import { startJobs } from '../../../collector/jobs/jobs.ts';
import { jobs as allJobs } from '../../../collector/jobs/registry.ts';
import { listReports, readReport } from '../../../collector/jobs/report/files.ts';
import type { Report } from '../../../collector/jobs/report/model.ts';
import { startSchedule } from '../../../collector/jobs/schedule.ts';
import type { Configuration, DeviceProfile } from '../../../collector/profile.ts';
import { openChdbStore } from '../../../collector/store/chdb.ts';
import { engineFolder } from '../../support/engine-folder.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const SITE = 'seoul';
const SITES = new Map([[SITE, { timeZone: 'Asia/Seoul', dayStart: '08:00' }]]);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Monday 2026-11-16, 08:00 in Seoul. */
const MONDAY = Date.parse('2026-11-15T23:00Z');
const NOW = MONDAY + 8 * DAY_MS;
const LIMITS = { timeoutMs: 120_000, maxRows: 100_000, maxMemoryBytes: 2 ** 30 };

const PROFILE: DeviceProfile = {
  name: 'press', title: 'Press', intervalMs: 60_000, timelyWithinMs: 30_000, futureToleranceMs: 5_000,
  lateAfterMs: 180_000, silentAfterMs: 600_000, onTimeBackwards: 'keep', onSameTime: 'keep',
  onLate: 'keep', onFuture: 'keep', failure: { channel: 'isFail', when: 1 }, channels: {}, rules: [],
  match: [],
}; // biome-ignore format: a table
const CONFIGURATION: Configuration = {
  version: 'a',
  retentionMs: 0,
  aheadMaxMs: DAY_MS,
  profiles: { press: PROFILE },
  assignments: [],
};

t.test('jobs on a real store', async (t) => {
  const folder = engineFolder(t);
  const store = await openChdbStore({ path: join(folder, 'store') });
  t.teardown(() => store.close());
  await store.migrate();
  const reportsDir = join(folder, 'reports');
  const put = (sql: string, params: Record<string, unknown> = {}) =>
    store.execute(sql, params, LIMITS);
  const ask = (sql: string) => store.query<Record<string, unknown>>(sql, {}, LIMITS);
  const context = {
    clock: { wallMs: () => NOW },
    store,
    sites: SITES,
    configuration: () => CONFIGURATION,
    reportsDir,
    logger: silentLogger,
    scheduled: false,
  };
  const jobs = startJobs({ ...context, jobs: allJobs });

  async function day(index: number, values: readonly number[], updatedMs: number): Promise<void> {
    const startMs = MONDAY + index * DAY_MS;
    await put(
      `INSERT INTO readings_1d (site, device, channel, bucket_ms, end_ms, good, filled, bad, texts, min, max, mean, m2, first, last, first_ms, last_ms, updated_ms)
SELECT {site:String}, 'D01', 'sensor1', {start:Int64}, {start:Int64} + 86400000, length(v), 1, 2, 0, arrayMin(v), arrayMax(v), arrayAvg(v),
  arraySum(x -> pow(x - arrayAvg(v), 2), v), v[1], v[-1], {start:Int64}, {start:Int64}, {updated:UInt64}
FROM (SELECT {values:Array(Float64)} AS v)`,
      { site: SITE, start: startMs, values, updated: updatedMs },
    );
    // One reading a minute for the first twelve hours.
    await put(
      `INSERT INTO readings_1m (site, device, channel, bucket_ms, good, updated_ms)
SELECT {site:String}, 'D01', 'sensor1', {start:Int64} + number * 60000, 1, {updated:UInt64} FROM numbers(720)`,
      { site: SITE, start: startMs, updated: updatedMs },
    );
  }

  async function failing(timeMs: number, value: number, seq: number): Promise<void> {
    await put(
      `INSERT INTO readings (site, gateway, device, channel, time_ms, value, quality, received_ms, epoch, seq)
SELECT {site:String}, 'gw1', 'D01', 'isFail', {time:Int64}, {value:Float64}, 0, {time:Int64}, 'e', {seq:UInt64}`,
      { site: SITE, time: timeMs, value, seq },
    );
  }

  await put(
    `INSERT INTO device_states (site, device, gateway, profile, interval_ms, channels, state, first_received_ms, last_received_ms, last_ms, updated_ms)
SELECT {site:String}, 'D01', 'gw1', 'press', 60000, '["sensor1"]', 'online', {start:Int64}, {start:Int64}, {start:Int64}, {start:Int64}`,
    { site: SITE, start: MONDAY },
  );
  const values = [
    [1, 2, 3, 4],
    [1e9 + 1, 1e9 + 2],
    [-5, 5, 0],
  ];
  for (const [i, one] of values.entries()) await day(i, one, NOW - DAY_MS);
  // Fails from Monday 20:00 to 21:00 and from 23:00 into Tuesday, 10:00 hours after the day's start.
  await failing(MONDAY, 0, 1);
  await failing(MONDAY + 2 * HOUR_MS, 1, 2);
  await failing(MONDAY + 3 * HOUR_MS, 0, 3);
  await failing(MONDAY + 11 * HOUR_MS, 1, 4);
  await failing(MONDAY + DAY_MS + HOUR_MS, 0, 5);

  async function run(name: string, asked = {}): Promise<JobProgress[]> {
    const said: JobProgress[] = [];
    const signal = new AbortController().signal;
    const units = await jobs.run(name, asked, (progress) => said.push(progress), signal);
    t.equal(said.length, units + 1, `${name}: one word a unit`);
    return said.slice(1);
  }

  await t.test('statistics of days', async (t) => {
    const said = await run('statistics-daily');
    t.match(said, [
      { done: 1, total: 3, site: SITE, label: '2026-11-16', revised: false },
      { done: 2, label: '2026-11-17' },
      { done: 3, label: '2026-11-18' },
    ]);
    const rows = await ask(
      `SELECT label, count, filled, bad, mean, min, max, deviation FROM statistics FINAL WHERE period = 'day' ORDER BY label`,
    );
    t.match(rows, [
      { label: '2026-11-16', count: 4, filled: 1, bad: 2, mean: 2.5, min: 1, max: 4 },
      { label: '2026-11-17', count: 2, mean: 1e9 + 1.5, min: 1e9 + 1, max: 1e9 + 2 },
      { label: '2026-11-18', count: 3, mean: 0, min: -5, max: 5, deviation: 5 },
    ]);
    t.ok(Math.abs(Number(rows[0]?.deviation) - Math.sqrt(5 / 3)) < 1e-12);
    t.ok(Math.abs(Number(rows[1]?.deviation) - Math.sqrt(0.5)) < 1e-9, 'far from zero as well');
    t.same(await run('statistics-daily'), [], 'nothing is made twice');
  });

  await t.test('availability and failures of days', async (t) => {
    t.same(
      await ask(
        `SELECT label, observed_ms, delivered_ms, failing_ms, failures FROM device_statistics FINAL WHERE period = 'day' ORDER BY label`,
      ),
      [
        { label: '2026-11-16', observed_ms: DAY_MS, delivered_ms: 12 * HOUR_MS, failing_ms: 12 * HOUR_MS, failures: 2 },
        { label: '2026-11-17', observed_ms: DAY_MS, delivered_ms: 12 * HOUR_MS, failing_ms: HOUR_MS, failures: 0 },
        { label: '2026-11-18', observed_ms: DAY_MS, delivered_ms: 12 * HOUR_MS, failing_ms: 0, failures: 0 },
      ], // biome-ignore format: a table
    );
    t.same(await ask('SELECT from_ms, to_ms FROM failures FINAL WHERE gone = 0 ORDER BY from_ms'), [
      { from_ms: MONDAY + 2 * HOUR_MS, to_ms: MONDAY + 3 * HOUR_MS },
      { from_ms: MONDAY + 11 * HOUR_MS, to_ms: MONDAY + DAY_MS + HOUR_MS },
    ]);
  });

  await t.test('weeks are joined from days, months have not ended', async (t) => {
    t.match(await run('statistics-weekly'), [{ label: '2026-W47' }]);
    t.same(await run('statistics-monthly'), []);
    const all = values.flat();
    const mean = all.reduce((a, b) => a + b, 0) / all.length;
    const m2 = all.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const [row] = await ask(
      `SELECT count, mean, deviation FROM statistics FINAL WHERE period = 'week'`,
    );
    t.equal(row?.count, all.length);
    t.ok(Math.abs(Number(row?.mean) / mean - 1) < 1e-12);
    t.ok(Math.abs(Number(row?.deviation) / Math.sqrt(m2 / (all.length - 1)) - 1) < 1e-9);
    t.match(
      await ask(`SELECT observed_ms, failures FROM device_statistics FINAL WHERE period = 'week'`),
      [{ observed_ms: 3 * DAY_MS, failures: 2 }],
    );
  });

  await t.test('a report of each day, in both languages', async (t) => {
    t.equal((await run('quality-report-daily')).length, 3);
    const ids = await listReports(reportsDir, SITE);
    t.same(
      ids.map(({ label }) => label),
      ['2026-11-18', '2026-11-17', '2026-11-16'],
    );
    for (const id of ids) {
      const report = JSON.parse((await readReport(reportsDir, id, 'json')) ?? '') as Report;
      t.match(report, { format: 1, site: SITE, revision: 0, period: { time_zone: 'Asia/Seoul' } });
      t.match(report.devices, [{ device: 'D01', profile: 'press', failures: Number }]);
      t.match(await readReport(reportsDir, id, 'ko.html'), '데이터 품질');
      t.match(await readReport(reportsDir, id, 'en.html'), 'Data quality');
    }
  });

  await t.test('late data: made again and marked revised', async (t) => {
    await day(1, [1e9 + 1, 1e9 + 2, 1e9 + 3], NOW);
    t.match(await run('statistics-daily'), [{ total: 1, label: '2026-11-17', revised: true }]);
    t.match(await run('statistics-weekly'), [{ label: '2026-W47', revised: true }]);
    t.match(
      await ask(
        `SELECT label, revision FROM job_outputs FINAL WHERE revision > 0 AND job = 'statistics-daily'`,
      ),
      [{ label: '2026-11-17', revision: 1 }],
    );
    t.match(
      await ask(`SELECT count FROM statistics FINAL WHERE period = 'day' AND label = '2026-11-17'`),
      [{ count: 3 }],
    );
    // A failure that late readings prove wrong goes.
    await failing(MONDAY + 2 * HOUR_MS + 1, 0, 6);
    await failing(MONDAY + 2 * HOUR_MS - 1, 1, 7);
    await run('statistics-daily', { fromMs: MONDAY, toMs: MONDAY + 1, all: true });
    t.same(
      await ask('SELECT from_ms FROM failures FINAL WHERE gone = 0 ORDER BY from_ms LIMIT 1'),
      [{ from_ms: MONDAY + 2 * HOUR_MS - 1 }],
    );
  });

  await t.test('made again by hand without a change: no revision', async (t) => {
    const asked = { fromMs: MONDAY, toMs: MONDAY + 3 * DAY_MS, all: true };
    await run('statistics-daily', asked);
    const before = await ask(
      `SELECT label, revision FROM job_outputs FINAL WHERE job = 'statistics-daily' ORDER BY label`,
    );
    const said = await run('statistics-daily', asked);
    t.equal(said.length, 3);
    t.ok(said.every(({ revised }) => !revised));
    t.same(
      await ask(
        `SELECT label, revision FROM job_outputs FINAL WHERE job = 'statistics-daily' ORDER BY label`,
      ),
      before,
    );
    t.same(await run('statistics-daily', { site: 'nowhere', all: true }), [], 'another site');
  });
  await jobs.stop();
});

/** A job that waits until it is let go. */
function slowJob(): { job: Job; go: () => void; started: Promise<void> } {
  const started = Promise.withResolvers<void>();
  const going = Promise.withResolvers<void>();
  const job: Job = {
    name: 'slow',
    period: 'day',
    title: { en: 'Slow', ko: '느림' },
    make: async (_context, _unit, signal) => {
      started.resolve();
      await Promise.race([
        going.promise,
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
      ]);
      return 'x';
    },
  };
  return { job, go: going.resolve, started: started.promise };
}

function withOneDay(t: Test, job: Job): Jobs {
  const store = {
    query: async <Row>(sql: string): Promise<Row[]> =>
      sql.includes('readings_1d')
        ? ([{ site: SITE, bucket_ms: MONDAY, input_ms: 1 }] as Row[])
        : [],
    execute: async () => undefined,
  };
  const jobs = startJobs({
    jobs: [job],
    clock: { wallMs: () => NOW },
    store,
    sites: SITES,
    configuration: () => undefined,
    reportsDir: t.testdir({}),
    logger: silentLogger,
    scheduled: false,
  });
  t.teardown(() => jobs.stop());
  return jobs;
}

t.test('one run at a time; it can be given up', async (t) => {
  const { job, started } = slowJob();
  const jobs = withOneDay(t, job);
  const controller = new AbortController();
  const first = jobs.run('slow', {}, () => undefined, controller.signal);
  await started;
  t.match(jobs.status(), [{ name: 'slow', running: true }]);
  const signal = new AbortController().signal;
  await t.rejects(
    jobs.run('slow', {}, () => undefined, signal),
    { code: 'JOB_BUSY' },
  );
  await t.rejects(
    jobs.run('other', {}, () => undefined, signal),
    { code: 'JOB_UNKNOWN' },
  );
  controller.abort(new Error('given up'));
  await t.rejects(first, { message: 'given up' });
  t.match(jobs.status(), [{ running: false, lastError: 'given up' }]);
});

t.test('the end of the collector ends a run', async (t) => {
  const { job, started } = slowJob();
  const jobs = withOneDay(t, job);
  const run = jobs.run('slow', {}, () => undefined, new AbortController().signal);
  run.catch(() => undefined);
  await started;
  await jobs.stop();
  await t.rejects(run, { code: 'API_NOT_READY' });
});

t.test('what is due is made on schedule', async (t) => {
  const kinds: string[] = [];
  const ran = Promise.withResolvers<void>();
  const never = '0 0 1 1 *';
  const schedule = startSchedule(
    async (kind) => {
      kinds.push(kind);
      ran.resolve();
    },
    { day: '* * * * * *', week: never, month: never },
  );
  t.teardown(() => schedule.stop());
  await ran.promise;
  t.equal(kinds[0], 'day');
});
