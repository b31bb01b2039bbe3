/** Alerts and silences on the page in a real Chromium, against a stub of their API. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findingKinds } from '../../collector/findings.ts';
import { DETECTORS } from '../../collector/processor/anomaly/registry.ts';
// @ts-expect-error The page's modules are plain JavaScript, typed by their own JSDoc.
import { wallTimeMs, wallTimeText } from '../../collector/web/format.js';
// @ts-expect-error As above.
import { wordKeys } from '../../collector/web/i18n.js';
import {
  browserOf,
  connected,
  DEVICE_PAGE,
  openPage,
  runningStub,
} from '../support/alert-pages.ts';
import { stubAlert } from '../support/alerts-stub.ts';
import { noBrowser } from '../support/browser.ts';
import { until } from '../support/running-collector.ts';

const WEB = join(import.meta.dirname, '../../collector/web');
const HOSTILE = '<img src=x onerror=alert(1)>';
const HOUR_MS = 3_600_000;

const browser = browserOf(t);

t.test('every word that the page says is there', async (t) => {
  const { en = [] } = wordKeys() as Record<string, string[]>;
  const said = readdirSync(WEB)
    .filter((file) => /\.(js|html)$/.test(file))
    .flatMap((file) => {
      const text = readFileSync(join(WEB, file), 'utf8');
      const literal = /\b(?:say|label)\(\s*'(\w+)'|data-(?:text|label|placeholder)="(\w+)"/g;
      return [...text.matchAll(literal)].map((match) => match[1] ?? match[2] ?? '');
    });
  t.ok(said.length > 80, `${said.length} places`);
  t.same(
    said.filter((key) => !en.includes(key)),
    [],
  );
  const named = [
    ...DETECTORS.map(({ name }) => `detector_${name}`),
    ...Object.keys(findingKinds).map((code) => `finding_${code}`),
  ];
  t.same(
    named.filter((key) => !en.includes(key)),
    [],
    'every detector and every finding has a name',
  );
});

t.test('times of a zone', async (t) => {
  const toMs = wallTimeMs as (text: string, zone: string) => number;
  const toText = wallTimeText as (ms: number, zone: string) => string;
  t.equal(toMs('2026-11-28T09:30', 'Asia/Seoul'), Date.UTC(2026, 10, 28, 0, 30));
  t.equal(toMs('2026-07-01T12:00', 'Europe/Berlin'), Date.UTC(2026, 6, 1, 10));
  t.equal(toMs('2026-12-01T12:00', 'Europe/Berlin'), Date.UTC(2026, 11, 1, 11));
  t.equal(toMs('2026-03-29T03:30', 'Europe/Berlin'), Date.UTC(2026, 2, 29, 1, 30), 'summer began');
  t.equal(toMs('2026-10-25T04:00', 'Europe/Berlin'), Date.UTC(2026, 9, 25, 3), 'summer is over');
  t.ok(Number.isNaN(toMs('', 'UTC')));
  for (const zone of ['Asia/Seoul', 'America/New_York', 'Asia/Kathmandu', 'UTC'])
    for (const ms of [Date.UTC(2026, 0, 1), Date.UTC(2026, 6, 15, 13, 45)])
      t.equal(toMs(toText(ms, zone), zone), ms, `${zone} there and back`);
});

t.test('alerts', { skip: noBrowser }, async (t) => {
  const stub = await runningStub(t);

  await t.test('calm while nothing fires', async (t) => {
    const { page, errors } = await openPage(t, browser, stub.base);
    await page.getByText('Nothing is firing.').waitFor();
    t.equal(await page.locator('#alert-count').textContent(), 'No alert');
    t.equal(await page.locator('.severity').count(), 0);
    t.match(await page.title(), /^FMS/);
    await page.locator('#alert-history summary').click();
    await page.getByText('No alert is over yet.').waitFor();
    await page.locator('#detectors summary').click();
    await page.getByText('No anomalies in the last 30 days.').waitFor();
    t.same(errors, []);
  });

  await t.test('new ones come at once, severest first, and are read out', async (t) => {
    stub.add(stubAlert('1'));
    const { page, errors } = await openPage(t, browser, stub.base);
    await page.locator('.alert').getByText('Temperature is high').waitFor();
    t.equal(await page.locator('#told').textContent(), '', 'what was there is not news');
    await connected(stub);
    stub.putAlert(stubAlert('2', { device: 'D02', severity: 'ERROR', title: 'No data' }));
    await until(async () => (await page.locator('#told').textContent()) === 'ERROR: D02, No data');
    t.equal(await page.locator('#told-now').textContent(), '');
    stub.putAlert(stubAlert('3', { device: 'D03', severity: 'CRITICAL', title: 'It is failing' }));
    const now = page.locator('#told-now');
    await until(async () => (await now.textContent()) === 'CRITICAL: D03, It is failing');
    t.equal(await now.getAttribute('aria-live'), 'assertive');
    t.equal(await page.locator('#told').getAttribute('aria-live'), 'polite');
    const badges = page.locator('#alerts-firing .severity');
    t.same(await badges.allTextContents(), ['■ CRITICAL', '◆ ERROR', '▲ WARNING']);
    const counts = page.locator('#alert-count .severity');
    t.same(await counts.allTextContents(), ['■ 1 CRITICAL', '◆ 1 ERROR', '▲ 1 WARNING']);
    t.match(await page.title(), /^■ 3 – FMS/);
    const row = page.locator('#alerts-firing li').nth(2);
    t.match(
      await row.textContent(),
      /for 3 min, since \d\d:\d\d:\d\d · demo · Press shop · L1 · gw1/,
    );
    t.match(await row.textContent(), 'sensor1 is 92.4 °C, over 90 °C.');
    stub.putAlert({ ...stubAlert('3'), state: 'resolved', resolved_ms: Date.now(), version: 2 });
    await until(async () => (await badges.count()) === 2);
    stub.putAlert(stubAlert('3', { severity: 'CRITICAL' }));
    await page.locator('[data-device="D02"]').waitFor();
    t.equal(await badges.count(), 2, 'an older version changes nothing');
    t.same(errors, []);
    stub.alerts.clear();
  });

  await t.test('what changed while the stream was down is read again', async (t) => {
    stub.add(stubAlert('1'));
    const tab = await openPage(t, browser, stub.base);
    const { page, errors } = tab;
    tab.isCut = true;
    await page.locator('[data-alert]').waitFor();
    await connected(stub);
    stub.alerts.clear();
    stub.add(stubAlert('4', { title: 'Came in between' }));
    stub.cutStreams();
    await page.getByText('Came in between').first().waitFor();
    await until(
      async () => (await page.locator('#told').textContent())?.includes('between') === true,
    );
    t.pass('and it is read out');
    t.same(errors, []);
    stub.alerts.clear();
  });

  await t.test('acknowledge, by keyboard alone', async (t) => {
    stub.add(stubAlert('1'));
    const { page, errors } = await openPage(t, browser, stub.base);
    await page.locator('[data-action="acknowledge"]').focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.type('Kim Minsu');
    await page.keyboard.press('Tab');
    await page.keyboard.type('Filter is being changed');
    await page.keyboard.press('Enter');
    await page.getByText(/Acknowledged by Kim Minsu, [\d:]+ – “Filter is being changed”/).waitFor();
    t.match(stub.changes.splice(0), [
      {
        method: 'POST',
        path: `/api/v1/alerts/${stubAlert('1').id}/acknowledge`,
        body: { by: 'Kim Minsu', note: 'Filter is being changed' },
      },
    ]);
    await page.locator('dialog').waitFor({ state: 'detached' });
    t.equal(await page.locator('[data-action="acknowledge"]').count(), 0);
    t.equal(await page.locator('#alert-count .severity.seen').textContent(), '▲ 1 WARNING');
    const focused = 'document.activeElement.closest("[data-alert]") !== null';
    await until(async () => (await page.evaluate(focused)) === true);
    t.pass('the focus is still at the alert');
    stub.putAlert(stubAlert('2', { device: 'D02' }));
    await page.reload();
    await page.locator('[data-action="acknowledge"]').click();
    t.equal(await page.getByLabel('Your name').inputValue(), 'Kim Minsu', 'remembered');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    t.same(stub.changes, [], 'Escape changes nothing');
    t.same(errors, []);
    stub.alerts.clear();
  });

  await t.test('a refusal is said in words, with code and hint', async (t) => {
    stub.add(stubAlert('1'));
    const tab = await openPage(t, browser, stub.base);
    const { page } = tab;
    tab.isCut = true;
    const hint = 'Ask on the machine itself.';
    stub.refusal = { status: 403, code: 'API_NOT_LOCAL', message: 'asked from 10.0.0.5', hint };
    await page.locator('[data-action="acknowledge"]').click();
    await page.getByLabel('Your name').fill('Lee');
    await page.getByLabel('Note').fill('kept');
    await page.locator('dialog [type="submit"]').click();
    const problem = page.locator('dialog [role="alert"]');
    await problem.getByText('changes are taken only on the machine').waitFor();
    t.match(
      await problem.textContent(),
      /API_NOT_LOCAL: asked from 10\.0\.0\.5 – Ask on the machine/,
    );
    t.equal(await page.getByLabel('Note').inputValue(), 'kept', 'nothing typed is lost');
    stub.refusal = { status: 409, code: 'API_OTHER', message: 'no', hint: 'Wait.' };
    await page.locator('dialog [type="submit"]').click();
    await problem.getByText('API_OTHER: no – Wait.').waitFor();
    stub.refusal = undefined;
    await page.locator('dialog [type="submit"]').click();
    await page.getByText('Acknowledged by Lee').first().waitFor();
    t.same(tab.errors, []);
    stub.alerts.clear();
    stub.changes.length = 0;
  });

  await t.test('silence, maintenance, and an end of it', async (t) => {
    stub.add(stubAlert('1'));
    const { page, errors } = await openPage(t, browser, stub.base);
    await page.locator('[data-action="silence"]').click();
    t.equal(await page.getByLabel('Until', { exact: true }).isVisible(), false);
    await page.locator('dialog [type="submit"]').click();
    t.same(stub.changes, [], 'not without a reason');
    await page.getByLabel('Reason').fill('Bearing is being replaced');
    await page.getByLabel('Your name').fill('Lee');
    await page.locator('dialog [type="submit"]').click();
    await page.getByText('Quiet: 1 silenced').waitFor();
    const [change] = stub.changes.splice(0);
    t.match(change?.body, {
      kind: 'silence',
      site: 'demo',
      area: '*',
      line: '*',
      device: 'D01',
      rule: 'temperature_high',
      by: 'Lee',
      reason: 'Bearing is being replaced',
    });
    const leftMs = Number(change?.body.until_ms) - Date.now();
    t.ok(leftMs > HOUR_MS - 60_000 && leftMs <= HOUR_MS + 5_000, `${leftMs} ms`);
    await page.getByText('Nothing is firing.').waitFor();
    t.equal(await page.locator('#alert-count').textContent(), 'No alert', 'and nothing shouts');
    await page.locator('#alerts-quiet summary').click();
    const quiet = page.locator('#alerts-quiet li');
    await quiet.getByText('Silenced by Lee until').waitFor();
    t.equal(await quiet.locator('.severity.quiet').textContent(), '▲ WARNING', 'without colour');
    await page.locator('#silences summary').click();
    await page.getByRole('button', { name: /^End now/ }).click();
    await page.locator('#alerts-firing [data-alert]').waitFor();
    t.match(stub.changes.splice(0), [{ method: 'DELETE', path: '/api/v1/silences/s1' }]);
    t.same(errors, []);
  });

  await t.test('maintenance of a device until a time of its site', async (t) => {
    const { page, errors } = await openPage(t, browser, stub.base + DEVICE_PAGE);
    await page.getByRole('button', { name: 'Maintenance or silence…' }).click();
    await page.getByLabel('Until a time').check();
    await page.getByLabel('Until', { exact: true }).fill('2031-02-03T06:00');
    await page.getByText('Times in Asia/Seoul').last().waitFor();
    await page.getByLabel('All alerts of site demo').check();
    await page.getByLabel('Reason').fill('New year');
    await page.getByLabel('Your name').fill('Lee');
    await page.locator('dialog [type="submit"]').click();
    await until(async () => stub.changes.length === 1);
    t.match(stub.changes.splice(0)[0]?.body, {
      kind: 'maintenance',
      site: 'demo',
      device: '*',
      rule: '*',
      until_ms: Date.UTC(2031, 1, 2, 21),
    });
    await page
      .locator('#device-alerts')
      .getByText('Maintenance until 2031-02-03 06:00:00')
      .waitFor();
    t.same(errors, []);
    stub.alerts.clear();
    stub.silences.clear();
  });

  await t.test('pending and inhibited ones are apart', async (t) => {
    stub.add(stubAlert('1', { state: 'pending', fired_ms: null }));
    stub.add(stubAlert('2', { device: 'D02', inhibited_by: 'gateway_down' }));
    const { page, errors } = await openPage(t, browser, stub.base);
    await page.locator('#alerts-quiet-title').getByText('1 pending').waitFor();
    const title = await page.locator('#alerts-quiet-title').textContent();
    t.match(title, '1 pending');
    t.match(title, '1 because of another alert');
    await page.locator('#alerts-quiet summary').click();
    await page.getByText('the alert “gateway_down” of its gateway stands for it').waitFor();
    t.equal(await page.locator('#alerts-firing li').count(), 0);
    t.same(errors, []);
    stub.alerts.clear();
  });

  await t.test('one of a gateway itself is of no device', async (t) => {
    stub.add(stubAlert('1', { device: '', rule: 'gateway_down', title: 'Gateway down' }));
    const { page, errors } = await openPage(t, browser, stub.base);
    await page.locator('#alerts-firing li').getByText('Gateway gw1').waitFor();
    t.equal(await page.locator('#alerts-firing a').count(), 0);
    await page.locator('[data-action="silence"]').click();
    const scopes = page.locator('[data-field="scope"] label');
    t.same(
      (await scopes.allTextContents()).map((text) => text.trim()),
      ['“Gateway down” in all of site demo', 'All alerts of site demo'],
    );
    t.same(errors, []);
    stub.alerts.clear();
  });

  await t.test('history, page by page', async (t) => {
    for (let i = 0; i < 45; i++) {
      const started_ms = Date.now() - (i + 1) * HOUR_MS;
      const over = { state: 'resolved', resolved_by: 'cleared', resolved_ms: started_ms + 400_000 };
      stub.add(stubAlert(String(i), { ...over, started_ms, title: `Over ${i}` }));
    }
    const { page, errors } = await openPage(t, browser, stub.base);
    await page.locator('#alert-history summary').click();
    const rows = page.locator('#alert-history li');
    await until(async () => (await rows.count()) === 20);
    t.match(await rows.first().textContent(), /Over 0.*\(6 min\) · cleared by itself/);
    for (const count of [40, 45]) {
      await page.locator('#alert-history-older').click();
      await until(async () => (await rows.count()) === count);
    }
    t.equal(await page.locator('#alert-history-older').isVisible(), false);
    t.same(errors, []);
    stub.alerts.clear();
  });

  await t.test('names and texts from outside are text, never markup', async (t) => {
    const hostile = { device: HOSTILE, title: HOSTILE, summary: HOSTILE, area: HOSTILE };
    const said = { state: 'acknowledged', acknowledged_ms: Date.now(), acknowledged_by: HOSTILE };
    stub.add(stubAlert('1', { ...hostile, ...said, acknowledged_note: HOSTILE }));
    const { page, errors } = await openPage(t, browser, stub.base);
    await page.locator('.alert .subject').getByText(HOSTILE).waitFor();
    await page.locator('[data-action="silence"]').click();
    await page.getByLabel(`All alerts of ${HOSTILE}`).waitFor();
    t.equal(await page.locator('img').count(), 0);
    t.same(errors, []);
    stub.alerts.clear();
  });

  await t.test('many: the first ones, and more on demand', async (t) => {
    for (let i = 0; i < 70; i++) stub.add(stubAlert(String(i), { device: `M${i}` }));
    const { page, errors } = await openPage(t, browser, stub.base);
    await page.getByText('The first 10 of 70 alerts, severest first.').waitFor();
    t.equal(await page.locator('#alerts-firing li').count(), 10);
    await page.locator('#alerts-more').click();
    await until(async () => (await page.locator('#alerts-firing li').count()) === 60);
    t.same(errors, []);
    stub.alerts.clear();
  });

  await t.test('a lost connection is said, and heals', async (t) => {
    stub.add(stubAlert('1'));
    const tab = await openPage(t, browser, stub.base);
    tab.isCut = true;
    await tab.page.locator('[data-alert]').waitFor();
    stub.isBroken = true;
    await tab.page.getByText('No connection to the collector').waitFor();
    t.equal(await tab.page.locator('#alerts-firing li').count(), 1, 'what was known stays');
    await tab.page.locator('[data-action="acknowledge"]').click();
    await tab.page.getByLabel('Your name').fill('Lee');
    await tab.page.locator('dialog [type="submit"]').click();
    await tab.page.getByText('No answer from the collector').waitFor();
    stub.isBroken = false;
    await tab.page.getByText('Connected again.').waitFor();
    t.same(tab.errors, []);
    stub.alerts.clear();
    stub.changes.length = 0;
  });
});
