import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import type { SiteCalendar } from '../../../collector/site_time.ts';
import type { Reading } from '../../../proto/model.ts';
import { Quality } from '../../../proto/model.ts';
import { engineFolder } from '../../support/engine-folder.ts';
import { appendReadings, settled, startRollupPlant } from '../../support/rollup-plant.ts';
import { differences } from '../../support/rollup-recount.ts';

const DAY_MS = 86_400_000;
/** Clocks go back in Berlin on 2026-10-25 at 03:00: that day has 25 hours. */
const AUTUMN = Date.UTC(2026, 9, 25, 0, 30);
const SITES: ReadonlyMap<string, SiteCalendar> = new Map([
  ['berlin', { timeZone: 'Europe/Berlin', dayStart: '06:00' }],
  ['kolkata', { timeZone: 'Asia/Kolkata', dayStart: '00:00' }],
]);

const VALUES = [
  1,
  -1,
  0.5,
  -0,
  1.7e308,
  -1.7e308,
  5e-324,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  42,
];

/** A record: some devices, near a time. */
const arbitraryRecord = fc.record({
  site: fc.constantFrom('demo', 'berlin', 'kolkata'),
  gateway: fc.constantFrom('gw1', 'gw2'),
  nearMs: fc.oneof(
    fc.constantFrom(AUTUMN, AUTUMN - DAY_MS, AUTUMN + 2 * DAY_MS, Date.UTC(2001, 0, 1), -1, 0),
    fc.integer({ min: Date.UTC(2099, 0, 1), max: Date.UTC(2099, 0, 2) }),
    fc.constant(Date.now() - 30_000),
  ),
  latencyMs: fc.constantFrom(0, 700, -5_000, 2 * DAY_MS),
  readings: fc.array(
    fc.record({
      device: fc.constantFrom('D1', 'D2', "it's \\ {a:Int64}"),
      channel: fc.constantFrom('a', 'b'),
      afterMs: fc.oneof(
        fc.integer({ min: 0, max: 300_000 }),
        fc.integer({ min: 0, max: 2 * DAY_MS }),
      ),
      value: fc.oneof(fc.constantFrom(...VALUES), fc.integer({ min: -1_000, max: 1_000 })),
      text: fc.constantFrom(undefined, undefined, undefined, 'text'),
      quality: fc.constantFrom(
        Quality.GOOD,
        Quality.GOOD,
        Quality.CLOCK_UNSYNCED,
        Quality.DEVICE_BAD,
        Quality.NULL,
      ),
    }),
    { minLength: 1, maxLength: 60 },
  ),
  findings: fc.integer({ min: 0, max: 0xffff }),
  treatment: fc.constantFrom(0, 1, 2, 3, 4),
});
type RandomRecord = typeof arbitraryRecord extends fc.Arbitrary<infer T> ? T : never;

function readingsOf({ nearMs, readings }: RandomRecord): Reading[] {
  return readings.map(({ device, channel, afterMs, value, text, quality }) => {
    const isNull = quality === Quality.NULL;
    return {
      device,
      channel: text === undefined ? channel : `${channel}_text`,
      timeMs: nearMs + afterMs,
      value: isNull ? null : (text ?? value),
      quality,
    };
  });
}

t.test('roll-ups equal a recount, through restarts and late data', async (t) => {
  const dir = engineFolder(t);
  const options = { sites: SITES, partitions: 2 };
  let plant = await startRollupPlant(dir, options);
  const records = fc.sample(arbitraryRecord, { numRuns: 24, seed: 7 });
  for (const [i, record] of records.entries()) {
    const readings = readingsOf(record);
    const { findings, treatment } = record;
    const count = Math.ceil(readings.length / 2);
    const values = treatment === 2 || treatment === 3 ? new Float64Array(count).fill(7) : undefined;
    await appendReadings(plant.log, readings, {
      site: record.site,
      gateway: record.gateway,
      receivedMs: record.nearMs + record.latencyMs,
      partition: i % 2,
      annotations: (firstSeq) => [
        { firstSeq, count, findings, treatment: treatment as 0 | 1 | 2 | 3 | 4, values },
      ],
    });
    if (i % 12 !== 7) continue;
    // In the middle of whatever it does.
    await plant.stop();
    plant = await startRollupPlant(dir, options);
  }
  await settled(plant);
  t.same(await differences(plant.store, SITES), []);
  const [{ n } = { n: 0 }] = await plant.store.query<{ n: number }>(
    'SELECT count() AS n FROM readings_1d FINAL',
    {},
    { timeoutMs: 120_000, maxRows: 1, maxMemoryBytes: 2 ** 30 },
  );
  t.ok(Number(n) > 10, `${n} days`);
  await plant.stop();
});

