/**
 * All pages on a real collector: each role sees what it may, in both languages; a collector that goes away and comes
 * back; a plant of 1,000 devices. What single pages do: the other tests in this folder.
 */

import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t from 'tap';
import { readLocalToken } from '../../../collector/access/local_token.ts';
import { COMMON_WORDS } from '../../../collector/web/src/i18n/words.ts';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, logIn, openPage, overflowPx, seriousFindings } from '../../support/pages.ts';
import { fmsRow, Publisher } from '../../support/publisher.ts';
import { TestCollector, TOKENS, until } from '../../support/running-collector.ts';

t.setTimeout(1_200_000);
const browser = browserOf(t);
const HOSTILE = '<img src=x onerror=alert(1)>';
const PASSWORD = 'correct horse battery staple';
const { en, ko } = COMMON_WORDS;

const PAGES = [
  { path: '/', title: 'page_overview' },
  { path: '/quality', title: 'page_quality' },
  { path: '/alerts', title: 'page_alerts' },
  { path: '/quarantine', title: 'page_quarantine' },
  { path: '/gateways', title: 'page_gateways' },
  { path: '/query', title: 'page_query' },
  { path: '/admin', title: 'page_admin' },
] as const;

/** Name, what it is granted, and the pages that it may not see. */
const ROLES = [
  { name: 'vera', grants: [{ site: 'demo', role: 'viewer' }], forbidden: ['/query'] },
  { name: 'omar', grants: [{ site: 'demo', role: 'operator' }], forbidden: ['/query'] },
  { name: 'adele', grants: [{ site: '*', role: 'admin' }], forbidden: [] },
] as const;

t.test('the pages', { skip: noBrowser }, async (t) => {
  const gateways = [
    { site: 'demo', gateway: 'gw1', token: TOKENS.gw1 },
    { site: 'other', gateway: 'gw2', token: TOKENS.gw2 },
  ];
  const collector = new TestCollector({ access: {}, gateways });
  await collector.start();
  const publisher = await collector.publisher('gw1');
  const elsewhere = await Publisher.connect({
    port: collector.mqttPort,
    site: 'other',
    gateway: 'gw2',
    token: TOKENS.gw2,
  });
  t.teardown(async () => {
    await publisher.close();
    await elsewhere.close();
    await collector.remove();
  });
  const authorization = `Bearer ${readLocalToken(join(collector.folder, 'data'))}`;
  const api = async (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${collector.base}/api/v1/${path}`, {
      method,
      headers: { authorization, ...(body && { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
    });
  for (const { name, grants } of ROLES) {
    const made = await api('POST', 'users', { name, grants, password: PASSWORD });
    t.equal(made.status, 201, `${name}: ${await made.text()}`);
  }
  await publisher.readings([...fmsRow('D01', Date.now(), 1), ...fmsRow(HOSTILE, Date.now(), 2)]);
  await elsewhere.readings(fmsRow('SECRET', Date.now(), 3));
  await until(async () => {
    const { items } = (await (await api('GET', 'devices')).json()) as { items: unknown[] };
    return items.length === 3;
  });

  for (const { name, grants, forbidden } of ROLES) {
    await t.test(`${grants[0].role} of ${grants[0].site}`, async (t) => {
      const tab = await openPage(t, browser, collector.base);
      const { page } = tab;
      // Not logged in: the API says 401, and the browser notes it.
      await page.locator('input[name="name"]').waitFor();
      tab.errors.length = 0;
      await logIn(page, name, PASSWORD);
      for (const { path, title } of PAGES) {
        await page.goto(collector.base + path);
        const isForbidden = (forbidden as readonly string[]).includes(path);
        await shown(page, isForbidden ? en.forbidden : en[title], isForbidden);
        const link = page.locator('nav.menu').getByRole('link', { name: en[title], exact: true });
        t.equal(await link.count(), isForbidden ? 0 : 1, `${path} in the menu`);
        t.equal(await page.locator('main img').count(), 0, `${path}: markup in names stays text`);
        const sees = ((await page.locator('body').textContent()) ?? '').includes('SECRET');
        if (grants[0].site !== '*') t.notOk(sees, `${path} shows nothing of another site`);
        // Who may all sees all that the others see.
        if (grants[0].role === 'admin')
          t.same(await seriousFindings(page), [], `${path}: accessible`);
      }
      await page.locator('[data-value="ko"]').click();
      for (const { path, title } of PAGES) {
        if ((forbidden as readonly string[]).includes(path)) continue;
        await page.goto(collector.base + path);
        await shown(page, ko[title], false);
      }
      t.same(tab.errors, []);
      await page.locator('.user button').click();
      await page.locator('input[name="password"]').waitFor();
      t.equal(
        (await page.request.get(`${collector.base}/api/v1/devices`)).status(),
        401,
        'logged out',
      );
    });
  }

  await t.test('a collector that goes away and comes back; 1,000 devices', async (t) => {
    const tab = await openPage(t, browser, collector.base);
    const { page } = tab;
    await logIn(page, 'adele', PASSWORD);
    await page.locator('[data-device="D01"]').waitFor();
    tab.isCut = true;
    await collector.stop();
    await page.getByText('No connection to the collector since').waitFor();
    await collector.start();
    await page.getByText('No connection to the collector since').waitFor({ state: 'hidden' });
    const names = Array.from({ length: 1_000 }, (_, i) => `P${String(i).padStart(4, '0')}`);
    for (let from = 0; from < names.length; from += 100) {
      const rows = names.slice(from, from + 100).flatMap((name, i) => fmsRow(name, Date.now(), i));
      await publisher.readings(rows);
    }
    tab.errors.length = 0;
    tab.isCut = false;
    await until(async () => (await page.locator('[data-device^=P]').count()) === 1_000);
    t.same(await seriousFindings(page), []);
    await page.setViewportSize({ width: 390, height: 844 });
    t.equal(await overflowPx(page), 0, 'no sideways scrolling on a phone');
    await page.keyboard.press('/');
    await page.keyboard.type('P0999');
    await until(async () => (await page.locator('[data-device^=P]').count()) === 1);
    t.same(tab.errors, []);
  });
});

async function shown(page: Page, text: string, isMessage: boolean): Promise<void> {
  const place = isMessage
    ? page.locator('main').getByText(text)
    : page.locator('main h1').getByText(text, { exact: true });
  await place.first().waitFor({ state: 'attached' });
  // What it loads has come, or has been refused in words.
  const loading = page.locator('main .empty[role="status"]');
  await until(async () => (await loading.count()) === 0);
}
