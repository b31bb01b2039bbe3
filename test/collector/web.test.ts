/** The page in a real Chromium, on a real collector. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
// @ts-expect-error The page's modules are plain JavaScript, typed by their own JSDoc.
import { freshness as freshnessOf } from '../../collector/web/devices.js';
// @ts-expect-error As above.
import { wordKeys } from '../../collector/web/i18n.js';
import type { Reading } from '../../proto/model.ts';
import type { TabOptions } from '../support/browser.ts';
import { launchChromium, noBrowser, Tab } from '../support/browser.ts';
import type { Publisher } from '../support/publisher.ts';
import { fmsRow } from '../support/publisher.ts';
import { TestCollector, until } from '../support/running-collector.ts';

const browser = noBrowser === false ? launchChromium() : Promise.reject(new Error(noBrowser));
browser.catch(() => undefined);
t.teardown(async () => {
  await browser.then(
    (running) => running.close(),
    () => undefined,
  );
});

const NAMES = ['D01', 'D02', 'D03', 'D04', 'D05'];
const HOSTILE = '<img src=x onerror=alert(1)>';
const RIGHT_TO_LEFT = 'جهاز-١';

t.test('the scripts hold what their JSDoc says', async (t) => {
  const compiler = join(import.meta.dirname, '../../node_modules/.bin/tsc');
  const config = join(import.meta.dirname, 'web.tsconfig.json');
  // `env -u`: what the test runner loads into each child process, the compiler does not stand.
  const args = ['-u', 'NODE_OPTIONS', compiler, '-p', config];
  const { stdout, stderr, status } = spawnSync('env', args, { encoding: 'utf8' });
  t.match({ stdout, stderr, status }, { stdout: '', stderr: '', status: 0 });
});

t.test('both languages have the same words', async (t) => {
  const { en, ko } = wordKeys() as Record<string, string[]>;
  t.ok((en?.length ?? 0) > 30);
  t.same(en, ko);
});

t.test('fresh, stale, past and ahead', async (t) => {
  const now = 1_000_000_000;
  const freshness = (ageMs: number, receivedAgeMs: number, intervalMs: number | null = 1_000) =>
    (freshnessOf as (device: object, nowMs: number) => string)(
      { last_ms: now - ageMs, received_ms: now - receivedAgeMs, interval_ms: intervalMs },
      now,
    );
  t.equal(freshness(1_000, 1_000), 'live');
  t.equal(freshness(30_000, 30_000), 'live', 'at least 30 s');
  t.equal(freshness(30_001, 30_001), 'stale');
  t.equal(freshness(30_001, 30_001, null), 'stale', 'interval not known');
  t.equal(freshness(179_000, 179_000, 60_000), 'live', 'three intervals');
  t.equal(freshness(181_000, 181_000, 60_000), 'stale');
  t.equal(freshness(86_400_000, 500), 'past', 'old readings that come now');
  t.equal(freshness(-3_600_000, 500), 'ahead');
});

t.test('the page', { skip: noBrowser }, async (t) => {
  const collector = new TestCollector();
  await collector.start();
  let publisher: Publisher | undefined = await collector.publisher('gw1');
  const sendRows = async (names: string[]): Promise<void> => {
    const now = Date.now();
    await publisher?.readings(names.flatMap((name, i) => fmsRow(name, now, i)));
    await publisher?.state({ bufferSecondsUntilEviction: -1 });
  };
  const timer = setInterval(() => sendRows(NAMES).catch(() => undefined), 300);
  t.teardown(async () => {
    clearInterval(timer);
    await publisher?.close();
    await collector.remove();
  });

  await t.test('shows fleet and devices, live', async (t) => {
    const { page, errors } = await open(t, collector.base);
    await page.goto(collector.base);
    await page.locator('[data-gateway="demo/gw1"]').getByText('online').waitFor();
    await page.locator('[data-gateway="demo/gw1"]').getByText('balanced').waitFor();
    for (const name of NAMES) await page.locator(`[data-device="${name}"]`).waitFor();
    const value = page.locator('[data-device="D01"] [data-channel="motor1"] dd');
    const before = await value.textContent();
    t.match(before, /^[\d,]+ rpm$/, 'with unit');
    await until(async () => (await value.textContent()) !== before);
    t.match(await page.locator('#clock').textContent(), 'Asia/Seoul (UTC+9)', 'the zone is said');
    t.equal(await page.locator('.mark.warn, .mark.bad').count(), 0, 'calm while all is well');
    t.same(errors, []);
  });

  await t.test('a chart for each channel, live', async (t) => {
    const { page, errors } = await open(t, collector.base);
    await page.goto(collector.base);
    await page.locator('[data-device="D02"] a').focus();
    await page.keyboard.press('Enter');
    await page.locator('#detail-title').getByText('D02').waitFor();
    await page.locator('.chart canvas').nth(6).waitFor();
    t.equal(await page.locator('.chart canvas').count(), 7);
    const chart = page.locator('.chart[data-channel="sensor1"]');
    const before = await chart.locator('.value').textContent();
    await until(async () => (await chart.locator('.value').textContent()) !== before);
    await chart.locator('.u-over').hover();
    await until(async () =>
      /\d{4}-\d\d-\d\d/.test((await chart.locator('.readout').textContent()) ?? ''),
    );
    t.pass('the cursor says time and value');
    for (const range of ['range_24h', 'range_5m']) {
      await page.locator(`[data-range="${range}"]`).click();
      await page.locator(`[data-range="${range}"][aria-pressed="true"]`).waitFor();
      await page.locator('.chart canvas').nth(6).waitFor();
      await until(async () => (await chart.locator('.none').textContent()) === '');
    }
    await page.keyboard.press('Escape');
    await page.locator('#detail').waitFor({ state: 'hidden' });
    await page.keyboard.press('/');
    await page.keyboard.type('d03');
    await until(async () => (await page.locator('.device').count()) === 1);
    t.same(errors, []);
  });

  await t.test('English and Korean, remembered', async (t) => {
    const { page, errors } = await open(t, collector.base, { locale: 'ko-KR' });
    await page.goto(`${collector.base}/#/device/demo/D01`);
    await page.getByRole('heading', { name: '게이트웨이' }).waitFor();
    t.equal(await page.locator('html').getAttribute('lang'), 'ko', 'the browser’s language first');
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'Gateways' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Gateways' }).waitFor();
    await page.getByRole('button', { name: '한국어' }).click();
    await page.getByText('시각 기준: Asia/Seoul').waitFor();
    t.notMatch(await page.locator('main').textContent(), /\{\w+\}/, 'no word is left open');
    t.same(errors, []);
  });

  await t.test('names from outside are text, never markup', async (t) => {
    await sendRows([HOSTILE, RIGHT_TO_LEFT]);
    const { page, errors } = await open(t, collector.base);
    await page.goto(collector.base);
    await page.locator('.who').getByText(HOSTILE).waitFor();
    await page.locator('.who').getByText(HOSTILE).click();
    await page.locator('#detail-title').getByText(HOSTILE).waitFor();
    t.equal(await page.locator('main img').count(), 0);
    await page.locator('.who').getByText(RIGHT_TO_LEFT).waitFor();
    t.same(errors, []);
  });

  await t.test('what needs a person has a colour, a shape and a word', async (t) => {
    const now = Date.now();
    const old = (reading: Reading): Reading => ({ ...reading, timeMs: now - 3_600_000 });
    await publisher?.readings([
      ...fmsRow('PAST', now).map(old),
      { device: 'FAILING', channel: 'isFail', timeMs: now, value: true, quality: 0 },
    ]);
    const other = await collector.publisher('gw2');
    await other.state({ clockUnsynced: true, bufferSecondsUntilEviction: 1_200 });
    const { page, errors } = await open(t, collector.base);
    await page.goto(collector.base);
    const failing = page.locator('[data-device="FAILING"] [data-channel="isFail"] .mark.warn');
    t.match(await failing.textContent(), /▲ yes – attention/);
    const gateway = page.locator('[data-gateway="demo/gw2"]');
    t.match(await gateway.locator('.mark.bad').textContent(), /◆ 20 min/);
    t.match(await gateway.locator('.mark.warn').textContent(), /▲ not synchronised/);
    t.match(
      await page.locator('[data-device="PAST"] .who').textContent(),
      /○ delivers readings of/,
    );
    t.same(errors, []);
    await other.close();
  });

  await t.test('on a phone: one thing at a time, nothing beyond the edge', async (t) => {
    const viewport = { width: 360, height: 740 };
    const { page, errors } = await open(t, collector.base, { viewport, colorScheme: 'dark' });
    await page.goto(collector.base);
    await page.locator('[data-device="D01"] a').click();
    await page.locator('.chart canvas').first().waitFor();
    t.notOk(await page.locator('[data-device="D01"]').isVisible());
    const width = await page.evaluate('document.documentElement.scrollWidth');
    t.ok(Number(width) <= 360, `${width} wide`);
    await page.locator('.back a').click();
    await page.locator('[data-device="D01"]').waitFor();
    t.same(errors, []);
  });

  await t.test('a lost connection is said, and heals', async (t) => {
    const tab = await open(t, collector.base);
    const { page, errors } = tab;
    await page.goto(`${collector.base}/#/device/demo/D01`);
    await page.locator('.chart canvas').nth(6).waitFor();
    tab.isCut = true;
    await publisher?.close();
    publisher = undefined;
    await collector.stop();
    await page.locator('#connection').getByText('No connection to the collector').waitFor();
    t.match(await page.locator('body').getAttribute('class'), 'stale-page');
    t.ok((await page.locator('.device').count()) > 0, 'the last values stay, marked as old');
    await collector.start();
    publisher = await collector.publisher('gw1');
    await page.locator('#connection').waitFor({ state: 'hidden' });
    const value = page.locator('.chart[data-channel="motor1"] .value');
    const before = await value.textContent();
    await until(async () => (await value.textContent()) !== before);
    t.pass('live again, charts too');
    t.same(errors, []);
  });

  await t.test('a thousand devices', async (t) => {
    const names = Array.from({ length: 1_000 }, (_, i) => `M${String(i).padStart(4, '0')}`);
    for (let i = 0; i < names.length; i += 200) await sendRows(names.slice(i, i + 200));
    const { page, errors } = await open(t, collector.base);
    await page.goto(collector.base);
    await page.getByText(/The first 100 of 1,0\d\d devices/).waitFor();
    t.equal(await page.locator('.device').count(), 100);
    await page.locator('#search').fill('m0999');
    await page.locator('[data-device="M0999"]').waitFor();
    await until(async () => (await page.locator('.device').count()) === 1);
    await page.locator('#search').fill('nobody');
    await page.getByText('No device matches “nobody”.').waitFor();
    t.same(errors, []);
  });
});

t.test('nothing there yet', { skip: noBrowser }, async (t) => {
  const collector = new TestCollector();
  await collector.start();
  t.teardown(() => collector.remove());
  const { page, errors } = await open(t, collector.base);
  await page.goto(`${collector.base}/#/device/demo/none`);
  await page.getByText('No device has delivered readings yet').waitFor();
  await page.getByText('not seen yet').first().waitFor();
  t.same(errors, []);
});

async function open(
  t: { teardown: (f: () => Promise<void>) => void },
  base: string,
  options: TabOptions = {},
): Promise<Tab> {
  const tab = await Tab.open(await browser, base, options);
  t.teardown(() => tab.close());
  return tab;
}
