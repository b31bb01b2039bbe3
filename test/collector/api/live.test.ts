import { join } from 'node:path';
import t from 'tap';
import { LiveDevices } from '../../../collector/api/live/devices.ts';
import { LiveFleet } from '../../../collector/api/live/fleet.ts';
import { LiveView } from '../../../collector/api/live/live.ts';
import { openReadings } from '../../../collector/api/live/records.ts';
import { maskOf, Treatment } from '../../../collector/findings.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import type { DeviceEntry } from '../../../collector/processor/outputs/device.ts';
import { encodeDevice } from '../../../collector/processor/outputs/device.ts';
import { encodeGateway } from '../../../collector/processor/outputs/gateway.ts';
import type { LedgerEntry } from '../../../collector/processor/outputs/ledger.ts';
import { encodeLedger } from '../../../collector/processor/outputs/ledger.ts';
import type { Annotation } from '../../../collector/processor/outputs/readings.ts';
import { encodeReadings } from '../../../collector/processor/outputs/readings.ts';
import { OutputKind } from '../../../collector/types.ts';
import { encodeBatch } from '../../../proto/batch.ts';
import type { Reading } from '../../../proto/model.ts';
import { Quality } from '../../../proto/model.ts';
import { until } from '../../support/running-collector.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { headerOf, reading, sealAll, T0 } from '../../support/wire.ts';

function readingsValue(
  readings: readonly Reading[],
  annotations: readonly Annotation[] = [],
): Uint8Array {
  const envelope = encodeBatch(headerOf(readings.length), sealAll(readings));
  return encodeReadings(envelope, T0 + 100, annotations);
}

function opened(readings: readonly Reading[], annotations: readonly Annotation[] = [], offset = 0) {
  const record = openReadings({
    topic: 'readings',
    partition: 0,
    offset,
    key: 'demo/gw1',
    kind: OutputKind.READINGS,
    value: readingsValue(readings, annotations),
    appendedAtMs: T0 + 500,
  });
  if (record === undefined) throw new Error('not readable');
  return record;
}

const LEDGER: LedgerEntry = {
  site: 'demo',
  gateway: 'gw1',
  epoch: '00000000000000aa',
  openedMs: T0,
  lastSeq: 3,
  stored: 3,
  quarantined: 0,
  duplicates: 0,
  gaps: {},
  gapReadings: 0,
  inFlight: 0,
  storedSum: '0',
  quarantinedSum: '0',
  sumBalance: '0',
  seen: [],
  closed: 0,
  balance: 0,
  updatedMs: T0,
};

t.test('a record is opened to readings by device and channel', async (t) => {
  const record = opened([
    reading('temp', 21.5),
    reading('temp', 22.25, { timeMs: T0 + 10 }),
    reading('isFail', true),
    reading('label', 'ready'),
    reading('broken', null, { quality: Quality.NULL }),
    reading('wild', Number.POSITIVE_INFINITY, { quality: Quality.NOT_FINITE }),
    reading('temp', 7, { device: 'D02' }),
  ]);
  t.match(record, { site: 'demo', gateway: 'gw1', receivedMs: T0 + 100 });
  t.same(record.devices.map((d) => d.device).toSorted(), ['D01', 'D02']);
  const first = record.devices.find((d) => d.device === 'D01');
  const series = new Map(first?.series.map((s) => [s.channel, s]));
  t.match(series.get('temp'), { kind: 'number', decimals: 2 });
  t.same(
    series
      .get('temp')
      ?.readings()
      .map((r) => r.value),
    [21.5, 22.25],
  );
  t.match(series.get('isFail'), { kind: 'boolean', newest: { value: 1 } });
  t.match(series.get('label'), { kind: 'text', newest: { value: 'ready' } });
  t.match(series.get('broken')?.readings(), [{ value: null, quality: Quality.NULL }]);
  t.match(series.get('wild')?.readings(), [{ value: null, quality: Quality.NOT_FINITE }]);
});

t.test(
  'of very many readings in a record the last are shown, the newest found among all',
  async (t) => {
    const many = Array.from({ length: 3_000 }, (_, i) =>
      reading('temp', i, { timeMs: T0 + ((i * 7) % 3_000) }),
    );
    const [device] = opened(many).devices;
    const [series] = device?.series ?? [];
    t.equal(series?.count, 3_000);
    t.equal(series?.newest.timeMs, T0 + 2_999);
    const shown = series?.readings() ?? [];
    t.equal(shown.length, 500);
    t.equal(shown.at(-1)?.value, 2_999, 'in the order in which they were read');
  },
);

