/** Administration → Gateways in a real Chromium: who may connect. Its pure parts: enrolment-parts.test.ts. */

import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import type { Test } from 'tap';
import t from 'tap';
import { ARABIC, adminPlant, HOSTILE, PASSWORD } from '../../support/admin-plant.ts';
import type { Tab, TabOptions } from '../../support/browser.ts';
import { noBrowser } from '../../support/browser.ts';
import {
  EnrolmentStub,
  FINGERPRINT,
  stubCertificate,
  stubRegistered,
  stubRequest,
} from '../../support/enrolment-stub.ts';
import { browserOf, logIn, openPage, overflowPx, seriousFindings } from '../../support/pages.ts';

// Generous: a machine may be busy with other things.
t.setTimeout(1_200_000);

const browser = browserOf(t);
/** What the browser itself notes of every answer that is a refusal. */
const REFUSALS = /status of (401|403|409|422)/;
const LONG = 'x'.repeat(128);

interface Scene {
  stub: EnrolmentStub;
  tab: Tab;
  page: Page;
  base: string;
}

/** On the part of the page, as an admin of every site or as `name`. */
async function scene(
  t: Test,
  stub: EnrolmentStub,
  { name = 'admin', ...options }: TabOptions & { name?: string } = {},
): Promise<Scene> {
  const { base } = await adminPlant(t);
  const tab = await openPage(t, browser, `${base}/admin/me`, options);
  await logIn(tab.page, name, PASSWORD);
  await stub.attach(tab.page);
  await tab.page.goto(`${base}/admin/gateways`);
  return { stub, tab, page: tab.page, base };
}

function defects({ tab }: Scene): string[] {
  return tab.errors.filter((text) => !REFUSALS.test(text));
}

const row = (page: Page, name: string) => page.locator(`[data-registered="${name}"]`);
const deed = (page: Page, name: string, action: string) =>
  row(page, name).locator(`[data-action="${action}"]`);
const confirm = (page: Page) => page.locator('dialog [data-action="confirm"]').click();

t.test('new gateways: forty at once, their tokens once', { skip: noBrowser }, async (t) => {
  const all = await scene(t, new EnrolmentStub());
  const { page, stub } = all;
  await page.getByText('No gateway is registered yet.').waitFor();
  await page.locator('[data-action="add"]').focus();
  await page.keyboard.press('Enter');
  const submit = page.locator('dialog button[type="submit"]');
  t.ok(await submit.isDisabled(), 'nothing to add');
  // One site is known: its name may be left out.
  t.equal(await page.locator('select[name="site"]').inputValue(), 'demo');
  await page.locator('select[name="site"]').selectOption('');
  await page.locator('textarea[name="names"]').fill(`gw1\nplant1/gw1\nplant1/gw1\n${HOSTILE}`);
  t.match(
    await page.locator('[data-read]').textContent(),
    /Line 1: which site\?.*Line 3: there tw/,
  );
  t.ok(await submit.isDisabled());
  t.same(await seriousFindings(page), []);
  const lines = Array.from({ length: 40 }, (_, i) => `plant1,press-${i + 1}`);
  await page.locator('input[name="file"]').setInputFiles({
    name: 'gateways.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from(`site,gateway\n${lines.join('\n')}\n`),
  });
  await page.locator('[data-read="40"]').waitFor();
  await page.locator('select[name="hours"]').selectOption('72');
  stub.refuseWith = 'GATEWAY_REFUSED';
  await submit.click();
  await page.getByText(/GATEWAY_REFUSED/).waitFor();
  await submit.click();
  const made = page.locator('[data-made]');
  await made.first().waitFor();
  t.equal(await made.count(), 40);
  t.match(stub.deeds.at(-1), {
    method: 'POST',
    path: 'gateways',
    body: { valid_hours: 72, gateways: [{ site: 'plant1', gateway: 'press-1' }] },
  });
  const command = (await page.locator('[data-secret]').first().textContent()) ?? '';
  t.match(command, /^sudo fms-agent enroll mqtts:\/\/collector\.plant\.example:8883 fms-gw1\.Q/);
  t.match(await page.locator('dialog').textContent(), /good for 3 days/);
  await page.locator('select[name="host"]').selectOption('2001:db8::7');
  await page.locator('[data-secret]').first().getByText('mqtts://[2001:db8::7]:8883').waitFor();
  t.same(await seriousFindings(page), []);
  await page.locator('[data-action="copy_all"]').click();
  await page
    .locator('dialog [role="status"]')
    .getByText(/Copied|by hand/)
    .waitFor();
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.locator('[data-action="download"]').click(),
  ]);
  t.equal(file.suggestedFilename(), 'fms-tokens.csv');
  const saved = readFileSync(await file.path(), 'utf8')
    .trimEnd()
    .split('\r\n');
  t.equal(saved.length, 41);
  t.match(saved[40], /^plant1,press-40,fms-gw1\..*,sudo fms-agent enroll mqtts:\/\/\[2001/);
  await page.locator('[data-action="have"]').click();
  await row(page, 'plant1/press-40').waitFor();
  t.notMatch(await page.content(), /fms-gw1\./, 'shown once');
  t.match(await row(page, 'plant1/press-2').textContent(), /waits for its gateway/);
  t.same(defects(all), []);
});

