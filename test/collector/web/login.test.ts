/** Logging in and out, choosing a password, and a session that ends under an open page, in a real Chromium. */

import type { Page } from 'playwright-core';
import t from 'tap';
import { adminPlant, PASSWORD } from '../../support/admin-plant.ts';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, logIn, openPage, overflowPx, seriousFindings } from '../../support/pages.ts';

// Generous: a machine may be busy with other things.
t.setTimeout(1_200_000);

const browser = browserOf(t);
const PHONE = { width: 390, height: 844 };

/** What the browser itself notes of every answer that is a refusal. */
const REFUSALS = /status of (401|403|409|422|429)/;

async function send(page: Page, name: string, password: string): Promise<void> {
  await page.locator('input[name="name"]').fill(name);
  await page.locator('input[name="password"]').fill(password);
  await page.locator('form button[type="submit"]').click();
}

async function choose(page: Page, current: string, next: string, again = next): Promise<void> {
  await page.locator('input[name="password"]').fill(current);
  await page.locator('input[name="new_password"]').fill(next);
  await page.locator('input[name="repeat_password"]').fill(again);
}

interface Answered {
  text: string;
  /** The button, at that moment. */
  isOff: boolean;
}

/** From now on the page keeps what it says of each attempt: some of it is there for a second only. */
async function noteAnswers(page: Page): Promise<void> {
  await page.evaluate(`{
    globalThis.answers = [];
    new MutationObserver(() => {
      const text = document.querySelector('.form-error')?.textContent ?? '';
      const isOff = document.querySelector('form button[type="submit"]')?.disabled === true;
      globalThis.answers.push({ text, isOff });
    }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  }`);
}

async function tooMany(page: Page): Promise<Answered[]> {
  const answers = (await page.evaluate('globalThis.answers')) as Answered[];
  return answers.filter(({ text }) => /Too many attempts. Try again in \d+ s\./.test(text));
}

t.test('name and password, wrong ones, and too many of them', { skip: noBrowser }, async (t) => {
  const { base } = await adminPlant(t);
  const tab = await openPage(t, browser, `${base}/admin/tokens`);
  const { page } = tab;
  const error = page.locator('.form-error');
  await page.locator('input[name="password"]').waitFor();
  t.equal(await page.locator('nav.menu').count(), 0, 'nothing else is shown');
  t.same(await seriousFindings(page), []);
  for (const name of ['op', 'nobody']) {
    await send(page, name, 'wrong password');
    await error.getByText('Name or password are wrong.').waitFor();
  }
  await noteAnswers(page);
  // Each attempt is answered before the next one: the button is off meanwhile. After the fifth a second has to
  // pass, then two, then four: on a slow machine the sixth may be late enough, and one after it is not.
  let attempts = 0;
  while ((await tooMany(page)).length === 0) {
    await page.locator('input[name="name"]').fill('op');
    await page.locator('form button[type="submit"]:enabled').click();
    await page.locator('form button[type="submit"]:enabled').waitFor();
    attempts += 1;
  }
  t.ok(attempts > 4, 'some are free');
  t.same(
    (await tooMany(page)).filter(({ isOff }) => !isOff),
    [],
    'not before the wait is over',
  );
  await error.getByText('You can try again now.').waitFor();
  await send(page, 'op', PASSWORD);
  await page.locator('nav.menu').waitFor();
  t.equal(new URL(page.url()).pathname, '/admin/tokens', 'where one wanted to go');
  t.equal(await page.locator('.user bdi').textContent(), 'op');
  t.equal(await page.evaluate('document.cookie'), '', 'no script reads the session');

  await page.getByRole('button', { name: 'Log out' }).click();
  await page.locator('input[name="password"]').waitFor();
  await page.goto(`${base}/`);
  await page.locator('input[name="password"]').waitFor();
  t.equal(await page.locator('nav.menu').count(), 0, 'and stays out');
  t.same(
    tab.errors.filter((text) => !REFUSALS.test(text)),
    [],
  );
});

t.test('a password that was made up is changed first', { skip: noBrowser }, async (t) => {
  const { base, access } = await adminPlant(t);
  const made = await access.opened.users.create(
    'new.one',
    [{ site: '*', role: 'viewer' }],
    undefined,
  );
  const tab = await openPage(t, browser, base, {
    locale: 'ko-KR',
    colorScheme: 'dark',
    viewport: PHONE,
  });
  const { page } = tab;
  await page.locator('input[name="password"]').waitFor();
  t.same(await seriousFindings(page), []);
  await send(page, 'new.one', made ?? '');
  await page.getByText('계속하려면 먼저 본인의 비밀번호를 정하세요.').waitFor();
  t.equal(await page.locator('nav.menu').count(), 0, 'nothing before that');
  t.same(await seriousFindings(page), []);
  t.equal(await overflowPx(page), 0);

  await choose(page, made ?? '', 'a long enough one', 'another one');
  await page.getByText('두 비밀번호가 다릅니다.').waitFor();
  t.ok(await page.locator('button[type="submit"]').isDisabled());
  await choose(page, 'not this one', 'a long enough one');
  await page.locator('button[type="submit"]').click();
  await page.getByText(/이 비밀번호를 사용할 수 없습니다: .*current password/).waitFor();
  await choose(page, made ?? '', 'new.one new.one');
  await page.locator('button[type="submit"]').click();
  await page.getByText(/이 비밀번호를 사용할 수 없습니다: .*name/).waitFor();
  await choose(page, made ?? '', 'a long enough one');
  await page.keyboard.press('Enter');
  await page.locator('nav.menu').waitFor();
  await page.getByRole('button', { name: '로그아웃' }).click();
  await send(page, 'new.one', 'a long enough one');
  await page.locator('nav.menu').waitFor();
  t.same(
    tab.errors.filter((text) => !REFUSALS.test(text)),
    [],
  );
});

