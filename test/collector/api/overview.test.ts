/** What the Overview page asks for: states of devices in a few words, the last hour of the plant. */

import t from 'tap';
import { freshnessOf } from '../../../collector/api/device_states.ts';
import { LiveDevices } from '../../../collector/api/live/devices.ts';
import { LiveIngest } from '../../../collector/api/live/ingest.ts';
import { createApi } from '../../../collector/api/server.ts';
import type { AlertEntry } from '../../../collector/processor/outputs/alert.ts';
import type { GatewayEntry } from '../../../collector/processor/outputs/gateway.ts';
import { fakeContext } from '../../support/api-context.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const MINUTE_MS = 60_000;

const ALERT: AlertEntry = {
  id: '0123456789abcdef',
  site: 'demo',
  gateway: 'gw1',
  device: 'D2',
  area: '',
  line: '',
  rule: 'hot',
  severity: 'WARNING',
  state: 'firing',
  title: 'Hot',
  titleKo: '뜨거움',
  summary: '',
  summaryKo: '',
  values: {},
  startedMs: NOW,
  firedMs: NOW,
  acknowledgedMs: 0,
  acknowledgedBy: '',
  acknowledgedNote: '',
  resolvedMs: 0,
  resolvedBy: '',
  silence: '',
  inhibitedBy: '',
  version: 1,
  receivedMs: NOW,
  updatedMs: NOW,
};

t.test('fresh, stale, past and ahead', async (t) => {
  const freshness = (ageMs: number, receivedAgeMs: number, intervalMs: number | null = 1_000) =>
    freshnessOf({ lastMs: NOW - ageMs, receivedMs: NOW - receivedAgeMs, intervalMs }, NOW);
  t.equal(freshness(1_000, 1_000), 'live');
  t.equal(freshness(30_000, 30_000), 'live', 'at least 30 s');
  t.equal(freshness(30_001, 30_001), 'stale');
  t.equal(freshness(30_001, 30_001, null), 'stale', 'interval not known');
  t.equal(freshness(179_000, 179_000, 60_000), 'live', 'three intervals');
  t.equal(freshness(181_000, 181_000, 60_000), 'stale');
  t.equal(freshness(86_400_000, 500), 'past', 'old readings that come now');
  t.equal(freshness(-3_600_000, 500), 'ahead');
});

t.test(
  'states: in the order of people, with the worst alert, and an ETag that stays',
  async (t) => {
    const devices = new LiveDevices();
    const put = (device: string, ageMs: number, value = 0) =>
      devices.applyStored({
        site: 'demo',
        device,
        gateway: 'gw1',
        channel: 'isFail',
        timeMs: NOW - ageMs,
        value,
        text: null,
        quality: 0,
        receivedMs: NOW - ageMs,
      });
    put('D10', 0);
    put('D2', 500, 1);
    put('D1', 3_600_000);
    const shown = { kind: 'boolean', unit: '', decimals: undefined, attentionWhen: 1 } as const;
    const context = fakeContext(NOW, { devices, channels: new Map([['isFail', shown]]) });
    context.alerts.putAlert(ALERT);
    const more = { id: '1'.repeat(16), severity: 'CRITICAL', state: 'acknowledged' } as const;
    context.alerts.putAlert({ ...ALERT, ...more });
    context.alerts.putAlert({ ...ALERT, id: '2'.repeat(16) });
    context.alerts.putAlert({ ...ALERT, id: '3'.repeat(16), device: 'D10', state: 'pending' });
    const app = await createApi(context, { allowedHosts: [], onDefect: () => undefined });
    t.teardown(() => app.close());
    const ask = (headers: Record<string, string> = {}) =>
      app.inject({ url: '/api/v1/devices/states', headers: { host: 'localhost', ...headers } });
    const answer = await ask();
    t.equal(answer.headers['cache-control'], 'private, no-cache');
    const { items, total } = answer.json();
    t.equal(total, 3);
    t.match(items, [
      { device: 'D1', freshness: 'stale', last_ms: NOW - 3_600_000, alert: null },
      {
        device: 'D2',
        freshness: 'live',
        last_ms: null,
        attention: 1,
        alert: { severity: 'WARNING', look: 'loud', count: 2, title_ko: '뜨거움' },
      },
      { device: 'D10', attention: 0, alert: null },
    ]);
    const etag = String(answer.headers.etag);
    put('D10', -1_000);
    const again = await ask({ 'if-none-match': etag });
    t.equal(again.statusCode, 304, 'a new reading that changes nothing for a tile');
    t.equal(again.body, '');
    put('D10', -2_000, 1);
    t.equal((await ask({ 'if-none-match': etag })).statusCode, 200);
  },
);

