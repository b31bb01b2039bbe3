/** The Device page in a real Chromium: on a real collector, and with anomalies and alerts of a stub. */

import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import t from 'tap';
import { connected, runningStub } from '../../support/alert-pages.ts';
import { stubAlert, stubAnomaly } from '../../support/alerts-stub.ts';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, openPage, overflowPx, seriousFindings } from '../../support/pages.ts';
import type { Publisher } from '../../support/publisher.ts';
import { fmsRow } from '../../support/publisher.ts';
import { TestCollector, until } from '../../support/running-collector.ts';

const browser = browserOf(t);
const HOSTILE = '<img src=x onerror=alert(1)>/50%25';
/** Of the readings that the stub has by now, wherever the clock is when it is looked at. */
const stubPage = (): string => `/device/demo/D01?from=${Date.now() - 300_000}&to=${Date.now()}`;

t.test('on a real collector', { skip: noBrowser }, async (t) => {
  const collector = new TestCollector();
  await collector.start();
  let publisher: Publisher | undefined = await collector.publisher('gw1');
  const beganMs = Date.now() - 120_000;
  for (let ms = beganMs; ms < Date.now(); ms += 1_000) await publisher.readings(fmsRow('D01', ms));
  await publisher.readings([
    { device: HOSTILE, channel: HOSTILE, timeMs: Date.now(), value: 'text', quality: 0 },
  ]);
  const sendRow = async (): Promise<void> => {
    await publisher?.readings(fmsRow('D01', Date.now()));
  };
  const timer = setInterval(() => sendRow().catch(() => undefined), 300);
  t.teardown(async () => {
    clearInterval(timer);
    await publisher?.close();
    await collector.remove();
  });
  const tab = await openPage(t, browser, `${collector.base}/device/demo/D01?range=5m`);
  const { page, errors } = tab;
  const chart = page.locator('article[data-channel="sensor1"]');

  await t.test('a chart for each channel, live, with its statistics', async (t) => {
    await page.locator('article canvas').nth(6).waitFor();
    t.equal(await page.locator('article canvas').count(), 7);
    await page.locator('#chart-kind[data-kind="raw"]').waitFor();
    await chart.getByText('lowest').waitFor();
    t.match(await chart.textContent(), /normal 0 to 100 °C/, 'with its normal band');
    const value = page.locator('article[data-channel="motor1"] span').first();
    const shown = await value.evaluate(
      'document.querySelector("article[data-channel=motor1]").textContent',
    );
    await until(
      async () =>
        (await value.evaluate(
          'document.querySelector("article[data-channel=motor1]").textContent',
        )) !== shown,
    );
    t.match(await page.locator('#clock').textContent(), 'Asia/Seoul (UTC+9)', 'the zone is said');
    t.same(await seriousFindings(page), []);
  });

  await t.test('zoom: drag, keys, buttons, wheel; back undoes', async (t) => {
    const over = chart.locator('.u-over');
    const box = (await over.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await page.mouse.move(box.x + box.width * 0.7, box.y + 40);
    await page.locator('[data-readout]').nth(6).waitFor();
    t.match(
      await chart.locator('[data-readout]').textContent(),
      /\d{4}-\d\d-\d\d.*°C/,
      'at the cursor of all charts',
    );
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.9, box.y + 60, { steps: 3 });
    await page.mouse.up();
    await page.waitForURL(/from=\d+&to=\d+/);
    const first = spanOf(page);
    t.ok(Math.abs(first.length - 60_000) < 6_000, `a fifth of five minutes: ${first.length}`);
    await page.keyboard.press('+');
    await until(async () => spanOf(page).length < first.length * 0.6);
    await page.keyboard.press('ArrowLeft');
    await until(async () => spanOf(page).from < first.from + first.length / 4);
    await page.goBack();
    await page.goBack();
    t.same(spanOf(page), first, 'each step back');
    await page.locator('[data-action="zoom_out"]').click();
    await until(async () => spanOf(page).length > first.length * 1.5);
    await page.mouse.move(box.x + box.width / 2, box.y + 40);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -300);
    await page.keyboard.up('Control');
    await until(async () => spanOf(page).length < first.length * 1.5);
    for (let i = 0; i < 8; i++) await page.locator('[data-action="zoom_in"]').click();
    await until(async () => spanOf(page).length === 1_000);
    await page.keyboard.press('l');
    await until(async () => !page.url().includes('from='));
  });

  await t.test('long ranges come of roll-ups', async (t) => {
    for (const range of ['1y', '5m']) {
      await page.locator(`[data-value="${range}"][aria-pressed]`).click();
      const kind = range === '1y' ? 'buckets' : 'raw';
      await page.locator(`#chart-kind[data-kind="${kind}"]`).waitFor();
      t.pass(`${range}: ${kind}`);
    }
  });

  await t.test('the readings themselves, and files of them', async (t) => {
    await page.locator('summary').getByText('Raw readings').click();
    const rows = page.locator('.table-frame tbody tr');
    await rows.nth(99).waitFor();
    t.match(page.url(), 'rows=on');
    await page.locator('[data-action="older-rows"]').click();
    await rows.nth(199).waitFor();
    await page.locator('select[name="channel"]').selectOption('sensor2');
    await until(async () => /sensor2/.test((await rows.first().textContent()) ?? ''));
    t.notMatch(await page.locator('.table-frame tbody').textContent(), 'sensor1');
    await page.locator('select[name="finding"]').selectOption('stuck');
    await page.locator('details').getByText('No readings in this time range.').waitFor();
    for (const format of ['csv', 'parquet']) {
      await page.locator('[data-action="export"]').click();
      await page.locator(`dialog [data-value="${format}"]`).click();
      const coming = page.waitForEvent('download');
      await page.locator('[data-action="export-start"]').click();
      const download = await coming;
      t.match(download.suggestedFilename(), new RegExp(`^D01_\\d+_\\d+\\.${format}$`));
      const head = readFileSync(await download.path())
        .subarray(0, 60)
        .toString('latin1');
      t.match(head, format === 'csv' ? /"channel","time_ms"/ : /^PAR1/);
      await page.getByText(/The file was saved/).waitFor();
      await page.keyboard.press('Escape');
      await page.locator('dialog').waitFor({ state: 'detached' });
    }
    // One that takes long is cancelled.
    await page.route('**/readings?*format=csv*', () => undefined);
    await page.locator('[data-action="export"]').click();
    await page.locator('[data-action="export-start"]').click();
    await page.getByText('The collector is making the file').waitFor();
    await page.locator('[data-action="export-cancel"]').click();
    await page.getByText('Cancelled.').waitFor();
    await page.unroute('**/readings?*format=csv*');
    await page.keyboard.press('Escape');
  });

  await t.test('a lost connection is said, and heals', async (t) => {
    tab.isCut = true;
    await publisher?.close();
    publisher = undefined;
    await collector.stop();
    await page.getByText('No connection to the collector since').waitFor();
    t.ok((await page.locator('article canvas').count()) === 7, 'what was there stays');
    await collector.start();
    publisher = await collector.publisher('gw1');
    await page.locator('body:not(.stale-page)').waitFor();
    const text = await chart.textContent();
    await until(async () => (await chart.textContent()) !== text);
    t.pass('live again');
    tab.isCut = false;
  });

  await t.test('names and texts from outside are text', async (t) => {
    await page.goto(`${collector.base}/device/demo/${encodeURIComponent(HOSTILE)}?range=5m`);
    await page.locator('#device-title').getByText(HOSTILE).waitFor();
    await page.locator('article ol').getByText('text').waitFor();
    t.equal(await page.locator('main img').count(), 0);
    await page.goto(`${collector.base}/device/demo/none`);
    await page.getByText('No device none has delivered readings at site demo yet.').waitFor();
    await page.keyboard.press('Escape');
    await page.waitForURL(`${collector.base}/`);
  });
  t.same(errors, []);
});