t.test(
  'a session that ends under an open page takes nothing away',
  { skip: noBrowser },
  async (t) => {
    const { base, access } = await adminPlant(t);
    const { sessions, users } = access.opened;
    const tab = await openPage(t, browser, `${base}/admin/users`);
    const { page } = tab;
    await logIn(page, 'admin', PASSWORD);
    await page.locator('[data-action="add"]').click();
    await page.locator('input[name="new_user"]').fill('lee.jun');
    await sessions.endAllOf('admin');
    await page.getByRole('button', { name: 'Save' }).click();
    const again = page.getByRole('dialog', { name: 'Your session has ended' });
    await again.waitFor();
    t.equal(await again.locator('input[name="name"]').inputValue(), 'admin');
    t.same(await seriousFindings(page), []);
    await page.keyboard.press('Escape');
    await again.waitFor();
    await again.locator('input[name="password"]').fill('wrong password');
    await page.keyboard.press('Enter');
    await again.getByText('Name or password are wrong.').waitFor();
    await again.locator('input[name="password"]').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await again.waitFor({ state: 'detached' });
    t.equal(
      await page.locator('input[name="new_user"]').inputValue(),
      'lee.jun',
      'as it was typed',
    );
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('[data-secret]').waitFor();
    t.ok(users.get('lee.jun'));

    // Who does not want to go on leaves, and the next one sees nothing of it.
    await page.getByRole('button', { name: 'I have it' }).click();
    await sessions.endAllOf('admin');
    await page.locator('[data-user="op"] [data-action="change"]').click();
    await page.getByRole('button', { name: 'Save' }).click();
    await again.waitFor();
    await again.getByRole('button', { name: 'Leave this page' }).click();
    await page.locator('main.narrow input[name="name"]').waitFor();
    await logIn(page, 'op', PASSWORD);
    await page.getByText('You may not see this page.').waitFor();
    t.equal(await page.locator('[data-user]').count(), 0);
    t.same(
      tab.errors.filter((text) => !REFUSALS.test(text)),
      [],
    );
  },
);

t.test('where looking needs no login', { skip: noBrowser }, async (t) => {
  const { base, access } = await adminPlant(t, { anonymous: 'viewer' });
  const tab = await openPage(t, browser, `${base}/alerts`);
  const { page } = tab;
  await page.getByRole('link', { name: 'Log in' }).click();
  await logIn(page, 'op', PASSWORD);
  await page.locator('.user bdi', { hasText: 'op' }).waitFor();
  t.equal(new URL(page.url()).pathname, '/');
  await page.goto(`${base}/admin/tokens`);
  await page.locator('[data-action="add"]').click();
  await page.locator('input[name="token_name"]').fill('press');
  await access.opened.sessions.endAllOf('op');
  await page.getByRole('button', { name: 'Make it' }).click();
  // Somebody who may only look goes on by the same cookie; that the user is gone is said all the same.
  await page.getByRole('dialog', { name: 'Your session has ended' }).waitFor();
  t.equal(await page.locator('input[name="token_name"]').inputValue(), 'press');
  await page.getByRole('button', { name: 'Leave this page' }).click();
  await page.getByRole('link', { name: 'Log in' }).waitFor();
  await page.getByText('You may not see this page.').waitFor();
  t.same(
    tab.errors.filter((text) => !REFUSALS.test(text)),
    [],
  );
});

t.test('a collector that does not answer is no wrong password', { skip: noBrowser }, async (t) => {
  const { base } = await adminPlant(t);
  const tab = await openPage(t, browser, base);
  const { page } = tab;
  await page.locator('input[name="password"]').waitFor();
  tab.isCut = true;
  await page.route('**/api/v1/session', (route) =>
    route.request().method() === 'POST' ? route.abort() : route.continue(),
  );
  await send(page, 'op', PASSWORD);
  await page.getByText('The collector does not answer. Try again in a moment.').waitFor();
  await page.unroute('**/api/v1/session');
  await page.locator('form button[type="submit"]').click();
  await page.locator('nav.menu').waitFor();
  t.same(
    tab.errors.filter((text) => !REFUSALS.test(text)),
    [],
  );
});
