/** Anomalies of a device on the page in a real Chromium, against a stub of their API. */

import type { Page } from 'playwright-core';
import t from 'tap';
import {
  browserOf,
  connected,
  DEVICE_PAGE,
  openPage,
  runningStub,
} from '../support/alert-pages.ts';
import { stubAlert, stubAnomaly } from '../support/alerts-stub.ts';
import type { TabOptions } from '../support/browser.ts';
import { noBrowser } from '../support/browser.ts';
import { until } from '../support/running-collector.ts';

const browser = browserOf(t);

t.test('anomalies of a device', { skip: noBrowser }, async (t) => {
  const stub = await runningStub(t);
  const first = stubAnomaly('a1');
  const whole = { channel: '', channels: [], detector: 'device', value: null };
  const isOpen = { state: 'open', end_ms: null, onset_ms: Date.now() - 60_000 };
  stub.anomalies.set(first.id, first);
  const second = stubAnomaly('a2', {
    ...whole,
    ...isOpen,
    expected_low: null,
    expected_high: null,
  });
  stub.anomalies.set(second.id, second);

  await t.test('are listed with what, when and why', async (t) => {
    const { page, errors } = await openPage(t, browser, stub.base + DEVICE_PAGE);
    await page.getByRole('heading', { name: 'Anomalies: 2, 1 open' }).waitFor();
    const rows = page.locator('.anomaly');
    t.match(await rows.nth(0).textContent(), /The device as a whole open/);
    const text = await rows.nth(1).textContent();
    t.match(text, 'sensor1 is 92.42 °C; at this hour it is usually 21 to 27.5 °C.');
    t.match(text, 'Since 2026-03-02 07:30:00.', 'in the time of the site');
    t.match(text, /\d\d:\d\d:\d\d – \d\d:\d\d:\d\d \(1 min\) · peak \d\d:\d\d:\d\d, score 0\.87/);
    t.match(text, 'found by: Unusual for this channel and hour');
    t.match(text, 'was 92.42 °C · expected 21.00 °C to 27.50 °C · also motor1');
    t.same(errors, []);
  });

  await t.test('are marked in the charts, and said', async (t) => {
    const { page, errors } = await openPage(t, browser, stub.base + DEVICE_PAGE);
    const chart = page.locator('.chart[data-channel="sensor1"]');
    await chart.locator('canvas').waitFor();
    await chart.locator('.band').nth(1).waitFor();
    const colours = await colourCounts(page);
    t.ok(colours.sensor1 > 100, `${colours.sensor1} points of the colour of anomalies`);
    await chart.locator('.band').nth(1).focus();
    await chart.locator('.why').getByText('at this hour it is usually').waitFor();
    await page.keyboard.press('Enter');
    const focused = 'document.activeElement.dataset.anomaly';
    t.equal(await page.evaluate(focused), first.id, 'to its place in the list');
    const over = await chart.locator('.u-over').boundingBox();
    // The onset is 200 s ago of the 300 s that the chart shows, the end 120 s ago.
    await page.mouse.move((over?.x ?? 0) + (over?.width ?? 0) / 2, (over?.y ?? 0) + 40);
    await until(async () => /92\.42/.test((await chart.locator('.why').textContent()) ?? ''));
    t.equal(await page.locator('.chart[data-channel="sensor2"] .band').count(), 1, 'of the device');
    t.same(errors, []);
  });

  await t.test('findings are shown, and said at the cursor', async (t) => {
    const { page, errors } = await openPage(t, browser, stub.base + DEVICE_PAGE);
    const chart = page.locator('.chart[data-channel="sensor2"]');
    await chart.locator('canvas').waitFor();
    const over = await chart.locator('.u-over').boundingBox();
    await page.mouse.move((over?.x ?? 0) + (over?.width ?? 0) / 2, (over?.y ?? 0) + 40);
    await chart.getByText('far from those before').waitFor();
    t.same(errors, []);
  });

  await t.test('a mark with one click, and a note', async (t) => {
    const { page, errors } = await openPage(t, browser, stub.base + DEVICE_PAGE);
    const row = page.locator(`[data-anomaly="${first.id}"]`);
    await row.getByRole('button', { name: 'False alarm' }).click();
    await page.getByLabel('Your name').fill('Kim');
    await page.locator('dialog [type="submit"]').click();
    await row.getByText(/Said by Kim, /).waitFor();
    await row.getByRole('button', { name: 'Real' }).click();
    await row.locator('[data-mark="true"][aria-pressed="true"]').waitFor();
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
    await page.locator('#detectors summary').click();
    const counted = page.locator('#detectors tbody tr').first();
    await until(async () =>
      /^Unusual for this channel and hour11000$/.test((await counted.textContent()) ?? ''),
    );
    t.pass('counted by detector');
    t.same(errors, []);
  });

  await t.test('one that comes and ends, live', async (t) => {
    const { page, errors } = await openPage(t, browser, stub.base + DEVICE_PAGE);
    await page.getByRole('heading', { name: 'Anomalies: 2, 1 open' }).waitFor();
    await connected(stub);
    const third = stubAnomaly('a3', { state: 'open', end_ms: null, onset_ms: Date.now() - 5_000 });
    stub.putAnomaly(third);
    await page.getByRole('heading', { name: 'Anomalies: 3, 2 open' }).waitFor();
    stub.putAnomaly({ ...third, state: 'ended', end_ms: Date.now(), version: 2 });
    await page.getByRole('heading', { name: 'Anomalies: 3, 1 open' }).waitFor();
    t.same(errors, []);
    stub.anomalies.delete(third.id);
  });

  await t.test(
    'in Korean, on a phone, in the dark: all words there, nothing beyond the edge',
    async (t) => {
      stub.add(stubAlert('1', { severity: 'CRITICAL' }));
      const viewport = { width: 375, height: 740 };
      const options: TabOptions = { locale: 'ko-KR', viewport, colorScheme: 'dark' };
      const { page, errors } = await openPage(t, browser, stub.base, options);
      await page.locator('.alert').getByText('온도가 높음').waitFor();
      t.equal(await page.locator('#alerts-firing .severity').textContent(), '■ 심각');
      t.ok((await widthOf(page)) <= 375, 'nothing beyond the edge');
      await page.locator('[data-action="silence"]').click();
      t.ok((await widthOf(page)) <= 375, 'nothing beyond the edge');
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
      await page.locator('.alert a.subject').click();
      await page.getByText('이 시간대에는 보통 21~27.5 °C입니다.').first().waitFor();
      await page.locator('#device-alerts').getByText('온도가 높음').waitFor();
      t.ok((await widthOf(page)) <= 375, 'nothing beyond the edge');
      const text = (await page.locator('main').textContent()) ?? '';
      t.notMatch(text, /\{\w+\}/, 'no word is left open');
      t.notMatch(text, /\b(mark|severity|anomaly|count|detector|scope)_\w+/, 'no word is missing');
      t.same(errors, []);
      stub.alerts.clear();
    },
  );
});

async function widthOf(page: Page): Promise<number> {
  return Number(await page.evaluate('document.documentElement.scrollWidth'));
}

/** Points of each chart that have just the colour of an anomaly's edge. */
async function colourCounts(page: Page): Promise<{ sensor1: number }> {
  const count = `(() => {
    const root = getComputedStyle(document.documentElement);
    const hex = root.getPropertyValue('--anomaly').trim();
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    const canvas = document.querySelector('.chart[data-channel="sensor1"] canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let i = 0; i < data.length; i += 4)
      if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) found++;
    return found;
  })()`;
  return { sensor1: Number(await page.evaluate(count)) };
}
