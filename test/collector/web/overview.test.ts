/** The Overview in a real Chromium, on the API's own memory of devices, alerts and gateways. */

import t from 'tap';
import { LiveAlerts } from '../../../collector/api/live/alerts.ts';
import { LiveDevices } from '../../../collector/api/live/devices.ts';
import { LiveFleet } from '../../../collector/api/live/fleet.ts';
import { LiveIngest } from '../../../collector/api/live/ingest.ts';
import type { ChannelConfig } from '../../../collector/config.ts';
import type { AlertEntry } from '../../../collector/processor/outputs/alert.ts';
import type { DeviceEntry } from '../../../collector/processor/outputs/device.ts';
import type { GatewayEntry } from '../../../collector/processor/outputs/gateway.ts';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, openPage, overflowPx, seriousFindings } from '../../support/pages.ts';
import { until } from '../../support/running-collector.ts';
import { servePages } from '../../support/served-pages.ts';

const browser = browserOf(t);
const HOSTILE = '<img src=x onerror=alert(1)>';
const RIGHT_TO_LEFT = 'جهاز-١';
const LONG = 'x'.repeat(128);

class Plant {
  readonly devices = new LiveDevices();
  readonly alerts = new LiveAlerts();
  readonly fleet = new LiveFleet();
  readonly ingest = new LiveIngest();
  readonly channels = new Map<string, ChannelConfig>([
    ['temp', { unit: '°C', decimals: 1, kind: undefined, attentionWhen: undefined }],
    ['isFail', { unit: '', decimals: undefined, kind: 'boolean', attentionWhen: 1 }],
  ]);
  #version = 0;

  /** A device that reads now, unless it is said how long ago. */
  read(device: string, values: Record<string, number | null> = { temp: 21.5 }, ageMs = 0): void {
    const timeMs = Date.now() - ageMs;
    const at = { site: 'demo', device, gateway: 'gw1', timeMs, receivedMs: timeMs };
    for (const [channel, value] of Object.entries(values))
      this.devices.applyStored({ ...at, channel, value, text: null, quality: 0 });
    this.ingest.add({ site: 'demo', receivedMs: timeMs }, 1);
  }

  place(device: string, line: string, state: DeviceEntry['state'] = 'online'): void {
    const now = Date.now();
    this.devices.applyEntry({
      site: 'demo',
      device,
      gateway: 'gw1',
      area: 'Hall 1',
      line,
      profile: 'fms',
      // None is late while the test runs.
      intervalMs: 100_000,
      channels: [],
      state,
      firstReceivedMs: now,
      lastReceivedMs: now,
      lastMs: now,
      updatedMs: now + this.#version++,
    });
  }

  alert(device: string, more: Partial<AlertEntry> = {}): void {
    const now = Date.now();
    const version = ++this.#version;
    this.alerts.putAlert({
      id: version.toString(16).padStart(16, '0'),
      site: 'demo',
      gateway: 'gw1',
      device,
      area: '',
      line: '',
      rule: 'hot',
      severity: 'ERROR',
      state: 'firing',
      title: 'Temperature is high',
      titleKo: '온도가 높음',
      summary: '',
      summaryKo: '',
      values: {},
      startedMs: now,
      firedMs: now,
      acknowledgedMs: 0,
      acknowledgedBy: '',
      acknowledgedNote: '',
      resolvedMs: 0,
      resolvedBy: '',
      silence: '',
      inhibitedBy: '',
      version,
      receivedMs: now,
      updatedMs: now,
      ...more,
    });
  }

  gateway(gateway: string, more: Partial<GatewayEntry> = {}): void {
    const now = Date.now();
    this.fleet.putGateway({
      site: 'demo',
      gateway,
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
      stateMs: now,
      updatedMs: now,
      ...more,
    });
  }
}

