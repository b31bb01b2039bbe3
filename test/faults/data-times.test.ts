/**
 * A month of readings that arrives at once, and readings of 2001, of 2099 and of the ends of what can be
 * written: quarantined by their time, then released, each once, however often and whenever it is asked.
 * What was released can be asked for like any reading.
 *
 * Alone: `node test/faults/data-times.test.ts --seed N`; FMS_TEST_DAYS is how long the month is (30; in the
 * short form 6).
 * The short form has a reading every ten minutes, the long one every half minute.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'csv-parse/sync';
import type { Test } from 'tap';
import t from 'tap';
import { TIME_MS_MAX, TIME_MS_MIN } from '../../proto/limits.ts';
import type { Reading } from '../../proto/model.ts';
import { Quality } from '../../proto/model.ts';
import { CollectorProcess, QUICK_COLLECTOR } from '../support/collector-process.ts';
import { FORM_TIMEOUT_MS, ofForm, sizeOfRun } from '../support/form.ts';
import { freePort } from '../support/free-port.ts';
import { seededRandom, seedOfRun, until } from '../support/plant.ts';
import { dataAccount, settleData } from './support/data-account.ts';
import { Emitter } from './support/emitter.ts';
import { checkQuality } from './support/quality-check.ts';

const DAYS = sizeOfRun('FMS_TEST_DAYS', { short: 6, long: 30 });
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const INTERVAL_MS = ofForm({ short: 600_000, long: 30_000 });
const CALENDAR = { timeZone: 'Asia/Seoul', dayStart: '06:30' };
/** Statuses of questions to the store that were given up. */
const BUSY = new Set([422, 503]);
const BUSY_PAUSE_MS = 200;
/** Unanswered publishes. */
const WINDOW = 4;

interface QuarantineItem {
  id: string;
  epoch: string;
  seq: number;
  reason: string;
  time_ms: number;
  releasable: boolean;
  released_ms: number | null;
}

// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);

t.test('a month at once, and times far away', { timeout: FORM_TIMEOUT_MS }, async (t) => {
  const seed = seedOfRun();
  t.comment(`--seed ${seed}, ${DAYS} days`);
  const random = seededRandom(seed);
  const collector = new CollectorProcess(
    t,
    {
      mqtt: { port: await freePort() },
      http: { port: await freePort() },
      sites: { demo: { time_zone: CALENDAR.timeZone, day_start: CALENDAR.dayStart } },
    },
    QUICK_COLLECTOR,
  );
  await collector.start();
  const emitter = await Emitter.connect(collector.login('gw1'));
  t.teardown(() => emitter.close());
  const nowMs = Date.now();

  const monthMs = Math.floor(nowMs / DAY_MS) * DAY_MS - DAYS * DAY_MS;
  const month: Reading[] = [];
  for (let timeMs = monthMs; timeMs < monthMs + DAYS * DAY_MS; timeMs += INTERVAL_MS) {
    const value = Math.round(2_000 + 500 * random()) / 100;
    month.push({ device: 'D01', channel: 'sensor1', timeMs, value, quality: Quality.GOOD });
    if (timeMs % (30 * MINUTE_MS) === 0)
      month.push({ device: 'D01', channel: 'isFail', timeMs, value: false, quality: 0 });
  }
  const epoch = emitter.epoch();
  const waiting = new Set<Promise<void>>();
  for (const frame of epoch.number(month)) {
    const sent = emitter.send(epoch, [frame]).finally(() => waiting.delete(sent));
    waiting.add(sent);
    if (waiting.size >= WINDOW) await Promise.race(waiting);
  }
  await Promise.all(waiting);

  const far = farReadings(nowMs);
  for (const frame of epoch.number(far)) await emitter.send(epoch, [frame]);
  await settleData(collector);

  const listed = async (): Promise<QuarantineItem[]> =>
    (await collector.get<{ items: QuarantineItem[] }>('/api/v1/quarantine?limit=1000')).items;
  const held = await listed();
  const reasonOf = new Map(held.map(({ seq, reason }) => [seq, reason]));
  for (const [i, emitted] of epoch.emitted.entries()) {
    if (i < month.length) continue;
    const { timeMs } = emitted;
    const expected =
      timeMs < nowMs - 365 * DAY_MS ? 'too_old' : timeMs > nowMs + DAY_MS ? 'too_new' : undefined;
    t.equal(reasonOf.get(i + 1), expected, `${new Date(timeMs).toISOString()} is ${expected}`);
  }
  t.equal(held.length, far.length - 2, 'only what is just within the bounds is not there');

  const release = async (item: QuarantineItem): Promise<number> => {
    const response = await fetch(
      `${collector.base}/api/v1/quarantine/${encodeURIComponent(item.id)}/release`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ by: 'kim' }),
      },
    );
    await response.body?.cancel();
    // Too many wait, or for too long: a busy machine's answer, and nothing was done.
    if (!BUSY.has(response.status)) return response.status;
    await delay(BUSY_PAUSE_MS);
    return release(item);
  };
  // At once and again, while the first answers are on their way; then once more after a kill.
  const answers = await Promise.all([...held, ...held].map(release));
  t.ok(answers.filter((status) => status === 202).length >= held.length, answers.join());
  await collector.stop('SIGKILL');
  await collector.start();
  for (const item of held) await release(item);
  await until('all to be released', 300_000, async () =>
    (await listed()).every(({ released_ms, releasable }) => released_ms !== null && !releasable),
  );
  for (const item of held) t.equal(await release(item), 409, 'nothing is left to release');
  await settleData(collector);

  await askForAll(t, collector, far);
  const { wrong, received } = await checkQuality(
    collector,
    `site=demo&device=D01&step=day&from=${monthMs}&to=${nowMs}`,
  );
  t.same(wrong, []);
  t.equal(received, month.length, 'the quality counts the month');
  // Also of days of long ago and of far ahead, as far as they have ended.
  await until('the jobs of the schedule to end', 300_000, async () => {
    const { items } = await collector.get<{ items: { running: boolean }[] }>('/api/v1/jobs');
    return items.every(({ running }) => !running);
  });
  for (const job of ['statistics-daily', 'statistics-monthly', 'quality-report-monthly']) {
    const ran = await collector.command('job', 'run', job, '--url', collector.base);
    t.equal(ran.code, 0, `${job}: ${ran.output.split('\n').at(-2)}`);
  }

  const result = await dataAccount(collector, emitter.epochs, { calendar: CALENDAR });
  const { stored, quarantined, released } = result;
  t.comment(JSON.stringify({ stored, quarantined, released }));
  t.same(result.problems, []);
  t.equal(released, held.length, 'each was released once');
  t.equal(stored, month.length + far.length);
});