t.test('replace, revoke, remove', { skip: noBrowser }, async (t) => {
  const stub = new EnrolmentStub();
  stub.registered = [
    stubRegistered('plant1/good', 'enrolled'),
    stubRegistered('plant1/near', 'enrolled', { certificate: stubCertificate(6) }),
    stubRegistered('plant1/over', 'enrolled', { certificate: stubCertificate(-3) }),
    stubRegistered('plant1/new', 'invited', { invitation: { expires_ms: Date.now() - 1 } }),
    stubRegistered('plant1/yaml', 'configured', { without_tls: true }),
  ];
  const all = await scene(t, stub);
  const { page } = all;
  await row(page, 'plant1/over')
    .getByText(/over for 3 days/)
    .waitFor();
  t.match(await row(page, 'plant1/near').textContent(), /ends in 5 days and was not renewed/);
  t.match(await row(page, 'plant1/new').textContent(), /its token is over/);
  t.match(await row(page, 'plant1/yaml').textContent(), /may cross the network unencrypted/);
  t.equal(await row(page, 'plant1/good').locator('[data-validity="good"] small').count(), 0);
  t.equal(await deed(page, 'plant1/good', 'remove').count(), 0, 'not while it may connect');
  const names = (await page.evaluate(
    `[...document.querySelectorAll('[data-registered]')].map(({ dataset }) => dataset.registered)`,
  )) as string[];
  t.same(names.slice(0, 3), ['plant1/over', 'plant1/near', 'plant1/new'], 'who needs somebody');

  await deed(page, 'plant1/good', 'token').click();
  t.match(
    await page.locator('dialog').textContent(),
    /Until that has enrolled, the old one goes on/,
  );
  await page.locator('input[name="now"]').check();
  await page.locator('select[name="hours"]').selectOption('1');
  await confirm(page);
  await page.locator('[data-made="plant1/good"]').waitFor();
  t.same(stub.deeds.at(-1), {
    method: 'POST',
    path: 'gateways/plant1/good/token',
    body: { valid_hours: 1, now: true },
  });
  await page.keyboard.press('Escape');

  await deed(page, 'plant1/good', 'revoke').click();
  await confirm(page);
  t.equal(stub.deeds.length, 1, 'not without a reason');
  await page.locator('input[name="reason"]').fill('stolen from cabinet 7');
  await page.keyboard.press('Enter');
  await row(page, 'plant1/good').getByText('revoked').waitFor();
  t.same(stub.deeds.at(-1)?.body, { reason: 'stolen from cabinet 7' });
  await deed(page, 'plant1/good', 'remove').click();
  stub.refuseWith = 'GATEWAY_REFUSED';
  await confirm(page);
  await page.getByText(/GATEWAY_REFUSED/).waitFor();
  await confirm(page);
  await row(page, 'plant1/good').waitFor({ state: 'detached' });
  t.match(stub.deeds.at(-1), { method: 'DELETE', path: 'gateways/plant1/good' });

  // What a person would share is in the address.
  await page.locator('select[name="state"]').selectOption('invited');
  await row(page, 'plant1/near').waitFor({ state: 'detached' });
  t.match(page.url(), /state=invited/);
  await page.locator('input[name="search"]').fill('nothing');
  await page.getByText('No gateway matches the filters.').waitFor();
  await page.goBack();
  await row(page, 'plant1/near').waitFor();
  t.same(defects(all), []);
});

t.test('gateways that ask: nobody is let in unseen', { skip: noBrowser }, async (t) => {
  const stub = new EnrolmentStub();
  stub.requests = [
    stubRequest('r1', 'plant1/press-9', { version: HOSTILE }),
    stubRequest('r2', 'plant1/press-1', { known: true, from: '2001:db8::1' }),
    stubRequest('r3', 'plant1/oven', { expires_ms: Date.now() - 1 }),
  ];
  const all = await scene(t, stub);
  const { page } = all;
  const request = (id: string) => page.locator(`[data-request="${id}"]`);
  await request('r1').getByText(HOSTILE).waitFor();
  t.match(await request('r2').textContent(), /If you approve, this one takes its place/);
  await request('r1').locator('[data-action="approve"]').click();
  const submit = page.locator('dialog button[type="submit"]');
  const typed = page.locator('input[name="typed"]');
  const shown = await page.locator('dialog [data-fingerprint]').textContent();
  t.equal(shown?.replaceAll(' ', '').toLowerCase(), FINGERPRINT);
  t.ok(await submit.isDisabled(), 'not compared');
  await typed.fill('3FA4 C1D2 9B0E');
  await page.getByText('It is the same so far: 3 groups.').waitFor();
  t.ok(await submit.isDisabled(), 'too little');
  await page.locator('input[name="seen"]').check();
  t.notOk(await submit.isDisabled(), 'by eye');
  await typed.fill('3FA4 C1D2 9B0F');
  await page.locator('[data-compared="wrong"]').waitFor();
  t.ok(await submit.isDisabled(), 'whatever else was said');
  t.same(await seriousFindings(page), []);
  await page.locator('input[name="seen"]').uncheck();
  await typed.fill('3fa4:c1d2:9b0e:7758');
  await page.keyboard.press('Enter');
  await request('r1').waitFor({ state: 'detached' });
  t.same(stub.deeds.at(-1), {
    method: 'POST',
    path: 'requests/r1/approve',
    body: { key_fingerprint: FINGERPRINT },
  });
  await request('r2').locator('[data-action="reject"]').click();
  await confirm(page);
  await request('r2').waitFor({ state: 'detached' });
  t.match(stub.deeds.at(-1), { method: 'POST', path: 'requests/r2/reject' });
  t.same(defects(all), []);
});

