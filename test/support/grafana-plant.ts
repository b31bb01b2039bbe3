/**
 * A store for the dashboards' queries: a plant of many devices through the real schema, its readings made in
 * the engine, its roll-ups by the real statements.
 *
 * Two sites: `demo`, which the queries ask for, and `other`, which they must skip by the sort key. To hold 50
 * million readings within a test's time, the parts of `other` are attached several times over: these rows
 * lie on the disk and in the index like any others.
 */

import { BUCKET_MS } from '../../collector/store/columns.ts';
import {
  dayStatements,
  hourStatements,
  minuteStatement,
} from '../../collector/store/rollup/statements.ts';
import type {
  AlertRow,
  AnomalyRow,
  DeviceStateRow,
  QuarantineRow,
  Store,
} from '../../collector/store/store.ts';

export const SITE = 'demo';
export const CHANNELS = ['sensor1', 'sensor2', 'sensor3', 'motor1', 'motor2', 'motor3', 'isFail'];
const OTHER_SITE = 'other';
const INTERVAL_MS = 10_000;
const POLLS = BUCKET_MS / INTERVAL_MS;
const PER_BUCKET = CHANNELS.length * POLLS;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const ROLLED_TOGETHER = 10;
/** Index of the device with all the trouble. */
export const SILENT_DEVICE = 6;
const LIMITS = { timeoutMs: 600_000, maxRows: 1_000, maxMemoryBytes: 4 * 1024 ** 3 };
const COLUMNS = `site, gateway, device, channel, time_ms, value, text, quality, received_ms, epoch, seq,
  log_partition, log_offset, raw_value, findings, treatment`;

export interface PlantSize {
  devices: number;
  /** Stretches of four hours. */
  buckets: number;
  /** How often the parts of the other site are there. */
  others: number;
}

export interface Plant {
  fromMs: number;
  toMs: number;
  devices: number;
  readings: number;
}

/** Fills an empty, migrated store. `endMs`: full four hours. */
export async function fillPlant(store: Store, size: PlantSize, endMs: number): Promise<Plant> {
  const fromMs = endMs - size.buckets * BUCKET_MS;
  const run = (sql: string): Promise<unknown> => store.execute(sql, {}, LIMITS);
  const count = size.devices * size.buckets * PER_BUCKET;
  // Merging what is there many times over would take longer than all else.
  await run('SYSTEM STOP MERGES');
  if (size.others > 0) {
    await run('CREATE TABLE readings_of_others AS readings');
    await run(readingsSql('readings_of_others', OTHER_SITE, size, fromMs));
    for (const id of await partitionsOf(store, 'readings_of_others'))
      for (let i = 0; i < size.others; i++)
        await run(`ALTER TABLE readings ATTACH PARTITION ID '${id}' FROM readings_of_others`);
    await run('DROP TABLE readings_of_others SYNC');
  }
  await run(readingsSql('readings', SITE, size, fromMs));
  await rollUp(store, size, fromMs, endMs);
  await insertEntries(store, size, fromMs, endMs);

  return { fromMs, toMs: endMs, devices: size.devices, readings: count * (1 + size.others) };
}