t.test('few devices: every value right there', { skip: noBrowser }, async (t) => {
  // What is read now is old after half a minute, of which the browser's start may take all.
  await browser;
  const plant = new Plant();
  for (const device of ['D01', 'D02', 'D03'])
    plant.read(device, { temp: 21.54, load: 1e308, isFail: 0 });
  plant.gateway('gw1');
  plant.gateway('gw2');
  plant.alerts.setFilled();
  const { base } = await servePages(t, plant);
  const tab = await openPage(t, browser, base);
  const { page, errors } = tab;
  const cell = page.locator('[data-device="D01"] + dl [data-channel="temp"] dd');
  await cell.getByText('21.5').waitFor();
  t.match(await cell.textContent(), '21.5 °C', 'with unit');
  await page.getByText('Nothing needs a person.').waitFor();
  t.equal(await page.locator('main .mark.warn, main .mark.bad').count(), 0, 'calm');
  t.match(await page.locator('[data-figure="devices"]').textContent(), /3 of 3/);

  plant.read('D01', { temp: 99.9, isFail: 1, load: null }, -1_000);
  await cell.getByText('99.9').waitFor();
  t.match(
    await page.locator('[data-device="D01"] + dl [data-channel="isFail"] dd').textContent(),
    /▲ yes – attention/,
    'what needs a person has a shape and a word',
  );
  t.match(
    await page.locator('[data-device="D01"] + dl [data-channel="load"] dd').textContent(),
    'no value',
  );
  await page.locator('[data-needs="devices"]').getByText('D01').waitFor();

  // Names from outside are text, whatever they say; values beyond all measure too.
  for (const name of [HOSTILE, RIGHT_TO_LEFT, LONG]) plant.read(name, { [HOSTILE]: -1e-300 });
  await page.locator('main').getByText(LONG).first().waitFor();
  t.equal(await page.locator('main img').count(), 0);
  t.ok((await overflowPx(page)) <= 0, 'nothing beyond the edge');
  t.same(await seriousFindings(page), []);

  await t.test('keyboard only: search, open, come back', async (t) => {
    await page.keyboard.press('/');
    await page.keyboard.type('d02');
    await until(async () => (await page.locator('a[data-device]').count()) === 1);
    t.match(page.url(), 'search=d02', 'what was searched can be shared');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/device/demo/D02');
    await page.locator('#device-title').waitFor();
    await page.goBack();
    await page.locator('[data-device="D02"]').waitFor();
    await page.locator('#search').fill('nobody');
    await page.getByText('No device matches “nobody”.').waitFor();
    await page.locator('#search').fill('');
    await page.locator('[data-device="D03"]').waitFor();
  });

  await t.test('a lost connection is said, and heals', async (t) => {
    tab.isCut = true;
    await page.route('**/api/**', (route) => route.abort());
    await page.getByText('No connection to the collector since').waitFor();
    t.ok(await page.locator('body.stale-page').count(), 'what is shown is marked as old');
    t.ok(await page.locator('[data-device="D03"]').count(), 'and stays');
    await page.unroute('**/api/**');
    await page.locator('body:not(.stale-page)').waitFor();
    tab.isCut = false;
  });
  t.same(errors, []);
});

