/** From a reading to an alert on the page, and back by a click: a real Chromium on a real collector. */

import t from 'tap';
import { browserOf, DEVICE_PAGE, openPage } from '../support/alert-pages.ts';
import { noBrowser } from '../support/browser.ts';
import { fmsRow } from '../support/publisher.ts';
import { TestCollector, until } from '../support/running-collector.ts';

const browser = browserOf(t);

t.test('on a real collector', { skip: noBrowser }, async (t) => {
  const collector = new TestCollector();
  await collector.start();
  const publisher = await collector.publisher('gw1');
  t.teardown(async () => {
    await publisher.close();
    await collector.remove();
  });
  const startMs = Date.now() - 90_000;
  const sendRow = (second: number, isFail: boolean): Promise<void> => {
    const row = fmsRow('D01', startMs + second * 1_000);
    return publisher.readings(
      row.map((one) => (one.channel === 'isFail' ? { ...one, value: isFail } : one)),
    );
  };
  await publisher.state({ bufferSecondsUntilEviction: -1 });
  await sendRow(0, false);

  await t.test('a reading breaks a rule: alert, click, acknowledged, over', async (t) => {
    const { page, errors } = await openPage(t, browser, collector.base);
    await page.getByText('Nothing is firing.').waitFor();
    await page.locator('[data-device="D01"]').waitFor();
    await sendRow(10, true);
    const row = page.locator('#alerts-firing li', { hasText: 'Device failure' });
    await row.locator('.severity.critical').waitFor();
    await until(async () =>
      /CRITICAL: D01, Device failure/.test((await page.locator('#told-now').textContent()) ?? ''),
    );
    await row.getByRole('button', { name: /^Acknowledge/ }).click();
    await page.getByLabel('Your name').fill('김민수');
    await page.getByLabel('Note').fill('on my way');
    await page.locator('dialog [type="submit"]').click();
    await row.getByText(/Acknowledged by 김민수, .* – “on my way”/).waitFor();
    const { body } = await collector.get('/api/v1/alerts?rule=failure&active=true');
    t.match(body, { items: [{ state: 'acknowledged', acknowledged_by: '김민수' }] });
    for (const second of [20, 50, 60]) await sendRow(second, false);
    await row.waitFor({ state: 'detached' });
    await page.locator('#alert-history summary').click();
    await page.locator('#alert-history li', { hasText: 'Device failure' }).waitFor();
    t.same(errors, []);
  });

  await t.test('a maintenance window is set, shown, and ended', async (t) => {
    const { page, errors } = await openPage(t, browser, collector.base + DEVICE_PAGE);
    await page.getByRole('button', { name: 'Maintenance or silence…' }).click();
    await page.getByLabel('Reason').fill('베어링 교체');
    await page.getByLabel('Your name').fill('Lee');
    await page.locator('dialog [type="submit"]').click();
    await page.locator('#silences summary').click();
    await page
      .locator('#silences li', { hasText: '베어링 교체' })
      .getByText('device D01')
      .waitFor();
    await page.getByRole('button', { name: /^End now/ }).click();
    await page.locator('#silences').waitFor({ state: 'hidden' });
    t.same(errors, []);
  });

  await t.test('an anomaly is listed, and marked', async (t) => {
    const { page, errors } = await openPage(t, browser, collector.base + DEVICE_PAGE);
    const row = page.locator('.anomaly', { hasText: 'Failure signal' }).first();
    await row.waitFor();
    await row.getByRole('button', { name: 'Real' }).click();
    await page.getByLabel('Your name').fill('Lee');
    await page.locator('dialog [type="submit"]').click();
    await row.getByText(/Said by Lee, /).waitFor();
    await page.locator('#detectors summary').click();
    await page.locator('#detectors tbody tr', { hasText: 'Failure signal' }).waitFor();
    t.same(errors, []);
  });
});
