import t from 'tap';
import { maskOf, Treatment } from '../../../collector/findings.ts';
import type { QualityRequest } from '../../../collector/quality/read.ts';
import { readQuality } from '../../../collector/quality/read.ts';
import { openChdbStore } from '../../../collector/store/chdb.ts';
import { hourStatements, minuteStatement } from '../../../collector/store/rollup/statements.ts';
import type { DeviceStateRow, QuarantineRow, ReadingRow } from '../../../collector/store/store.ts';
import { engineFolder } from '../../support/engine-folder.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Recent: quarantine forgets what is older than a month. */
const T0 = Math.floor(Date.now() / 86_400_000) * 86_400_000 - 5 * 86_400_000;
const LIMITS = { timeoutMs: 120_000, maxRows: 50_000, maxMemoryBytes: 2 ** 30 };
const EPOCH = '00112233445566ff';

let seq = 0;
function row(device: string, timeMs: number, more: Partial<ReadingRow> = {}): ReadingRow {
  seq++;
  return {
    site: 'demo', gateway: 'gw1', device, channel: 'a', timeMs, value: 1, text: null, quality: 0,
    epoch: EPOCH, seq, logPartition: 0, logOffset: seq, receivedMs: timeMs + 500, rawValue: null,
    findings: 0, treatment: Treatment.KEPT, ...more,
  }; // biome-ignore format: a table
}

function state(device: string, atMs: number, more: Partial<DeviceStateRow> = {}): DeviceStateRow {
  return {
    site: 'demo', device, gateway: 'gw1', area: '', line: '', profile: 'p', intervalMs: 10_000,
    channels: '["a"]', state: 'online', firstReceivedMs: T0, lastReceivedMs: atMs, lastMs: atMs,
    updatedMs: atMs, ...more,
  }; // biome-ignore format: a table
}

function quarantined(device: string, reason: string, more: Partial<QuarantineRow>): QuarantineRow {
  seq++;
  return {
    site: 'demo', gateway: 'gw1', device, reason, detail: '', timeMs: T0 + 5_000,
    receivedMs: T0 + 6_000, epoch: EPOCH, seq, count: 1, head: new Uint8Array(), reading: '{}',
    logId: 'log', logPartition: 0, logOffset: seq, logIndex: 0, ...more,
  }; // biome-ignore format: a table
}