t.test(
  'in Korean, dark, on a phone; hostile names; cut off and back',
  { skip: noBrowser },
  async (t) => {
    const stub = new EnrolmentStub();
    stub.registered = [
      stubRegistered(`plant1/${LONG}`, 'enrolled', { certificate: stubCertificate(-1) }),
      stubRegistered(`${ARABIC}/${ARABIC}`, 'revoked', { changed_by: HOSTILE }),
      stubRegistered('plant1/gw1', 'invited'),
    ];
    stub.requests = [stubRequest('r1', `plant1/${LONG}`, { known: true, version: ARABIC })];
    const phone = { viewport: { width: 390, height: 844 }, locale: 'ko-KR' } as const;
    const all = await scene(t, stub, { ...phone, colorScheme: 'dark' });
    const { page, tab } = all;
    await page.getByText('이 수집기의 인증 기관').waitFor();
    t.match(await page.locator('main').textContent(), HOSTILE, 'as text');
    t.match(await row(page, 'plant1/gw1').textContent(), /등록 대기/);
    t.equal(await overflowPx(page), 0, 'no sideways scrolling');
    t.same(await seriousFindings(page), []);
    const inside = async (): Promise<boolean> =>
      (await page.evaluate(
        `(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)(document.querySelector('dialog'))`,
      )) as boolean;
    await page.locator('[data-action="approve"]').click();
    t.ok(await inside(), 'the dialog fits');
    t.same(await seriousFindings(page), []);
    await page.keyboard.press('Escape');
    await page.locator('[data-action="add"]').click();
    t.ok(await inside());
    await page.locator('textarea[name="names"]').fill('plant1/gw2');
    await page.locator('dialog button[type="submit"]').click();
    await page.locator('[data-made]').waitFor();
    t.ok(await inside());
    t.same(await seriousFindings(page), []);
    await page.locator('[data-action="have"]').click();

    tab.isCut = true;
    await page.route('**/api/**', (route) => route.abort());
    await deed(page, 'plant1/gw1', 'revoke').click();
    await page.locator('input[name="reason"]').fill('x');
    await confirm(page);
    await page.getByText(/수집기가 응답하지 않습니다/).waitFor();
    await page.keyboard.press('Escape');
    t.equal(await row(page, 'plant1/gw1').count(), 1, 'what was there stays');
    await page.unroute('**/api/**');
    await page.getByText(/수집기와 연결이 끊겼습니다/).waitFor({ state: 'hidden' });
    t.same(defects(all), []);
  },
);

t.test('who may what, and a collector without an authority', { skip: noBrowser }, async (t) => {
  const stub = new EnrolmentStub();
  stub.authority = undefined;
  stub.registered = [stubRegistered('demo/gw1', 'configured')];
  const all = await scene(t, stub);
  const { page, base } = all;
  await page.getByText('Certificates are not in use yet').waitFor();
  await row(page, 'demo/gw1').waitFor();
  t.equal(await page.locator('[data-action="add"], [data-action="token"]').count(), 0);
  t.same(defects(all), []);

  // 김민지 is admin of one site.
  const one = new EnrolmentStub();
  one.registered = [
    stubRegistered(`${ARABIC}/gw1`, 'enrolled'),
    stubRegistered('demo/gw2', 'enrolled'),
  ];
  const ofSite = await openPage(t, browser, `${base}/admin/me`);
  await logIn(ofSite.page, '김민지', PASSWORD);
  await one.attach(ofSite.page);
  await ofSite.page.goto(`${base}/admin/gateways`);
  await deed(ofSite.page, `${ARABIC}/gw1`, 'revoke').waitFor();
  t.equal(await deed(ofSite.page, 'demo/gw2', 'revoke').count(), 0, 'not at other sites');
  t.equal(await ofSite.page.locator('[data-authority]').count(), 0);
  t.same(
    ofSite.errors.filter((text) => !REFUSALS.test(text)),
    [],
  );
});