t.test('annotations: cleaned values, treatments, findings', async (t) => {
  const values = [1, -1, 300, 4, Number.NaN, 6];
  const record = opened(
    values.map((value, i) => reading('temp', value, { timeMs: T0 + i })),
    [
      {
        firstSeq: 2,
        count: 1,
        findings: maskOf('sentinel'),
        treatment: Treatment.FILLED,
        values: Float64Array.of(1),
      },
      {
        firstSeq: 3,
        count: 1,
        findings: maskOf('out_of_range'),
        treatment: Treatment.CLIPPED,
        values: Float64Array.of(100),
      },
      {
        firstSeq: 5,
        count: 1,
        findings: maskOf('not_finite'),
        treatment: Treatment.MISSING,
        values: undefined,
      },
      {
        firstSeq: 6,
        count: 1,
        findings: maskOf('late', 'stuck'),
        treatment: Treatment.FLAGGED,
        values: undefined,
      },
    ],
  );
  const [series] = record.devices[0]?.series ?? [];
  t.same(
    series?.readings().map((r) => [r.value, r.treatment, r.findings]),
    [
      [1, Treatment.KEPT, 0],
      [1, Treatment.FILLED, maskOf('sentinel')],
      [100, Treatment.CLIPPED, maskOf('out_of_range')],
      [4, Treatment.KEPT, 0],
      [null, Treatment.MISSING, maskOf('not_finite')],
      [6, Treatment.FLAGGED, maskOf('late', 'stuck')],
    ],
  );
  t.match(series?.newest, { value: 6, treatment: Treatment.FLAGGED });
});

const ENTRY: DeviceEntry = {
  site: 'demo',
  device: 'D01',
  gateway: 'gw1',
  area: 'hall 1',
  line: 'A',
  profile: 'fms',
  intervalMs: 10_000,
  channels: ['temp'],
  state: 'online',
  firstReceivedMs: T0,
  lastReceivedMs: T0,
  lastMs: T0,
  updatedMs: T0,
};

t.test('what is known of a device, by gateway; the newest counts', async (t) => {
  const devices = new LiveDevices();
  devices.applyEntry({ ...ENTRY, updatedMs: T0 + 2, state: 'late' });
  devices.applyEntry({ ...ENTRY, updatedMs: T0 + 1, state: 'silent' });
  const state = devices.get('demo', 'D01');
  t.equal(state?.entries.get('gw1')?.state, 'late');
  t.match(state, { lastMs: T0, gateway: 'gw1' });
  for (let i = 0; i < 20; i++)
    devices.applyEntry({ ...ENTRY, gateway: `gw${i}`, updatedMs: T0 + 9 });
  t.ok((state?.entries.size ?? 99) <= 8, 'bounded');
  t.ok(state?.entries.has('gw19'), 'the one that said something last stays');
});

t.test('garbage is no record', async (t) => {
  const value = Buffer.from('garbage');
  const record = { topic: 'readings', partition: 0, offset: 0, key: '', kind: '' } as const;
  t.equal(openReadings({ ...record, value, appendedAtMs: 0 }), undefined);
});

t.test('the newest value stays, whatever the order', async (t) => {
  const devices = new LiveDevices();
  devices.apply(opened([reading('temp', 2, { timeMs: T0 + 20 })]));
  devices.apply(opened([reading('temp', 1, { timeMs: T0 + 10 })]));
  devices.applyStored({
    site: 'demo',
    device: 'D01',
    gateway: 'old',
    channel: 'temp',
    timeMs: T0,
    value: 0,
    text: null,
    quality: 0,
    receivedMs: T0,
  });
  const state = devices.get('demo', 'D01');
  t.match(state, { gateway: 'gw1', lastMs: T0 + 20 });
  t.match(state?.channels.get('temp'), { value: 2, timeMs: T0 + 20 });
});

