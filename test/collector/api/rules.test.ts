/** What the rules do and say, seen through the API of a real collector; and a release from quarantine. */

import t from 'tap';
import type { Reading } from '../../../proto/model.ts';
import { Quality } from '../../../proto/model.ts';
import { TestCollector, until } from '../../support/running-collector.ts';

const collector = new TestCollector();
const NOW = Math.floor(Date.now() / 10_000) * 10_000;
const OLD = Date.UTC(2001, 0, 1);

interface Item {
  id: string;
  channel: string;
  device: string;
  time_ms: number;
  value: number | null;
  raw_value: number | null;
  treatment: string;
  findings: string[];
  releasable: boolean;
  released_ms: number | null;
}

async function items(path: string): Promise<Item[]> {
  const { status, body } = await collector.get(`/api/v1/${path}`);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.items as Item[];
}

function reading(channel: string, at: number, value: number | null): Reading {
  const quality = value === null ? Quality.NULL : 0;
  return { device: 'D07', channel, timeMs: NOW - (10 - at) * 10_000, value, quality };
}

const SENT: Reading[] = [
  reading('sensor1', 0, 20),
  reading('sensor1', 1, null),
  reading('sensor1', 2, -1),
  reading('sensor1', 3, 500),
  reading('sensor1', 4, 21),
  reading('motor1', 0, 900),
  reading('motor1', 1, null),
];

t.before(async () => {
  await collector.start();
  const publisher = await collector.publisher('gw1');
  await publisher.state();
  await publisher.readings(SENT);
  await publisher.readings([{ ...reading('sensor1', 0, 7), timeMs: OLD }]);
  await publisher.close();
  await until(async () => {
    const { body } = await collector.get('/api/v1/ledger');
    const { stored, quarantined } = body.totals as { stored: number; quarantined: number };
    return stored === SENT.length && quarantined === 1;
  });
  await until(async () => (await items('readings?site=demo&device=D07')).length === SENT.length);
  await until(async () => (await items('quarantine')).length === 1);
});
t.teardown(() => collector.remove());

t.test('readings say what was made of them', async (t) => {
  const found = await items('readings?site=demo&device=D07&channels=sensor1');
  const shown = found.map(({ value, raw_value, treatment }) => [value, raw_value, treatment]);
  t.same(shown.slice(0, 3), [
    [20, null, 'kept'],
    [20, null, 'filled'],
    [20, -1, 'filled'],
  ]);
  t.ok(found[1]?.findings.includes('null_value'));
  t.ok(found[2]?.findings.includes('sentinel'));
  t.ok(found[3]?.findings.includes('out_of_range'));
  const [motor] = (await items('readings?site=demo&device=D07&channels=motor1')).slice(-1);
  t.match(motor, { value: 0, treatment: 'filled' });
  const { body } = await collector.get('/api/v1/readings?site=demo&device=D07&form=wide');
  t.match(body, {
    channels: ['motor1', 'sensor1'],
    items: [
      { values: [900, 20], marks: {} },
      { values: [0, 20], marks: { motor1: { treatment: 'filled' }, sensor1: { raw_value: null } } },
      { values: [null, 20] },
      {},
      { values: [null, 21] },
    ],
  });
});

t.test('statistics leave out what was made up', async (t) => {
  const range = `from=${NOW - 600_000}&to=${NOW + 60_000}`;
  const wanted = { min: 20, count: 3, filled: 2, bad: 0 };
  for (const step of ['step_ms=3600000', 'step_ms=7200001', 'step=hour']) {
    const buckets = (await items(
      `readings?site=demo&device=D07&channels=sensor1&${range}&${step}`,
    )) as unknown as { count: number; filled: number; min: number }[];
    const sum = { min: Math.min(...buckets.map(({ min }) => min)), count: 0, filled: 0, bad: 0 };
    for (const { count, filled } of buckets) {
      sum.count += count;
      sum.filled += filled;
    }
    t.same(sum, wanted, step);
  }
});

t.test('the device has a profile, a state and units', async (t) => {
  await until(async () => (await items('devices?device=D07&state=online')).length === 1);
  const { body } = await collector.get('/api/v1/devices?device=D07&unprofiled=false');
  t.match(body.items, [
    {
      profile: 'fms',
      state: 'online',
      expected_interval_ms: 10_000,
      channels: [
        { channel: 'sensor1', unit: '°C', min: 0, max: 100, value: 21, findings: Array },
        { channel: 'motor1', unit: 'rpm', value: 0, treatment: 'filled', findings: Array },
      ],
    },
  ]);
  const kinds = (await items('events?kind=device_new')) as unknown as { device: string }[];
  t.match(kinds, [{ device: 'D07' }]);
});

t.test('the quality says why points are lost', async (t) => {
  interface Bucket {
    received: number;
    quarantined: number;
    score: Record<string, number | null>;
    reasons: { code: string; points: number; en: string; ko: string }[];
  }
  const url = `quality?site=demo&device=D07&step=all&from=${NOW - 600_000}&to=${NOW + 60_000}`;
  // Counters follow the readings after some seconds.
  await until(async () => ((await items(url)) as unknown as Bucket[])[0]?.received === SENT.length);
  const [bucket] = (await items(url)) as unknown as Bucket[];
  const reasons = new Map(bucket?.reasons.map((reason) => [reason.code, reason]));
  t.ok((bucket?.score.completeness ?? 100) < 100);
  t.match(reasons.get('null_value'), { count: 2, dimension: 'completeness', ko: String });
  t.match(reasons.get('out_of_range'), { count: 1, dimension: 'accuracy', en: String });
});

t.test('a release moves a reading to the readings, once', async (t) => {
  const [entry] = await items('quarantine?releasable=true');
  t.match(entry, { reason: 'too_old', reading: { channel: 'sensor1', value: 7, time_ms: OLD } });
  const release = () =>
    fetch(`${collector.base}/api/v1/quarantine/${entry?.id}/release`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ by: '김철수' }),
    });
  // Two people at once: both are taken, the second one is refused when its turn comes.
  const answers = await Promise.all([release(), release()]);
  t.same(
    answers.map(({ status }) => status),
    [202, 202],
  );
  const old = `readings?site=demo&device=D07&from=${OLD}&to=${OLD + 1}`;
  await until(async () => (await items(old)).length > 0);
  await until(async () => (await items('events?kind=release_refused')).length === 1);
  await until(async () => (await items('quarantine?releasable=true')).length === 0);
  t.match(await items(old), [{ value: 7, treatment: 'kept' }]);
  t.equal((await items(old)).length, 1);
  t.match(await items('quarantine'), [{ released_ms: Number, released_by: '김철수' }]);
  t.match(await items('events?kind=released'), [{ severity: 'info', device: 'D07' }]);
  t.equal((await release()).status, 409, 'known by now');
  await until(async () => {
    const { body } = await collector.get('/api/v1/ledger');
    const { stored, quarantined, balance } = body.totals as Record<string, number>;
    return stored === SENT.length + 1 && quarantined === 0 && balance === 0;
  });
  t.pass('the ledger agrees');
});