t.test('anomalies and alerts', { skip: noBrowser }, async (t) => {
  const stub = await runningStub(t);
  const first = stubAnomaly('a1');
  const whole = { channel: '', channels: [], detector: 'device', value: null };
  const open = { state: 'open', end_ms: null, onset_ms: Date.now() - 60_000 };
  const none = { expected_low: null, expected_high: null };
  stub.anomalies.set(first.id, first);
  const second = stubAnomaly('a2', { ...whole, ...open, ...none });
  stub.anomalies.set(second.id, second);
  stub.add(stubAlert('1', { severity: 'CRITICAL' }));
  const { page, errors } = await openPage(t, browser, stub.base + stubPage());
  const row = page.locator(`li[data-anomaly="${first.id}"]`);

  await t.test('are listed with what, when and why', async (t) => {
    await page.getByRole('heading', { name: 'Anomalies: 2, 1 open' }).waitFor();
    const rows = page.locator('li[data-anomaly]');
    t.match(await rows.nth(0).textContent(), /The device as a whole open/);
    const text = await row.textContent();
    t.match(text, 'sensor1 is 92.42 °C; at this hour it is usually 21 to 27.5 °C.');
    t.match(text, 'Since 2026-03-02 07:30:00.', 'in the time of the site');
    t.match(text, /\d\d:\d\d:\d\d – .*\(1 min\) · peak .*, score 0\.87/);
    t.match(text, 'found by: Unusual for this channel and hour');
    t.match(text, 'was 92.42 °C · expected 21.00 °C to 27.50 °C · also motor1');
    await page.locator('#device-alerts').getByText('Temperature is high').waitFor();
    t.ok(await page.locator('#device-alerts [data-action="acknowledge"]').count());
  });

  await t.test('are marked in the charts, and said', async (t) => {
    const chart = page.locator('article[data-channel="sensor1"]');
    await chart.locator('[data-band]').nth(1).waitFor();
    await until(async () => (await anomalyPoints(page)) > 100);
    await chart.locator('[data-band]').nth(1).focus();
    await chart.locator('p').getByText('at this hour it is usually').waitFor();
    await page.keyboard.press('Enter');
    await until(
      async () => (await page.evaluate('document.activeElement.dataset.anomaly')) === first.id,
    );
    const other = page.locator('article[data-channel="sensor2"]');
    t.equal(await other.locator('[data-band]').count(), 1, 'of the device');
    // The focus went down to the list: the chart has to come into view again.
    await page.evaluate('window.scrollTo(0, 0)');
    const over = await other.locator('.u-over').boundingBox();
    await page.mouse.move((over?.x ?? 0) + (over?.width ?? 0) / 2, (over?.y ?? 0) + 60);
    await other.getByText('far from those before').waitFor();
    t.pass('findings are said at the cursor');
    await row.locator('[data-action="show"]').click();
    await until(async () => Math.abs(spanOf(page).length - 240_000) < 1_000);
    await page.goBack();
  });

  await t.test('a mark with one click, and a note', async (t) => {
    await row.getByRole('button', { name: 'False alarm' }).click();
    await page.getByLabel('Your name').fill('Kim');
    await page.locator('dialog [type="submit"]').click();
    await row.getByText(/Said by Kim, /).waitFor();
    await row.getByRole('button', { name: 'Real' }).click();
    await row.locator('[data-mark="true"][aria-pressed="true"]').waitFor();
    await until(async () => stub.changes.length === 2);
    t.equal(await page.locator('dialog').count(), 0, 'who is known is not asked again');
    await row.getByRole('button', { name: 'Note…' }).click();
    await page.getByLabel('Note').fill('The fan stood still');
    await page.locator('dialog [type="submit"]').click();
    await row.getByText('“The fan stood still”').waitFor();
    const path = `/api/v1/anomalies/${first.id}/mark`;
    t.same(stub.changes.splice(0), [
      { method: 'POST', path, body: { mark: 'false', by: 'Kim', note: '' } },
      { method: 'POST', path, body: { mark: 'true', by: 'Kim', note: '' } },
      { method: 'POST', path, body: { mark: 'true', by: 'Kim', note: 'The fan stood still' } },
    ]);
    stub.refusal = { status: 403, code: 'API_FORBIDDEN', message: 'not operator', hint: '' };
    await row.getByRole('button', { name: 'Maintenance' }).click();
    await row.getByText(/▲ Refused: you may not do this here/).waitFor();
    stub.refusal = undefined;
    stub.changes.length = 0;
  });

  await t.test('one that comes and ends, live', async () => {
    await connected(stub);
    const third = stubAnomaly('a3', { ...open, onset_ms: Date.now() - 5_000 });
    stub.putAnomaly(third);
    await page.getByRole('heading', { name: 'Anomalies: 3, 2 open' }).waitFor();
    stub.putAnomaly({ ...third, state: 'ended', end_ms: Date.now(), version: 2 });
    await page.getByRole('heading', { name: 'Anomalies: 3, 1 open' }).waitFor();
    stub.anomalies.delete(third.id);
  });
  t.same(await seriousFindings(page), []);
  t.same(
    errors.filter((text) => !text.includes('403')),
    [],
  );
});