/** By the real statements; what they made is there for the other site, too, and as often as its readings. */
async function rollUp(
  store: Store,
  { devices, others }: PlantSize,
  fromMs: number,
  endMs: number,
): Promise<void> {
  const firstDay = Math.floor(fromMs / DAY_MS) * DAY_MS;
  const days: number[] = [];
  for (let at = firstDay; at < endMs + DAY_MS; at += DAY_MS) days.push(at);
  const ranges = [{ from: fromMs / MINUTE_MS, to: endMs / MINUTE_MS }];
  // All at once would take more memory than a statement may have.
  for (let first = 0; first < devices; first += ROLLED_TOGETHER) {
    const slice = {
      devices: Array.from({ length: Math.min(ROLLED_TOGETHER, devices - first) }, (_, d) => ({
        site: SITE,
        device: nameOf(first + d),
        channels: CHANNELS.length,
      })),
      ranges,
      cells: 0,
    };
    for (const { sql, params } of [
      minuteStatement(slice, endMs),
      ...hourStatements(slice, endMs),
      ...dayStatements(slice, days, endMs),
    ])
      await store.execute(sql, params, LIMITS);
  }
  if (others === 0) return;
  for (const table of ['readings_1m', 'quality_1m', 'readings_1h', 'quality_1h']) {
    const run = (sql: string): Promise<void> => store.execute(sql, {}, LIMITS);
    await run(`CREATE TABLE ${table}_of_others AS ${table}`);
    await run(
      `INSERT INTO ${table}_of_others SELECT * REPLACE ('${OTHER_SITE}' AS site) FROM ${table}`,
    );
    for (const id of await partitionsOf(store, `${table}_of_others`))
      for (let i = 0; i < others; i++)
        await run(`ALTER TABLE ${table} ATTACH PARTITION ID '${id}' FROM ${table}_of_others`);
    await run(`DROP TABLE ${table}_of_others SYNC`);
  }
}

async function partitionsOf(store: Store, table: string): Promise<string[]> {
  const rows = await store.query<{ id: string }>(
    `SELECT DISTINCT partition_id AS id FROM system.parts
WHERE active AND database = currentDatabase() AND table = '${table}'`,
    {},
    LIMITS,
  );
  return rows.map(({ id }) => id);
}

/** What the processor and the jobs say of the devices. */
async function insertEntries(
  store: Store,
  { devices }: PlantSize,
  fromMs: number,
  endMs: number,
): Promise<void> {
  const states: DeviceStateRow[] = [];
  for (let d = 0; d < devices; d++) {
    const row = {
      site: SITE,
      device: nameOf(d),
      gateway: 'gw-01',
      ...placeOf(d),
      profile: 'fms',
      intervalMs: INTERVAL_MS,
      channels: JSON.stringify(CHANNELS),
      firstReceivedMs: fromMs,
      lastReceivedMs: endMs,
      lastMs: endMs - INTERVAL_MS,
    };
    states.push({ ...row, state: 'online', updatedMs: fromMs });
    if (d === SILENT_DEVICE) states.push({ ...row, state: 'silent', updatedMs: endMs - 600_000 });
  }
  await store.insert('device_states', states, 'states');
  await store.insert(
    'alerts',
    [
      alertOf(endMs),
      { ...alertOf(endMs), id: 'a2', state: 'resolved', resolvedMs: endMs - 60_000 },
    ],
    'alerts',
  );
  await store.insert('anomalies', [anomalyOf(endMs)], 'anomalies');
  await store.insert('quarantine', [quarantineOf(endMs)], 'quarantine');
  const run = (sql: string): Promise<void> => store.execute(sql, {}, LIMITS);
  await run(`INSERT INTO devices (site, gateway, device, channel, time_ms, value, quality, received_ms)
SELECT site, 'gw-01', device, channel, max(last_ms), argMax(last, last_ms), 0, ${endMs} FROM readings_1m
WHERE site = '${SITE}' GROUP BY site, device, channel`);
  await run(`INSERT INTO failures (site, device, from_ms, to_ms, gone, updated_ms)
VALUES ('${SITE}', '${nameOf(SILENT_DEVICE)}', ${endMs - 1_800_000}, ${endMs - 1_680_000}, 0, ${endMs}),
  ('${SITE}', '${nameOf(SILENT_DEVICE)}', ${endMs - 900_000}, 0, 0, ${endMs})`);
  await run(`INSERT INTO device_statistics (site, device, period, label, start_ms, end_ms, observed_ms, delivered_ms, failing_ms, failures, updated_ms)
SELECT '${SITE}', concat('D', leftPad(toString(number + 1), 3, '0')), 'day', 'a day', ${endMs - DAY_MS}, ${endMs}, ${DAY_MS}, ${DAY_MS}, if(number = ${SILENT_DEVICE}, ${DAY_MS / 4}, 0), number = ${SILENT_DEVICE}, ${endMs}
FROM numbers(${devices})`);
}