t.test(
  'a thousand devices: one look, and still while nothing changes',
  { skip: noBrowser },
  async (t) => {
    const plant = new Plant();
    const names = Array.from({ length: 1_000 }, (_, i) => `M${String(i).padStart(4, '0')}`);
    for (const [i, name] of names.entries()) {
      plant.read(name, { temp: 20, isFail: 0 });
      plant.place(name, `Line ${i % 10}`, name === 'M0500' ? 'silent' : 'online');
    }
    plant.gateway('gw1', { clockUnsynced: true });
    plant.gateway('gw2', { bufferSecondsUntilEviction: 1_200 });
    plant.alert('M0042', { severity: 'CRITICAL' });
    plant.alert('M0043', { state: 'acknowledged', acknowledgedMs: Date.now() });
    plant.alerts.setFilled();
    const { base } = await servePages(t, plant);
    const { page, errors } = await openPage(t, browser, base, {
      viewport: { width: 1_920, height: 1_080 },
    });
    await page.locator('a[data-device="M0999"]').waitFor();
    t.equal(await page.locator('a[data-device]').count(), 1_000);
    const needs = page.locator('[data-needs="devices"]');
    t.match(await needs.textContent(), /M0042.*■ CRITICAL.*Temperature is high.*M0500.*▲ silent/s);
    t.notMatch(await needs.textContent(), 'M0043', 'somebody cares for it already');
    const gateways = await page.locator('[data-needs="gateways"]').textContent();
    t.match(gateways, /gw2.*◆ loses readings in 20 min.*gw1.*▲ clock not synchronised/s);
    t.match(await page.locator('[data-needs="alerts"]').textContent(), /■ CRITICAL M0042/);
    t.match(await page.locator('a[data-device="M0042"]').textContent(), /■ CRITICAL/, 'named');
    t.match(await page.locator('a[data-device="M0001"]').getAttribute('title'), 'M0001: well');
    const bottom = await page.locator('a[data-device="M0999"]').boundingBox();
    t.ok((bottom?.y ?? 9_999) < 1_080, 'all of it without scrolling');

    // Readings that change nothing for a tile draw nothing: the browser itself tells of each change.
    await page.evaluate(`
    globalThis.changes = 0;
    new MutationObserver((all) => { globalThis.changes += all.length; })
      .observe(document.querySelector('[data-site="demo"]'), { subtree: true, childList: true, attributes: true, characterData: true });
  `);
    const asked = page.waitForResponse((response) => response.url().includes('/devices/states'));
    for (const name of names) plant.read(name, { temp: 21, isFail: 0 }, -500);
    await asked;
    const again = page.waitForResponse((response) => response.url().includes('/devices/states'));
    await again;
    t.equal(await page.evaluate('globalThis.changes'), 0);
    plant.read('M0777', { temp: 21, isFail: 1 }, -1_000);
    await needs.getByText('M0777').waitFor();
    const changes = Number(await page.evaluate('globalThis.changes'));
    // It comes to the front of its line, of a hundred: no other line is touched.
    t.ok(changes > 0 && changes < 250, `${changes} changes for one device`);

    await page.locator('#search').fill('m0777');
    await page.locator('[data-device="M0777"] + dl [data-channel="temp"]').waitFor();
    t.equal(await page.locator('a[data-device]').count(), 1, 'few found: with their values');
    await page.locator('#search').fill('');
    await page.locator('a[data-device="M0999"]').click();
    await page.waitForURL('**/device/demo/M0999');
    t.same(errors, []);
  },
);

t.test('in Korean, in the dark, on a phone', { skip: noBrowser }, async (t) => {
  const plant = new Plant();
  for (let i = 0; i < 30; i++) {
    plant.read(`D${i}`, { temp: 1 }, i === 3 ? 600_000 : 0);
    plant.place(`D${i}`, `L${i % 3}`, i === 4 ? 'late' : 'online');
  }
  plant.read(LONG);
  plant.place(LONG, 'L1');
  plant.gateway('gw1', { online: false });
  plant.alert('D7');
  plant.alerts.setFilled();
  const { base } = await servePages(t, plant);
  const { page, errors } = await openPage(t, browser, base, {
    locale: 'ko-KR',
    colorScheme: 'dark',
    viewport: { width: 390, height: 844 },
  });
  await page.getByText('수신 중인 장치').waitFor();
  await page.locator('a[data-device="D29"]').waitFor();
  t.match(await page.locator('[data-needs="devices"]').textContent(), /D7.*◆ 오류.*온도가 높음/s);
  t.match(await page.locator('[data-needs="devices"]').textContent(), /D3.*부터 데이터 없음/s);
  t.match(await page.locator('[data-needs="gateways"]').textContent(), /gw1.*▲ 오프라인/s);
  t.match(await page.locator('a[data-device="D4"]').textContent(), /○ 지연/);
  t.ok((await overflowPx(page)) <= 0, 'nothing beyond the edge');
  t.same(await seriousFindings(page), []);
  t.notMatch(await page.locator('main').textContent(), /\{\w+\}/, 'no word is left open');
  t.same(errors, []);
});

t.test('nothing there yet; and nothing that could be had', { skip: noBrowser }, async (t) => {
  const plant = new Plant();
  const { base } = await servePages(t, plant);
  const tab = await openPage(t, browser, base);
  const { page, errors } = tab;
  await page.getByText('No device has delivered readings yet').waitFor();
  t.same(errors, []);
  tab.isCut = true;
  const refusal = { error: { code: 'API_BUSY', message: 'too much to do', hint: 'Wait.' } };
  await page.route('**/api/v1/devices/states', (route) =>
    route.fulfill({ status: 503, json: refusal }),
  );
  await page.reload();
  await page.getByText('This could not be loaded: too much to do').waitFor();
  await page.getByText('Wait.').waitFor();
  await page.unroute('**/api/v1/devices/states');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('No device has delivered readings yet').waitFor();
});
