/** Alerts, silences and anomalies on their page in a real Chromium, against a stub of their API. */

import type { Page } from 'playwright-core';
import t from 'tap';
import { connected, runningStub } from '../../support/alert-pages.ts';
import { stubAlert, stubAnomaly } from '../../support/alerts-stub.ts';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, openPage, overflowPx, seriousFindings } from '../../support/pages.ts';
import { until } from '../../support/running-collector.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';
const LONG = 'n'.repeat(128);
const RTL = 'محرك-١';
const HOUR_MS = 3_600_000;

const browser = browserOf(t);

/** By the links of the page itself: nothing is loaded anew. */
async function go(page: Page, path: string): Promise<void> {
  await page.evaluate(
    `history.pushState(null, '', ${JSON.stringify(path)}); dispatchEvent(new PopStateEvent('popstate'))`,
  );
}

t.test('alerts', { skip: noBrowser }, async (t) => {
  const stub = await runningStub(t);
  const tab = await openPage(t, browser, `${stub.base}/alerts`);
  const { page, errors } = tab;
  const rows = page.locator('#alerts-firing > li');

  await t.test('calm while nothing fires', async (t) => {
    await page.getByText('Nothing is firing.').waitFor();
    t.equal(await page.locator('.severity').count(), 0);
    t.match(await page.title(), /^FMS/);
    t.same(await seriousFindings(page), []);
    await page.getByRole('button', { name: 'History' }).click();
    await page.getByText('No alert is over yet.').waitFor();
    await page.getByRole('button', { name: 'Silences and maintenance' }).click();
    await page.getByText('Nothing is silenced').waitFor();
    await page.getByRole('button', { name: 'Anomalies' }).click();
    await page.getByText('No anomaly was found.').waitFor();
    await page.getByText('No anomalies in the last 30 days.').waitFor();
    t.match(page.url(), /tab=anomalies/, 'the address says it');
    await page.goBack();
    await page.getByText('Nothing is silenced').waitFor();
    await page.getByRole('button', { name: 'Now' }).click();
  });

  await t.test('new ones come at once, severest first, and are read out', async (t) => {
    await connected(stub);
    stub.putAlert(stubAlert('2', { device: 'D02', severity: 'ERROR', title: 'No data' }));
    await until(async () => (await page.locator('#told').textContent()) === 'ERROR: D02, No data');
    t.equal(await page.locator('#told-now').textContent(), '');
    stub.putAlert(stubAlert('1'));
    stub.putAlert(stubAlert('c3', { device: 'D03', severity: 'CRITICAL', title: 'It is failing' }));
    const now = page.locator('#told-now');
    await until(async () => /CRITICAL: D03, It is failing/.test((await now.textContent()) ?? ''));
    t.equal(await now.getAttribute('aria-live'), 'assertive');
    t.equal(await page.locator('#told').getAttribute('aria-live'), 'polite');
    t.same(await rows.locator('.severity').allTextContents(), [
      '■ CRITICAL',
      '◆ ERROR',
      '▲ WARNING',
    ]);
    t.match(await page.title(), /^■ 3 – FMS/);
    t.match(
      await rows.nth(2).textContent(),
      /for \d min, since \d\d:\d\d:\d\d · demo · Press shop · L1 · gw1/,
    );
    stub.putAlert({ ...stubAlert('c3'), state: 'resolved', resolved_ms: Date.now(), version: 2 });
    await until(async () => (await rows.count()) === 2);
    stub.putAlert(stubAlert('2', { device: 'D02', severity: 'ERROR', version: 0, title: 'Older' }));
    stub.putAlert(stubAlert('4', { severity: 'INFO' }));
    await until(async () => (await rows.count()) === 3);
    t.notMatch(await rows.first().textContent(), 'Older', 'an older version changes nothing');
  });

  await t.test('acknowledge, by keyboard alone', async (t) => {
    const row = rows.first();
    await row.locator('[data-action="acknowledge"]').focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    t.same(await seriousFindings(page), []);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    t.same(stub.changes, [], 'Escape changes nothing');
    await page.keyboard.press('Enter');
    await page.getByLabel('Your name').focus();
    await page.keyboard.type('Kim Minsu');
    await page.keyboard.press('Tab');
    await page.keyboard.type('Filter is being changed');
    await page.keyboard.press('Enter');
    await page.getByText(/Acknowledged by Kim Minsu, [\d:]+ – “Filter is being changed”/).waitFor();
    t.match(stub.changes.splice(0), [
      {
        method: 'POST',
        path: `/api/v1/alerts/${stubAlert('2').id}/acknowledge`,
        body: { by: 'Kim Minsu', note: 'Filter is being changed' },
      },
    ]);
    await until(async () => (await row.locator('[data-action="acknowledge"]').count()) === 0);
    t.equal(await row.locator('.severity.seen').count(), 1, 'somebody cares for it');
    const focused = 'document.activeElement.closest("[data-alert]") !== null';
    await until(async () => (await page.evaluate(focused)) === true);
    t.pass('the focus is still at the alert');
  });

  await t.test('a refusal is said in words, with code and hint', async (t) => {
    tab.isCut = true;
    const hint = 'Ask an administrator.';
    stub.refusal = { status: 403, code: 'API_FORBIDDEN', message: 'lee is no operator', hint };
    await page.locator('[data-action="acknowledge"]').first().click();
    t.equal(await page.getByLabel('Your name').inputValue(), 'Kim Minsu', 'remembered');
    await page.getByLabel('Note').fill('kept');
    await page.locator('dialog [type="submit"]').click();
    const problem = page.locator('dialog [role="alert"]');
    await problem.getByText('you may not do this here').waitFor();
    t.match(await problem.textContent(), /API_FORBIDDEN: lee is no operator – Ask an admin/);
    t.equal(await page.getByLabel('Note').inputValue(), 'kept', 'nothing typed is lost');
    stub.refusal = undefined;
    await page.getByRole('button', { name: 'Cancel' }).click();
    stub.changes.length = 0;
    tab.isCut = false;
  });

  await t.test('silence, another end, and its end', async (t) => {
    stub.alerts.clear();
    stub.putAlert(stubAlert('1', { version: 5 }));
    await page.locator(`[data-alert="${stubAlert('1').id}"] [data-action="silence"]`).click();
    t.equal(await page.locator('dialog input[name="until"]').count(), 0);
    await page.locator('dialog [type="submit"]').click();
    t.same(stub.changes, [], 'not without a reason');
    await page.getByLabel('Reason').fill('Bearing is being replaced');
    await page.locator('dialog [type="submit"]').click();
    const summary = page.locator('#alerts-quiet > summary');
    await summary.getByText('1 silenced').waitFor();
    const [change] = stub.changes.splice(0);
    t.match(change?.body, {
      kind: 'silence',
      site: 'demo',
      area: '*',
      line: '*',
      device: 'D01',
      rule: 'temperature_high',
      by: 'Kim Minsu',
      reason: 'Bearing is being replaced',
    });
    const leftMs = Number(change?.body.until_ms) - Date.now();
    t.ok(leftMs > HOUR_MS - 120_000 && leftMs <= HOUR_MS + 5_000, `${leftMs} ms`);
    await summary.click();
    const quiet = page.locator('#alerts-quiet-list li');
    await quiet.getByText('Silenced by Kim Minsu until').waitFor();
    t.equal(await quiet.locator('.severity.quiet').textContent(), '▲ WARNING', 'without colour');
    await page.getByRole('button', { name: 'Silences and maintenance' }).click();
    const silence = page.locator('[data-list="active"] [data-silence="s1"]');
    await silence.getByText('site demo · device D01 · rule temperature_high').waitFor();
    t.same(await seriousFindings(page), []);
    await silence.locator('[data-action="change"]').click();
    await page.locator('dialog input[name="until"]').fill('2001-02-03T06:00');
    await page.locator('dialog [type="submit"]').click();
    await page.getByText('The end must lie in the future.').waitFor();
    await page.locator('dialog input[name="until"]').fill('2031-02-03T06:00');
    await page.getByText('Times in Asia/Seoul').last().waitFor();
    await page.locator('dialog [type="submit"]').click();
    await silence.getByText('2031-02-03 06:00:00').waitFor();
    t.match(stub.changes.splice(0), [
      { method: 'PATCH', body: { until_ms: Date.UTC(2031, 1, 2, 21) } },
    ]);
    await silence.getByRole('button', { name: /^End now/ }).click();
    await page.locator('[data-list="ended"] [data-silence="s1"]').waitFor();
    t.match(stub.changes.splice(0), [{ method: 'DELETE', path: '/api/v1/silences/s1' }]);
  });

  await t.test('a maintenance window that begins later, for a line', async (t) => {
    await page.locator('[data-action="new-silence"]').click();
    await page.getByLabel('Line', { exact: true }).fill('L2');
    await page.getByLabel('Maintenance: anomalies').check();
    await page.getByLabel('At a time').check();
    await page.locator('dialog input[name="from"]').fill('2031-02-03T06:00');
    await page.getByLabel('8 hours').check();
    await page.getByLabel('Reason').fill('New year');
    await page.locator('dialog [type="submit"]').click();
    await page.locator('[data-list="scheduled"]').getByText('site demo · line L2').waitFor();
    t.match(stub.changes.splice(0), [
      {
        body: {
          kind: 'maintenance',
          line: 'L2',
          device: '*',
          from_ms: Date.UTC(2031, 1, 2, 21),
          until_ms: Date.UTC(2031, 1, 3, 5),
        },
      },
    ]);
    stub.silences.clear();
    stub.alerts.clear();
  });

  await t.test('what follows from one cause is one line, and says from what', async (t) => {
    stub.add(stubAlert('90', { device: '', rule: 'gateway_down', title: 'Gateway down' }));
    for (let i = 0; i < 6; i++)
      stub.add(
        stubAlert(String(i), {
          device: `N${i}`,
          rule: 'no_data',
          title: 'No data',
          inhibited_by: 'gateway_down',
        }),
      );
    for (let i = 10; i < 15; i++) stub.add(stubAlert(String(i), { device: `T${i}` }));
    stub.add(stubAlert('80', { state: 'pending', fired_ms: null }));
    await go(page, '/alerts');
    tab.isCut = true;
    stub.cutStreams();
    await page.getByText('make no messages of their own: 6').waitFor();
    tab.isCut = false;
    const group = page.locator('[data-group="temperature_high"][data-standing="firing"]');
    await group.getByText('5 × Temperature is high').waitFor();
    t.equal(await rows.count(), 2);
    const summary = page.locator('#alerts-quiet > summary');
    t.match(await summary.textContent(), /1 pending, 6 because of another alert/);
    await group.locator('[data-action="expand"]').click();
    t.equal(await group.locator('li[data-alert]').count(), 5);
    await group.getByRole('button', { name: 'Acknowledge all 5' }).click();
    await page.locator('dialog [type="submit"]').click();
    await page.locator('[data-group][data-standing="acknowledged"]').waitFor();
    // One by one: two that are acknowledged are such a group already.
    await until(async () => stub.changes.length === 5);
    t.equal(stub.changes.splice(0).length, 5);
    if (!(await page.locator('#alerts-quiet-list').isVisible())) await summary.click();
    await page.getByText('gateway gw1 is down (“Gateway down”)').first().waitFor();
    await rows.first().locator('[data-action="silence"]').click();
    t.same(
      (await page.locator('[data-field="scope"] label').allTextContents()).map((s) => s.trim()),
      [
        'All alerts of line L1',
        '“Gateway down” in all of site demo',
        'All alerts of site demo',
        'Something else',
      ],
      'one of a gateway itself is of no device',
    );
    await page.keyboard.press('Escape');
    stub.alerts.clear();
  });

  await t.test('filters stand in the address', async (t) => {
    stub.add(stubAlert('1', { device: 'D01', line: 'L1', severity: 'ERROR' }));
    stub.add(stubAlert('2', { device: 'D02', line: 'L2' }));
    await page.goto(`${stub.base}/alerts?line=L2`);
    await rows.first().waitFor();
    t.equal(await rows.count(), 1);
    t.match(await rows.first().textContent(), 'D02');
    await page.locator('select[name="line"]').selectOption('');
    await until(async () => (await rows.count()) === 2);
    await page.locator('select[name="severity"]').selectOption('ERROR');
    await until(async () => (await rows.count()) === 1);
    await page.waitForURL(/severity=ERROR/);
    await page.locator('select[name="last"]').selectOption('from … until …');
    await page.waitForURL(/from=\d+&to=\d+/);
    await page.locator('select[name="state"]').selectOption('acknowledged');
    await page.getByText('Nothing that fires matches the filters.').waitFor();
    await page.locator('[data-action="clear"]').click();
    await until(async () => (await rows.count()) === 2);
    stub.alerts.clear();
  });

  await t.test('history, page by page, and one alert with its life', async (t) => {
    for (let i = 0; i < 70; i++) {
      const started_ms = Date.now() - (i + 1) * HOUR_MS;
      const over = { state: 'resolved', resolved_by: 'cleared', resolved_ms: started_ms + 400_000 };
      stub.add(stubAlert(String(i), { ...over, started_ms, title: `Over ${i}` }));
    }
    const id = '7'.padStart(16, '0');
    const alert = stub.alerts.get(id);
    if (alert === undefined) throw new Error('no alert');
    const said = { acknowledged_by: HOSTILE, acknowledged_note: `“${RTL}”` };
    const times = { fired_ms: alert.started_ms + 1_000, acknowledged_ms: alert.started_ms + 5_000 };
    stub.add({ ...alert, ...said, ...times, values: { huge: 1e308, none: null, text: HOSTILE } });
    stub.events = [
      {
        ...{ site: 'demo', gateway: 'gw1', device: 'D01', severity: 'warning' },
        time_ms: times.fired_ms,
        kind: 'alert_firing',
        detail: { id, summary: 'sensor1 was 95 then' },
      },
    ];
    await go(page, '/alerts?tab=history');
    const over = page.locator('#alert-history > li');
    await until(async () => (await over.count()) === 50);
    t.match(await over.first().textContent(), /Over 0.*\(6 min\) · cleared by itself/);
    await page.locator('[data-action="older"]').click();
    await until(async () => (await over.count()) === 70);
    t.equal(await page.locator('[data-action="older"]').count(), 0);
    await page.getByRole('link', { name: 'Over 7', exact: true }).click();
    const steps = page.locator('#life > li');
    await steps.nth(3).waitFor();
    await steps.nth(1).getByText('sensor1 was 95 then').waitFor();
    t.match(await steps.nth(2).textContent(), HOSTILE);
    t.match(await steps.nth(3).textContent(), 'It was over: cleared by itself');
    t.match(await page.locator('#values').textContent(), '1.000e+308');
    t.equal(await page.locator('img').count(), 0, 'markup is text');
    const chart = page.getByRole('link', { name: 'Charts of D01 at that time' });
    t.match(await chart.getAttribute('href'), /^\/device\/demo\/D01\?from=\d+&to=\d+$/);
    t.same(await seriousFindings(page), []);
    tab.isCut = true;
    await go(page, `/alerts/${'f'.repeat(16)}`);
    await page.getByText('There is no such alert').waitFor();
    tab.isCut = false;
    stub.alerts.clear();
  });

  await t.test('anomalies are judged, and detectors by that', async (t) => {
    stub.putAnomaly(stubAnomaly('1', { device: HOSTILE, detector: 'drift', value: null }));
    stub.putAnomaly(stubAnomaly('2', { detector: 'novelty', channel: '' }));
    await go(page, '/alerts?tab=anomalies');
    const one = page.locator(`[data-anomaly="${stubAnomaly('1').id}"]`);
    await one.getByText(HOSTILE).waitFor();
    await one.locator('[data-mark="true"]').click();
    await until(async () => stub.changes.length === 1);
    t.match(stub.changes.splice(0), [{ body: { mark: 'true', by: 'Kim Minsu' } }]);
    await one.getByText(/Said by Kim Minsu/).waitFor();
    await page.goto(`${stub.base}/alerts?tab=anomalies&detector=drift`);
    const drift = page.locator('[data-detector="drift"]');
    await drift.waitFor();
    t.match(await drift.textContent(), /Slow drift1100.*100%/);
    t.equal(await page.locator('#anomalies > li').count(), 1);
    t.same(await seriousFindings(page), []);
  });

  await t.test('a lost connection is said, and heals', async (t) => {
    stub.add(stubAlert('1'));
    await page.goto(`${stub.base}/alerts`);
    await rows.first().waitFor();
    await connected(stub);
    tab.isCut = true;
    stub.isBroken = true;
    stub.cutStreams();
    await page.getByText('No connection to the collector').waitFor();
    t.equal(await rows.count(), 1, 'what was known stays');
    await page.locator('[data-action="acknowledge"]').click();
    await page.locator('dialog [type="submit"]').click();
    await page.getByText('No answer from the collector').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    stub.alerts.clear();
    stub.add(stubAlert('4', { title: 'Came in between' }));
    stub.isBroken = false;
    await page.getByText('Came in between').first().waitFor();
    await page.getByText('No connection to the collector').waitFor({ state: 'hidden' });
    await until(
      async () => (await page.locator('#told').textContent())?.includes('between') === true,
    );
    t.pass('what came while the stream was down is read again, and read out');
    tab.isCut = false;
    stub.changes.length = 0;
    t.same(errors, []);
  });
});