/** The last two are just within the bounds. */
function farReadings(nowMs: number): Reading[] {
  const times = [
    Date.UTC(2001, 0, 1), Date.UTC(2001, 5, 30, 12, 34, 56, 789), Date.UTC(2001, 11, 31, 23, 59, 59, 999),
    Date.UTC(2099, 0, 1), Date.UTC(2099, 11, 31, 23, 59, 59, 999), nowMs - 365 * DAY_MS - MINUTE_MS,
    nowMs + DAY_MS + 10 * MINUTE_MS, 0, -1, Date.UTC(1899, 11, 31), Date.UTC(1900, 0, 1),
    Date.UTC(2300, 0, 1), TIME_MS_MIN, TIME_MS_MAX,
    nowMs - 365 * DAY_MS + 30 * MINUTE_MS, nowMs + DAY_MS - MINUTE_MS,
  ]; // biome-ignore format: a table
  const values: Reading['value'][] = [12.5, -0, true, '정지', 1e308, Number.NaN, 5e-324, null];
  const nameless = { device: '', channel: '', timeMs: Date.UTC(2001, 2, 3), value: 1, quality: 0 };
  const named = times.map((timeMs, i): Reading => {
    const value = values[i % values.length]!;
    const quality = value === null ? Quality.NULL : Quality.GOOD;
    // A device of the profile, and one without any.
    return { device: i % 2 === 0 ? 'D02' : 'X2', channel: `sensor${i}`, timeMs, value, quality };
  });
  return [nameless, ...named];
}

/** As JSON, CSV and Parquet, single and in buckets. */
async function askForAll(
  t: Test,
  collector: CollectorProcess,
  far: readonly Reading[],
): Promise<void> {
  for (const { device, channel, timeMs, value } of far) {
    const from = Math.max(timeMs - 1_000, TIME_MS_MIN);
    const to = Math.min(timeMs + 1_000, TIME_MS_MAX);
    const name = `${channel} of ${new Date(timeMs).toISOString()}`;
    // Nobody can ask for a device without a name, nor for the last moment of all.
    if (device === '' || to === timeMs) continue;
    const base = `/api/v1/readings?site=demo&device=${device}&from=${from}&to=${to}`;
    const { items } = await collector.get<{ items: { channel: string; time_ms: number }[] }>(base);
    t.match(items, [{ channel, time_ms: timeMs }], name);
    for (const step of ['minute', 'hour', 'day'])
      t.equal(
        (await collector.get<{ items: unknown[] }>(`${base}&step=${step}`)).items.length,
        1,
        `${name} by ${step}`,
      );
    const csv = await (await fetch(`${collector.base}${base}&format=csv`)).text();
    const rows = parse(csv, { columns: true }) as Record<string, string>[];
    t.match(rows, [{ channel, time_ms: String(timeMs) }], `${name} as CSV`);
    t.equal(Date.parse(rows[0]?.time ?? ''), timeMs, `${name}: ${rows[0]?.time}`);
    // JSON drops the sign of a negative zero.
    if (Object.is(value, -0)) t.equal(rows[0]?.value, '-0', `${name} is a negative zero`);
    const parquet = await fetch(`${collector.base}${base}&format=parquet`);
    const body = Buffer.from(await parquet.arrayBuffer());
    t.equal(body.subarray(-4).toString(), 'PAR1', `${name} as Parquet: ${parquet.status}`);
    writeFileSync(join(collector.folder, 'answer.parquet'), body);
  }
}