t.test('ingest: by minute, only what was counted', async (t) => {
  const ingest = new LiveIngest();
  t.equal(ingest.perSecond('demo', NOW), null);
  const begin = NOW - 3 * MINUTE_MS;
  for (let ms = begin; ms < NOW; ms += 10_000) ingest.add({ site: 'demo', receivedMs: ms }, 50);
  ingest.add({ site: 'other', receivedMs: begin }, 7);
  t.equal(ingest.perSecond('demo', NOW), 5);
  t.equal(ingest.perSecond('other', NOW), 0);
  t.same(ingest.byMinute('demo', NOW, 5), [null, null, 5, 5, 5]);
  // Two hours later nothing of it is left, and nothing of it comes again.
  const later = NOW + 120 * MINUTE_MS;
  ingest.add({ site: 'demo', receivedMs: later }, 1);
  ingest.add({ site: 'demo', receivedMs: begin }, 1_000);
  t.same(ingest.byMinute('demo', later + MINUTE_MS, 3), [0, 0, 1 / 60]);
});

t.test('the wall: rates, and gateways that need a person', async (t) => {
  const gateways = [
    { site: 'demo', gateway: 'gw1' },
    { site: 'far', gateway: 'gw3' },
  ];
  const context = fakeContext(NOW, { gateways });
  const gateway: GatewayEntry = {
    site: 'demo',
    gateway: 'gw1',
    online: true,
    version: '1',
    installId: '',
    epoch: '',
    lastSeq: 0,
    bufferReadings: 0,
    bufferBytes: 0,
    bufferSecondsUntilEviction: -1,
    clockUnsynced: false,
    clockStepMs: 0,
    readers: [],
    stateMs: NOW,
    updatedMs: NOW,
  };
  context.fleet.putGateway(gateway);
  const troubled = { clockUnsynced: true, bufferSecondsUntilEviction: 1_200 };
  context.fleet.putGateway({ ...gateway, gateway: 'gw2', ...troubled });
  context.fleet.putGateway({ ...gateway, site: 'far', gateway: 'gw3', online: false });
  for (let ms = NOW - MINUTE_MS; ms < NOW; ms += 10_000) {
    context.ingest.add({ site: 'demo', receivedMs: ms }, 100);
    context.ingest.add({ site: 'far', receivedMs: ms }, 10);
  }
  const app = await createApi(context, { allowedHosts: [], onDefect: () => undefined });
  t.teardown(() => app.close());
  const url = '/api/v1/overview/wall';
  const { all, sites, gateways: needy, from_ms } = (await app.inject({ url })).json();
  t.equal(from_ms, NOW - 60 * MINUTE_MS);
  t.equal(all.readings_per_second, 11);
  t.equal(all.readings_minutes.length, 60);
  t.equal(all.readings_minutes.at(-1), 11);
  t.equal(all.quality, null, 'nothing to judge');
  t.match(sites, [{ site: 'demo', readings_per_second: 10 }]);
  t.match(needy, {
    total: 2,
    items: [
      { site: 'far', gateway: 'gw3', needs: ['offline'] },
      { gateway: 'gw2', needs: ['evicting', 'clock'], seconds_until_eviction: 1_200 },
    ],
  });
});