t.test('scores of a real store', async (t) => {
  const store = await openChdbStore({ path: engineFolder(t) });
  t.teardown(() => store.close());
  await store.migrate();
  // D1: two hours, every 10 s, one of them missing in the fifth minute. D2: half an hour, then silence.
  const readings: ReadingRow[] = [];
  for (let i = 0; i < 720; i++) if (i !== 27) readings.push(row('D1', T0 + i * 10_000));
  for (let i = 0; i < 180; i++) readings.push(row('D2', T0 + i * 10_000));
  // Polled a little early, a little late: the third minute has seven, the fourth five.
  readings[18] = { ...readings[18]!, timeMs: T0 + 3 * MINUTE_MS - 20 };
  Object.assign(readings[30]!, { findings: maskOf('out_of_range', 'stuck') });
  Object.assign(readings[31]!, { findings: maskOf('null_value'), treatment: Treatment.FILLED });
  await store.insert('readings', readings, 'readings');
  const devices = ['D1', 'D2'].map((device) => ({ site: 'demo', device, channels: 1 }));
  const ranges = [{ from: T0 / MINUTE_MS, to: T0 / MINUTE_MS + 180 }];
  const slice = { devices, ranges, cells: 0 };
  for (const { sql, params } of [minuteStatement(slice, T0), ...hourStatements(slice, T0)]) {
    await store.execute(sql, params, LIMITS);
  }
  await store.insert(
    'device_states',
    [
      state('D1', T0),
      state('D2', T0),
      state('D2', T0 + 1_860_000, { state: 'late' }),
      state('D2', T0 + 1_900_000, { state: 'silent', lastReceivedMs: T0 + 1_790_000 }),
      state('D3', T0 + HOUR_MS, { firstReceivedMs: T0 + HOUR_MS }),
    ],
    'states',
  );
  const released = quarantined('D1', 'rule', { detail: 'out_of_range: 9' });
  await store.insert(
    'quarantine',
    [
      quarantined('D1', 'rule', { detail: 'out_of_range: 7' }),
      released,
      quarantined('D1', 'too_old', { timeMs: Date.UTC(2001, 0, 1) }),
      quarantined('D1', 'too_old', { count: 0 }),
      quarantined('', 'garbage', {}),
    ],
    'quarantine',
  );
  await store.insert('releases', [{ ...released, by: 'me', releasedMs: T0 + 9_000 }], 'releases');

  const queries = {
    run: <Row>(sql: string, params: Record<string, unknown>) =>
      store.query<Row>(sql, params, LIMITS),
  };
  const ask = (more: Partial<QualityRequest>) =>
    readQuality(queries, {
      sites: new Map(),
      site: 'demo',
      fromMs: T0,
      toMs: T0 + 2 * HOUR_MS,
      step: 'hour',
      nowMs: T0 + 10 * HOUR_MS,
      ...more,
    });

  await t.test('by the minute', async (t) => {
    const minutes = await ask({ device: 'D1', step: 'minute', toMs: T0 + 5 * MINUTE_MS });
    t.equal(minutes.length, 5);
    const [first, second, third, fourth, last] = minutes;
    // Six came, two more went to quarantine.
    t.match(first, {
      device: 'D1',
      fromMs: T0,
      toMs: T0 + MINUTE_MS,
      counts: { received: 6, quarantined: 2, expected: 8, reasons: { too_old: 1 } },
      quality: { completeness: 100, accuracy: 87.5, timeliness: 87.5 },
    });
    t.match(first?.quality.reasons.map(({ code }) => code).sort(), ['out_of_range', 'too_old']);
    t.match(second?.counts, { received: 6, expected: 6 });
    t.match([third?.counts.received, fourth?.counts.received], [7, 5]);
    t.match([third?.quality.all, fourth?.quality.all], [100, 100], 'a poll a little early');
    t.match(last?.counts, { received: 5, expected: 6, reasons: { not_received: 1 } });
    const sixth = await ask({
      device: 'D1',
      step: 'minute',
      fromMs: T0 + 5 * MINUTE_MS,
      toMs: T0 + 6 * MINUTE_MS,
    });
    t.match(sixth, [
      {
        counts: {
          filled: 1,
          latencyMaxMs: 500,
          reasons: { out_of_range: 1, stuck: 1, null_value: 1 },
          defects: { accuracy: 1, completeness: 1 },
        },
      },
    ]);
  });

  await t.test('by the hour, all devices', async (t) => {
    const hours = await ask({});
    t.match(
      hours.map(({ device, fromMs }) => [device, (fromMs - T0) / HOUR_MS]),
      [
        ['D1', 0],
        ['D1', 1],
        ['D2', 0],
        ['D2', 1],
        ['D3', 1],
      ],
    );
    t.match(hours[1], { counts: { expected: 360, received: 360 }, quality: { all: 100 } });
    t.match(hours[2], { counts: { expected: 360, received: 180 }, quality: { completeness: 50 } });
    t.match(hours[3], { quality: { completeness: 0, accuracy: null, all: 0 } });
    t.match(hours[4], { quality: { completeness: 0 } });
  });

  await t.test(
    'the whole range at once, cut anywhere; a site in all; days of the site',
    async (t) => {
      const [half] = await ask({ device: 'D1', step: 'all', fromMs: T0 + 1_800_000 });
      t.match(half, { fromMs: T0 + 1_800_000, counts: { received: 540, expected: 540 } });
      const [site, ...others] = await ask({ by: 'site', step: 'all', toMs: T0 + HOUR_MS });
      t.same(others, []);
      t.match(site, { device: '', counts: { received: 539, quarantined: 2, expected: 720 } });
      const sites = new Map([['demo', { timeZone: 'Asia/Kolkata', dayStart: '06:30' }]]);
      const days = await ask({ device: 'D1', sites, step: 'day' });
      t.match(
        days.map(({ fromMs, toMs, counts }) => [fromMs - T0, toMs - T0, counts.received]),
        [
          [-23 * HOUR_MS, HOUR_MS, 359],
          [HOUR_MS, 25 * HOUR_MS, 360],
        ],
      );
      const odd = new Map([['demo', { timeZone: 'Asia/Kolkata', dayStart: '06:00' }]]);
      const cut = await ask({ device: 'D1', sites: odd, step: 'day' });
      t.match(
        cut.map(({ counts }) => counts.received),
        [179, 540],
      );
    },
  );

  await t.test('what has just been, or is still to come, is not missed yet', async (t) => {
    const nowMs = T0 + HOUR_MS + 2 * MINUTE_MS;
    const [hour] = await ask({ device: 'D3', fromMs: T0 + HOUR_MS, nowMs });
    t.match(hour?.counts, { received: 0, expected: 9 }, 'all but the last half minute');
  });

  await t.test('nothing, nobody, too much', async (t) => {
    t.same(await ask({ device: 'nobody' }), []);
    t.same(await ask({ fromMs: T0, toMs: T0 }), []);
    await t.rejects(ask({ step: 'minute', toMs: T0 + 1e12 }), { code: 'STORE_QUERY_REFUSED' });
  });
});
