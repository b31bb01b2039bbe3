/** The API without network, log or store: forms, errors, limits, documentation. */

import type { FastifyInstance } from 'fastify';
import t from 'tap';
import type { ApiContext } from '../../../collector/api/context.ts';
import type { LiveDevices } from '../../../collector/api/live/devices.ts';
import { boundedQueries } from '../../../collector/api/queries.ts';
import { createApi, isAllowedHost } from '../../../collector/api/server.ts';
import { CollectorError, collectorErrors } from '../../../collector/errors.ts';
import type { DeviceEntry } from '../../../collector/processor/outputs/device.ts';
import type { LedgerEntry } from '../../../collector/processor/outputs/ledger.ts';
import type { Store } from '../../../collector/store/store.ts';
import { fakeContext, noFiles } from '../../support/api-context.ts';

const NOW = Date.UTC(2026, 10, 22, 12);

interface Asked {
  sql: string;
  params: Record<string, unknown>;
}

interface Fake {
  app: FastifyInstance;
  context: ApiContext;
  asked: Asked[];
  defects: unknown[];
}

async function fakeApi(answer: Store['query'] = async () => []): Promise<Fake> {
  const asked: Asked[] = [];
  const defects: unknown[] = [];
  const query: Store['query'] = (sql, params, limits, signal) => {
    asked.push({ sql, params });
    return answer(sql, params, limits, signal);
  };
  const context = fakeContext(NOW, { queries: boundedQueries({ query, exportTo: noFiles }, 2) });
  const app = await createApi(context, {
    allowedHosts: ['fms.example'],
    onDefect: (error) => defects.push(error),
  });
  return { app, context, asked, defects };
}

async function get(
  app: FastifyInstance,
  url: string,
  headers: Record<string, string> = { host: 'localhost' },
): Promise<{ status: number; body: Record<string, unknown>; headers: Record<string, unknown> }> {
  const response = await app.inject({ url, headers });
  return { status: response.statusCode, body: response.json(), headers: response.headers };
}

function addDevices(devices: LiveDevices, count: number): void {
  for (let i = 0; i < count; i++)
    devices.applyStored({
      site: i % 2 === 0 ? 'alpha' : 'beta',
      device: `D${String(i).padStart(3, '0')}`,
      gateway: `gw${i % 3}`,
      channel: 'temp',
      timeMs: NOW - i,
      value: i,
      text: null,
      quality: 0,
      receivedMs: NOW,
    });
}

function ledgerLine(gateway: string, epoch: string, more: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    site: 'demo',
    gateway,
    epoch,
    openedMs: NOW,
    lastSeq: 10,
    stored: 10,
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
    updatedMs: NOW,
    ...more,
  };
}

function names(count: number): string {
  return Array.from({ length: count }, (_, i) => `x${i}`).join();
}