function alertOf(endMs: number): AlertRow {
  return {
    id: 'a1',
    site: SITE,
    gateway: 'gw-01',
    device: nameOf(SILENT_DEVICE),
    ...placeOf(SILENT_DEVICE),
    rule: 'no_data',
    severity: 'ERROR',
    state: 'firing',
    title: 'No data',
    titleKo: '데이터 없음',
    summary: 'nothing came',
    summaryKo: '수신 없음',
    values: '{}',
    startedMs: endMs - 500_000,
    firedMs: endMs - 500_000,
    acknowledgedMs: 0,
    acknowledgedBy: '',
    acknowledgedNote: '',
    resolvedMs: 0,
    resolvedBy: '',
    silence: '',
    inhibitedBy: '',
    version: 1,
    receivedMs: endMs,
    updatedMs: endMs,
    logId: 'this-log',
  };
}

function anomalyOf(endMs: number): AnomalyRow {
  return {
    id: 'n1',
    site: SITE,
    gateway: 'gw-01',
    device: nameOf(SILENT_DEVICE),
    detector: 'limits',
    channel: 'sensor1',
    state: 'ended',
    onsetMs: endMs - 1_200_000,
    peakMs: endMs - 1_100_000,
    endMs: endMs - 1_000_000,
    score: 0.9,
    value: 99,
    expectedLow: 40,
    expectedHigh: 70,
    reason: 'above what was learnt',
    reasonKo: '학습 범위 초과',
    channels: '[]',
    maintenance: '',
    version: 1,
    updatedMs: endMs,
    logId: 'this-log',
  };
}

function quarantineOf(endMs: number): QuarantineRow {
  return {
    site: SITE,
    gateway: 'gw-01',
    device: nameOf(SILENT_DEVICE),
    reason: 'rule',
    detail: 'out_of_range',
    timeMs: endMs - 700_000,
    receivedMs: endMs - 700_000,
    epoch: '00000000000000a1',
    seq: 1,
    count: 3,
    head: new Uint8Array(),
    reading: '',
    logId: 'this-log',
    logPartition: 0,
    logOffset: 1,
    logIndex: 0,
  };
}

/** In the order of the sort key, so that the engine has nothing to sort. */
function readingsSql(table: string, site: string, size: PlantSize, fromMs: number): string {
  return `INSERT INTO ${table} (${COLUMNS})
SETTINGS async_insert = 0, max_partitions_per_insert_block = 0, insert_deduplicate = 0
WITH intDiv(number, ${size.buckets * PER_BUCKET}) AS d, number % ${size.buckets * PER_BUCKET} AS i,
  intDiv(i, ${PER_BUCKET}) AS b, intDiv(i % ${PER_BUCKET}, ${POLLS}) AS c, i % ${POLLS} AS p,
  toInt64(${fromMs} + b * ${BUCKET_MS} + p * ${INTERVAL_MS}) AS at,
  number % 1000 = 7 AS isOdd
SELECT '${site}', concat('gw-', leftPad(toString(intDiv(d, 10) + 1), 2, '0')), concat('D', leftPad(toString(d + 1), 3, '0')),
  arraySort(['${CHANNELS.join("','")}'])[c + 1], at,
  if(c = 0, toFloat64(p >= 700 AND p < 712), round(50 + 10 * c + 5 * sin(p / 100) + (number % 7) / 10, 2)), NULL, 0, at + 200,
  '00000000000000a1', number + 1, 0, intDiv(number, 70), NULL, if(isOdd, 256, 0), toUInt8(isOdd)
FROM numbers(${size.devices * size.buckets * PER_BUCKET})`;
}

export function nameOf(device: number): string {
  return `D${String(device + 1).padStart(3, '0')}`;
}

/** Devices stand on ten lines in two areas. */
export function placeOf(device: number): { area: string; line: string } {
  const number = (device % 10) + 1;
  return { area: number <= 5 ? 'North' : 'South', line: `Line ${number}` };
}