const LIMITS = { timeoutMs: 120_000, maxRows: 1_000, maxMemoryBytes: 2 ** 30 };

async function begun(child: ChildProcess): Promise<void> {
  for await (const chunk of child.stdout!) if (String(chunk).includes('begun')) return;
  throw new Error('the child ended before it began');
}

t.test('killed at any moment, roll-ups are made good', async (t) => {
  const dir = engineFolder(t);
  const child = join(import.meta.dirname, '../../support/rollup-child.ts');
  for (let round = 1; round <= 3; round++) {
    const running = spawn(process.execPath, [child, dir, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(running, 'exit');
    await begun(running);
    await delay(150 + round * 170);
    running.kill('SIGKILL');
    await exited;
  }
  const plant = await startRollupPlant(dir);
  await settled(plant);
  t.same(await differences(plant.store), []);
  const [found] = await plant.store.query<{ n: number }>(
    'SELECT count() AS n FROM readings',
    {},
    LIMITS,
  );
  t.ok(Number(found?.n) > 0, `${found?.n} readings`);
  await plant.stop();
});

t.test('without a log that tells, the store itself is gone through', async (t) => {
  const dir = engineFolder(t);
  const hoursAgo = (hours: number): number => Date.now() - hours * 3_600_000;
  const some = (device: string, fromMs: number): Reading[] =>
    Array.from({ length: 40 }, (_, i) => ({
      device,
      channel: 'a',
      timeMs: fromMs + i * 7_000,
      value: i,
      quality: Quality.GOOD,
    }));
  let plant = await startRollupPlant(dir);
  await appendReadings(plant.log, some('D1', hoursAgo(50)), { receivedMs: hoursAgo(49) });
  await appendReadings(plant.log, some('D2', hoursAgo(1)), { receivedMs: Date.now() });
  await settled(plant);
  const positions = () =>
    plant.store.query<{ log_id: string; position: number }>(
      'SELECT log_id, position FROM rollup_positions FINAL ORDER BY updated_ms',
      {},
      LIMITS,
    );
  const isSaved = async (): Promise<boolean> =>
    (await positions()).some(
      (row) => row.log_id === plant.log.identity && Number(row.position) === 2,
    );
  while (!(await isSaved())) await delay(20);
  await plant.stop();

  await t.test('a store without roll-ups', async (t) => {
    // As one of an earlier version. The log is another one too.
    plant = await startRollupPlant(dir, { logName: 'second.sqlite', withoutRollups: true });
    for (const table of ['readings_1m', 'readings_1h', 'readings_1d', 'quality_1m', 'quality_1h'])
      await plant.store.execute(`TRUNCATE TABLE ${table}`, {}, LIMITS);
    await plant.store.execute('TRUNCATE TABLE rollup_positions', {}, LIMITS);
    t.not((await differences(plant.store)).length, 0);
    await plant.stop();
    plant = await startRollupPlant(dir, { logName: 'second.sqlite' });
    await settled(plant);
    t.same(await differences(plant.store), []);
    await plant.stop();
  });

  await t.test('a log that was replaced before its last readings were rolled up', async (t) => {
    plant = await startRollupPlant(dir, { logName: 'second.sqlite', withoutRollups: true });
    await appendReadings(plant.log, some('D3', hoursAgo(30)), { receivedMs: Date.now() });
    const isWritten = (): boolean =>
      plant.writers.status().some((one) => one.topic === 'readings' && one.position === 1);
    while (!isWritten()) await delay(10);
    await plant.stop();
    plant = await startRollupPlant(dir, { logName: 'third.sqlite' });
    await settled(plant);
    t.same(await differences(plant.store), []);
  });

  await t.test('a store that lost its tail', async (t) => {
    await appendReadings(plant.log, some('D4', hoursAgo(3)), { receivedMs: Date.now() });
    await settled(plant);
    await plant.stop();
    plant = await startRollupPlant(dir, { logName: 'third.sqlite', withoutRollups: true });
    for (const table of ['readings', 'readings_1m', 'readings_1h', 'readings_1d']) {
      const sql = `ALTER TABLE ${table} DELETE WHERE device = 'D4' SETTINGS mutations_sync = 2`;
      await plant.store.execute(sql, {}, LIMITS);
    }
    await plant.stop();
    plant = await startRollupPlant(dir, { logName: 'third.sqlite' });
    while (!plant.writers.status().some((one) => one.healedRowsTotal > 0)) await delay(10);
    await settled(plant);
    const found = await plant.store.query(
      'SELECT 1 FROM readings_1m WHERE device = {d:String}',
      { d: 'D4' },
      LIMITS,
    );
    t.ok(found.length > 0);
    t.same(await differences(plant.store), []);
    await plant.stop();
  });
});