t.test('errors have one form', async (t) => {
  const { app, defects } = await fakeApi(async () => {
    throw new Error('secret detail of a defect');
  });
  t.teardown(() => app.close());
  const cases: [string, number, string][] = [
    ['/nothing', 404, 'API_NOT_FOUND'],
    ['/api/v1/nothing', 404, 'API_NOT_FOUND'],
    ['/api/v1/../../package.json', 404, 'API_NOT_FOUND'],
    ['/config.schema.json', 404, 'API_NOT_FOUND'],
    ['/api/v1/gateways?limit=0', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/gateways?limit=x', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/gateways?limit=1001', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/gateways?unknown=1', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/gateways?cursor=AAAA', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/gateways?cursor=WzEsMl0', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&from=5&to=5', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&from=1.5', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&from=1e30', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&site=b&device=b', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&order=up', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&from=0&to=86400000&step_ms=1', 400, 'API_PARAMETER_INVALID'],
    [`/api/v1/readings?site=a&device=b&channels=${names(101)}`, 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&channels=,,', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&step=hour&step_ms=5', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&step=hour&points=5', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&form=wide&points=5', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&aggregate=min', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&points=5&cursor=WzFd', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&format=csv&cursor=WzFd', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&form=wide&cursor=WyJhIl0', 400, 'API_PARAMETER_INVALID'],
    ['/api/v1/readings?site=a&device=b&format=csv', 503, 'STORE_UNAVAILABLE'],
    ['/api/v1/readings?site=a&device=b', 500, 'API_INTERNAL'],
    ['/api/v1/stream', 503, 'API_NOT_READY'],
  ];
  for (const [url, status, code] of cases) {
    const answer = await get(app, url);
    t.equal(answer.status, status, url);
    t.match(answer.body, { error: { code, message: String, hint: String } });
    t.notOk(JSON.stringify(answer.body).includes('secret detail'));
  }
  t.equal(defects.length, 1, 'the defect was told, once');
  const posted = await app.inject({ method: 'POST', url: '/api/v1/gateways', payload: {} });
  t.equal(posted.statusCode, 404);
  const broken = await app.inject({ url: '/api/v1/%', headers: { host: 'localhost' } });
  t.ok(broken.statusCode === 400 || broken.statusCode === 404);
  t.match(broken.json(), { error: { code: String } });
});

t.test('what the store refuses keeps its code', async (t) => {
  for (const [code, status] of [
    ['STORE_QUERY_REFUSED', 422],
    ['STORE_UNAVAILABLE', 503],
  ] as const) {
    const { app } = await fakeApi(async () => {
      throw new CollectorError(code, 'too much');
    });
    const answer = await get(app, '/api/v1/readings?site=a&device=b');
    t.equal(answer.status, status);
    const { hint } = collectorErrors[code];
    t.same(answer.body, { error: { code, message: 'too much', hint } });
    await app.close();
  }
});

t.test('more queries than are allowed at once are refused, and later ones are not', async (t) => {
  const waiting: (() => void)[] = [];
  const { app } = await fakeApi(() => new Promise((resolve) => waiting.push(() => resolve([]))));
  t.teardown(() => app.close());
  const url = '/api/v1/quarantine';
  const first = [get(app, url), get(app, url)];
  while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const third = await get(app, url);
  t.match(third, { status: 503, body: { error: { code: 'API_BUSY' } } });
  t.equal(third.headers['retry-after'], '1');
  for (const done of waiting) done();
  for (const answer of await Promise.all(first)) t.equal(answer.status, 200);
  const later = get(app, url);
  while (waiting.length < 3) await new Promise((resolve) => setImmediate(resolve));
  waiting[2]?.();
  t.equal((await later).status, 200);
});

t.test('names that only this machine uses', async (t) => {
  const { app } = await fakeApi();
  t.teardown(() => app.close());
  for (const host of ['localhost', 'localhost:8080', '127.0.0.1:1', '[::1]:8080', 'FMS.example'])
    t.equal((await get(app, '/healthz', { host })).status, 200, host);
  for (const host of ['evil.example', 'fms.example.evil', 'localhost.evil', '127.0.0.1.evil'])
    t.match(await get(app, '/healthz', { host }), {
      status: 421,
      body: { error: { code: 'API_HOST_REFUSED' } },
    });
  t.ok(isAllowedHost('10.1.2.3', []), 'an address cannot be rebound');
});

t.test('security headers are on everything', async (t) => {
  const { app } = await fakeApi();
  t.teardown(() => app.close());
  for (const url of [
    '/',
    '/page.js',
    '/healthz',
    '/api/v1/gateways',
    '/nothing',
    '/vendor/uplot.js',
  ]) {
    const { headers } = await app.inject({ url, headers: { host: 'localhost' } });
    t.match(headers, {
      'content-security-policy': /default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/,
      'x-content-type-options': 'nosniff',
    });
    t.notMatch(String(headers['content-security-policy']), /unsafe/);
  }
});

t.test('pages and vendor files are there, nothing beside them', async (t) => {
  const { app } = await fakeApi();
  t.teardown(() => app.close());
  const page = await app.inject({ url: '/', headers: { host: 'localhost' } });
  t.match(page.headers['content-type'], 'text/html');
  t.notMatch(page.body, /<script>|<style|onclick=| style=/, 'nothing inline');
  for (const [, path] of page.body.matchAll(/(?:src|href)="(\/[^"#]+)"/g)) {
    const file = await app.inject({ url: path as string, headers: { host: 'localhost' } });
    t.equal(file.statusCode, 200, path ?? '');
  }
});

t.test('devices: search, pages, total', async (t) => {
  const { app, context } = await fakeApi();
  t.teardown(() => app.close());
  addDevices(context.devices, 25);
  const seen: string[] = [];
  let cursor = '';
  do {
    const { body } = await get(app, `/api/v1/devices?limit=10${cursor}`);
    t.equal(body.total, 25);
    seen.push(...(body.items as { device: string; site: string }[]).map((d) => d.site + d.device));
    cursor = body.next === null ? '' : `&cursor=${body.next}`;
  } while (cursor !== '');
  t.equal(new Set(seen).size, 25);
  t.same(seen, seen.toSorted());
  const found = await get(app, '/api/v1/devices?search=d01');
  t.equal(found.body.total, 10, 'D010 to D019, in any case');
  t.equal((await get(app, '/api/v1/devices?search=ALPHA')).body.total, 13, 'by site');
  const one = await get(app, '/api/v1/devices?site=alpha&device=D002');
  t.match(one.body.items, [{ device: 'D002', channels: [{ channel: 'temp', value: 2 }] }]);
});

t.test('devices: state, place, profile, and filters on them', async (t) => {
  const { app, context } = await fakeApi();
  t.teardown(() => app.close());
  addDevices(context.devices, 4);
  const entry: DeviceEntry = {
    site: 'alpha',
    device: 'D000',
    gateway: 'gw0',
    area: 'hall 1',
    line: 'press',
    profile: 'fms',
    intervalMs: 10_000,
    channels: ['temp'],
    state: 'silent',
    firstReceivedMs: NOW,
    lastReceivedMs: NOW,
    lastMs: NOW,
    updatedMs: NOW,
  };
  context.devices.applyEntry(entry);
  context.devices.applyEntry({ ...entry, gateway: 'gw9', state: 'late', updatedMs: NOW + 1 });
  context.devices.applyEntry({ ...entry, device: 'D002', profile: '', area: '', state: 'online' });
  context.devices.applyEntry({ ...entry, site: 'gone', device: 'S01', profile: 'toString' });
  const names = async (query: string): Promise<string> => {
    const { body } = await get(app, `/api/v1/devices?${query}`);
    return (body.items as { device: string }[]).map(({ device }) => device).join();
  };
  t.equal(await names(''), 'D000,D002,D001,D003,S01');
  t.equal(await names('state=late'), 'D000', 'the best of both gateways');
  t.equal(await names('state=unknown'), 'D001,D003');
  t.equal(await names('unprofiled=true'), 'D002');
  t.equal(await names('area=hall%201'), 'D000,S01');
  t.equal(await names('line=press&profile=fms'), 'D000');
  t.equal(await names('search=HALL'), 'D000,S01');
  t.equal(await names('gateway=gw1'), 'D001');
  const { body } = await get(app, '/api/v1/devices');
  t.match(body.items, [
    { state: 'late', area: 'hall 1', line: 'press', profile: 'fms', expected_interval_ms: 10_000 },
    { state: 'online', profile: '', unprofiled: true },
    { state: 'unknown', profile: '', unprofiled: false },
    {},
    { channels: [] },
  ]);
});

t.test('devices: channels as the profile says, unless collector.yaml says otherwise', async (t) => {
  const { app, context } = await fakeApi();
  t.teardown(() => app.close());
  const row = { site: 'demo', device: 'D01', gateway: 'gw1', timeMs: NOW, receivedMs: NOW };
  for (const channel of ['zz', 'isFail', 'sensor2', 'constructor'])
    context.devices.applyStored({ ...row, channel, value: 1, text: null, quality: 0 });
  context.devices.applyEntry({
    ...row,
    area: '',
    line: '',
    profile: 'fms',
    intervalMs: 10_000,
    channels: [],
    state: 'online',
    firstReceivedMs: NOW,
    lastReceivedMs: NOW,
    lastMs: NOW,
    updatedMs: NOW,
  });
  context.channels = new Map([
    ['zz', { unit: 'bar', decimals: 1, kind: undefined, attentionWhen: undefined }],
  ]);
  const { body } = await get(app, '/api/v1/devices');
  t.match((body.items as { channels: unknown[] }[])[0]?.channels, [
    { channel: 'zz', unit: 'bar', decimals: 1 },
    { channel: 'constructor', unit: '', kind: 'number' },
    { channel: 'isFail', kind: 'boolean', attention_when: 1 },
    {
      channel: 'sensor2',
      unit: '%',
      min: 0,
      max: 100,
      title: { en: 'Humidity', ko: '습도' },
      treatment: null,
      findings: null,
    },
  ]);
  t.match((await get(app, '/api/v1/profiles')).body, {
    version: /^[0-9a-f]{64}$/,
    profiles: [{ name: 'fms', interval_ms: 10_000, failure: { channel: 'isFail', when: 1 } }],
    assignments: [],
    mistakes: [],
  });
});

t.test('gateways: configured and seen, with what they said', async (t) => {
  const { app, context } = await fakeApi();
  t.teardown(() => app.close());
  context.fleet.putGateway({
    site: 'demo',
    gateway: 'gw1',
    online: true,
    version: '0.1.0',
    installId: 'abc',
    epoch: '00000000000000aa',
    lastSeq: 5,
    bufferReadings: 3,
    bufferBytes: 100,
    bufferSecondsUntilEviction: -1,
    clockUnsynced: true,
    clockStepMs: -2_000,
    readers: [
      {
        device: 'D01',
        reader: 'http',
        status: 'failing',
        lastGoodMs: 0,
        errorsTotal: 4,
        lastError: 'ECONNREFUSED',
      },
    ],
    stateMs: NOW - 5_000,
    updatedMs: NOW - 4_000,
  });
  context.fleet.putLedger(ledgerLine('gw1', '00000000000000aa', { gaps: { evicted_age: 2 } }));
  const { body } = await get(app, '/api/v1/gateways');
  t.match(body.items, [
    {
      gateway: 'gw1',
      status: 'online',
      buffer: { readings: 3, seconds_until_eviction: null },
      clock: { unsynced: true, step_ms: -2_000 },
      readers: [{ device: 'D01', status: 'failing', last_error: 'ECONNREFUSED' }],
      ledger: { sent: 10, stored: 10, gaps: { evicted_age: 2 }, balance: 0 },
    },
    { gateway: 'gw2', status: 'never_seen', configured: true, updated_ms: null },
  ]);
  const row = context.fleet.gateway('demo', 'gw1');
  if (row === undefined) throw new Error('gw1 is gone');
  context.fleet.putGateway({ ...row, updatedMs: NOW - 3_000 });
  context.fleet.putGateway({ ...row, updatedMs: NOW - 99_000, version: 'older' });
  t.match((await get(app, '/api/v1/gateways?limit=1')).body, {
    items: [{ version: '0.1.0' }],
    next: String,
  });
  t.match((await get(app, '/api/v1/overview')).body, {
    now_ms: NOW,
    gateways: { total: 2, online: 1, never_seen: 1, silent: 0, offline: 0 },
    sites: [{ site: 'demo', time_zone: 'Asia/Seoul', day_start: '06:00' }],
    ledger: { sent: 10 },
  });
});

t.test('a gateway that is silent, and one that is off', async (t) => {
  const { app, context } = await fakeApi();
  t.teardown(() => app.close());
  const base = {
    site: 'demo',
    online: true,
    version: '',
    installId: '',
    epoch: '',
    lastSeq: 0,
    bufferReadings: 0,
    bufferBytes: 0,
    bufferSecondsUntilEviction: 60,
    clockUnsynced: false,
    clockStepMs: 0,
    readers: [],
    stateMs: 0,
    updatedMs: NOW - 36_000,
  };
  context.fleet.putGateway({ ...base, gateway: 'gw1' });
  context.fleet.putGateway({ ...base, gateway: 'gw2', online: false });
  context.fleet.putGateway({ ...base, gateway: 'gw3', updatedMs: NOW - 21_000 });
  t.match((await get(app, '/api/v1/gateways')).body.items, [
    { status: 'silent', buffer: { seconds_until_eviction: 60 } },
    { status: 'offline' },
    { status: 'late' },
  ]);
  t.match((await get(app, '/api/v1/gateways?status=late')).body.items, [{ gateway: 'gw3' }]);
});

t.test('ledger: pages, totals that do not hide errors behind each other', async (t) => {
  const { app, context } = await fakeApi(async () => [{ n: '41' }] as never[]);
  t.teardown(() => app.close());
  const epoch = (i: number): string => i.toString(16).padStart(16, '0');
  for (let i = 0; i < 5; i++)
    context.fleet.putLedger(ledgerLine('gw1', epoch(i), { openedMs: NOW + i }));
  context.fleet.putLedger(ledgerLine('gw2', epoch(7), { balance: 3, stored: 13 }));
  context.fleet.putLedger(ledgerLine('gw2', epoch(8), { balance: -3, stored: 7 }));
  const first = await get(app, '/api/v1/ledger?limit=4');
  t.match(first.body.totals, { gateways: 2, epochs: 7, sent: 70, stored: 70, balance: 6 });
  t.equal(first.body.complete, true);
  const second = await get(app, `/api/v1/ledger?limit=4&cursor=${first.body.next}`);
  t.equal(second.body.next, null);
  const epochs = [...(first.body.items as []), ...(second.body.items as [])].map(
    (line: { epoch: string }) => line.epoch,
  );
  t.same(epochs, [0, 1, 2, 3, 4, 7, 8].map(epoch));
  t.match((await get(app, '/api/v1/ledger?gateway=gw2')).body.totals, { gateways: 1, epochs: 2 });
  t.match((await get(app, '/api/v1/ledger?count_rows=true')).body.totals, { rows_in_store: 41 });
  t.match(first.body.totals, { rows_in_store: null });
});

t.test('ledger: pages leave out none of the epochs that were opened in one moment', async (t) => {
  const { app, context } = await fakeApi();
  t.teardown(() => app.close());
  const epochs = ['3', '1', '4', '2', '0'].map((digit) => digit.padStart(16, '0'));
  for (const epoch of epochs) context.fleet.putLedger(ledgerLine('gw1', epoch, { openedMs: NOW }));
  const seen: string[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await get(app, `/api/v1/ledger?limit=2${cursor}`);
    seen.push(...(body.items as { epoch: string }[]).map((line) => line.epoch));
    if (body.next === null) break;
    cursor = `&cursor=${body.next}`;
  }
  t.same(seen, epochs.toSorted());
});

t.test('readings: what is asked of the store', async (t) => {
  const { app, asked } = await fakeApi();
  t.teardown(() => app.close());
  await get(app, '/api/v1/readings?site=demo&device=D%27--&channels=a,b&from=10&to=20&limit=5');
  const [first] = asked;
  t.match(first?.params, {
    site: 'demo',
    device: "D'--",
    channels: ['a', 'b'],
    from: 10,
    to: 20,
    limit: 6,
  });
  t.notOk(first?.sql.includes("D'--"), 'values never become SQL');
  await get(app, '/api/v1/readings?site=demo&device=D01');
  t.match(asked[1]?.params, { from: NOW - 3_600_000, to: NOW + 86_400_000 });
});

t.test('readiness answers 503 with the reasons', async (t) => {
  const { app, context } = await fakeApi();
  t.teardown(() => app.close());
  t.match(await get(app, '/readyz'), { status: 200, body: { ready: true } });
  context.readiness = () => [
    { name: 'log', ready: true, reason: '' },
    { name: 'store', ready: false, reason: 'disk full' },
  ];
  t.match(await get(app, '/readyz'), {
    status: 503,
    body: { ready: false, checks: [{ name: 'log' }, { name: 'store', reason: 'disk full' }] },
  });
  t.match((await get(app, '/api/v1/overview')).body, { ready: false, waiting_for: ['disk full'] });
  t.equal((await get(app, '/healthz')).status, 200, 'alive all the same');
});