t.test('a viewer, in Korean, on a phone, in the dark', { skip: noBrowser }, async (t) => {
  const stub = await runningStub(t, { thisMachine: 'viewer' });
  const first = stubAnomaly('a1', { mark: 'false', marked_by: HOSTILE, marked_ms: Date.now() });
  stub.anomalies.set(first.id, first);
  stub.add(stubAlert('1'));
  const { page, errors } = await openPage(t, browser, `${stub.base}${stubPage()}&rows=on`, {
    locale: 'ko-KR',
    viewport: { width: 390, height: 844 },
    colorScheme: 'dark',
  });
  await page.getByText('이 시간대에는 보통 21~27.5 °C입니다.').first().waitFor();
  await page.locator('#device-alerts').getByText('온도가 높음').waitFor();
  await page.locator('.table-frame tbody tr').first().waitFor();
  await page.locator('article canvas').first().waitFor();
  t.match(await page.locator(`li[data-anomaly="${first.id}"]`).textContent(), `오탐 ${HOSTILE}`);
  t.equal(await page.locator('[data-mark], [data-action="silence-device"]').count(), 0);
  t.equal(await page.locator('[data-action="acknowledge"]').count(), 0);
  t.ok((await overflowPx(page)) <= 0, 'nothing beyond the edge');
  t.same(await seriousFindings(page), []);
  const text = await page.locator('main').textContent();
  t.notMatch(text, /\{\w+\}/, 'no word is left open');
  t.notMatch(text, /\b(mark|severity|anomaly|detector|finding|kind|stat)_\w+/, 'none is missing');
  t.same(errors, []);
});

function spanOf(page: Page): { from: number; length: number } {
  const { searchParams } = new URL(page.url());
  const from = Number(searchParams.get('from'));
  return { from, length: Number(searchParams.get('to')) - from };
}

/** Points of a chart that have just the colour of an anomaly's edge. */
async function anomalyPoints(page: Page): Promise<number> {
  return Number(
    await page.evaluate(`(() => {
    const root = getComputedStyle(document.documentElement);
    const hex = root.getPropertyValue('--anomaly').trim();
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    const canvas = document.querySelector('article[data-channel="sensor1"] canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let i = 0; i < data.length; i += 4)
      if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) found++;
    return found;
  })()`),
  );
}