t.test('on a phone, in Korean, in the dark', { skip: noBrowser }, async (t) => {
  const stub = await runningStub(t);
  stub.add(stubAlert('1', { device: LONG, title_ko: LONG, summary_ko: LONG, line: LONG }));
  stub.add(stubAlert('2', { device: RTL, severity: 'CRITICAL' }));
  stub.add(stubAlert('3', { device: HOSTILE, area: HOSTILE, severity: 'ERROR' }));
  const { page, errors } = await openPage(t, browser, `${stub.base}/alerts`, {
    locale: 'ko-KR',
    colorScheme: 'dark',
    viewport: { width: 390, height: 844 },
  });
  await page.locator('#alerts-firing > li').nth(2).waitFor();
  t.equal(await overflowPx(page), 0);
  t.same(await seriousFindings(page), []);
  t.equal(await page.locator('img').count(), 0);
  await page.locator('[data-action="silence"]').nth(1).click();
  await page.getByText(`${HOSTILE}의 모든 경보`).waitFor();
  t.same(await seriousFindings(page), []);
  t.equal(await overflowPx(page), 0);
  t.same(errors, []);
});

t.test('who may only look is offered nothing to decide', { skip: noBrowser }, async (t) => {
  const stub = await runningStub(t, { thisMachine: 'viewer' });
  stub.add(stubAlert('1'));
  const { page, errors } = await openPage(t, browser, `${stub.base}/alerts`);
  await page.locator('#alerts-firing > li').waitFor();
  t.equal(await page.locator('main [data-action]').count(), 0);
  await page.getByRole('button', { name: 'Silences and maintenance' }).click();
  await page.getByText('Nothing is silenced').waitFor();
  t.equal(await page.locator('main [data-action]').count(), 0);
  t.same(errors, []);
});
