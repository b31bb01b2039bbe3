/** From a reading to an alert on the page, and back by a click: a real Chromium on a real collector. */

import t from 'tap';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, openPage } from '../../support/pages.ts';
import { fmsRow } from '../../support/publisher.ts';
import { TestCollector, until } from '../../support/running-collector.ts';

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
  const { page, errors } = await openPage(t, browser, `${collector.base}/alerts`);

  await t.test('a reading breaks a rule: alert, click, acknowledged, over', async (t) => {
    await page.getByText('Nothing is firing.').waitFor();
    await sendRow(10, true);
    const row = page.locator('#alerts-firing > li', { hasText: 'Device failure' });
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
    await row.getByRole('link', { name: 'Device failure' }).click();
    await page.locator('[data-step="acknowledged"]').getByText('“on my way”').waitFor();
    await page.goBack();
    for (const second of [20, 50, 60]) await sendRow(second, false);
    await row.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'History' }).click();
    await page.locator('#alert-history > li', { hasText: 'Device failure' }).waitFor();
  });

  await t.test('a maintenance window is set, changed, and ended', async (t) => {
    await page.getByRole('button', { name: 'Silences and maintenance' }).click();
    await page.locator('[data-action="new-silence"]').click();
    await page.getByLabel('Device', { exact: true }).fill('D01');
    await page.getByLabel('Reason').fill('베어링 교체');
    await page.locator('dialog [type="submit"]').click();
    const silence = page.locator('[data-list="active"] > li', { hasText: '베어링 교체' });
    await silence.getByText('site demo · device D01').waitFor();
    await silence.locator('[data-action="change"]').click();
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 11);
    await page.locator('dialog input[name="until"]').fill(`${tomorrow}23:45`);
    await page.locator('dialog [type="submit"]').click();
    await silence.getByText('23:45:00').waitFor();
    await silence.locator('[data-action="end"]').click();
    await page.locator('[data-list="ended"] > li', { hasText: '베어링 교체' }).waitFor();
    t.equal(await silence.count(), 0);
  });

  await t.test('an anomaly is listed, and judged', async (t) => {
    await page.getByRole('button', { name: 'Anomalies' }).click();
    const row = page.locator('[data-anomaly]', { hasText: 'Failure signal' }).first();
    await row.locator('[data-mark="true"]').click();
    await row.getByText(/Said by 김민수, /).waitFor();
    await page.locator('[data-detector="failure"]').waitFor();
    t.same(errors, []);
  });

  await t.test('the gateway, and that all is accounted for', async (t) => {
    await page.goto(`${collector.base}/gateways`);
    await page.locator('[data-gateway="demo/gw1"] a').click();
    await page.locator('#ledger').getByText('Every reading is accounted for.').waitFor();
    await page.locator('[data-action="deep"]').click();
    await page.locator('#deep-check').getByText('All is well:').waitFor();
    t.same(errors, []);
  });
});