t.test('the interval is estimated, and a gap does not spoil it', async (t) => {
  const devices = new LiveDevices();
  let timeMs = T0;
  for (let i = 0; i < 10; i++) {
    timeMs += 10_000;
    devices.apply(opened([reading('temp', i, { timeMs })]));
  }
  t.equal(devices.get('demo', 'D01')?.intervalMs, 10_000);
  timeMs += 86_400_000;
  devices.apply(opened([reading('temp', 1, { timeMs })]));
  t.ok((devices.get('demo', 'D01')?.intervalMs ?? 0) < 20_000);
  const backlog = Array.from({ length: 50 }, (_, i) =>
    reading('temp', i, { timeMs: timeMs + (i + 1) * 10_000 }),
  );
  devices.apply(opened(backlog));
  const interval = devices.get('demo', 'D01')?.intervalMs ?? 0;
  t.ok(interval > 8_000 && interval < 20_000, String(interval));
});

t.test('bounds: devices and series beyond them are counted, not kept', async (t) => {
  const devices = new LiveDevices({ devices: 2, series: 3 });
  for (const device of ['D01', 'D02', 'D03'])
    devices.apply(opened([reading('a', 1, { device }), reading('b', 1, { device })]));
  t.equal(devices.deviceCount, 2);
  t.equal(
    devices.sorted().reduce((sum, d) => sum + d.channels.size, 0),
    3,
  );
  t.ok(devices.leftOutTotal >= 2);
  const fleet = new LiveFleet(2);
  for (const epoch of ['1', '2']) fleet.putLedger({ ...LEDGER, epoch });
  t.ok(fleet.complete);
  fleet.putLedger({ ...LEDGER, epoch: '3' });
  t.notOk(fleet.complete, 'it says that something is missing');
  fleet.putLedger({ ...LEDGER, epoch: '2', stored: 99, updatedMs: T0 + 1 });
  t.match(fleet.ledgerOf('demo', 'gw1'), [{ epoch: '1' }, { epoch: '2', stored: 99 }]);
});

t.test('follows the log from what the store may not have yet', async (t) => {
  const log = await openSqliteLog({
    path: join(t.testdir(), 'log.sqlite'),
    partitions: 2,
    maxBytes: 64 * 1024 * 1024,
    retentionBytes: 64 * 1024 * 1024,
    retentionMs: 3_600_000,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
  const append = (partition: number, device: string, value: number) =>
    log.append('readings', partition, {
      key: 'demo/gw1',
      kind: OutputKind.READINGS,
      value: readingsValue([reading('temp', value, { device })]),
    });
  await append(0, 'OLD', 1);
  await append(0, 'NEW', 1);
  await append(1, 'OTHER', 1);
  const view = new LiveView(silentLogger);
  await view.follow(log, () => 1);
  await until(async () => view.devices.deviceCount === 2);
  t.same(
    view.devices.sorted().map((d) => d.device),
    ['NEW', 'OTHER'],
  );
  await append(0, 'LIVE', 5);
  await log.append('events', 0, {
    key: 'demo/gw1',
    kind: OutputKind.DEVICE,
    value: encodeDevice({ ...ENTRY, device: 'LIVE', state: 'late' }),
  });
  await log.append('events', 1, {
    key: 'demo/gw1',
    kind: OutputKind.LEDGER,
    value: encodeLedger([LEDGER]),
  });
  await log.append('events', 0, { key: 'x', kind: OutputKind.LEDGER, value: Buffer.from('{') });
  await log.append('events', 0, {
    key: 'demo/gw1',
    kind: OutputKind.GATEWAY,
    value: encodeGateway({
      site: 'demo',
      gateway: 'gw1',
      online: true,
      version: '0.1.0',
      installId: '',
      epoch: '',
      lastSeq: 0,
      bufferReadings: 0,
      bufferBytes: 0,
      bufferSecondsUntilEviction: -1,
      clockUnsynced: false,
      clockStepMs: 0,
      readers: [],
      stateMs: T0,
      updatedMs: T0,
    }),
  });
  await until(
    async () =>
      view.devices.get('demo', 'LIVE')?.entries.get('gw1')?.state === 'late' &&
      view.fleet.gateway('demo', 'gw1') !== undefined &&
      view.fleet.ledgerOf('demo', 'gw1').length === 1,
  );
  t.pass('readings, gateways and ledger came; a broken record did not stop them');
  t.same(view.live?.hub.positions, [3, 1]);
  await view.close();
  await log.close();
});
